package rules

import "fmt"

// MissingDigest is about pins that nobody can pull any more.
var MissingDigest = register(Rule{
	Name:     "missing-digest",
	Severity: Error,
	Summary:  "The registry no longer has the pinned image, or a platform of it",
	Why: "The registry answers that it does not have the digest, so the next machine without a cached copy can't pull it. " +
		"Or it has the index but not the manifest of one platform, so pulling fails on that platform only: " +
		"jobs that delete untagged images remove such manifests, because only the index has a tag.\n\n" +
		"Some registries answer the same to those who may not see a repository: log in first. " +
		"No answer, or one that asks for credentials, is an incomplete run and never this finding.",
	Format: "dockerfile",
	Bad: "# The registry: nginx has no sha256:0123456789ab….\n" +
		"FROM nginx:1.27@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Good: "# The registry: nginx:1.27 leads to sha256:fedcba987654… now.\n" +
		"FROM nginx:1.27@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210\n",
	Fix: "If a machine or a mirror still has the image, push it again: the digest stays the same. " +
		"Else run `digestlint pin --update PATH`, and test what the tag leads to now. " +
		"In your own registries keep what is pinned: let clean-up jobs spare manifests that an index names, and tag each release once more under a name that nothing moves.",
	Since:     "0.1",
	Security:  "2.0",
	Precision: "very-high",
	Online: func(a *Answer) {
		switch {
		case a.Gone:
			a.say(fmt.Sprintf("%s has no %s any more", a.Ref.Written(), shortDigest(a.Ref.Digest)), a.replaceHint())
		case len(a.Missing) > 0:
			parts := make([]string, len(a.Missing))
			for i, c := range a.Missing {
				parts[i] = describeChild(c)
			}
			a.say(fmt.Sprintf("%s has no %s of %s any more", a.Ref.Written(), list(parts), shortDigest(a.Ref.Digest)), a.replaceHint())
		}
	},
})

// describeChild is a manifest of an index in words.
func describeChild(c Child) string {
	if c.Platform == "" {
		return "manifest " + shortDigest(c.Digest)
	}
	return c.Platform + " manifest " + shortDigest(c.Digest)
}

// replaceHint says what to put in the place of a pin that can't be pulled.
func (a *Answer) replaceHint() string {
	const push = "push it again from where it still is"
	switch {
	case a.Ref.Tag == "":
		return push + ", or pin another digest"
	case a.Now == nil:
		return push + ", or choose another tag: the registry shows no " + a.tagged()
	case a.Now.Digest == a.Ref.Digest:
		return push + "; the tag leads to the same digest"
	}
	if _, _, bad := a.Now.listedIn(); bad {
		return push + "; do not update: the tag leads to a malicious image"
	}
	return a.updateHint(a.Now.Digest)
}

package rules

import "fmt"

// TagDrift is about pins that their tag has left behind.
var TagDrift = register(Rule{
	Name:     "tag-drift",
	Severity: Warning,
	Summary:  "The tag of a pinned image leads to another digest now",
	Why: "The text names one image twice, and the two have come apart: engines run the digest, people and update bots read the tag. " +
		"Mostly the tag was rebuilt, with fixes that the pin does not have. " +
		"It can also have been overwritten by somebody who should not have: nothing here says which, so look before you update.\n\n" +
		"Not reported where the index that is pinned and the one that the tag leads to hold the same images for the platforms that are run " +
		"(all of the pin, or those that the configuration names): only attestations or other platforms have changed. " +
		"On Docker Hub, where reading the pinned index would count as a pull, such a move is reported unless the cache knows what the index holds.",
	Format: "dockerfile",
	Bad: "# The registry: nginx:1.27 leads to sha256:fedcba987654… now.\n" +
		"FROM nginx:1.27@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Good: "# The registry: nginx:1.27 leads to sha256:fedcba987654… now.\n" +
		"FROM nginx:1.27@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210\n",
	Fix: "Find out why the tag has moved: the image's changelog or source repository tells. " +
		"Then run `digestlint pin --update PATH`, which never writes a digest that is known to be malicious, or let Renovate or Dependabot propose the update. " +
		"A tag that names one version exactly moves less often than one such as `1.27`.",
	Since:     "0.1",
	Security:  "3.0",
	Precision: "very-high",
	Online: func(a *Answer) {
		now := a.Now
		if now == nil || !a.Ref.Pinned() || now.Digest == a.Ref.Digest || a.pinnedToListed() {
			return
		}
		if _, what, bad := now.listedIn(); bad {
			a.say(fmt.Sprintf("%s leads to a malicious image now: %s", a.tagged(), what),
				"keep the pin: it leads past that image. Nobody may pull the tag, and what has pulled it is to be treated as compromised: `digestlint explain malicious-digest`")
			return
		}
		if a.drifted() {
			a.say(fmt.Sprintf("%s leads to %s now, and is pinned to %s here", a.tagged(), shortDigest(now.Digest), shortDigest(a.Ref.Digest)),
				a.updateHint(now.Digest))
		}
	},
})

// pinnedToListed reports whether the pin is malicious itself, of which
// malicious-digest says what to do.
func (a *Answer) pinnedToListed() bool {
	if a.Pinned != nil {
		if _, _, bad := a.Pinned.listedIn(); bad {
			return true
		}
	}
	return isListed(a.Ref.Digest)
}

// drifted reports whether a pinned image is not what the tag, which leads to
// another digest, stands for now. Where too little is known it is not.
func (a *Answer) drifted() bool {
	now, pinned := a.Now, a.Pinned
	switch {
	case a.Gone:
		return false // missing-digest says it
	case !now.Index:
		return true
	case pinned == nil:
		return false
	case !pinned.Index:
		_, within := now.child(pinned.Digest)
		return !within && now.Children != nil
	}
	return !a.Same
}

package rules

import "github.com/digestlint/digestlint/image"

// UntrustedRegistry is about images from elsewhere than where images may come
// from.
var UntrustedRegistry = register(Rule{
	Name:     "untrusted-registry",
	Severity: Error,
	Summary:  "An image comes from a registry or a repository that is not trusted",
	Setting:  "trusted",
	Why: "Anybody can push to a public registry, under names that look like those that everybody knows. " +
		"With a list of the registries and repositories that images may come from, kept where changes are reviewed, " +
		"a name that was mistyped, or planted, is found before it is pulled.\n\n" +
		"The name counts, in full and whatever its tag or digest; images that the repository builds itself are left alone. " +
		"What variables leave open is left to unresolved-variable.",
	Format: "dockerfile",
	Bad:    "FROM quay.example/nginx/nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Good:   "FROM nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Fix: "Use the image of a trusted repository, or a copy of it in your own registry. " +
		"Or, after a review, add the repository to `trusted`: as `docker.io/library/*`, `ghcr.io/acme/**`.",
	Since:     "0.1",
	Security:  "5.0",
	Precision: "very-high",
	Check: func(p *Pass) {
		if p.Trusted == nil {
			return
		}
		for i := range p.Uses {
			u := &p.Uses[i]
			if !u.Judged() {
				continue
			}
			for _, v := range pick(u, func(v *image.Value) bool { return v.Err == nil && !p.Trusted(v.Ref.Name()) }) {
				p.ReportUse(u, v, Finding{
					Severity: severityOf(u),
					Message:  v.Ref.Name() + " is not among the trusted registries and repositories",
					Hint:     "use an image of a trusted one, or have this one reviewed and list it as `trusted` in the configuration",
				})
			}
		}
	},
})

package rules

import (
	"fmt"

	"github.com/digestlint/digestlint/image"
)

// UnpinnedImage is about references with a fixed-looking tag and no digest.
var UnpinnedImage = register(Rule{
	Name:     "unpinned-image",
	Severity: Error,
	Summary:  "An image is named by a tag alone, without a digest",
	Why: "A tag is a label that its owner, or whoever steals their credentials, can move to other content at any time: " +
		"in the incidents that `digestlint advisories list` shows, version tags were overwritten. " +
		"A digest is computed from the content. With it, everyone gets the bytes that were tested, or an error.\n\n" +
		"Images that the repository builds itself, or that a kustomization replaces, are not reported. " +
		"A place that only looks like an image, such as an environment variable, is an info.",
	Format: "dockerfile",
	Bad:    "FROM nginx:1.27.4\n",
	Good:   "FROM nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Fix: "Run `digestlint pin PATH`: it asks the registry for the digest and writes it behind the tag. " +
		"Or write it yourself as `name:tag@sha256:…`; the tag stays, for people and for update bots. " +
		"Renovate and Dependabot keep such pins up to date, as does `digestlint pin --update`.",
	Since:     "0.1",
	Security:  "5.5",
	Precision: "very-high",
	Check: func(p *Pass) {
		for i := range p.Uses {
			u := &p.Uses[i]
			if !u.Judged() || u.Placeholder {
				continue
			}
			vs := pick(u, func(v *image.Value) bool { return unpinned(v) && !floating(v.Ref.Tag) })
			if len(vs) == 0 {
				continue
			}
			p.reportValues(u, vs, Finding{
				Severity: severityOf(u),
				Message:  fmt.Sprintf("%s %s not pinned to a digest", list(texts(vs)), be(len(vs))),
				Hint:     pinHint(u, vs, ""),
			})
		}
	},
})

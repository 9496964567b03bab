package rules

import (
	"fmt"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// DigestWithoutTag is about pins that do not tell people what they are.
var DigestWithoutTag = register(Rule{
	Name:     "digest-without-tag",
	Severity: Warning,
	Optional: true,
	Summary:  "An image is pinned to a digest without the tag that says which version it is",
	Why: "A digest says exactly which bytes run, and tells nobody which version that is. " +
		"With the tag in front of it the next reader sees how old the image is, " +
		"and `digestlint pin --update`, Renovate and Dependabot see what to follow; " +
		"without one they leave the pin where it is, or follow `latest`. " +
		"What reads `name:tag@sha256:…` pulls the digest and does not ask for the tag.\n\n" +
		"Left alone are places that take a tag or a digest and not both (as the operands of skopeo), " +
		"and digests with a key of their own (as in Helm values), where a template decides what becomes of both.",
	Format: "dockerfile",
	Bad:    "FROM nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Good:   "FROM nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Fix: "Write the tag that the digest was taken from between the name and the `@`. " +
		"`digestlint check --online` then says if that tag leads elsewhere now (`tag-drift`).",
	Since:     "0.1",
	Precision: "very-high",
	Check: func(p *Pass) {
		for i := range p.Uses {
			u := &p.Uses[i]
			if !u.Judged() || u.DigestOnly || u.Placeholder {
				continue
			}
			for _, v := range pick(u, func(v *image.Value) bool { return untagged(u, v) }) {
				p.ReportUse(u, v, Finding{
					Severity: severityOf(u),
					Message:  fmt.Sprintf("%s is pinned to %s without a tag, so nobody sees which version it is", withoutDigest(v.Ref), shortDigest(v.Ref.Digest)),
					Hint:     "write the tag that the digest was taken from: name:tag@sha256:…",
				})
			}
		}
	},
})

// untagged reports whether v is a digest without a tag where both can stand in
// one text. Where a key of its own holds the digest, the use has no "@".
func untagged(u *image.Use, v *image.Value) bool {
	together := v.Definition != nil || strings.Contains(u.Raw, "@")
	return v.Err == nil && v.Ref.Pinned() && v.Ref.Tag == "" && together
}

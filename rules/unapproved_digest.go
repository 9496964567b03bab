package rules

import (
	"fmt"

	"github.com/digestlint/digestlint/image"
)

// UnapprovedDigest is about pins that nobody has approved.
var UnapprovedDigest = register(Rule{
	Name:     "unapproved-digest",
	Severity: Error,
	Summary:  "An image is pinned to a digest that is not in the approved digests file",
	Setting:  "approved",
	Why: "A pin fixes what runs, but not who looked at it: anybody can pin to anything. " +
		"With a list of approved digests, kept where changes are reviewed, only content on the list is used.\n\n" +
		"A digest is content, so the list approves it under every name: of a mirror, of another tag. " +
		"An index and the manifests under it are different digests, and the list has to hold the one that is written. " +
		"References without a digest are left to unpinned-image and floating-tag.",
	Format: "dockerfile",
	Bad:    "FROM nginx:1.27.4@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210\n",
	Good:   "FROM nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Fix: "Pin what is approved: `digestlint pin --update --digests FILE PATH`, with the file that `approved` names. " +
		"Or, after a review, approve this digest: `digestlint resolve -o FILE name@sha256:…` lists it; " +
		"with `name:tag` instead, it lists what the tag leads to now.",
	Since:     "0.1",
	Security:  "5.0",
	Precision: "very-high",
	Check: func(p *Pass) {
		if p.Approved == nil {
			return
		}
		for i := range p.Uses {
			u := &p.Uses[i]
			if !u.Judged() {
				continue
			}
			for _, v := range pick(u, func(v *image.Value) bool { return v.Err == nil && v.Ref.Pinned() && !p.Approved(v.Ref.Digest) }) {
				p.ReportUse(u, v, Finding{
					Severity: severityOf(u),
					Message:  fmt.Sprintf("%s is pinned to %s, which is not in the approved digests file", withoutDigest(v.Ref), shortDigest(v.Ref.Digest)),
					Hint:     "pin what is approved with `digestlint pin --update --digests FILE`, or have this digest reviewed and list it with `digestlint resolve -o FILE`",
				})
			}
		}
	},
})

// withoutDigest is r for messages that name the digest themselves.
func withoutDigest(r image.Reference) string {
	r.Digest = ""
	return r.String()
}

package rules

import (
	"fmt"
	"slices"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// MaliciousMention is about listed digests that stand anywhere in a file.
var MaliciousMention = register(Rule{
	Name:     "malicious-mention",
	Severity: Warning,
	Summary:  "A digest that is known to be malicious stands in the file",
	Why: "Every byte of every file is searched, of unknown formats too, for the 64 hex digits of listed digests. " +
		"A guide that recommends the digest, a lock file, a script that this tool does not understand: somebody will pull it from there. " +
		"What `malicious-digest` reports at the same place is not said twice. A binary file, which may be a scanner with its own list, has one finding for all.",
	Format: "dockerfile",
	Bad: "# Checked by hand: kics@sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d\n" +
		"FROM scratch\n",
	Good: "# Checked by hand: kics@sha256:7b0a4d750acd491942ce9de52c1183fbf4451c1c936780ec2cfacd2650e7d84c\n" +
		"FROM scratch\n",
	Fix: "Find out why the digest is there. If something pulls it, respond as `digestlint explain malicious-digest` says. " +
		"If it is a recommendation, replace it. A list of indicators or a policy that denies the digest is a fair reason to exclude the path in the configuration.",
	Since:     "0.1",
	Security:  "7.0",
	Precision: "high",
	Certain:   true,
	Everyone:  true,
	Check: func(p *Pass) {
		mentions := advisories.Scan(p.File.Data)
		if len(mentions) == 0 {
			return
		}
		if p.Binary {
			reportBinary(p, mentions)
			return
		}
		said := saidByUses(p)
		for _, m := range mentions {
			if !said.covers(m) {
				p.Report(m.Span, Finding{
					Message:   "mention of a malicious image: " + describeHit(m.Hit),
					Hint:      mentionHint,
					Reference: m.Hit.Digest.Digest,
					Digests:   []string{m.Hit.Digest.Digest},
				})
			}
		}
	},
})

// mentionHint says what to do about a mention.
const mentionHint = "if something pulls it, respond: `digestlint explain malicious-mention`; exclude the path if it is a list of indicators or a policy that denies it"

// reportBinary reports one finding about all that a binary file mentions: one
// that embeds advisories has hundreds. It stands at the start of the
// file, and shows none of its bytes.
func reportBinary(p *Pass, mentions []advisories.Mention) {
	first := mentions[0]
	f := Finding{
		Message:   fmt.Sprintf("mention of a malicious image in a binary file, at byte %d: %s", first.Span.Start, describeHit(first.Hit)),
		Hint:      mentionHint,
		Reference: first.Hit.Digest.Digest,
	}
	seen := map[string]bool{}
	for _, m := range mentions {
		if digest := m.Hit.Digest.Digest; !seen[digest] {
			seen[digest] = true
			f.Digests = append(f.Digests, digest)
		}
	}
	if more := len(f.Digests) - 1; more > 0 {
		f.Message += fmt.Sprintf("; and %d more", more)
	}
	f.Rule = p.rule
	p.report(Place(&source.File{Path: p.File.Path, HashLines: p.File.HashLines}, source.Span{}, f))
}

// coverage is the places of one file that malicious-digest has spoken of, by
// digest.
type coverage map[*advisories.Digest][]source.Span

func (c coverage) covers(m advisories.Mention) bool {
	return slices.ContainsFunc(c[m.Hit.Digest], func(s source.Span) bool { return s.Overlaps(m.Span) })
}

// saidByUses is what malicious-digest covers in the pass's file: the use, the
// text that decides it, and the key that holds its digest.
func saidByUses(p *Pass) coverage {
	said := coverage{}
	for i := range p.Uses {
		u := &p.Uses[i]
		for _, l := range listedIn(u) {
			d := l.hit.Digest
			said[d] = append(said[d], u.Span)
			if l.value != nil {
				said[d] = append(said[d], placesOf(l.value, p.File)...)
			}
		}
	}
	return said
}

// placesOf is where the text of v stands in file, as far as that is not the use.
func placesOf(v *image.Value, file *source.File) []source.Span {
	var spans []source.Span
	if d := v.Definition; d != nil && d.File == file {
		spans = append(spans, d.Span)
	}
	if v.Site.File == file {
		spans = append(spans, v.Site.Tail)
	}
	return spans
}

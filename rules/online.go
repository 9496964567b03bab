package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// Remote is what a registry says of one reference now. What it did not say, or
// was not asked for, is missing: rules claim nothing from that.
type Remote struct {
	// Now is what the tag leads to; nil where the registry does not have the
	// tag, and for a reference with a digest alone.
	Now *Manifest
	// Pinned is what stands behind the digest of the reference; nil where it
	// has none, and where the registry does not have it.
	Pinned *Manifest
	// Gone is set where the registry answered that it does not have the
	// digest of the reference.
	Gone bool
	// Missing are the children of Pinned of which the registry answered that
	// it does not have them.
	Missing []Child
	// Same is set where Now and Pinned are indexes with different digests, and
	// Now holds the manifests of Pinned for the platforms that are run.
	Same bool
}

// Manifest is an index, or the manifest of one platform.
type Manifest struct {
	Digest string
	Index  bool
	// Children is what the manifest names; nil where that was not read.
	Children []Child
}

// Child is a part that a manifest names: a manifest of an index, or the
// configuration of a single image.
type Child struct {
	Digest string
	// Platform is that of a manifest, as "linux/arm64/v8"; empty where none is
	// said.
	Platform string
}

// child is the part of m with the digest, and whether there is one.
func (m *Manifest) child(digest string) (Child, bool) {
	i := slices.IndexFunc(m.Children, func(c Child) bool { return c.Digest == digest })
	if i < 0 {
		return Child{}, false
	}
	return m.Children[i], true
}

// OnlineOnly reports whether r speaks only where registries are asked.
func (r *Rule) OnlineOnly() bool { return r.Check == nil && r.Finish == nil && r.Online != nil }

// Question is one value of a use that a registry can tell more about. It holds
// no bytes of the file.
type Question struct {
	Ref image.Reference
	// Place is a finding at the use, but for rule and words.
	Place Finding

	site image.Site // without its file
}

// Questions are what registries can be asked about the uses of a file: the
// values that something pulls under their name. A place that only looks like an
// image is left out unless a digest says that it is one, so that no registry
// is asked for what may be a host and a port.
func Questions(p *Pass) []Question {
	var out []Question
	for i := range p.Uses {
		u := &p.Uses[i]
		if !u.Judged() || u.Placeholder {
			continue
		}
		for _, v := range pick(u, func(v *image.Value) bool { return askable(u, v) }) {
			f := aboutUse(u, []*image.Value{v}, Finding{Severity: severityOf(u)})
			out = append(out, Question{
				Ref:   v.Ref,
				Place: locate(p.File, u.Span, f),
				site:  image.Site{Safety: v.Site.Safety, Reason: v.Site.Reason},
			})
		}
	}
	return out
}

func askable(u *image.Use, v *image.Value) bool {
	return v.Err == nil && !imageID(v.Ref) && (v.Ref.Pinned() || u.Confidence != image.Low)
}

// Online lets the rules judge one value by what its registry says of it. The
// order of what they report is not defined.
func Online(q Question, remote Remote, rules []*Rule, report func(Finding)) {
	for _, r := range rules {
		if r.Online != nil {
			r.Online(&Answer{Question: q, Remote: remote, rule: r, report: report})
		}
	}
}

// Answer is one value of a use, with what its registry says of it, on its way
// through the rules.
type Answer struct {
	Question
	Remote

	rule   *Rule
	report func(Finding)
}

// say reports a finding at the use. Its severity is that of the rule, or less
// where it is doubtful that the use is one and the rule is not certain.
func (a *Answer) say(message, hint string, digests ...string) {
	f := a.Place
	if f.Severity == Off || a.rule.Certain {
		f.Severity = a.rule.Severity
	}
	f.Rule, f.Message, f.Hint, f.Digests = a.rule, message, hint, digests
	f.Related = slices.Clone(f.Related)
	a.report(f)
}

// tagged is the name and tag of the value, as written.
func (a *Answer) tagged() string {
	name, _, _ := strings.Cut(a.Place.Reference, "@")
	if a.Ref.Tag == "" && a.Ref.Digest == "" {
		name += ":latest"
	}
	return name
}

// updateHint says how the pin becomes digest. What the site of the value
// refuses is left to the user.
func (a *Answer) updateHint(digest string) string {
	by := "run `digestlint pin --update PATH`"
	switch a.site.Safety {
	case image.Unsafe:
		by = "run `digestlint pin --update --unsafe PATH`"
	case image.Refused:
		by = "`digestlint pin` leaves this one to you: " + a.site.Reason
	}
	return fmt.Sprintf("%s; the tag leads to %s", by, digest)
}

// listedIn says which listed digest m is or holds, in words that follow "leads
// to" and the like.
func (m *Manifest) listedIn() (advisories.Hit, string, bool) {
	if hit, ok := advisories.LookupDigest(m.Digest); ok {
		return hit, describeHit(hit), true
	}
	for _, c := range m.Children {
		if hit, ok := advisories.LookupDigest(c.Digest); ok {
			return hit, fmt.Sprintf("%s, which holds %s", shortDigest(m.Digest), describeHit(hit)), true
		}
	}
	return advisories.Hit{}, "", false
}

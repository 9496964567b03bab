package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// ConflictingDigests is about one tag that is pinned to different content.
var ConflictingDigests = register(Rule{
	Name:     "conflicting-digests",
	Severity: Warning,
	Summary:  "The same tag is pinned to different digests in the tree",
	Why: "Parts of the repository run different content under one name, mostly because one pin was updated and another forgotten: " +
		"a fix reached the one and not the other. " +
		"The digest that stands in the most places is taken for the one that is meant (of equals, that of the first path), and the others are reported. " +
		"Pins without a tag are not compared.",
	Format: "dockerfile",
	Bad: "FROM golang:1.26@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef AS build\n" +
		"FROM golang:1.26@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210 AS test\n",
	Good: "FROM golang:1.26@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef AS build\n" +
		"FROM golang:1.26@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef AS test\n",
	Fix: "Run `digestlint pin --update PATH` over all the places, or copy the digest that you want. " +
		"Where different content is meant (one platform each, a staged roll-out), ignore the rule there with that reason.",
	Since:     "0.1",
	Security:  "3.0",
	Precision: "high",
	Check: func(p *Pass) {
		for i := range p.Uses {
			u := &p.Uses[i]
			if !u.Judged() {
				continue
			}
			for _, v := range pick(u, func(v *image.Value) bool { return v.Err == nil && v.Ref.Pinned() && v.Ref.Tag != "" }) {
				f := aboutUse(u, []*image.Value{v}, Finding{Rule: p.rule, Severity: severityOf(u)})
				p.Tree.AddPin(nameTag(v.Ref), Pin{Digest: v.Ref.Digest, Finding: Place(p.File, u.Span, f)})
			}
		}
	},
	Finish: func(t *Tree, report func(Finding)) {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(t.pins)) {
			reportConflicts(t.pins[name], report)
		}
	},
})

// nameTag is the canonical name and tag of r.
func nameTag(r image.Reference) string { return r.Name() + ":" + r.Tag }

// reportConflicts reports those pins of one name:tag that differ from what most
// have. Pins come in the order of the workers.
func reportConflicts(pins []Pin, report func(Finding)) {
	pins = slices.Clone(pins)
	slices.SortFunc(pins, comparePins)
	meant, count := commonPin(pins)
	if count == len(pins) {
		return
	}
	type place struct {
		path string
		span source.Span
	}
	said := map[place]bool{}
	for _, p := range pins {
		at := place{p.Finding.Path, p.Finding.Span}
		if p.Digest == meant.Digest || said[at] {
			continue
		}
		said[at] = true
		f := p.Finding
		name, _, _ := strings.Cut(f.Reference, "@")
		f.Message = fmt.Sprintf("%s is pinned to %s here, but to %s %s", name, shortDigest(p.Digest), shortDigest(meant.Digest), elsewhere(count))
		f.Hint = "run `digestlint pin --update PATH` over all the places, or copy the digest that you mean"
		f.Related = append(slices.Clone(f.Related), Related{
			Path: meant.Finding.Path, Start: meant.Finding.Start, Message: "the other digest stands here",
		})
		report(f)
	}
}

func comparePins(a, b Pin) int {
	return cmp.Or(
		cmp.Compare(a.Finding.Path, b.Finding.Path),
		cmp.Compare(a.Finding.Span.Start, b.Finding.Span.Start),
		cmp.Compare(a.Digest, b.Digest),
	)
}

// commonPin is the first pin with the digest that most of pins have, and how
// many have it.
func commonPin(pins []Pin) (Pin, int) {
	count := map[string]int{}
	for _, p := range pins {
		count[p.Digest]++
	}
	best := pins[0]
	for _, p := range pins {
		if count[p.Digest] > count[best.Digest] {
			best = p
		}
	}
	return best, count[best.Digest]
}

func elsewhere(n int) string {
	if n == 1 {
		return "in another place"
	}
	return fmt.Sprintf("in %d other places", n)
}

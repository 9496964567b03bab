package rules

import (
	"fmt"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// FloatingTag is about references whose tag is meant to move.
var FloatingTag = register(Rule{
	Name:     "floating-tag",
	Severity: Error,
	Summary:  "An image has no tag, or one that is meant to move, and no digest",
	Why: "`latest`, `stable`, `main` and their like name whatever was pushed last. " +
		"Two runs of the same file use different software, and whoever can push to the repository decides what runs here next. " +
		"A reference without a tag means `latest`.\n\n" +
		"A tag floats when it, or its first or last part between dashes, is one of these words, whatever the case: " +
		"`" + strings.Join(floatingWords, "`, `") + "`. " +
		"It does not where another part is a version, a date or a commit (`nightly-2026-01-31`, `1.2-beta`); " +
		"`latest` floats in any company. Other tags without a digest are `unpinned-image`: every tag can move. " +
		"With a digest, no tag floats.",
	Format: "compose",
	Bad: `services:
  web:
    image: nginx
  cache:
    image: redis:latest
`,
	Good: `services:
  web:
    image: nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  cache:
    image: redis:latest@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
`,
	Fix: "Choose the version that you mean, then run `digestlint pin PATH`. " +
		"Pinning a floating tag as it is works too, but says little to the next reader about what runs.",
	Since:     "0.1",
	Security:  "6.5",
	Precision: "very-high",
	Check: func(p *Pass) {
		for i := range p.Uses {
			u := &p.Uses[i]
			if !u.Judged() || u.Placeholder {
				continue
			}
			vs := pick(u, func(v *image.Value) bool { return unpinned(v) && floating(v.Ref.Tag) })
			if len(vs) == 0 {
				continue
			}
			p.reportValues(u, vs, Finding{
				Severity: severityOf(u),
				Message:  floatingMessage(vs),
				Hint:     pinHint(u, vs, "choose a version; "),
			})
		}
	},
})

func floatingMessage(vs []*image.Value) string {
	if len(vs) > 1 {
		return fmt.Sprintf("%s float: they name whatever was pushed last", list(texts(vs)))
	}
	if r := vs[0].Ref; r.Tag != "" {
		return fmt.Sprintf("%s floats: the tag %s names whatever was pushed last", vs[0].Text, r.Tag)
	}
	return fmt.Sprintf("%s has no tag, so it is whatever was pushed last as latest", vs[0].Text)
}

// floatingWords are the tags that are meant to move.
var floatingWords = []string{
	"alpha", "beta", "canary", "current", "daily", "dev", "devel", "develop", "development", "edge", "experimental",
	"head", "insiders", "latest", "lts", "main", "mainline", "master", "next", "nightly", "oldstable", "preview",
	"prod", "production", "rawhide", "release", "rolling", "sid", "snapshot", "stable", "staging", "test", "testing",
	"tip", "trunk", "unstable", "weekly",
}

// floating reports whether a tag, or no tag, is meant to move.
func floating(tag string) bool {
	if tag == "" {
		return true
	}
	parts := strings.Split(strings.ToLower(tag), "-")
	first, last := parts[0], parts[len(parts)-1]
	if first == "latest" || last == "latest" {
		return true
	}
	for _, part := range parts {
		if fixedPart(part) {
			return false
		}
	}
	for _, word := range floatingWords {
		if first == word || last == word {
			return true
		}
	}
	return false
}

// shortCommit is the least number of hex digits by which people name a commit.
const shortCommit = 7

// fixedPart reports whether a part of a tag says which one of many builds is
// meant: a version, a date or a commit.
func fixedPart(part string) bool {
	part = strings.TrimPrefix(part, "v")
	if part == "" {
		return false
	}
	if part[0] >= '0' && part[0] <= '9' {
		return true
	}
	return len(part) >= shortCommit && strings.Trim(part, "0123456789abcdef") == ""
}

package advisories

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const (
	minimal = "advisory: X-1\ntitle: t\ntype: exposure-only\nseverity: low\ncertainty: reported; words\n\nrepository: docker.io/a/b\n"
	someSum = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
)

func TestParse(t *testing.T) {
	a, err := Parse("x", []byte(`# a comment
advisory: X-1
title: a title: with a colon
type: malicious-repository
severity: medium; only there
aliases: CVE-1 GHSA-2
published: 2026-04-22
certainty: reported; by one
references: one
see: X-2
indicator: evil[.]example
indicator: another
note: first
note: second


repository: docker.io/a/b
sources: one
# within a stanza
note: of the repository

repository: evil.example/*
state: malicious
certainty: confirmed
intended: good.example
seen: 1 2
window: 2026-02 .. unknown

tags: latest v1
state: overwritten
sources: two
window: 2026-04-22T12:35:00Z .. 2026-04-23
  in: docker.io/a/b
  note: of the window
window: unknown .. unknown
  certainty: disputed
  sources: one

versions: 1.2..v1.10.3
state: exposed
in: docker.io/c/d

digest: sha256:0000000000000000000000000000000000000000000000000000000000000001
kind: config
platform: linux/arm/v7
repository: docker.io/library/e
tags: x
state: withdrawn
window: 2026-04-01 .. 2026-04-02

good: a word
tags: v2
digest: sha256:0000000000000000000000000000000000000000000000000000000000000002
kind: index

not-affected: f:1@sha256:0000000000000000000000000000000000000000000000000000000000000003
why: another architecture

source: one
class: vendor
url: https://example.org/a
note: of the source

source: two
class: press
`))
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	reported := Certainty{Reported, "by one"}
	dated := []Window{{Start: at("2026-04-01T00:00:00Z"), End: at("2026-04-02T23:59:59Z"), StartUnit: Day, EndUnit: Day, Certainty: reported}}
	want := &Advisory{
		ID: "X-1", Title: "a title: with a colon", Type: "malicious-repository", Severity: Medium, SeverityNote: "only there",
		Aliases: []string{"CVE-1", "GHSA-2"}, Published: at("2026-04-22T00:00:00Z"), Certainty: reported,
		References: []string{"one"}, See: []string{"X-2"},
		Indicators: []string{"evil[.]example", "another"}, Notes: []string{"first", "second"},
		Repositories: []Repository{
			{Name: "docker.io/a/b", Certainty: reported, Sources: []string{"one"}, Notes: []string{"of the repository"}},
			{Name: "evil.example/*", State: Malicious, Intended: "good.example", Certainty: Certainty{Grade: Confirmed}, Seen: []string{"1", "2"},
				Windows: []Window{{Start: at("2026-02-01T00:00:00Z"), StartUnit: Month, Certainty: Certainty{Grade: Confirmed}}}},
		},
		Tags: []TagSet{
			{Names: []string{"latest", "v1"}, In: []string{"docker.io/a/b"}, State: Overwritten, Certainty: reported, Sources: []string{"two"},
				Windows: []Window{
					{Start: at("2026-04-22T12:35:00Z"), End: at("2026-04-23T23:59:59Z"), EndUnit: Day, In: []string{"docker.io/a/b"},
						Certainty: reported, Sources: []string{"two"}, Notes: []string{"of the window"}},
					{Certainty: Certainty{Grade: Disputed}, Sources: []string{"one"}},
				}},
			{Versions: Range{"1.2", "v1.10.3"}, In: []string{"docker.io/c/d"}, State: Exposed, Certainty: reported},
			{Names: []string{"x"}, In: []string{"docker.io/library/e"}, State: Withdrawn, Certainty: reported, Windows: dated},
		},
		Digests: []Digest{{Digest: someSum, Kind: Config, Platform: "linux/arm/v7", Repository: "docker.io/library/e",
			Tags: []string{"x"}, Windows: dated, Certainty: reported}},
		KnownGood: []Good{{What: "a word", Tags: []string{"v2"}, Digest: "sha256:" + strings.Repeat("0", 63) + "2", Kind: Index,
			In: []string{"docker.io/a/b", "evil.example/*"}, Certainty: reported}},
		NotAffected: []NotAffected{{"f:1@sha256:" + strings.Repeat("0", 63) + "3", "another architecture"}},
		Sources:     []Source{{"one", "vendor", "https://example.org/a", []string{"of the source"}}, {ID: "two", Class: "press"}},
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("got  %+v\nwant %+v", a, want)
	}
	if s, ok := a.Source("two"); !ok || s.Class != "press" {
		t.Errorf("source two is %+v", s)
	}
	if _, ok := a.Source("three"); ok {
		t.Error("found a source that does not exist")
	}
}

func TestParseTakesWindowsLineEndings(t *testing.T) {
	a, err := Parse("x", []byte(strings.ReplaceAll(minimal, "\n", "\r\n")))
	if err != nil || a.ID != "X-1" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestParseErrors(t *testing.T) {
	digest := "\ndigest: " + someSum + "\nkind: index\n"
	for _, c := range []struct{ data, want string }{
		{"", "1:1: no advisory"},
		{"# only a comment\n", "1:1: no advisory"},
		{"repository: docker.io/a/b\n", "1:1: a file has one advisory, in its first stanza"},
		{minimal + "\nadvisory: X-2\n", "9:1: a file has one advisory, in its first stanza"},
		{"advisory: X-1\n", `1:1: no "title" in this stanza`},
		{"advisory: X-1\ntitle: t\ntype: x\n", `3:7: unknown type "x"`},
		{"advisory: X-1\ntitle: t\ntype: exposure-only\nseverity: bad\n", `4:11: unknown severity "bad" (unrated, low, medium, high, critical)`},
		{"advisory: X-1\ntitle: t\ntype: exposure-only\nseverity: low;\n", `4:11: unknown severity "low;" (unrated, low, medium, high, critical)`},
		{"advisory: X-1\ntitle: t\ntype: exposure-only\nseverity: low\n", `1:1: neither a repository nor a digest`},
		{"advisory: X/1\n", `1:12: "/" in an identifier`},
		{"advisory: X-1\ntitle: t\ntitle: u\n", `3:1: "title" twice in one stanza`},
		{"advisory: X-1\npublished: 2026-02-30\n", `2:12: "2026-02-30" is not a UTC time, a day, a month or "unknown"`},
		{"advisory: X-1\npublished: 2026-02\n", `2:12: "2026-02" is not a day`},
		{"advisory: X-1\ncolour: red\n", `2:1: unknown key "colour"`},
		{"advisory: X-1\naliases: A  B\n", `2:12: more than one space`},
		{"advisory: X-1\naliases: A B A\n", `2:14: "A" twice`},
		{"advisory:X-1\n", `1:1: not "key: value"`},
		{"advisory\n", `1:1: not "key: value"`},
		{"advisory: \n", `1:11: space around the value of "advisory", or none there`},
		{"advisory: X-1 \n", `1:11: space around the value of "advisory", or none there`},
		{"advisory: X-1\n   title: t\n", `2:1: an indentation other than two spaces`},
		{"advisory: X-1\n  title: t\n", `2:3: only lines below a window are indented`},
		{"  advisory: X-1\n", `1:3: only lines below a window are indented`},
		{"advisory: X-1\ntitle: a\x1b[31m\n", `2:9: an unprintable character ('\x1b')`},
		{"advisory: X-1\ntitle: a\u202e\n", `2:9: an unprintable character ('\u202e')`},
		{"advisory: X-1\ntitle: \xff\n", `2:8: an unprintable character ('�')`},
		{"advisory: X-1\ntitle:\tt\n", `2:7: an unprintable character ('\t')`},
		{minimal + "\nthing: x\n", `9:1: no stanza starts with "thing"`},

		{minimal + "\nrepository: a/b\n", `9:13: not a canonical name; write "docker.io/a/b"`},
		{minimal + "\nrepository: docker.io/a/b:1\n", `9:13: not a canonical name; write "docker.io/a/b"`},
		{minimal + "\nrepository: docker.io/A\n", `9:13: upper case in the repository name "A"`},
		{minimal + "\nrepository: docker.io/*\n", `9:13: not a canonical host or account before "/*"`},
		{minimal + "\nrepository: ghrc/*\n", `9:13: not a canonical host or account before "/*"`},
		{minimal + "\nrepository: docker.io/a/b\n", `9:13: docker.io/a/b twice`},
		{minimal + "state: permanent\n", `8:8: "permanent" is not a state of repositories`},
		{minimal + "state: none\n", `8:8: unknown state "none" (malicious, created-by-attacker, withdrawn, permanent, overwritten, exposed)`},
		{minimal + "sources: one\n", `8:10: no source "one" in this file`},
		{minimal + "\nsource: one\nclass: c\n", `9:9: source "one" is cited nowhere`},
		{minimal + "sources: one\n\nsource: one\n", `10:1: no "class" in this stanza`},
		{minimal + "sources: one\n\nsource: one\nclass: c\n\nsource: one\nclass: c\n", `13:9: source "one" twice`},
		{minimal + "sources: one\n\nsource: one\nclass: c\nurl: http://x\n", `12:6: not an https URL`},
		{minimal + "sources: one\n\nsource: one\nclass: c\nstate: x\n", `12:1: unknown key "state"`},
		{strings.Replace(minimal, "certainty: reported; words\n", "", 1), `6:1: no certainty, neither here nor in the advisory`},
		{minimal + "certainty: sure\n", `8:12: unknown certainty "sure" (disputed, inferred, reported, confirmed)`},

		{minimal + "\ntags: latest\n", `9:1: no "state" in this stanza`},
		{minimal + "\ntags: -x\nstate: exposed\n", `9:7: "-" in the tag "-x"`},
		{minimal + "\ntags: a/b\nstate: exposed\n", `9:7: "a/b" is not a tag`},
		{minimal + "\ntags: a@b\nstate: exposed\n", `9:7: "a@b" is not a tag`},
		{minimal + "\ntags: a\nstate: malicious\n", `10:8: "malicious" is not a state of tags`},
		{minimal + "\ntags: a\nstate: exposed\nin: a/b\n", `11:5: not a canonical name; write "docker.io/a/b"`},
		{minimal + "\ntags: a\nstate: exposed\nversions: 1.0..1.1\n", `11:1: unknown key "versions"`},
		{minimal + "state: malicious\n\ntags: a\nstate: exposed\n", `10:1: tags of no repository`},
		{minimal + "\nversions: 1.0\nstate: exposed\n", `9:11: not "FROM..TO"`},
		{minimal + "\nversions: 1.1..1.0\nstate: exposed\n", `9:11: "1.1..1.0" is not a range of versions`},
		{minimal + "\nversions: 1.0..x\nstate: exposed\n", `9:11: "1.0..x" is not a range of versions`},

		{minimal + "window: 2026-04-22\n", `8:9: not "START .. END"`},
		{minimal + "window: 2026-04-22 .. then\n", `8:23: "then" is not a UTC time, a day, a month or "unknown"`},
		{minimal + "window: 2026-13 .. unknown\n", `8:9: "2026-13" is not a UTC time, a day, a month or "unknown"`},
		{minimal + "window: 2026-04-22T12:35:00+ .. unknown\n", `8:9: "2026-04-22T12:35:00+" is not a UTC time, a day, a month or "unknown"`},
		{minimal + "window: 2026-04-22 .. 2026-04-21\n", `8:23: the end lies before the start`},
		{minimal + "window: unknown .. unknown\n  state: exposed\n", `9:3: unknown key "state"`},
		{minimal + "window: unknown .. unknown\n  window: unknown .. unknown\n", `9:3: unknown key "window"`},

		{minimal + "\ndigest: 00\nkind: index\n", `9:9: a digest starts with "sha256:"`},
		{minimal + "\ndigest: sha256:00\nkind: index\n", `9:9: a sha256 digest has 64 hex digits, this one 2`},
		{minimal + "\ndigest: " + strings.Replace(someSum, "1", "A", 1) + "\nkind: index\n", `9:9: "A" in a sha256 digest (lower-case hex digits only)`},
		{minimal + "\ndigest: " + someSum + "\n", `9:1: no "kind" in this stanza`},
		{minimal + "\ndigest: " + someSum + "\nkind: layer\n", `10:7: unknown kind "layer" (unknown, index, manifest, config, signature)`},
		{minimal + digest + "platform: amd64\n", `11:11: "amd64" is not os/architecture`},
		{minimal + digest + "state: withdrawn\n", `9:1: no "repository" in this stanza`},
		{minimal + digest + digest, `12:9: ` + someSum + ` twice`},
		{minimal + digest + "\ngood: x\ndigest: " + someSum + "\n", `13:9: ` + someSum + ` is listed as malicious`},
		{minimal + digest + "\nnot-affected: a@" + someSum + "\nwhy: x\n", `12:15: ` + someSum + ` is listed as malicious`},
		{minimal + "\nnot-affected: a:1\nwhy: x\n", `9:15: a reference without a digest`},
		{minimal + "\nnot-affected: a@" + someSum + "\n", `9:1: no "why" in this stanza`},
		{minimal + "\nnot-affected: A:1@" + someSum + "\n", `9:15: upper case in the repository name "A"`},
		{minimal + "\ngood: x\nwindow: unknown .. unknown\n", `10:1: unknown key "window"`},
	} {
		a, err := Parse("dir/x.txt", []byte(c.data))
		var syntax *SyntaxError
		if a != nil || !errors.As(err, &syntax) {
			t.Errorf("%q: %v, %v", c.data, a, err)
		} else if got := err.Error(); got != "dir/x.txt:"+c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.data, got, "dir/x.txt:"+c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"DL-2026-0003", "DL-2023-0004", "DL-2024-0001"} {
		data, err := files.ReadFile("data/" + name + ".txt")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(minimal))
	f.Add([]byte("advisory: \n\n  x: y\nwindow: a .. b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Parse("x", data)
		if err != nil {
			var e *SyntaxError
			lines := strings.Split(string(data), "\n")
			if a != nil || !errors.As(err, &e) || e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len(lines[e.Line-1])+1 {
				t.Fatalf("%v, %v", a, err)
			}
			return
		}
		// What was accepted can be indexed, matched and printed.
		x := NewSet([]*Advisory{a})
		if len(x.digests) != len(a.Digests) {
			t.Errorf("%d digests, %d in the index", len(a.Digests), len(x.digests))
		}
		for _, s := range a.Tags {
			when(s.Windows)
			for i, name := range s.In {
				if i < len(s.Names) && len(x.Match(ref(t, name+":"+s.Names[i]))) == 0 && len(a.NotAffected) == 0 {
					t.Errorf("%s:%s does not match", name, s.Names[i])
				}
			}
		}
	})
}

package advisories

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"
)

func TestWriteCSV(t *testing.T) {
	a := parsed(t, `advisory: X-1
title: t
type: compromised-publisher
severity: low
certainty: reported; "quoted", with a comma
references: one

repository: docker.io/a/b

repository: docker.io/c/d
state: malicious
certainty: confirmed

tags: latest 1
state: overwritten
window: 2026-04-22T12:00:00Z .. 2026-04-22T13:00:00Z
window: 2026-04-22T12:30:00Z .. 2026-04-23
window: 2026-05 .. unknown
  in: docker.io/e/f

versions: 1.0..2.0
state: exposed
in: docker.io/e/f

digest: sha256:0000000000000000000000000000000000000000000000000000000000000001
kind: manifest
platform: linux/amd64
tags: latest 1
sources: two

source: one
class: press
url: https://one.example/

source: two
class: press
`)
	var out bytes.Buffer
	if err := WriteCSV(&out, []*Advisory{a}); err != nil {
		t.Fatal(err)
	}
	const words = `"reported; ""quoted"", with a comma"`
	want := `advisory,type,repository,tag,digest,kind,platform,state,from,until,certainty,sources
X-1,repository,docker.io/c/d,,,,,malicious,,,confirmed,https://one.example/
X-1,tag,docker.io/a/b,latest,,,,overwritten,2026-04-22T12:00:00Z,2026-04-23,` + words + `,https://one.example/
X-1,tag,docker.io/a/b,1,,,,overwritten,2026-04-22T12:00:00Z,2026-04-23,` + words + `,https://one.example/
X-1,versions,docker.io/e/f,1.0..2.0,,,,exposed,,,` + words + `,https://one.example/
X-1,digest,,"latest,1",` + someSum + `,manifest,linux/amd64,,,,` + words + `,two
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestCSVOfAll holds that every digest and every tag has its row, and that no
// cell is taken for a formula by a spreadsheet.
func TestCSVOfAll(t *testing.T) {
	var out bytes.Buffer
	if err := WriteCSV(&out, Embedded().All()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, row := range rows {
		has[row[0]+row[2]+row[3]], has[row[0]+row[4]] = true, true
		if slices.ContainsFunc(row, func(s string) bool { return s != "" && strings.ContainsAny(s[:1], "=+-@\t") }) {
			t.Errorf("a formula in %q", row)
		}
	}
	for _, a := range Embedded().All() {
		for _, d := range a.Digests {
			if !has[a.ID+d.Digest] {
				t.Errorf("%s: no row for %s", a.ID, d.Digest)
			}
		}
		for _, s := range a.Tags {
			for _, name := range s.In {
				for _, tag := range s.Names {
					if !has[a.ID+name+tag] {
						t.Errorf("%s: no row for %s:%s", a.ID, name, tag)
					}
				}
			}
		}
	}
}

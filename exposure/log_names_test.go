package exposure

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/advisories"
)

func TestLogNames(t *testing.T) {
	f := newLogNames(logSet(t))
	for text, want := range map[string]bool{
		"acme/scan":                             true,
		"acme/scan:v1.2":                        true,
		"docker.io/acme/scan@sha256:a":          true,
		"mirror.example:5000/hub/acme/scan:1":   true,
		`"acme/scan"`:                           true,
		"acme/scan.":                            true,
		"acme/scan...":                          true,
		"acme/scan, acme":                       true,
		"GET /v2/acme/scan/manifests/v1.2":      true,
		"GET /v2/acme/scan/blobs/sha256:a":      true,
		"ghcr.io/acme-labs/scan:1":              true,
		"acme/scan-db":                          false,
		"acme/scanner":                          false,
		"acme/scan.x":                           false,
		"acme/scan_2":                           false,
		"acme/scan/x:1":                         false,
		"xacme/scan:1":                          false,
		"x-acme/scan:1":                         false,
		"my.acme/scan:1":                        false,
		"ACME/SCAN:1":                           false,
		"base:latest":                           true,
		"library/base":                          true,
		"Pulling from library/base\n":           true,
		`"base"`:                                true,
		"FROM base AS x":                        true,
		"database:1":                            false,
		"base-image:1":                          false,
		"http://deb.example/base bookworm":      false,
		"http://deb.example/base/dists":         false,
		"mirror.gcr.io/library/base@sha256:aaa": true,
		"":                                      false,
		"b":                                     false,
	} {
		if _, end := f.next([]byte(text), 0); end > 0 != want {
			t.Errorf("%q: found %v, want %v", text, end > 0, want)
		}
	}
}

// TestLogNamesAll has every name of the embedded advisories found.
func TestLogNamesAll(t *testing.T) {
	set := advisories.Embedded()
	f := newLogNames(set)
	for _, a := range set.All() {
		for _, r := range a.Repositories {
			name := strings.TrimSuffix(r.Name, "*")
			if strings.HasSuffix(r.Name, "*") {
				name += "any/thing"
			}
			text := "+ docker pull " + strings.TrimPrefix(name, "docker.io/library/") + ":1"
			if _, end := f.next([]byte(text), 0); end == 0 {
				t.Errorf("%s: not found in %q", r.Name, text)
			}
		}
	}
}

// TestLogNamesRandom compares with the plain search, in texts that are made of
// parts of names.
func TestLogNamesRandom(t *testing.T) {
	f := newLogNames(logSet(t))
	var names []logName
	for _, list := range f.ends {
		names = append(names, list...)
	}
	parts := []string{"acme", "/", "scan", ":", "base", "library/", " ", "-", "acme-labs/scan", "##[group]Run ", "x", "section_start:", "s", "\n"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var b bytes.Buffer
		for range r.IntN(12) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		var got, want []int
		for start, end := f.next(b.Bytes(), 0); end > 0; start, end = f.next(b.Bytes(), start+1) {
			got = append(got, start)
		}
		for at := range b.Len() {
			if slices.ContainsFunc(names, func(n logName) bool { return n.at(b.Bytes(), at) }) {
				want = append(want, at)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %v, want %v", b.String(), got, want)
		}
	}
}

// TestLogNamesShort has names that are shorter than the search can take.
func TestLogNamesShort(t *testing.T) {
	a := &advisories.Advisory{ID: "DL-2099-0003", Repositories: []advisories.Repository{{Name: "docker.io/library/r"}, {Name: "docker.io/a/b"}}}
	f := newLogNames(advisories.NewSet([]*advisories.Advisory{a}))
	for text, want := range map[string]bool{"docker run r:4": true, "docker run r@sha256:1": true, "a/b": true, "run": false, "xr:4": false} {
		if _, end := f.next([]byte(text), 0); end > 0 != want {
			t.Errorf("%q: found %v", text, end > 0)
		}
	}
}

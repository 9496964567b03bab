package advisories

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const kicsIndex = "2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d"

func TestScan(t *testing.T) {
	for _, c := range []struct{ before, match, after string }{
		{"", kicsIndex, ""},
		{"", "sha256:" + kicsIndex, ""},
		{"image: checkmarx/kics@", "sha256:" + kicsIndex, "\n"},
		{"image: checkmarx/kics@", "SHA256:" + strings.ToUpper(kicsIndex), "\n"},
		{"checkmarx/kics:", "sha256-" + kicsIndex, ".sig"},
		{"/v2/checkmarx/kics/manifests/", "sha256%3A" + kicsIndex, "?ns=docker.io"},
		{"/v2/checkmarx/kics/manifests/", "sha256%3a" + kicsIndex, "%40"},
		{"blobs%2F", kicsIndex, "/data"},
		{"sha512:", kicsIndex, ""},
		{"256:", kicsIndex, "g"},
		{"\x00\xff", kicsIndex, "\xff"},
		{"", "", "0" + kicsIndex},
		{"", "", kicsIndex + "F"},
		{"", "", "3a" + kicsIndex},
		{"", "", "%3" + kicsIndex},
		{"", "", "%33a" + kicsIndex},
		{"", "", "%3a" + kicsIndex + "0"},
		{"", "", kicsIndex[:63]},
		{"", "", strings.Repeat(kicsIndex, 3)},
		{"", "", ""},
	} {
		// Every alignment to the probes.
		for pad := range 2 * hexDigits {
			before := strings.Repeat(" ", pad) + c.before
			got := Scan([]byte(before + c.match + c.after))
			switch {
			case c.match == "" && len(got) == 0:
			case c.match == "" || len(got) != 1:
				t.Fatalf("%d × space, %q: %d mentions", pad, c.before+c.match+c.after, len(got))
			case got[0].Span.Start != len(before) || got[0].Span.Len() != len(c.match):
				t.Fatalf("%d × space, %q: at %v", pad, c.before+c.match+c.after, got[0].Span)
			case got[0].Hit.Digest.Digest != "sha256:"+kicsIndex:
				t.Fatalf("found %s", got[0].Hit.Digest.Digest)
			}
		}
	}
}

// TestScanFindsAll has every listed digest in one text, in order.
func TestScanFindsAll(t *testing.T) {
	var text bytes.Buffer
	var want []string
	for _, a := range All() {
		for _, d := range a.Digests {
			fmt.Fprintf(&text, "%s %s,", d.Digest, strings.TrimPrefix(d.Digest, "sha256:"))
			want = append(want, d.Digest, d.Digest)
		}
	}
	var got []string
	for _, m := range Scan(text.Bytes()) {
		got = append(got, m.Hit.Digest.Digest)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d mentions, want %d", len(got), len(want))
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	data := ordinary(1 << 16)
	if n := testing.AllocsPerRun(10, func() { Scan(data) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// digitRun is a maximal run of digits, with the escape that may precede it.
var digitRun = regexp.MustCompile(`(%?)([0-9a-fA-F]+)`)

// naive is Scan by the plain reading of its documentation.
func naive(data []byte) []Mention {
	var found []Mention
	for _, m := range digitRun.FindAllSubmatchIndex(data, -1) {
		start, end := m[4], m[5]
		if m[3] > m[2] && end-start == 66 {
			start += 2
		}
		if end-start != 64 {
			continue
		}
		hit, ok := LookupDigest("sha256:" + string(data[start:end]))
		if !ok {
			continue
		}
		mention := Mention{Hit: hit}
		mention.Span.Start, mention.Span.End = start, end
		for _, p := range []string{"sha256:", "sha256-", "sha256%3a"} {
			if strings.HasSuffix(asciiLower(data[:start]), p) {
				mention.Span.Start = start - len(p)
			}
		}
		found = append(found, mention)
	}
	return found
}

func asciiLower(b []byte) string {
	b = bytes.Clone(b)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// FuzzScan puts a listed digest, at times damaged, into any bytes.
func FuzzScan(f *testing.F) {
	f.Add([]byte("image: a@sha256:"), []byte("\n"), uint8(0))
	f.Add([]byte("%3A"), []byte("%"), uint8(1))
	f.Add([]byte("SHA256%3a"), []byte("0"), uint8(2))
	f.Add(bytes.Repeat([]byte("ab"), 40), []byte(kicsIndex), uint8(3))
	f.Fuzz(func(t *testing.T, before, after []byte, which uint8) {
		kics, _ := LookupDigest("sha256:" + kicsIndex)
		all := kics.Advisory.Digests
		digits := strings.TrimPrefix(all[int(which)%len(all)].Digest, "sha256:")
		data := slices.Concat(before, []byte(digits), after, before, []byte(strings.ToUpper(digits)))
		if got, want := Scan(data), naive(data); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", data, got, want)
		}
	})
}

// ordinary is n bytes of YAML with pins that are not listed.
func ordinary(n int) []byte {
	const text = `      - name: build
        image: docker.io/library/golang:1.25@sha256:0e5a268eb8adda2e5a483c9359ddfc4cd520ab856a7076dc0b1d8784a37e2602
        command: ["/bin/sh", "-ec", "go build ./... && go test ./..."]
        env: # what the build needs
          - {name: GOFLAGS, value: -trimpath}
`
	return bytes.Repeat([]byte(text), n/len(text)+1)[:n]
}

func BenchmarkScan(b *testing.B) {
	for name, data := range map[string][]byte{
		"yaml": ordinary(1 << 20),
		"hex":  bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
		"runs": bytes.Repeat([]byte(kicsIndex[:63]+"0 "), 1<<14),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				Scan(data)
			}
		})
	}
}

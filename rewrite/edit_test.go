package rewrite

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/source"
)

// edit is the edit of bytes start to end.
func edit(start, end int, text string) Edit {
	return Edit{source.Span{Start: start, End: end}, text}
}

// pin is what pinning appends to a reference.
const pin = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// valid are edits and what they make of a content.
var valid = []struct {
	name, old string
	edits     []Edit
	want      string
}{
	{"none", "FROM nginx\n", nil, "FROM nginx\n"},
	{"empty content", "", nil, ""},
	{"into empty content", "", []Edit{edit(0, 0, "a\n")}, "a\n"},
	{"pin", "FROM nginx:1\nRUN x\n", []Edit{edit(12, 12, pin)}, "FROM nginx:1" + pin + "\nRUN x\n"},
	{"at the start", "ab", []Edit{edit(0, 0, "x")}, "xab"},
	{"at the end", "ab", []Edit{edit(2, 2, "x")}, "abx"},
	{"all", "ab", []Edit{edit(0, 2, "x")}, "x"},
	{"delete all", "ab\n", []Edit{edit(0, 3, "")}, ""},
	{"any order", "abcdef", []Edit{edit(5, 6, "F"), edit(0, 1, "A"), edit(2, 4, "")}, "AbeF"},
	{"duplicates count once", "abc", []Edit{edit(1, 1, "x"), edit(0, 1, "A"), edit(1, 1, "x"), edit(0, 1, "A")}, "Axbc"},
	{"touching", "abcd", []Edit{edit(2, 3, "C"), edit(1, 2, "B")}, "aBCd"},
	{"insertion before a replacement", "abcd", []Edit{edit(1, 3, "-"), edit(1, 1, "x")}, "ax-d"},
	{"insertion after a replacement", "abcd", []Edit{edit(3, 3, "x"), edit(1, 3, "-")}, "a-xd"},
	{"insertion between two", "abcd", []Edit{edit(0, 2, ""), edit(2, 2, "x"), edit(2, 4, "")}, "x"},
	{"two deletions side by side", "abcd", []Edit{edit(1, 2, ""), edit(2, 3, "")}, "ad"},
	{"the same text", "abcd", []Edit{edit(1, 3, "bc")}, "abcd"},
	{"nothing for nothing", "abcd", []Edit{edit(1, 1, "")}, "abcd"},
	{"a line more", "a\nb\n", []Edit{edit(1, 1, "\nx")}, "a\nx\nb\n"},
	{"a line less", "a\nb\nc\n", []Edit{edit(2, 4, "")}, "a\nc\n"},
	{"two lines joined", "a\nb\n", []Edit{edit(1, 2, "")}, "ab\n"},
	{"last newline gone", "a\nb\n", []Edit{edit(3, 4, "")}, "a\nb"},
	{"last newline added", "a\nb", []Edit{edit(3, 3, "\n")}, "a\nb\n"},
	{"after the last newline", "a\n", []Edit{edit(2, 2, "b")}, "a\nb"},
	{"CRLF", "a: x\r\nb: y\r\n", []Edit{edit(4, 4, "1"), edit(10, 10, "2")}, "a: x1\r\nb: y2\r\n"},
	{"half of a CRLF", "a\r\nb\r\n", []Edit{edit(1, 2, "")}, "a\nb\r\n"},
	{"lone CR", "a\rb\rc", []Edit{edit(2, 3, "B")}, "a\rB\rc"},
	{"BOM", "\xef\xbb\xbfimage: a\n", []Edit{edit(11, 11, ":1")}, "\xef\xbb\xbfimage: a:1\n"},
	{"not UTF-8", "\xff\x00\xfe", []Edit{edit(1, 2, "\xc3")}, "\xff\xc3\xfe"},
}

// invalid are edits that must not be made, and the error.
var invalid = []struct {
	name, old string
	edits     []Edit
	want      string
}{
	{"before the content", "abc", []Edit{edit(-1, 1, "x")}, "edit of bytes -1 to 1 of 3"},
	{"beyond the content", "abc", []Edit{edit(2, 4, "x")}, "edit of bytes 2 to 4 of 3"},
	{"insertion beyond the content", "abc", []Edit{edit(4, 4, "x")}, "edit of bytes 4 to 4 of 3"},
	{"backwards", "abc", []Edit{edit(2, 1, "x")}, "edit of bytes 2 to 1 of 3"},
	{"overlap", "abcdef", []Edit{edit(2, 5, "x"), edit(0, 3, "y")}, "edits of bytes 0 to 3 and 2 to 5 overlap"},
	{"overlap from the same start", "abcdef", []Edit{edit(1, 3, "x"), edit(1, 2, "y")}, "edits of bytes 1 to 2 and 1 to 3 overlap"},
	{"within another", "abcdef", []Edit{edit(0, 6, "x"), edit(2, 3, "y")}, "edits of bytes 0 to 6 and 2 to 3 overlap"},
	{"insertion within another", "abcdef", []Edit{edit(0, 6, "x"), edit(3, 3, "y")}, "edits of bytes 0 to 6 and 3 to 3 overlap"},
	{"two texts for a range", "abc", []Edit{edit(1, 2, "x"), edit(1, 2, "y")}, `edits of bytes 1 to 2 to both "x" and "y"`},
	{"two insertions at an offset", "abc", []Edit{edit(1, 1, "x"), edit(1, 1, "y")}, `edits of bytes 1 to 1 to both "x" and "y"`},
	{"one bad among good", "abcdef", []Edit{edit(0, 1, "x"), edit(1, 2, "x"), edit(5, 9, "x")}, "edit of bytes 5 to 9 of 6"},
}

func TestApply(t *testing.T) {
	for _, tt := range valid {
		t.Run(tt.name, func(t *testing.T) {
			data, edits := []byte(tt.old), slices.Clone(tt.edits)
			got, err := Apply(data, edits)
			if err != nil || string(got) != tt.want {
				t.Fatalf("Apply = %q, %v; want %q", got, err, tt.want)
			}
			if string(data) != tt.old || !slices.Equal(edits, tt.edits) {
				t.Error("Apply changed its arguments")
			}
			for i := range got {
				got[i] ^= 1
			}
			if string(data) != tt.old {
				t.Error("the result shares memory with data")
			}
		})
	}
}

func TestApplyIgnoresOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, tt := range valid {
		for range 5 {
			edits := slices.Clone(tt.edits)
			random.Shuffle(len(edits), func(i, j int) { edits[i], edits[j] = edits[j], edits[i] })
			if got, err := Apply([]byte(tt.old), edits); err != nil || string(got) != tt.want {
				t.Errorf("%s: Apply %v = %q, %v; want %q", tt.name, edits, got, err, tt.want)
			}
		}
	}
}

func TestInverse(t *testing.T) {
	for _, tt := range valid {
		t.Run(tt.name, func(t *testing.T) {
			inverse, err := Inverse([]byte(tt.old), tt.edits)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Apply([]byte(tt.want), inverse); err != nil || string(got) != tt.old {
				t.Errorf("Apply %v = %q, %v; want %q", inverse, got, err, tt.old)
			}
		})
	}
}

func TestInvalidEdits(t *testing.T) {
	for _, tt := range invalid {
		t.Run(tt.name, func(t *testing.T) {
			data := []byte(tt.old)
			check := func(name string, err error) {
				t.Helper()
				if err == nil || err.Error() != tt.want {
					t.Errorf("%s: error %v, want %s", name, err, tt.want)
				}
			}
			got, err := Apply(data, tt.edits)
			check("Apply", err)
			inverse, err := Inverse(data, tt.edits)
			check("Inverse", err)
			check("Verify", Verify(data, data, tt.edits))
			var diff bytes.Buffer
			check("Diff", Diff(&diff, "a", data, tt.edits))
			if got != nil || inverse != nil || diff.Len() > 0 || string(data) != tt.old {
				t.Errorf("something was done: %q, %v, %q, %q", got, inverse, &diff, data)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	for _, tt := range valid {
		if err := Verify([]byte(tt.old), []byte(tt.want), tt.edits); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	old := "image: nginx\nimage: b\n"
	edits := []Edit{edit(7, 12, "httpd"), edit(21, 21, ":1")}
	for _, tt := range []struct{ name, new, want string }{
		{"before the edits", "Image: httpd\nimage: b:1\n", "byte 0 of the new content differs outside the edits"},
		{"in an edit", "image: httpx\nimage: b:1\n", "byte 11 of the new content is not what the edit at 7 puts there"},
		{"between", "image: httpd\nimage:\tb:1\n", "byte 19 of the new content differs outside the edits"},
		{"line ending", "image: httpd\r\nimage: b:1\n", "byte 12 of the new content differs outside the edits"},
		{"not made", old, "byte 7 of the new content is not what the edit at 7 puts there"},
		{"short", "image: httpd\nimage: b:1", "byte 23 of the new content differs outside the edits"},
		{"cut in an edit", "image: htt", "byte 10 of the new content is not what the edit at 7 puts there"},
		{"long", "image: httpd\nimage: b:1\n\n", "byte 24 of the new content differs outside the edits"},
		{"empty", "", "byte 0 of the new content differs outside the edits"},
	} {
		if err := Verify([]byte(old), []byte(tt.new), edits); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.want)
		}
	}
}

// naiveApply is Apply byte by byte: what stands before each byte, and whether
// the byte stays. It reports whether the edits are valid.
func naiveApply(data []byte, edits []Edit) ([]byte, bool) {
	insert := make([]*string, len(data)+1)
	cover := make([]*Edit, len(data))
	for i := range edits {
		e := &edits[i]
		if e.Start < 0 || e.End > len(data) || e.Start > e.End {
			return nil, false
		}
		if e.Empty() {
			if insert[e.Start] != nil && *insert[e.Start] != e.New {
				return nil, false
			}
			insert[e.Start] = &e.New
			continue
		}
		for at := e.Start; at < e.End; at++ {
			if cover[at] != nil && *cover[at] != *e {
				return nil, false
			}
			cover[at] = e
		}
	}
	var out []byte
	for at := 0; at <= len(data); at++ {
		if text := insert[at]; text != nil {
			if at > 0 && at < len(data) && cover[at-1] != nil && cover[at] != nil && *cover[at-1] == *cover[at] {
				return nil, false
			}
			out = append(out, *text...)
		}
		if at == len(data) {
			break
		}
		switch e := cover[at]; {
		case e == nil:
			out = append(out, data[at])
		case e.Start == at:
			out = append(out, e.New...)
		}
	}
	return out, true
}

// decode makes edits out of fuzzed bytes: start, length and the new text, which
// picks from texts that matter for lines.
func decode(data []byte, script []byte) []Edit {
	texts := []string{"", "a", "\n", "b\n", "\nc", "x\ny", "\r\n", "d\r\n", "@sha256:00", "\n\n"}
	var edits []Edit
	for ; len(script) >= 3; script = script[3:] {
		start := int(script[0]) - 1
		end := start + int(script[1])%8
		edits = append(edits, edit(start, end, texts[int(script[2])%len(texts)]))
		if len(data) > 256 { // offsets beyond a byte
			edits[len(edits)-1].Start += len(data) - 256
			edits[len(edits)-1].End += len(data) - 256
		}
	}
	return edits
}

// seed adds the contents of the tables with scripts for decode.
func seed(f *testing.F) {
	for _, tt := range valid {
		var script []byte
		for i, e := range tt.edits {
			script = append(script, byte(e.Start+1), byte(e.Len()), byte(i+len(e.New)))
		}
		f.Add([]byte(tt.old), script)
	}
	f.Add([]byte(strings.Repeat("image: a\r\n", 40)), []byte{1, 0, 8, 60, 3, 0, 150, 1, 5, 250, 7, 9})
	f.Add([]byte(strings.Repeat("a\n", 20)), []byte{1, 1, 1, 3, 2, 0, 18, 0, 3, 20, 1, 4, 41, 0, 1})
}

func FuzzApply(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data, script []byte) {
		edits := decode(data, script)
		want, ok := naiveApply(data, edits)
		got, err := Apply(data, edits)
		if ok != (err == nil) {
			t.Fatalf("Apply %q %v: %v; the reference says %v", data, edits, err, ok)
		}
		if !ok {
			return
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("Apply %q %v = %q, want %q", data, edits, got, want)
		}
		if err := Verify(data, got, edits); err != nil {
			t.Fatalf("Verify %q %v: %v", data, edits, err)
		}
		inverse, err := Inverse(data, edits)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Apply(got, inverse); err != nil || !bytes.Equal(back, data) {
			t.Fatalf("Apply %q %v = %q, %v; want %q", got, inverse, back, err, data)
		}
	})
}

package source

import (
	"bytes"
	"testing"
)

func TestPosition(t *testing.T) {
	f := &File{Data: []byte("a\r\nbé\n\nlast")}
	tests := []struct {
		offset       int
		line, column int
	}{
		{-1, 1, 1}, {0, 1, 1}, {1, 1, 2}, {2, 1, 3}, {3, 2, 1}, {6, 2, 4}, {7, 3, 1}, {8, 4, 1}, {11, 4, 4}, {12, 4, 5}, {99, 4, 5},
	}
	for _, tt := range tests {
		if got := f.Position(tt.offset); got != (Position{tt.line, tt.column}) {
			t.Errorf("Position(%d) = %v, want %d:%d", tt.offset, got, tt.line, tt.column)
		}
	}
	for i, want := range []string{"a", "bé", "", "last"} {
		if got := string(f.Line(i + 1)); got != want {
			t.Errorf("Line(%d) = %q, want %q", i+1, got, want)
		}
	}
	if f.Lines() != 4 || f.Offset(0) != 0 || f.Offset(2) != 3 || f.Offset(9) != len(f.Data) {
		t.Errorf("Lines() = %d, Offset(2) = %d", f.Lines(), f.Offset(2))
	}
}

func TestEmptyFile(t *testing.T) {
	f := &File{}
	if got := f.Position(0); got != (Position{1, 1}) {
		t.Errorf("Position(0) = %v", got)
	}
	whole := Whole(f)
	if s, exact := whole.Span(0, 0); s != (Span{}) || !exact {
		t.Errorf("Span(0, 0) = %v, %v", s, exact)
	}
	if got := whole.Trim().Slice(0, 0).String(); got != "" {
		t.Errorf("Trim = %q", got)
	}
}

// escaped is `one\ttwo` + a folded break + `three`, as a format decodes it.
func escaped() *Text {
	f := &File{Data: []byte(`k: "one\ttwo` + "\n   three\"")}
	whole := Whole(f)
	b := NewBuilder(whole)
	b.Copy(4, 7)
	b.Put("\t", 7, 9)
	b.Copy(9, 12)
	b.Put(" ", 12, 16)
	b.Copy(16, 21)
	return b.Text()
}

func TestSpan(t *testing.T) {
	text := escaped()
	if text.String() != "one\ttwo three" {
		t.Fatalf("text %q", text)
	}
	tests := []struct {
		start, end int
		want       Span
		exact      bool
	}{
		{0, 3, Span{4, 7}, true},
		{1, 2, Span{5, 6}, true},
		{0, 4, Span{4, 9}, false}, // over the escape
		{3, 4, Span{7, 9}, false}, // the escape itself
		{4, 7, Span{9, 12}, true},
		{6, 9, Span{11, 17}, false}, // over the fold
		{8, 13, Span{16, 21}, true},
		{0, 13, Span{4, 21}, false},
		{13, 13, Span{21, 21}, true},
		{5, 5, Span{10, 10}, true},
	}
	for _, tt := range tests {
		if got, exact := text.Span(tt.start, tt.end); got != tt.want || exact != tt.exact {
			t.Errorf("Span(%d, %d) = %v, %v; want %v, %v", tt.start, tt.end, got, exact, tt.want, tt.exact)
		}
	}
}

func TestSliceOfSlice(t *testing.T) {
	text := escaped().Slice(1, 12).Slice(3, 10) // "two thr"[0:7]
	if text.String() != "two thr" {
		t.Fatalf("text %q", text)
	}
	if s, exact := text.Span(0, 3); s != (Span{9, 12}) || !exact {
		t.Errorf("two at %v, %v", s, exact)
	}
	if s, exact := text.Span(4, 7); s != (Span{16, 19}) || !exact {
		t.Errorf("thr at %v, %v", s, exact)
	}
}

func TestMasked(t *testing.T) {
	f := &File{Data: []byte("a {{b}} c")}
	m := Whole(f).Masked([]byte("a xxxxx c"))
	if s, exact := m.Span(2, 7); s != (Span{2, 7}) || exact {
		t.Errorf("masked bytes at %v, %v; want them not exact", s, exact)
	}
	if s, exact := m.Span(8, 9); s != (Span{8, 9}) || !exact {
		t.Errorf("other bytes at %v, %v", s, exact)
	}
	defer func() {
		if recover() == nil {
			t.Error("a mask of another length is taken")
		}
	}()
	Whole(f).Masked(nil)
}

func TestJoin(t *testing.T) {
	f := &File{Data: []byte("0123456789")}
	j := Join("\n", Part(f, Span{2, 4}), Part(f, Span{7, 9}))
	if j.String() != "23\n78" {
		t.Fatalf("joined %q", j)
	}
	if s, exact := j.Span(3, 5); s != (Span{7, 9}) || !exact {
		t.Errorf("second part at %v, %v", s, exact)
	}
	if s, exact := j.Span(0, 5); s != (Span{2, 9}) || exact {
		t.Errorf("all at %v, %v", s, exact)
	}
}

// FuzzBuilder makes texts of texts by a program of steps, and holds each byte
// that is said to be verbatim against the file.
func FuzzBuilder(f *testing.F) {
	f.Add([]byte("hello world"), []byte{0, 3, 1, 5, 2, 9})
	f.Fuzz(func(t *testing.T, data, steps []byte) {
		text := Whole(&File{Data: data})
		for len(steps) >= 4 && len(text.Data) < 1<<12 {
			b := NewBuilder(text)
			from := 0 // parts are added in their order
			for range int(steps[0]%4) + 1 {
				if len(steps) < 4 || from >= len(text.Data) {
					break
				}
				start := from + int(steps[1])%(len(text.Data)-from)
				end := start + int(steps[2])%(len(text.Data)-start+1)
				from = end
				if steps[3]%3 == 0 {
					b.Put(string(steps[3]), start, end)
				} else {
					b.Copy(start, end)
				}
				steps = steps[3:]
			}
			text = b.Text()
			if len(steps) > 0 {
				steps = steps[1:]
			}
		}
		for i := range text.Data {
			s, exact := text.Span(i, i+1)
			if s.Start < 0 || s.End > len(data) || s.End < s.Start {
				t.Fatalf("byte %d at %v of %d bytes", i, s, len(data))
			}
			if exact && !bytes.Equal(data[s.Start:s.End], text.Data[i:i+1]) {
				t.Fatalf("byte %d: %q is said to stand at %v, where %q does", i, text.Data[i:i+1], s, data[s.Start:s.End])
			}
		}
		if s, _ := text.Span(0, len(text.Data)); s.Start < 0 || s.End > len(data) {
			t.Fatalf("whole at %v", s)
		}
	})
}

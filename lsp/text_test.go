package lsp

import (
	"testing"
	"unicode/utf8"
)

func TestPositions(t *testing.T) {
	// One character of one, two, three and four bytes; all three line endings.
	text := newText([]byte("aé€𐐀b\r\nx\ry\n\n𐐀"))
	for _, test := range []struct {
		units  encoding
		at     position
		offset int
	}{
		{utf16Units, position{0, 0}, 0},
		{utf16Units, position{0, 1}, 1},
		{utf16Units, position{0, 2}, 3},
		{utf16Units, position{0, 3}, 6},
		{utf16Units, position{0, 5}, 10},
		{utf16Units, position{0, 6}, 11},
		{utf8Units, position{0, 6}, 6},
		{utf8Units, position{0, 10}, 10},
		{utf32Units, position{0, 4}, 10},
		{utf16Units, position{1, 0}, 13},
		{utf16Units, position{1, 1}, 14},
		{utf16Units, position{2, 1}, 16},
		{utf16Units, position{3, 0}, 17},
		{utf16Units, position{4, 0}, 18},
		{utf16Units, position{4, 2}, 22},
	} {
		if got := text.offset(test.at, test.units); got != test.offset {
			t.Errorf("%s %v: offset %d, want %d", test.units, test.at, got, test.offset)
		}
		if got := text.position(test.offset, test.units); got != test.at {
			t.Errorf("%s %d: position %v, want %v", test.units, test.offset, got, test.at)
		}
	}
	for _, test := range []struct {
		name   string
		at     position
		offset int
	}{
		{"in a surrogate pair", position{0, 4}, 6},
		{"behind a line", position{0, 99}, 11},
		{"behind a line that ends with a carriage return", position{1, 9}, 14},
		{"behind the last line", position{9, 0}, 22},
		{"before the first line", position{-1, 5}, 0},
		{"before a line", position{1, -1}, 13},
	} {
		if got := text.offset(test.at, utf16Units); got != test.offset {
			t.Errorf("%s: offset %d, want %d", test.name, got, test.offset)
		}
	}
}

func TestChange(t *testing.T) {
	at := func(l1, c1, l2, c2 int) *span { return &span{position{l1, c1}, position{l2, c2}} }
	for _, test := range []struct {
		name, before string
		change       contentChange
		after        string
	}{
		{"all", "a\nb", contentChange{nil, "c"}, "c"},
		{"insert", "a\nb", contentChange{at(1, 0, 1, 0), "x\n"}, "a\nx\nb"},
		{"delete over a line ending", "a\r\nb\r\n", contentChange{at(0, 1, 1, 0), ""}, "ab\r\n"},
		{"replace to the end", "a\nb", contentChange{at(0, 0, 99, 0), "c"}, "c"},
		{"behind a pair", "𐐀b", contentChange{at(0, 2, 0, 3), "c"}, "𐐀c"},
		{"empty", "", contentChange{at(0, 0, 0, 0), "c"}, "c"},
	} {
		got, err := newText([]byte(test.before)).change(test.change, utf16Units)
		if err != nil || string(got.data) != test.after {
			t.Errorf("%s: %q, %v; want %q", test.name, got.data, err, test.after)
		}
	}
	if _, err := newText([]byte("ab")).change(contentChange{at(0, 2, 0, 1), "c"}, utf16Units); err == nil {
		t.Error("a range that ends before it starts is taken")
	}
}

func TestNegotiate(t *testing.T) {
	for _, test := range []struct {
		offered []encoding
		want    encoding
	}{
		{nil, utf16Units},
		{[]encoding{"utf-16"}, utf16Units},
		{[]encoding{"utf-8", "utf-16"}, utf8Units},
		{[]encoding{"utf-32", "utf-8", "utf-16"}, utf32Units},
		{[]encoding{"ebcdic"}, utf16Units},
	} {
		if got := negotiate(test.offered); got != test.want {
			t.Errorf("%v: %s, want %s", test.offered, got, test.want)
		}
	}
}

// FuzzChange makes a change, and holds its result against the parts of the old
// text that it had to keep, and each place against its way back.
func FuzzChange(f *testing.F) {
	f.Add("aé\r\n𐐀\rb\n", "x\r\n", 0, 1, 2, 0, byte(0))
	f.Add("", "", 0, 0, 0, 0, byte(1))
	f.Add("\xff\r\xed\xa0\x80", "\n", 1, 0, 1, 3, byte(2))
	f.Fuzz(func(t *testing.T, before, insert string, l1, c1, l2, c2 int, units byte) {
		e := []encoding{utf16Units, utf8Units, utf32Units}[units%3]
		old := newText([]byte(before))
		r := span{position{l1, c1}, position{l2, c2}}
		start, end := old.offset(r.Start, e), old.offset(r.End, e)
		changed, err := old.change(contentChange{&r, insert}, e)
		if (err != nil) != (end < start) {
			t.Fatalf("from %d to %d: %v", start, end, err)
		}
		if err != nil {
			return
		}
		if want := before[:start] + insert + before[end:]; string(changed.data) != want {
			t.Fatalf("got %q, want %q", changed.data, want)
		}
		for offset := 0; offset <= len(changed.data); offset++ {
			if !utf8.Valid(changed.data) || offset < len(changed.data) && !utf8.RuneStart(changed.data[offset]) {
				continue
			}
			at := changed.position(offset, e)
			back := changed.offset(at, e)
			// Between "\r" and "\n" there is no place; it is the end of the line.
			inEnding := offset > 0 && offset < len(changed.data) && changed.data[offset-1] == '\r' && changed.data[offset] == '\n'
			if back != offset && (!inEnding || back != offset-1) {
				t.Fatalf("%q: byte %d is %v is byte %d", changed.data, offset, at, back)
			}
		}
	})
}

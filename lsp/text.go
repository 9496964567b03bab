package lsp

import (
	"bytes"
	"fmt"
	"sort"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding is the unit in which the client counts the characters of a line
// (https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#positionEncodingKind).
type encoding string

const (
	utf8Units  encoding = "utf-8"
	utf16Units encoding = "utf-16"
	utf32Units encoding = "utf-32"
)

// negotiate picks the first encoding that the client offers and we know.
// Clients that offer none count in UTF-16.
func negotiate(offered []encoding) encoding {
	for _, e := range offered {
		switch e {
		case utf8Units, utf16Units, utf32Units:
			return e
		}
	}
	return utf16Units
}

// units is the length of a character.
func (e encoding) units(r rune, size int) int {
	switch e {
	case utf8Units:
		return size
	case utf32Units:
		return 1
	}
	return max(utf16.RuneLen(r), 1)
}

// text is the content of a document with its lines as the protocol counts them:
// they end at "\n", "\r\n" and "\r"
// (https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#textDocuments).
// It is not changed once made.
type text struct {
	data  []byte
	lines []int // offset of the first byte of each line
}

func newText(data []byte) *text {
	t := &text{data: data, lines: make([]int, 1, 2+bytes.Count(data, []byte{'\n'}))}
	for i := 0; i < len(data); {
		n := bytes.IndexAny(data[i:], "\r\n")
		if n < 0 {
			break
		}
		i += n + 1
		if data[i-1] == '\r' && i < len(data) && data[i] == '\n' {
			i++
		}
		t.lines = append(t.lines, i)
	}
	return t
}

// position is the place of the byte at offset.
func (t *text) position(offset int, e encoding) position {
	offset = min(max(offset, 0), len(t.data))
	line := sort.SearchInts(t.lines, offset+1) - 1
	p := position{Line: line}
	for i := t.lines[line]; i < offset; {
		r, n := utf8.DecodeRune(t.data[i:])
		p.Character += e.units(r, n)
		i += n
	}
	return p
}

// offset is the byte at p. A line or a character beyond the last one is the end
// of the text or of the line, and one in the middle of a character is its start.
func (t *text) offset(p position, e encoding) int {
	if p.Line < 0 {
		return 0
	}
	if p.Line >= len(t.lines) {
		return len(t.data)
	}
	i, end := t.lines[p.Line], t.lineEnd(p.Line)
	for left := p.Character; left > 0 && i < end; {
		r, n := utf8.DecodeRune(t.data[i:end])
		if left -= e.units(r, n); left < 0 {
			break
		}
		i += n
	}
	return i
}

// lineEnd is the offset behind a line without its ending.
func (t *text) lineEnd(line int) int {
	if line+1 >= len(t.lines) {
		return len(t.data)
	}
	end := t.lines[line+1]
	if t.data[end-1] == '\n' {
		end--
	}
	if end > t.lines[line] && t.data[end-1] == '\r' {
		end--
	}
	return end
}

// span is the range of the bytes from start to end.
func (t *text) span(start, end int, e encoding) span {
	return span{t.position(start, e), t.position(end, e)}
}

// change is the text after one change: of a range, or of all where there is
// none.
func (t *text) change(c contentChange, e encoding) (*text, error) {
	if c.Range == nil {
		return newText([]byte(c.Text)), nil
	}
	start, end := t.offset(c.Range.Start, e), t.offset(c.Range.End, e)
	if end < start {
		return nil, fmt.Errorf("a change of a range that ends before it starts, at line %d", c.Range.Start.Line)
	}
	data := make([]byte, 0, len(t.data)-(end-start)+len(c.Text))
	data = append(data, t.data[:start]...)
	data = append(data, c.Text...)
	data = append(data, t.data[end:]...)
	return newText(data), nil
}

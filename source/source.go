// Package source holds the bytes of one file and the ways to speak of places
// in it.
//
// Three types do the work. A [File] is the bytes of one file under the path
// that the user gave. A [Span] is a range of those bytes. A [Text] is a string
// that some format decoded out of a file (a YAML block scalar, a Groovy string
// literal, a Dockerfile line joined over continuations) together with the place
// where each of its bytes stands, so that a parser of the inner text reports
// places in the outer file, however deep formats nest.
//
// All offsets are bytes from zero; lines and columns count from one, and a
// column counts bytes. Spans are half open.
package source

import (
	"bytes"
	"sort"
	"sync"
)

// File is one file in memory. Its bytes are shared by everything that points
// into it and must not be changed.
type File struct {
	// Path is the path as the user gave it, joined with "/".
	Path string
	// Data is the content, byte for byte: no byte-order mark is cut, no line
	// ending is changed.
	Data []byte
	// HashLines asks for the [File.LineHash] of what is found in the file.
	HashLines bool

	once  sync.Once
	lines []int // offset of the first byte of each line

	hashOnce sync.Once
	hashes   []lineHash
	hashAt   []int // index of each line in hashes
}

// Span is the byte range [Start, End) of a file.
type Span struct{ Start, End int }

// Len is the number of bytes in s.
func (s Span) Len() int { return s.End - s.Start }

// Empty reports whether s holds no byte.
func (s Span) Empty() bool { return s.End <= s.Start }

// Contains reports whether o lies within s.
func (s Span) Contains(o Span) bool { return s.Start <= o.Start && o.End <= s.End }

// Overlaps reports whether s and o share a byte.
func (s Span) Overlaps(o Span) bool { return s.Start < o.End && o.Start < s.End }

// Position is a place for people: line and column from one, the column in
// bytes from the start of the line.
type Position struct{ Line, Column int }

func (f *File) index() {
	f.once.Do(func() {
		lines := make([]int, 1, 1+bytes.Count(f.Data, []byte{'\n'}))
		for off := 0; ; {
			i := bytes.IndexByte(f.Data[off:], '\n')
			if i < 0 {
				break
			}
			off += i + 1
			lines = append(lines, off)
		}
		f.lines = lines
	})
}

// Position is the place of the byte at offset. Lines end at "\n" alone, as in
// git and grep. An offset outside the file is moved to its nearest end.
func (f *File) Position(offset int) Position {
	f.index()
	offset = min(max(offset, 0), len(f.Data))
	line := sort.SearchInts(f.lines, offset+1) - 1
	return Position{Line: line + 1, Column: offset - f.lines[line] + 1}
}

// Offset is the byte offset at which line (from one) starts, or the end of the
// file for a line beyond it.
func (f *File) Offset(line int) int {
	f.index()
	if line < 1 {
		return 0
	}
	if line > len(f.lines) {
		return len(f.Data)
	}
	return f.lines[line-1]
}

// Lines is the number of lines; a last line without a newline counts.
func (f *File) Lines() int {
	f.index()
	return len(f.lines)
}

// Line is the content of line (from one) without its line ending. It shares
// the bytes of f.
func (f *File) Line(line int) []byte {
	start := f.Offset(line)
	end := f.Offset(line + 1)
	return bytes.TrimRight(f.Data[start:end], "\r\n")
}

// Slice is the bytes of s, clipped to the file. It shares the bytes of f.
func (f *File) Slice(s Span) []byte {
	start := min(max(s.Start, 0), len(f.Data))
	end := min(max(s.End, start), len(f.Data))
	return f.Data[start:end]
}

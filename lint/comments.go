package lint

import (
	"bytes"
	"path"

	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/source"
)

// comment is one that starts with a directive.
type comment struct {
	opener source.Span // "#", "/*" and so on
	text   source.Span // from the directive to the end of the comment or of the line
	end    int         // behind the comment
}

// maxLead bounds what is looked at in front of a directive, in bytes, so that a
// file of one line and many directives takes no quadratic time. What stands
// further to the right is no comment for us.
const maxLead = 4 << 10

// blocks are the comments that end where they say.
var blocks = []struct{ open, end string }{{"/*", "*/"}, {"<!--", "-->"}}

// syntax is how the comments of one file are written.
type syntax struct {
	lines   []string // what starts a comment that ends with the line
	blocks  bool     // whether there are comments that end where they say
	ownLine bool     // whether comments need lines of their own
}

// syntaxOf is the syntax of the comments in a file. The shell in a file brings
// its "#" along. Strings of one line are recognised whatever the format, so that
// JSON, which has no comments, needs no case of its own.
func syntaxOf(name string, format *parsers.Format) syntax {
	s := syntax{lines: []string{"#"}, blocks: true}
	switch {
	case format.Name == parsers.Dockerfile.Name:
		// A "#" behind an instruction is an argument of it
		// (https://docs.docker.com/reference/dockerfile/#format).
		s.ownLine, s.blocks = true, false
	case format.Comment == "//", isHCL(name):
		s.lines = append(s.lines, "//")
	}
	return s
}

// isHCL reports whether a file has HashiCorp's syntax, in which "//" starts a
// comment, too (https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md#comments-and-whitespace).
func isHCL(name string) bool {
	switch path.Ext(name) {
	case ".tf", ".hcl", ".tfvars", ".nomad":
		return true
	}
	return false
}

// commentAt is the comment that starts with the directive at the offset at,
// with nothing but space between.
func (s syntax) commentAt(f *source.File, at int) (comment, bool) {
	lineStart, lineEnd := lineAround(f, at)
	if at-lineStart > maxLead {
		return comment{}, false
	}
	lead := bytes.TrimRight(f.Data[lineStart:at], " \t")
	c := comment{text: source.Span{Start: at, End: lineEnd}, end: lineEnd}
	for _, open := range s.lines {
		if before, ok := s.cutLine(lead, open); ok && !inString(before, f.Data[at:lineEnd]) {
			c.opener = source.Span{Start: lineStart + len(before), End: lineStart + len(lead)}
			return c, true
		}
	}
	if !s.blocks {
		return comment{}, false
	}
	for _, b := range blocks {
		from := max(at-maxLead, 0)
		i := bytes.LastIndex(f.Data[from:at], []byte(b.open))
		if i < 0 {
			continue
		}
		open := from + i
		length, ok := blockEnd(f.Data[open:], b.open, b.end)
		between := f.Data[open+len(b.open) : at]
		openLine, openEnd := lineAround(f, open)
		if !ok || open+length <= at || !startsLine(between) || open-openLine > maxLead ||
			inString(f.Data[openLine:open], f.Data[open:openEnd]) {
			continue
		}
		c.opener = source.Span{Start: open, End: open + len(b.open)}
		c.end = open + length
		c.text.End = min(lineEnd, c.end-len(b.end))
		return c, true
	}
	return comment{}, false
}

// cutLine is lead without the mark at its end that starts a comment, if there
// is one with the space that it needs in front.
func (s syntax) cutLine(lead []byte, open string) ([]byte, bool) {
	before := bytes.TrimRight(lead, open[:1])
	if len(lead)-len(before) < len(open) {
		return nil, false
	}
	blank := len(bytes.Trim(before, " \t\ufeff")) == 0
	spaced := len(before) > 0 && (before[len(before)-1] == ' ' || before[len(before)-1] == '\t')
	return before, blank || spaced && !s.ownLine
}

// blockEnd is the length in bytes of the comment that data starts with.
func blockEnd(data []byte, open, end string) (int, bool) {
	const longest = 64 << 10
	data = data[:min(len(data), longest)]
	i := bytes.Index(data[len(open):], []byte(end))
	return len(open) + i + len(end), i >= 0
}

// startsLine reports whether what stands between the start of a block comment
// and a directive leaves the directive first in its line: nothing but space, or
// other lines and the asterisk that people write in front of each.
func startsLine(between []byte) bool {
	line := between[bytes.LastIndexByte(between, '\n')+1:]
	return len(bytes.Trim(line, " \t*")) == 0
}

// inString reports whether a string that starts in before goes on and ends in
// after. A quote behind a letter is an apostrophe, and one that is not closed in
// its line is taken for one, too.
func inString(before, after []byte) bool {
	var quote byte
	for i := 0; i < len(before); i++ {
		switch c := before[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'' || c == '`') && (i == 0 || !isWord(before[i-1])):
			quote = c
		}
	}
	return quote != 0 && bytes.IndexByte(after, quote) >= 0
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

// alone reports whether nothing but the comment stands on its lines. The braces
// of a template's comment are part of it.
func (c comment) alone(f *source.File) bool {
	start, _ := lineAround(f, c.opener.Start)
	_, end := lineAround(f, c.end)
	before, after := f.Data[start:c.opener.Start], f.Data[min(c.end, end):end]
	return len(bytes.Trim(before, " \t\ufeff{-")) == 0 && len(bytes.Trim(after, " \t\r}-")) == 0
}

// maxComments is how many lines of blanks and comments may stand between a
// comment and what it is about.
const maxComments = 100

// target is the line that the comment is about: its own, or the next one with
// content.
func (s syntax) target(f *source.File, c comment) int {
	line := f.Position(c.opener.Start).Line
	if !c.alone(f) {
		return line
	}
	line = f.Position(c.end).Line
	for next := line + 1; next <= min(line+maxComments, f.Lines()); next++ {
		if !s.empty(f.Line(next)) {
			return next
		}
	}
	return line
}

// empty reports whether a line holds nothing but space or a comment.
func (s syntax) empty(line []byte) bool {
	text := bytes.Trim(line, " \t\ufeff")
	if len(text) == 0 {
		return true
	}
	for _, open := range s.lines {
		if bytes.HasPrefix(text, []byte(open)) {
			return true
		}
	}
	text = bytes.TrimLeft(text, "{- ")
	for _, b := range blocks {
		if rest, ok := bytes.CutPrefix(text, []byte(b.open)); ok && s.blocks {
			_, after, closed := bytes.Cut(rest, []byte(b.end))
			return !closed || len(bytes.Trim(after, " }-")) == 0
		}
	}
	return false
}

// first reports whether nothing but comments, and what a format wants first of
// all, stands in front of the comment.
func (s syntax) first(f *source.File, c comment) bool {
	line := f.Position(c.opener.Start).Line
	if line > maxComments || !c.alone(f) {
		return false
	}
	for l := 1; l < line; l++ {
		text := f.Line(l)
		if !s.empty(text) && !bytes.HasPrefix(text, []byte("---")) && !bytes.HasPrefix(bytes.TrimLeft(text, "\ufeff"), []byte("<?xml")) {
			return false
		}
	}
	return true
}

// lineAround is where the line at the offset at starts, and where it ends
// without its line ending.
func lineAround(f *source.File, at int) (start, end int) {
	line := f.Position(at).Line
	start = f.Offset(line)
	return start, start + len(f.Line(line))
}

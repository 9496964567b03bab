package report

import (
	"strings"

	"github.com/digestlint/digestlint/rules"
)

// Limits of a source line, in terminal columns.
const (
	maxLine  = 120 // what is shown of it
	leadIn   = 40  // what is shown before the reference, where the line is cut
	tabWidth = 8
)

// ellipsis stands where a line is cut.
const ellipsis = "…"

// cell is one character of a source line.
type cell struct {
	shown string
	width int
	at    int // its byte in the excerpt
}

// underline is the source line of a finding as it is shown, and below it what
// goes before the marks, and the marks: "^~~~" under exactly the reference. A tab
// is kept in both lines, so that they agree whatever its width is.
func underline(f *rules.Finding) (line, pad, marks string) {
	cells := split(f.Source)
	start := clip(f.Start.Column-1-f.Offset, len(f.Source))
	end := len(f.Source)
	if f.End.Line == f.Start.Line {
		end = clip(f.End.Column-1-f.Offset, len(f.Source))
	}
	cells, before, after := window(cells, start, end, f.Offset > 0)
	var text, space strings.Builder
	if before {
		text.WriteString(ellipsis)
		space.WriteByte(' ')
	}
	under := 0
	for _, c := range cells {
		text.WriteString(c.shown)
		switch {
		case c.at >= start && c.at < end:
			under += c.width
		case c.at < start && c.shown == "\t":
			space.WriteByte('\t')
		case c.at < start:
			space.WriteString(strings.Repeat(" ", c.width))
		}
	}
	if after {
		text.WriteString(ellipsis)
	}
	return text.String(), space.String(), "^" + strings.Repeat("~", max(under-1, 0))
}

func clip(at, end int) int { return min(max(at, 0), end) }

func split(source string) []cell {
	var cells []cell
	for at := 0; at < len(source); {
		shown, n := glyph(source[at:])
		c := cell{shown, width(shown), at}
		if source[at] == '\t' {
			c.shown, c.width = "\t", tabWidth
		}
		cells = append(cells, c)
		at += n
	}
	return cells
}

// window is the cells to show, so that the bytes from start to end are among
// them as far as possible, and whether something is left out before and after.
// A line that the excerpt has cut before already is cut to the usual lead-in.
func window(cells []cell, start, end int, cutBefore bool) (shown []cell, before, after bool) {
	from, lead, whole := 0, 0, 0 // lead and whole are columns up to start and end
	for _, c := range cells {
		if c.at < start {
			lead += c.width
		}
		if c.at < end {
			whole += c.width
		}
	}
	if whole > maxLine || cutBefore {
		for lead > leadIn {
			lead -= cells[from].width
			from++
		}
	}
	to, columns := from, 0
	for to < len(cells) && columns+cells[to].width <= maxLine {
		columns += cells[to].width
		to++
	}
	return cells[from:to], from > 0 || cutBefore, to < len(cells)
}

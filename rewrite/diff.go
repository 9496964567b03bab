package rewrite

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// contextLines is the number of unchanged lines shown around a change.
const contextLines = 3

// noNewline follows a last line without a line ending.
const noNewline = "\n\\ No newline at end of file\n"

// palette is the escape sequences around the kinds of lines of a diff.
type palette struct{ header, hunk, removed, added, reset string }

// ansi is the colors that git has by default.
var ansi = palette{header: "\x1b[1m", hunk: "\x1b[36m", removed: "\x1b[31m", added: "\x1b[32m", reset: "\x1b[m"}

// Diff writes what edits change in old as a unified diff with three lines of
// context (https://git-scm.com/docs/diff-format#generate_patch_text_with_p),
// for git apply and patch -p1. It writes nothing where nothing changes.
//
// The file is called name in it, joined with "/" and best relative to the
// folder in which the diff will be applied; of an absolute name the leading "/"
// is cut. Lines end at "\n" alone. The error is that of w or of invalid edits.
func Diff(w io.Writer, name string, old []byte, edits []Edit) error {
	return diff(w, name, old, edits, palette{}, nil)
}

// ShowDiff is Diff for people at a terminal, with the ANSI colors of git if
// color is set. Every line is passed through visible, without its line ending:
// what stands in a file must not give orders to a terminal.
func ShowDiff(w io.Writer, name string, old []byte, edits []Edit, color bool, visible func(string) string) error {
	colors := palette{}
	if color {
		colors = ansi
	}
	return diff(w, name, old, edits, colors, visible)
}

func diff(w io.Writer, name string, old []byte, edits []Edit, colors palette, visible func(string) string) error {
	edits, err := normalize(len(old), edits)
	if err != nil {
		return err
	}
	d := differ{
		Writer:  bufio.NewWriter(w),
		palette: colors,
		visible: visible,
		old:     &source.File{Data: old},
	}
	d.lines = countLines(old)
	changes := d.changes(edits)
	if len(changes) == 0 {
		return nil
	}
	d.writeHeader(name)
	shift := 0 // from a line number in the old file to the one in the new
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].first-changes[n-1].end <= 2*contextLines {
			n++
		}
		shift += d.writeHunk(changes[:n], shift)
		changes = changes[n:]
	}
	return d.Flush()
}

// differ writes the diff of one file.
type differ struct {
	*bufio.Writer
	palette
	visible func(string) string // nil for the bytes as they are
	old     *source.File
	lines   int // of old; unlike in source, nothing follows a last newline
}

// change puts new, whole lines, in place of the old lines [first, end), which
// count from one.
type change struct {
	first, end int
	new        []byte
}

// changes is edits widened to whole lines, in order. Between two of them there
// is at least one line.
func (d *differ) changes(edits []Edit) []change {
	data := d.old.Data
	edits = slices.DeleteFunc(edits, func(e Edit) bool { return e.New == string(data[e.Start:e.End]) })
	var changes []change
	for len(edits) > 0 {
		c := change{first: d.old.Position(edits[0].Start).Line}
		at := d.old.Offset(c.first)
		for more := true; more; {
			e := edits[0]
			edits = edits[1:]
			c.new = append(c.new, data[at:e.Start]...)
			c.new = append(c.new, e.New...)
			at = e.End
			c.end = d.lineAfter(at, c.new)
			more = len(edits) > 0 && d.old.Position(edits[0].Start).Line <= c.end
		}
		c.new = append(c.new, data[at:d.old.Offset(c.end)]...)
		if c = d.trim(c); c.first < c.end || len(c.new) > 0 {
			changes = append(changes, c)
		}
	}
	return changes
}

// lineAfter is the first line that a change does not touch which, so far, puts
// text in place of whole lines of the old content up to the offset at. The rest
// of the line at this offset belongs to the change, unless one line ends there
// and the text too.
func (d *differ) lineAfter(at int, text []byte) int {
	p := d.old.Position(at)
	if p.Column == 1 && (len(text) == 0 || text[len(text)-1] == '\n') {
		return p.Line
	}
	return min(p.Line, d.lines) + 1
}

// trim cuts the lines off c that stay the same at its start and its end. A line
// that is inserted after another one is an edit at the end of that one, which
// then is no part of the change.
func (d *differ) trim(c change) change {
	for c.first < c.end && len(c.new) > 0 {
		line := c.new[:lineLen(c.new)]
		if !bytes.Equal(line, d.line(c.first)) {
			break
		}
		c.first++
		c.new = c.new[len(line):]
	}
	for c.first < c.end && len(c.new) > 0 {
		start := bytes.LastIndexByte(c.new[:len(c.new)-1], '\n') + 1
		if !bytes.Equal(c.new[start:], d.line(c.end-1)) {
			break
		}
		c.end--
		c.new = c.new[:start]
	}
	return c
}

// line is line n of the old content with its line ending.
func (d *differ) line(n int) []byte {
	return d.old.Data[d.old.Offset(n):d.old.Offset(n+1)]
}

// writeHeader writes the lines that name the file.
func (d *differ) writeHeader(name string) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	a, b := quote("a/"+name), quote("b/"+name)
	// patch would take what follows a space for a time stamp, were there no tab.
	tab := ""
	if strings.Contains(name, " ") {
		tab = "\t"
	}
	d.writeLine(d.header, "diff --git ", []byte(a+" "+b+"\n"))
	d.writeLine(d.header, "--- ", []byte(a+tab+"\n"))
	d.writeLine(d.header, "+++ ", []byte(b+tab+"\n"))
}

// writeHunk writes changes, which are near each other, with their context. It
// returns by how many lines the new file grows there.
func (d *differ) writeHunk(changes []change, shift int) (growth int) {
	first := max(changes[0].first-contextLines, 1)
	end := min(changes[len(changes)-1].end+contextLines, d.lines+1)
	for _, c := range changes {
		growth += countLines(c.new) - (c.end - c.first)
	}
	size := end - first
	ranges := fmt.Sprintf("-%s +%s @@\n", lineRange(first, size), lineRange(first+shift, size+growth))
	d.writeLine(d.hunk, "@@ ", []byte(ranges))
	at := first
	for _, c := range changes {
		d.writeBlock("", " ", d.oldLines(at, c.first))
		d.writeBlock(d.removed, "-", d.oldLines(c.first, c.end))
		d.writeBlock(d.added, "+", c.new)
		at = c.end
	}
	d.writeBlock("", " ", d.oldLines(at, end))
	return growth
}

// oldLines is the old lines [first, end).
func (d *differ) oldLines(first, end int) []byte {
	return d.old.Data[d.old.Offset(first):d.old.Offset(end)]
}

// writeBlock writes lines, each after sign.
func (d *differ) writeBlock(color, sign string, lines []byte) {
	for len(lines) > 0 {
		n := lineLen(lines)
		d.writeLine(color, sign, lines[:n])
		lines = lines[n:]
	}
}

// writeLine writes one line after sign. Colors end before the line ending, as a
// terminal would paint the rest of its line.
func (d *differ) writeLine(color, sign string, line []byte) {
	body, ending := line, noNewline
	if rest, ok := bytes.CutSuffix(line, []byte("\n")); ok {
		body, ending = rest, "\n"
		if rest, ok := bytes.CutSuffix(rest, []byte("\r")); ok {
			body, ending = rest, "\r\n"
		}
	}
	reset := d.reset
	if color == "" {
		reset = ""
	}
	d.WriteString(color)
	d.WriteString(sign)
	if d.visible != nil {
		body = []byte(d.visible(string(body)))
	}
	_, _ = d.Write(body) // the writer keeps its error
	d.WriteString(reset)
	d.WriteString(ending)
}

// lineLen is the number of bytes of the first line of data with its ending.
func lineLen(data []byte) int {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1
	}
	return len(data)
}

// countLines is the number of lines of data; a last one without a newline
// counts.
func countLines(data []byte) int {
	n := bytes.Count(data, []byte{'\n'})
	if len(data) > 0 && data[len(data)-1] != '\n' {
		n++
	}
	return n
}

// lineRange is n lines from first as the head of a hunk has them. Of no lines
// it names the one before.
func lineRange(first, n int) string {
	switch n {
	case 0:
		return strconv.Itoa(first-1) + ",0"
	case 1:
		return strconv.Itoa(first)
	}
	return strconv.Itoa(first) + "," + strconv.Itoa(n)
}

// quote is a path as git writes it: as it is, or as a C string literal if there
// is a control character, a quote, a backslash or a byte beyond ASCII in it
// (https://git-scm.com/docs/git-config#Documentation/git-config.txt-corequotePath).
func quote(name string) string {
	var b strings.Builder
	quoted := false
	b.WriteByte('"')
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			b.WriteByte(c)
			continue
		}
		quoted = true
		b.WriteByte('\\')
		switch {
		case c == '"' || c == '\\':
			b.WriteByte(c)
		case c >= '\a' && c <= '\r':
			b.WriteByte("abtnvfr"[c-'\a'])
		default:
			fmt.Fprintf(&b, "%03o", c)
		}
	}
	if !quoted {
		return name
	}
	b.WriteByte('"')
	return b.String()
}

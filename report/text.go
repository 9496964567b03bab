package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/digestlint/digestlint/rules"
)

// Text is for people: each finding with its line, the reference underlined, and
// what to do.
var Text = register(Format{
	Name:    "text",
	Summary: "for people: the line, the reference underlined, what to do",
	Write:   writeText,
})

// The colours (https://www.ecma-international.org/publications-and-standards/standards/ecma-48/, 8.3.117).
const (
	reset  = "\x1b[0m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[1;31m"
	green  = "\x1b[1;32m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[1;36m"
)

var severityColors = [...]string{rules.Off: dim, rules.Info: cyan, rules.Warning: yellow, rules.Error: red}

// maxNotes is how many related places of a finding are shown.
const maxNotes = 5

func writeText(w io.Writer, r *Report) error {
	t := &textWriter{Writer: bufio.NewWriter(w), color: r.Color}
	shared := sharedHints(r.Findings)
	for i := range r.Findings {
		t.finding(&r.Findings[i], shared)
		t.WriteByte('\n')
	}
	t.hints(shared)
	t.errors(r.Errors)
	fmt.Fprintln(t, summaryLine(r.Summary))
	return t.Flush()
}

// textWriter keeps the first error; Flush returns it.
type textWriter struct {
	*bufio.Writer
	color bool
}

// paint is s in a colour.
func (t *textWriter) paint(color, s string) string {
	if !t.color || s == "" {
		return s
	}
	return color + s + reset
}

func (t *textWriter) finding(f *rules.Finding, shared *hintTable) {
	where := fmt.Sprintf("%s:%d:%d:", LeadingPath(f.Path), f.Start.Line, f.Start.Column)
	fmt.Fprintf(t, "%s %s %s %s\n", t.paint(bold, where), t.paint(severityColors[f.Severity], f.Severity.String()+":"),
		Visible(f.Message), t.paint(dim, "["+f.Rule.Name+"]"))
	number := strconv.Itoa(f.Start.Line)
	gutter := strings.Repeat(" ", 2+len(number))
	if f.Source != "" {
		line, pad, marks := underline(f)
		fmt.Fprintf(t, "  %s %s\n", t.paint(dim, number+" |"), line)
		fmt.Fprintf(t, "%s %s %s%s\n", gutter, t.paint(dim, "|"), pad, t.paint(green, marks))
	}
	for _, hint := range hintLines(f) {
		if !shared.has(f, hint) {
			t.remark(gutter, "hint:", Visible(hint))
		}
	}
	for i, r := range f.Related {
		if i == maxNotes {
			t.remark(gutter, "note:", fmt.Sprintf("and %d more places", len(f.Related)-i))
			break
		}
		t.remark(gutter, "note:", fmt.Sprintf("%s:%d:%d: %s", Visible(r.Path), r.Start.Line, r.Start.Column, Visible(r.Message)))
	}
}

// remark writes a line below the source line.
func (t *textWriter) remark(gutter, label, text string) {
	fmt.Fprintf(t, "%s %s %s %s\n", gutter, t.paint(dim, "="), t.paint(bold, label), text)
}

// hints writes what several findings share, once for all of them.
func (t *textWriter) hints(shared *hintTable) {
	if len(shared.order) == 0 {
		return
	}
	for _, h := range shared.order {
		fmt.Fprintf(t, "%s %s %s\n", t.paint(bold, "hint:"), Visible(h.text), t.paint(dim, fmt.Sprintf("[%s, %d times]", h.rule, shared.count[h])))
	}
	t.WriteByte('\n')
}

func (t *textWriter) errors(errs []Error) {
	if len(errs) == 0 {
		return
	}
	fmt.Fprintf(t, "%s because of %s:\n", t.paint(red, "incomplete"), count(len(errs), "error"))
	for _, e := range errs {
		fmt.Fprintf(t, "  %s\n", errorLine(e))
	}
	t.WriteByte('\n')
}

// errorLine is "path:line:column: message", as far as the place is known.
func errorLine(e Error) string {
	var b strings.Builder
	for _, n := range []struct {
		known bool
		text  string
	}{{e.Path != "", LeadingPath(e.Path)}, {e.Line > 0, strconv.Itoa(e.Line)}, {e.Line > 0 && e.Column > 0, strconv.Itoa(e.Column)}} {
		if n.known {
			b.WriteString(n.text + ":")
		}
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	return b.String() + Visible(e.Message)
}

func summaryLine(s Summary) string {
	return fmt.Sprintf("%s, %d unpinned, %d unresolved, %d malicious", count(s.References, "reference"), s.Unpinned, s.Unresolved, s.Malicious)
}

// count is a number of things, "1 error" or "2 errors".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// hint is a line of advice of a rule.
type hint struct{ rule, text string }

// hintTable is the hints that several findings of a rule share, in the order in
// which they first occur.
type hintTable struct {
	order []hint
	count map[hint]int
}

// sharedHints finds what would be repeated below hundreds of findings and is
// said once at the end instead. What to do about a malicious image is said every
// time.
func sharedHints(findings []rules.Finding) *hintTable {
	t := &hintTable{count: map[hint]int{}}
	for i := range findings {
		f := &findings[i]
		if f.Rule.Certain {
			continue
		}
		for _, line := range hintLines(f) {
			h := hint{f.Rule.Name, line}
			if t.count[h]++; t.count[h] == 2 {
				t.order = append(t.order, h)
			}
		}
	}
	return t
}

func (t *hintTable) has(f *rules.Finding, line string) bool {
	return t.count[hint{f.Rule.Name, line}] > 1
}

func hintLines(f *rules.Finding) []string {
	if f.Hint == "" {
		return nil
	}
	return strings.Split(f.Hint, "\n")
}

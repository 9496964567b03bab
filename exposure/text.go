package exposure

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

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

var verdictColors = map[string]string{
	"incomplete": yellow, Clear.String(): green, Possible.String(): cyan, Likely.String(): yellow, Confirmed.String(): red,
}

// textLimits are for a screen or a few.
var textLimits = limits{groups: 20, places: 60, links: 3, items: 12, on: 5, commands: 6, sources: 30, notes: 10, errors: 20}

// Text writes p for a terminal: the verdict, what it rests on, what to do. The
// errors are those of w.
func (p *Plan) Text(w io.Writer, color bool) error {
	v := newView(p, textLimits)
	t := &terminal{bufio.NewWriter(w), color}
	t.verdict(v)
	t.incidents(v)
	t.groups(v)
	t.steps(v)
	t.looked(v)
	t.last(v)
	return t.Flush()
}

// terminal keeps the first error; Flush returns it.
type terminal struct {
	*bufio.Writer
	color bool
}

// paint is s in a colour.
func (t *terminal) paint(color, s string) string {
	if !t.color || s == "" {
		return s
	}
	return color + s + reset
}

// line writes texts with spaces between those that are not empty.
func (t *terminal) line(indent string, texts ...string) {
	var parts []string
	for _, s := range texts {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(t, "%s%s\n", indent, strings.Join(parts, " "))
	}
}

func (t *terminal) heading(s string) { fmt.Fprintf(t, "\n%s\n", t.paint(bold, s)) }

func (t *terminal) verdict(v *view) {
	t.line("", t.paint(verdictColors[v.Verdict], v.Verdict+":"), v.Headline)
	t.line("", v.Tally)
}

// last repeats the verdict below a long plan, where a screen still has it.
func (t *terminal) last(v *view) {
	if len(v.Incidents) == 0 {
		return
	}
	fmt.Fprintln(t)
	t.line("", t.paint(bold, "hint:"), "`-o html=plan.html` and `-o markdown=plan.md` write the plan to share and to tick off, `-o json=plan.json` all of it")
	t.verdict(v)
}

func (t *terminal) incidents(v *view) {
	for _, in := range v.Incidents {
		fmt.Fprintln(t)
		t.line("", t.paint(bold, in.ID), in.Title)
		for _, s := range in.Periods {
			t.line("  ", "malicious:", s)
		}
		for _, l := range in.Links {
			t.line("  ", "read:", l.URL)
		}
		t.line("  ", in.MoreLinks)
	}
}

func (t *terminal) groups(v *view) {
	verdict := ""
	for _, g := range v.Groups {
		if g.Verdict != verdict {
			verdict = g.Verdict
			fmt.Fprintf(t, "\n%s\n", t.paint(verdictColors[verdict], verdict))
		}
		t.line("  ", t.paint(bold, g.Image), t.paint(dim, "["+g.ID+"]"))
		t.line("    ", g.Why)
		for _, p := range g.Places {
			t.line("    ", "-", p.File+",", p.When)
			t.line("      ", t.paint(dim, p.Details))
		}
		t.line("    ", g.More)
	}
	t.line("  ", v.MoreGroups)
}

func (t *terminal) steps(v *view) {
	if len(v.Steps) > 0 {
		t.heading("what to do")
	}
	for _, s := range v.Steps {
		t.line("", t.paint(bold, fmt.Sprintf("%d %s:", s.Number, s.Name)), s.Title)
		t.items(s.Items)
		t.line("  ", s.More)
	}
	if len(v.Searches) > 0 {
		t.heading("what to search for")
		t.items(v.Searches)
	}
}

func (t *terminal) items(items []itemView) {
	for _, i := range items {
		t.line("  ", "[ ]", sentence(i.Do))
		for _, on := range i.On.All {
			t.line("      ", "-", on)
		}
		t.line("      ", i.On.More)
		t.line("      ", t.paint(dim, sentence(i.Note)))
		for _, c := range i.Commands {
			t.line("      ", t.paint(dim, c.What+":"))
			t.line("        ", t.paint(cyan, c.Line))
			t.line("        ", t.paint(dim, c.Note))
		}
		t.line("      ", i.More)
	}
}

// sentence is phrases with their backquotes.
func sentence(all []phrase) string {
	var b strings.Builder
	for _, s := range all {
		if s.Code {
			b.WriteString("`" + s.Text + "`")
		} else {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}

func (t *terminal) looked(v *view) {
	if len(v.Looked) > 0 {
		t.heading("looked at")
	}
	for _, s := range v.Looked {
		name := s.Kind + " " + s.Name
		if s.Amount != "" {
			name += ": " + s.Amount
		}
		t.line("  ", name)
		for _, n := range s.Notes.All {
			t.line("    ", "-", n)
		}
		t.line("    ", s.Notes.More)
	}
	t.line("  ", v.MoreLooked)
	if len(v.Unseen) > 0 {
		t.heading("not looked at")
	}
	for _, u := range v.Unseen {
		t.line("  ", u.What)
		t.line("    ", t.paint(cyan, u.Line))
	}
	if len(v.Errors.All) > 0 {
		t.heading("could not be read")
	}
	for _, e := range v.Errors.All {
		t.line("  ", t.paint(red, "error:"), e)
	}
	t.line("  ", v.Errors.More)
}

package exposure

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
)

// markdownLimits are for a ticket that people read.
var markdownLimits = limits{groups: 25, places: 75, links: 10, moments: 40, items: 12, on: 20, commands: 10, sources: 40, notes: 10, errors: 30}

// maxTicket is a little less than the 65,536 characters that GitHub takes as the
// text of an issue, in bytes.
const maxTicket = 60_000

// Markdown writes p as a ticket to paste, in the syntax of
// https://github.github.com/gfm/. It is cut until it fits into an issue of
// GitHub, unless single names are too long for that. The errors are those of w.
//
// All that comes from evidence stands in code, where no text makes links, images
// or mentions.
func (p *Plan) Markdown(w io.Writer) error {
	for l := markdownLimits; ; l = l.half() {
		var b bytes.Buffer
		m := &markdown{bufio.NewWriter(&b)}
		m.plan(newView(p, l))
		if err := m.Flush(); err != nil {
			return err
		}
		if b.Len() <= maxTicket || l == l.half() {
			_, err := w.Write(b.Bytes())
			return err
		}
	}
}

// markdown keeps the first error; Flush returns it.
type markdown struct{ *bufio.Writer }

func (m *markdown) plan(v *view) {
	fmt.Fprintf(m, "# %s: %s\n\n", strings.ToUpper(v.Verdict), prose(v.Headline))
	if v.Tally != "" {
		fmt.Fprintf(m, "%s. ", v.Tally)
	}
	fmt.Fprintf(m, "Made %s.\n", v.Made)
	for _, in := range v.Incidents {
		m.incident(&in)
	}
	if len(v.Steps) > 0 {
		fmt.Fprint(m, "\n## What to do\n")
	}
	for _, s := range v.Steps {
		fmt.Fprintf(m, "\n### %d. %s\n\n", s.Number, prose(s.Title))
		m.items(s.Items)
		m.more(s.More)
	}
	if len(v.Searches) > 0 {
		fmt.Fprint(m, "\n## What to search for\n\n")
		m.items(v.Searches)
	}
	m.groups(v)
	for _, in := range v.Incidents {
		m.moments(&in)
	}
	m.looked(v)
}

func (m *markdown) incident(in *incidentView) {
	fmt.Fprintf(m, "\n## %s: %s\n\n", prose(in.ID), prose(in.Title))
	fmt.Fprintf(m, "**%s**, %s. %s.\n", in.Verdict, in.Tally, prose(in.Kind))
	m.bullets("Malicious", in.Periods, prose)
	m.bullets("Found as", in.Images, code)
	if len(in.Links) > 0 {
		fmt.Fprint(m, "\nRead:\n\n")
	}
	for _, l := range in.Links {
		fmt.Fprintf(m, "- %s: %s\n", prose(l.Class), link(l.URL))
	}
	m.more(in.MoreLinks)
}

// moments writes the timeline of an incident.
func (m *markdown) moments(in *incidentView) {
	if len(in.Moments) == 0 {
		return
	}
	fmt.Fprintf(m, "\n### %s, in the order of time\n\n| when | what | where |\n|---|---|---|\n", prose(in.ID))
	for _, t := range in.Moments {
		what := cell(t.What)
		if t.Verdict != "" {
			what = "**" + t.Verdict + "** " + what
		}
		fmt.Fprintf(m, "| %s | %s | %s |\n", t.When, what, cell(t.Where))
	}
	m.more(in.MoreMoments)
}

// bullets writes a list of texts.
func (m *markdown) bullets(title string, texts []string, format func(string) string) {
	if len(texts) == 0 {
		return
	}
	fmt.Fprintf(m, "\n%s:\n\n", title)
	for _, s := range texts {
		fmt.Fprintf(m, "- %s\n", format(s))
	}
}

// more writes what is left out, as a paragraph.
func (m *markdown) more(s string) {
	if s != "" {
		fmt.Fprintf(m, "\n%s\n", s)
	}
}

func (m *markdown) groups(v *view) {
	if len(v.Groups) > 0 {
		fmt.Fprint(m, "\n## What was found\n")
	}
	for _, g := range v.Groups {
		fmt.Fprintf(m, "\n**%s**: %s (%s), %s: %s\n", g.Verdict, code(g.Image), prose(g.ID), g.Count, prose(g.Why))
		fmt.Fprint(m, "\n| where | | when | evidence |\n|---|---|---|---|\n")
		for _, p := range g.Places {
			fmt.Fprintf(m, "| %s | %s | %s | %s |\n", cell(p.File), cell(p.Details), p.When, cell(p.Text))
		}
		m.more(g.More)
	}
	m.more(v.MoreGroups)
}

func (m *markdown) items(items []itemView) {
	for n, i := range items {
		if n > 0 {
			fmt.Fprintln(m)
		}
		fmt.Fprintf(m, "- [ ] %s\n", mixed(i.Do))
		for _, on := range i.On.All {
			fmt.Fprintf(m, "  - %s\n", code(on))
		}
		if i.On.More != "" {
			fmt.Fprintf(m, "  - %s\n", i.On.More)
		}
		if len(i.Note) > 0 {
			fmt.Fprintf(m, "\n  %s\n", mixed(i.Note))
		}
		m.commands(i.Commands)
		if i.More != "" {
			fmt.Fprintf(m, "\n  %s\n", i.More)
		}
	}
}

// commands writes a block for each: what it does is no comment in it, because
// zsh takes what is pasted after "#" for commands.
func (m *markdown) commands(all []commandView) {
	for _, c := range all {
		fmt.Fprintf(m, "\n  %s:\n", prose(c.What))
		if c.Line != "" {
			// Nothing on the line of a command ends a block.
			fmt.Fprintf(m, "\n  ```\n  %s\n  ```\n", c.Line)
		}
		if c.Note != "" {
			fmt.Fprintf(m, "\n  %s\n", mixed(phrases(c.Note)))
		}
	}
}

func (m *markdown) looked(v *view) {
	if len(v.Looked) > 0 {
		fmt.Fprint(m, "\n## Looked at\n\n")
	}
	for _, s := range v.Looked {
		fmt.Fprintf(m, "- %s %s", s.Kind, code(s.Name))
		if s.Amount != "" {
			fmt.Fprintf(m, ": %s", prose(s.Amount))
		}
		fmt.Fprintln(m)
		for _, n := range s.Notes.All {
			fmt.Fprintf(m, "  - %s\n", prose(n))
		}
		if s.Notes.More != "" {
			fmt.Fprintf(m, "  - %s\n", s.Notes.More)
		}
	}
	m.more(v.MoreLooked)
	if len(v.Unseen) > 0 {
		fmt.Fprint(m, "\n## Not looked at\n\n")
	}
	for _, u := range v.Unseen {
		fmt.Fprintf(m, "- %s: %s\n", prose(u.What), code(u.Line))
	}
	if len(v.Errors.All) > 0 {
		fmt.Fprint(m, "\n## Could not be read\n\n")
	}
	for _, e := range v.Errors.All {
		fmt.Fprintf(m, "- %s\n", code(e))
	}
	m.more(v.Errors.More)
}

// code is s as a code span (https://github.github.com/gfm/#code-spans).
func code(s string) string {
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// cell is s as code in a table, where a bar ends the cell even in code
// (https://github.github.com/gfm/#example-200).
func cell(s string) string { return code(strings.ReplaceAll(s, "|", `\|`)) }

// longestRun is the length of the longest run of backquotes in s.
func longestRun(s string) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// prose is s with everything escaped that has a meaning in Markdown
// (https://github.github.com/gfm/#backslash-escapes), and nothing in it that
// becomes a link by itself. A mention cannot be escaped: it gets a character that
// shows nothing.
func prose(s string) string { return escapes.Replace(s) }

var escapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`, "|", `\|`, "~", `\~`, "&", `\&`, "!", `\!`,
	"@", "@\u2060", "://", "&#58;//", "www.", "www&#46;",
)

// mixed is a sentence with code in it.
func mixed(all []phrase) string {
	var b strings.Builder
	for _, s := range all {
		if s.Code {
			b.WriteString(code(s.Text))
		} else {
			b.WriteString(prose(s.Text))
		}
	}
	return b.String()
}

// link is a URL that can be opened, or else its text.
func link(url string) string {
	if !openable(url) {
		return code(url)
	}
	return "<" + url + ">"
}

// openable reports whether a link to url is harmless. Advisories can be a user's
// own.
func openable(url string) bool {
	return strings.HasPrefix(url, "https://") && !strings.ContainsFunc(url, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"'`\\", r)
	})
}

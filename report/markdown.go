package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/digestlint/digestlint/rules"
)

// Markdown is a table for pull requests and job summaries, in GitHub's dialect
// (https://github.github.com/gfm/#tables-extension-). It is short of the 1 MiB
// that a step may add to a summary
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits).
var Markdown = register(Format{
	Name:    "markdown",
	Summary: "for pull requests and job summaries: a table, the worst first",
	Write:   writeMarkdown,
})

// What a table holds.
const (
	maxRows  = 200
	maxCell  = 200 // characters
	maxHints = 10
)

func writeMarkdown(w io.Writer, r *Report) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "**digestlint**: %s\n", summaryLine(r.Summary))
	shown := worstFirst(r.Findings)
	shown = shown[:min(len(shown), maxRows)]
	if len(shown) > 0 {
		fmt.Fprint(b, "\n| severity | place | finding | rule |\n|---|---|---|---|\n")
	}
	for _, i := range shown {
		f := &r.Findings[i]
		place := fmt.Sprintf("%s:%d:%d", Visible(f.Path), f.Start.Line, f.Start.Column)
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", f.Severity, code(place), code(Visible(f.Message)), f.Rule.Name)
	}
	if left := len(r.Findings) - len(shown); left > 0 {
		fmt.Fprintf(b, "\n%s more, no worse than these, left out.\n", count(left, "finding"))
	}
	markdownHints(b, r.Findings, shown)
	if len(r.Errors) > 0 {
		fmt.Fprintf(b, "\nIncomplete because of %s:\n\n", count(len(r.Errors), "error"))
	}
	for i, e := range r.Errors {
		if i == maxRows {
			fmt.Fprintf(b, "- and %d more\n", len(r.Errors)-i)
			break
		}
		fmt.Fprintf(b, "- %s\n", code(errorLine(e)))
	}
	return b.Flush()
}

// markdownHints writes what to do, once for all findings of a rule.
func markdownHints(w io.Writer, findings []rules.Finding, shown []int) {
	seen := map[hint]bool{}
	for _, i := range shown {
		f := &findings[i]
		for _, line := range hintLines(f) {
			h := hint{f.Rule.Name, line}
			if seen[h] || len(seen) == maxHints {
				continue
			}
			if len(seen) == 0 {
				fmt.Fprint(w, "\nWhat to do:\n\n")
			}
			seen[h] = true
			fmt.Fprintf(w, "- %s: %s\n", h.rule, code(Visible(line)))
		}
	}
}

// code is text in which nothing is markup and nobody is mentioned. Code spans
// with backticks can't hold a backslash before a vertical bar inside of a table
// (https://github.github.com/gfm/#example-200).
func code(s string) string {
	if utf8.RuneCountInString(s) > maxCell {
		s = string([]rune(s)[:maxCell]) + ellipsis
	}
	var b strings.Builder
	b.WriteString("<code>")
	for _, r := range s {
		if strings.ContainsRune("\\`*_~[]<>&|$#", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteString("</code>")
	return b.String()
}

package report

import (
	"bufio"
	"fmt"
	"io"

	"github.com/digestlint/digestlint/rules"
)

// Concise is one line a finding, for editors and for grep.
var Concise = register(Format{
	Name:    "concise",
	Summary: "one line a finding: path:line:column: message [rule]",
	Write:   writeConcise,
})

func writeConcise(w io.Writer, r *Report) error {
	b := bufio.NewWriter(w)
	for i := range r.Findings {
		conciseLine(b, &r.Findings[i])
	}
	for _, e := range r.Errors {
		fmt.Fprintf(b, "%s\n", errorLine(e))
	}
	return b.Flush()
}

func conciseLine(w io.Writer, f *rules.Finding) {
	fmt.Fprintf(w, "%s:%d:%d: %s [%s]\n", LeadingPath(f.Path), f.Start.Line, f.Start.Column, Visible(f.Message), f.Rule.Name)
}

package report

import (
	"bufio"
	"fmt"
	"io"
)

// Concise is one line a finding, for editors and for grep.
var Concise = register(Format{
	Name:    "concise",
	Summary: "one line a finding: path:line:column: message [rule]",
	Write:   writeConcise,
})

func writeConcise(w io.Writer, r *Report) error {
	b := bufio.NewWriter(w)
	for _, f := range r.Findings {
		fmt.Fprintf(b, "%s:%d:%d: %s [%s]\n", Visible(f.Path), f.Start.Line, f.Start.Column, Visible(f.Message), f.Rule.Name)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(b, "%s\n", errorLine(e))
	}
	return b.Flush()
}

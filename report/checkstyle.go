package report

import (
	"io"

	"github.com/digestlint/digestlint/rules"
)

// Checkstyle is for the many readers of that tool's XML
// (https://checkstyle.org/result_reports.html,
// https://github.com/checkstyle/checkstyle/blob/master/config/checkstyle-report-1.0.0.xsd).
var Checkstyle = register(Format{
	Name:    "checkstyle",
	Summary: "for Jenkins and others: Checkstyle XML",
	Write:   writeCheckstyle,
})

func writeCheckstyle(w io.Writer, r *Report) error {
	x := newXMLWriter(w)
	// The version is that of the format's first reader which everybody follows.
	x.raw("<checkstyle version=\"4.3\">\n")
	open := false
	path := ""
	for f := range withErrors(r) {
		if !open || f.Path != path {
			if open {
				x.raw("  </file>\n")
			}
			x.raw("  <file")
			x.attr("name", f.Path)
			x.raw(">\n")
			open, path = true, f.Path
		}
		checkstyleError(x, f)
	}
	if open {
		x.raw("  </file>\n")
	}
	x.raw("</checkstyle>\n")
	return x.Flush()
}

func checkstyleError(x xmlWriter, f *rules.Finding) {
	x.raw("    <error")
	x.number("line", max(f.Start.Line, 1))
	x.number("column", max(f.Start.Column, 1))
	x.attr("severity", checkstyleSeverity(f.Severity))
	x.attr("message", f.Message)
	x.attr("source", "digestlint."+f.Rule.Name)
	x.raw("/>\n")
}

func checkstyleSeverity(s rules.Severity) string {
	if s == rules.Off {
		return rules.Info.String()
	}
	return s.String()
}

package report

import (
	"io"

	"github.com/digestlint/digestlint/rules"
)

// RDJSON is for reviewdog
// (https://github.com/reviewdog/reviewdog/blob/master/proto/rdf/reviewdog.proto,
// the message DiagnosticResult as JSON).
var RDJSON = register(Format{
	Name:    "rdjson",
	Summary: "for reviewdog: diagnostics",
	Write:   writeRDJSON,
})

type rdDiagnostic struct {
	Message  string     `json:"message"`
	Location rdLocation `json:"location"`
	Severity string     `json:"severity"`
	Code     rdCode     `json:"code"`
}

type rdLocation struct {
	Path  string  `json:"path"`
	Range rdRange `json:"range"`
}

// rdRange is half open.
type rdRange struct {
	Start rdPosition `json:"start"`
	End   rdPosition `json:"end"`
}

// rdPosition has its column in bytes.
type rdPosition struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

type rdCode struct {
	Value string `json:"value"`
}

func writeRDJSON(w io.Writer, r *Report) error {
	s := newJSONStream(w)
	s.raw("{\n  \"source\": {\n    \"name\": \"digestlint\"\n  },\n  \"diagnostics\": ")
	array(s, "  ", func(yield func(rdDiagnostic) bool) {
		for f := range withErrors(r) {
			if !yield(toRD(f)) {
				return
			}
		}
	})
	s.raw("\n}\n")
	return s.flush()
}

// toRD has a message that reviewers read as Markdown.
func toRD(f *rules.Finding) rdDiagnostic {
	text := Visible(f.Message)
	for _, hint := range hintLines(f) {
		text += "\nhint: " + Visible(hint)
	}
	return rdDiagnostic{
		Message:  plain(text),
		Location: rdLocation{f.Path, rdRange{rdPosition(f.Start), rdPosition(f.End)}},
		Severity: rdSeverity(f.Severity),
		Code:     rdCode{f.Rule.Name},
	}
}

func rdSeverity(s rules.Severity) string {
	switch s {
	case rules.Error:
		return "ERROR"
	case rules.Warning:
		return "WARNING"
	}
	return "INFO"
}

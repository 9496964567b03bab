package report

import "io"

// JSONL is for programs that read line by line (https://jsonlines.org/): a line
// for each finding and each error, then one for the summary. Its fields are those
// of [JSON], in the same version.
var JSONL = register(Format{
	Name:    "jsonl",
	Summary: "for programs: versioned, one object a line",
	Write:   writeJSONL,
})

// jsonLine says what a line is: "finding", "error" or "summary".
type jsonLine struct {
	Version int    `json:"version"`
	Type    string `json:"type"`
}

func writeJSONL(w io.Writer, r *Report) error {
	s := newJSONStream(w)
	s.compact()
	for i := range r.Findings {
		s.line(struct {
			jsonLine
			jsonFinding
		}{jsonLine{jsonVersion, "finding"}, toJSON(&r.Findings[i])})
	}
	for _, e := range r.Errors {
		s.line(struct {
			jsonLine
			jsonError
		}{jsonLine{jsonVersion, "error"}, jsonError(e)})
	}
	s.line(struct {
		jsonLine
		jsonSummary
	}{jsonLine{jsonVersion, "summary"}, jsonSummary(r.Summary)})
	return s.flush()
}

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/digestlint/digestlint/rules"
)

// JSON is for programs. Fields are added to it, never changed; what breaks
// readers gets another version.
var JSON = register(Format{
	Name:    "json",
	Summary: "for programs: versioned, one object",
	Write:   writeJSON,
})

// jsonVersion is that of the fields in [JSON] and [JSONL].
const jsonVersion = 1

// jsonFinding has lines and columns from one, columns in bytes; Start and End
// are byte offsets.
type jsonFinding struct {
	Path      string        `json:"path"`
	Line      int           `json:"line"`
	Column    int           `json:"column"`
	EndLine   int           `json:"end_line"`
	EndColumn int           `json:"end_column"`
	Start     int           `json:"start"`
	End       int           `json:"end"`
	Rule      string        `json:"rule"`
	Severity  string        `json:"severity"`
	Message   string        `json:"message"`
	Hint      string        `json:"hint"`
	Pointer   string        `json:"pointer"`
	Reference string        `json:"reference"`
	Related   []jsonRelated `json:"related"`
}

type jsonRelated struct {
	Path    string `json:"path"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

type jsonError struct {
	Path    string `json:"path"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

type jsonSummary struct {
	Files         int `json:"files"`
	NotRecognised int `json:"not_recognised"`
	References    int `json:"references"`
	Unpinned      int `json:"unpinned"`
	Unresolved    int `json:"unresolved"`
	Malicious     int `json:"malicious"`
}

func writeJSON(w io.Writer, r *Report) error {
	s := newJSONStream(w)
	s.raw(fmt.Sprintf("{\n  \"version\": %d,\n  \"findings\": ", jsonVersion))
	array(s, "  ", func(yield func(jsonFinding) bool) {
		for i := range r.Findings {
			if !yield(toJSON(&r.Findings[i])) {
				return
			}
		}
	})
	s.raw(",\n  \"errors\": ")
	array(s, "  ", func(yield func(jsonError) bool) {
		for _, e := range r.Errors {
			if !yield(jsonError(e)) {
				return
			}
		}
	})
	s.raw(",\n  \"summary\": ")
	s.value("  ", jsonSummary(r.Summary))
	s.raw("\n}\n")
	return s.flush()
}

func toJSON(f *rules.Finding) jsonFinding {
	out := jsonFinding{
		Path: f.Path, Line: f.Start.Line, Column: f.Start.Column, EndLine: f.End.Line, EndColumn: f.End.Column,
		Start: f.Span.Start, End: f.Span.End, Rule: f.Rule.Name, Severity: f.Severity.String(),
		Message: f.Message, Hint: f.Hint, Pointer: f.Pointer, Reference: f.Reference,
		Related: make([]jsonRelated, len(f.Related)),
	}
	for i, r := range f.Related {
		out.Related[i] = jsonRelated{r.Path, r.Start.Line, r.Start.Column, r.Message}
	}
	return out
}

// EncodeJSON writes v as indented JSON that a terminal shows without obeying any of
// it: what [Visible] would escape is escaped the way of JSON. Strings that are no
// UTF-8 get replacement characters.
func EncodeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(EscapeJSON(b.Bytes()))
	return err
}

// EscapeJSON is the JSON data with what [Visible] would escape escaped the way of
// JSON; data itself where there is nothing to escape. Such characters stand in strings
// only; the encoder has escaped those below the space.
func EscapeJSON(data []byte) []byte {
	var out []byte
	done := 0
	for at := 0; at < len(data); {
		if data[at] == '#' && logging(data[at:]) {
			out = append(out, data[done:at]...)
			out = append(out, `\u0023`...)
			at++
			done = at
			continue
		}
		if data[at] < 0x7f {
			at++
			continue
		}
		r, n := utf8.DecodeRune(data[at:])
		if hidden(r) && r != utf8.RuneError {
			out = append(out, data[done:at]...)
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
			done = at + n
		}
		at += n
	}
	if done == 0 {
		return data
	}
	return append(out, data[done:]...)
}

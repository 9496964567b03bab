package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"iter"
)

// jsonStream writes JSON piece by piece, so that a report of many findings is
// never in memory as text. It escapes like [EncodeJSON], and keeps the first
// error for flush.
type jsonStream struct {
	w      *bufio.Writer
	piece  bytes.Buffer
	encode *json.Encoder
	indent string
	err    error
}

func newJSONStream(w io.Writer) *jsonStream {
	s := &jsonStream{w: bufio.NewWriter(w), indent: "  "}
	s.encode = json.NewEncoder(&s.piece)
	s.encode.SetEscapeHTML(false)
	return s
}

// compact makes values of one line.
func (s *jsonStream) compact() { s.indent = "" }

// raw writes JSON as it is. Errors of the writer stay in it until flush.
func (s *jsonStream) raw(text string) { _, _ = s.w.WriteString(text) }

// value writes v with its lines but the first behind prefix.
func (s *jsonStream) value(prefix string, v any) {
	s.piece.Reset()
	s.encode.SetIndent(prefix, s.indent)
	if err := s.encode.Encode(v); err != nil {
		if s.err == nil {
			s.err = err
		}
		return
	}
	_, _ = s.w.Write(EscapeJSON(bytes.TrimSuffix(s.piece.Bytes(), []byte("\n"))))
}

// line writes v and a newline.
func (s *jsonStream) line(v any) {
	s.value("", v)
	s.raw("\n")
}

// array writes values as an array whose last line stands behind prefix.
func array[T any](s *jsonStream, prefix string, values iter.Seq[T]) {
	inner := prefix + s.indent
	end := "[]"
	for v := range values {
		if end == "[]" {
			s.raw("[\n" + inner)
			end = "\n" + prefix + "]"
		} else {
			s.raw(",\n" + inner)
		}
		s.value(inner, v)
	}
	s.raw(end)
}

// flush returns the first error of all that was written.
func (s *jsonStream) flush() error {
	if s.err != nil {
		return s.err
	}
	return s.w.Flush()
}

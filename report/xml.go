package report

import (
	"bufio"
	"encoding/xml"
	"io"
	"strconv"
)

// xmlWriter writes XML 1.0 (https://www.w3.org/TR/xml/). Text in it is such that
// a terminal shows it. The writer keeps the first error; Flush returns it.
type xmlWriter struct{ *bufio.Writer }

func newXMLWriter(w io.Writer) xmlWriter {
	x := xmlWriter{bufio.NewWriter(w)}
	x.raw(xml.Header)
	return x
}

func (x xmlWriter) raw(markup string) { _, _ = x.WriteString(markup) }

// text writes character data. Newlines in it are escaped, so that attributes
// keep them.
func (x xmlWriter) text(s string) {
	// The error is that of the writer, which Flush returns.
	_ = xml.EscapeText(x, []byte(s))
}

func (x xmlWriter) attr(name, value string) {
	x.raw(" " + name + `="`)
	x.text(Visible(value))
	x.raw(`"`)
}

func (x xmlWriter) number(name string, n int) { x.attr(name, strconv.Itoa(n)) }

package exposure

import (
	"bytes"
	"io"
	"testing"
)

// formats are the ways to write a plan, by the extension of their golden files.
var formats = map[string]func(*Plan, io.Writer) error{
	"text":  func(p *Plan, w io.Writer) error { return p.Text(w, false) },
	"color": func(p *Plan, w io.Writer) error { return p.Text(w, true) },
	"md":    (*Plan).Markdown,
	"json":  (*Plan).JSON,
	"html":  (*Plan).HTML,
}

func write(t testing.TB, p *Plan, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := formats[format](p, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGoldens(t *testing.T) {
	for name, p := range plans(t) {
		for format := range formats {
			if format == "color" && name != "usual" {
				continue
			}
			got := write(t, p, format)
			golden(t, "plan/"+name+"."+format, got)
			if again := write(t, plans(t)[name], format); !bytes.Equal(got, again) {
				t.Errorf("%s.%s differs from run to run", name, format)
			}
		}
	}
}

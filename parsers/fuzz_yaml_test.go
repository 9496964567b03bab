package parsers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/source"
)

// scalars yields every scalar node below n, without following aliases.
func scalars(n *node, each func(*node)) {
	if n == nil {
		return
	}
	if n.Kind == yaml.ScalarNode {
		each(n)
		return
	}
	for _, c := range n.Content {
		scalars(c, each)
	}
}

// checkScalars decodes every scalar of a stream: what is located reads as the
// library read it, and each byte that claims to stand in the file does. It
// reports how many scalars there are and how many were located.
func checkScalars(t testing.TB, f *source.File) (total, located int) {
	t.Helper()
	p := &Pass{Text: source.Whole(f), format: Compose, out: &Result{}, seen: map[useKey]bool{}}
	for _, d := range p.documents() {
		scalars(d.root, func(n *node) {
			total++
			text := d.scalar(n)
			if text == nil {
				return
			}
			located++
			if text.String() != n.Value {
				t.Errorf("line %d: the scalar %q was decoded as %q", n.Line, n.Value, text)
			}
			last := 0
			for i := range text.Data {
				span, exact := text.Span(i, i+1)
				if span.Start < last || span.End > len(f.Data) {
					t.Fatalf("line %d: byte %d of %q stands at %v behind %d", n.Line, i, text, span, last)
				}
				if last = span.Start; exact && f.Data[span.Start] != text.Data[i] {
					t.Fatalf("line %d: byte %d of %q is not what stands at %v", n.Line, i, text, span)
				}
			}
		})
	}
	for _, problem := range p.out.Problems {
		if problem.Offset < 0 || problem.Offset > len(f.Data) {
			t.Errorf("problem at %d of %d bytes", problem.Offset, len(f.Data))
		}
	}
	return total, located
}

func FuzzScalar(f *testing.F) {
	for _, tt := range scalarTests {
		f.Add([]byte(tt.text))
	}
	files, err := filepath.Glob(filepath.Join(fixtures, "*", "*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 16<<10 {
			t.Skip("longer inputs find nothing that shorter ones don't")
		}
		// Templates are masked, so that their text differs by design.
		if strings.Contains(string(data), "{{") {
			t.Skip("a template")
		}
		checkScalars(t, &source.File{Path: "fuzz.yaml", Data: data})
	})
}

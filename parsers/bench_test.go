package parsers

import (
	"path/filepath"
	"testing"

	"github.com/digestlint/digestlint/source"
)

// BenchmarkParse reads the fixtures of each format, detection included.
func BenchmarkParse(b *testing.B) {
	files := map[*Format][]*source.File{}
	fixtureFiles(b, func(folder, name string, data []byte) {
		if f := Lookup(filepath.Base(folder)); f != nil && len(data) < 64<<10 {
			files[f] = append(files[f], &source.File{Path: name, Data: data})
		}
	})
	for _, format := range Formats() {
		b.Run(format.Name, func(b *testing.B) {
			size := 0
			for _, f := range files[format] {
				size += len(f.Data)
			}
			if size == 0 {
				b.Skip("no fixtures")
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range files[format] {
					if found := Detect(f.Path, f.Data); found != nil {
						Parse(f, found, nil)
					}
				}
			}
		})
	}
}

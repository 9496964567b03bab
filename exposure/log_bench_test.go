package exposure

import (
	"bytes"
	"fmt"
	"testing"
)

// ciLog is size bytes of what jobs print, without and with times, in which every
// every-th line names an image of the advisory.
func ciLog(size, every int, timed bool) []byte {
	var b bytes.Buffer
	for n := 0; b.Len() < size; n++ {
		if timed {
			fmt.Fprintf(&b, "2026-04-22T%02d:%02d:%02d.%07dZ ", n/36000%24, n/600%60, n/10%60, n)
		}
		switch {
		case every > 0 && n%every == 0:
			b.WriteString("+ docker run --rm -v /src:/src acme/scan:v1.2 scan /src\n")
		case n%7 == 0:
			fmt.Fprintf(&b, "[INFO] Downloaded from central: https://repo.example/maven2/org/apache/lib/%d/lib.jar (%d kB at 2.1 MB/s)\n", n, n%900)
		case n%5 == 0:
			fmt.Fprintf(&b, "#12 sha256:%064x 12.58MB / 29.13MB 1.2s\n", n)
		default:
			fmt.Fprintf(&b, "  PASS src/components/table/row-%d.test.ts (%d ms): renders the header, the body and the footer\n", n, n%90)
		}
	}
	return b.Bytes()
}

func BenchmarkReadLog(b *testing.B) {
	const size = 64 << 20
	for _, bench := range []struct {
		name  string
		every int
		timed bool
	}{
		{"timed", 0, true}, {"untimed", 0, false}, {"hits", 1000, true}, {"every line a hit", 1, true},
	} {
		data := ciLog(size, bench.every, bench.timed)
		set := logSet(b)
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := ReadLog(b.Context(), "bench", bytes.NewReader(data), NewRecorder(set)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

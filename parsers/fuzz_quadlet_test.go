package parsers

import "testing"

func FuzzQuadlet(f *testing.F) { fuzzFormat(f, Quadlet) }

package parsers

import "testing"

func FuzzBake(f *testing.F) { fuzzFormat(f, Bake) }

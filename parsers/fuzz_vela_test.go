package parsers

import "testing"

func FuzzVela(f *testing.F) { fuzzFormat(f, Vela) }

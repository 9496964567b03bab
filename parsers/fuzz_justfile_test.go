package parsers

import "testing"

func FuzzJustfile(f *testing.F) { fuzzFormat(f, Justfile) }

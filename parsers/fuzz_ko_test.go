package parsers

import "testing"

func FuzzKo(f *testing.F) { fuzzFormat(f, Ko) }

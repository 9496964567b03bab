package parsers

import "testing"

func FuzzCirrus(f *testing.F) { fuzzFormat(f, Cirrus) }

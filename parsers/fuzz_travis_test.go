package parsers

import "testing"

func FuzzTravis(f *testing.F) { fuzzFormat(f, Travis) }

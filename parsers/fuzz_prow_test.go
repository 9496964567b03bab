package parsers

import "testing"

func FuzzProw(f *testing.F) { fuzzFormat(f, Prow) }

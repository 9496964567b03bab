package parsers

import "testing"

func FuzzMaven(f *testing.F) { fuzzFormat(f, Maven) }

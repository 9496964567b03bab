package parsers

import "testing"

func FuzzSkaffold(f *testing.F) { fuzzFormat(f, Skaffold) }

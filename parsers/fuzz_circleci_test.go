package parsers

import "testing"

func FuzzCircleCI(f *testing.F) { fuzzFormat(f, CircleCI) }

package parsers

import "testing"

func FuzzBazel(f *testing.F) { fuzzFormat(f, Bazel) }

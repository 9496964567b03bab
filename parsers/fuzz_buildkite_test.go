package parsers

import "testing"

func FuzzBuildkite(f *testing.F) { fuzzFormat(f, Buildkite) }

package parsers

import "testing"

func FuzzPreCommit(f *testing.F) { fuzzFormat(f, PreCommit) }

package parsers

import "testing"

func FuzzShell(f *testing.F) { fuzzFormat(f, Shell) }

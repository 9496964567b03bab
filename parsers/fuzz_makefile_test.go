package parsers

import "testing"

func FuzzMakefile(f *testing.F) { fuzzFormat(f, Makefile) }

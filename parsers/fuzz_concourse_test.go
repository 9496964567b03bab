package parsers

import "testing"

func FuzzConcourse(f *testing.F) { fuzzFormat(f, Concourse) }

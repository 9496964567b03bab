package parsers

import "testing"

func FuzzAzure(f *testing.F) { fuzzFormat(f, Azure) }

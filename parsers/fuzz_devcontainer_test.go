package parsers

import "testing"

func FuzzDevContainer(f *testing.F) { fuzzFormat(f, DevContainer) }

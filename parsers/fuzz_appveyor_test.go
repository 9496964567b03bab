package parsers

import "testing"

func FuzzAppVeyor(f *testing.F) { fuzzFormat(f, AppVeyor) }

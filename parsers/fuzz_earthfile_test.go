package parsers

import "testing"

func FuzzEarthfile(f *testing.F) { fuzzFormat(f, Earthfile) }

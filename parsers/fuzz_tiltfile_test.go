package parsers

import "testing"

func FuzzTiltfile(f *testing.F) { fuzzFormat(f, Tiltfile) }

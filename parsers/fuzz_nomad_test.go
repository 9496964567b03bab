package parsers

import "testing"

func FuzzNomad(f *testing.F) { fuzzFormat(f, Nomad) }

package parsers

import "testing"

func FuzzMolecule(f *testing.F) { fuzzFormat(f, Molecule) }

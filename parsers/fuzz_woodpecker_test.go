package parsers

import "testing"

func FuzzWoodpecker(f *testing.F) { fuzzFormat(f, Woodpecker) }

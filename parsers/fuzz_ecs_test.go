package parsers

import "testing"

func FuzzECS(f *testing.F) { fuzzFormat(f, ECS) }

package parsers

import "testing"

func FuzzGitHub(f *testing.F) { fuzzFormat(f, GitHub) }

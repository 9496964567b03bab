package parsers

import "testing"

func FuzzProjectTOML(f *testing.F) { fuzzFormat(f, ProjectTOML) }

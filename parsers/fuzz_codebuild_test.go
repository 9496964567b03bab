package parsers

import "testing"

func FuzzCodeBuild(f *testing.F) { fuzzFormat(f, CodeBuild) }

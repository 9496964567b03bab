package parsers

import "testing"

func FuzzCsproj(f *testing.F) { fuzzFormat(f, Csproj) }

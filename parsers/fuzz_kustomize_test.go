package parsers

import "testing"

func FuzzKustomize(f *testing.F) { fuzzFormat(f, Kustomize) }

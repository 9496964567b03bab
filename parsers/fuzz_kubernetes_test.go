package parsers

import "testing"

func FuzzKubernetes(f *testing.F) { fuzzFormat(f, Kubernetes) }

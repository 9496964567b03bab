package parsers

import "testing"

func FuzzHelmValues(f *testing.F) { fuzzFormat(f, HelmValues) }

func FuzzHelmChart(f *testing.F) { fuzzFormat(f, HelmChart) }

package parsers

import "testing"

func FuzzHelmValues(f *testing.F) { fuzzFormat(f, HelmValues) }

func FuzzHelmTemplate(f *testing.F) { fuzzFormat(f, HelmTemplate) }

func FuzzHelmChart(f *testing.F) { fuzzFormat(f, HelmChart) }

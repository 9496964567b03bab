package parsers

import "testing"

func FuzzCloudBuild(f *testing.F) { fuzzFormat(f, CloudBuild) }

package parsers

import "testing"

func FuzzCloudFormation(f *testing.F) { fuzzFormat(f, CloudFormation) }

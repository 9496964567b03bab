package parsers

import "testing"

func FuzzTerraform(f *testing.F) { fuzzFormat(f, Terraform) }

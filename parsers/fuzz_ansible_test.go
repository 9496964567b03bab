package parsers

import "testing"

func FuzzAnsible(f *testing.F) { fuzzFormat(f, Ansible) }

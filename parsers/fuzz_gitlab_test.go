package parsers

import "testing"

func FuzzGitLab(f *testing.F) { fuzzFormat(f, GitLab) }

package parsers

import "testing"

func FuzzGradle(f *testing.F) { fuzzFormat(f, Gradle) }

package parsers

import "testing"

func FuzzCompose(f *testing.F) { fuzzFormat(f, Compose) }

package parsers

import "testing"

func FuzzSemaphore(f *testing.F) { fuzzFormat(f, Semaphore) }

package advisories

import (
	"bytes"

	"github.com/digestlint/digestlint/source"
)

const (
	sha256Prefix = "sha256:"
	hexDigits    = 64 // of a SHA-256 digest
)

// sum is the bytes of a SHA-256 digest.
type sum [hexDigits / 2]byte

// nibble is the value of a hex digit of either case plus one, zero for any
// other byte.
var nibble = [256]byte{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16,
	'A': 11, 'B': 12, 'C': 13, 'D': 14, 'E': 15, 'F': 16,
}

// Mention is a listed digest somewhere in bytes.
type Mention struct {
	// Span is its hex digits and a "sha256:", "sha256-" or "sha256%3A" right
	// before them.
	Span source.Span
	Hit  Hit
}

// Scan finds the 64 hex digits of every listed digest in data, whatever stands
// around them, in either case, in order. Digits within a longer run of digits
// are another number. It allocates nothing unless it finds one.
func (x *Set) Scan(data []byte) []Mention {
	var found []Mention
	// A run of 64 digits holds exactly one offset of each residue modulo 64,
	// so one probe in 64 bytes misses none.
	for probe := hexDigits - 1; probe < len(data); probe += hexDigits {
		if nibble[data[probe]] == 0 {
			continue
		}
		start, ok := digitsAround(data, probe)
		if !ok {
			continue
		}
		if hit, ok := x.digests[parseSum(data[start:start+hexDigits])]; ok {
			span := source.Span{Start: start - prefixLen(data[:start]), End: start + hexDigits}
			found = append(found, Mention{span, hit})
		}
	}
	return found
}

// Scan is [Set.Scan] of the advisories in use.
func Scan(data []byte) []Mention { return load().Scan(data) }

// escape is the number of bytes of a percent-escape after its "%".
const escape = 2

// digitsAround is the start of the 64 digits that probe is one of, if they are
// a run of their own. In "sha256%3A2588…" the run has two digits more, which
// belong to the escaped colon.
func digitsAround(data []byte, probe int) (int, bool) {
	const most = hexDigits + escape
	start, end := probe, probe+1
	for start > 0 && end-start <= most && nibble[data[start-1]] != 0 {
		start--
	}
	for end < len(data) && end-start <= most && nibble[data[end]] != 0 {
		end++
	}
	if end-start == most && start > 0 && data[start-1] == '%' {
		start += escape
	}
	return start, end-start == hexDigits && start <= probe
}

// parseSum is the value of 64 hex digits.
func parseSum[T []byte | string](digits T) (s sum) {
	for i := range s {
		s[i] = (nibble[digits[2*i]]-1)<<4 | (nibble[digits[2*i+1]] - 1)
	}
	return s
}

// prefixes are the ways to introduce a digest: in a reference, in a file name or
// an attestation's tag, in a URL.
var prefixes = [][]byte{[]byte(sha256Prefix), []byte("sha256-"), []byte("sha256%3A")}

// prefixLen is the number of bytes of the prefix that before ends in.
func prefixLen(before []byte) int {
	for _, p := range prefixes {
		if at := len(before) - len(p); at >= 0 && bytes.EqualFold(before[at:], p) {
			return len(p)
		}
	}
	return 0
}

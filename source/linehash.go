package source

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Sizes of line hashes.
const (
	hashUnits = 100     // UTF-16 code units that the hash of a line covers
	maxHashed = 4 << 20 // bytes of a file whose lines are hashed
)

// lineHash is the hash of a line, and which of the lines with that hash it is,
// from one.
type lineHash struct {
	sum uint64
	nth int
}

func (h lineHash) String() string { return fmt.Sprintf("%x:%d", h.sum, h.nth) }

// LineHash identifies a line (from one) when others move, as GitHub computes it
// for its alerts: the primaryLocationLineHash of
// https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#preventing-duplicate-alerts-using-fingerprints,
// by the algorithm of
// https://github.com/github/codeql-action/blob/main/src/fingerprints.ts. It is
// empty for a line that there is not, and in a file of more than 4 MiB.
func (f *File) LineHash(line int) string {
	if len(f.Data) > maxHashed {
		return ""
	}
	f.hashOnce.Do(func() { f.hashes, f.hashAt = hashLines(f.Data) })
	if line < 1 || line > len(f.hashAt) {
		return ""
	}
	return f.hashes[f.hashAt[line-1]].String()
}

// hashLines is the hashes of the lines of a file, and for each line of
// [File.Line] which of them is its own. The hashes have more lines where a
// carriage return stands alone, which ends a line for them.
func hashLines(data []byte) (hashes []lineHash, at []int) {
	units, starts, at := hashedUnits(data)
	seen := map[uint64]int{}
	hashes = make([]lineHash, len(starts))
	for i, start := range starts {
		sum := hashUnitsFrom(units, start)
		seen[sum]++
		hashes[i] = lineHash{sum, seen[sum]}
	}
	return hashes, at
}

// hashUnitsFrom is a polynomial over the units from start on, with zeros behind
// the last one.
func hashUnitsFrom(units []uint16, start int) uint64 {
	const base = 37
	var sum uint64
	for i := start; i < start+hashUnits; i++ {
		sum *= base
		if i < len(units) {
			sum += uint64(units[i])
		}
	}
	return sum
}

// hashedUnits is what line hashes are made of: the UTF-16 code units of a file
// without spaces and tabs, with line feeds for all line endings and an end mark;
// where in them each line starts; and for each line of [File.Line] the number of
// the line that starts there.
func hashedUnits(data []byte) (units []uint16, starts, at []int) {
	const endMark = 0xffff
	lineStart, afterCR := true, false
	add := func(u uint16) {
		if lineStart {
			starts = append(starts, len(units))
		}
		lineStart = u == '\n'
		units = append(units, u)
	}
	units = make([]uint16, 0, len(data)+1)
	at = append(at, 0)
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		i += n
		switch {
		case r == ' ', r == '\t':
			afterCR = false
			continue
		case r == '\r':
			add('\n')
		case r == '\n' && afterCR:
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			add(uint16(high))
			add(uint16(low))
		default:
			add(uint16(r))
		}
		afterCR = r == '\r'
		if r == '\n' {
			at = append(at, len(starts))
		}
	}
	add(endMark)
	return units, starts, at
}

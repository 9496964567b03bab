package lint

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/digestlint/digestlint/advisories"
)

// Large files are read in parts of largePart bytes. What is longer than
// largeOverlap bytes, no digest with what introduces it, may stand across two.
// Both are even, so that no code unit of UTF-16 is cut.
const (
	largePart    = 4 << 20
	largeOverlap = 256
)

// mentions reports whether a file that is too large to be parsed has a listed
// digest in it. A binary one is searched only where binaries is set: disk images
// and the like are too many, and too large. It holds only a part of the file at
// a time, since a file of some bytes on disk can be of any size.
func mentions(f io.Reader, binaries bool) (bool, error) {
	buf := make([]byte, largePart)
	kept := 0
	var order binary.ByteOrder
	for first := true; ; first = false {
		n, err := io.ReadFull(f, buf[kept:])
		part := buf[:kept+n]
		if first {
			order = utf16Order(part)
		}
		switch {
		case first && isBinary(part) && !binaries:
			return false, nil
		case listed(part, order):
			return true, nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return false, nil
		case err != nil:
			return false, err
		}
		kept = copy(buf, part[len(part)-largeOverlap:])
	}
}

// listed reports whether text in UTF-8, or in UTF-16 of that order, has a listed
// digest in it.
func listed(text []byte, order binary.ByteOrder) bool {
	if order != nil {
		text = fromUTF16(text, order)
	}
	return len(advisories.Scan(text)) > 0
}

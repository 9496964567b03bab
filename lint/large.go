package lint

import (
	"errors"
	"io"
	"os"

	"github.com/digestlint/digestlint/advisories"
)

// Large files are read in parts of largePart bytes. What is longer than
// largeOverlap bytes, no digest with what introduces it, may stand across two.
const (
	largePart    = 4 << 20
	largeOverlap = 256
)

// mentions reports whether a file that is too large to be parsed is a text with
// a listed digest in it. It holds only a part of the file at a time, since a
// file of some bytes on disk can be of any size.
func mentions(f *os.File) (bool, error) {
	buf := make([]byte, largePart)
	kept := 0
	for first := true; ; first = false {
		n, err := io.ReadFull(f, buf[kept:])
		part := buf[:kept+n]
		switch {
		case first && isBinary(part):
			return false, nil
		case len(advisories.Scan(part)) > 0:
			return true, nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return false, nil
		case err != nil:
			return false, err
		}
		kept = copy(buf, part[len(part)-largeOverlap:])
	}
}

//go:build !unix

package lint

import (
	"io"
	"os"
)

// opened is an open file that is about to be read whole.
type opened struct{ *os.File }

// openRegular opens a file unless it is a link that the user has not named.
func openRegular(name string, follow bool) (opened, error) {
	if !follow {
		if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
			return opened{}, errSkip
		}
	}
	f, err := os.Open(name)
	return opened{f}, err
}

// stat is the size in bytes, and whether this is a regular file.
func (o opened) stat() (size int64, regular bool, err error) {
	info, err := o.Stat()
	if err != nil {
		return 0, false, err
	}
	return info.Size(), info.Mode().IsRegular(), nil
}

func (o opened) rewind() error {
	_, err := o.Seek(0, io.SeekStart)
	return err
}

func (o opened) close() { _ = o.Close() }

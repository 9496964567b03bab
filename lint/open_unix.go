//go:build unix

package lint

import (
	"errors"
	"os"
	"syscall"
)

// openRegular opens a file without waiting for the other end of a FIFO, and
// without following a link that the user has not named.
func openRegular(name string, follow bool) (*os.File, error) {
	flags := os.O_RDONLY | syscall.O_NONBLOCK
	if !follow {
		flags |= syscall.O_NOFOLLOW
	}
	f, err := os.OpenFile(name, flags, 0)
	if !follow && (errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO)) {
		return nil, errSkip // a link, or a socket
	}
	return f, err
}

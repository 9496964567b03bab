//go:build unix

package lint

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// opened is an open file that is about to be read whole. It is not an [os.File],
// which costs two more calls to the kernel and a finalizer each: a tree has many
// files, and most have nothing in them but must be read.
type opened struct {
	fd   int
	name string
}

// openRegular opens a file without waiting for the other end of a FIFO, and
// without following a link that the user has not named.
func openRegular(name string, follow bool) (opened, error) {
	flags := syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NONBLOCK
	if !follow {
		flags |= syscall.O_NOFOLLOW
	}
	fd, err := uninterrupted(func() (int, error) { return syscall.Open(name, flags, 0) })
	if !follow && (errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO)) {
		return opened{}, errSkip // a link, or a socket
	}
	if err != nil {
		return opened{}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return opened{fd, name}, nil
}

// stat is the size in bytes, and whether this is a regular file.
func (o opened) stat() (size int64, regular bool, err error) {
	var st syscall.Stat_t
	_, err = uninterrupted(func() (int, error) { return 0, syscall.Fstat(o.fd, &st) })
	if err != nil {
		return 0, false, &fs.PathError{Op: "stat", Path: o.name, Err: err}
	}
	return st.Size, st.Mode&syscall.S_IFMT == syscall.S_IFREG, nil
}

// Read is that of [io.Reader].
func (o opened) Read(p []byte) (int, error) {
	n, err := uninterrupted(func() (int, error) { return syscall.Read(o.fd, p) })
	switch {
	case err != nil:
		return 0, &fs.PathError{Op: "read", Path: o.name, Err: err}
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

func (o opened) rewind() error {
	_, err := syscall.Seek(o.fd, 0, io.SeekStart)
	return os.NewSyscallError("seek", err)
}

func (o opened) close() { _ = syscall.Close(o.fd) }

// uninterrupted calls again what a signal has interrupted.
func uninterrupted(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

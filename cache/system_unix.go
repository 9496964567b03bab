//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package cache

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openFlags keep what was swapped in after the first look from being followed
// or waited for: a symbolic link, a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// tryLock takes the lock on file unless somebody else has it. A file system
// without locks counts as locked: the worst that can come of it is that one of
// two processes saves in vain.
func tryLock(file *os.File) bool {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return !errors.Is(err, syscall.EWOULDBLOCK)
		}
	}
}

// foreign reports whether somebody else can have written the file.
func foreign(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(s.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0
}

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package rewrite

import (
	"errors"
	"os"
	"syscall"
)

// openFlags keep what was swapped in after the first look from being followed
// or waited for: a symbolic link, a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// replacesOpenFiles reports whether a rename may replace a file that is open.
// The lock ends with closing, so that it then covers the rename.
const replacesOpenFiles = true

// tryLock takes the lock on file unless somebody else has it. A file system
// without locks counts as locked: what they add can't be had there.
func tryLock(file *os.File) bool {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return !errors.Is(err, syscall.EWOULDBLOCK)
		}
	}
}

// links is the number of names that a file has.
func links(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink) //nolint:unconvert // narrower on macOS and the BSDs
	}
	return 1
}

// keepOwner gives temp the owner and group that info has, or at least the
// group, and reports whether it has both now.
func keepOwner(temp *os.File, info os.FileInfo) bool {
	want, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	if now, err := temp.Stat(); err == nil {
		if have, ok := now.Sys().(*syscall.Stat_t); ok && have.Uid == want.Uid && have.Gid == want.Gid {
			return true
		}
	}
	if temp.Chown(int(want.Uid), int(want.Gid)) == nil {
		return true
	}
	// Only root gives files away, but owners may choose among their groups.
	_ = temp.Chown(-1, int(want.Gid))
	return false
}

// SyncFolder flushes the names in dir to disk, as far as its file system can:
// what [WriteFile] has put in place there then stays, whatever happens.
func SyncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

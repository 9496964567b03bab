//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package cache

import (
	"io/fs"
	"os"
)

const openFlags = 0

// tryLock always succeeds: the worst that can come of it is that one of two
// processes saves in vain.
func tryLock(*os.File) bool { return true }

// foreign reports false: who may write a file is up to its folder, which on
// these systems is one of the user's own.
func foreign(fs.FileInfo) bool { return false }

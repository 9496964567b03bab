//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package rewrite

import "os"

const openFlags = 0

// replacesOpenFiles is false for the sake of Windows, which replaces no file
// that is open.
const replacesOpenFiles = false

func tryLock(*os.File) bool { return true }

func links(os.FileInfo) uint64 { return 1 }

// keepOwner reports true: a new file's owner and access are its folder's.
func keepOwner(*os.File, os.FileInfo) bool { return true }

// SyncFolder does nothing: there is no way to flush the names in a folder.
func SyncFolder(string) {}

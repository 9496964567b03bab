//go:build !unix

package lint

import "os"

// openRegular opens a file unless it is a link that the user has not named.
func openRegular(name string, follow bool) (*os.File, error) {
	if !follow {
		if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
			return nil, errSkip
		}
	}
	return os.Open(name)
}

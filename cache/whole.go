package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ReadFile reads a file that [UpdateFile] has written. That there is none is
// [fs.ErrNotExist]; a file that somebody else may have written is an error, too.
func ReadFile(path string) ([]byte, error) { return readBytes(path) }

// UpdateFile puts what change gives in the place of the file at path, which is
// for this user alone, at once as a whole. Change is given what [ReadFile]
// says; where it gives an error, that is returned and the file stays. No other
// process updates a file of the same folder meanwhile.
func UpdateFile(path string, change func(old []byte, err error) ([]byte, error)) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(dir, lockName), lockWait)
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	defer unlock()
	sweep(dir, time.Now())
	data, err := change(readBytes(path))
	if err != nil {
		return err
	}
	return replace(path, data)
}

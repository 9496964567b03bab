package rewrite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What the names of temporary files start and end with; digits are between.
const (
	tempPrefix = ".digestlint-"
	tempSuffix = ".tmp"
)

// IsTemp reports whether name, without a folder, is one that [WriteFile] gives
// its temporary files.
func IsTemp(name string) bool {
	digits, prefix := strings.CutPrefix(name, tempPrefix)
	digits, suffix := strings.CutSuffix(digits, tempSuffix)
	return prefix && suffix && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// RemoveTemps removes the temporary files in dir that killed processes have
// left, and returns their paths. Those that a process has locked, as it still
// writes them, stay, and so does all that is no regular file of one name. What
// can't be listed or removed stays without an error: nothing depends on it.
func RemoveTemps(dir string) (removed []string) {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if path := filepath.Join(dir, name); IsTemp(name) && removeTemp(path) {
			removed = append(removed, path)
		}
	}
	return removed
}

func removeTemp(path string) bool {
	if refuse(path) != nil {
		return false
	}
	file, err := os.OpenFile(path, os.O_RDWR|openFlags, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || links(info) > 1 || !tryLock(file) || !named(file, path) {
		return false
	}
	if !replacesOpenFiles {
		file.Close() // nor does such a system remove them
	}
	return os.Remove(path) == nil
}

// named reports whether path still leads to the open file.
func named(file *os.File, path string) bool {
	info, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, info)
}

// createTemp makes a new temporary file in dir, and locks it, so that
// [RemoveTemps] leaves it alone.
func createTemp(dir string) (*os.File, error) {
	for range 100 {
		temp, err := os.CreateTemp(dir, tempPrefix+"*"+tempSuffix)
		if err != nil {
			return nil, err
		}
		// Before the lock somebody may have taken the file for a left one.
		if tryLock(temp) && named(temp, temp.Name()) {
			return temp, nil
		}
		temp.Close()
	}
	return nil, errors.New("somebody removes every temporary file")
}

// writeTemp writes data into a new file in dir, with the mode and owner of the
// file that info describes, and returns it open and locked. On an error there is
// no such file.
func writeTemp(dir string, info os.FileInfo, data []byte) (*os.File, error) {
	temp, err := createTemp(dir)
	if err != nil {
		return nil, err
	}
	if err := fillTemp(temp, info, data); err != nil {
		temp.Close()
		os.Remove(temp.Name())
		return nil, err
	}
	return temp, nil
}

func fillTemp(temp *os.File, info os.FileInfo, data []byte) error {
	if _, err := temp.Write(data); err != nil {
		return err
	}
	mode := info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if !keepOwner(temp, info) {
		// These bits would lend somebody else's rights now.
		mode &= fs.ModePerm
	}
	// The mode comes after the owner: to change the owner clears bits of it.
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	return temp.Sync()
}

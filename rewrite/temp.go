package rewrite

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
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

// RemoveTemps removes the temporary files that killed processes have left in
// dir, a folder below root, and returns their paths. Those that a process has locked, as it still
// writes them, stay, and so does all that is no regular file of one name. What
// can't be listed or removed stays without an error: nothing depends on it.
func RemoveTemps(root, dir string) (removed []string) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil
	}
	defer r.Close()
	folder, err := r.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer folder.Close()
	d, err := folder.Open(".")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if IsTemp(name) && removeTemp(folder, name) {
			removed = append(removed, filepath.Join(root, dir, name))
		}
	}
	return removed
}

func removeTemp(dir *os.Root, name string) bool {
	if refuse(dir, name) != nil {
		return false
	}
	file, err := dir.OpenFile(name, os.O_RDWR|openFlags, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || links(info) > 1 || !tryLock(file) || !named(file, dir, name) {
		return false
	}
	if !replacesOpenFiles {
		file.Close() // nor does such a system remove them
	}
	return dir.Remove(name) == nil
}

// named reports whether the name in dir still leads to the open file.
func named(file *os.File, dir *os.Root, name string) bool {
	info, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := dir.Lstat(name)
	return err == nil && os.SameFile(now, info)
}

// createTemp makes a new temporary file in dir, and locks it, so that
// [RemoveTemps] leaves it alone.
func createTemp(dir *os.Root) (*os.File, error) {
	for range 100 {
		name := tempPrefix + strconv.FormatUint(uint64(rand.Uint32()), 10) + tempSuffix
		temp, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// Before the lock somebody may have taken the file for a left one.
		if tryLock(temp) && named(temp, dir, name) {
			return temp, nil
		}
		temp.Close()
	}
	return nil, errors.New("somebody removes every temporary file")
}

// writeTemp writes data into a new file in dir, with the mode and owner of the
// file that info describes, and returns it open and locked. On an error there is
// no such file.
func writeTemp(dir *os.Root, info os.FileInfo, data []byte) (*os.File, error) {
	temp, err := createTemp(dir)
	if err != nil {
		return nil, err
	}
	if err := fillTemp(temp, info, data); err != nil {
		temp.Close()
		_ = dir.Remove(filepath.Base(temp.Name()))
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

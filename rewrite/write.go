package rewrite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Reasons why WriteFile leaves a file as it is. An error that is none of them
// comes from the operating system.
var (
	// ErrChanged is a file whose content is no longer what was read, or that
	// somebody touches, replaces or removes while it is being replaced.
	ErrChanged = errors.New("changed since it was read")
	// ErrSymlink is a path that is a symbolic link. Replacing the link would
	// leave the file behind it alone; which of the two is meant, and whether
	// the file lies where it may be changed, is for the caller to decide.
	ErrSymlink = errors.New("a symbolic link is not written through")
	// ErrNotRegular is a path that is a folder, a pipe, a device.
	ErrNotRegular = errors.New("not a regular file")
	// ErrHardLinks is a file that has other names too. They would keep the
	// old content, without a word, and writing in place is not atomic.
	ErrHardLinks = errors.New("the file has other hard links, which would keep the old content; " +
		"replace it by a copy of itself to part them")
	// ErrLocked is a file on which another program holds a lock for long.
	ErrLocked = errors.New("locked by another program")
)

// lockWait is how long to wait for others who write the same file; to replace
// one takes them milliseconds.
const lockWait = 10 * time.Second

// WriteFile replaces the content of the regular file at path, old, by new. If
// the file holds anything but old it stays as it is and the error is
// [ErrChanged]; a file that holds new already is left alone without an error,
// as somebody else has made the same edits. Nothing is done, not even looked
// at, where old equals new.
//
// The new content goes to a temporary file in the same folder, whose name
// [IsTemp] knows, gets the permission bits of the file and, where permitted, its
// owner and group, is flushed to disk, and takes the place of the file by a
// rename. So whoever opens path, at any moment and even after
// this process was killed or the power was cut, finds the old content or the
// new one, whole. A killed process may leave its temporary file; errors don't.
// Until [SyncFolder] a power cut could bring back the old content.
//
// Several processes may do this at once. On Linux, macOS and the BSDs each
// takes a lock (flock) on the file from the check of its content to the rename,
// so that one edit never undoes another: of those who start from the same old
// content one succeeds, and the others see ErrChanged unless they want the same
// new content. Where there is no such lock (Windows, some network file systems)
// the check directly before the rename leaves a moment in which the later of
// two writers wins; the file is whole even so. The same holds everywhere for
// other programs, which don't know of the lock.
//
// The file must be writable, although a rename would not need it to be: what is
// marked read-only stays as it is. Symbolic links, and files with several hard
// links as far as the system counts these, are refused. Access control lists
// and extended attributes are not carried over.
func WriteFile(path string, old, new []byte) error {
	if bytes.Equal(old, new) {
		return nil
	}
	r, err := stage(path, old, new)
	if err == nil && r != nil {
		err = r.commit()
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}

// replacement is a new content that waits beside the file it will replace.
type replacement struct {
	*target
	old  []byte
	temp *os.File // the temporary file, open and locked for as long as it has its name
}

// stage writes new into a temporary file beside path, if path holds old. There
// is no replacement if it holds new.
func stage(path string, old, new []byte) (*replacement, error) {
	t, err := open(path)
	if err != nil {
		return nil, err
	}
	temp, err := t.stage(old, new)
	if err != nil || temp == nil {
		t.file.Close()
		return nil, err
	}
	return &replacement{target: t, old: old, temp: temp}, nil
}

// stage is the temporary file, none if t holds new.
func (t *target) stage(old, new []byte) (*os.File, error) {
	same, err := t.holds(old)
	if err != nil {
		return nil, err
	}
	if !same {
		if done, err := t.holds(new); err != nil || done {
			return nil, err
		}
		return nil, ErrChanged
	}
	return writeTemp(filepath.Dir(t.path), t.info, new)
}

// commit puts the replacement in place, if the file is still what it was, and
// releases all that stage took.
func (r *replacement) commit() error {
	defer r.file.Close()
	defer r.temp.Close()
	err := r.unchanged()
	if !replacesOpenFiles {
		r.file.Close()
		r.temp.Close()
	}
	if err == nil {
		err = os.Rename(r.temp.Name(), r.path)
	}
	if err != nil {
		os.Remove(r.temp.Name())
	}
	return err
}

// unchanged is ErrChanged if the path leads elsewhere by now, or if content,
// size, time or mode of the file are not what they were.
func (r *replacement) unchanged() error {
	now, err := os.Lstat(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrChanged
	case err != nil:
		return err
	case !os.SameFile(now, r.info), now.Mode() != r.info.Mode(), !now.ModTime().Equal(r.info.ModTime()):
		return ErrChanged
	}
	same, err := r.holds(r.old)
	if err == nil && !same {
		err = ErrChanged
	}
	return err
}

// target is an open file that may be replaced.
type target struct {
	path string
	file *os.File    // locked where the system can
	info os.FileInfo // of file, from under the lock
}

// errReplaced is a path that leads to another file by the time that the lock is
// there: whoever had the lock has replaced it.
var errReplaced = errors.New("replaced while waiting for the lock")

// open opens and locks the file at path.
func open(path string) (*target, error) {
	for range 100 {
		t, err := openOnce(path)
		if !errors.Is(err, errReplaced) {
			return t, err
		}
	}
	return nil, ErrChanged
}

func openOnce(path string) (_ *target, err error) {
	if err := refuse(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	if err := lock(file, lockWait); err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	now, err := os.Lstat(path)
	if err != nil || !os.SameFile(now, info) {
		return nil, errReplaced
	}
	if links(info) > 1 {
		return nil, ErrHardLinks
	}
	return &target{path, file, info}, nil
}

// refuse says why what stands at path is not even opened: to open a pipe or a
// device may have effects.
func refuse(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrChanged, err)
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return ErrSymlink
	case !info.Mode().IsRegular():
		return ErrNotRegular
	}
	return nil
}

// lock waits for the lock on file, which ends when file is closed.
func lock(file *os.File, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; !tryLock(file); pause = min(2*pause, 16*time.Millisecond) {
		if time.Now().After(deadline) {
			return ErrLocked
		}
		time.Sleep(pause)
	}
	return nil
}

// holds reports whether the content of the file is want.
func (t *target) holds(want []byte) (bool, error) {
	limit := int64(len(want)) + 1 // one byte more shows that there is more
	got, err := io.ReadAll(io.NewSectionReader(t.file, 0, limit))
	return bytes.Equal(got, want), err
}

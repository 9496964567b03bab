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

// WriteFile is [WriteFileIn] for a path of which the caller trusts the folder.
func WriteFile(path string, old, new []byte) error {
	return WriteFileIn(filepath.Dir(path), filepath.Base(path), old, new)
}

// WriteFileIn replaces the content of the regular file at name below the folder
// root, old, by new. If
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
// Whatever becomes of the folders on the way meanwhile, nothing is written
// outside of root: a link that leads out of it is an error, and one that takes
// the place of a folder after that was opened is not followed ([os.Root]).
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
func WriteFileIn(root, name string, old, new []byte) error {
	if bytes.Equal(old, new) {
		return nil
	}
	r, err := stage(root, name, old, new)
	if err == nil && r != nil {
		err = r.commit()
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w", filepath.Join(root, name), err)
	}
	return nil
}

// replacement is a new content that waits beside the file it will replace.
type replacement struct {
	*target
	old  []byte
	temp *os.File // the temporary file, open and locked for as long as it has its name
}

// stage writes new into a temporary file beside the one at name below root, if
// that holds old. There is no replacement if it holds new.
func stage(root, name string, old, new []byte) (*replacement, error) {
	t, err := open(root, name)
	if err != nil {
		return nil, err
	}
	temp, err := t.stage(old, new)
	if err != nil || temp == nil {
		t.close()
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
	return writeTemp(t.dir, t.info, new)
}

// commit puts the replacement in place, if the file is still what it was, and
// releases all that stage took.
func (r *replacement) commit() error {
	return r.place(r.unchanged())
}

// place renames the temporary file unless err says not to, and closes all.
func (r *replacement) place(err error) error {
	defer r.close()
	defer r.temp.Close()
	if !replacesOpenFiles {
		r.file.Close()
		r.temp.Close()
	}
	temp := filepath.Base(r.temp.Name())
	if err == nil {
		err = r.dir.Rename(temp, r.base)
	}
	if err != nil {
		_ = r.dir.Remove(temp)
	}
	return err
}

// unchanged is ErrChanged if the name leads elsewhere by now, or if content,
// size, time or mode of the file are not what they were.
func (r *replacement) unchanged() error {
	now, err := r.root.Lstat(r.name)
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
	root *os.Root
	name string      // below root
	dir  *os.Root    // the folder of the file, wherever that is moved
	base string      // the name in dir
	file *os.File    // locked where the system can
	info os.FileInfo // of file, from under the lock
}

func (t *target) close() {
	if t.file != nil {
		t.file.Close()
	}
	if t.dir != nil {
		t.dir.Close()
	}
	t.root.Close()
}

// errReplaced is a name that leads to another file by the time that the lock is
// there: whoever had the lock has replaced it.
var errReplaced = errors.New("replaced while waiting for the lock")

// open opens and locks the file at name below root.
func open(root, name string) (*target, error) {
	for range 100 {
		t, err := openOnce(root, name)
		if !errors.Is(err, errReplaced) {
			return t, err
		}
	}
	return nil, ErrChanged
}

func openOnce(root, name string) (*target, error) {
	folder, err := os.OpenRoot(root)
	if err != nil {
		return nil, missing(err)
	}
	t := &target{root: folder, name: name, base: filepath.Base(name)}
	if err := t.open(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *target) open() error {
	var err error
	if t.dir, err = t.root.OpenRoot(filepath.Dir(t.name)); err != nil {
		return missing(err)
	}
	if err := refuse(t.dir, t.base); err != nil {
		return err
	}
	if t.file, err = t.dir.OpenFile(t.base, os.O_RDWR|openFlags, 0); err != nil {
		return err
	}
	if err := lock(t.file, lockWait); err != nil {
		return err
	}
	if t.info, err = t.file.Stat(); err != nil {
		return err
	}
	if now, err := t.dir.Lstat(t.base); err != nil || !os.SameFile(now, t.info) {
		return errReplaced
	}
	if links(t.info) > 1 {
		return ErrHardLinks
	}
	return nil
}

// missing is err, what is not there being a change.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}

// refuse says why what has the name in dir is not even opened: to open a pipe or
// a device may have effects.
func refuse(dir *os.Root, name string) error {
	info, err := dir.Lstat(name)
	switch {
	case err != nil:
		return missing(err)
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

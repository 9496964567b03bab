//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package rewrite

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestWriteFileRefusesHardLinks(t *testing.T) {
	path := newFile(t, []byte("a"), 0o644)
	if err := os.Link(path, path+"2"); err != nil {
		t.Skip(err)
	}
	if err := WriteFile(path, []byte("a"), []byte("b")); !errors.Is(err, ErrHardLinks) {
		t.Errorf("error %v, want ErrHardLinks", err)
	}
	checkFile(t, path, []byte("a"), "file.yaml2")
	if err := os.Remove(path + "2"); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("a"), []byte("b")); err != nil {
		t.Errorf("with one name left: %v", err)
	}
	checkFile(t, path, []byte("b"))
}

func TestWriteFileRefusesPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Skip(err)
	}
	if err := WriteFile(path, []byte("a"), []byte("b")); !errors.Is(err, ErrNotRegular) {
		t.Errorf("error %v, want ErrNotRegular", err)
	}
	checkFolder(t, path)
}

func TestWriteFileKeepsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	path := newFile(t, []byte("a"), 0o640)
	if err := os.Chown(path, 1234, 2345); err != nil {
		t.Skip(err)
	}
	if err := os.Chmod(path, 0o751|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("a"), []byte("b")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 1234 || s.Gid != 2345 || info.Mode() != 0o751|os.ModeSetgid {
		t.Errorf("owner %d:%d, mode %v", s.Uid, s.Gid, info.Mode())
	}
}

func TestLock(t *testing.T) {
	path := newFile(t, []byte("a"), 0o644)
	first, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := lock(first, 0); err != nil {
		t.Fatal(err)
	}
	if err := lock(second, 3*time.Millisecond); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: error %v, want ErrLocked", err)
	}
	first.Close()
	if err := lock(second, 0); err != nil {
		t.Errorf("after the first is gone: %v", err)
	}
}

// TestWriteFileWaits has a writer wait for another one, who replaces the file:
// the one that waited then looks at the new file, not at the one it has open.
func TestWriteFileWaits(t *testing.T) {
	path := newFile(t, []byte("a"), 0o644)
	r, err := stage(filepath.Dir(path), filepath.Base(path), []byte("a"), []byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 2)
	for _, edit := range [][2]string{{"a", "c"}, {"a", "b"}} {
		go func() { errs <- WriteFile(path, []byte(edit[0]), []byte(edit[1])) }()
	}
	time.Sleep(20 * time.Millisecond)
	checkFile(t, path, []byte("a"), filepath.Base(r.temp.Name()))
	if err := r.commit(); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for range cap(errs) {
		switch err := <-errs; {
		case errors.Is(err, ErrChanged):
			changed++
		case err != nil:
			t.Error(err)
		}
	}
	if changed != 1 {
		t.Errorf("%d writers saw the change, want the one with other edits", changed)
	}
	checkFile(t, path, []byte("b"))
}

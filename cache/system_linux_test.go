package cache

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is a user who owns nothing.
const nobody = 65534

// asNobody calls f with the rights on files of an ordinary user.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	// The file system user id belongs to the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Skip(err)
	}
	defer func() { _ = syscall.Setfsuid(0) }()
	f()
}

// goodFile writes a file that can be believed into a folder that all may read.
func goodFile(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, fileName), file(t, dated("old", start, start)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestForeign(t *testing.T) {
	t.Run("owner", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("only root gives files away")
		}
		dir := goodFile(t)
		if err := os.Chown(filepath.Join(dir, fileName), nobody, -1); err != nil {
			t.Fatal(err)
		}
		replaces(t, dir, "another user")
	})
	for _, mode := range []fs.FileMode{0o620, 0o602} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := goodFile(t)
			if err := os.Chmod(filepath.Join(dir, fileName), mode); err != nil {
				t.Fatal(err)
			}
			replaces(t, dir, "another user")
		})
	}
	t.Run("readable", func(t *testing.T) {
		dir := goodFile(t)
		if err := os.Chmod(filepath.Join(dir, fileName), 0o644); err != nil {
			t.Fatal(err)
		}
		check(t, open(t, dir, &clock{start}), "old", "v")
	})
	t.Run("pipe", func(t *testing.T) {
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, fileName), 0o600); err != nil {
			t.Skip(err)
		}
		replaces(t, dir, "regular")
	})
	t.Run("unreadable", func(t *testing.T) {
		dir := goodFile(t)
		if err := os.Chmod(filepath.Join(dir, fileName), 0); err != nil {
			t.Fatal(err)
		}
		var w warnings
		asNobody(t, func() { check(t, Open(dir, w.warn), "old", "") })
		if len(w.said) != 1 || !strings.Contains(w.said[0], "permission") {
			t.Errorf("warnings %q", w.said)
		}
	})
}

func TestReadOnlyFolder(t *testing.T) {
	dir := goodFile(t)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	s := Open(dir, nil)
	asNobody(t, func() {
		s.Put("k", "v")
		if err := s.Save(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("error %v, want ErrPermission", err)
		}
	})
	check(t, s, "k", "v")
	check(t, open(t, dir, &clock{start}), "old", "v")
}

// TestDiskFull saves in a process that may not write a file of that size. The
// limit is not set here, as it would hit the log of the test.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	now := &clock{time.Now()} // the other process has no other clock
	s := open(t, dir, now)
	s.Put("old", "v")
	save(t, s)
	cmd := child(t, dir, "k", 1, 1)
	limited := exec.Command("sh", "-c", `ulimit -f 1 && exec "$0"`, cmd.Path)
	limited.Env = cmd.Env
	out, err := limited.CombinedOutput()
	if err == nil || !strings.Contains(string(out), syscall.EFBIG.Error()) {
		t.Errorf("%v, output %q, want %q", err, out, syscall.EFBIG)
	}
	checkFolder(t, dir, fileName, lockName)
	check(t, open(t, dir, now), "old", "v")
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	checkRounds(t, dir, "k", 1)
}

// TestLocked gives up on a lock that somebody keeps.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockName)
	unlock, err := lock(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(path, 0); !errors.Is(err, errLocked) {
		t.Errorf("error %v, want %v", err, errLocked)
	}
	unlock()
	unlock, err = lock(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

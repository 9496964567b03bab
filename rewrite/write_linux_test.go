package rewrite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

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
	if err := syscall.Setfsuid(65534); err != nil {
		t.Skip(err)
	}
	defer func() { _ = syscall.Setfsuid(0) }()
	f()
}

// sharedFile is newFile in a folder that every user may enter and write to.
func sharedFile(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	path := newFile(t, []byte("a"), mode)
	dir := filepath.Dir(path)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWriteFileWithoutRights(t *testing.T) {
	for _, tt := range []struct {
		name         string
		file, folder fs.FileMode
	}{
		{"read-only file", 0o444, 0o777},
		{"unreadable file", 0o222, 0o777},
		{"read-only folder", 0o666, 0o555},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := sharedFile(t, tt.file)
			if err := os.Chmod(filepath.Dir(path), tt.folder); err != nil {
				t.Fatal(err)
			}
			defer os.Chmod(filepath.Dir(path), 0o777)
			asNobody(t, func() {
				err := WriteFile(path, []byte("a"), []byte("b"))
				if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrChanged) {
					t.Errorf("error %v, want ErrPermission", err)
				}
			})
			if err := os.Chmod(path, 0o666); err != nil {
				t.Fatal(err)
			}
			checkFile(t, path, []byte("a"))
		})
	}
}

// TestWriteFileOfAnother replaces a file of root as another user: what can be
// kept is, and the set-user-id bit is not passed on.
func TestWriteFileOfAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	path := sharedFile(t, 0o666|fs.ModeSetuid)
	asNobody(t, func() {
		if err := WriteFile(path, []byte("a"), []byte("b")); err != nil {
			t.Error(err)
		}
	})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 65534 || info.Mode() != 0o666 {
		t.Errorf("owner %d, mode %v", uid, info.Mode())
	}
	checkFile(t, path, []byte("b"))
}

func TestWriteFileDiskFull(t *testing.T) {
	path := newFile(t, []byte("a"), 0o644)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Skip(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: before.Max}); err != nil {
		t.Skip(err)
	}
	_, err = writeTemp(dir, info, make([]byte, 5000))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("error %v, want EFBIG", err)
	}
	checkFile(t, path, []byte("a"))
}

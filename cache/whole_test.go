package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestUpdateFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "file")
	if _, err := ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	write := func(text string) func([]byte, error) ([]byte, error) {
		return func([]byte, error) ([]byte, error) { return []byte(text), nil }
	}
	err := UpdateFile(path, func(old []byte, err error) ([]byte, error) {
		if old != nil || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before: %q, %v", old, err)
		}
		return []byte("one"), nil
	})
	if got, readErr := ReadFile(path); err != nil || readErr != nil || string(got) != "one" {
		t.Errorf("%q, %v, %v", got, err, readErr)
	}
	// A change that fails changes nothing.
	refused := errors.New("refused")
	err = UpdateFile(path, func(old []byte, err error) ([]byte, error) {
		if string(old) != "one" || err != nil {
			t.Errorf("before: %q, %v", old, err)
		}
		return nil, refused
	})
	if got, readErr := ReadFile(path); !errors.Is(err, refused) || readErr != nil || string(got) != "one" {
		t.Errorf("%q, %v, %v", got, err, readErr)
	}
	checkFolder(t, dir, "file", lockName)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// What can't be believed is an error, and can be replaced.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("target"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
	if got, err := ReadFile(path); err == nil || strings.Contains(string(got), "target") {
		t.Errorf("a link: %q, %v", got, err)
	}
	if err := UpdateFile(path, write("two")); err != nil {
		t.Error(err)
	}
	if got, err := ReadFile(path); err != nil || string(got) != "two" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "target" {
		t.Errorf("the target of the link: %q, %v", got, err)
	}
}

// TestUpdateFileInTurn holds that updates at the same time all count.
func TestUpdateFileInTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	const n = 20
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			err := UpdateFile(path, func(old []byte, _ error) ([]byte, error) {
				count, _ := strconv.Atoi(string(old))
				return []byte(strconv.Itoa(count + 1)), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := ReadFile(path); err != nil || string(got) != strconv.Itoa(n) {
		t.Errorf("%q, %v", got, err)
	}
}

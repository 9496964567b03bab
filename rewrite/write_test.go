package rewrite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// oldText and newText differ in length and in every line, and take more than
// one write to the disk.
var (
	oldText = []byte(strings.Repeat("image: nginx:1\n", 20000))
	newText = []byte(strings.Repeat("image: nginx:1"+pin+"\n", 20000))
)

// newFile is the path of a file with data and mode in a folder of its own.
func newFile(t *testing.T, data []byte, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.yaml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // past the umask
		t.Fatal(err)
	}
	return path
}

// checkFile fails unless the file at path holds want and nothing else is in its
// folder than it and the names in others.
func checkFile(t *testing.T, path string, want []byte, others ...string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file holds %.40q (%d bytes), %v; want %.40q (%d bytes)", got, len(got), err, want, len(want))
	}
	checkFolder(t, path, others...)
}

func checkFolder(t *testing.T, path string, others ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{filepath.Base(path): true}
	for _, name := range others {
		allowed[name] = true
	}
	for _, e := range entries {
		if !allowed[e.Name()] {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

func TestWriteFile(t *testing.T) {
	for _, tt := range []struct{ name, old, new string }{
		{"longer", "a\n", "a: b\n"},
		{"shorter", "a: b\n", "a\n"},
		{"as long", "a\r\n", "b\r\n"},
		{"to nothing", "a", ""},
		{"from nothing", "", "a"},
		{"large", string(oldText), string(newText)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := newFile(t, []byte(tt.old), 0o644)
			if err := WriteFile(path, []byte(tt.old), []byte(tt.new)); err != nil {
				t.Fatal(err)
			}
			checkFile(t, path, []byte(tt.new))
		})
	}
}

func TestWriteFileRelative(t *testing.T) {
	path := newFile(t, []byte("a"), 0o644)
	t.Chdir(filepath.Dir(path))
	if err := WriteFile("file.yaml", []byte("a"), []byte("b")); err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, []byte("b"))
}

func TestWriteFileWithoutChange(t *testing.T) {
	path := newFile(t, []byte("a"), 0o644)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("a"), []byte("a")); err != nil {
		t.Error(err)
	}
	// Somebody else has made the same edits.
	if err := WriteFile(path, []byte("older"), []byte("a")); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the file was replaced by what it held (%v)", err)
	}
	checkFile(t, path, []byte("a"))
}

func TestWriteFileChanged(t *testing.T) {
	for _, tt := range []struct{ name, holds string }{
		{"other content", "A\n"},
		{"more", "a\nb"},
		{"less", "a"},
		{"nothing", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := newFile(t, []byte(tt.holds), 0o644)
			err := WriteFile(path, []byte("a\n"), []byte("b\n"))
			if !errors.Is(err, ErrChanged) {
				t.Errorf("error %v, want ErrChanged", err)
			}
			if want := "replace " + path + ": changed since it was read"; err != nil && err.Error() != want {
				t.Errorf("error %q, want %q", err, want)
			}
			checkFile(t, path, []byte(tt.holds))
		})
	}
	t.Run("removed", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file.yaml")
		err := WriteFile(path, []byte("a"), []byte("b"))
		if !errors.Is(err, ErrChanged) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v, want ErrChanged and ErrNotExist", err)
		}
		checkFolder(t, path)
	})
}

// TestWriteFileChangedLate changes the file after its first check.
func TestWriteFileChangedLate(t *testing.T) {
	ok := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, path string)
		want   string // what path holds afterwards; "" where it is gone
		others []string
	}{
		{"content", func(t *testing.T, path string) {
			ok(t, os.WriteFile(path, []byte("other"), 0o644))
		}, "other", nil},
		{"content under the old time", func(t *testing.T, path string) {
			info, err := os.Stat(path)
			ok(t, err)
			ok(t, os.WriteFile(path, []byte("ne"), 0o644))
			ok(t, os.Chtimes(path, time.Time{}, info.ModTime()))
		}, "ne", nil},
		{"time", func(t *testing.T, path string) {
			ok(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
		}, "old", nil},
		{"mode", func(t *testing.T, path string) {
			ok(t, os.Chmod(path, 0o444))
		}, "old", nil},
		{"removed", func(t *testing.T, path string) {
			ok(t, os.Remove(path))
		}, "", nil},
		{"replaced by the same", func(t *testing.T, path string) {
			info, err := os.Stat(path)
			ok(t, err)
			ok(t, os.WriteFile(path+"2", []byte("old"), 0o644))
			ok(t, os.Chmod(path+"2", info.Mode()))
			ok(t, os.Chtimes(path+"2", time.Time{}, info.ModTime()))
			ok(t, os.Rename(path+"2", path))
		}, "old", nil},
		{"link swapped in", func(t *testing.T, path string) {
			ok(t, os.Rename(path, path+"2"))
			ok(t, os.Symlink(path+"2", path))
		}, "old", []string{"file.yaml2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if runtime.GOOS == "windows" {
				t.Skip("an open file is neither removed nor replaced there")
			}
			path := newFile(t, []byte("old"), 0o644)
			r, err := stage(filepath.Dir(path), filepath.Base(path), []byte("old"), []byte("new"))
			ok(t, err)
			tt.change(t, path)
			if err := r.commit(); !errors.Is(err, ErrChanged) {
				t.Errorf("error %v, want ErrChanged", err)
			}
			if tt.want == "" {
				checkFolder(t, path)
				return
			}
			checkFile(t, path, []byte(tt.want), tt.others...)
		})
	}
}

func TestWriteFileRenameFails(t *testing.T) {
	path := newFile(t, []byte("old"), 0o644)
	r, err := stage(filepath.Dir(path), filepath.Base(path), []byte("old"), []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.temp.Name()); err != nil {
		t.Fatal(err)
	}
	if err := r.commit(); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrChanged) {
		t.Errorf("error %v, want that of the rename", err)
	}
	checkFile(t, path, []byte("old"))
}

func TestWriteFileKeepsMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0o644, 0o755, 0o600, 0o666, 0o751} {
		t.Run(mode.String(), func(t *testing.T) {
			path := newFile(t, []byte("a"), mode)
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := WriteFile(path, []byte("a"), []byte("b")); err != nil {
				t.Fatal(err)
			}
			if after, err := os.Stat(path); err != nil || after.Mode() != before.Mode() {
				t.Errorf("mode %v, %v; want %v", after.Mode(), err, before.Mode())
			}
		})
	}
}

func TestWriteFileRefuses(t *testing.T) {
	t.Run("symbolic link", func(t *testing.T) {
		path := newFile(t, []byte("a"), 0o644)
		link := filepath.Join(filepath.Dir(path), "link")
		if err := os.Symlink("file.yaml", link); err != nil {
			t.Skip(err)
		}
		if err := WriteFile(link, []byte("a"), []byte("b")); !errors.Is(err, ErrSymlink) {
			t.Errorf("error %v, want ErrSymlink", err)
		}
		if target, err := os.Readlink(link); err != nil || target != "file.yaml" {
			t.Errorf("the link leads to %q, %v", target, err)
		}
		checkFile(t, path, []byte("a"), "link")
	})
	t.Run("dangling link", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink("nothing", link); err != nil {
			t.Skip(err)
		}
		if err := WriteFile(link, []byte("a"), []byte("b")); !errors.Is(err, ErrSymlink) {
			t.Errorf("error %v, want ErrSymlink", err)
		}
		checkFolder(t, link)
	})
	t.Run("folder", func(t *testing.T) {
		if err := WriteFile(t.TempDir(), []byte("a"), []byte("b")); !errors.Is(err, ErrNotRegular) {
			t.Errorf("error %v, want ErrNotRegular", err)
		}
	})
	t.Run("below a file", func(t *testing.T) {
		path := newFile(t, []byte("a"), 0o644)
		if err := WriteFile(filepath.Join(path, "b"), []byte("a"), []byte("b")); err == nil {
			t.Error("no error")
		}
		checkFile(t, path, []byte("a"))
	})
}

// TestWriteFileSwappedFolder swaps a folder on the way for a link that leads out
// of the tree, to a file of the same name and content: that one stays as it is.
func TestWriteFileSwappedFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open folder is not renamed there")
	}
	name := filepath.Join("a", "b", "file.yaml")
	for _, tt := range []struct {
		when  string
		write func(root string, swap func()) error
		want  string // what the file holds then, wherever it is
	}{
		{"before the first look", func(root string, swap func()) error {
			swap()
			return WriteFileIn(root, name, []byte("old"), []byte("new"))
		}, "old"},
		{"before the last look", func(root string, swap func()) error {
			r, err := stage(root, name, []byte("old"), []byte("new"))
			if err != nil {
				return err
			}
			swap()
			return r.commit()
		}, "old"},
		{"before the rename", func(root string, swap func()) error {
			r, err := stage(root, name, []byte("old"), []byte("new"))
			if err != nil {
				return err
			}
			err = r.unchanged()
			swap()
			_ = r.place(err)
			return errors.New("not seen any more")
		}, "new"},
	} {
		t.Run(tt.when, func(t *testing.T) {
			root, outside := t.TempDir(), t.TempDir()
			for _, dir := range []string{root, outside} {
				if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			swap := func() {
				if err := os.Rename(filepath.Join(root, "a"), filepath.Join(root, "moved")); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(filepath.Join(outside, "a"), filepath.Join(root, "a")); err != nil {
					t.Skip(err)
				}
			}
			if err := tt.write(root, swap); err == nil {
				t.Error("no error")
			}
			checkFile(t, filepath.Join(outside, name), []byte("old"))
			checkFile(t, filepath.Join(root, "moved", "b", "file.yaml"), []byte(tt.want))
		})
	}
}

// TestRemoveTempsOutside holds that no link leads to what is removed.
func TestRemoveTempsOutside(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	temp := filepath.Join(outside, ".digestlint-1.tmp")
	if err := os.WriteFile(temp, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "a")); err != nil {
		t.Skip(err)
	}
	if removed := RemoveTemps(root, "a"); len(removed) > 0 {
		t.Errorf("removed %q", removed)
	}
	checkFile(t, temp, nil)
}

// TestWriteFileSameOld has several writers who all have read the same: one
// edit, whole, remains, and nobody else thinks that theirs does.
func TestWriteFileSameOld(t *testing.T) {
	for range 20 {
		path := newFile(t, []byte("old"), 0o644)
		const writers = 6
		var errs [writers]error
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() { errs[i] = WriteFile(path, []byte("old"), []byte{byte('a' + i)}) })
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won >= 0 && replacesOpenFiles:
				t.Errorf("both %d and %d won", won, i)
			case err == nil:
				won = i
			case replacesOpenFiles && !errors.Is(err, ErrChanged):
				t.Error(err)
			}
		}
		if won < 0 {
			t.Fatal("nobody won")
		}
		if replacesOpenFiles {
			checkFile(t, path, []byte{byte('a' + won)})
		}
		checkFolder(t, path)
	}
}

// TestWriteFileSameNew has several writers who make the same edits.
func TestWriteFileSameNew(t *testing.T) {
	path := newFile(t, oldText, 0o644)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if err := WriteFile(path, oldText, newText); err != nil && replacesOpenFiles {
				t.Error(err)
			}
		})
	}
	all.Wait()
	checkFile(t, path, newText)
}

// TestWriteFileLosesNothing has writers count in a file: every lost edit is
// missing in the end. Meanwhile a reader never sees half a file.
func TestWriteFileLosesNothing(t *testing.T) {
	if !replacesOpenFiles {
		t.Skip("no locks there")
	}
	// No two writers want the same content, as one of them would then count
	// without writing.
	content := func(count, writer int) []byte {
		return bytes.Repeat(fmt.Appendf(nil, "%d %d\n", count, writer), 3000)
	}
	path := newFile(t, content(0, 0), 0o644)
	read := func() (count int, data []byte) {
		data, err := os.ReadFile(path)
		var writer int
		if _, scanErr := fmt.Sscan(string(data), &count, &writer); err != nil || scanErr != nil || !bytes.Equal(data, content(count, writer)) {
			t.Errorf("half a file: %d bytes, %v, %v", len(data), err, scanErr)
		}
		return count, data
	}
	const writers, each = 4, 8
	var counting, reading sync.WaitGroup
	var done atomic.Bool
	reading.Go(func() {
		for !done.Load() {
			read()
		}
	})
	for writer := range writers {
		counting.Go(func() {
			for added := 0; added < each; {
				n, data := read()
				switch err := WriteFile(path, data, content(n+1, writer)); {
				case err == nil:
					added++
				case !errors.Is(err, ErrChanged):
					t.Error(err)
					return
				}
			}
		})
	}
	counting.Wait()
	done.Store(true)
	reading.Wait()
	if n, _ := read(); n != writers*each {
		t.Errorf("%d edits remain of %d", n, writers*each)
	}
	checkFolder(t, path)
}

// writerPath is the environment variable that turns the test binary into the
// writer that TestWriteFileKilled kills.
const writerPath = "DIGESTLINT_TEST_WRITER_PATH"

func TestWriterProcess(t *testing.T) {
	path := os.Getenv(writerPath)
	if path == "" {
		t.Skip("runs as a process of TestWriteFileKilled")
	}
	fmt.Println("ready")
	for {
		if err := WriteFile(path, oldText, newText); err != nil && !errors.Is(err, ErrChanged) {
			t.Fatal(err)
		}
		if err := WriteFile(path, newText, oldText); err != nil && !errors.Is(err, ErrChanged) {
			t.Fatal(err)
		}
	}
}

func TestWriteFileKilled(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	path := newFile(t, oldText, 0o640)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// Kill within the first few writes, however long the disk takes for one.
	start := time.Now()
	for _, texts := range [][2][]byte{{oldText, newText}, {newText, oldText}} {
		if err := WriteFile(path, texts[0], texts[1]); err != nil {
			t.Fatal(err)
		}
	}
	const longest = 30 * time.Millisecond
	span := min(3*time.Since(start), longest)
	random := rand.New(rand.NewPCG(7, 8))
	seen := map[bool]int{}
	for range rounds {
		kill(t, path, time.Duration(random.Int64N(int64(span)+1)))
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, oldText) && !bytes.Equal(got, newText) {
			t.Fatalf("half a file: %d bytes, %v", len(got), err)
		}
		seen[bytes.Equal(got, newText)]++
		if after, err := os.Stat(path); err != nil || after.Mode() != before.Mode() {
			t.Fatalf("mode %v, %v; want %v", after.Mode(), err, before.Mode())
		}
		removeTemps(t, path)
	}
	if !testing.Short() && span < longest && (seen[true] == 0 || seen[false] == 0) {
		t.Errorf("the writer was never killed on both sides of a rename: %v", seen)
	}
}

// kill starts a writer of path and kills it after it has run for a while.
func kill(t *testing.T, path string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
	cmd.Env = append(os.Environ(), writerPath+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Errorf("the writer says %q, %v", line, err)
	}
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() && runtime.GOOS != "windows" {
		t.Errorf("the writer ended by itself: %v", err)
	}
}

// removeTemps removes what a killed writer left, and fails for anything else.
func removeTemps(t *testing.T, path string) {
	t.Helper()
	RemoveTemps(filepath.Dir(path), ".")
	checkFolder(t, path)
}

package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// start is when the clocks of these tests start.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that stands still.
type clock struct{ time.Time }

func (c *clock) now() time.Time          { return c.Time }
func (c *clock) advance(d time.Duration) { c.Time = c.Add(d) }

// warnings are what a store has said.
type warnings struct{ said []string }

func (w *warnings) warn(err error) { w.said = append(w.said, err.Error()) }

// open is a store whose clock is c, and which must not warn.
func open(t *testing.T, dir string, c *clock) *Store {
	t.Helper()
	s := Open(dir, func(err error) { t.Errorf("warning: %v", err) })
	s.now = c.now
	return s
}

func save(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
}

// check fails unless s holds want under key, or nothing where want is empty.
func check(t *testing.T, s *Store, key, want string) {
	t.Helper()
	var got string
	if ok := s.Get(key, 0, &got); ok != (want != "") || ok && got != want {
		t.Errorf("%s holds %q, %v; want %q", key, got, ok, want)
	}
}

func TestGetPut(t *testing.T) {
	c := &clock{start}
	s := open(t, t.TempDir(), c)
	type pair struct{ A, B string }
	want := pair{"<a> & \u2028", "ä\n\x00"}
	s.Put("pair", want)
	var got pair
	if !s.Get("pair", time.Hour, &got) || got != want {
		t.Errorf("got %q", got)
	}
	check(t, s, "other", "")
	var number int
	if s.Get("pair", 0, &number) {
		t.Error("a value of another type was filled in")
	}
	s.Put("none", make(chan int))
	if s.Get("none", 0, &got) {
		t.Error("what has no JSON was kept")
	}
}

func TestAge(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	s := open(t, dir, c)
	s.Put("k", "v")
	save(t, s)
	for _, tt := range []struct {
		age, maxAge time.Duration
		want        bool
	}{
		{0, time.Second, true},
		{time.Minute, time.Minute, true},
		{time.Minute + time.Millisecond, time.Minute, false},
		{89 * 24 * time.Hour, 0, true},
		{89 * 24 * time.Hour, -1, true},
		{-maxSkew, time.Second, true}, // the clock was set back
		{-maxSkew - time.Millisecond, time.Hour, false},
		{-maxSkew - time.Millisecond, 0, false},
	} {
		t.Run(fmt.Sprint(tt.age, tt.maxAge), func(t *testing.T) {
			c.Time = start
			again := Open(dir, nil)
			again.now = c.now
			again.load()
			c.Time = start.Add(tt.age)
			for _, s := range []*Store{s, again} {
				var v string
				if got := s.Get("k", tt.maxAge, &v); got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}
		})
	}
}

func TestSave(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "a", "b"), &clock{start}
	s := open(t, dir, c)
	save(t, s)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("an unchanged store has made its folder")
	}
	s.Put("k", "v")
	s.Put("empty", "")
	save(t, s)
	check(t, open(t, dir, c), "k", "v")
	if runtime.GOOS != "windows" {
		for name, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, fileName): 0o600, filepath.Join(dir, lockName): 0o600} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
			}
		}
	}

	// A second Save, and one of a store that has only read, write nothing.
	path := filepath.Join(dir, fileName)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	save(t, s)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("an unchanged store was written")
	}
}

// TestLazy holds that nothing is read before the first Get.
func TestLazy(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	s := open(t, dir, c)
	s.Put("mine", "1")
	other := open(t, dir, c)
	other.Put("late", "2")
	save(t, other)
	check(t, s, "late", "2")
	check(t, s, "mine", "1")
}

func TestMemoryOnly(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, "", &clock{start})
	s.Put("k", "v")
	check(t, s, "k", "v")
	save(t, s)
	if names, _ := filepath.Glob("*"); len(names) > 0 {
		t.Errorf("files: %v", names)
	}
}

// TestMerge saves two stores that were opened on the same file.
func TestMerge(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	first := open(t, dir, c)
	for _, key := range []string{"untouched", "both", "mine"} {
		first.Put(key, "old")
	}
	save(t, first)

	a, b := open(t, dir, c), open(t, dir, c)
	check(t, a, "both", "old")
	check(t, b, "both", "old")
	c.advance(time.Second)
	b.Put("both", "earlier")
	b.Put("his", "new")
	c.advance(time.Second)
	a.Put("both", "later")
	a.Put("mine", "new")
	save(t, a)
	save(t, b) // must not bring the earlier one back
	got := open(t, dir, c)
	for key, want := range map[string]string{"untouched": "old", "both": "later", "his": "new", "mine": "new"} {
		check(t, got, key, want)
	}

	// Before the file is read the same holds.
	late := open(t, dir, c)
	c.advance(-time.Second - time.Millisecond)
	late.Put("both", "from the past")
	c.advance(time.Minute)
	check(t, late, "both", "later")
}

func TestIdle(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	s := open(t, dir, c)
	s.Put("used", "v")
	s.Put("unused", "v")
	save(t, s)

	c.advance(touchAfter)
	s = open(t, dir, c)
	check(t, s, "used", "v")
	if len(s.changed) > 0 {
		t.Error("a use within a day is written down")
	}
	c.advance(59 * 24 * time.Hour)
	check(t, s, "used", "v")
	save(t, s)

	c.advance(maxIdle - 59*24*time.Hour)
	s = open(t, dir, c)
	s.Put("new", "v")
	save(t, s)
	s = open(t, dir, c)
	check(t, s, "used", "v")
	check(t, s, "unused", "")
	check(t, s, "new", "v")
	// Use renews nothing but the use.
	var v string
	if s.Get("used", maxIdle, &v) {
		t.Error("an entry has become younger by its use")
	}
}

func TestBounds(t *testing.T) {
	t.Run("entries", func(t *testing.T) {
		dir, c := t.TempDir(), &clock{start}
		s := open(t, dir, c)
		for i := range maxEntries + 2 {
			s.Put(fmt.Sprint(i), "v")
			c.advance(time.Millisecond)
		}
		save(t, s)
		s = open(t, dir, c)
		check(t, s, "1", "")
		check(t, s, "2", "v")
		check(t, s, fmt.Sprint(maxEntries+1), "v")
		if len(s.entries) != maxEntries {
			t.Errorf("%d entries", len(s.entries))
		}
	})
	t.Run("bytes", func(t *testing.T) {
		dir, c := t.TempDir(), &clock{start}
		s := open(t, dir, c)
		large := strings.Repeat("x", maxBytes/8)
		for i := range 10 {
			s.Put(fmt.Sprint(i), large)
			c.advance(time.Millisecond)
		}
		s.Put("huge", strings.Repeat("x", maxBytes))
		save(t, s)
		s = open(t, dir, c)
		check(t, s, "huge", "")
		check(t, s, "2", "")
		check(t, s, "3", large)
		check(t, s, "9", large)
	})
	t.Run("exactly", func(t *testing.T) {
		size := func(value string) int {
			s := open(t, "", &clock{start})
			s.Put("k", value)
			data, err := encode(s.entries, start)
			if err != nil {
				t.Fatal(err)
			}
			return len(data)
		}
		room := maxBytes - size("")
		if got := size(strings.Repeat("x", room)); got != maxBytes {
			t.Errorf("a file of %d bytes, want %d", got, maxBytes)
		}
		if got := size(strings.Repeat("x", room+1)); got > 100 {
			t.Errorf("a file of %d bytes, want one without the entry", got)
		}
	})
}

// TestSweep leaves the temporary files of others alone until they are old.
func TestSweep(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	for name, age := range map[string]time.Duration{"v1-1.tmp": 2 * orphaned, "v1-2.tmp": 0, "mine.tmp": 2 * orphaned} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, c.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, c)
	s.Put("k", "v")
	save(t, s)
	checkFolder(t, dir, fileName, lockName, "v1-2.tmp", "mine.tmp")
}

// checkFolder fails unless dir holds the names and no others.
func checkFolder(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("the folder holds %q, want %q", got, names)
	}
}

// BenchmarkStore opens and saves a store of the tags, digests and children of
// 5,000 images, each a good kilobyte.
func BenchmarkStore(b *testing.B) {
	const images = 5000
	type child struct{ Digest, Type, OS, Arch string }
	value := make([]child, 8)
	for i := range value {
		value[i] = child{"sha256:" + strings.Repeat("0123", 16), "application/vnd.oci.image.manifest.v1+json", "linux", "amd64"}
	}
	dir := b.TempDir()
	fill := func(s *Store) {
		for i := range images {
			s.Put(fmt.Sprint("digest docker.io/library/app@", i), value)
			s.Put(fmt.Sprint("tag docker.io/library/app:", i), value[0])
		}
	}
	s := Open(dir, nil)
	fill(s)
	if err := s.Save(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			var v child
			if !Open(dir, nil).Get("tag docker.io/library/app:1", 0, &v) {
				b.Fatal("not there")
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			var v []child
			s.Get("digest docker.io/library/app@1", 0, &v)
		}
	})
	b.Run("save", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			s := Open(dir, nil)
			s.Put("one more", "v")
			if err := s.Save(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

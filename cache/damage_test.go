package cache

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// file is what a store with the entries writes.
func file(t testing.TB, entries ...entry) []byte {
	t.Helper()
	all := make(map[string]entry)
	for _, e := range entries {
		all[e.Key] = e
	}
	data, err := encode(all, start)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// dated is an entry with the value "v".
func dated(key string, put, used time.Time) entry {
	return entry{Key: key, Put: put.UnixMilli(), Used: used.UnixMilli(), Value: []byte(`"v"`)}
}

// sealed is a file of the version with body, whatever that is.
func sealed(version int, body string) []byte {
	return fmt.Appendf(nil, "{\"version\":%d,\"sha256\":%q}\n%s", version, checksum([]byte(body)), body)
}

// TestDamage holds that what can't be believed is said once, counts as empty
// and is replaced.
func TestDamage(t *testing.T) {
	good := file(t, dated("old", start, start), dated("other", start, start))
	_, body, _ := bytes.Cut(good, []byte("\n"))
	flipped := bytes.Replace(good, []byte(`"old"`), []byte(`"olt"`), 1)
	content := func(data []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		make  func(t *testing.T, path string)
		warns string
	}{
		{"none", func(*testing.T, string) {}, ""},
		{"empty", content(nil), "damaged"},
		{"zeros", content(make([]byte, len(good))), "damaged"},
		{"text", content([]byte("hello\n")), "damaged"},
		{"truncated in a line", content(good[:len(good)-5]), "damaged"},
		{"truncated at a line", content(good[:bytes.LastIndexByte(good[:len(good)-1], '\n')+1]), "damaged"},
		{"appended", content(append(bytes.Clone(good), "{}\t1\n"...)), "damaged"},
		{"another byte", content(flipped), "damaged"},
		{"no header", content(body), "damaged"},
		{"another version", content(sealed(2, "")), "version"},
		{"a header of other types", content([]byte(`{"version":"1"}` + "\n")), "damaged"},
		{"no JSON", content(sealed(1, "{\t1\n")), "damaged"},
		{"no value", content(sealed(1, "{}\n")), "damaged"},
		{"entries of other types", content(sealed(1, `{"key":"old","put":"yesterday"}`+"\t1\n")), "damaged"},
		{"deep", content(sealed(1, `{"other":`+strings.Repeat("[", 100_000)+"\t1\n")), "damaged"},
		{"too many", content(sealed(1, strings.Repeat("{}\t1\n", maxEntries+1))), "damaged"},
		{"too large", func(t *testing.T, path string) {
			content(good)(t, path)
			if err := os.Truncate(path, maxBytes+1); err != nil {
				t.Fatal(err)
			}
		}, "larger"},
		{"a link", func(t *testing.T, path string) {
			target := filepath.Join(t.TempDir(), "target")
			content(good)(t, target)
			if err := os.Symlink(target, path); err != nil {
				t.Skip(err)
			}
		}, "regular"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "regular"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileName)
			tt.make(t, path)
			replaces(t, dir, tt.warns)
		})
	}
}

// replaces fails unless a store in dir, which is empty or damaged, warns once of
// what contains warns, is empty, and then saves.
func replaces(t *testing.T, dir, warns string) {
	t.Helper()
	var w warnings
	s := Open(dir, w.warn)
	s.now = (&clock{start}).now
	check(t, s, "old", "")
	s.Put("new", "v")
	check(t, s, "new", "v")
	save(t, s)
	if warns == "" && len(w.said) > 0 || warns != "" && (len(w.said) != 1 || !strings.Contains(w.said[0], warns)) {
		t.Errorf("warnings %q, want one with %q", w.said, warns)
	}
	again := open(t, dir, &clock{start})
	check(t, again, "new", "v")
	check(t, again, "old", "")
	if info, err := os.Lstat(filepath.Join(dir, fileName)); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
	checkFolder(t, dir, fileName, lockName)
}

// TestDamageBeforeSave holds the same where only Save reads.
func TestDamageBeforeSave(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var w warnings
	s := Open(dir, w.warn)
	s.Put("k", "v")
	save(t, s)
	s.Put("k", "v")
	save(t, s)
	if len(w.said) != 1 {
		t.Errorf("warnings %q", w.said)
	}
	// Without anybody to tell, nothing is told.
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, Open(dir, nil), "k", "")
}

// TestFuture leaves out what is dated in the future, and no more.
func TestFuture(t *testing.T) {
	dir := t.TempDir()
	soon, late := start.Add(maxSkew), start.Add(maxSkew+time.Millisecond)
	data := file(t, dated("now", start, start), dated("soon", soon, soon), dated("put", late, start), dated("used", start, late))
	if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	var w warnings
	s := Open(dir, w.warn)
	s.now = (&clock{start}).now
	for key, want := range map[string]string{"now": "v", "soon": "v", "put": "", "used": ""} {
		check(t, s, key, want)
	}
	if len(w.said) != 1 || !strings.Contains(w.said[0], "2 entries") {
		t.Errorf("warnings %q", w.said)
	}
	s.Put("put", "new")
	save(t, s)
	again := open(t, dir, &clock{start})
	check(t, again, "put", "new")
	check(t, again, "used", "")
	check(t, again, "now", "v")
}

// TestNoPlace holds that where nothing can be saved the values stay at hand.
func TestNoPlace(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, dir string)
	}{
		{"below a file", func(t *testing.T, dir string) {
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a full folder in the place", func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, fileName, "sub"), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"a folder in the place of the lock", func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, lockName), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dir")
			tt.make(t, dir)
			s := Open(dir, nil)
			s.Put("k", "v")
			for range 2 {
				if err := s.Save(); err == nil || !strings.Contains(err.Error(), dir) {
					t.Errorf("error %v", err)
				}
			}
			check(t, s, "k", "v")
			if left, _ := filepath.Glob(filepath.Join(dir, tempPattern)); len(left) > 0 {
				t.Errorf("%q are left behind", left)
			}
			// Once there is a place, the same values go there.
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			save(t, s)
			check(t, open(t, dir, &clock{time.Now()}), "k", "v")
		})
	}
}

// FuzzRead holds that no file makes a store panic or stop saving.
func FuzzRead(f *testing.F) {
	good := file(f, dated("old", start, start))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(`{"key":"old","put":1e99}` + "\t1\n"))
	f.Add([]byte(`{"key":"old","put":-9223372036854775808,"used":9223372036854775807,"other":null}` + "\tnull\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		// Once as a file, and once as what follows a header that fits.
		for _, data := range [][]byte{data, sealed(version, string(data))} {
			if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
				t.Fatal(err)
			}
			s := Open(dir, nil)
			var v any
			s.Get("old", 0, &v)
			s.Put("new", "v")
			save(t, s)
			check(t, Open(dir, func(err error) { t.Error(err) }), "new", "v")
		}
	})
}

package rewrite

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestIsTemp(t *testing.T) {
	for name, want := range map[string]bool{
		".digestlint-1.tmp":          true,
		".digestlint-4294967295.tmp": true,
		".digestlint-.tmp":           false,
		".digestlint-1":              false,
		".digestlint-1a.tmp":         false,
		".digestlint-baseline.json":  false,
		".digestlint.yaml":           false,
		"digestlint-1.tmp":           false,
		".digestlint-１.tmp":          false,
	} {
		if got := IsTemp(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRemoveTemps has one file that a killed process has left beside all that
// only looks like it.
func TestRemoveTemps(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{".digestlint-1.tmp", ".digestlint-2.txt", "a.yaml", ".digestlint-3.tmp"} {
		if err := os.WriteFile(in(name), []byte("a"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(in(".digestlint-4.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	left := []string{".digestlint-2.txt", "a.yaml", ".digestlint-4.tmp"}
	if os.Symlink("a.yaml", in(".digestlint-5.tmp")) == nil {
		left = append(left, ".digestlint-5.tmp")
	}
	if os.Link(in("a.yaml"), in(".digestlint-6.tmp")) == nil && links(stat(t, in("a.yaml"))) > 1 {
		left = append(left, ".digestlint-6.tmp")
	}
	removed := RemoveTemps(dir, ".")
	slices.Sort(removed)
	if want := []string{in(".digestlint-1.tmp"), in(".digestlint-3.tmp")}; !slices.Equal(removed, want) {
		t.Errorf("removed %q, want %q", removed, want)
	}
	for _, name := range left {
		if _, err := os.Lstat(in(name)); err != nil {
			t.Error(err)
		}
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestRemoveTempsOfTheLiving holds that a file which is being written stays.
func TestRemoveTempsOfTheLiving(t *testing.T) {
	path := newFile(t, []byte("old"), 0o644)
	r, err := stage(filepath.Dir(path), filepath.Base(path), []byte("old"), []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	if removed := RemoveTemps(filepath.Dir(path), "."); len(removed) > 0 {
		t.Errorf("removed %q", removed)
	}
	if err := r.commit(); err != nil {
		t.Error(err)
	}
	checkFile(t, path, []byte("new"))
}

//go:build linux

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestOnce(t *testing.T) {
	b := &bench{dir: t.TempDir(), stdout: io.Discard, stderr: io.Discard}
	broken := errors.New("broken")
	if _, err := b.once("tree", func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "half"), nil, 0o644); err != nil {
			return err
		}
		return broken
	}); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	made := 0
	for range 2 {
		dir, err := b.once("tree", func(string) error { made++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "half")); err == nil {
			t.Error("what was left half-made is used")
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

func TestGeneratedTree(t *testing.T) {
	b := &bench{dir: t.TempDir(), stdout: io.Discard, stderr: io.Discard}
	dir, err := b.generatedTree(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := files(t.Context(), dir); n != 100 || err != nil {
		t.Errorf("%d files, %v", n, err)
	}
}

func TestRepositories(t *testing.T) {
	commit := regexp.MustCompile(`^[0-9a-f]{40}$`)
	for _, r := range repositories {
		if !commit.MatchString(r.commit) {
			t.Errorf("%s is at no commit: %q", r.name, r.commit)
		}
	}
}

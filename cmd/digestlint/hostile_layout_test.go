//go:build linux

package main

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the checksum of an index
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// commandsOf are the commands of changed with their digests file list.
func commandsOf(list string) [][]string {
	var all [][]string
	for _, args := range changed {
		if args[len(args)-1] == "--digests" {
			args = append(args[:len(args):len(args)], list)
		}
		all = append(all, args)
	}
	return all
}

// TestHostileNames reads a repository whose index names files above the tree and
// in its ".git": neither is read nor written.
func TestHostileNames(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "tree")
	write(t, above, map[string]string{
		"a/Dockerfile":         "FROM " + canary + ":1\n",
		"tree/Dockerfile":      "FROM alpine:3\n",
		"tree/xxaa/Dockerfile": "FROM alpine:3\n",
		"tree/xgit/Dockerfile": "FROM alpine:3\n",
		"digests":              canary + ":1 sha256:" + strings.Repeat("1a", 32) + "\n",
	})
	gitIn(t, dir, "init", "-q")
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "a")
	for _, name := range []string{"xxaa", "xgit"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, map[string]string{".git/Dockerfile": "FROM " + canary + ":1\n"})
	index := filepath.Join(dir, ".git", "index")
	data, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	const sum = sha1.Size // behind all else
	data = data[:len(data)-sum]
	for old, made := range map[string]string{"xxaa/Dockerfile": "../a/Dockerfile", "xgit/Dockerfile": ".git/Dockerfile"} {
		if !bytes.Contains(data, []byte(old)) {
			t.Fatalf("the index does not have %s", old)
		}
		data = bytes.ReplaceAll(data, []byte(old), []byte(made))
	}
	hash := sha1.Sum(data) //nolint:gosec // as above
	if err := os.WriteFile(index, append(data, hash[:]...), 0o644); err != nil {
		t.Fatal(err)
	}
	if listed := gitIn(t, dir, "ls-files"); !strings.Contains(listed, ".git/Dockerfile") || !strings.Contains(listed, "../a/") {
		t.Fatalf("git does not list them: %s", listed)
	}
	for _, args := range commandsOf(filepath.Join(above, "digests")) {
		run := inProcess(t, dir, args...)
		if strings.Contains(run.stdout+run.stderr, canary) {
			t.Errorf("%q reads outside of the tree:\n%s%s", args, run.stdout, run.stderr)
		}
	}
	for _, name := range []string{"a/Dockerfile", "tree/.git/Dockerfile"} {
		if now, err := os.ReadFile(filepath.Join(above, name)); err != nil || string(now) != "FROM "+canary+":1\n" {
			t.Errorf("%s holds %q, %v", name, now, err)
		}
	}
}

// TestHostileBare reads a tree that has a bare repository among its folders,
// whose configuration names a program and another work tree: git run in there
// would obey it (https://git-scm.com/docs/git-config#Documentation/git-config.txt-safebareRepository).
func TestHostileBare(t *testing.T) {
	outside := secret(t)
	dir, list, _, _ := pinTree(t, 1)
	ran := filepath.Join(t.TempDir(), "ran")
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ntouch '"+ran+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(dir, "bare")
	gitIn(t, dir, "init", "-q", "--bare", "bare")
	write(t, dir, map[string]string{
		"bare/Dockerfile": "FROM alpine:3\n",
		"bare/config": "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = " + filepath.Dir(outside) + "\n\tfsmonitor = " + program +
			"\n[alias]\n\tls-files = !" + program + "\n",
	})
	_ = gitCommand(t.Context(), bare, "-C", bare, "--work-tree=.", "status").Run()
	if err := os.Remove(ran); err != nil {
		t.Fatalf("git itself runs nothing here: %v", err)
	}
	for _, repository := range []bool{false, true} {
		if repository {
			gitIn(t, dir, "init", "-q")
			gitIn(t, dir, "add", "-A")
			gitIn(t, dir, "commit", "-qm", "a")
		}
		for _, where := range []string{dir, bare} {
			for _, args := range commandsOf(list) {
				run := inProcess(t, where, args...)
				if strings.Contains(run.stdout+run.stderr, canary) {
					t.Errorf("%q in %s reads outside of the tree:\n%s%s", args, where, run.stdout, run.stderr)
				}
				if os.Remove(ran) == nil {
					t.Errorf("%q in %s runs the program", args, where)
				}
			}
		}
	}
}

// TestForeignVariables reads a tree where the environment tells git of another
// repository and work tree: the files are those of this one.
func TestForeignVariables(t *testing.T) {
	outside := secret(t)
	other := filepath.Dir(outside)
	gitIn(t, other, "init", "-q")
	gitIn(t, other, "add", "-A")
	gitIn(t, other, "commit", "-qm", "a")
	dir, _, _, _ := pinTree(t, 1)
	gitIn(t, dir, "init", "-q")
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "a")
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	for _, tree := range []string{"", other} {
		if tree != "" {
			t.Setenv("GIT_WORK_TREE", tree)
		}
		for _, args := range [][]string{{"check"}, {"refs"}, {"exposure", "--repo", "."}} {
			run := inProcess(t, dir, args...)
			if strings.Contains(run.stdout+run.stderr, canary) {
				t.Errorf("%q reads the other tree:\n%s%s", args, run.stdout, run.stderr)
			}
			if args[0] != "exposure" && !strings.Contains(run.stdout, "alpine:3") {
				t.Errorf("%q does not read this tree:\n%s%s", args, run.stdout, run.stderr)
			}
		}
	}
}

// TestUnsafeDirectory reads a repository of another user, which git refuses to:
// its files are read without it.
func TestUnsafeDirectory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir, _, _, _ := pinTree(t, 1)
	gitIn(t, dir, "init", "-q")
	for _, path := range []string{dir, filepath.Join(dir, ".git")} {
		if err := os.Chown(path, 1234, 1234); err != nil {
			t.Skip(err)
		}
	}
	if err := gitCommand(t.Context(), dir, "ls-files").Run(); err == nil {
		t.Skip("this git does not mind")
	}
	run := inProcess(t, dir, "check", "--verbose")
	if run.status != exitFindings || !strings.Contains(run.stdout, "0/0.Dockerfile") {
		t.Errorf("status %d\n%s%s", run.status, run.stdout, run.stderr)
	}
	if !strings.Contains(run.stderr, "digestlint: .: listed without git, ignored files too: fatal: detected dubious ownership") {
		t.Errorf("it does not say so: %s", run.stderr)
	}
}

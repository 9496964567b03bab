//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// finished is a process of digestlint that has ended.
type finished struct {
	status         int
	stdout, stderr string
	peak           int64 // of its resident memory, in kB
}

// digestlint is the program in a process of its own, with nothing of the
// machine's configuration and caches, and leaving none.
func digestlint(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "digestlint", args...) // of testscript.Main
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME=/nonexistent", "DIGESTLINT_NO_CACHE=true", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "NO_COLOR=1", summaryVariable+"=")
	return cmd
}

// hanging is how long a process may take before it counts as one that hangs,
// on the most loaded of machines.
const hanging = 2 * time.Minute

// inProcess runs digestlint to its end.
func inProcess(t *testing.T, dir string, args ...string) finished {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hanging)
	defer cancel()
	return finish(ctx, t, digestlint(ctx, dir, args...))
}

func finish(ctx context.Context, t *testing.T, cmd *exec.Cmd) finished {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%q hangs", cmd.Args)
	}
	if cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, stderr.String())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return finished{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), usage.Maxrss}
}

// write makes files below dir, and the folders that they are in.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// pinTree is a tree of n files to pin, in folders of 25, with the digests to pin
// to beside it. It returns what each file holds before and after.
func pinTree(t *testing.T, n int) (dir, list string, before, after map[string]string) {
	t.Helper()
	dir, list = t.TempDir(), filepath.Join(t.TempDir(), "digests.txt")
	digest := "sha256:" + strings.Repeat("1a", 32)
	if err := os.WriteFile(list, []byte("alpine:3 "+digest+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before, after = map[string]string{}, map[string]string{}
	for i := range n {
		name := fmt.Sprintf("%d/%d.Dockerfile", i/25, i)
		text := strings.Repeat("# as it was\n", i%500) + "FROM alpine:3%s\n"
		before[name], after[name] = fmt.Sprintf(text, ""), fmt.Sprintf(text, "@"+digest)
	}
	write(t, dir, before)
	return dir, list, before, after
}

// readTree is what the regular files below dir hold, by their names from there.
func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

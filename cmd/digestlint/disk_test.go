//go:build linux

package main

import (
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestPinDiskFull pins on a disk that has no room for a copy of a file: all
// stay as they were, nothing is left, and the message says why.
func TestPinDiskFull(t *testing.T) {
	dir, list, before, _ := pinTree(t, 3)
	disk, copied := t.TempDir(), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), hanging)
	defer cancel()
	cmd := digestlint(ctx, dir)
	// A mount namespace of its own: the disk is gone with the process.
	const script = `mount -t tmpfs -o size=64k tmpfs "$1" || exit 77
cp -r . "$1" && cd "$1" || exit 77
dd if=/dev/zero of=filling bs=1k count=64 2>/dev/null
digestlint pin --digests "$2"; status=$?
rm filling; cp -r . "$3"
exit $status`
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip(err)
	}
	cmd.Path, cmd.Err = unshare, nil
	cmd.Args = []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", disk, list, copied}
	run := finish(ctx, t, cmd)
	if run.status == 77 || run.status == 1 && strings.Contains(run.stderr, "unshare") {
		t.Skip("no mounts here: " + run.stderr)
	}
	if run.status != exitIncomplete || strings.Count(run.stderr, "no space left on device") < len(before) {
		t.Errorf("status %d: %s", run.status, run.stderr)
	}
	if now := readTree(t, copied); !maps.Equal(now, before) {
		t.Errorf("the disk holds %q", now)
	}
}

// TestPinWithoutRights pins files that may not be written, and in folders that
// may not, as somebody who is not root.
func TestPinWithoutRights(t *testing.T) {
	dir, list, before, after := pinTree(t, 51) // in three folders
	if err := os.Chmod(filepath.Join(dir, "0"), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "0"), 0o755) })
	if err := os.Chmod(filepath.Join(dir, "1/30.Dockerfile"), 0o444); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), hanging)
	defer cancel()
	cmd := digestlint(ctx, dir, "pin", "--digests", list)
	if os.Getuid() == 0 {
		asNobody(t, cmd, dir, list)
	}
	run := finish(ctx, t, cmd)
	if run.status != exitIncomplete || strings.Count(run.stderr, "digestlint: ") != 26 || !strings.Contains(run.stderr, "1/30.Dockerfile: write: replace 1/30.Dockerfile: openat 30.Dockerfile: permission denied") {
		t.Errorf("status %d: %s", run.status, run.stderr)
	}
	for name, text := range readTree(t, dir) {
		want := after[name]
		if strings.HasPrefix(name, "0/") || name == "1/30.Dockerfile" {
			want = before[name]
		}
		if text != want {
			t.Errorf("%s holds %q", name, text)
		}
	}
}

// asNobody makes cmd run as an ordinary user, who owns the tree and may enter
// all folders above.
func asNobody(t *testing.T, cmd *exec.Cmd, paths ...string) {
	t.Helper()
	const nobody = 65534
	for _, path := range append(paths, cmd.Path) {
		for up := filepath.Dir(path); up != "/" && up != os.TempDir(); up = filepath.Dir(up) {
			if info, err := os.Stat(up); err == nil && info.Mode()&0o005 != 0o005 {
				if err := os.Chmod(up, info.Mode()|0o055); err != nil {
					t.Skip(err)
				}
			}
		}
	}
	err := filepath.WalkDir(paths[0], func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// TestPinMeanwhile has a file change, become a link, and go between the moments
// when pin reads it and when it writes: it is not written.
func TestPinMeanwhile(t *testing.T) {
	outside := secret(t)
	for _, tt := range []struct {
		name string
		do   func(path string) error
		want string
	}{
		{"changed", func(path string) error { return os.WriteFile(path, []byte("FROM alpine:3\n\n"), 0o644) }, "changed since it was read"},
		{"linked", func(path string) error { return relink(path, outside) }, "a symbolic link is not written through"},
		{"gone", os.Remove, "changed since it was read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "Dockerfile")
			inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
			var asked sync.Once
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/manifests/") && r.Header.Get("User-Agent") == "digestlint" {
					asked.Do(func() {
						if err := tt.do(path); err != nil {
							t.Error(err)
						}
					})
				}
				inner.ServeHTTP(w, r)
			}))
			defer server.Close()
			reference := strings.TrimPrefix(server.URL, "http://") + "/a:1"
			tag, err := name.ParseReference(reference)
			if err != nil {
				t.Fatal(err)
			}
			image, err := random.Image(64, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := remote.Write(tag, image); err != nil {
				t.Fatal(err)
			}
			write(t, dir, map[string]string{"Dockerfile": "FROM " + reference + "\n"})
			run := inProcess(t, dir, "pin")
			if run.status != exitIncomplete || !strings.Contains(run.stderr, "write: replace Dockerfile: "+tt.want) {
				t.Errorf("status %d: %s", run.status, run.stderr)
			}
			if now, err := os.ReadFile(path); err == nil && strings.Contains(string(now), "sha256") {
				t.Errorf("the file holds %q", now)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 1 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

func relink(path, target string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(target, path)
}

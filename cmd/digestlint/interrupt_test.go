//go:build unix

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Ctrl-C while a registry takes its time ends the run: no file has changed,
// and the summary says what is left.
func TestInterrupted(t *testing.T) {
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		select {
		case asked <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv(cacheVariable, filepath.Join(dir, "cache"))
	t.Setenv("DOCKER_CONFIG", dir)
	before := strings.ReplaceAll("FROM HOST/a:1\nFROM HOST/b:1\n", "HOST", strings.TrimPrefix(server.URL, "http://"))
	if err := os.WriteFile("Dockerfile", []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		<-asked
		// The test is the process whose signals run takes.
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
	}()
	var stdout, stderr bytes.Buffer
	if status := run([]string{"pin", "Dockerfile"}, strings.NewReader(""), &stdout, &stderr); status != exitIncomplete {
		t.Errorf("status %d, want %d", status, exitIncomplete)
	}
	want := "0 pinned, 0 already pinned, 2 left\n  left: 2 interrupted\n"
	if stderr.String() != want || stdout.Len() > 0 {
		t.Errorf("said %q and %q, want %q", stdout.String(), stderr.String(), want)
	}
	if after, err := os.ReadFile("Dockerfile"); err != nil || string(after) != before {
		t.Errorf("the file is %q, %v", after, err)
	}
}

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// pipelines are what people copy into their CI systems.
var pipelines = []string{"templates/check.yml", "examples/ci/gitlab-ci.yml", "examples/ci/circleci.yml", "examples/ci/Jenkinsfile"}

// TestPipelines runs the scripts of the pipelines with a release of ours: with
// the right checksum, a wrong one, none, and no release.
func TestPipelines(t *testing.T) {
	for _, tool := range []string{"curl", "tar", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	program := []byte("#!/bin/sh\nexec digestlint \"$@\"\n")
	archive := pack(t, "digestlint", program)
	name := fmt.Sprintf("digestlint_%s_linux_%s.tar.gz", released(t), runtime.GOARCH)
	right := fmt.Sprintf("%x  %s\n", sha256.Sum256(archive), name)
	for _, c := range []struct {
		name, checksums string
		dockerfile      string
		want            int // the status; -1 for any of a step that failed before the check
	}{
		{"clean", right, "FROM nginx:1.27@sha256:" + strings.Repeat("1", 64) + "\n", exitClean},
		{"findings", right, "FROM nginx:1.27\n", exitFindings},
		{"wrong checksum", strings.Repeat("0", 64) + "  " + name + "\n", "FROM nginx:1.27\n", -1},
		{"no checksum", "", "FROM nginx:1.27\n", -1},
		{"checksum of a longer name", strings.Replace(right, ".tar.gz", ".tar.gz.sbom.json", 1), "FROM nginx:1.27\n", -1},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v" + released(t) + "/checksums.txt":
				_, _ = w.Write([]byte(c.checksums))
			case "/v" + released(t) + "/" + name:
				_, _ = w.Write(archive)
			default:
				http.NotFound(w, r)
			}
		}))
		defer server.Close()
		for _, pipeline := range pipelines {
			t.Run(c.name+"/"+pipeline, func(t *testing.T) {
				script := scriptOf(t, pipeline)
				if strings.Count(script, "https://github.com/digestlint/") != 1 {
					t.Fatalf("one release is downloaded, from where it is:\n%s", script)
				}
				script = strings.NewReplacer("https://github.com/digestlint/digestlint/releases/download", server.URL, "--proto =https", "",
					"/tmp/results", "results").Replace(script)
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(c.dockerfile), 0o644); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("sh", "-c", script)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "DIGESTLINT_VERSION="+released(t), "DIGESTLINT_PATHS=Dockerfile", "DIGESTLINT_ARGS=--no-ignores", "TMPDIR="+dir)
				out, _ := cmd.CombinedOutput()
				checked := strings.Contains(string(out), "1 reference")
				if status := cmd.ProcessState.ExitCode(); c.want >= 0 && (status != c.want || !checked) || c.want < 0 && (status == 0 || checked) {
					t.Errorf("status %d, checked %v\n%s", status, checked, out)
				}
			})
		}
	}
}

// scriptOf is the shell of a pipeline.
func scriptOf(t *testing.T, pipeline string) string {
	t.Helper()
	data, err := os.ReadFile("../../" + pipeline)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(pipeline, "Jenkinsfile") {
		_, rest, _ := strings.Cut(string(data), "sh '''")
		script, _, _ := strings.Cut(rest, "'''")
		return script
	}
	var script string
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var node yaml.Node
		if err := decoder.Decode(&node); err != nil {
			return script
		}
		find(&node, func(n *yaml.Node) {
			if strings.HasPrefix(n.Value, "set -eu\n") {
				script = n.Value
			}
		})
	}
}

// find calls f with all scalars below a node.
func find(n *yaml.Node, f func(*yaml.Node)) {
	if n.Kind == yaml.ScalarNode {
		f(n)
	}
	for _, c := range n.Content {
		find(c, f)
	}
}

// pack is a .tar.gz of one program.
func pack(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// released is the version that everything for users names.
func released(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../action/version")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// named are the places that name a release of digestlint.
var named = regexp.MustCompile(`(?:digestlint/digestlint(?:/cmd/digestlint)?@v|digestlint/check@|DIGESTLINT_VERSION(?:: | = ')|rev: v|version:\n +default: )(\d+\.\d+\.\d+)`)

// TestReleased holds that all of them name the same.
func TestReleased(t *testing.T) {
	want := released(t)
	for _, pattern := range []string{"README.md", "docs/*.md", "templates/*", "examples/*/*", "examples/*/.github/workflows/*"} {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				continue // a folder
			}
			found := named.FindAllSubmatch(data, -1)
			for _, m := range found {
				if string(m[1]) != want {
					t.Errorf("%s: %s, and not %s", file, m[0], want)
				}
			}
			if dir := filepath.Base(filepath.Dir(file)); len(found) == 0 && (dir == "ci" || dir == "templates") {
				t.Errorf("%s names no release", file)
			}
		}
	}
}

// TestOwnPipelines holds that our own pipelines, and those that people copy,
// are what we ask for: images by digest, actions of others by commit.
func TestOwnPipelines(t *testing.T) {
	t.Chdir("../..")
	var out, errs bytes.Buffer
	if status := run([]string{"check", "--no-config", ".github", "action.yml", "templates", "examples", "release"}, nil, &out, &errs); status != exitClean {
		t.Errorf("status %d\n%s%s", status, out.String(), errs.String())
	}
	commit := regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$|^digestlint/digestlint@v[\d.]+$|^\./`)
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses: (.*)$`)
	n := 0
	for _, pattern := range []string{".github/workflows/*.yml", "action.yml", "examples/ci/*.yml", "examples/*/.github/workflows/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range uses.FindAllSubmatch(data, -1) {
				n++
				if !commit.Match(m[1]) {
					t.Errorf("%s: %s is not by commit, with its version", file, m[1])
				}
			}
		}
	}
	if n == 0 {
		t.Error("no action was seen")
	}
	data, err := os.ReadFile("templates/check.yml")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`default: golang:[\d.]+@sha256:[0-9a-f]{64}\n`).Match(data) {
		t.Error("templates/check.yml has no image by digest")
	}
}

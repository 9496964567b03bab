package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/parsers"
)

// hasPreCommit is the condition of scripts that need pre-commit, without which
// CI would test nothing. The race detector sees nothing of what pre-commit runs.
func hasPreCommit() (bool, error) {
	if raceEnabled {
		return false, nil
	}
	if _, err := exec.LookPath("pre-commit"); err == nil {
		return true, nil
	}
	if os.Getenv("CI") == "true" {
		return false, fmt.Errorf("pre-commit is not installed; CI must have it (Debian package pre-commit)")
	}
	return false, nil
}

// hooks commits the files of this repository, as they are now, to a new one, as
// release v0.1.0, and prepares the environment for pre-commit and git. Modules
// and builds are those of the machine: all else is the script's own.
func hooks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hooks FOLDER")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(copyTracked(ts.Getenv("ROOT"), dir))
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN", "GONOSUMDB", "GOSUMDB"} {
		value, err := exec.Command("go", "env", name).Output()
		ts.Check(err)
		ts.Setenv(name, strings.TrimSpace(string(value)))
	}
	// Without the paths in them, the packages of one copy serve the next.
	ts.Setenv("GOFLAGS", strings.TrimSpace(ts.Getenv("GOFLAGS")+" -trimpath"))
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		ts.Setenv("GIT_"+who+"_NAME", "test")
		ts.Setenv("GIT_"+who+"_EMAIL", "test@example.com")
	}
	ts.Setenv("HOOKS", dir)
	ts.Setenv("PRE_COMMIT_HOME", ts.MkAbs("pre-commit"))
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "release"}, {"tag", "v0.1.0"}} {
		ts.Check(ts.Exec("git", append([]string{"-C", dir}, args...)...))
	}
}

// copyTracked copies what git would commit of a repository.
func copyTracked(root, dir string) error {
	cmd := exec.Command("git", "ls-files", "-co", "--exclude-standard", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list %s: %w", root, err)
	}
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil || !info.Mode().IsRegular() {
			continue // deleted, not committed yet; or a link
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// TestPreCommitFiles holds that the hook which pins is given the files of every
// format, and not those of none.
func TestPreCommitFiles(t *testing.T) {
	data, err := os.ReadFile("../../.pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var hooks []struct {
		ID    string `yaml:"id"`
		Files string `yaml:"files"`
	}
	if err := yaml.Unmarshal(data, &hooks); err != nil {
		t.Fatal(err)
	}
	var files *regexp.Regexp
	for _, h := range hooks {
		switch {
		case h.ID == "digestlint-pin":
			files = regexp.MustCompile(h.Files)
		case h.Files != "":
			t.Errorf("%s is not given all text, in which malicious digests can stand", h.ID)
		}
	}
	seen := map[string]bool{}
	err = filepath.WalkDir("../../testdata", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".golden") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		format := parsers.Detect(path, data)
		if format == nil {
			return nil
		}
		seen[format.Name] = true
		if base := path[strings.LastIndex(path, "/")+1:]; !files.MatchString(base) || !files.MatchString("a/"+base) {
			t.Errorf("%s (%s) does not match", path, format.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parsers.Formats() {
		if !seen[f.Name] {
			t.Errorf("no file was taken for %s", f.Name)
		}
	}
	for _, name := range []string{"Containerfile", "api.dockerfile", "Earthfile", "Jenkinsfile", "compose.override.yml", "scripts/deploy", ".env.production", "values.yaml.gotmpl"} {
		if !files.MatchString(name) {
			t.Errorf("%s does not match", name)
		}
	}
	for _, name := range []string{"main.go", "src/app.py", "README.md", "logo.svg", "go.sum"} {
		if files.MatchString(name) {
			t.Errorf("%s matches", name)
		}
	}
}

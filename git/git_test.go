package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestElsewhere(t *testing.T) {
	got := Elsewhere([]string{"HOME=/h", "GIT_DIR=/x", "GIT_INDEX_FILE=/y", "GIT_CONFIG_GLOBAL=/z", "GIT_EXEC_PATH=/e", "GIT_TRACE=1", "PATH=/p"})
	if want := []string{"HOME=/h", "GIT_CONFIG_GLOBAL=/z", "GIT_EXEC_PATH=/e", "PATH=/p"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBelow(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "a/.gitignore": true, ".github/x": true, "a/b.git/c": true,
		"../a": false, "a/../../b": false, "/a": false, ".git/a": false, "a/.GIT/b": false, ".git": false, "": false,
	} {
		if got := Below(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// TestCommandEnvironment holds that the environment handed in stays as it is,
// with room behind its end or without.
func TestCommandEnvironment(t *testing.T) {
	environ := append(make([]string, 0, 10), "A=1")
	first := Command(t.Context(), "", environ)
	_ = Command(t.Context(), "", append(environ, "B=1"))
	if !slices.Contains(first.Env, "GIT_ALLOW_PROTOCOL=none") || first.Env[1] == "B=1" {
		t.Errorf("got %q", first.Env)
	}
}

// TestWithoutFilters compares a work tree whose files have a filter, which would
// leave a file behind; its name has what settings are written with.
func TestWithoutFilters(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	git := func(args ...string) {
		t.Helper()
		cmd := Command(t.Context(), dir, os.Environ(), args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	for name, text := range map[string]string{"a": "a\n", ".gitattributes": "a filter=x=y\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	git("add", "a", ".gitattributes")
	git("config", "filter.x=y.clean", "touch '"+ran+"'; cat")
	git("config", "filter.x=y.required", "true")
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	git("diff")
	if err := os.Remove(ran); err != nil {
		t.Fatalf("git itself runs nothing here: %v", err)
	}
	cmd := Command(t.Context(), dir, os.Environ(), "diff", "--no-ext-diff")
	WithoutFilters(t.Context(), cmd)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a filter was run")
	}
}

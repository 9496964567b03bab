package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var formats = []string{"compose", "kubernetes"}

func TestFormat(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, Name)
	text := "# settings\nformats:\n  \"deploy/**/*.conf\": kubernetes\n  deploy/old/*: none\n  '*.stack': compose\n  samples/: none\n  ./top.txt: compose\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Read(name, formats)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for path, want := range map[string]string{
		"deploy/a.conf": "kubernetes", "deploy/x/y/a.conf": "kubernetes", "deploy/old/a.conf": "none",
		"deploy/old/x/a.conf": "none",
		"a.stack":             "compose", "x/a.stack": "compose", "x/samples/y/a.stack": "none", "samples.txt": "", "top.txt": "compose", "x/top.txt": "", "a.yaml": "", filepath.ToSlash(dir) + "/deploy/a.conf": "kubernetes", "../a.stack": "compose", // as with exclude
		"../deploy/a.conf": "",
	} {
		if got := c.Format(path); got != want {
			t.Errorf("Format(%q) = %q, want %q", path, got, want)
		}
	}
	if got := (&Config{}).Format("a.stack"); got != "" {
		t.Errorf("without settings: %q", got)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		text, message string
		line, column  int
	}{
		{"format: {}\n", `"format" is no setting`, 1, 1},
		{"formats: [a]\n", "has to be a mapping", 1, 10},
		{"- a\n", "the file has to be a mapping", 1, 1},
		{"formats:\n  a: helm\n", `"helm" is no format; the formats are compose, kubernetes and none`, 2, 6},
		{"formats:\n  a: [compose]\n", "is no format", 2, 6},
		{"formats:\n  'a[': compose\n", `"a[" is no glob`, 2, 3},
		{"formats:\n  /etc/*: compose\n", "relative to the folder", 2, 3},
		{"formats:\n  ../x: compose\n", "relative to the folder", 2, 3},
		{"formats:\n  a: compose\n  a: compose\n", "stands twice", 3, 3},
		{"formats:\n  a: {\n", "did not find", 2, 1},
	}
	for _, tt := range tests {
		_, err := Parse("x.yaml", []byte(tt.text), formats)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, tt.message) || e.Line != tt.line || e.Column != tt.column || e.Path != "x.yaml" {
			t.Errorf("Parse(%q): %v, want %d:%d %s", tt.text, err, tt.line, tt.column, tt.message)
		}
	}
	for _, text := range []string{"", "# nothing\n", "formats: {}\n"} {
		if _, err := Parse("x.yaml", []byte(text), formats); err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		}
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"repo/.git", "repo/a/b", "plain/a"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{Name, "repo/" + Name, "plain/" + Name} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{
		"repo/a/b": "repo/" + Name,
		"plain":    "plain/" + Name,
		"plain/a":  "", // no repository says how far up to look
	} {
		got, err := Find(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		if want != "" {
			want = filepath.Join(root, want)
		}
		if got != want {
			t.Errorf("Find(%s) = %q, want %q", dir, got, want)
		}
	}
	// Nothing above the root of the repository is read.
	if err := os.Remove(filepath.Join(root, "repo", Name)); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(filepath.Join(root, "repo/a")); got != "" || err != nil {
		t.Errorf("Find = %q, %v", got, err)
	}
}

// TestFindFile: a file that is found comes with the repository, and neither it
// nor one that is to be made leads out of it.
func TestFindFile(t *testing.T) {
	top := t.TempDir()
	repo := filepath.Join(top, "repo")
	if err := os.MkdirAll(filepath.Join(repo, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(repo, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "repo/list"} {
		if err := os.WriteFile(filepath.Join(top, filepath.FromSlash(name)), []byte("hunter2"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link": "../secret", "out": ".."} {
		if err := os.Symlink(to, filepath.Join(repo, link)); err != nil {
			t.Skip(err)
		}
	}
	for _, test := range []struct{ name, path, err string }{
		{"list", filepath.Join(repo, "list"), ""},
		{"link", filepath.Join(repo, "link"), "escapes"},
		{"secret", "", ""}, // above the repository
		{"none", "", ""},
	} {
		f, err := FindFile(filepath.Join(repo, "a", "b"), test.name)
		if err != nil || f.Path != test.path {
			t.Errorf("%s: %+v, %v", test.name, f, err)
		}
		if f.Path == "" {
			continue
		}
		_, err = f.Read(20)
		if (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), f.Path+": ") {
			t.Errorf("read %s: %v, want %q", test.name, err, test.err)
		}
	}
	name := filepath.Join(repo, Name)
	for _, test := range []struct {
		path   string
		exists bool
		err    string
	}{
		{"list", true, ""},
		{"link", true, ""},
		{"new", false, ""},
		{"a/new", false, ""},
		{"../new", false, "outside the repository"},
		{"out/new", false, "escapes"},
	} {
		if err := os.WriteFile(name, []byte("baseline: "+test.path+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Nearest(repo, formats)
		if err != nil {
			t.Fatal(err)
		}
		exists, err := c.Baseline.Exists()
		if exists != test.exists || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, %v", test.path, exists, err)
		}
	}
}

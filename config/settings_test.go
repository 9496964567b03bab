package config

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	c, err := Parse("conf/x.yaml", []byte(`
registries:
  index.docker.io: {mirrors: ["Mirror.example:5000/hub", 10.0.0.1:5000], concurrency: 4, rate: 0.5}
  registry.EXAMPLE:5000: {insecure: true, ca: certs/ca.pem, rate: 2}
  "[::1]:5000": {insecure: false}
  localhost: {}
online:
  allowed: [Docker.io, registry-1.docker.io, "*.Pkg.dev", "*.local:5000", 127.0.0.1]
  timeout: 1h30m
  cache: off
pin:
  min-age: 3d
  platforms: [linux/amd64, linux/arm/v7]
approved: ../digests.yaml
baseline: accepted.jsonl
`), formats)
	if err != nil {
		t.Fatal(err)
	}
	for host, r := range c.Registries {
		r.CA.at = Error{}
		c.Registries[host] = r
	}
	c.Approved.at, c.Baseline.at = Error{}, Error{}
	c.Set = nil
	want := &Config{
		Registries: map[string]Registry{
			"docker.io":             {Mirrors: []string{"mirror.example:5000/hub", "10.0.0.1:5000"}, Concurrency: 4, Rate: 0.5},
			"registry.example:5000": {Insecure: true, CA: File{Path: filepath.FromSlash("conf/certs/ca.pem")}, Rate: 2},
			"[::1]:5000":            {},
			"localhost":             {},
		},
		Online: Online{
			Allowed: []string{"docker.io", "docker.io", "*.pkg.dev", "*.local:5000", "127.0.0.1"},
			Timeout: 90 * time.Minute,
			NoCache: true,
		},
		Pin:      Pin{MinAge: 72 * time.Hour, Platforms: []string{"linux/amd64", "linux/arm/v7"}},
		Approved: File{Path: "digests.yaml"},
		Baseline: File{Path: filepath.FromSlash("conf/accepted.jsonl")},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
}

func TestParseOnline(t *testing.T) {
	for text, want := range map[string]Online{
		"online: {allowed: []}":      {Allowed: []string{}}, // nobody may be asked
		"online: {}":                 {},
		"online: {cache: 1d}":        {Cache: 24 * time.Hour},
		"online: {cache: 'off'}":     {NoCache: true},
		"pin: {min-age: 0s}":         {},
		"# a comment\n---\n# more\n": {},
	} {
		c, err := Parse("x", []byte(text), formats)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		} else if !reflect.DeepEqual(c.Online, want) {
			t.Errorf("Parse(%q): %+v, want %+v", text, c.Online, want)
		}
	}
}

// settingErrors are mistakes in the other sections, and in the file as such.
var settingErrors = []struct {
	text, message string
	line, column  int
}{
	{"registry: {}", `"registry" is no setting of the file; the settings are rules, exclude, trusted, exceptions, formats, registries, online, pin, approved, baseline`, 1, 1},
	{"online: {allow: []}", `"allow" is no setting of online; the settings are allowed, timeout, cache`, 1, 10},
	{"registries: {docker.io: {mirror: x}}", `"mirror" is no setting of docker.io; the settings are mirrors, insecure, ca, concurrency, rate`, 1, 26},
	{"pin: {platform: x}", `"platform" is no setting of pin`, 1, 7},
	{"online:\n", "online has to be a mapping, and is empty", 1, 8},
	{"online: &o {}\npin: *o\n", "pin has to be a mapping, written here: aliases are not followed", 2, 6},
	{"online: {}\n---\nonline: {}\n", "a second document", 2, 1},
	{"online: {}\n---\n", "a second document", 2, 1},
	{"online: {}\npin: {", "did not find", 2, 1},
	{"# \xff\n", "UTF-8", 1, 3},
	{"# ä\n- \xff\n", "UTF-8", 2, 3},

	{"registries: {docker: {}}", `"docker" is no registry host like docker.io`, 1, 14},
	{"registries: {'docker.io/library': {}}", "is no registry host", 1, 14},
	{"registries: {'https://ghcr.io': {}}", "without the scheme", 1, 14},
	{"registries: {'*.ghcr.io': {}}", "is no registry host", 1, 14},
	{"registries: {'a.example:0': {}}", "is no registry host", 1, 14},
	{"registries: {'a.example:65536': {}}", "is no registry host", 1, 14},
	{"registries: {'a.example:': {}}", "is no registry host", 1, 14},
	{"registries: {'user@a.example': {}}", "is no registry host", 1, 14},
	{"registries: {'': {}}", "is no registry host", 1, 14},
	{"registries: {'me:hunter2@a.example': {}}", `"…@a.example" is no registry host`, 1, 14},
	{"registries: {a.io: {mirrors: ['https://me:hunter2@b.io']}}", `"…@b.io" has to stand without the scheme`, 1, 31},
	{"registries:\n  docker.io: {}\n  index.docker.io: {}\n", `"docker.io" stands twice`, 3, 3},
	{"registries: {a.io: {mirrors: b.io}}", "this has to be a list of host[:port][/path]", 1, 30},
	{"registries: {a.io: {mirrors: [b]}}", `"b" is no registry host`, 1, 31},
	{"registries: {a.io: {mirrors: [b.io/]}}", "has a path that no repository has", 1, 31},
	{"registries: {a.io: {mirrors: [b.io/x:1]}}", "has a path that no repository has", 1, 31},
	{"registries: {a.io: {mirrors: [b.io/../v1]}}", "has a path that no repository has", 1, 31},
	{"registries: {a.io: {mirrors: ['b.io/x?y']}}", "has a path that no repository has", 1, 31},
	{"registries: {a.io: {mirrors: ['http://b.io']}}", "without the scheme", 1, 31},
	{"registries: {a.io: {mirrors: [[b.io]]}}", "this has to be host[:port][/path]", 1, 31},
	{"registries: {a.io: {insecure: 'true'}}", "this has to be true or false", 1, 31},
	{"registries: {a.io: {insecure: yes}}", "this has to be true or false", 1, 31},
	{"registries: {a.io: {concurrency: 0}}", `"0" is no whole number above zero`, 1, 34},
	{"registries: {a.io: {concurrency: -1}}", "is no whole number above zero", 1, 34},
	{"registries: {a.io: {concurrency: 1.5}}", "this has to be a whole number above zero", 1, 34},
	{"registries: {a.io: {concurrency: 9999999999}}", "is no whole number above zero", 1, 34},
	{"registries: {a.io: {rate: -0.1}}", "is no number above zero", 1, 27},
	{"registries: {a.io: {rate: .nan}}", "is no number above zero", 1, 27},
	{"registries: {a.io: {rate: .inf}}", "is no number above zero", 1, 27},
	{"registries: {a.io: {rate: fast}}", "this has to be a number above zero", 1, 27},
	{"registries: {a.io: {ca: ''}}", "the name of a file", 1, 25},
	{"registries: {a.io: {ca: [a]}}", "the name of a file", 1, 25},

	{"online: {allowed: '*'}", "this has to be a list", 1, 19},
	{"online: {allowed: ['*']}", `has a "*" elsewhere`, 1, 20},
	{"online: {allowed: ['*.']}", "is no domain like *.pkg.dev", 1, 20},
	{"online: {allowed: ['*.a.*']}", "is no domain like *.pkg.dev", 1, 20},
	{"online: {allowed: ['a*.b.io']}", `has a "*" elsewhere`, 1, 20},
	{"online: {allowed: [b.io/x]}", "is no registry host", 1, 20},
	{"online: {timeout: 15}", "this has to be a duration", 1, 19},
	{"online: {timeout: 0s}", `"0s" has to be above zero`, 1, 19},
	{"online: {timeout: -1s}", "is no duration like 90s, 15m or 3d", 1, 19},
	{"online: {cache: never}", "is no duration", 1, 17},
	{"online: {cache: 0s}", "has to be above zero", 1, 17},
	{"online: {cache: }", "this has to be a duration like 15m, and is empty", 1, 17},
	{"pin: {min-age: 3 days}", "is no duration", 1, 16},
	{"pin: {platforms: [linux]}", "is no platform like linux/amd64", 1, 19},
	{"pin: {platforms: [linux/arm/v7/x]}", "is no platform", 1, 19},
	{"pin: {platforms: [linux/]}", "is no platform", 1, 19},
	{"pin: {platforms: [Linux/amd64]}", "is no platform", 1, 19},
	{"pin: {platforms: [linux/x86_64]}", "is amd64", 1, 19},
	{"approved: [a]", "the name of a file", 1, 11},
}

func TestSettingErrors(t *testing.T) {
	for _, tt := range settingErrors {
		_, err := Parse("x.yaml", []byte(tt.text), formats)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, tt.message) || e.Line != tt.line || e.Column != tt.column || e.Path != "x.yaml" {
			t.Errorf("Parse(%q): %v, want %d:%d %s", tt.text, err, tt.line, tt.column, tt.message)
		}
		if strings.Contains(e.Error(), "hunter2") {
			t.Errorf("Parse(%q): %v shows the password", tt.text, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "90s": 90 * time.Second, "1.5h": 90 * time.Minute, "3d": 72 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "d", "1", "-1s", "-1d", "1.5d", "1d-1h", "1d+1h", "+1h", "1h1d", "65536d", "65535d2562047h", "1w", "inf", "１d"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("ParseDuration(%q) = %v", s, got)
		}
	}
}

// TestSettings holds that every setting is documented, and that no two share a
// key.
func TestSettings(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings() {
		if s.Type == "" || !strings.HasSuffix(s.Doc, ".") || seen[s.Key] {
			t.Errorf("%+v", s)
		}
		seen[s.Key] = true
	}
	for _, key := range []string{"formats.GLOB", "registries.HOST.ca", "online.cache", "pin.min-age", "approved", "baseline"} {
		if !seen[key] {
			t.Errorf("no %q", key)
		}
	}
}

// TestFiles: a configuration that is found names files of the repository only,
// one that is given names any; and no error tells what is in a file.
func TestFiles(t *testing.T) {
	const secret = "hunter2"
	top := t.TempDir()
	repo := filepath.Join(top, "repo")
	for name, text := range map[string]string{
		"secret": secret, "repo/.git/HEAD": "", "repo/ca.pem": "certificate", "repo/sub/x": "", "repo/big": strings.Repeat("x", 100),
	} {
		name = filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(top, "secret"), filepath.Join(repo, "link")); err != nil {
		t.Skip(err)
	}
	name := filepath.Join(repo, Name)
	tests := []struct{ path, found, named string }{ // errors
		{"ca.pem", "", ""},
		{"sub/../ca.pem", "", ""},
		{"../secret", "outside the repository", ""},
		{filepath.ToSlash(top) + "/secret", "outside the repository", ""},
		{"link", "escapes", ""},
		{"link/x", "escapes", "not a directory"},
		{"missing", "no such file", "no such file"},
		{"sub", "not a regular file", "not a regular file"},
		{"big", "more than 20 bytes", "more than 20 bytes"},
	}
	if exec.Command("mkfifo", filepath.Join(repo, "pipe")).Run() == nil { // a system that has them
		const pipe = "not a regular file"
		tests = append(tests, struct{ path, found, named string }{"pipe", pipe, pipe})
	}
	for _, tt := range tests {
		if err := os.WriteFile(name, []byte("# settings\napproved: "+tt.path+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		found, err := Nearest(filepath.Join(repo, "sub"), formats)
		if err != nil {
			t.Fatal(err)
		}
		named, err := Read(name, formats)
		if err != nil {
			t.Fatal(err)
		}
		for how, c := range map[string]struct {
			*Config
			want string
		}{"found": {found, tt.found}, "named": {named, tt.named}} {
			data, err := c.Approved.Read(20)
			var e *Error
			switch {
			case c.want == "" && (err != nil || len(data) == 0):
				t.Errorf("%s, %s: %v", tt.path, how, err)
			case c.want != "" && (!errors.As(err, &e) || !strings.Contains(e.Message, c.want) || e.Line != 2 || e.Column != 11 || e.Path != name):
				t.Errorf("%s, %s: %v, want %s", tt.path, how, err, c.want)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("%s, %s: %v quotes the file", tt.path, how, err)
			}
		}
	}
}

// TestNearestLink: the configuration itself is not followed out of the
// repository, unless it is named.
func TestNearestLink(t *testing.T) {
	top := t.TempDir()
	repo := filepath.Join(top, "repo")
	if err := os.MkdirAll(filepath.Join(repo, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(top, "secret"), []byte("hunter2: hunter2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(repo, Name)
	if err := os.Symlink(filepath.Join("..", "secret"), name); err != nil {
		t.Skip(err)
	}
	if _, err := Nearest(repo, formats); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), name) {
		t.Errorf("found: %v", err)
	}
	if _, err := Read(name, formats); err == nil || !strings.Contains(err.Error(), "is no setting") {
		t.Errorf("named: %v", err)
	}
	if c, err := Nearest(top, formats); err != nil || c.Path != "" {
		t.Errorf("none: %+v, %v", c, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"formats:\n  a: compose\n",
		"formats: {a: [b], ? c : d}\n",
		"registries: {docker.io: {mirrors: [a.io/b], insecure: true, ca: a, concurrency: 1, rate: 2}}",
		"online: {allowed: ['*.a.io'], timeout: 1m, cache: off}\r\n---\r\n",
		"pin: {min-age: 3d, platforms: [linux/amd64]}\napproved: a\u0085- \u2028b",
		"online:\n", "a: {\n", "\ufeffpin: *a", "pin: !!binary a", "pin: {min-age: 9223372036854775807d}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("x", data, formats)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		if err == nil {
			return
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%v has no place", err)
		}
		lines := lineBreak.Split(string(data), -1)
		if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > 1+utf8.RuneCountInString(lines[e.Line-1]) {
			t.Fatalf("%v is outside of %q", err, data)
		}
	})
}

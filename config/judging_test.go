package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/rules"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// judgingErrors are mistakes in the sections on rules and findings. Those that
// are loose are more than a schema can tell.
var judgingErrors = []struct {
	text, message string
	line, column  int
	loose         bool
}{
	{"rules: {unpinned: off}", `"unpinned" is no rule`, 1, 9, false},
	{"rules: {unpinned-image: fatal}", `"fatal" is no severity; it is one of off, info, warning, error`, 1, 25, false},
	{"rules: {unpinned-image: 1}", "this has to be off, info, warning or error", 1, 25, false},
	{"rules: {unpinned-image: [off]}", "this has to be off, info, warning or error", 1, 25, false},
	{"rules: {unpinned-image: {level: off}}", `"level" is no setting of unpinned-image; the settings are severity`, 1, 26, false},
	{"rules: {unpinned-image: {}}", "unpinned-image has no severity", 1, 25, false},
	{"rules: {malicious-digest: off}", "malicious-digest can't be off: it is never less than error; `exceptions`", 1, 27, false},
	{"rules: {malicious-digest: warning}", "can't be warning", 1, 27, false},
	{"rules: {malicious-mention: {severity: info}}", "malicious-mention can't be info: it is never less than warning; `exclude`", 1, 28, false},
	{"rules:\n  tag-drift: off\n  tag-drift: info\n", `"tag-drift" stands twice`, 3, 3, false},
	{"rules: [unpinned-image]", "rules has to be a mapping", 1, 8, false},

	{"exclude: {path: a}", "exclude has to be a list", 1, 10, false},
	{"exclude: [a]", "an entry of exclude has to be a mapping", 1, 11, false},
	{"exclude: [{}]", "has no path, image, registry or owner", 1, 11, true},
	{"exclude: [{rules: [tag-drift]}]", "has no path, image, registry or owner; `rules` switches", 1, 11, true},
	{"exclude: [{paths: a}]", `"paths" is no setting of an entry of exclude`, 1, 12, false},
	{"exclude: [{path: 'a['}]", `"a[" is no glob`, 1, 18, true},
	{"exclude: [{path: ''}]", "is no glob", 1, 18, false},
	{"exclude: [{path: /etc}]", "relative to the folder", 1, 18, false},
	{"exclude: [{path: ../a}]", "relative to the folder", 1, 18, false},
	{"exclude: [{path: a, rules: []}]", "has no rule in its rules", 1, 11, true},
	{"exclude: [{path: a, rules: [unpinned]}]", `"unpinned" is no rule`, 1, 29, false},
	{"exclude: [{path: a, rules: [malicious-digest]}]", "malicious-digest can't be excluded; `exceptions`", 1, 11, true},
	{"exclude: [{image: 'ghcr.io/a/*', rules: [malicious-mention]}]", "malicious-mention can be excluded by path alone", 1, 11, true},
	{"exclude: [{image: nginx}]", `"nginx" does not start with a registry; write docker.io/library/nginx`, 1, 19, false},
	{"exclude: [{image: acme/*}]", "write docker.io/acme/*", 1, 19, true},
	{"exclude: [{image: docker.io/nginx}]", "matches nothing: official images are below docker.io/library/", 1, 19, true},
	{"exclude: [{image: 'docker.io/*'}]", "matches nothing", 1, 19, true},
	{"exclude: [{image: ghcr.io}]", `"ghcr.io" names no repository; write ghcr.io/** for all of a registry`, 1, 19, false},
	{"exclude: [{image: ghcr.io/}]", "names no repository", 1, 19, true},
	{"exclude: [{image: 'ghcr.io/a:1'}]", "has a tag or a digest", 1, 19, true},
	{"exclude: [{image: 'ghcr.io/a@sha256:*'}]", "has a tag or a digest", 1, 19, false},
	{"exclude: [{image: 'ghcr.io/Acme/*'}]", "has an upper-case letter", 1, 19, false},
	{"exclude: [{image: 'ghcr.io/[a'}]", "is no glob", 1, 19, true},
	{"exclude: [{registry: 'https://a.io'}]", "without the scheme", 1, 22, false},
	{"exclude: [{owner: acme/app}]", `"acme/app" is no owner`, 1, 19, false},
	{"exclude: [{owner: Acme}]", "is no owner", 1, 19, false},
	{"exclude: [{path: a, reason: ' '}]", "has to say something", 1, 29, false},

	{"trusted: docker.io", "this has to be a list of globs over names", 1, 10, false},
	{"trusted: [docker.io]", "names no repository", 1, 11, false},

	{"exceptions: [{digest: " + someDigest + ", until: 2027-01-31}]", "this entry of exceptions has no reason", 1, 14, false},
	{"exceptions: [{digest: " + someDigest + ", reason: x}]", "this entry of exceptions has no until", 1, 14, false},
	{"exceptions: [{reason: x, until: 2027-01-31}]", "this entry of exceptions has no digest", 1, 14, false},
	{"exceptions: [{digest: sha256:12}]", `"sha256:12" is no digest`, 1, 23, false},
	{"exceptions: [{until: 2027-02-30}]", `"2027-02-30" is no day`, 1, 22, false},
	{"exceptions: [{until: 2027-01-31T00:00:00Z}]", "is no day", 1, 22, false},
	{"exceptions: [{until: soon}]", `"soon" is no day`, 1, 22, false},
	{"exceptions:\n- {digest: " + someDigest + ", reason: x, until: 2027-01-31}\n- {digest: " + someDigest + ", reason: y, until: 2027-01-31}\n",
		"stands twice in exceptions", 3, 3, true},
}

func TestJudgingErrors(t *testing.T) {
	for _, tt := range judgingErrors {
		_, err := Parse("x.yaml", []byte(tt.text), formats)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, tt.message) || e.Line != tt.line || e.Column != tt.column {
			t.Errorf("Parse(%q): %v, want %d:%d %s", tt.text, err, tt.line, tt.column, tt.message)
		}
	}
}

func TestParseRules(t *testing.T) {
	c, err := Parse("x", []byte("rules: {unpinned-image: off, tag-drift: {severity: info}, malicious-mention: error, malicious-digest: error}"), formats)
	if err != nil {
		t.Fatal(err)
	}
	want := map[*rules.Rule]rules.Severity{
		rules.UnpinnedImage: rules.Off, rules.TagDrift: rules.Info, rules.MaliciousMention: rules.Error, rules.MaliciousDigest: rules.Error,
	}
	for r, s := range want {
		if got, ok := c.Rules[r]; !ok || got != s {
			t.Errorf("%s: %v, %v", r.Name, got, ok)
		}
	}
	if len(c.Rules) != len(want) {
		t.Errorf("%v", c.Rules)
	}
}

func TestExcluded(t *testing.T) {
	const nginx, app = "docker.io/library/nginx", "ghcr.io/acme/app"
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("sub", 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	unpinned, mention := rules.UnpinnedImage, rules.MaliciousMention
	for _, tt := range []struct {
		entry, path string
		names       []string
		rule        *rules.Rule
		want        bool
	}{
		{"path: vendor", "vendor/a/Dockerfile", []string{nginx}, unpinned, true},
		{"path: vendor/", "x/vendor/Dockerfile", nil, unpinned, true},
		{"path: x/vendor", "x/vendor/Dockerfile", nil, unpinned, true},
		{"path: ./x", "x/Dockerfile", nil, unpinned, true},
		{"path: x/vendor", "vendor/Dockerfile", nil, unpinned, false},
		{"path: 'x/**'", "x/y/Dockerfile", nil, unpinned, true},
		{"path: x/*", "x/y/Dockerfile", nil, unpinned, true}, // y is matched, with all in it
		{"path: '*.md'", "docs/a.md", nil, unpinned, true},
		{"path: vendor", "vendored/Dockerfile", nil, unpinned, false},
		{"path: vendor", filepath.ToSlash(dir) + "/vendor/Dockerfile", nil, unpinned, true},
		{"path: vendor", "../vendor/Dockerfile", nil, unpinned, true}, // at any depth
		{"path: a/b", "../a/b", nil, unpinned, false},
		{"path: vendor", "vendor/notes.txt", nil, mention, false}, // is not named
		{"path: vendor, rules: [malicious-mention]", "vendor/notes.txt", nil, mention, true},
		{"path: vendor, rules: [malicious-mention]", "vendor/Dockerfile", nil, unpinned, false},
		{"path: vendor", "vendor/Dockerfile", []string{nginx}, rules.MaliciousDigest, false},
		{"image: ghcr.io/acme/*", "Dockerfile", []string{app}, unpinned, true},
		{"image: ghcr.io/acme/*", "Dockerfile", []string{"ghcr.io/acme/team/app"}, unpinned, false},
		{"image: 'ghcr.io/acme/**'", "Dockerfile", []string{"ghcr.io/acme/team/app"}, unpinned, true},
		{"image: ghcr.io/acme/*", "Dockerfile", []string{"ghcr.io.evil.example/acme/app"}, unpinned, false},
		{"image: index.docker.io/library/*", "Dockerfile", []string{nginx}, unpinned, true},
		{"image: '**/app'", "Dockerfile", []string{app}, unpinned, true},
		{"image: '*.io/acme/*'", "Dockerfile", []string{app}, unpinned, true},
		{"image: ghcr.io/acme/*", "Dockerfile", []string{app, nginx}, unpinned, false}, // one of two
		{"image: ghcr.io/acme/*", "Dockerfile", nil, rules.InvalidReference, false},    // no image is known
		{"registry: ghcr.io", "Dockerfile", []string{app}, unpinned, true},
		{"registry: ghcr.io", "Dockerfile", []string{nginx}, unpinned, false},
		{"registry: '*.pkg.dev'", "Dockerfile", []string{"eu.pkg.dev/p/app"}, unpinned, true},
		{"registry: '*.pkg.dev'", "Dockerfile", []string{"evilpkg.dev/p/app"}, unpinned, false},
		{"owner: acme", "Dockerfile", []string{app}, unpinned, true},
		{"owner: acme", "Dockerfile", []string{"docker.io/acme/x"}, unpinned, true},
		{"owner: acme", "Dockerfile", []string{"ghcr.io/acme2/x"}, unpinned, false},
		{"owner: acme, registry: ghcr.io", "Dockerfile", []string{"docker.io/acme/x"}, unpinned, false},
		{"owner: acme, path: sub", "Dockerfile", []string{app}, unpinned, false},
		{"owner: acme, rules: [floating-tag]", "Dockerfile", []string{app}, unpinned, false},
	} {
		c, err := Parse(Name, []byte("exclude:\n- {path: none/x}\n- {"+tt.entry+", reason: upstream}\n"), formats)
		if err != nil {
			t.Errorf("%s: %v", tt.entry, err)
			continue
		}
		c.Path = filepath.Join(dir, Name)
		e := c.Excluded(tt.path, tt.names, tt.rule)
		if (e != nil) != tt.want {
			t.Errorf("{%s}: %s in %s, %v: %v", tt.entry, tt.rule.Name, tt.path, tt.names, e)
		} else if e != nil && (e.Reason != "upstream" || e.At != Place{3, 3}) {
			t.Errorf("{%s}: %+v", tt.entry, e)
		}
	}
}

func TestTrusts(t *testing.T) {
	c, err := Parse("x", []byte("trusted: ['docker.io/library/*', 'ghcr.io/acme/**', 'registry.example:5000/**', '*.pkg.dev/p/*']"), formats)
	if err != nil {
		t.Fatal(err)
	}
	trusted := []string{"docker.io/library/nginx", "ghcr.io/acme/a/b", "registry.example:5000/x", "eu.pkg.dev/p/x"}
	for _, name := range append(trusted, "docker.io/acme/nginx", "ghcr.io/acme2/a", "registry.example/x", "ghcr.io.evil.example/acme/a", "a.b.pkg.dev/q/x") {
		if got := c.Trusts(name); got != slices.Contains(trusted, name) {
			t.Errorf("Trusts(%q) = %v", name, got)
		}
	}
}

func TestSet(t *testing.T) {
	c, err := Parse("x", []byte("rules:\n  tag-drift: {severity: info}\nexclude:\n- path: 'a,b'\n  rules: [tag-drift]\n- {owner: x}\nonline: {timeout: 5m, allowed: []}\n"), formats)
	if err != nil {
		t.Fatal(err)
	}
	want := []Set{
		{"rules.tag-drift.severity", "info", Place{2, 25}},
		{"exclude", `{path: "a,b", rules: [tag-drift]}`, Place{4, 3}},
		{"exclude", "{owner: x}", Place{6, 3}},
		{"online.timeout", "5m", Place{7, 19}},
		{"online.allowed", "[]", Place{7, 32}},
	}
	if !slices.Equal(c.Set, want) {
		t.Errorf("got %+v\nwant %+v", c.Set, want)
	}
}

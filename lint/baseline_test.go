package lint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/rules"
)

const baselineHead = `{"version":1,"about":"x"}` + "\n"

var today = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// accept is the baseline of a check of all files below root, in its folder.
func accept(t testing.TB, root string) *Baseline {
	t.Helper()
	b, _ := NewBaseline(filepath.Join(root, BaselineName), check(t, Options{Paths: []string{root}, Now: today}).Findings)
	return reread(t, b, root)
}

// reread is b written and read.
func reread(t testing.TB, b *Baseline, root string) *Baseline {
	t.Helper()
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseBaseline(filepath.Join(root, BaselineName), data)
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	if !reflect.DeepEqual(got, b) {
		t.Fatalf("read\n%+v\nwrote\n%+v", got, b)
	}
	return got
}

// left are the findings and the stale entries of a check against b.
func left(t testing.TB, b *Baseline, opts Options) string {
	t.Helper()
	opts.Baseline, opts.Now = b, today
	res := check(t, opts)
	var out strings.Builder
	for _, f := range res.Findings {
		fmt.Fprintf(&out, "%d %s\n", f.Start.Line, f.Rule.Name)
	}
	for _, a := range res.Stale {
		fmt.Fprintf(&out, "stale %s: %d\n", a, a.Count)
	}
	return out.String()
}

func TestBaseline(t *testing.T) {
	const a, b = "FROM a:1\n", "FROM b:1\n"
	for _, test := range []struct{ name, file, before, after, want string }{
		{"nothing changed", "Dockerfile", a + b, a + b, ""},
		{"lines moved", "Dockerfile", a + b, "# x\n\n" + b + a, ""},
		{"another name of the image", "Dockerfile", "FROM nginx\n", "FROM index.docker.io/library/nginx:latest\n", ""},
		{"another tag", "Dockerfile", a, "FROM a:2\n", "1 unpinned-image\nstale Dockerfile: docker.io/library/a:1 [unpinned-image]: 1\n"},
		{"more of one", "Dockerfile", a + b, a + a + b + a, "2 unpinned-image\n4 unpinned-image\n"},
		{"less of one", "Dockerfile", a + a + a + b, b + a, "stale Dockerfile: docker.io/library/a:1 [unpinned-image]: 2\n"},
		{"a variable", "Dockerfile", "FROM ${X}\n", "\nFROM ${X}\nFROM ${Y}\n", "3 unresolved-variable\n"},
		{"no reference", "Dockerfile", "FROM a@sha256:123\n", a + "FROM a@sha256:123\nFROM a@sha256:124\n", "1 unpinned-image\n3 invalid-reference\n"},
		{"two rules", "Dockerfile", "FROM checkmarx/kics:v2.1.21\n", "FROM checkmarx/kics:v2.1.21\n", ""},
		{"malicious", "Dockerfile", "FROM a@" + malicious + "\n# " + malicious + "\n", "FROM a@" + malicious + "\n# " + malicious + "\n", "1 malicious-digest\n2 malicious-mention\n"},
		{"a broken file", "compose.yaml", "services:\n  a: {image: \"a:1\n", "# x\nservices:\n  b: {image: a:1}\n  a: {image: \"a:1\n", ""},
		{"a mended file", "compose.yaml", "services:\n  a: {image: \"a:1\n", "services:\n  a: {image: \"a:1\"}\n",
			"2 unpinned-image\nstale compose.yaml: not readable as compose: found unexpected end of stream [syntax-error]: 1\n"},
		{"findings that breaking has hidden", "compose.yaml", "services:\n  a: {image: b:1}\n", "services:\n  a: {image: \"a:1\n", "2 syntax-error\n"},
		{"comments", "Dockerfile", "# digestlint:ignore[unpinned-image] until=2026-11-01 x\n", "FROM scratch\n# digestlint:ignore[unpinned-image] until=2026-11-02 x\n", ""},
		{"ignored meanwhile", "Dockerfile", a, "# digestlint:ignore[unpinned-image] why\n" + a, "stale Dockerfile: docker.io/library/a:1 [unpinned-image]: 1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := write(t, map[string]string{test.file: test.before})
			base := accept(t, root)
			if err := os.WriteFile(filepath.Join(root, test.file), []byte(test.after), 0o644); err != nil {
				t.Fatal(err)
			}
			if got := left(t, base, Options{Paths: []string{root}}); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

// TestBaselineLastIsNew holds that of too many findings the last ones are new,
// in whichever order they were found.
func TestBaselineLastIsNew(t *testing.T) {
	root := write(t, map[string]string{"Dockerfile": "FROM a:1\nFROM a:1\nFROM a:1\n"})
	found := check(t, Options{Paths: []string{root}}).Findings
	base, _ := NewBaseline(filepath.Join(root, BaselineName), found[:2])
	slices.Reverse(found)
	r := run{opts: Options{Baseline: base}, result: &Result{}}
	if got := r.known(found); len(got) != 1 || got[0].Start.Line != 3 {
		t.Errorf("%+v", got)
	}
}

// TestBaselineOfAll holds that whatever can be found can be in a baseline, and
// that a check of the same tree against it finds the rest.
func TestBaselineOfAll(t *testing.T) {
	res := check(t, Options{Paths: []string{"../testdata"}})
	base, certain := NewBaseline("../testdata/"+BaselineName, res.Findings)
	reread(t, base, "../testdata")
	got := check(t, Options{Paths: []string{"../testdata"}, Baseline: base})
	for _, f := range got.Findings {
		if !f.Rule.Certain {
			t.Errorf("%s: %s", f.Path, f.Message)
		}
	}
	if certain == 0 || len(got.Findings) != certain || len(got.Suppressed)-len(res.Suppressed) != base.Findings() {
		t.Errorf("%d findings, %d of them certain; %d in the baseline, %d hidden", len(got.Findings), certain, base.Findings(), len(got.Suppressed))
	}
	if stale := base.Stale(got); len(stale) > 0 {
		t.Errorf("stale: %v", stale)
	}
}

// TestBaselineStale holds what a run may say of entries that it finds nothing of.
func TestBaselineStale(t *testing.T) {
	const pin = "FROM a:1@sha256:000000000000000000000000000000000000000000000000000000000000000"
	root := write(t, map[string]string{"x/Dockerfile": pin + "1\n", "y/Dockerfile": pin + "2\n", "z/Dockerfile": "FROM c:1\n"})
	base := accept(t, root)
	const (
		conflict = "stale y/Dockerfile: docker.io/library/a:1@sha256:0000000000000000000000000000000000000000000000000000000000000002 [conflicting-digests]: 1\n"
		tag      = "stale z/Dockerfile: docker.io/library/c:1 [unpinned-image]: 1\n"
	)
	if got := left(t, base, Options{Paths: []string{filepath.Join(root, "y")}}); got != "" {
		t.Errorf("in a part: %s", got)
	}
	for _, name := range []string{"x", "z"} {
		if err := os.WriteFile(filepath.Join(root, name, "Dockerfile"), []byte("FROM scratch\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		paths []string
		want  string
	}{
		{"all", []string{root}, conflict + tag},
		{"all, from above", []string{filepath.Dir(root)}, conflict + tag},
		{"all parts", []string{root + "/x", root + "/y", root + "/z"}, tag},
		{"another part", []string{root + "/x"}, ""},
		{"by detours", []string{filepath.Join(root, "x") + "/../z"}, tag},
	} {
		if got := left(t, base, Options{Paths: test.paths}); got != test.want {
			t.Errorf("%s: got\n%swant\n%s", test.name, got, test.want)
		}
	}

	opts := Options{Paths: []string{root}, SkipFile: func(name string) bool { return strings.Contains(name, "/x/") }}
	if got := left(t, base, opts); got != tag {
		t.Errorf("all but some: got\n%swant\n%s", got, tag)
	}

	// What is off finds nothing.
	res, err := Run(t.Context(), Options{Paths: []string{root + "/y"}, Baseline: base, Rules: []*rules.Rule{rules.UnpinnedImage}})
	if err != nil || len(res.Stale) != 1 || res.Stale[0].Rule != "conflicting-digests" {
		t.Errorf("off: %+v, %v", res, err)
	}
	off := map[*rules.Rule]rules.Severity{rules.ConflictingDigests: rules.Off}
	if got := left(t, base, Options{Paths: []string{root + "/y"}, Severities: off}); got != conflict {
		t.Errorf("off: got\n%swant\n%s", got, conflict)
	}

	if err := os.RemoveAll(filepath.Join(root, "z")); err != nil {
		t.Fatal(err)
	}
	stale := base.Stale(&Result{})
	if len(stale) != 1 || stale[0].Path != "z/Dockerfile" {
		t.Errorf("gone: %v", stale)
	}
	if rest := base.Without(stale); rest.Findings() != 1 || base.Findings() != 2 {
		t.Errorf("%d left, of %d", rest.Findings(), base.Findings())
	}
}

// TestBaselineOnline holds that what only registries tell is not gone where
// nobody asks them.
func TestBaselineOnline(t *testing.T) {
	root := write(t, map[string]string{"Dockerfile": "FROM scratch\n"})
	base, err := ParseBaseline(filepath.Join(root, BaselineName), []byte(baselineHead+
		`{"rule":"tag-drift","path":"Dockerfile","reference":"a","count":1}`+"\n"+`{"rule":"no-rule","path":"Dockerfile","reference":"a","count":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := left(t, base, Options{Paths: []string{root}}), "stale Dockerfile: docker.io/library/a:latest [no-rule]: 1\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestBaselineLinks holds that links on the way to the files and to the baseline
// don't count, nor names that are no text.
func TestBaselineLinks(t *testing.T) {
	root := write(t, map[string]string{"in/Dockerfile": "FROM a:1\n"})
	if err := os.Symlink("in", filepath.Join(root, "link")); err != nil {
		t.Skip(err)
	}
	base := accept(t, filepath.Join(root, "link"))
	if got := left(t, base, Options{Paths: []string{filepath.Join(root, "in")}}); got != "" {
		t.Error(got)
	}
	odd := filepath.Join(root, "in", "\xff.dockerfile")
	if err := os.WriteFile(odd, []byte("FROM b:1\n"), 0o644); err != nil {
		t.Skip(err)
	}
	base = accept(t, filepath.Join(root, "in"))
	res := check(t, Options{Paths: []string{odd}, Baseline: base})
	if len(res.Findings) > 0 || len(base.Stale(res)) > 0 || base.Findings() != 2 {
		t.Errorf("%+v, %v", res.Findings, base.Entries())
	}
}

func TestParseBaseline(t *testing.T) {
	const entry = `{"rule":"unpinned-image","path":"a/b","reference":"nginx","count":2}` + "\n"
	for _, test := range []struct{ name, data, want string }{
		{"nothing", "", ""},
		{"blanks", "\ufeff\r\n" + strings.ReplaceAll(baselineHead+entry, "\n", "\r\n") + "\n  \n", "a/b: docker.io/library/nginx:latest [unpinned-image] 2\n"},
		{"a union merge", baselineHead + entry + baselineHead + strings.Replace(entry, "2", "3", 1) + entry, "a/b: docker.io/library/nginx:latest [unpinned-image] 3\n"},
		{"keys in any order", baselineHead + `{ "count" : 1 , "message":"m", "path":"../x", "rule":"r" }`, "../x: m [r] 1\n"},
	} {
		b, err := ParseBaseline("x", []byte(test.data))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := ""
		for _, a := range b.Entries() {
			got += fmt.Sprintf("%s %d\n", a, a.Count)
		}
		if got != test.want {
			t.Errorf("%s: got\n%swant\n%s", test.name, got, test.want)
		}
		samePlain(t, test.data)
	}
	for _, test := range []struct {
		data         string // "…" stands for the first line
		message      string
		line, column int
	}{
		{entry, "hold its version", 1, 1},
		{`{"version":2}`, "newer digestlint", 1, 12},
		{`{"version":"1"}`, "version can't have such a value", 1, 12},
		{`{"version":1,"count":1}`, "count has no place beside the version", 1, 14},
		{"…<<<<<<< ours\n", "not JSON", 2, 1},
		{"…[]", "a JSON object", 2, 1},
		{"…7", "a JSON object", 2, 1},
		{"…{", "has no end", 2, 2},
		{"…" + `{"rule":"ä","path"`, "has no end", 2, 19},
		{"…" + `{"rule":"ä" "path":"b"}`, "not JSON", 2, 13},
		{"…" + `{"rule":"a",}`, "not JSON", 2, 13},
		{"…" + `{"rule":"a"} x`, "behind the object", 2, 14},
		{"…" + `{"rule":"a","x":1}`, "no key of a baseline", 2, 13},
		{"…" + `{"Rule":"a"}`, "no key of a baseline", 2, 2},
		{"…" + `{"rule":"a","rule":"a"}`, "rule stands twice", 2, 13},
		{"…" + `{"rule":["a"]}`, "rule can't have such a value", 2, 9},
		{"…" + `{"rule":null}`, "rule can't have such a value", 2, 9},
		{"…" + `{"about":"a"}`, "about belongs to the version", 2, 2},
		{"…" + `{}`, "no count", 2, 1},
		{"…" + `{"rule":"r","path":"p","message":"m","count":0}`, "whole number above zero", 2, 46},
		{"…" + `{"rule":"r","path":"p","message":"m","count":1.5}`, "whole number above zero", 2, 46},
		{"…" + `{"rule":"r","path":"p","message":"m","count":9999999999}`, "whole number above zero", 2, 46},
		{"…" + `{"path":"p","message":"m","count":1}`, "no rule", 2, 1},
		{"…" + `{"rule":"malicious-digest","path":"p","message":"m","count":1}`, "no baseline hides malicious-digest", 2, 9},
		{"…" + `{"rule":"malicious-mention","path":"p","message":"m","count":1}`, "no baseline hides malicious-mention", 2, 9},
		{"…" + `{"rule":"r","message":"m","count":1}`, "no path", 2, 1},
		{"…" + `{"rule":"r","path":"./p","message":"m","count":1}`, "shortest way", 2, 20},
		{"…" + `{"rule":"r","path":"p","count":1}`, "either", 2, 1},
		{"…" + `{"rule":"r","path":"p","message":"m","reference":"a","count":1}`, "either", 2, 1},
		{"…" + "{\"rule\":\"ä\xff\"}", "UTF-8", 2, 11},
		{strings.Repeat(" ", MaxBaseline+1), "more than", 1, 1},
	} {
		data := strings.Replace(test.data, "…", baselineHead, 1)
		samePlain(t, data)
		_, err := ParseBaseline("x", []byte(data))
		var e *BaselineError
		if !errors.As(err, &e) || !strings.Contains(e.Message, test.message) || e.Line != test.line || e.Column != test.column {
			t.Errorf("%.80q: %v, want %s at %d:%d", test.data, err, test.message, test.line, test.column)
		}
	}
}

// samePlain holds that lines which are read without a JSON parser are read as by
// one.
func samePlain(t *testing.T, data string) {
	for line := range strings.SplitSeq(data, "\n") {
		l := baselineLine{text: []byte(line)}
		fast, ok := l.plain()
		if !ok {
			continue
		}
		err := l.read()
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if header, err := l.header(); header || err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if slow, err := l.accepted(); err != nil || slow != fast {
			t.Errorf("%q: %+v, not %+v, %v", line, fast, slow, err)
		}
	}
}

// FuzzBaseline holds that what can be read can be written and read again, that
// reading takes no crash, and that nothing hides a malicious image.
func FuzzBaseline(f *testing.F) {
	f.Add(baselineHead+`{"rule":"unpinned-image","path":"Dockerfile","reference":"a:1","count":2}`, "a:1")
	f.Add("\ufeff"+baselineHead+"\r\n"+`{"count":1,"message":"\ud800\u2028\n","path":"../\"","rule":"syntax-error"}`, "\xff7")
	f.Add(`{"version":2,"version":[{}],`, "")
	f.Fuzz(func(t *testing.T, data, ref string) {
		samePlain(t, data)
		if b, err := ParseBaseline("x", []byte(data)); err == nil {
			reread(t, b, ".")
			opts := Options{Paths: []string{"-"}, StdinName: "Dockerfile", Stdin: strings.NewReader("FROM " + malicious + "\nFROM " + ref), Baseline: b}
			res := check(t, opts)
			if res.Summary.Malicious == 0 {
				t.Errorf("hidden")
			}
			made, certain := NewBaseline("x", res.Findings)
			if reread(t, made, "."); certain != res.Summary.Malicious {
				t.Errorf("%d certain, %d malicious", certain, res.Summary.Malicious)
			}
		}
	})
}

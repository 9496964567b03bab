package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

var update = flag.Bool("update", false, "write the golden files")

// at is f at the first place of part in content.
func at(path, content, part string, f rules.Finding) rules.Finding {
	start := strings.Index(content, part)
	if start < 0 {
		panic("no " + part)
	}
	span := source.Span{Start: start, End: start + len(part)}
	return rules.Place(&source.File{Path: path, Data: []byte(content)}, span, f)
}

const (
	pinHint   = "run `digestlint pin PATH`, or write name:tag@sha256:…"
	compose   = "services:\n  web:\n    image: nginx:1.27\n  cache:\n\timage: 'redis'\n  db:\n    image: \"${DB}\"\n"
	badDigest = "sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d"
)

var reports = map[string]*Report{
	"empty": {Version: "1.2.3"},
	"one": {
		Version:  "1.2.3",
		Findings: []rules.Finding{at("compose.yaml", compose, "nginx:1.27", unpinned("nginx:1.27", "services.web.image"))},
		Summary:  Summary{Files: 1, References: 1, Unpinned: 1},
	},
	"usual": {
		Version: "1.2.3",
		Findings: []rules.Finding{
			at("Dockerfile", "FROM kics@"+badDigest+"\n", "kics@"+badDigest, rules.Finding{
				Rule: rules.MaliciousDigest, Message: "malicious image: sha256:2588a4489026…, the index behind alpine",
				Hint: "treat every job and host that ran it as compromised\nknown good: kics:v2.1.19", Reference: "kics@" + badDigest, Pointer: "FROM",
			}),
			at("compose.yaml", compose, "nginx:1.27", unpinned("nginx:1.27", "services.web.image")),
			at("compose.yaml", compose, "redis", rules.Finding{Rule: rules.FloatingTag, Message: "redis has no tag", Hint: "choose a version", Reference: "redis", Pointer: "services.cache.image"}),
			at("compose.yaml", compose, "${DB}", related(rules.Finding{Rule: rules.UnresolvedVariable, Message: "the image depends on DB", Reference: "${DB}", Pointer: "services.db.image"}, 1)),
			at("compose.yaml", compose, "db:", related(rules.Finding{Rule: rules.ConflictingDigests, Message: "another digest"}, 7)),
			at("deploy/web.yaml", "image: nginx:1.28\n", "nginx:1.28", unpinned("nginx:1.28", "image")),
			at("deploy/web.yaml", "a: [\n", "\n", rules.Finding{Rule: rules.SyntaxError, Message: "not readable as kubernetes: no end"}),
		},
		Errors: []Error{
			{Path: "bad.yaml", Line: 3, Column: 1, Message: "permission denied"},
			{Message: "resolve nginx:1.27: no answer"},
		},
		Summary: Summary{Files: 3, NotRecognised: 17, References: 412, Unpinned: 37, Unresolved: 5, Malicious: 1},
	},
	"wide": {Findings: []rules.Finding{
		at("tabs", "\t\timage:\tnginx:1\t# é\n", "nginx:1", unpinned("nginx:1", "")),
		at("wide", "# 画像🙂: nginx:1 # 終\n", "nginx:1", unpinned("nginx:2", "")),
		at("combining", "# e\u0301: nginx:1\n", "nginx:1", unpinned("nginx:3", "")),
		at("long", strings.Repeat("a ", 300)+"nginx:1 "+strings.Repeat("b ", 300), "nginx:1", unpinned("nginx:4", "")),
		at("longish", strings.Repeat("a ", 70)+"nginx:1 "+strings.Repeat("b ", 60), "nginx:1", unpinned("nginx:5", "")),
		at("right", "nginx:1 "+strings.Repeat("b ", 100), "nginx:1", unpinned("nginx:6", "")),
		at("huge", "image: "+strings.Repeat("n", 500)+"\n", strings.Repeat("n", 500), unpinned("n", "")),
		at("lines", "FROM nginx\\\n:1\n", "nginx\\\n:1", unpinned("nginx:7", "")),
		at("cutcharacters", strings.Repeat("画", 200)+" nginx:1 "+strings.Repeat("像", 200), "nginx:1", unpinned("nginx:8", "")),
	}},
	"hostile": {
		Findings: []rules.Finding{
			at("a\x1b[31m\nb\r\t\xff\u202e\u009b\U000e0001.yaml", "\x1b]0;owned\a image: nginx:1 \x00\xff\u202e\u2028\u200b\n", "nginx:1",
				related(rules.Finding{
					Rule: rules.UnpinnedImage, Message: "x\x1b[2J\ny [link](https://example.com)", Hint: "h\x1b[0m",
					Pointer: "p\x1b\x7f", Reference: "r\xff\u0085",
				}, 0)),
			at("dir with space/ä#?%:[1].yaml", "\x1b\x1bnginx:1\x1b\x1b\n", "nginx:1\x1b", rules.Finding{
				Rule: rules.FloatingTag, Message: "m",
				Related: []rules.Related{{Path: "o\x1b\n", Start: source.Position{Line: 1, Column: 2}, Message: "n\x1b"}},
			}),
			at("/abs/\u00adx", "\xffnginx\xc3", "\xffnginx\xc3", rules.Finding{Rule: rules.FloatingTag, Message: "\ufffd"}),
			at("../up", "x", "x", rules.Finding{Rule: rules.FloatingTag, Message: "m"}),
			at("./here", "", "", rules.Finding{Rule: rules.FloatingTag, Message: "m"}),
		},
		Errors: []Error{{Path: "e\x1b\n", Line: 1, Message: "m\x1b\n[a](b)"}},
	},
}

func unpinned(ref, pointer string) rules.Finding {
	return rules.Finding{Rule: rules.UnpinnedImage, Message: ref + " is not pinned to a digest", Hint: pinHint, Reference: ref, Pointer: pointer}
}

// related is f with n related places.
func related(f rules.Finding, n int) rules.Finding {
	for i := range n {
		f.Related = append(f.Related, rules.Related{Path: ".env", Start: source.Position{Line: i + 1, Column: 4}, Message: ".env line DB is set here"})
	}
	return f
}

func write(t *testing.T, f *Format, r *Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it) from line %s", file, firstDifference(got, want))
	}
}

// firstDifference is the first line in which two texts differ.
func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("%d on:\n%s", i+1, g[i])
		}
	}
	return fmt.Sprintf("%d on, where it ends", len(g)+1)
}

// withoutRules is a SARIF log without what changes with the documentation and
// the number of rules; TestSARIFRequired looks at that.
func withoutRules(log []byte) []byte {
	log = regexp.MustCompile(`(?s)("rules": \[).*?(\n {10}\])`).ReplaceAll(log, []byte("$1$2"))
	return regexp.MustCompile(`"ruleIndex": \d+`).ReplaceAll(log, []byte(`"ruleIndex": 0`))
}

func TestGoldens(t *testing.T) {
	for name, r := range reports {
		for _, f := range Formats() {
			t.Run(name+"/"+f.Name, func(t *testing.T) {
				got := write(t, f, r)
				if f == SARIF {
					got = withoutRules(got)
				}
				golden(t, name+"."+f.Name, got)
			})
		}
	}
}

// TestColor holds the coloured text against the plain one: only colours are
// added.
func TestColor(t *testing.T) {
	for name, r := range reports {
		colored := *r
		colored.Color = true
		got := write(t, Text, &colored)
		if name == "usual" {
			golden(t, "usual.color", got)
		}
		for _, color := range []string{reset, bold, dim, red, green, yellow, cyan} {
			got = bytes.ReplaceAll(got, []byte(color), nil)
		}
		if want := write(t, Text, r); !bytes.Equal(got, want) {
			t.Errorf("%s: without its colours the text is\n%s\nnot\n%s", name, got, want)
		}
	}
}

// TestNothingObeyed is about bytes that a terminal would obey.
func TestNothingObeyed(t *testing.T) {
	for _, f := range Formats() {
		out := write(t, f, reports["hostile"])
		if !utf8.Valid(out) {
			t.Errorf("%s: not UTF-8:\n%q", f.Name, out)
		}
		for _, r := range string(out) {
			if r != '\n' && hidden(r) && r != '\uFFFD' {
				t.Errorf("%s: %U in\n%s", f.Name, r, out)
			}
		}
	}
	if lines := bytes.Count(write(t, Concise, reports["hostile"]), []byte("\n")); lines != 6 {
		t.Errorf("5 findings and 1 error make %d concise lines", lines)
	}
}

func TestVisible(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "plain é 画 🙂": "plain é 画 🙂", "a\x1b[31mb": `a\x1b[31mb`, "\n\r\t": `\n\r\t`, "\x00\x7f": `\x00\x7f`, "\xff\xc3": `\xff\xc3`,
		"\u0085": `\u0085`, "\u202e": `\u202e`, "\u2028": `\u2028`, "\U000e0001": `\U000e0001`, "\ufffd": "\ufffd", "\ue000": `\ue000`, "\u00ad": `\u00ad`,
	} {
		if got := Visible(s); got != want {
			t.Errorf("Visible(%q) = %q, want %q", s, got, want)
		}
	}
}

// TestSharedHints is about what is said once instead of below every finding.
func TestSharedHints(t *testing.T) {
	text := string(write(t, Text, reports["usual"]))
	if n := strings.Count(text, pinHint); n != 1 {
		t.Errorf("the hint of two findings stands %d times:\n%s", n, text)
	}
	if text := string(write(t, Text, reports["one"])); !strings.Contains(text, "= hint: "+pinHint) {
		t.Errorf("the hint of one finding does not stand below it:\n%s", text)
	}
	bad := reports["usual"].Findings[0]
	text = string(write(t, Text, &Report{Findings: []rules.Finding{bad, bad, bad}}))
	if n := strings.Count(text, "treat every job"); n != 3 {
		t.Errorf("what to do about three malicious images stands %d times:\n%s", n, text)
	}
}

func TestSummaryLine(t *testing.T) {
	for _, test := range []struct {
		summary Summary
		want    string
	}{
		{Summary{}, "0 references, 0 unpinned, 0 unresolved, 0 malicious"},
		{Summary{References: 1, Unpinned: 1}, "1 reference, 1 unpinned, 0 unresolved, 0 malicious"},
		{Summary{References: 412, Unpinned: 37, Unresolved: 5}, "412 references, 37 unpinned, 5 unresolved, 0 malicious"},
	} {
		if got := summaryLine(test.summary); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestErrorLine(t *testing.T) {
	for _, test := range []struct {
		err  Error
		want string
	}{
		{Error{Message: "m"}, "m"},
		{Error{Path: "p", Message: "m"}, "p: m"},
		{Error{Path: "p", Line: 2, Message: "m"}, "p:2: m"},
		{Error{Path: "p", Line: 2, Column: 3, Message: "m"}, "p:2:3: m"},
		{Error{Path: "p", Column: 3, Message: "m"}, "p: m"},
	} {
		if got := errorLine(test.err); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestCarets reads the text back: the marks must stand below the reference.
func TestCarets(t *testing.T) {
	for _, f := range reports["wide"].Findings {
		line, pad, marks := underline(&f)
		start, end := strings.Index(line, "nginx:1"), strings.Index(line, "nginx:1")+len("nginx:1")
		if start < 0 {
			continue // the reference is longer than the line, or cut by its end
		}
		if got, want := columns(pad), columns(line[:start]); got != want {
			t.Errorf("%s: the caret stands in column %d, not %d\n%s\n%s%s", f.Path, got, want, line, pad, marks)
		}
		if got, want := len(marks), end-start; got != want {
			t.Errorf("%s: %d marks below %d characters", f.Path, got, want)
		}
		if columns(line) > maxLine+2 {
			t.Errorf("%s: a line of %d columns", f.Path, columns(line))
		}
	}
}

// columns is where a terminal with tab stops stands behind s.
func columns(s string) int {
	n := 0
	for _, r := range s {
		if r == '\t' {
			n += tabWidth - n%tabWidth
		} else {
			n += runeWidth(r)
		}
	}
	return n
}

func TestFormats(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Formats() {
		if names[f.Name] || f.Summary == "" || f.Write == nil || Lookup(f.Name) != f {
			t.Errorf("%+v", f)
		}
		names[f.Name] = true
	}
	for _, name := range []string{"text", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "checkstyle", "rdjson", "markdown"} {
		if !names[name] {
			t.Errorf("no format %s", name)
		}
	}
	if Lookup("xml") != nil {
		t.Error("an unknown format is known")
	}
}

// FuzzFormats is about findings anywhere in any bytes: nothing panics, and
// nothing reaches a terminal that it would obey.
func FuzzFormats(f *testing.F) {
	f.Add([]byte(compose), 33, 43, "compose.yaml")
	f.Add([]byte("\x1b\xff\t\u202e\r\n"), 1, 99, "a\nb")
	f.Add([]byte(strings.Repeat("é", 700)), 701, 702, "\xff")
	f.Fuzz(func(t *testing.T, data []byte, start, end int, path string) {
		file := &source.File{Path: path, Data: data}
		finding := rules.Place(file, source.Span{Start: start, End: end}, unpinned(string(file.Slice(source.Span{Start: start, End: end})), path))
		for _, format := range Formats() {
			out := string(write(t, format, &Report{Findings: []rules.Finding{finding}}))
			shown := strings.ReplaceAll(out, "\t", "") // kept for the caret
			if !utf8.ValidString(out) || strings.ContainsFunc(shown, func(r rune) bool { return r != '\n' && r != '\uFFFD' && hidden(r) }) {
				t.Errorf("%s: %q", format.Name, out)
			}
		}
	})
}

var errFull = errors.New("no space left")

// full is a writer that fails.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrors(t *testing.T) {
	for _, f := range Formats() {
		if err := f.Write(full{}, reports["usual"]); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

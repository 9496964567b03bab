package rewrite

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// numbers is the lines 1 to n.
func numbers(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

// at is the offset of text in s.
func at(s, text string) int { return strings.Index(s, text) }

func TestDiff(t *testing.T) {
	const header = "diff --git a/f b/f\n--- a/f\n+++ b/f\n"
	twenty := numbers(20)
	for _, tt := range []struct {
		name, old string
		edits     []Edit
		want      string // without the header
	}{
		{"nothing", "a\n", nil, ""},
		{"the same text", "a\nb\n", []Edit{edit(0, 3, "a\nb")}, ""},
		{"one line", "a\n", []Edit{edit(1, 1, "x")}, "@@ -1 +1 @@\n-a\n+ax\n"},
		{"context", twenty, []Edit{edit(at(twenty, "10"), at(twenty, "11"), "ten\n")},
			"@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n"},
		{"two edits in a line", "ab\n", []Edit{edit(0, 1, "A"), edit(2, 2, "c")}, "@@ -1 +1 @@\n-ab\n+Abc\n"},
		{"lines side by side", "a\nb\nc\n", []Edit{edit(0, 1, "A"), edit(2, 3, "B")},
			"@@ -1,3 +1,3 @@\n-a\n-b\n+A\n+B\n c\n"},
		{"first and last line", twenty, []Edit{edit(0, 1, "I"), edit(len(twenty)-1, len(twenty)-1, "!")},
			"@@ -1,4 +1,4 @@\n-1\n+I\n 2\n 3\n 4\n@@ -17,4 +17,4 @@\n 17\n 18\n 19\n-20\n+20!\n"},
		{"contexts that touch", twenty, []Edit{edit(at(twenty, "4"), at(twenty, "5"), "four\n"), edit(at(twenty, "11"), at(twenty, "12"), "eleven\n")},
			"@@ -1,14 +1,14 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n 8\n 9\n 10\n-11\n+eleven\n 12\n 13\n 14\n"},
		{"contexts a line apart", twenty, []Edit{edit(at(twenty, "4"), at(twenty, "5"), "four\n"), edit(at(twenty, "12"), at(twenty, "13"), "twelve\n")},
			"@@ -1,7 +1,7 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n@@ -9,7 +9,7 @@\n 9\n 10\n 11\n-12\n+twelve\n 13\n 14\n 15\n"},
		{"lines that shift", twenty, []Edit{edit(0, 0, "x\ny\n"), edit(at(twenty, "10"), at(twenty, "11"), ""), edit(at(twenty, "19"), at(twenty, "20"), "n\n")},
			"@@ -1,3 +1,5 @@\n+x\n+y\n 1\n 2\n 3\n@@ -7,7 +9,6 @@\n 7\n 8\n 9\n-10\n 11\n 12\n 13\n@@ -16,5 +17,5 @@\n 16\n 17\n 18\n-19\n+n\n 20\n"},
		{"a line after another", "tag: 1\nb\n", []Edit{edit(6, 6, "\ndigest: x")}, "@@ -1,2 +1,3 @@\n tag: 1\n+digest: x\n b\n"},
		{"a line before another", "tag: 1\nb\n", []Edit{edit(7, 7, "digest: x\n")}, "@@ -1,2 +1,3 @@\n tag: 1\n+digest: x\n b\n"},
		{"a line less", "a\nb\nc\n", []Edit{edit(1, 3, "")}, "@@ -1,3 +1,2 @@\n a\n-b\n c\n"},
		{"the same lines around", "a\nb\nc\n", []Edit{edit(0, 6, "a\nB\nc\n")}, "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		{"a line between changes", "a\nb\nc\n", []Edit{edit(0, 2, ""), edit(4, 5, "C")}, "@@ -1,3 +1,2 @@\n-a\n b\n-c\n+C\n"},
		{"all gone", "a\nb\n", []Edit{edit(0, 4, "")}, "@@ -1,2 +0,0 @@\n-a\n-b\n"},
		{"from nothing", "", []Edit{edit(0, 0, "a\nb\n")}, "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"CRLF", "a\r\nb\r\n", []Edit{edit(1, 1, "x")}, "@@ -1,2 +1,2 @@\n-a\r\n+ax\r\n b\r\n"},
		{"lone CR", "a\rb\nc\rd\n", []Edit{edit(1, 1, "x")}, "@@ -1,2 +1,2 @@\n-a\rb\n+ax\rb\n c\rd\n"},
		{"no last newline", "a\nb", []Edit{edit(3, 3, "x")},
			"@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+bx\n\\ No newline at end of file\n"},
		{"no last newline in the context", "a\nb", []Edit{edit(0, 1, "x")}, "@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n"},
		{"last newline added", "a", []Edit{edit(1, 1, "\n")}, "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{"last newline removed", "a\n", []Edit{edit(1, 2, "")}, "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n"},
		{"after no last newline", "a", []Edit{edit(1, 1, "\nb")}, "@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n"},
		{"BOM", "\xef\xbb\xbfa\n", []Edit{edit(4, 4, "x")}, "@@ -1 +1 @@\n-\xef\xbb\xbfa\n+\xef\xbb\xbfax\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want != "" {
				want = header + want
			}
			var b bytes.Buffer
			if err := Diff(&b, "f", []byte(tt.old), tt.edits); err != nil || b.String() != want {
				t.Errorf("error %v, got\n%s\nwant\n%s", err, &b, want)
			}
		})
	}
}

func TestDiffHeader(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"a/b.yaml", "diff --git a/a/b.yaml b/a/b.yaml\n--- a/a/b.yaml\n+++ b/a/b.yaml\n"},
		{"./a//b", "diff --git a/a/b b/a/b\n--- a/a/b\n+++ b/a/b\n"},
		{"/etc/x", "diff --git a/etc/x b/etc/x\n--- a/etc/x\n+++ b/etc/x\n"},
		{"a b", "diff --git a/a b b/a b\n--- a/a b\t\n+++ b/a b\t\n"},
		// As git has it, too; GNU patch finds no such file.
		{"a ", "diff --git a/a  b/a \n--- a/a \t\n+++ b/a \t\n"},
		{"a\tb", `diff --git "a/a\tb" "b/a\tb"` + "\n" + `--- "a/a\tb"` + "\n" + `+++ "b/a\tb"` + "\n"},
		{`é "x\`, `diff --git "a/\303\251 \"x\\" "b/\303\251 \"x\\"` + "\n" + `--- "a/\303\251 \"x\\"` + "\t\n" + `+++ "b/\303\251 \"x\\"` + "\t\n"},
	} {
		var b bytes.Buffer
		if err := Diff(&b, tt.name, []byte("a\n"), []Edit{edit(0, 1, "b")}); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(b.String(), "@@"); got != tt.want {
			t.Errorf("%q: header\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestShowDiff(t *testing.T) {
	var b bytes.Buffer
	old := "a\r\nb\nc"
	if err := ShowDiff(&b, "f", []byte(old), []Edit{edit(1, 1, "x"), edit(6, 6, "y")}, true, strings.ToLower); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[1mdiff --git a/f b/f\x1b[m\n\x1b[1m--- a/f\x1b[m\n\x1b[1m+++ b/f\x1b[m\n" +
		"\x1b[36m@@ -1,3 +1,3 @@\x1b[m\n" +
		"\x1b[31m-a\x1b[m\r\n\x1b[32m+ax\x1b[m\r\n b\n" +
		"\x1b[31m-c\x1b[m\n\\ No newline at end of file\n\x1b[32m+cy\x1b[m\n\\ No newline at end of file\n"
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", &b, want)
	}
	var plain bytes.Buffer
	if err := Diff(&plain, "f", []byte(old), []Edit{edit(1, 1, "x"), edit(6, 6, "y")}); err != nil {
		t.Fatal(err)
	}
	if got := regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(want, ""); got != plain.String() {
		t.Errorf("without colors\n%q\nplain\n%q", got, &plain)
	}
}

func TestShowDiffVisible(t *testing.T) {
	var b bytes.Buffer
	shown := func(line string) string { return strings.ReplaceAll(line, "\x1b", "ESC") }
	if err := ShowDiff(&b, "f", []byte("\x1b[2J\n\x1bx\r\n"), []Edit{edit(6, 6, "y")}, false, shown); err != nil {
		t.Fatal(err)
	}
	want := "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n ESC[2J\n-ESCx\r\n+ESCyx\r\n"
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", &b, want)
	}
}

// brokenWriter takes the first n bytes.
type brokenWriter struct{ n int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		return w.n, errBroken
	}
	w.n -= len(p)
	return len(p), nil
}

func TestDiffWriteError(t *testing.T) {
	old := strings.Repeat("a line that is long enough to fill buffers\n", 1000)
	for _, n := range []int{0, 10, 5000} {
		err := Diff(&brokenWriter{n}, "f", []byte(old), []Edit{edit(0, len(old), strings.ToUpper(old))})
		if !errors.Is(err, errBroken) {
			t.Errorf("after %d bytes: error %v", n, err)
		}
	}
}

// patchCase is a file to be patched by the real tools.
type patchCase struct {
	path     string
	old, new []byte
	edits    []Edit
}

// patchCases generates files of every kind of line ending with edits of every
// kind, under names that need quoting.
func patchCases(t *testing.T) []patchCase {
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	names := []string{"plain", "two words", "tab\there", `quo"te`, `back\slash`, "späte", "new\nline", "\x01\x7f", " lead", "日本"}
	if runtime.GOOS == "windows" {
		names = []string{"plain", "two words"}
	}
	var cases []patchCase
	for i := range 400 {
		eol := pick("\n", "\n", "\r\n")
		var b bytes.Buffer
		b.WriteString(pick("", "", "\xef\xbb\xbf"))
		for n := random.IntN(30); n >= 0; n-- {
			b.WriteString(pick("a", "image: nginx", "\t", "", "x\ry", "-- a", "@@ -1 +1 @@", `\ No newline`, strings.Repeat("long ", 3000), "\xff\xfe"))
			b.WriteString(pick(eol, eol, eol, "\n"))
		}
		old := b.Bytes()
		switch random.IntN(4) {
		case 0:
			old = bytes.TrimRight(old, "\r\n")
		case 1:
			old = append(old, "last"...)
		}
		var edits []Edit
		for range 1 + random.IntN(5) {
			start := random.IntN(len(old) + 1)
			switch random.IntN(6) {
			case 0:
				start = len(old)
			case 1:
				start = 0
			case 2:
				start = bytes.LastIndexByte(old[:start], '\n') + 1
			}
			end := min(start+random.IntN(3)*random.IntN(8), len(old))
			e := edit(start, end, pick(pin, "", "x", "\n", eol, "a"+eol, eol+"a", eol+eol, "a\nb\r\nc"))
			if _, err := Apply(old, append(edits, e)); err == nil {
				edits = append(edits, e)
			}
		}
		content, err := Apply(old, edits)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(fmt.Sprintf("%03d", i), names[i%len(names)])
		cases = append(cases, patchCase{path, old, content, edits})
	}
	for i, tt := range valid {
		path := filepath.Join("table", fmt.Sprintf("%03d", i))
		cases = append(cases, patchCase{path, []byte(tt.old), []byte(tt.want), tt.edits})
	}
	return cases
}

// testPatch lets command apply the diff of all cases in a folder of their own.
func testPatch(t *testing.T, prepare func(dir string), command ...string) {
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	prepare(dir)
	var diff bytes.Buffer
	cases := patchCases(t)
	for _, c := range cases {
		path := filepath.Join(dir, c.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, c.old, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := Diff(&diff, filepath.ToSlash(c.path), c.old, c.edits); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, diff.Bytes(), command...)
	for _, c := range cases {
		got, err := os.ReadFile(filepath.Join(dir, c.path))
		if err != nil || !bytes.Equal(got, c.new) {
			t.Errorf("%q: error %v\nold  %.300q\ngot  %.300q\nwant %.300q\nby   %.300q", c.path, err, c.old, got, c.new, fmt.Sprint(c.edits))
		}
	}
}

// run runs command in dir, untouched by the configuration of the machine, and
// returns what it prints.
func run(t *testing.T, dir string, stdin []byte, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%.2000s%.2000s", command, err, out, &stderr)
	}
	return string(out)
}

func TestGitApplies(t *testing.T) {
	testPatch(t, func(dir string) {
		run(t, dir, nil, "git", "init", "-q")
	}, "git", "-c", "core.autocrlf=false", "apply", "-")
}

func TestPatchApplies(t *testing.T) {
	testPatch(t, func(dir string) {
		if out, _ := exec.Command("patch", "--version").Output(); !bytes.Contains(out, []byte("GNU")) {
			t.Skip("patches with quoted names are for GNU patch")
		}
	}, "patch", "-p1", "-s")
}

// TestGitWritesTheSame compares with git's own diff, where every changed line
// has a text that no other line has, so that there is one shortest diff only.
func TestGitWritesTheSame(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	run(t, dir, nil, "git", "init", "-q")
	random := rand.New(rand.NewPCG(5, 6))
	var want bytes.Buffer
	files := map[string][]byte{}
	for i, c := range patchCases(t)[:60] {
		old := []byte(numbers(60))
		if i%3 == 0 {
			old = bytes.TrimRight(old, "\n")
		}
		lines := bytes.SplitAfter(old, []byte("\n"))
		var edits []Edit
		offset := 0
		for _, line := range lines {
			if len(line) > 0 && random.IntN(8) == 0 {
				edits = append(edits, edit(offset, offset+1, "x"))
			}
			offset += len(line)
		}
		content, err := Apply(old, edits)
		if err != nil {
			t.Fatal(err)
		}
		files[c.path] = content
		path := filepath.Join(dir, c.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, old, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := Diff(&want, filepath.ToSlash(c.path), old, edits); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, nil, "git", "add", ".")
	for path, content := range files {
		if err := os.WriteFile(filepath.Join(dir, path), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got := run(t, dir, nil, "git", "-c", "core.autocrlf=false", "diff", "--no-ext-diff", "--no-color", "--no-renames")
	got = regexp.MustCompile(`(?m)^index .*\n`).ReplaceAllString(got, "")
	got = regexp.MustCompile(`(?m)^(@@ .* @@).*$`).ReplaceAllString(got, "$1") // the line of the "function"
	if got != want.String() {
		a, b := strings.Split(got, "\n"), strings.Split(want.String(), "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("line %d: git writes %q, Diff %q", i, a[i], b[i])
			}
		}
		t.Fatalf("git writes %d lines, Diff %d", len(a), len(b))
	}
}

// naivePatch applies a diff of one file and fails unless every context line and
// removed line stands where the hunk says.
func naivePatch(old []byte, diff string) ([]byte, error) {
	oldLines := strings.SplitAfter(string(old), "\n")
	lines := strings.SplitAfter(diff, "\n")
	if len(lines) < 4 || !strings.HasPrefix(lines[2], "+++ b/") {
		return nil, errors.New("no header")
	}
	var out strings.Builder
	next := 0 // in oldLines
	for lines = lines[3:]; len(lines) > 1; {
		var oldStart, oldCount, newStart, newCount int
		ranges := strings.Fields(lines[0])
		if len(ranges) != 4 || ranges[0] != "@@" || ranges[3] != "@@" {
			return nil, fmt.Errorf("not a hunk: %q", lines[0])
		}
		lines = lines[1:]
		oldStart, oldCount = parseRange(ranges[1][1:])
		newStart, newCount = parseRange(ranges[2][1:])
		for next < oldStart-1 {
			out.WriteString(oldLines[next])
			next++
		}
		if n := countLines([]byte(out.String())) + 1; n != newStart {
			return nil, fmt.Errorf("hunk for line %d of the new file at line %d", newStart, n)
		}
		for oldCount > 0 || newCount > 0 {
			sign, text := lines[0][0], lines[0][1:]
			lines = lines[1:]
			if strings.HasPrefix(lines[0], `\`) {
				text = strings.TrimSuffix(text, "\n")
				lines = lines[1:]
			}
			if sign != '+' {
				if oldLines[next] != text {
					return nil, fmt.Errorf("line %d is %q, the diff has %q", next+1, oldLines[next], text)
				}
				next++
				oldCount--
			}
			if sign != '-' {
				out.WriteString(text)
				newCount--
			}
		}
		if oldCount != 0 || newCount != 0 {
			return nil, errors.New("the hunk has other counts than its head")
		}
	}
	for ; next < len(oldLines); next++ {
		out.WriteString(oldLines[next])
	}
	return []byte(out.String()), nil
}

// parseRange is the first line and the number of lines of "7,3" or "7".
func parseRange(s string) (first, n int) {
	a, b, ok := strings.Cut(s, ",")
	first, _ = strconv.Atoi(a)
	if n, _ = strconv.Atoi(b); !ok {
		n = 1
	}
	if n == 0 {
		first++
	}
	return first, n
}

func FuzzDiff(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data, script []byte) {
		edits := decode(data, script)
		want, err := Apply(data, edits)
		var diff bytes.Buffer
		diffErr := Diff(&diff, "f", data, edits)
		if (err == nil) != (diffErr == nil) {
			t.Fatalf("Apply: %v, Diff: %v", err, diffErr)
		}
		if err != nil {
			return
		}
		if bytes.Equal(data, want) != (diff.Len() == 0) {
			t.Fatalf("%q becomes %q, diff %q", data, want, &diff)
		}
		if diff.Len() == 0 {
			return
		}
		if got, err := naivePatch(data, diff.String()); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q by %v: %v\n%s\ngives %q\nwant  %q", data, edits, err, &diff, got, want)
		}
	})
}

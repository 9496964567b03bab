package parsers

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/source"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	testingPanics = true
	os.Exit(m.Run())
}

// fixtures holds a folder a format. Every file in it is parsed under its path
// below that folder, and what is found is compared with the file's golden.
const fixtures = "../testdata"

const goldenExt = ".golden"

// folderTree opens files below a folder.
type folderTree string

func (t folderTree) Open(name string) (*source.File, error) {
	if !fs.ValidPath(name) {
		return nil, errors.New("outside")
	}
	data, err := os.ReadFile(filepath.Join(string(t), name))
	if err != nil {
		return nil, err
	}
	return &source.File{Path: name, Data: data}, nil
}

// fixtureFiles yields the fixtures of every format: folder and path below it.
func fixtureFiles(t testing.TB, each func(folder, name string, data []byte)) {
	t.Helper()
	formatFixtures(t, Formats(), each)
}

// formatFixtures yields the fixtures of some formats.
func formatFixtures(t testing.TB, formats []*Format, each func(folder, name string, data []byte)) {
	t.Helper()
	for _, format := range formats {
		folder := filepath.Join(fixtures, format.Name)
		err := filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(p, goldenExt) || d.Name() == ".env" {
				return err
			}
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(folder, p)
			if err != nil {
				return err
			}
			each(folder, filepath.ToSlash(rel), data)
			return nil
		})
		if err != nil {
			t.Fatalf("fixtures of %s: %v", format.Name, err)
		}
	}
}

func TestGolden(t *testing.T) {
	fixtureFiles(t, func(folder, name string, data []byte) {
		t.Run(path.Join(filepath.Base(folder), name), func(t *testing.T) {
			f := &source.File{Path: name, Data: data}
			format := Detect(name, data)
			var b strings.Builder
			if format == nil {
				b.WriteString("not recognised\n")
			} else {
				res := Parse(f, format, folderTree(folder))
				checkResult(t, f, res)
				checkPins(t, f, format, folderTree(folder), res)
				describe(&b, format, f, res)
			}
			golden := filepath.Join(folder, filepath.FromSlash(name)) + goldenExt
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v (go test ./parsers -update writes it)", err)
			}
			if d := cmp.Diff(string(want), b.String()); d != "" {
				t.Errorf("what is found differs from %s (-want +got):\n%s", golden, d)
			}
		})
	})
}

// describe is what a golden file holds: a block a use.
func describe(b *strings.Builder, format *Format, f *source.File, res Result) {
	fmt.Fprintf(b, "format %s\n", format.Name)
	problems := rewrite.Editable(res.Uses)
	for i, u := range res.Uses {
		pos := u.Position()
		fmt.Fprintf(b, "\n%d:%d %s %q\n\tat %s\n\tconfidence %s\n", pos.Line, pos.Column, u.Role, u.Raw, u.Pointer, u.Confidence)
		for _, v := range u.Values {
			fmt.Fprintf(b, "\tvalue %s\n", v.Text)
			if v.Err != nil {
				fmt.Fprintf(b, "\t\terror %v\n", v.Err)
			}
			if d := v.Definition; d != nil {
				fmt.Fprintf(b, "\t\tfrom %s %s, %s:%d\n", d.Kind, d.Name, d.File.Path, d.File.Position(d.Span.Start).Line)
			}
		}
		if u.Placeholder {
			b.WriteString("\tplaceholder\n")
		}
		if len(u.Missing) > 0 {
			fmt.Fprintf(b, "\tmissing %q\n", u.Missing)
		}
		if u.DigestOnly {
			b.WriteString("\tdigest only\n")
		}
		if u.Role == image.Pull && problems[i] != "" && u.Resolved() {
			fmt.Fprintf(b, "\tnot editable: %s\n", problems[i])
		}
	}
	for _, p := range res.Problems {
		pos := f.Position(p.Offset)
		fmt.Fprintf(b, "\nproblem %d:%d %s\n", pos.Line, pos.Column, p.Message)
	}
}

// checkResult holds for every file: spans lie inside it, raw is the bytes
// there, and the text of a site is what the value ends with.
func checkResult(t testing.TB, f *source.File, res Result) {
	t.Helper()
	for _, u := range res.Uses {
		if u.Span.Start < 0 || u.Span.End > len(f.Data) || u.Span.Empty() {
			t.Fatalf("use at %v of %d bytes", u.Span, len(f.Data))
		}
		if u.Raw != string(f.Data[u.Span.Start:u.Span.End]) {
			t.Errorf("raw %q is not what stands at %v: %q", u.Raw, u.Span, f.Data[u.Span.Start:u.Span.End])
		}
		for _, v := range u.Values {
			s := v.Site
			if s.Safety == image.Refused || s.Key {
				continue
			}
			if s.Tail.Start < 0 || s.Tail.End > len(s.File.Data) || s.Tail.Empty() {
				t.Fatalf("site at %v of %d bytes", s.Tail, len(s.File.Data))
			}
			if tail := string(s.File.Slice(s.Tail)); !strings.HasSuffix(v.Text, tail) {
				t.Errorf("%s at line %d: a digest would be written behind %q", v.Text, u.Position().Line, tail)
			}
		}
	}
	for _, p := range res.Problems {
		if p.Offset < 0 || p.Offset > len(f.Data) {
			t.Errorf("problem at %d of %d bytes: %s", p.Offset, len(f.Data), p.Message)
		}
	}
}

// invented is a digest for a reference that nobody has seen before.
func invented(ref image.Reference) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(ref.Canonical())))
}

// overlayTree is a tree with one file changed.
type overlayTree struct {
	Tree
	name string
	data []byte
}

func (t overlayTree) Open(name string) (*source.File, error) {
	if name == t.name {
		return &source.File{Path: name, Data: t.data}, nil
	}
	if t.Tree == nil {
		return nil, fs.ErrNotExist
	}
	return t.Tree.Open(name)
}

// checkPins pins all that can be pinned in a file and reads it again: the same
// uses, now with digests, and not a byte changed outside the edits.
func checkPins(t testing.TB, f *source.File, format *Format, tree Tree, res Result) {
	t.Helper()
	uses := make([]*image.Use, len(res.Uses))
	for i := range res.Uses {
		uses[i] = &res.Uses[i]
	}
	edits := map[*source.File][]rewrite.Edit{}
	want := map[*image.Value]string{}
	for _, target := range rewrite.Targets(uses, true) {
		if target.Problem != "" || target.Value.Ref.Pinned() {
			continue
		}
		digest := invented(target.Value.Ref)
		e, err := target.Edit(digest)
		if err != nil {
			continue
		}
		want[target.Value] = digest
		in := target.Value.Site.File
		known := false
		for _, old := range edits[in] {
			known = known || old == e
		}
		if !known {
			edits[in] = append(edits[in], e)
		}
	}
	if len(edits) == 0 {
		return
	}
	after := f
	for in, list := range edits {
		data, err := rewrite.Apply(in.Data, list)
		if err != nil {
			t.Fatalf("edits of %s: %v", in.Path, err)
		}
		if err := rewrite.Verify(in.Data, data, list); err != nil {
			t.Fatalf("edits of %s: %v", in.Path, err)
		}
		if in.Path == f.Path {
			after = &source.File{Path: f.Path, Data: data}
		} else {
			tree = overlayTree{tree, in.Path, data}
		}
	}
	again := Parse(after, format, tree)
	err := rewrite.Same(res.Uses, again.Uses, func(_ *image.Use, v *image.Value) string { return want[v] })
	if err != nil {
		t.Errorf("after pinning: %v\n%s", err, after.Data)
	}
	if got := Detect(after.Path, after.Data); Detect(f.Path, f.Data) == format && got != format {
		t.Errorf("after pinning the file is no longer recognised as %s", format.Name)
	}
}

// fuzzFormat fuzzes one parser: whatever the bytes, it neither panics nor
// hangs, its spans are inside the file, and what it would pin reads the same
// afterwards.
func fuzzFormat(f *testing.F, format *Format) {
	formatFixtures(f, []*Format{format}, func(_, _ string, data []byte) {
		if len(data) < 8<<10 {
			f.Add(data)
		}
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			t.Skip("longer inputs find nothing that shorter ones don't")
		}
		file := &source.File{Path: "fuzz", Data: data}
		res := Parse(file, format, nil)
		checkResult(t, file, res)
		checkFuzzedPins(t, file, format, res)
	})
}

// checkFuzzedPins is checkPins with the driver's leave to give a file up: where
// it would not read the same, pin says so and writes nothing. What must hold is
// that the edits apply and stay outside all other bytes.
func checkFuzzedPins(t testing.TB, f *source.File, format *Format, res Result) {
	t.Helper()
	uses := make([]*image.Use, len(res.Uses))
	for i := range res.Uses {
		uses[i] = &res.Uses[i]
	}
	var edits []rewrite.Edit
	for _, target := range rewrite.Targets(uses, true) {
		if target.Problem != "" || target.Value.Ref.Pinned() {
			continue
		}
		if e, err := target.Edit(invented(target.Value.Ref)); err == nil {
			edits = append(edits, e)
		}
	}
	data, err := rewrite.Apply(f.Data, edits)
	if err != nil {
		return // contradictions are found before anything is written
	}
	if err := rewrite.Verify(f.Data, data, edits); err != nil {
		t.Fatal(err)
	}
	Parse(&source.File{Path: f.Path, Data: data}, format, nil)
}

// TestHostile parses what only an attacker writes as every format. A parser that
// panics fails it, and one that takes more than linear time, or memory, is
// stopped by the limits of the test run.
func TestHostile(t *testing.T) {
	if raceEnabled {
		t.Skip("this is about time, of which the race detector takes its own share")
	}
	deep := func(open string, n int) []byte { return []byte(strings.Repeat(open, n)) }
	inputs := map[string][]byte{
		"one line of 5 MB":            append([]byte("image: "), bytes.Repeat([]byte("a"), 5<<20)...),
		"one line of 5 MB JSON":       []byte(`{"apiVersion":"v1","kind":"Pod","x":[` + strings.Repeat(`{"image":"é"},`, 300_000) + `1]}`),
		"10,000 levels of flow":       deep("[", 10_000),
		"10,000 levels of maps":       deep("{a: ", 10_000),
		"open braces":                 append([]byte("image: "), deep("${", 200_000)...),
		"open expressions":            append([]byte("image: "), deep("${{ ", 200_000)...),
		"quotes":                      deep(`"`, 200_001),
		"cyclic alias":                []byte("services: &a\n  image: [*a]\n  b: *a\n"),
		"cyclic merge":                []byte("services:\n  a: &a\n    <<: *a\n    image: nginx\n"),
		"billion laughs":              laughs(),
		"NUL bytes":                   []byte("FROM nginx\x00:1\nimage: ng\x00inx\n"),
		"continued for ever":          append([]byte("FROM \\\n"), bytes.Repeat([]byte("\\\n"), 200_000)...),
		"many here-documents":         bytes.Repeat([]byte("RUN <<A docker pull x\nA\n"), 20_000),
		"here-document without end":   []byte("FROM a\nRUN <<EOF\ndocker pull x\n"),
		"many documents":              bytes.Repeat([]byte("---\nimage: nginx\n"), 20_000),
		"templates":                   bytes.Repeat([]byte("{{ image: {{\n"), 20_000),
		"nothing":                     nil,
		"byte-order mark alone":       []byte("\xef\xbb\xbf"),
		"UTF-16":                      []byte("\xff\xfef\x00r\x00o\x00m\x00"),
		"invalid UTF-8":               []byte("image: nginx\xff\xfe:1\nFROM \xc3\x28\n"),
		"a MB of dollars and no name": deep("$", 1<<20),
	}
	for _, format := range Formats() {
		for what, data := range inputs {
			t.Run(format.Name+"/"+what, func(t *testing.T) {
				t.Parallel()
				Parse(&source.File{Path: "hostile", Data: data}, format, nil)
			})
		}
	}
}

func laughs() []byte {
	var b strings.Builder
	b.WriteString("a0: &a0 {image: nginx}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1)
	}
	b.WriteString("services: *a29\nspec: *a29\njobs: *a29\n")
	return []byte(b.String())
}

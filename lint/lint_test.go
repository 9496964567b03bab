package lint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

const malicious = "sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d"

// write makes files below a new folder.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, data := range files {
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func check(t testing.TB, opts Options) *Result {
	t.Helper()
	opts.Rules = rules.All()
	res, err := Run(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestSameWithAnyNumberOfWorkers(t *testing.T) {
	one := check(t, Options{Paths: []string{"../testdata"}, Workers: 1})
	if len(one.Findings) < 100 {
		t.Fatalf("only %d findings in the fixtures", len(one.Findings))
	}
	for _, workers := range []int{2, 7, 32} {
		many := check(t, Options{Paths: []string{"../testdata"}, Workers: workers})
		opts := []cmp.Option{cmpopts.IgnoreFields(rules.Finding{}, "Rule"), cmpopts.IgnoreUnexported(Local{}, Replaced{})}
		if d := cmp.Diff(one, many, opts...); d != "" {
			t.Errorf("%d workers find something else:\n%s", workers, d)
		}
	}
}

// found lists rule, file and line of each finding.
func found(res *Result, root string) []string {
	var out []string
	for _, f := range res.Findings {
		rel, err := filepath.Rel(root, filepath.FromSlash(f.Path))
		if err != nil {
			rel = f.Path
		}
		out = append(out, fmt.Sprintf("%s:%d %s", filepath.ToSlash(rel), f.Start.Line, f.Rule.Name))
	}
	return out
}

func TestLocal(t *testing.T) {
	root := write(t, map[string]string{
		"shop/Makefile.sh":          "ignored",
		"shop/compose.yaml":         "services:\n  web:\n    build: .\n    image: team/shop\n  cache:\n    build: redis\n    image: redis\n  again:\n    image: redis\n",
		"shop/deploy/pod.yaml":      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: team/shop\n  - image: redis\n",
		"other/pod.yaml":            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: team/shop\n",
		"shop/deploy/bad/pod.yaml":  "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: team/shop@" + malicious + "\n",
		"shop/attack/compose.yaml":  "services:\n  a:\n    build: .\n    image: aquasec/trivy:0.69.4\n",
		"shop/attack/sub/pods.yaml": "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: aquasec/trivy:0.69.4\n",
	})
	want := []string{
		"other/pod.yaml:5 floating-tag",               // another project
		"shop/attack/sub/pods.yaml:5 compromised-tag", // building its name does not clear it
		"shop/deploy/bad/pod.yaml:5 malicious-digest", // nothing hides a listed digest
		"shop/deploy/pod.yaml:6 floating-tag",         // an official name of another folder
	}
	if d := cmp.Diff(want, found(check(t, Options{Paths: []string{root}}), root)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTreeStaysInside(t *testing.T) {
	outer := write(t, map[string]string{".env": "IMG=secret:1\n", "in/a/compose.yaml": "services: {}\n", "in/.env": "A=1\n"})
	inner := filepath.ToSlash(filepath.Join(outer, "in"))
	if err := os.Symlink(filepath.Join(outer, ".env"), filepath.Join(inner, "a", ".env")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outer, filepath.Join(inner, "a", "up")); err != nil {
		t.Fatal(err)
	}
	tr := newTree([]string{inner})
	if _, err := tr.Open(inner + "/.env"); err != nil {
		t.Errorf("a file inside: %v", err)
	}
	for _, name := range []string{inner + "/../.env", inner + "/a/../../.env", inner + "/a/.env", inner + "/a/up/.env", "/etc/passwd", inner + "/a"} {
		if f, err := tr.Open(name); err == nil {
			t.Errorf("%s was opened: %q", name, f.Data)
		}
	}
	t.Chdir(inner)
	tr = newTree([]string{"."})
	if _, err := tr.Open(".env"); err != nil {
		t.Errorf("a file inside: %v", err)
	}
	for _, name := range []string{"../.env", "..", "/etc/passwd"} {
		if _, err := tr.Open(name); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
}

func TestLargeFilesAreSearchedForDigests(t *testing.T) {
	data := bytes.Repeat([]byte("all work and no play makes a large log\n"), maxSize/39+1)
	data = append(data, "pulled "+malicious+"\n"...)
	root := write(t, map[string]string{"build.log": string(data)})
	res := check(t, Options{Paths: []string{root}})
	if len(res.Findings) != 1 || res.Findings[0].Rule.Name != "malicious-mention" {
		t.Errorf("found %v", found(res, root))
	}
}

// TestBinaryFiles holds that no NUL byte hides anything from a path that says
// what it is, nor a listed digest from any path.
func TestBinaryFiles(t *testing.T) {
	listed := strings.TrimPrefix(malicious, "sha256:")
	for _, tt := range []struct {
		name, path, content string
		named               bool
		want                []string // line and rule
	}{
		{"nothing", "a.bin", "\x00\x01FROM nginx:1\n", false, nil},
		{"digest", "a.bin", "\x00\x01\n\n" + malicious, false, []string{"1 malicious-mention"}},
		{"digests", "a.bin", "\x00" + malicious + "\n" + malicious, false, []string{"1 malicious-mention"}},
		{"digest in a part of the file that git does not look at", "a.bin", "\x00" + strings.Repeat("x", 9000) + malicious, false, []string{"1 malicious-mention"}},
		{"script", "a", "#!/bin/sh\n# \x00\ndocker pull nginx:1\n", false, []string{"3 unpinned-image"}},
		{"Kubernetes by its content", "a.yaml", "kind: Pod # \x00", false, nil},
		{"the same, named", "a.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: nginx:1}]} # \x00", true, []string{"3 syntax-error"}},
		{"Dockerfile", "Dockerfile", "# \x00\nFROM nginx@" + malicious + "\nFROM nginx:1\n", false, []string{"2 malicious-digest", "3 unpinned-image"}},
		{"variant", "Dockerfile.alpine", "# \x00\nFROM nginx:1\n", false, []string{"2 unpinned-image"}},
		{"named Dockerfile", "Dockerfile", "# \x00\nFROM nginx:1\n", true, []string{"2 unpinned-image"}},
		{"shell", "a.sh", "#!/bin/bash\n# \x00\ndocker pull nginx:1\n", false, []string{"3 unpinned-image"}},
		{"Makefile", "Makefile", "# \x00\na:\n\tdocker pull nginx:1\n", false, []string{"3 unpinned-image"}},
		{"justfile", "justfile", "# \x00\na:\n  docker pull nginx:1\n", false, []string{"3 unpinned-image"}},
		{"Earthfile", "Earthfile", "VERSION 0.8\n# \x00\na:\n  FROM nginx:1\n", false, []string{"4 unpinned-image"}},
		{"program of an unknown kind", "a", "#!/bin/x\n# \x00\ndocker pull nginx@sha256:" + listed + "\n", false, []string{"1 malicious-mention"}},
		{"YAML, which no reader takes", "compose.yaml", "services: {a: {image: nginx:1}} # \x00\n", false, []string{"1 syntax-error"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := write(t, map[string]string{tt.path: tt.content})
			path := root
			if tt.named {
				path = filepath.Join(root, tt.path)
			}
			res := check(t, Options{Paths: []string{path}})
			var got []string
			for _, f := range res.Findings {
				got = append(got, fmt.Sprintf("%d %s", f.Start.Line, f.Rule.Name))
			}
			if d := cmp.Diff(tt.want, got); d != "" || len(res.Errors) > 0 || res.Summary.Files != 1 {
				t.Errorf("(-want +got):\n%s, errors %v in %d files", d, res.Errors, res.Summary.Files)
			}
		})
	}
}

// toUTF16 is text in UTF-16 with a byte-order mark.
func toUTF16(text string, order binary.AppendByteOrder) string {
	out := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// TestUTF16 holds that text in UTF-16, which some tools read, is not passed over
// in silence, and that it hides no listed digest.
func TestUTF16(t *testing.T) {
	pod := "# 𝄞\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: nginx@" + malicious + "}]}\n"
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		root := write(t, map[string]string{
			"a.yaml":       toUTF16(pod, order),
			"compose.yaml": toUTF16("services: {a: {image: nginx:1}}\n", order),
			"notes.txt":    toUTF16(malicious, order) + "x",
			"other.txt":    toUTF16("nothing", order),
			"large.txt":    toUTF16(strings.Repeat("x", maxSize/2)+" "+malicious, order),
		})
		want := []string{"a.yaml:1 syntax-error", "a.yaml:4 malicious-mention", "compose.yaml:1 syntax-error", "large.txt:1 malicious-mention", "notes.txt:1 malicious-mention"}
		if d := cmp.Diff(want, found(check(t, Options{Paths: []string{root}}), root)); d != "" {
			t.Errorf("%v (-want +got):\n%s", order, d)
		}
	}
}

// TestLargeBinary holds that a size from which files are only searched hides no
// listed digest from a path that says what it is.
func TestLargeBinary(t *testing.T) {
	content := "\x00" + strings.Repeat("x", maxSize) + " " + malicious
	root := write(t, map[string]string{"Dockerfile": content, "disk.img": content})
	res := check(t, Options{Paths: []string{root}})
	want := []string{"Dockerfile:1 malicious-mention"}
	if d := cmp.Diff(want, found(res, root)); d != "" || res.Summary.Files != 2 {
		t.Errorf("%d files (-want +got):\n%s", res.Summary.Files, d)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{Paths: []string{"../testdata"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestWithoutGit(t *testing.T) {
	root := write(t, map[string]string{
		"Dockerfile":      "FROM a:1\n",
		"sub/Dockerfile":  "FROM b:1\n",
		".git/Dockerfile": "FROM c:1\n",
	})
	t.Setenv("PATH", "")
	want := []string{"Dockerfile:1 unpinned-image", "sub/Dockerfile:1 unpinned-image"}
	if d := cmp.Diff(want, found(check(t, Options{Paths: []string{root}}), root)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestNamedTwice(t *testing.T) {
	root := write(t, map[string]string{"Dockerfile": "FROM a:1\n"})
	res := check(t, Options{Paths: []string{root, root + "/Dockerfile", root + "/./Dockerfile"}})
	if len(res.Findings) != 1 {
		t.Errorf("found %v", found(res, root))
	}
}

// invented is a digest for a reference that nobody has seen before.
func invented(_ context.Context, ref image.Reference) (Resolution, error) {
	return Resolution{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(ref.Canonical())))}, nil
}

// FuzzPin pins all that a file names, in memory, and holds that what would be
// written reads the same but for the digests, that no other byte changed, and
// that there is nothing left to do.
func FuzzPin(f *testing.F) {
	formats := parsers.Formats()
	for i, format := range formats {
		_ = filepath.WalkDir(filepath.Join("../testdata", format.Name), func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(p, ".golden") {
				return err
			}
			if data, err := os.ReadFile(p); err == nil && len(data) < 4<<10 {
				f.Add(i, data)
			}
			return nil
		})
	}
	f.Fuzz(func(t *testing.T, i int, data []byte) {
		if i < 0 || len(data) > 32<<10 {
			t.Skip()
		}
		format := formats[i%len(formats)]
		changes, want := pinMemory(t, format, data)
		for _, c := range changes {
			after, err := rewrite.Apply(c.Old, c.Edits)
			if err != nil {
				t.Fatal(err)
			}
			if err := rewrite.Verify(c.Old, after, c.Edits); err != nil {
				t.Fatal(err)
			}
			pinned := 0
			res := parsers.Parse(&source.File{Path: "f", Data: after}, format, nil)
			for _, u := range res.Uses {
				for _, v := range u.Values {
					if slices.Contains(want, v.Ref.Digest) {
						pinned++
					}
				}
			}
			if pinned == 0 {
				t.Fatalf("nothing is pinned in\n%s", after)
			}
			if again, _ := pinMemory(t, format, after); len(again) > 0 {
				t.Fatalf("pinning a second time changes\n%s\nby %v", after, again[0].Edits)
			}
		}
	})
}

// pinMemory plans and verifies the edits of one file, and gives the digests.
func pinMemory(t *testing.T, format *parsers.Format, data []byte) (changes []Change, digests []string) {
	t.Helper()
	f := &source.File{Path: "f", Data: data}
	p := &pinner{result: &PinResult{}}
	p.opts.Unsafe = true
	p.opts.Resolve = invented
	p.each(f, format, parsers.Parse(f, format, nil))
	p.targets(&Result{Local: &Local{}, Replaced: &Replaced{}})
	p.resolve(context.Background())
	p.edit()
	for _, j := range p.jobs {
		if j.digest != "" {
			digests = append(digests, j.digest)
		}
	}
	return p.result.Changes, digests
}

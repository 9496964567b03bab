package parsers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/source"
)

// blockDifference is how the tree of parseBlockYAML differs from the library's,
// or "". read tells whether parseBlockYAML has read the text at all.
func blockDifference(data []byte) (difference string, read bool) {
	got := parseBlockYAML(data)
	if got == nil {
		return "", false
	}
	var want node
	if err := yaml.Unmarshal(data, &want); err != nil {
		return "the library says " + err.Error(), true
	}
	if len(want.Content) != 1 {
		return "the library finds no document", true
	}
	return nodeDifference("", got, want.Content[0]), true
}

func nodeDifference(at string, got, want *node) string {
	type head struct {
		kind         yaml.Kind
		style        yaml.Style
		tag, value   string
		anchor       string
		line, column int
		children     int
	}
	headOf := func(n *node) head {
		return head{n.Kind, n.Style, n.ShortTag(), n.Value, n.Anchor, n.Line, n.Column, len(n.Content)}
	}
	if g, w := headOf(got), headOf(want); g != w {
		return fmt.Sprintf("at %q: %+v, the library has %+v", at, g, w)
	}
	for i := range got.Content {
		if d := nodeDifference(fmt.Sprintf("%s/%d", at, i), got.Content[i], want.Content[i]); d != "" {
			return d
		}
	}
	return ""
}

func TestBlockYAML(t *testing.T) {
	for _, text := range []string{
		"a: 1\n", "a:\n", "a:\nb:\n", "a: b", "---\na: b\n", "--- # c\n# d\n\na: b # e\n",
		"a:\n- b\n- c\nd: e\n", "a:\n  - b: c\n    d: e\n  -\n  - f\n", "- - a\n  - b\n- c\n", "-   a: b\n    c: d\n",
		"a: 'b'\n\"c\": \"d\" # e\n'f' : g\n", "a: b:c#d - e\n", "é: à\n\"ü\": {é: [ö, \"ß\"]} # x\n",
		"a: []\nb: {}\nc: [d, 'e', \"f\", g h, [i], {j: k}, ]\nl: { m: n , \"o\": p}\n",
		"a: |\n  b\n   c\n\n  d\ne: f\n", "a: >\n  b\n  c\n\n  d\n   e\n  f\n", "a: |-\n  b\n\n\nc: >+\n  d\n\n\ne: |+\n\n\nf: |\n",
		"a: |\n\n  b\n", "a: |\n  b", "a: >-\n  b\n  ", "- |\n b\n- >\n  c\n", "a: |  # comment\n  b\n  \tc\n", "a:\n  |\n  b\n",
		"{\n\t\"a\":1,\n\t\"b\": [-1,true, \"\\u00e9\\u003c\"\n\n],\n \"c\":{}\n}\n\n", "[\n]", "a: [b,\n c\n]\nd: {e: f\n, g: h,\n}\n",
		"<<: a\nb: null\nc: ~\nd: yes\ne: 1.5\nf: 0x1f\ng: 2001-01-01\n",
		"  a: b\n  c: d\n", "a:\n    b\nc: d\n", "a:\n  \"b\"\n", "a: [b]\n#c\n  #d\ne: f\n", "a: -b\nc: -1\n", "a: b\n---\n",
		"a: http://b:80/c?d=e&f\n", "- a\n-\n- b", "a:\n-\n- b:\nc:\n",
		"a: 'b''c'\n'''': ''\nd: <<\ne: [<<, {<<: f}]\n", "a: \"\\\\b\\\"\\n\\t\"\n\"\": [\"\\\\\", '''']\n",
	} {
		difference, read := blockDifference([]byte(text))
		switch {
		case difference != "":
			t.Errorf("%q: %s", text, difference)
		case !read && text != "a: b\n---\n":
			t.Errorf("%q is left to the library", text)
		}
	}
	// What needs more thought than it is worth is the library's.
	for _, text := range []string{
		"", "a", "- &a b\n", "a: *b\n", "a: !b c\n", "a: b\n  c\n", "a: 'b\n  c'\n", "a:\tb\n", "a: b\r\n", "? a\n: b\n", "a: b: c\n",
		"a: b\n c: d\n", "a:\n  b: c\n d: e\n", "a: \"\\x41\"\n", "a: |2\n  b\n", "[a\n b]\n", "[a,\n---\nb]\n", "{\"a\"\n: b}\n", "{a:b}\n", "[\"\\ud83d\\ude00\"]\n", "[\"\\u12\"]\n", "[a # b\n]\n", "a: |\n  \tb\n", "a\n: b\n", "%YAML 1.1\n---\na: b\n", "a: b\n- c\n", "a: - b\n",
		"{a: b}: c\n", "a: b\n...\n", "a: {b: }\n", "a: [b: c]\n", "a: {b}\n", "a: \"b\"c\n", "a: [b] c\n", "a: @b\n", "a: |\n    \n  b\n", "a: b\x00\n", "\xef\xbb\xbfa: b\n",
	} {
		if difference, read := blockDifference([]byte(text)); read {
			t.Errorf("%q is read: %s", text, difference)
		}
	}
}

// TestBlockYAMLFiles holds the two readers against each other over the YAML of
// the fixtures and, where DIGESTLINT_TREE names one, of a whole tree.
func TestBlockYAMLFiles(t *testing.T) {
	roots := []string{filepath.Join("..", "testdata")}
	if tree := os.Getenv("DIGESTLINT_TREE"); tree != "" {
		roots = append(roots, tree)
	}
	docs, read := 0, 0
	for _, root := range roots {
		err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || !newCandidate(filepath.ToSlash(name), nil).isYAMLOrJSON() {
				return err
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for _, text := range splitDocuments(source.Whole(&source.File{Path: name, Data: data})) {
				docs++
				difference, ok := blockDifference(text.Data)
				if ok {
					read++
				}
				if difference != "" {
					t.Errorf("%s: document at byte %d: %s", name, text.At(0), difference)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d documents read without the library", read, docs)
	if read == 0 {
		t.Error("no document was read without the library")
	}
}

func FuzzBlockYAML(f *testing.F) {
	f.Add([]byte("a:\n- b: 'c'\n  d: |\n    e\n\n   f\n- {g: [h, \"i\"]}\n# j\nk: >-\n l\n"))
	f.Add([]byte("---\n\"a\" : b # c\nd:\n  - - e\n    -\n  - \"f\"\n<<: g: h\n"))
	f.Add([]byte("{\n\t\"a\":1, \"b\": [-1 ,true, \"\\u00e9\"\n],\n \"c\":{d: e}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, text := range splitDocuments(source.Whole(&source.File{Path: "a.yaml", Data: data})) {
			if difference, _ := blockDifference(text.Data); difference != "" {
				t.Errorf("%q: %s", text.Data, difference)
			}
		}
	})
}

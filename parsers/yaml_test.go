package parsers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/digestlint/digestlint/source"
)

// yamlPass reads a text as the core does, without a format.
func yamlPass(data string) *Pass {
	f := &source.File{Path: "x.yaml", Data: []byte(data)}
	return &Pass{Text: source.Whole(f), format: Compose, out: &Result{}, seen: map[useKey]bool{}}
}

func TestSplitDocuments(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"one", "a: 1\n", []string{"a: 1\n"}},
		{"no last newline", "a: 1\n---\nb: 2", []string{"a: 1\n", "---\nb: 2"}},
		{"byte-order mark", "\xef\xbb\xbfa: 1\n", []string{"a: 1\n"}},
		{"byte-order mark alone", "\xef\xbb\xbf", nil},
		{"comments and empty documents", "# head\n---\n---\na: 1\n---\n# foot\n", []string{"---\na: 1\n"}},
		{"content behind the marker", "--- {a: 1}\n--- b\n", []string{"--- {a: 1}\n", "--- b\n"}},
		{"end markers", "a: 1\n...\nb: 2\n", []string{"a: 1\n...\n", "b: 2\n"}},
		{"CR LF", "a: 1\r\n---\r\nb: 2\r\n", []string{"a: 1\r\n", "---\r\nb: 2\r\n"}},
		{"CR", "a: 1\r---\rb: 2\r", []string{"a: 1\r", "---\rb: 2\r"}},
		{"dashes that are no marker", "---a: 1\n----: b\n", []string{"---a: 1\n----: b\n"}},
		{"indented marker", "a: |\n  ---\n  b\n", []string{"a: |\n  ---\n  b\n"}},
		{"version directive", "%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n---\nb: 2\n", []string{"---\na: 1\n...\n", "---\nb: 2\n"}},
		{"tag directive", "%YAML 1.2\n%TAG !e! tag:e,1:\n---\na: !e!x 1\n", []string{"#YAML 1.2\n%TAG !e! tag:e,1:\n---\na: !e!x 1\n"}},
		{"tag directive for nothing", "%TAG !e! tag:e,1:\n---\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			p := yamlPass(tt.text)
			for _, d := range splitDocuments(p.Text) {
				got = append(got, d.String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("documents (-want +got):\n%s", d)
			}
			for _, d := range p.documents() {
				if d.root == nil {
					t.Errorf("%q has no root", d.text)
				}
			}
			for _, problem := range p.out.Problems {
				t.Errorf("%s", problem.Message)
			}
		})
	}
}

func TestMaskTemplates(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"none", "a: b\n", "a: b\n"},
		{"value", "a: {{ b }}\n", "a: xxxxxxx\n"},
		{"within a value", `a: "x{{ b }}y"`, `a: "xxxxxxxxy"`},
		{"a line of one", "  {{- if x }}\na: b\n", "  #xxxxxxxxxx\na: b\n"},
		{"a line of two", "{{ a }} {{ b }}\n", "#xxxxxx xxxxxxx\n"},
		{"a key", "{{ a }}: b\n", "xxxxxxx: b\n"},
		{"over lines", "{{/* a\n   b */}}\nc: d\n", "#xxxxx\n#xxxxxxxx\nc: d\n"},
		{"over CR LF lines", "a: {{ b\r\n}}\r\nc: d\r\n", "a: xxxx\r\n#x\r\nc: d\r\n"},
		{"open", "a: {{ b\n", "a: {{ b\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(maskTemplates([]byte(tt.text)))
			if got != tt.want {
				t.Errorf("%q became %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func TestOffset(t *testing.T) {
	long := strings.Repeat("é", 3*columnStep)
	tests := []struct{ name, text string }{
		{"first", "HERE: 1\n"},
		{"later line", "a: 1\nb: HERE\n"},
		{"non-ASCII before it", "{ü: 日本, b: HERE}\n"},
		{"byte-order mark", "\xef\xbb\xbfa: HERE\n"},
		{"CR LF", "a: 1\r\nb: HERE\r\n"},
		{"CR", "a: 1\rb: HERE\r"},
		{"next line", "a: \"x\u0085y\"\nb: HERE\n"},
		{"line separator", "a: \"x\u2028y\"\nb: HERE\n"},
		{"paragraph separator", "a: \"x\u2029y\"\nb: HERE\n"},
		{"typographic quotes", "a: “x”\nb: HERE\n"},
		{"second document", "a: é\n---\nb: {é: HERE}\n"},
		{"a long line", "{" + long + ": 1, x: HERE}\n"},
		{"at a mark", `{"` + strings.Repeat("é", columnStep-6) + `": HERE}` + "\n"},
		{"behind an escape", `{"a\/b": HERE}`},
		{"behind a surrogate pair", `{"é\ud83d\ude00": HERE}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := yamlPass(tt.text)
			want := strings.Index(tt.text, "HERE")
			found := false
			for _, d := range p.documents() {
				scalars(d.root, func(n *node) {
					if n.Value != "HERE" {
						return
					}
					found = true
					if got := d.text.At(d.offset(n)); got != want {
						t.Errorf("the node stands at %d, want %d", got, want)
					}
				})
			}
			if !found {
				t.Fatalf("no such node; problems %v", p.out.Problems)
			}
		})
	}
}

// scalarTests are documents each of whose scalars is located.
var scalarTests = []struct{ name, text string }{
	{"plain", "v: nginx:1.25\n"},
	{"plain over lines", "v: one\n  two\n\n  three  \n  four # no\n"},
	{"plain over CR LF lines", "v: one\r\n  two\r\n\r\n  three\r\n"},
	{"plain before a comment", "v: nginx # the web\nw: a#b\n"},
	{"plain in flow", "{v: a b, w: [c, d]}\n"},
	{"plain over lines in flow", "[one\n  two,\n three]\n"},
	{"no value", "v:\nw: ~\n"},
	{"double", `v: "nginx"` + "\n"},
	{"double with escapes", `v: "a\tb\x41\u00e9\U0001F600\\\"\/\_\N\L\P\e\0"` + "\n"},
	{"double over lines", "v: \"one\n  two\n\n  three  \n  \"\n"},
	{"double with escaped breaks", "v: \"one\\\n    two \\\n  \\ three\"\n"},
	{"double over CR LF lines", "v: \"one\r\n  two\\\r\n  three\"\r\n"},
	{"double with blanks at line ends", "v: \"one\\t  \n  two\\  \n  three\"\n"},
	{"double, empty", "v: \"\"\n"},
	{"surrogates", `{"v": "\ud83d\ude00\\ud83d"}`},
	{"single", "v: 'it''s nginx'\n"},
	{"single over lines", "v: 'one\n  two\n\n\n  three'\n"},
	{"single, empty", "v: ''\n"},
	{"literal", "v: |\n  one\n  two\n\n  three\n"},
	{"literal, strip", "v: |-\n  one\n  two\n\n"},
	{"literal, keep", "v: |+\n  one\n\n\nw: 1\n"},
	{"literal, indented more", "v: |\n    one\n      two\n    three\n"},
	{"literal, explicit indent", "v: |2\n    one\n  two\n"},
	{"literal, explicit indent and chomp", "v: |2-\n   one\n  two\n"},
	{"literal, chomp and explicit indent", "v: |-2\n   one\n  two\n"},
	{"literal, leading empty lines", "v: |\n\n \n  one\n"},
	{"literal, blanks kept", "v: |\n  one  \n     \n  two\t\n"},
	{"literal, CR LF", "v: |\r\n  one\r\n  two\r\n\r\n  three\r\n"},
	{"literal, comment behind the header", "v: | # why\n  one\n"},
	{"literal, no last newline", "v: |\n  one"},
	{"literal, empty", "v: |\nw: 1\n"},
	{"literal, only blank lines kept", "v: |+\n\n\nw: 1\n"},
	{"literal in a list", "- |\n one\n two\n- |\n  three\n"},
	{"literal with a line separator", "v: |\n  one\u2028  two\n  three\n"},
	{"literal, tabs", "v: |\n  a\n  \tone\n  \t\n  b\n"},
	{"breaks of every kind", "v: \"one\u2028  two\u2029\n three\u0085 four\\\n\n  five\"\nw: |\n  a\u0085  b\n  c\u2028\u2029  d\n"},
	{"folded, separators", "v: >\n  one\u2028  two\n\u2028  three\n"},
	{"folded", "v: >\n  one\n  two\n"},
	{"folded, strip", "v: >-\n  one\n  two\n\n"},
	{"folded, keep", "v: >+\n  one\n\n\nw: 1\n"},
	{"folded, empty lines", "v: >\n  one\n\n  two\n\n\n  three\n"},
	{"folded, indented more", "v: >\n  one\n    two\n    three\n  four\n"},
	{"folded, empty lines around indented ones", "v: >\n  one\n\n    two\n\n\n    three\n\n  four\n"},
	{"folded, starts indented", "v: >2\n    one\n  two\n"},
	{"folded, leading empty lines", "v: >\n\n\n  one\n  two\n"},
	{"folded, tabs", "v: >\n  one\n  \ttwo\n  three\n"},
	{"folded, CR LF", "v: >-\r\n  one\r\n  two\r\n\r\n  three\r\n"},
	{"folded, blanks at line ends", "v: >\n  one  \n  two \n"},
	{"folded, no last newline", "v: >-\n  one\n  two"},
	{"folded, blank lines with more indentation", "v: >\n  one\n     \n  two\n"},
	{"anchor", "v: &a nginx\nw: *a\n"},
	{"anchor and tag", "v: &a !!str nginx\nw: !!str &b 12\n"},
	{"anchor, comment, value", "v: &a # why\n  # and\n  nginx\n"},
	{"anchor before a literal", "v: &a |\n  one\n"},
	{"anchor before quotes", "v: &a \"one\"\nw: !t 'two'\n"},
	{"anchor without a value", "v: &a\nw: *a\n"},
	{"verbatim tag", "v: !<tag:yaml.org,2002:str> one\n"},
	{"explicit key", "? one\n: two\n"},
	{"multi-line key and value", "? |\n  one\n: >\n  two\n"},
	{"tabs between", "v:\tone\nw: \ttwo\t# x\n"},
	{"indicators inside", "v: a:b -c ?d #e\n"},
	{"second document", "v: é\n--- # x\nw: \"ü\"\n...\n---\n- |\n ö\n"},
}

func TestScalar(t *testing.T) {
	for _, tt := range scalarTests {
		t.Run(tt.name, func(t *testing.T) {
			total, located := checkScalars(t, &source.File{Path: "x.yaml", Data: []byte(tt.text)})
			if total == 0 {
				t.Error("no scalars")
			}
			if total != located {
				t.Errorf("%d of %d scalars of %q are located", located, total, tt.text)
			}
		})
	}
}

// TestScalarPlaces holds where the text of the scalar at "v" stands.
func TestScalarPlaces(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // the bytes at the span
		exact      bool
	}{
		{"plain", "v: nginx:1\n", "nginx:1", true},
		{"quoted", "v: 'nginx:1'\n", "nginx:1", true},
		{"anchored", "v: &a nginx:1\n", "nginx:1", true},
		{"literal", "v: |-\n  nginx:1\n", "nginx:1", true},
		{"folded", "v: >-\n  nginx:1\n", "nginx:1", true},
		{"escaped", `v: "ngin\x78:1"`, `ngin\x78:1`, false},
		{"joined", "v: \"nginx\\\n  :1\"\n", "nginx\\\n  :1", false},
		{"slash escaped", `{"v": "a\/b"}`, `a\/b`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs := yamlPass(tt.text).documents()
			if len(docs) != 1 {
				t.Fatalf("%d documents", len(docs))
			}
			text := docs[0].scalar(get(docs[0].root, "v"))
			if text == nil {
				t.Fatal("not located")
			}
			span, exact := text.Span(0, len(text.Data))
			if got := string(text.File.Slice(span)); got != tt.want || exact != tt.exact {
				t.Errorf("stands at %q, exactly %v; want %q, %v", got, exact, tt.want, tt.exact)
			}
		})
	}
}

func TestContent(t *testing.T) {
	docs := yamlPass("a: &x nginx\nb: *x\nc: plain\nd: ~\ne: [1]\nf:\n").documents()
	d := docs[0]
	tests := []struct {
		key, want, link string
	}{
		{"a", "nginx", "anchor"},
		{"b", "nginx", "anchor"},
		{"c", "plain", ""},
		{"d", "", ""},
		{"e", "", ""},
		{"f", "", ""},
		{"missing", "", ""},
	}
	for _, tt := range tests {
		text, links := d.content(get(d.root, tt.key))
		got := ""
		if text != nil {
			got = text.String()
		}
		if got != tt.want {
			t.Errorf("%s: content %q, want %q", tt.key, got, tt.want)
		}
		link := ""
		if len(links) > 0 {
			link = links[0].class.noun
		}
		if link != tt.link {
			t.Errorf("%s: read through %q, want %q", tt.key, link, tt.link)
		}
	}
}

func TestGetMerges(t *testing.T) {
	const text = `
base: &base {image: base, only: base}
other: &other {image: other, more: other}
deep: &deep
  <<: *base
  image: deep
cycle: &cycle
  <<: *cycle
  image: cycle
own: {<<: *base, image: own}
merged: {<<: *base}
list: {<<: [*other, *base]}
twice:
  <<: *other
  <<: *base
nested: {<<: *deep}
inline: {<<: {image: inline}}
nothing: {<<: ~}
scalar: {<<: text}
round: *cycle
`
	root := yamlPass(text).documents()[0].root
	tests := []struct{ at, key, want string }{
		{"own", "image", "own"}, {"own", "only", "base"},
		{"merged", "image", "base"},
		{"list", "image", "other"}, {"list", "only", "base"},
		{"twice", "image", "other"}, {"twice", "only", "base"},
		{"nested", "image", "deep"}, {"nested", "only", "base"},
		{"inline", "image", "inline"},
		{"nothing", "image", ""}, {"scalar", "image", ""},
		{"round", "image", "cycle"}, {"round", "missing", ""},
	}
	for _, tt := range tests {
		if got := str(at(root, tt.at, tt.key)); got != tt.want {
			t.Errorf("%s.%s is %q, want %q", tt.at, tt.key, got, tt.want)
		}
		var got string
		for k, v := range entries(get(root, tt.at)) {
			if k.Value == tt.key {
				got += str(v)
			}
		}
		if got != tt.want {
			t.Errorf("entries of %s yield %q for %s, want %q", tt.at, got, tt.key, tt.want)
		}
	}
}

// TestBadDocument holds that one document that is no YAML costs itself alone,
// and is reported at its line.
func TestBadDocument(t *testing.T) {
	tests := []struct {
		name, text string
		lines      []int // of the problems
		docs       int
	}{
		{"in the middle", "a: 1\n---\nb: [\n---\nc: 3\n", []int{3}, 2},
		{"bad indentation", "a: 1\n---\nb: 2\n   c: 3\n---\nd: 4\n", []int{4}, 2},
		{"behind a directive", "%YAML 1.2\n---\na: 1\n---\nb: ]\n", []int{5}, 1},
		{"tab", "a:\n\tb: 1\n---\nc: 1\n", []int{2}, 1},
		{"invalid UTF-8", "a: 1\n---\nb: \xff\n", []int{3}, 1},
		{"NUL", "a: 1\n---\nb: x\x00y\n---\nc: 1\n", []int{3}, 2},
		{"templates", "a: 1\n---\n{{ if }}}: [\n---\nc: 1\n", nil, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := yamlPass(tt.text)
			if got := len(p.documents()); got != tt.docs {
				t.Errorf("%d documents, want %d", got, tt.docs)
			}
			var lines []int
			for _, problem := range p.out.Problems {
				lines = append(lines, p.Text.File.Position(problem.Offset).Line)
			}
			if !slices.Equal(lines, tt.lines) {
				t.Errorf("problems at the lines %v, want %v: %v", lines, tt.lines, p.out.Problems)
			}
		})
	}
}

// TestYAMLLinear gives the core inputs that take minutes where something is
// quadratic.
func TestYAMLLinear(t *testing.T) {
	inputs := map[string]func(b *strings.Builder){
		"anchors": func(b *strings.Builder) {
			for i := range 20_000 {
				fmt.Fprintf(b, "a%d: &a%d nginx:%d\nb%d: *a%d\n", i, i, i, i, i)
			}
		},
		"a line of non-ASCII characters": func(b *strings.Builder) {
			b.WriteString("{services: {")
			for i := range 60_000 {
				fmt.Fprintf(b, "é%d: {build: 日本, image: 'ü/%d'}, ", i, i)
			}
			b.WriteString("}}\n")
		},
		"documents": func(b *strings.Builder) { b.WriteString(strings.Repeat("---\nimage: nginx\n", 100_000)) },
		"merges of merges": func(b *strings.Builder) {
			b.WriteString("a0: &a0 {image: x}\n")
			for i := 1; i < 40; i++ {
				fmt.Fprintf(b, "a%d: &a%d {<<: [*a%d, *a%d, *a%d]}\n", i, i, i-1, i-1, i-1)
			}
		},
		"a long literal": func(b *strings.Builder) {
			b.WriteString("image: |\n" + strings.Repeat("  é\n", 500_000))
		},
		"a long folded": func(b *strings.Builder) {
			b.WriteString("image: >\n" + strings.Repeat("  é\n\n", 300_000))
		},
		"folded empty lines": func(b *strings.Builder) {
			b.WriteString("image: >\n  a\n" + strings.Repeat("\n", 1_000_000) + "  b\n")
		},
		"a long plain": func(b *strings.Builder) {
			b.WriteString("image: a\n" + strings.Repeat("  é\n", 300_000))
		},
		"escapes": func(b *strings.Builder) {
			b.WriteString(`image: "` + strings.Repeat(`\/\x41`, 500_000) + `"`)
		},
		"templates": func(b *strings.Builder) { b.WriteString(strings.Repeat("{{ a }}: b {{ c }} [\n", 100_000)) },
		"templates on a line": func(b *strings.Builder) {
			b.WriteString("image: " + strings.Repeat("{{ a }} ", 300_000) + "\n  : [\n")
		},
		"blanks": func(b *strings.Builder) { b.WriteString("image: 'a" + strings.Repeat(" ", 1_000_000) + "b'\n") },
	}
	for name, write := range inputs {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			write(&b)
			p := yamlPass(b.String())
			for _, d := range p.documents() {
				get(d.root, "missing")
				for _, n := range slices.Backward(d.root.Content) {
					get(n, "missing")
					for _, m := range slices.Backward(n.Content) {
						d.content(get(m, "image"))
					}
					d.content(n)
				}
			}
		})
	}
}

// TestScalarsOfFixtures holds that no scalar of any fixture is lost.
func TestScalarsOfFixtures(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(fixtures, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !isYAML(name) || strings.HasSuffix(name, goldenExt) {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("{{")) {
			continue // masked: what is located is not what the library read
		}
		if total, located := checkScalars(t, &source.File{Path: name, Data: data}); total != located {
			t.Errorf("%s: %d of %d scalars are located", name, located, total)
		}
	}
}

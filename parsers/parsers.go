// Package parsers finds the image references of configuration files: one file
// a format, all through one model.
//
// A [Format] says which files are its own and how to read them. A parser walks
// the structure of its format, hands the text of each place that names an image
// to [Pass.Use] together with what its variables stand for, and hands texts in
// another format (the shell of a CI job, the pod in a Jenkinsfile) to that
// format's parser as a nested pass. It sees bytes only: it opens no file but
// through the [Tree] that the driver gives it.
package parsers

import (
	"bytes"
	"fmt"
	"path"
	"runtime/debug"
	"slices"
	"sort"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Format is one kind of file that names images.
type Format struct {
	// Name is lower case without dashes, as people type it.
	Name string
	// Title is the name for people.
	Title string
	// Files says in Markdown which files are taken for the format, Places what
	// of them is read. They are for the format's page.
	Files, Places string
	// Comment starts a comment that ends with the line; empty where the
	// format has none.
	Comment string
	// Detect says how sure the path and the content make it that a file has
	// this format. It must be fast: it runs on every file of a tree. So it
	// looks at names first, then at keys, and at the whole content last.
	Detect func(*Candidate) Certainty
	// Parse reports the uses of a file to the pass.
	Parse func(p *Pass)
}

// Certainty orders the answers of Detect.
type Certainty uint8

// From "not this format" to "nothing else has this path".
const (
	No Certainty = iota
	// Content is a file whose content alone looks like the format.
	Content
	// Likely is a path that the format shares with others, with content that
	// fits.
	Likely
	// Path is a path that only this format has.
	Path
)

var registered []*Format

func register(f Format) *Format {
	registered = append(registered, &f)
	return &f
}

// Formats is every registered format, by name.
func Formats() []*Format {
	all := append([]*Format(nil), registered...)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Lookup is the format of that name, or nil.
func Lookup(name string) *Format {
	for _, f := range registered {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Detect is the format of a file, or nil where none fits. The path uses "/".
func Detect(path string, data []byte) *Format {
	var best *Format
	var sure Certainty
	candidate := newCandidate(path, data)
	for _, f := range registered {
		if c := f.Detect(candidate); c > sure || c == sure && c > No && f.Name < best.Name {
			best, sure = f, c
		}
	}
	return best
}

// Claims reports whether the path of a file, or the program that its first line
// names, makes it one of a format for certain, whatever else it holds.
func Claims(path string, data []byte) bool {
	candidate := newCandidate(path, data)
	return slices.ContainsFunc(registered, func(f *Format) bool { return f.Detect(candidate) == Path })
}

// Tree opens other files of the same tree, by path as [source.File.Path] has
// it. It refuses what lies outside.
type Tree interface {
	Open(path string) (*source.File, error)
}

// Problem is a part of a file that could not be read as its format.
type Problem struct {
	Offset  int // byte in the file
	Message string
}

// Result is what a file yields.
type Result struct {
	Uses     []image.Use // in the order of the file
	Problems []Problem
	// Overlay is what a kustomization says of other files; nil of other files.
	Overlay *Overlay
}

// Parse reads f as format. It never fails: what can't be read is a problem of
// the result, and the rest still counts. The uses share the bytes of f.
func Parse(f *source.File, format *Format, tree Tree) (res Result) {
	p := &Pass{Text: source.Whole(f), format: format, tree: tree, out: &res, seen: map[useKey]bool{}}
	p.guard(func() { format.Parse(p) })
	sort.SliceStable(res.Uses, func(i, j int) bool { return res.Uses[i].Span.Start < res.Uses[j].Span.Start })
	return res
}

// Pass is one text on its way through a parser.
type Pass struct {
	// Text is what to parse: a whole file, or a part decoded from one.
	Text *source.Text

	format  *Format
	tree    Tree
	out     *Result
	seen    map[useKey]bool
	pointer string
	depth   int
	// vars is how an outer format's variables stand in this text.
	vars templating
	// quiet is set for text that is only taken for a format: if it can't be
	// read, the file is not to blame.
	quiet bool
}

// useKey tells uses apart: a text reached over two ways (a YAML merge) counts
// once.
type useKey struct {
	span source.Span
	role image.Role
}

// maxNesting bounds formats within formats.
const maxNesting = 8

// Fail records that the text can't be read at the inner offset.
func (p *Pass) Fail(offset int, format string, args ...any) {
	if p.quiet {
		return
	}
	p.out.Problems = append(p.out.Problems, Problem{Offset: p.Text.At(offset), Message: fmt.Sprintf(format, args...)})
}

// nested runs another parser over a part of the text. Its pointers start with
// prefix.
func (p *Pass) nested(text *source.Text, prefix string, parse func(*Pass)) {
	if p.depth >= maxNesting || len(bytes.TrimSpace(text.Data)) == 0 {
		return
	}
	q := *p
	q.Text, q.depth, q.pointer = text, p.depth+1, joinPointer(p.pointer, strings.TrimSpace(prefix))
	q.guard(func() { parse(&q) })
}

// scanner and look find and resolve the variables that an outer format, or a
// tool behind it, substitutes in this text before it is read.
func (p *Pass) scanner() scanner {
	if p.vars.scan != nil {
		return p.vars.scan
	}
	return scanDollar
}

func (p *Pass) look(name string) *binding {
	if p.vars.look != nil {
		return p.vars.look(name)
	}
	return nil
}

// guard turns a panic of a parser, or of a library under it, into a problem of
// this file: one hostile file must not end the run.
func (p *Pass) guard(parse func()) {
	defer func() {
		if r := recover(); r != nil {
			if testingPanics {
				panic(fmt.Sprintf("%v\n%s", r, debug.Stack()))
			}
			p.Fail(0, "the parser broke on this text (please report it): %v", r)
		}
	}()
	parse()
}

// testingPanics lets tests and fuzzing see the panics that guard hides.
var testingPanics = false

// open reads a file beside the one being parsed.
func (p *Pass) open(name string) *source.File {
	if p.tree == nil {
		return nil
	}
	f, err := p.tree.Open(path.Join(path.Dir(p.Text.File.Path), name))
	if err != nil {
		return nil
	}
	return f
}

func joinPointer(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	case strings.HasPrefix(b, "["):
		return a + b
	case strings.Contains(a, " ") || strings.Contains(b, " "):
		return a + ", " + b
	}
	return a + "." + b
}

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/source"
)

// reference is one use as "refs --output json" prints it. Other programs read
// this: fields are added, never renamed.
type reference struct {
	Path       string      `json:"path"`
	Format     string      `json:"format"`
	Line       int         `json:"line"`
	Column     int         `json:"column"`
	Start      int         `json:"start"`
	End        int         `json:"end"`
	Raw        string      `json:"raw"`
	Value      *string     `json:"value"`
	Values     []string    `json:"values,omitempty"` // where there are several
	Name       string      `json:"name"`
	Tag        string      `json:"tag"`
	Digest     string      `json:"digest"`
	Role       string      `json:"role"`
	Pointer    string      `json:"pointer"`
	Confidence string      `json:"confidence"`
	Pinned     bool        `json:"pinned"`
	Pinnable   bool        `json:"pinnable"`
	Reason     string      `json:"reason"`
	Local      bool        `json:"local"`
	Replaced   bool        `json:"replaced"`
	Variables  []string    `json:"variables"`
	Definition *definition `json:"definition"`
}

type definition struct {
	Path   string `json:"path"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Start  int    `json:"start"`
	End    int    `json:"end"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
}

type referenceList struct {
	Version       int         `json:"version"`
	References    []reference `json:"references"`
	Errors        []fileError `json:"errors"`
	NotRecognised int         `json:"not_recognised"`
}

type fileError struct {
	Path    string `json:"path"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

func (a *app) refs() *cobra.Command {
	var in input
	var output string
	cmd := &cobra.Command{
		Use:     "refs [PATH…]",
		Aliases: []string{"list"},
		Short:   "list every image reference",
		Example: `  digestlint refs                       every reference, with its place
  digestlint refs --output list         one image a line, each once, for other tools
  digestlint refs --output json deploy  everything that is known of each`,
		RunE: func(cmd *cobra.Command, args []string) error {
			show, ok := map[string]func(io.Writer, *referenceList) error{
				"text": writeText, "json": writeJSON, "list": writeList,
			}[output]
			if !ok {
				return fmt.Errorf("--output %q: refs prints text, json or list", output)
			}
			var c collector
			opts, err := in.options(a, args)
			if err != nil {
				return err
			}
			opts.Each = c.each
			res, err := lint.Run(cmd.Context(), opts)
			if err != nil {
				return err
			}
			list := c.list(res)
			if err := show(a.stdout, list); err != nil {
				return err
			}
			if _, invalid := list.pulled(); output == "list" && len(invalid) > 0 {
				fmt.Fprintf(a.stderr, "digestlint: left out as no reference: %d; `digestlint check` says where they stand\n", len(invalid))
			}
			a.problems(c.errors)
			a.report(res)
			return nil
		},
	}
	in.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or list")
	complete(cmd, "output", []string{"text", "json", "list"})
	return cmd
}

// collector gathers the references of all files.
type collector struct {
	mu     sync.Mutex
	refs   []reference
	errors []fileError
}

func (c *collector) each(f *source.File, _ *parsers.Format, res parsers.Result) {
	plan := rewrite.Editable(res.Uses)
	var refs []reference
	for i := range res.Uses {
		refs = append(refs, describe(&res.Uses[i], plan[i]))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refs = append(c.refs, refs...)
	for _, p := range res.Problems {
		pos := f.Position(p.Offset)
		c.errors = append(c.errors, fileError{Path: f.Path, Line: pos.Line, Column: pos.Column, Message: p.Message})
	}
}

// describe is a use as it is printed; problem says why it can't be pinned.
func describe(u *image.Use, problem string) reference {
	pos := u.Position()
	r := reference{
		Path: u.File.Path, Format: u.Format, Line: pos.Line, Column: pos.Column, Start: u.Span.Start, End: u.Span.End,
		Raw: u.Raw, Role: u.Role.String(), Pointer: u.Pointer, Confidence: u.Confidence.String(),
		Pinned: u.Pinned(), Replaced: u.Replaced, Variables: slices.Clone(u.Variables),
		Pinnable: problem == "", Reason: problem,
	}
	if r.Variables == nil {
		r.Variables = []string{}
	}
	if len(u.Values) > 1 {
		for _, v := range u.Values {
			r.Values = append(r.Values, v.Text)
		}
	}
	if len(u.Values) == 0 {
		return r
	}
	v := u.Values[0]
	if len(u.Values) == 1 {
		r.Value = &v.Text
	}
	if v.Err == nil {
		r.Name, r.Tag, r.Digest = v.Ref.Name(), v.Ref.Tag, v.Ref.Digest
	}
	if d := v.Definition; d != nil {
		at := d.File.Position(d.Span.Start)
		r.Definition = &definition{Path: d.File.Path, Line: at.Line, Column: at.Column, Start: d.Span.Start, End: d.Span.End, Name: d.Name, Kind: d.Kind}
	}
	return r
}

// list is everything in order.
func (c *collector) list(res *lint.Result) *referenceList {
	l := &referenceList{Version: 1, References: c.refs, Errors: slices.Clone(c.errors), NotRecognised: res.Summary.NotRecognised}
	for i := range l.References {
		r := &l.References[i]
		r.Local = r.Role == image.Pull.String() && r.Name != "" && res.Local.Has(r.Path, r.Name)
		if r.Local && r.Pinnable {
			r.Pinnable, r.Reason = false, "the repository builds this image itself"
		}
		r.Replaced = r.Replaced || r.Name != "" && res.Replaced.Has(r.Path, r.Name)
		if r.Replaced && r.Pinnable {
			r.Pinnable, r.Reason = false, "a kustomization gives it another image"
		}
	}
	for _, e := range res.Errors {
		l.Errors = append(l.Errors, fileError{Path: e.Path, Line: e.Line, Column: e.Column, Message: e.Message})
	}
	slices.SortFunc(l.References, func(a, b reference) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Role, b.Role))
	})
	slices.SortFunc(l.Errors, func(a, b fileError) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	if l.References == nil {
		l.References = []reference{}
	}
	if l.Errors == nil {
		l.Errors = []fileError{}
	}
	return l
}

func writeJSON(w io.Writer, l *referenceList) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(l); err != nil {
		return err
	}
	_, err := w.Write(report.EscapeJSON(buf.Bytes()))
	return err
}

// writeText prints a line a reference: place, image, and what is to be known
// of it.
func writeText(w io.Writer, l *referenceList) error {
	buf := bufio.NewWriter(w)
	for _, r := range l.References {
		fmt.Fprintf(buf, "%s:%d:%d: %s", report.LeadingPath(r.Path), r.Line, r.Column, report.Visible(r.Raw))
		if r.Value != nil && *r.Value != r.Raw {
			fmt.Fprintf(buf, " = %s", report.Visible(*r.Value))
		}
		for i, v := range r.Values {
			fmt.Fprintf(buf, "%s%s", [...]string{" = ", " | "}[min(i, 1)], report.Visible(v))
		}
		fmt.Fprintf(buf, " (%s)\n", report.Visible(r.note()))
	}
	return buf.Flush()
}

// note says of a reference what a reader of a list wants to know.
func (r reference) note() string {
	state := r.Pointer
	switch {
	case r.Role == image.Output.String():
		state += ", output"
	case r.Local:
		state += ", built here"
	case r.Replaced:
		state += ", replaced"
	case r.Pinned:
		state += ", pinned"
	case r.Value == nil && len(r.Values) == 0:
		state += ", unresolved"
	}
	return state
}

// pulled reports whether the image comes from a registry, as far as is known.
func (r reference) pulled() bool {
	return r.Role != image.Output.String() && !r.Local && !r.Replaced
}

// texts are the texts that the reference can have.
func (r reference) texts() []string {
	if r.Value != nil {
		return []string{*r.Value}
	}
	return r.Values
}

// problems tells people which parts of files could not be read.
func (a *app) problems(errors []fileError) {
	for _, e := range errors {
		fmt.Fprintf(a.stderr, "digestlint: %s:%d:%d: %s\n", report.Visible(e.Path), e.Line, e.Column, report.Visible(e.Message))
	}
}

// writeList prints each image that is pulled once. Other tools take the lines for
// references, so that nothing else is among them.
func writeList(w io.Writer, l *referenceList) error {
	names, _ := l.pulled()
	buf := bufio.NewWriter(w)
	for _, n := range names {
		fmt.Fprintln(buf, n)
	}
	return buf.Flush()
}

// pulled are the references that are pulled, each once, sorted, and the texts in
// their place that are none.
func (l *referenceList) pulled() (names, invalid []string) {
	for _, r := range l.References {
		if !r.pulled() {
			continue
		}
		for _, text := range r.texts() {
			if _, err := image.Parse(text); err != nil {
				invalid = append(invalid, text)
			} else {
				names = append(names, text)
			}
		}
	}
	slices.Sort(names)
	slices.Sort(invalid)
	return slices.Compact(names), slices.Compact(invalid)
}

package rewrite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Target is a value of a use on its way to a digest.
type Target struct {
	Use   *image.Use
	Value *image.Value
	// Problem says why the text is not edited, and what to do by hand; empty
	// where it can be.
	Problem string
	// Unsafe is set where the edit has to be asked for; Problem is empty then
	// if it was.
	Unsafe bool
}

// place is where the text of a value ends.
type place struct {
	path       string
	start, end int
}

// group are the values that share a text: an edit of one edits them all.
type group struct {
	targets []*Target
	outputs bool
}

// Targets decides for each value of the uses whether it can be edited. Uses
// that share a text are judged together, so all uses of a run have to be given
// at once; what one file can tell is told by the uses of one file. Outputs and
// uses of unknown value have no targets, but what they read counts.
func Targets(uses []*image.Use, unsafe bool) []*Target {
	groups := map[place]*group{}
	var all []*Target
	for _, u := range uses {
		for i := range u.Values {
			v := &u.Values[i]
			if v.Err != nil {
				continue
			}
			if v.Site.File == nil {
				if u.Role == image.Pull {
					all = append(all, &Target{Use: u, Value: v, Problem: cmp.Or(v.Site.Reason, "its text stands nowhere in one piece")})
				}
				continue
			}
			key := place{v.Site.File.Path, v.Site.Tail.Start, v.Site.Tail.End}
			g := groups[key]
			if g == nil {
				g = &group{}
				groups[key] = g
			}
			if u.Role == image.Output {
				g.outputs = true
				continue
			}
			t := &Target{Use: u, Value: v}
			g.targets = append(g.targets, t)
			all = append(all, t)
		}
	}
	for _, g := range groups {
		g.decide(unsafe)
	}
	return all
}

// decide fills in the problems of the targets, which are one decision.
func (g *group) decide(unsafe bool) {
	problem, needsAsking := g.problem()
	a, b := g.different()
	for _, t := range g.targets {
		t.Problem, t.Unsafe = problem, needsAsking
		if b != nil {
			o := b
			if t.Value.Ref.Canonical() != a.Value.Ref.Canonical() {
				o = a
			}
			t.Problem = fmt.Sprintf("its text also feeds %s (line %d); give each image a text of its own", o.Value.Text, o.Use.Position().Line)
		} else if needsAsking && problem == "" && !unsafe {
			t.Problem = t.Value.Site.Reason + "; pin it with --unsafe, or by hand"
		}
	}
}

// different is the first target of the group and, if there is one, the first
// that is another image.
func (g *group) different() (a, b *Target) {
	for _, t := range g.targets {
		if a == nil {
			a = t
		} else if t.Value.Ref.Canonical() != a.Value.Ref.Canonical() {
			return a, t
		}
	}
	return a, nil
}

func (g *group) problem() (problem string, unsafe bool) {
	if len(g.targets) == 0 {
		return "", false
	}
	site := g.targets[0].Value.Site
	var reads []source.Span
	for _, t := range g.targets {
		s := t.Value.Site
		if s.Safety == image.Refused {
			return s.Reason, false
		}
		unsafe = unsafe || s.Safety == image.Unsafe
		reads = append(reads, t.Value.Reads...)
	}
	if g.outputs {
		return "its text also names an image that is built here; give each a text of its own", unsafe
	}
	if site.Readers == nil {
		return "", unsafe
	}
	for _, r := range site.Readers() {
		if !slices.Contains(reads, r) {
			name := site.File.Slice(r)
			return fmt.Sprintf("%s is also read at line %d, where a digest may not fit; give the image a text of its own", name, site.File.Position(r.Start).Line), unsafe
		}
	}
	return "", unsafe
}

// Edit is the edit that writes the digest for t, in the file of the value's
// site. Digest is algorithm:hex.
func (t *Target) Edit(digest string) (Edit, error) {
	if !image.ValidDigest(digest) {
		return Edit{}, fmt.Errorf("%q is not a digest", digest)
	}
	v, s := t.Value, t.Value.Site
	tail := string(s.File.Slice(s.Tail))
	switch {
	case s.Key:
		return Edit{Span: s.Tail, New: s.Before + digest + s.After}, nil
	case v.Ref.Digest != "":
		if !strings.HasSuffix(tail, v.Ref.Digest) {
			return Edit{}, fmt.Errorf("the digest does not stand in one piece")
		}
		return Edit{Span: source.Span{Start: s.Tail.End - len(v.Ref.Digest), End: s.Tail.End}, New: digest}, nil
	case t.Use.DigestOnly && v.Ref.Tag != "":
		if !strings.HasSuffix(tail, ":"+v.Ref.Tag) {
			return Edit{}, fmt.Errorf("the tag, which has to give way to the digest here, does not stand in one piece")
		}
		return Edit{Span: source.Span{Start: s.Tail.End - len(v.Ref.Tag) - 1, End: s.Tail.End}, New: "@" + digest}, nil
	}
	return Edit{Span: source.Span{Start: s.Tail.End, End: s.Tail.End}, New: "@" + digest}, nil
}

// Editable says for each use of one file why it can't be pinned, as far as the
// file itself tells; empty where it can.
func Editable(uses []image.Use) []string {
	all := make([]*image.Use, len(uses))
	out := make([]string, len(uses))
	index := map[*image.Use]int{}
	for i := range uses {
		u := &uses[i]
		all[i], index[u] = u, i
		switch {
		case u.Role == image.Output:
			out[i] = "an output is not pinned"
		case u.Replaced:
			out[i] = "a kustomization gives it another image"
		case u.Placeholder:
			out[i] = "a placeholder"
		case !u.Resolved():
			out[i] = "nothing here decides " + strings.Join(u.Undecided(), ", ")
		default:
			if s, ok := image.IsSyntax(u.Values[0].Err); ok {
				out[i] = s.Message
			}
		}
	}
	for _, t := range Targets(all, false) {
		if i := index[t.Use]; out[i] == "" {
			out[i] = t.Problem
		}
	}
	return out
}

// Same checks that a file, parsed again after edits, names the same images in
// the same places as before, apart from the digests that were to be written:
// want gives the digest for each value of a use, or "" where it had to stay.
func Same(before, after []image.Use, want func(u *image.Use, v *image.Value) string) error {
	if len(before) != len(after) {
		return fmt.Errorf("it would name %d images instead of %d", len(after), len(before))
	}
	for i := range before {
		a, b := &before[i], &after[i]
		if a.Role != b.Role || a.Pointer != b.Pointer || len(a.Values) != len(b.Values) || a.Format != b.Format {
			return fmt.Errorf("the use at line %d would become another one", a.Position().Line)
		}
		for k := range a.Values {
			x, y := &a.Values[k], &b.Values[k]
			digest := cmp.Or(want(a, x), x.Ref.Digest)
			if x.Err == nil && (y.Err != nil || y.Ref.Digest != digest || x.Ref.Written() != y.Ref.Written() || x.Ref.Tag != y.Ref.Tag && !a.DigestOnly) ||
				x.Err != nil && x.Text != y.Text {
				return fmt.Errorf("the use at line %d would read %q", a.Position().Line, y.Text)
			}
		}
	}
	return nil
}

package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/source"
)

// hover says what the image at a place is: its name, its tag, what is known of
// its digest, and what to do.
func (s *session) hover(params json.RawMessage) (work, error) {
	var p documentParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	snap, ok := s.snapshot(p.TextDocument.URI)
	if !ok {
		return done(nil), nil
	}
	at := snap.text.offset(p.Position, snap.units)
	return func(ctx context.Context) (any, error) {
		a, err := s.analyse(ctx, snap)
		if err != nil {
			return nil, err
		}
		page, where := a.explain(snap, at)
		if page == nil {
			return nil, nil //nolint:nilnil // null is the protocol's answer
		}
		return hover{page.markup(snap), snap.text.span(where.Start, where.End, snap.units)}, nil
	}, nil
}

// explain is what there is to say at an offset, and about which bytes.
func (a *analysis) explain(snap *snapshot, at int) (page, source.Span) {
	if i := a.useAt(snap.path, at); i >= 0 {
		u := &a.uses[i]
		where := u.Span
		for _, v := range u.Values {
			if d := v.Definition; d != nil && d.File.Path == snap.path && touches(d.Span, at) {
				where = d.Span
			}
		}
		return a.about(i), where
	}
	// A digest may stand anywhere: in a comment, in a file of no known format.
	f := source.File{Data: snap.text.data}
	line := f.Position(at).Line
	for _, m := range digest.FindAllIndex(f.Line(line), -1) {
		where := source.Span{Start: f.Offset(line) + m[0], End: f.Offset(line) + m[1]}
		if hit, ok := advisories.LookupDigest(string(f.Slice(where))); ok && touches(where, at) {
			var p page
			p.listed(hit)
			return p, where
		}
	}
	return nil, source.Span{}
}

// digest is what may be one in a line.
var digest = regexp.MustCompile(`sha256:[0-9a-fA-F]{64}`)

// touches reports whether a cursor at the offset is on s or at an end of it.
func touches(s source.Span, at int) bool { return s.Start <= at && at <= s.End }

// useAt is the index of the use at an offset: first where it stands, then where
// its text is decided; -1 for none.
func (a *analysis) useAt(path string, at int) int {
	for i := range a.uses {
		if a.uses[i].File.Path == path && touches(a.uses[i].Span, at) {
			return i
		}
	}
	return slices.IndexFunc(a.uses, func(u image.Use) bool {
		return slices.ContainsFunc(u.Values, func(v image.Value) bool {
			d := v.Definition
			return d != nil && d.File.Path == path && touches(d.Span, at)
		})
	})
}

// maxValues is how many values of one use are explained.
const maxValues = 5

// about explains a use.
func (a *analysis) about(i int) page {
	u := &a.uses[i]
	var p page
	for k := range u.Values {
		if k == maxValues {
			p.add("and %d more", len(u.Values)-k)
			break
		}
		p.value(u, &u.Values[k])
	}
	switch {
	case u.Role == image.Output:
		p.add("This names what is built here; nothing is pulled by it.")
	case len(u.Values) == 0 && u.Placeholder:
		p.add("%s is a placeholder, filled in elsewhere.", code(u.Raw))
	case len(u.Values) == 0:
		p.add("%s is not known: nothing here decides %s.", code(u.Raw), code(strings.Join(u.Undecided(), ", ")))
	case u.Pinned():
	case a.problems[i] != "":
		p.add("It has no digest, and can't be given one here: %s.", report.Visible(a.problems[i]))
	default:
		p.add("It has no digest: what it is can change at any time. Pin it by the action of your editor, or with %s.", code("digestlint pin"))
	}
	return p
}

// page is paragraphs in Markdown.
type page []string

func (p *page) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// value explains one value of a use.
func (p *page) value(u *image.Use, v *image.Value) {
	if v.Err != nil {
		p.add("%s is not a reference: %s.", code(v.Text), report.Visible(v.Err.Error()))
		return
	}
	p.add("**Image** %s", code(v.Ref.Canonical()))
	if d := v.Definition; d != nil {
		p.add("decided by %s %s, line %d", report.Visible(d.Kind), code(d.Name), d.File.Position(d.Span.Start).Line)
	}
	if u.Role == image.Output {
		return
	}
	if v.Ref.Digest == "" {
		p.tag(v.Ref)
		return
	}
	if hit, ok := advisories.LookupDigest(v.Ref.Digest); ok {
		p.listed(hit)
		return
	}
	for _, g := range advisories.KnownGood(v.Ref) {
		if g.Digest == v.Ref.Digest {
			p.add("This digest is known to be good: %s.", report.Visible(g.What))
			return
		}
	}
	if v.Ref.Tag != "" {
		p.add("The digest decides what is pulled; the tag %s is for people.", code(v.Ref.Tag))
	}
	p.add("No advisory lists this digest.")
}

// tag says what is known of a reference without a digest.
func (p *page) tag(ref image.Reference) {
	for _, h := range advisories.Match(ref) {
		p.add("**%s** %s. See %s.", report.Visible(h.Advisory.ID), report.Visible(h.Advisory.Title), code("digestlint advisories show "+h.Advisory.ID))
	}
	for _, g := range advisories.KnownGood(ref) {
		if g.Digest != "" && slices.Contains(g.Tags, ref.Tag) {
			p.add("Known to be good: %s, %s.", report.Visible(g.What), code(g.Digest))
		}
	}
}

// listed says that a digest is malicious.
func (p *page) listed(hit advisories.Hit) {
	p.add("**Malicious** (%s): %s.", report.Visible(hit.Advisory.ID), report.Visible(hit.Advisory.Title))
	what := hit.Digest.Kind.String()
	if hit.Digest.Platform != "" {
		what += " for " + hit.Digest.Platform
	}
	if len(hit.Digest.Tags) > 0 {
		what += ", once behind " + strings.Join(hit.Digest.Tags, ", ")
	}
	p.add("The digest is that of the %s.", report.Visible(what))
	p.add("Take it for an intrusion: %s and %s say what to do.", code("digestlint explain malicious-digest"), code("digestlint exposure"))
}

// markup is the page for the editor, without marks where it knows no Markdown.
func (p page) markup(snap *snapshot) markup {
	formats := snap.client.TextDocument.Hover.ContentFormat
	text := strings.Join(p, "\n\n")
	if len(formats) > 0 && !slices.Contains(formats, "markdown") {
		return markup{"plaintext", strings.NewReplacer("**", "", "`", "").Replace(text)}
	}
	return markup{"markdown", text}
}

// code is s as a code span (https://spec.commonmark.org/0.31.2/#code-spans):
// what a file holds must not become markup.
func code(s string) string {
	s = report.Visible(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

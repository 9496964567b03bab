package parsers

import (
	"bytes"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// splitImage is an image whose parts are the values of separate keys. Each node
// may be nil; only the name has to be there.
type splitImage struct {
	registry, name, tag, digest *node
	// path is a part between registry and name.
	path *node
	// untagged names what decides the tag where no key does; empty where that
	// means "latest", as in a reference.
	untagged string
	// owner is the mapping with the tag, or with the name if there is no tag.
	owner *node
	// digestKey is how the reader calls a key for the digest; empty where it
	// has none.
	digestKey string
	// parent is the key of a mapping that the digest key needs around it and
	// that is not there yet.
	parent string
	// place gives the site of the digest where the format has rules of its
	// own for that; it is asked where no part comes from a variable.
	place func() *image.Site
}

// schemeOCI begins the address of an OCI artifact.
const schemeOCI = "oci://"

// tagReason is why a digest behind a tag of its own needs asking for.
const tagReason = "the digest would stand behind the tag in its own key, which not every reader of such keys accepts"

// split reports an image in several keys. The use stands at the name.
func (p *Pass) split(d *document, s splitImage, scan scanner, look lookup, f found) {
	t, _ := d.content(s.name)
	if t == nil {
		return
	}
	t = cutScheme(t.Trim())
	if bytes.HasPrefix(t.Data, []byte(schemeOCI)) {
		t = t.Slice(len(schemeOCI), len(t.Data))
	}
	read := func(n *node) []expr { return d.exprs(n, scan, look) }
	values := expand(t, scan, look)
	if _, links := d.content(s.name); len(links) > 0 {
		values = read(s.name)
	}
	ref, _ := image.Parse(t.String())
	join := func(a, b []expr, with string) []expr {
		return product(product(a, []expr{{joiner(t, with)}}), b)
	}
	if path := read(s.path); path != nil {
		values = join(trimSlash(path), values, "/")
	}
	if registry := read(s.registry); registry != nil {
		values = join(trimSlash(registry), values, "/")
	}
	tag, digest := read(s.tag), read(s.digest)
	switch {
	case tag != nil && (strings.HasPrefix(str(s.tag), "@") || strings.HasPrefix(str(s.tag), ":")):
		values = product(values, tag)
	case tag != nil && strings.HasPrefix(str(s.tag), "sha256:"):
		values = join(values, tag, "@")
	case tag != nil:
		values = join(values, tag, ":")
	case ref.Tag == "" && ref.Digest == "" && digest == nil && s.untagged != "":
		values = product(values, []expr{unknown(t, s.untagged)})
	}
	if digest != nil && ref.Digest == "" && !strings.Contains(str(s.tag), "@") {
		with := "@"
		if !strings.Contains(str(s.digest), ":") {
			with = "@sha256:"
		}
		values = join(values, digest, with)
	} else {
		f.site = d.digestSite(s, values, tag != nil)
	}
	f.text, f.values = t, values
	if s.name.Kind == yaml.AliasNode {
		f.text = d.aliasText(s.name)
	}
	p.Use(f)
}

// exprs is what a scalar stands for, nil where it is absent or empty.
func (d *document) exprs(n *node, scan scanner, look lookup) []expr {
	t, links := d.content(n)
	if t == nil || len(t.Trim().Data) == 0 {
		return nil
	}
	values := expand(t.Trim(), scan, look)
	for _, l := range links {
		for i := range values {
			values[i] = through(l, values[i])
		}
	}
	return values
}

// trimSlash is the texts without slashes at their ends.
func trimSlash(values []expr) []expr {
	for _, e := range values {
		if n := len(e); n > 0 && e[n-1].missing == "" {
			e[n-1].text = strings.TrimRight(e[n-1].text, "/")
		}
	}
	return values
}

// digestSite is where the digest of a split image goes that has none; nil where
// that is the end of the text.
func (d *document) digestSite(s splitImage, values []expr, tagged bool) *image.Site {
	for _, e := range values {
		for _, p := range e {
			for _, l := range p.chain {
				if !l.class.inline {
					return &image.Site{File: d.text.File, Tail: p.span, Safety: image.Refused,
						Reason: "its parts come from variables; write the digest by hand"}
				}
			}
		}
	}
	if s.place != nil {
		return s.place()
	}
	if s.digest != nil {
		if site := d.emptyValue(s.owner, s.digest); site != nil {
			return site
		}
	} else if s.digestKey != "" {
		last := s.tag
		if last == nil {
			last = s.name
		}
		if site := d.newKey(s.owner, last, s.parent, s.digestKey); site != nil {
			return site
		}
	} else if !tagged {
		return nil // one key holds it all
	} else {
		t, _ := d.content(s.tag)
		if t = t.Trim(); strings.Contains(t.String(), "@") {
			return nil
		}
		span, exact := t.Span(0, len(t.Data))
		if exact {
			return &image.Site{File: t.File, Tail: span, Safety: image.Unsafe, Reason: tagReason}
		}
	}
	return &image.Site{File: d.text.File, Tail: d.span(), Safety: image.Refused,
		Reason: "the place for its digest can't be told here; write it by hand"}
}

// emptyValue is the site of a key that is there and has no text yet.
func (d *document) emptyValue(owner, value *node) *image.Site {
	if value.Kind != yaml.ScalarNode || value.Anchor != "" {
		return nil
	}
	site := &image.Site{File: d.text.File, Key: true}
	if t := d.scalar(value); t != nil && !null(value) {
		span, _ := t.Span(0, 0)
		site.Tail = span
		return site
	}
	if !null(value) {
		return nil
	}
	for key, v := range pairs(owner) {
		if v != value {
			continue
		}
		at := d.offset(key) + len(key.Value)
		if key.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			at += 2
		}
		if at >= len(d.text.Data) || d.text.Data[at] != ':' || d.json(key) {
			return nil
		}
		rest := d.text.Data[at+1:]
		word := len(rest) - len(bytes.TrimLeft(rest, " "))
		if n := len(value.Value); n > 0 { // "null", "~"
			if !bytes.HasPrefix(rest[word:], []byte(value.Value)) {
				return nil
			}
			span, exact := d.text.Span(at+1+word, at+1+word+n)
			site.Tail = span
			if !exact {
				return nil
			}
			return site
		}
		site.Tail, _ = d.text.Span(at+1, at+1)
		site.Before = " "
		return site
	}
	return nil
}

// newKey is the site for a key that is written behind the scalar last of the
// mapping owner, within a new mapping if parent names one.
func (d *document) newKey(owner, last *node, parent, name string) *image.Site {
	owner = follow(owner)
	if owner == nil {
		return nil
	}
	var key *node
	for k, v := range pairs(owner) {
		if v == last {
			key = k
		}
	}
	end, ok := d.scalarEnd(last)
	if key == nil || !ok {
		return nil
	}
	f := d.text.File
	site := &image.Site{File: f, Key: true}
	if owner.Style&yaml.FlowStyle != 0 {
		site.Before, site.After = ", "+name+": ", ""
		if d.json(key) {
			site.Before, site.After = `, "`+name+`": "`, `"`
		}
		if parent != "" {
			return nil
		}
		site.Tail = source.Span{Start: end, End: end}
		return site
	}
	start, exact := d.text.Span(d.offset(key), d.offset(key)+len(key.Value))
	if !exact {
		return nil
	}
	lineStart := bytes.LastIndexByte(f.Data[:start.Start], '\n') + 1
	indent := bytes.TrimPrefix(f.Data[lineStart:start.Start], []byte("\xef\xbb\xbf"))
	for i := range indent {
		if indent[i] != ' ' && indent[i] != '-' {
			return nil // "? ", a tag, an anchor: rare before a key
		}
	}
	newline := "\n"
	lineEnd := len(f.Data)
	if i := bytes.IndexByte(f.Data[end:], '\n'); i >= 0 {
		lineEnd = end + i
	}
	if lineEnd > end && f.Data[lineEnd-1] == '\r' {
		lineEnd--
		newline = "\r\n"
	}
	if rest := bytes.TrimSpace(f.Data[end:lineEnd]); len(rest) > 0 && rest[0] != '#' {
		return nil
	}
	margin := newline + strings.Repeat(" ", len(indent))
	site.Before = margin + name + ": "
	if parent != "" {
		site.Before = margin + parent + ":" + margin + "  " + name + ": "
	}
	site.Tail = source.Span{Start: lineEnd, End: lineEnd}
	return site
}

// json reports whether a key is written as JSON writes them.
func (d *document) json(key *node) bool { return key.Style&yaml.DoubleQuotedStyle != 0 }

// scalarEnd is the file's byte behind a scalar with its quotes.
func (d *document) scalarEnd(n *node) (int, bool) {
	if n.Kind == yaml.AliasNode {
		return d.alias(n).End, true
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return 0, false
	}
	t := d.scalar(n)
	if t == nil || len(t.Data) == 0 {
		return 0, false
	}
	span, exact := t.Span(0, len(t.Data))
	if !exact {
		return 0, false
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		if span.End >= len(t.File.Data) || t.File.Data[span.End] != '"' && t.File.Data[span.End] != '\'' {
			return 0, false
		}
		span.End++
	}
	return span.End, true
}

// joiner is a piece that no byte of the file stands for: what joins the keys
// of a split reference.
func joiner(t *source.Text, s string) piece {
	span, _ := t.Span(len(t.Data), len(t.Data))
	return piece{text: s, file: t.File, span: span}
}

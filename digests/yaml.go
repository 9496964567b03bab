package digests

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
)

// yaml reads our form.
func (p *parser) yaml(data []byte) error {
	if err := p.oneDocument(); err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return p.syntax(err, data)
	}
	if len(doc.Content) == 0 {
		p.list.header = p.comments(nil, len(p.lines)+1)
		return nil
	}
	root := doc.Content[0]
	// Before all else: another version may have other keys.
	if err := p.version(root); err != nil {
		return err
	}
	fields, err := p.mapping(root, "the file", "version", "images")
	if err != nil {
		return err
	}
	entries, err := p.images(fields["images"].value)
	if err != nil {
		return err
	}
	p.list.header = p.comments(entries, fields["images"].key.Line)
	for _, e := range entries {
		if err := p.add(e); err != nil {
			return err
		}
	}
	return nil
}

// oneDocument refuses what the library would skip without a word: a second
// document, and directives.
func (p *parser) oneDocument() error {
	started := false
	for i, line := range p.lines {
		switch {
		case strings.HasPrefix(line, "%"):
			return p.errorf(i+1, 1, "directives have no place in a digests file")
		case strings.HasPrefix(line, "---") && started, strings.HasPrefix(line, "..."):
			return p.errorf(i+1, 1, "a digests file is one document")
		}
		text := strings.TrimSpace(line)
		started = started || text != "" && !strings.HasPrefix(text, "#")
	}
	return nil
}

// maxBisected bounds, in bytes, the files that are parsed again to find the line
// of an error.
const maxBisected = 1 << 20

// syntax is an error of the YAML library with its line as a field.
func (p *parser) syntax(err error, data []byte) error {
	line, message := yamlError(err)
	if strings.HasPrefix(message, "did not find") && len(data) <= maxBisected {
		// The library reports these at the start of the collection, here of
		// all images. The shortest beginning that fails alike ends with the
		// bad line.
		ends := lineEnds(data)
		line = 1 + sort.Search(len(ends), func(i int) bool {
			err := yaml.Unmarshal(data[:ends[i]], new(yaml.Node))
			if err == nil {
				return false
			}
			_, m := yamlError(err)
			return m == message
		})
	}
	return p.errorf(min(line, len(p.lines)), 1, "%s", message)
}

// yamlError takes the line out of an error of the library ("yaml: line 3: …").
func yamlError(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if number, text, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return line, text
			}
		}
	}
	return 1, message
}

// lineEnds is the offsets behind the lines of data.
func lineEnds(data []byte) []int {
	var ends []int
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	return append(ends, len(data))
}

func (p *parser) nodeErrorf(n *yaml.Node, format string, args ...any) error {
	return p.errorf(n.Line, n.Column, format, args...)
}

// field is a key of a mapping with its value.
type field struct{ key, value *yaml.Node }

// mapping is the fields of n, all of which have to be there; "platforms" need
// not.
func (p *parser) mapping(n *yaml.Node, what string, names ...string) (map[string]field, error) {
	if n.Kind != yaml.MappingNode {
		return nil, p.nodeErrorf(n, "%s has to be a mapping", what)
	}
	if err := p.bare(n); err != nil {
		return nil, err
	}
	fields := map[string]field{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if err := p.bare(key); err != nil {
			return nil, err
		}
		if key.Kind != yaml.ScalarNode || !slices.Contains(names, key.Value) {
			return nil, p.nodeErrorf(key, "%q is no key of %s; the keys are %s", key.Value, what, strings.Join(names, ", "))
		}
		if _, ok := fields[key.Value]; ok {
			return nil, p.nodeErrorf(key, "%q stands twice in %s", key.Value, what)
		}
		if err := p.bare(value); err != nil {
			return nil, err
		}
		fields[key.Value] = field{key, value}
	}
	for _, name := range names {
		if _, ok := fields[name]; !ok && name != "platforms" {
			return nil, p.nodeErrorf(n, "%s lacks %q", what, name)
		}
	}
	return fields, nil
}

// bare refuses anchors, aliases and tags, which nobody needs here, so that a
// "#" outside of comments can stand in a value only.
func (p *parser) bare(n *yaml.Node) error {
	if n.Anchor != "" || n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0 {
		return p.nodeErrorf(n, "anchors, aliases and tags have no place in a digests file")
	}
	return nil
}

// version checks the value of the key "version" if root has one.
func (p *parser) version(root *yaml.Node) error {
	for i := 0; i+1 < len(root.Content) && root.Kind == yaml.MappingNode; i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Value == "version" && (value.Kind != yaml.ScalarNode || value.Tag != "!!int" || value.Value != "1") {
			return p.nodeErrorf(value, "version has to be 1, the only one there is")
		}
	}
	return nil
}

// images are the entries in the order of the file.
func (p *parser) images(n *yaml.Node) ([]*Entry, error) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, p.nodeErrorf(n, "images has to be a list")
	}
	entries := make([]*Entry, 0, len(n.Content))
	for _, item := range n.Content {
		e, err := p.entry(item)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (p *parser) entry(n *yaml.Node) (*Entry, error) {
	fields, err := p.mapping(n, "an image", "image", "digest", "platforms", "resolved", "first-seen")
	if err != nil {
		return nil, err
	}
	e := &Entry{line: n.Line, column: n.Column}
	if e.Image, err = p.reference(fields["image"].value); err != nil {
		return nil, err
	}
	digest := fields["digest"].value
	if e.Digest, err = p.text(digest, "digest"); err != nil {
		return nil, err
	}
	if err := p.checkDigest(e, digest.Line, digest.Column); err != nil {
		return nil, err
	}
	if platforms := fields["platforms"].value; platforms != nil {
		if e.Platforms, err = p.platforms(platforms); err != nil {
			return nil, err
		}
	}
	if e.Resolved, err = p.time(fields["resolved"].value); err != nil {
		return nil, err
	}
	e.FirstSeen, err = p.time(fields["first-seen"].value)
	return e, err
}

// text is the value of a scalar that YAML, too, takes for a text.
func (p *parser) text(n *yaml.Node, what string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		return "", p.nodeErrorf(n, "%s has to be a text", what)
	}
	return n.Value, nil
}

func (p *parser) reference(n *yaml.Node) (image.Reference, error) {
	s, err := p.text(n, "image")
	if err != nil {
		return image.Reference{}, err
	}
	ref, err := image.Parse(s)
	if err == nil && ref.Tag != "" && ref.Digest != "" {
		return ref, p.nodeErrorf(n, "%s has a digest, which belongs under its own key", s)
	}
	if err == nil {
		ref, err = canonical(ref)
	}
	if err != nil {
		return ref, p.nodeErrorf(n, "%q is not a reference: %v", s, err)
	}
	return ref, nil
}

func (p *parser) platforms(n *yaml.Node) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, p.nodeErrorf(n, "platforms has to be a list")
	}
	var all []string
	for _, item := range n.Content {
		if err := p.bare(item); err != nil {
			return nil, err
		}
		s, err := p.text(item, "a platform")
		if err != nil {
			return nil, err
		}
		if !validPlatform(s) {
			return nil, p.nodeErrorf(item, "%q is not a platform (os/architecture or os/architecture/variant)", s)
		}
		all = append(all, s)
	}
	return all, nil
}

// time reads a time of https://www.rfc-editor.org/rfc/rfc3339.
func (p *parser) time(n *yaml.Node) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, n.Value)
	t = t.UTC().Truncate(time.Second)
	if n.Kind != yaml.ScalarNode || err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, p.nodeErrorf(n, "%q is not a time such as 2026-11-23T22:10:00Z", n.Value)
	}
	return t, nil
}

// comments gives the comments of the file to their owners, so that none is lost
// when it is written: those on lines of their own to the entry that follows,
// those behind an entry to this one, what comes behind all entries to the end of
// the file, and what stands before the line of the key "images" to the header,
// which is returned. Entries are in the order of the file.
func (p *parser) comments(entries []*Entry, images int) (header []string) {
	next := 0 // the first entry that starts behind the line
	for i, line := range p.lines {
		// Every value has been checked by now, and none can hold a "#".
		at := strings.IndexByte(line, '#')
		for next < len(entries) && entries[next].line <= i+1 {
			next++
		}
		if at < 0 {
			continue
		}
		comment := strings.TrimRight(line[at:], " \t")
		own := strings.TrimSpace(line[:at]) == ""
		switch {
		case i+1 < images && strings.HasPrefix(comment, title):
		case i+1 < images, i+1 == images && next == 0:
			header = append(header, comment)
		case !own && next > 0:
			entries[next-1].comments = append(entries[next-1].comments, comment)
		case next < len(entries):
			entries[next].comments = append(entries[next].comments, comment)
		default:
			p.list.tail = append(p.list.tail, comment)
		}
	}
	return header
}

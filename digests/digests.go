// Package digests reads and writes the files that keep which digest the tag of
// an image led to: for pinning without a network, for one digest everywhere,
// and as a list of what has been approved.
//
// There are two forms. One is ours, in YAML, sorted and with a line for each
// image, so that a review shows what moved and "merge=union" in .gitattributes
// merges two branches (https://git-scm.com/docs/gitattributes, "union"):
//
//	version: 1
//	images:
//	- {image: docker.io/library/nginx:1.25, digest: sha256:…, platforms: [linux/amd64], resolved: 2026-11-23T22:10:00Z, first-seen: 2026-10-01T08:00:00Z}
//
// The other is plain lines, REFERENCE DIGEST, which any other tool can write:
//
//	nginx:1.25 sha256:…
//
// Both are read strictly: what is no such file is an error with its place, not
// a list that lacks something. What a union merge leaves behind is read: lines
// out of order, and the same image twice, of which the newer one counts.
package digests

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
)

// Entry is one image and the digest that its tag led to.
type Entry struct {
	// Image has its canonical name and either a tag or, where it is named by
	// its digest alone, that digest.
	Image image.Reference
	// Digest is valid in the sense of [image.ValidDigest].
	Digest string
	// Platforms are those of an index, such as "linux/arm64/v8"; none where
	// they are not known.
	Platforms []string
	// Resolved is when the tag was first found to lead to Digest, FirstSeen
	// when the image first stood in the file: UTC, in whole seconds, both zero
	// in plain lines.
	Resolved, FirstSeen time.Time

	comments     []string // whole lines, "#" included
	line, column int      // of the entry in its file, zero where it is new
}

// List is the content of a file. The zero value is an empty one.
type List struct {
	// Plain is set where the file has plain lines.
	Plain bool

	entries map[string]*Entry // by the text of Entry.Image
	// header and tail are the comments before and behind the entries.
	header, tail []string
	crlf         bool
}

// Error is a mistake in a file.
type Error struct {
	Path         string
	Line, Column int // from one; the column counts characters
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// Parse reads data of either form, which name is the name of for errors. A
// file without content is an empty list. Every error is an [*Error].
func Parse(name string, data []byte) (*List, error) {
	p := &parser{name: name, list: &List{entries: map[string]*Entry{}}}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := p.split(data); err != nil {
		return nil, err
	}
	p.list.Plain = isPlain(p.firstWord())
	var err error
	if p.list.Plain {
		err = p.plain()
	} else {
		err = p.yaml(data)
	}
	if err != nil {
		return nil, err
	}
	return p.list, nil
}

// isPlain reports whether a file that starts with the word has plain lines. No
// reference ends with a colon, as a key does, or starts like the other things
// that a YAML file may start with.
func isPlain(word string) bool {
	return word != "" && !strings.HasSuffix(word, ":") && !strings.ContainsAny(word[:1], "-{%")
}

// parser reads one file.
type parser struct {
	name  string
	lines []string // without their ends
	list  *List
}

func (p *parser) errorf(line, column int, format string, args ...any) error {
	return &Error{Path: p.name, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

// add puts e into the list. Of entries for the same image the one that was
// resolved last counts, as a union merge leaves both where two branches have
// moved a tag.
func (p *parser) add(e *Entry) error {
	key := e.Image.String()
	old := p.list.entries[key]
	if old == nil {
		p.list.entries[key] = e
		return nil
	}
	order := old.Resolved.Compare(e.Resolved)
	if order == 0 && old.Digest != e.Digest {
		return p.errorf(e.line, e.column, "%s has the digest %s here, but %s in line %d; delete one of the lines", key, e.Digest, old.Digest, old.line)
	}
	kept := *old
	if order < 0 {
		kept = *e
	}
	if e.FirstSeen.Before(kept.FirstSeen) {
		kept.FirstSeen = e.FirstSeen
	}
	if old.FirstSeen.Before(kept.FirstSeen) {
		kept.FirstSeen = old.FirstSeen
	}
	kept.comments = slices.Clone(old.comments)
	for _, c := range e.comments {
		if !slices.Contains(kept.comments, c) {
			kept.comments = append(kept.comments, c)
		}
	}
	p.list.entries[key] = &kept
	return nil
}

// canonical is ref as the name of an entry: a tag goes before a digest, which
// is then only what somebody took it for.
func canonical(ref image.Reference) (image.Reference, error) {
	if ref.Tag != "" {
		ref.Digest = ""
	}
	// The canonical name can be too long where the written one is not.
	return image.Parse(ref.Canonical())
}

// Entries are the entries by the text of their image. The caller must not
// change what they hold.
func (l *List) Entries() []*Entry {
	return slices.SortedFunc(maps.Values(l.entries), func(a, b *Entry) int {
		return cmp.Compare(a.Image.String(), b.Image.String())
	})
}

// Lookup is the digest of ref: of its tag, "latest" where it has none, or of
// its digest where it has that alone.
func (l *List) Lookup(ref image.Reference) (digest string, ok bool) {
	c, err := canonical(ref)
	if err != nil {
		return "", false
	}
	e := l.entries[c.String()]
	if e == nil {
		return "", false
	}
	return e.Digest, true
}

// Digests is the set of all digests.
func (l *List) Digests() map[string]bool {
	all := make(map[string]bool, len(l.entries))
	for _, e := range l.entries {
		all[e.Digest] = true
	}
	return all
}

// Put says that ref leads to digest now. An entry that says so already stays
// as it is, to the byte. It returns the digest of the entry before, empty where
// there was none. Texts that are no platform are left out, whoever made them
// up; platforms are sorted.
func (l *List) Put(ref image.Reference, digest string, platforms []string, now time.Time) (old string, err error) {
	c, err := canonical(ref)
	if err != nil {
		return "", fmt.Errorf("list %s: %w", ref, err)
	}
	ref = c
	if !image.ValidDigest(digest) || ref.Digest != "" && ref.Digest != digest {
		return "", fmt.Errorf("list %s: %q is not its digest", ref, digest)
	}
	if l.entries == nil {
		l.entries = map[string]*Entry{}
	}
	now = now.UTC().Truncate(time.Second)
	e := l.entries[ref.String()]
	if e == nil {
		e = &Entry{Image: ref, FirstSeen: now}
		l.entries[ref.String()] = e
	}
	old = e.Digest
	if old == digest {
		return old, nil
	}
	platforms = slices.DeleteFunc(slices.Clone(platforms), func(s string) bool { return !validPlatform(s) })
	slices.Sort(platforms)
	e.Digest, e.Platforms, e.Resolved = digest, slices.Compact(platforms), now
	return old, nil
}

// validPlatform reports whether s is os/architecture or os/architecture/variant
// (https://github.com/opencontainers/image-spec/blob/main/image-index.md). What
// a registry calls a platform may be any text.
func validPlatform(s string) bool {
	parts := strings.Split(s, "/")
	return (len(parts) == 2 || len(parts) == 3) && !slices.ContainsFunc(parts, func(part string) bool {
		return part == "" || strings.ContainsFunc(part, func(r rune) bool {
			word := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
			return !word && r != '.' && r != '_' && r != '-'
		})
	})
}

// ErrPlain is why plain lines are not written.
var ErrPlain = errors.New("the file has plain lines, which hold neither platforms nor times")

// title starts the first line of what Marshal writes.
const title = "# digestlint digests:"

// Marshal is the list in our form: sorted, one line an image, each below its
// comments. Comments of the file keep their texts; blank lines are dropped. A
// list of plain lines is [ErrPlain].
func (l *List) Marshal() ([]byte, error) {
	if l.Plain {
		return nil, ErrPlain
	}
	lines := []string{title + ` the digest that each tag led to, one line an image, written by "digestlint resolve"; "merge=union" in .gitattributes merges it`}
	lines = append(lines, l.header...)
	lines = append(lines, "version: 1", "images:")
	for _, e := range l.Entries() {
		lines = append(lines, e.comments...)
		lines = append(lines, e.String())
	}
	lines = append(lines, l.tail...)
	end := "\n"
	if l.crlf {
		end = "\r\n"
	}
	return []byte(strings.Join(lines, end) + end), nil
}

// String is the line of the entry, a flow mapping of YAML. No part of it needs
// quotes but the brackets of an IPv6 address.
func (e *Entry) String() string {
	ref := e.Image.String()
	if strings.HasPrefix(ref, "[") {
		ref = `"` + ref + `"`
	}
	var platforms string
	if len(e.Platforms) > 0 {
		platforms = ", platforms: [" + strings.Join(e.Platforms, ", ") + "]"
	}
	return fmt.Sprintf("- {image: %s, digest: %s%s, resolved: %s, first-seen: %s}",
		ref, e.Digest, platforms, e.Resolved.Format(time.RFC3339), e.FirstSeen.Format(time.RFC3339))
}

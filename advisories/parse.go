package advisories

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/digestlint/digestlint/image"
)

// types are the types of incident.
var types = []string{
	"compromised-publisher", "compromised-pipeline", "compromised-registry", "backdoored-content",
	"malicious-registry-host", "malicious-repository", "malicious-account", "attack-tool-repository",
	"exposure-only",
}

// SyntaxError is a place in an advisory file that is wrong, and why.
type SyntaxError struct {
	Name         string // of the file
	Line, Column int    // from one, the column in bytes
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Message)
}

// Parse reads one advisory file. An error is a [*SyntaxError] at the first
// thing that is wrong; name is the file's name in it.
//
// A file is UTF-8 text of stanzas with a blank line between them. A line is
// "key: value", or a comment if it starts with "#". The first key of a stanza
// says what it describes:
//
//	advisory: ID        the incident; first in the file, once
//	  title, type, severity; aliases, published, modified, certainty,
//	  references, see, indicator*, note*
//	repository: NAME    a repository, or all below a host or account ("ghrc.io/*")
//	  state, certainty, sources, seen, intended, window*, note*
//	tags: TAG…          tags with one fate
//	versions: A..B      the same for a range of dotted numbers, ends included
//	  state; in, certainty, sources, window*, note*
//	digest: DIGEST      content that is malicious wherever it is found
//	  kind; platform, repository, tags, state, certainty, sources, window*, note*
//	good: WHAT          what to pin instead
//	  tags, digest, kind, platform, in, certainty, sources, note*
//	not-affected: REF   a reference that only looks affected
//	  why
//	source: ID          a source that the other stanzas cite
//	  class; url, note*
//
// Keys before the semicolon are required, those with a star may be repeated.
// Lists are separated by one space; names of repositories are canonical
// ("docker.io/library/debian").
//
//   - type: compromised-publisher, compromised-pipeline, compromised-registry,
//     backdoored-content, malicious-registry-host, malicious-repository,
//     malicious-account, attack-tool-repository, exposure-only.
//   - severity: unrated, low, medium, high or critical, then "; words" if need be.
//   - published, modified: a day; modified may be a UTC time.
//   - certainty: disputed, inferred, reported or confirmed, then "; words". A
//     stanza without one has that of the advisory, a window that of its stanza.
//   - state of tags: created-by-attacker, withdrawn, permanent, overwritten or
//     exposed. A repository has a state (malicious, withdrawn, exposed) only
//     where the name alone is the verdict. A digest has one where its tags, in
//     its repository, are listed by it, without a tags stanza of their own.
//   - in: the repositories meant; without it all in the file that have no state,
//     or for good all in the file.
//   - kind: index, manifest, config, signature or unknown.
//   - window: START .. END, each a UTC time (2026-04-22T12:35:00Z), a day, a
//     month or "unknown". Indented lines below it (certainty, sources, in,
//     note*) are about the window. Without sources it has those of its stanza.
func Parse(name string, data []byte) (*Advisory, error) {
	stanzas, err := split(data)
	if err == nil {
		p := parser{a: &Advisory{}}
		if err = p.advisory(stanzas); err == nil {
			return p.a, nil
		}
	}
	err.Name = name
	return nil, err
}

// field is one line, and the indented lines below it.
type field struct {
	key, value   string
	line, column int // of the value
	sub          []field
}

func (f field) errorf(format string, args ...any) *SyntaxError {
	return &SyntaxError{Line: f.line, Column: f.column, Message: fmt.Sprintf(format, args...)}
}

// badKey is an error at the key of f.
func (f field) badKey(format string, args ...any) *SyntaxError {
	e := f.errorf(format, args...)
	e.Column -= len(f.key) + len(": ")
	return e
}

// words are the space-separated words of f, each with its own column.
func (f field) words() ([]field, *SyntaxError) {
	words := make([]field, 0, strings.Count(f.value, " ")+1)
	at := 0
	for word := range strings.SplitSeq(f.value, " ") {
		w := field{key: f.key, value: word, line: f.line, column: f.column + at}
		if word == "" {
			return nil, w.errorf("more than one space")
		}
		if valued(words, word) {
			return nil, w.errorf("%q twice", word)
		}
		words = append(words, w)
		at += len(word) + 1
	}
	return words, nil
}

// split takes a file apart into its stanzas.
func split(data []byte) ([][]field, *SyntaxError) {
	text := string(data)
	fields := make([]field, 0, strings.Count(text, "\n")+1)
	var stanzas [][]field
	start, number := 0, 0 // of the stanza in fields, of the line
	end := func() {
		if start < len(fields) {
			stanzas = append(stanzas, fields[start:len(fields):len(fields)])
			start = len(fields)
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSuffix(line, "\r")
		if i := unprintable(line); i >= 0 {
			return nil, &SyntaxError{Line: number, Column: i + 1, Message: fmt.Sprintf("an unprintable character (%q)", firstRune(line[i:]))}
		}
		if line == "" {
			end()
			continue
		}
		if line[0] == '#' {
			continue
		}
		f, indented, err := parseLine(line, number)
		if err != nil {
			return nil, err
		}
		switch last := len(fields) - 1; {
		case !indented:
			fields = append(fields, f)
		case last < start || fields[last].key != "window":
			return nil, f.badKey("only lines below a window are indented")
		default:
			fields[last].sub = append(fields[last].sub, f)
		}
	}
	end()
	if len(stanzas) == 0 {
		return nil, &SyntaxError{Line: 1, Column: 1, Message: "no advisory"}
	}
	return stanzas, nil
}

// unprintable is the offset of the first character that must not reach a
// terminal, or -1.
func unprintable(line string) int {
	for i, r := range line {
		if r >= ' ' && r < 0x7f {
			continue
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return i
		}
	}
	return -1
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func parseLine(line string, number int) (f field, indented bool, err *SyntaxError) {
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	key, value, ok := strings.Cut(text, ": ")
	f = field{key: key, value: value, line: number, column: indent + len(key) + len(": ") + 1}
	switch {
	case !ok || key == "" || strings.Contains(key, " "):
		return f, false, &SyntaxError{Line: number, Column: indent + 1, Message: `not "key: value"`}
	case indent != 0 && indent != 2:
		return f, false, &SyntaxError{Line: number, Column: 1, Message: "an indentation other than two spaces"}
	case strings.TrimSpace(value) != value || value == "":
		return f, false, f.errorf("space around the value of %q, or none there", key)
	}
	return f, indent > 0, nil
}

// parser fills an advisory.
type parser struct {
	a *Advisory
	// What can be checked only at the end, each with its place.
	sets    []field // the head of each tag set
	digests []field // listed
	clean   []field // digests that must not be listed
	defined []field // sources
	cited   []field // sources
}

func (p *parser) advisory(stanzas [][]field) *SyntaxError {
	// Some incidents have a hundred digests: growing step by step would copy
	// more than the file holds, at each start of the program.
	n := 0
	for _, s := range stanzas {
		if s[0].key == "digest" {
			n++
		}
	}
	p.a.Digests = slices.Grow(p.a.Digests, n)
	p.digests = slices.Grow(p.digests, n)
	p.cited = slices.Grow(p.cited, len(stanzas))
	for i, s := range stanzas {
		head := s[0]
		if (i == 0) != (head.key == "advisory") {
			return head.badKey("a file has one advisory, in its first stanza")
		}
		var err *SyntaxError
		switch head.key {
		case "advisory":
			err = p.header(s)
		case "repository":
			err = p.repository(s)
		case "tags", "versions":
			err = p.tags(s)
		case "digest":
			err = p.digest(s)
		case "good":
			err = p.good(s)
		case "not-affected":
			err = p.notAffected(s)
		case "source":
			err = p.source(s)
		default:
			err = head.badKey("no stanza starts with %q", head.key)
		}
		if err != nil {
			return err
		}
	}
	return p.finish(stanzas[0][0])
}

// errUnknownKey is what a stanza's switch answers to a key that is not its own.
var errUnknownKey = &SyntaxError{}

// each gives the fields of a stanza (or of a window) to set. Keys may not be
// repeated, except notes, indicators and windows.
func each(fields []field, set func(field) *SyntaxError) *SyntaxError {
	for i, f := range fields {
		once := f.key != "note" && f.key != "indicator" && f.key != "window"
		if once && named(fields[:i], f.key) {
			return f.badKey("%q twice in one stanza", f.key)
		}
		switch err := set(f); {
		case err == errUnknownKey:
			return f.badKey("unknown key %q", f.key)
		case err != nil:
			return err
		}
	}
	return nil
}

// require is an error at the head unless all keys are among the fields.
func require(s []field, keys ...string) *SyntaxError {
	for _, key := range keys {
		if !named(s, key) {
			return s[0].badKey("no %q in this stanza", key)
		}
	}
	return nil
}

func (p *parser) header(s []field) *SyntaxError {
	a := p.a
	err := each(s, func(f field) *SyntaxError {
		switch f.key {
		case "advisory":
			return identifier(f, &a.ID)
		case "title":
			return text(f, &a.Title)
		case "type":
			if !slices.Contains(types, f.value) {
				return f.errorf("unknown type %q", f.value)
			}
			return text(f, &a.Type)
		case "severity":
			return enumWords(f, severityNames, &a.Severity, &a.SeverityNote)
		case "aliases":
			return list(f, &a.Aliases, identifier)
		case "published":
			return day(f, &a.Published)
		case "modified":
			return dated(f, &a.Modified)
		case "certainty":
			return certainty(f, &a.Certainty)
		case "references":
			return p.sources(f, &a.References)
		case "see":
			return list(f, &a.See, identifier)
		case "indicator":
			a.Indicators = append(a.Indicators, f.value)
		case "note":
			a.Notes = append(a.Notes, f.value)
		default:
			return errUnknownKey
		}
		return nil
	})
	if err != nil {
		return err
	}
	return require(s, "title", "type", "severity")
}

// common are the keys that most stanzas share.
type common struct {
	certainty *Certainty
	sources   *[]string
	windows   *[]Window // nil where the stanza has none
	notes     *[]string
}

// shared sets a key of common.
func (p *parser) shared(f field, c common) *SyntaxError {
	switch {
	case f.key == "certainty":
		return certainty(f, c.certainty)
	case f.key == "sources":
		return p.sources(f, c.sources)
	case f.key == "window" && c.windows != nil:
		return p.window(f, c.windows)
	case f.key == "note":
		*c.notes = append(*c.notes, f.value)
		return nil
	}
	return errUnknownKey
}

// inherit gives a stanza the advisory's certainty where it has none, and its
// windows the certainty and the sources of the stanza.
func (p *parser) inherit(s []field, c common) *SyntaxError {
	if *c.certainty == (Certainty{}) {
		if p.a.Certainty == (Certainty{}) {
			return s[0].badKey("no certainty, neither here nor in the advisory")
		}
		*c.certainty = p.a.Certainty
	}
	if c.windows == nil {
		return nil
	}
	for i := range *c.windows {
		w := &(*c.windows)[i]
		if w.Certainty == (Certainty{}) {
			w.Certainty = *c.certainty
		}
		if w.Sources == nil {
			w.Sources = *c.sources
		}
	}
	return nil
}

func (p *parser) repository(s []field) *SyntaxError {
	var r Repository
	c := common{&r.Certainty, &r.Sources, &r.Windows, &r.Notes}
	err := each(s, func(f field) *SyntaxError {
		switch f.key {
		case "repository":
			if slices.ContainsFunc(p.a.Repositories, func(o Repository) bool { return o.Name == f.value }) {
				return f.errorf("%s twice", f.value)
			}
			return pattern(f, &r.Name)
		case "state":
			if err := enum(f, stateNames, &r.State); err != nil {
				return err
			}
			if r.State != Malicious && r.State != Withdrawn && r.State != Exposed {
				return f.errorf("%q is not a state of repositories", f.value)
			}
		case "seen":
			return list(f, &r.Seen, tag)
		case "intended":
			return text(f, &r.Intended)
		default:
			return p.shared(f, c)
		}
		return nil
	})
	if err == nil {
		err = p.inherit(s, c)
	}
	p.a.Repositories = append(p.a.Repositories, r)
	return err
}

func (p *parser) tags(s []field) *SyntaxError {
	var t TagSet
	c := common{&t.Certainty, &t.Sources, &t.Windows, &t.Notes}
	err := each(s, func(f field) *SyntaxError {
		switch {
		case f.key == s[0].key && f.key == "versions":
			return versions(f, &t.Versions)
		case f.key == s[0].key:
			return list(f, &t.Names, tag)
		case f.key == "state":
			return tagState(f, &t.State)
		case f.key == "in":
			return list(f, &t.In, repository)
		}
		return p.shared(f, c)
	})
	if err == nil {
		err = require(s, "state")
	}
	if err == nil {
		err = p.inherit(s, c)
	}
	p.a.Tags = append(p.a.Tags, t)
	p.sets = append(p.sets, s[0])
	return err
}

func (p *parser) digest(s []field) *SyntaxError {
	var d Digest
	var state State
	c := common{&d.Certainty, &d.Sources, &d.Windows, &d.Notes}
	err := each(s, func(f field) *SyntaxError {
		switch f.key {
		case "digest":
			return digest(f, &d.Digest)
		case "kind":
			return enum(f, kindNames, &d.Kind)
		case "platform":
			return platform(f, &d.Platform)
		case "repository":
			return repository(f, &d.Repository)
		case "tags":
			return list(f, &d.Tags, tag)
		case "state":
			if err := require(s, "repository", "tags"); err != nil {
				return err
			}
			return tagState(f, &state)
		}
		return p.shared(f, c)
	})
	if err == nil {
		err = require(s, "kind")
	}
	if err == nil {
		err = p.inherit(s, c)
	}
	p.a.Digests = append(p.a.Digests, d)
	p.digests = append(p.digests, s[0])
	if state != NoState {
		p.a.Tags = append(p.a.Tags, TagSet{
			Names: d.Tags, In: []string{d.Repository}, State: state,
			Certainty: d.Certainty, Sources: d.Sources, Windows: d.Windows,
		})
		p.sets = append(p.sets, s[0])
	}
	return err
}

func (p *parser) good(s []field) *SyntaxError {
	var g Good
	c := common{&g.Certainty, &g.Sources, nil, &g.Notes}
	err := each(s, func(f field) *SyntaxError {
		switch f.key {
		case "good":
			return text(f, &g.What)
		case "tags":
			return list(f, &g.Tags, tag)
		case "digest":
			p.clean = append(p.clean, f)
			return digest(f, &g.Digest)
		case "kind":
			return enum(f, kindNames, &g.Kind)
		case "platform":
			return platform(f, &g.Platform)
		case "in":
			return list(f, &g.In, pattern)
		}
		return p.shared(f, c)
	})
	if err == nil {
		err = p.inherit(s, c)
	}
	p.a.KnownGood = append(p.a.KnownGood, g)
	return err
}

func (p *parser) notAffected(s []field) *SyntaxError {
	var n NotAffected
	err := each(s, func(f field) *SyntaxError {
		switch f.key {
		case "not-affected":
			ref, err := image.Parse(f.value)
			if err != nil {
				return f.errorf("%v", err)
			}
			if !ref.Pinned() {
				return f.errorf("a reference without a digest")
			}
			p.clean = append(p.clean, field{value: ref.Digest, line: f.line, column: f.column})
			return text(f, &n.Reference)
		case "why":
			return text(f, &n.Why)
		}
		return errUnknownKey
	})
	if err == nil {
		err = require(s, "why")
	}
	p.a.NotAffected = append(p.a.NotAffected, n)
	return err
}

func (p *parser) source(s []field) *SyntaxError {
	var src Source
	err := each(s, func(f field) *SyntaxError {
		switch f.key {
		case "source":
			if _, again := p.a.Source(f.value); again {
				return f.errorf("source %q twice", f.value)
			}
			return identifier(f, &src.ID)
		case "class":
			return text(f, &src.Class)
		case "url":
			if !strings.HasPrefix(f.value, "https://") || strings.Contains(f.value, " ") {
				return f.errorf("not an https URL")
			}
			return text(f, &src.URL)
		case "note":
			src.Notes = append(src.Notes, f.value)
		default:
			return errUnknownKey
		}
		return nil
	})
	if err == nil {
		err = require(s, "class")
	}
	p.a.Sources = append(p.a.Sources, src)
	p.defined = append(p.defined, s[0])
	return err
}

func (p *parser) window(f field, windows *[]Window) *SyntaxError {
	w, err := interval(f)
	if err != nil {
		return err
	}
	c := common{&w.Certainty, &w.Sources, nil, &w.Notes}
	err = each(f.sub, func(f field) *SyntaxError {
		if f.key == "in" {
			return list(f, &w.In, repository)
		}
		return p.shared(f, c)
	})
	*windows = append(*windows, w)
	return err
}

// sources reads a list of sources, to be found at the end.
func (p *parser) sources(f field, to *[]string) *SyntaxError {
	words, err := f.words()
	p.cited = append(p.cited, words...)
	for _, w := range words {
		*to = append(*to, w.value)
	}
	return err
}

// finish checks what the stanzas say of each other, and fills in what they
// leave to the whole file.
func (p *parser) finish(head field) *SyntaxError {
	a := p.a
	if len(a.Repositories) == 0 && len(a.Digests) == 0 {
		return head.badKey("neither a repository nor a digest")
	}
	for _, f := range p.cited {
		if !valued(p.defined, f.value) {
			return f.errorf("no source %q in this file", f.value)
		}
	}
	for _, f := range p.defined {
		if !valued(p.cited, f.value) {
			return f.errorf("source %q is cited nowhere", f.value)
		}
	}
	listed := make(map[string]bool, len(p.digests))
	for _, f := range p.digests {
		if listed[f.value] {
			return f.errorf("%s twice", f.value)
		}
		listed[f.value] = true
	}
	for _, f := range p.clean {
		if listed[f.value] {
			return f.errorf("%s is listed as malicious", f.value)
		}
	}
	return p.fillIn()
}

func named(fields []field, key string) bool {
	return slices.ContainsFunc(fields, func(f field) bool { return f.key == key })
}

func valued(fields []field, value string) bool {
	return slices.ContainsFunc(fields, func(f field) bool { return f.value == value })
}

// fillIn sets the repositories of tags and of good content that name none.
func (p *parser) fillIn() *SyntaxError {
	var all, stateless []string
	for _, r := range p.a.Repositories {
		all = append(all, r.Name)
		if r.State == NoState {
			stateless = append(stateless, r.Name)
		}
	}
	for i := range p.a.Tags {
		if t := &p.a.Tags[i]; t.In == nil {
			if t.In = stateless; t.In == nil {
				return p.sets[i].badKey("tags of no repository")
			}
		}
	}
	for i := range p.a.KnownGood {
		if g := &p.a.KnownGood[i]; g.In == nil {
			g.In = all
		}
	}
	return nil
}

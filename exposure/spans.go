package exposure

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/source"
)

// record follows each file of interest through the history.
func (p *past) record(ctx context.Context) *history {
	var files []int32
	for c, r := range p.readings {
		if r.open || len(r.namings)+len(r.undecided)+len(r.spoken) > 0 {
			files = append(files, c.path)
		}
	}
	slices.SortFunc(files, func(a, b int32) int { return cmp.Compare(p.paths.names[a], p.paths.names[b]) })
	h := &history{head: map[string]reading{}}
	head, checkedOut := p.index[p.repository.head]
	for _, file := range slices.Compact(files) {
		if ctx.Err() != nil {
			return h
		}
		f := p.follow(file)
		for _, s := range f.spans {
			for _, e := range p.stays(f, s) {
				p.rec.Event(e)
			}
		}
		if v := f.at(head); checkedOut && v != nil {
			h.head[p.paths.names[file]] = v.reading
		}
	}
	return h
}

// file is the history of one file.
type file struct {
	path     int32
	versions []*version
	in       []int32 // for each commit one more than the index of its version, zero for none
	spans    []*span // in the order in which they start
}

func (f *file) at(commit int) *version {
	if commit >= len(f.in) || f.in[commit] == 0 {
		return nil
	}
	return f.versions[f.in[commit]-1]
}

// version is what a file says from one commit on.
type version struct {
	commit int
	blob   int32
	reading
	spans map[string]*span // by the keys of the namings
}

// span is a naming from the commit that brought it on, along all lines that
// have that commit.
type span struct {
	start   *version
	naming  naming
	ends    []*version   // on one line each
	reaches []Credential // of all its versions
}

// follow makes the versions of a file and the spans of what it names. A file
// that takes something from others has a new version when they change, too.
func (p *past) follow(path int32) *file {
	past := map[int]reading{} // by commit, of the versions that open files
	opened := map[int32]bool{path: true}
	for {
		f := &file{path: path}
		known := len(opened)
		p.fold(f, p.touching(opened), func(v *version) reading {
			r := p.readings[content{v.blob, path}]
			if !r.open {
				return r.reading
			}
			if _, ok := past[v.commit]; !ok {
				past[v.commit] = p.readAt(v, path, opened)
			}
			return past[v.commit]
		})
		// Files that were opened may open others, which may change as well.
		if len(opened) == known {
			return f
		}
	}
}

// touching are the commits that change one of the files, in order.
func (p *past) touching(files map[int32]bool) []int {
	var commits []int
	for f := range files {
		for _, c := range p.ofPath[f] {
			commits = append(commits, c.commit)
		}
	}
	slices.Sort(commits)
	return slices.Compact(commits)
}

// readAt reads a version of a file together with others of the same commit, and
// adds those to opened.
func (p *past) readAt(v *version, file int32, opened map[int32]bool) reading {
	data, err := p.objects.blob(p.blobs.names[v.blob], maxFile)
	if err != nil {
		return reading{}
	}
	t := &commitTree{past: p, commit: v.commit, opened: opened}
	return p.subjects.read(&source.File{Path: p.paths.names[file], Data: data}, t)
}

// commitTree opens files as they are in a commit.
type commitTree struct {
	*past
	commit int
	opened map[int32]bool
}

func (t *commitTree) Open(name string) (*source.File, error) {
	name = path.Clean(name)
	n, ok := t.paths.index[name]
	if !ok {
		return nil, errMissing // was never there
	}
	t.opened[n] = true
	blob := t.blobAt(n, t.commit)
	// Git of a partial clone ends when it is asked for what is not here.
	if blob == gone || !t.here[blob] {
		return nil, errMissing
	}
	data, err := t.objects.blob(t.blobs.names[blob], maxFile)
	if err != nil {
		return nil, err
	}
	return &source.File{Path: name, Data: data}, nil
}

// blobAt is the content of a file in a commit: what the last change along the
// first parents left.
func (p *past) blobAt(file int32, c int) int32 {
	changes := p.ofPath[file]
	for {
		i, ok := slices.BinarySearchFunc(changes, c, func(ch change, c int) int { return cmp.Compare(ch.commit, c) })
		switch {
		case ok:
			return changes[i].blob
		case i == 0 || len(p.commits[c].parents) == 0:
			return gone // all changes are of younger commits
		}
		c = p.commits[c].parents[0]
	}
}

// fold walks the forest from the roots, making a version at each of the touching
// commits at which the file is there.
func (p *past) fold(f *file, touching []int, read func(*version) reading) {
	f.in = make([]int32, len(p.commits))
	changes := p.ofPath[f.path]
	for c := range p.commits {
		var before *version
		if parents := p.commits[c].parents; len(parents) > 0 {
			f.in[c] = f.in[parents[0]]
			before = f.at(c)
		}
		if len(touching) == 0 || touching[0] != c {
			continue
		}
		touching = touching[1:]
		v := &version{commit: c, blob: gone, spans: map[string]*span{}}
		if before != nil {
			v.blob = before.blob
		}
		if len(changes) > 0 && changes[0].commit == c {
			v.blob = changes[0].blob
			changes = changes[1:]
		}
		if v.blob != gone {
			v.reading = read(v)
		}
		f.add(v, before)
	}
}

// add appends a version, and ends the spans of the one before it that it does
// not go on with.
func (f *file) add(v, before *version) {
	for _, n := range v.namings {
		var s *span
		if before != nil {
			s = before.spans[n.key]
		}
		if s == nil {
			s = &span{start: v, naming: n}
			f.spans = append(f.spans, s)
		}
		s.reaches = mergeCredentials(s.reaches, n.reaches)
		v.spans[n.key] = s
	}
	if before != nil {
		for _, n := range before.namings {
			if v.spans[n.key] == nil {
				s := before.spans[n.key]
				s.ends = append(s.ends, v)
			}
		}
	}
	f.versions = append(f.versions, v)
	f.in[v.commit] = int32(len(f.versions))
}

// stay is how long a naming stayed on a line.
type stay struct {
	tip   int
	until time.Time // zero while it is there
	gone  string
	names []string // of the branches
	line  int
	text  string
}

// stays are the events of a span: what became of it on the line of the first
// branch that has it, and where it stayed longest.
func (p *past) stays(f *file, s *span) []Event {
	var stays []stay
	for _, v := range s.ends {
		c := p.commits[v.commit]
		owner := p.owner[v.commit]
		stays = append(stays, stay{tip: owner, until: c.when, gone: c.id, names: p.tips[owner].names, line: s.naming.line, text: s.naming.text})
	}
	var there stay // on all branches that have it still
	for i, t := range p.tips {
		v := f.at(t.commit)
		if v == nil || v.spans[s.naming.key] != s {
			continue
		}
		n := v.namings[slices.IndexFunc(v.namings, func(n naming) bool { return n.key == s.naming.key })]
		switch {
		case t.merge != 0:
			m := p.commits[t.merge]
			stays = append(stays, stay{tip: i, until: m.when, gone: m.id, names: t.names, line: s.naming.line, text: s.naming.text})
		case t.frozen && p.owner[s.start.commit] != i:
			// A tag keeps for ever what the branch behind it had for a time.
		default:
			if there.names == nil {
				there = stay{tip: i, line: n.line, text: n.text}
			}
			there.names = append(there.names, t.names...)
		}
	}
	if there.names != nil {
		stays = append(stays, there)
	}
	if len(stays) == 0 {
		return nil
	}
	first := slices.MinFunc(stays, func(a, b stay) int { return cmp.Compare(a.tip, b.tip) })
	longest := slices.MaxFunc(stays, func(a, b stay) int {
		if a.until.IsZero() || b.until.IsZero() {
			return b.until.Compare(a.until) // zero is the latest
		}
		return a.until.Compare(b.until)
	})
	events := []Event{p.stayEvent(f, s, first)}
	if !longest.until.Equal(first.until) && (longest.until.IsZero() || longest.until.After(first.until)) {
		events = append(events, p.stayEvent(f, s, longest))
	}
	return events
}

func (p *past) stayEvent(f *file, s *span, t stay) Event {
	n := s.naming
	n.line, n.text, n.reaches = t.line, t.text, s.reaches
	e := p.event(p.paths.names[f.path], n)
	start := p.commits[s.start.commit]
	e.Place.Branch, e.Place.Commit, e.Place.Gone = someNames(t.names), start.id, t.gone
	e.From, e.Until = start.when, t.until
	// Clocks differ: what is known then is the two ends, not their order.
	if !e.Until.IsZero() && e.Until.Before(e.From) {
		e.From, e.Until = e.Until, e.From
	}
	if last := p.commits[p.tips[t.tip].commit].when; e.Until.IsZero() && last.Before(e.From) {
		e.From = last
	}
	if p.layout.shallow[start.id] {
		e.From = time.Time{} // it was there before, nobody knows since when
	}
	return e
}

// someNames are branches for people.
func someNames(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

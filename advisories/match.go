package advisories

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// TagHit is what one advisory says of a reference without a digest.
type TagHit struct {
	Advisory *Advisory
	// Repository is the name or pattern in the advisory that matched.
	Repository string
	Tag        string
	Verdict    Verdict
	State      State
	// Windows are all that the sources say, sorted by start.
	Windows []Window
	// Certainty is the lower of the tag's and of the repository's, and at most
	// inferred where the name was found behind a mirror's prefix.
	Certainty Certainty
	Sources   []string
	// Mirror is set where the reference is to a copy in another registry.
	Mirror bool
	// Intended is the registry that people mean when they write this one.
	Intended string
}

// When is the union of the windows for people, empty where there are none.
func (h TagHit) When() string { return when(h.Windows) }

// Disputed reports whether a source says that this repository was not affected.
func (h TagHit) Disputed() bool { return h.Certainty.Grade == Disputed }

// Match is what the advisories say of ref's repository and tag: at most one hit
// of each advisory, in the order of their IDs.
//
// Only references without a digest are matched, since a digest says what is
// pulled whatever the tag: a good one clears a bad tag, and callers look up a
// bad one with [LookupDigest]. A reference without a tag means "latest".
//
// A repository of Docker Hub is found in other registries too, where the last
// two components of the path are its name: pull-through caches and mirrors are
// named so. Official images ("library/debian") are found there only in
// registries that are known to be mirrors, since any project may have a library.
func (x *Set) Match(ref image.Reference) []TagHit {
	if ref.Digest != "" {
		return nil
	}
	tag := cmp.Or(ref.Tag, "latest")
	var hits []TagHit
	for p := range places(ref) {
		for _, e := range x.names[p.name] {
			if h, ok := e.judge(p, tag); ok {
				hits = merge(hits, h)
			}
		}
	}
	if len(hits) == 0 || x.clean[nameTag(ref)] {
		return nil
	}
	slices.SortFunc(hits, func(a, b TagHit) int { return cmp.Compare(a.Advisory.ID, b.Advisory.ID) })
	for i := range hits {
		hits[i].Windows = sorted(hits[i].Windows)
	}
	return hits
}

// Match is [Set.Match] of the advisories in use.
func Match(ref image.Reference) []TagHit { return load().Match(ref) }

// KnownGood is what to pin instead in ref's repository, in the order of the
// advisories. It never holds a digest that is listed as malicious.
func (x *Set) KnownGood(ref image.Reference) []Good {
	var entries []entry
	for p := range places(ref) {
		for _, e := range x.names[p.name] {
			again := slices.ContainsFunc(entries, func(o entry) bool { return o.good == e.good })
			if e.good != nil && !again {
				entries = append(entries, e)
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.advisory.ID, b.advisory.ID) })
	var goods []Good
	for _, e := range entries {
		if x.lists(e.good.Digest) {
			continue
		}
		goods = append(goods, *e.good)
	}
	return goods
}

// KnownGood is [Set.KnownGood] of the advisories in use.
func KnownGood(ref image.Reference) []Good { return load().KnownGood(ref) }

// judge is what e says of tag at p.
func (e entry) judge(p place, tag string) (TagHit, bool) {
	if e.repository == nil && (e.tags == nil || !e.tags.has(tag)) {
		return TagHit{}, false
	}
	h := TagHit{Advisory: e.advisory, Repository: p.String(), Tag: tag, Mirror: p.mirror}
	if r := e.repository; r != nil {
		h.State, h.Certainty, h.Sources, h.Intended = r.State, r.Certainty, r.Sources, r.Intended
		h.Windows = r.Windows
	} else {
		t := e.tags
		h.State, h.Sources = t.State, t.Sources
		h.Certainty = lower(t.Certainty, e.advisory.certaintyOf(h.Repository))
		for _, w := range t.Windows {
			if len(w.In) == 0 || slices.Contains(w.In, h.Repository) {
				h.Windows = append(h.Windows, w)
			}
		}
	}
	h.Verdict = h.State.Verdict()
	if p.derived {
		h.Certainty = lower(h.Certainty, Certainty{Inferred, "a copy in another registry"})
	}
	return h, true
}

func (t *TagSet) has(tag string) bool {
	return slices.Contains(t.Names, tag) || t.Versions != Range{} && t.Versions.Contains(tag)
}

// certaintyOf is how sure it is that a touched the repository name.
func (a *Advisory) certaintyOf(name string) Certainty {
	for _, r := range a.Repositories {
		if r.Name == name {
			return r.Certainty
		}
	}
	return Certainty{Grade: Confirmed}
}

func lower(a, b Certainty) Certainty {
	if b.Grade < a.Grade {
		return b
	}
	return a
}

// merge adds h to hits. Of one advisory the more special name wins, which came
// first, and then what is said of the tag; sets of tags are taken together, the
// worst verdict leading.
func merge(hits []TagHit, h TagHit) []TagHit {
	i := slices.IndexFunc(hits, func(o TagHit) bool { return o.Advisory == h.Advisory })
	if i < 0 {
		return append(hits, h)
	}
	old := &hits[i]
	if old.Repository != h.Repository {
		return hits
	}
	windows := slices.Concat(old.Windows, h.Windows)
	if h.Verdict > old.Verdict || h.Verdict == old.Verdict && h.Certainty.Grade > old.Certainty.Grade {
		*old = h
	}
	old.Windows = windows
	return hits
}

// sorted is ws in order, without repetitions.
func sorted(ws []Window) []Window {
	ws = slices.Clone(ws)
	slices.SortStableFunc(ws, compareWindows)
	return slices.CompactFunc(ws, func(a, b Window) bool { return compareWindows(a, b) == 0 })
}

// nameTag is the canonical name and tag of a reference.
func nameTag(ref image.Reference) string {
	return ref.Name() + ":" + cmp.Or(ref.Tag, "latest")
}

// name is a canonical repository, or all below a host or an account.
type name struct {
	host, path string
	below      bool // all below path, or below the host where path is empty
}

// parseName takes "docker.io/library/debian", "docker.io/account/*" or
// "ghrc.io/*" apart.
func parseName(s string) name {
	host, path, _ := strings.Cut(s, "/")
	if path == "*" {
		return name{host, "", true}
	}
	path, below := strings.CutSuffix(path, "/*")
	return name{host, path, below}
}

func (n name) String() string {
	s := n.host
	if n.path != "" {
		s += "/" + n.path
	}
	if n.below {
		s += "/*"
	}
	return s
}

// place is a name under which the advisories may list a reference.
type place struct {
	name
	// mirror is set where the reference is to a mirror of it, derived where
	// the advisory does not list that mirror itself.
	mirror, derived bool
}

// places are the names to look for, the most special first: a reference's own,
// and that of the Docker Hub repository that it may be a copy of.
func places(ref image.Reference) iter.Seq[place] {
	return func(yield func(place) bool) {
		host, path := ref.Host(), ref.Path()
		hub, known := hubPath(host, path)
		if !above(host, path, place{mirror: known}, yield) || hub == "" {
			return
		}
		copied := place{mirror: true, derived: true}
		if known {
			above(dockerHub, hub, copied, yield)
			return
		}
		// An account's name alone is too little to go by: another registry
		// may have an honest one that is called the same.
		copied.name = name{dockerHub, hub, false}
		yield(copied)
	}
}

// above yields host/path and the patterns that cover it, the longest first, as
// places like p. It reports whether to go on.
func above(host, path string, p place, yield func(place) bool) bool {
	p.name = name{host, path, false}
	for more := true; more; {
		if !yield(p) {
			return false
		}
		more = path != ""
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
		p.name = name{host, path, true}
	}
	return true
}

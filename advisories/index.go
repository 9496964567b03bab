package advisories

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digestlint/digestlint/image"
)

//go:embed data/*.txt
var files embed.FS

// Hit is a listed digest: what it is and whose.
type Hit struct {
	Advisory *Advisory
	Digest   *Digest
}

// Set is advisories with the ways into them. It is not changed once made, and
// may be used from several goroutines.
type Set struct {
	all     []*Advisory
	digests map[sum]Hit
	names   map[name][]entry
	clean   map[string]bool // canonical name:tag that is not affected
}

// entry is what an advisory says of one name: one of the three.
type entry struct {
	advisory   *Advisory
	repository *Repository
	tags       *TagSet
	good       *Good
}

// Embedded is the advisories that the program was built with. They are parsed
// at the first call; they are part of the program and its tests parse them, so
// an error is a bug in the program.
var Embedded = sync.OnceValue(func() *Set {
	dir, err := files.ReadDir("data")
	if err != nil {
		panic(fmt.Sprintf("advisories: %v", err))
	}
	var all []*Advisory
	for _, f := range dir {
		name := "data/" + f.Name()
		data, err := files.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("advisories: %v", err))
		}
		a, err := Parse(name, data)
		if err != nil {
			panic(fmt.Sprintf("advisories: %v", err))
		}
		all = append(all, a)
	}
	return NewSet(all)
})

// current is the set that [Use] has chosen, nil for the embedded one.
var current atomic.Pointer[Set]

// Use makes the functions of this package answer from s. It is for the start
// of a program.
func Use(s *Set) { current.Store(s) }

// Current is the advisories in use.
func Current() *Set { return load() }

func load() *Set {
	if s := current.Load(); s != nil {
		return s
	}
	return Embedded()
}

// NewSet is a set of all, which it keeps.
func NewSet(all []*Advisory) *Set {
	n := 0
	for _, a := range all {
		n += len(a.Digests)
	}
	x := &Set{all: all, digests: make(map[sum]Hit, n), names: map[name][]entry{}, clean: map[string]bool{}}
	for _, a := range all {
		x.add(a)
	}
	for _, a := range all {
		for _, g := range a.NotAffected {
			if ref, err := image.Parse(g.Reference); err == nil && !x.lists(ref.Digest) {
				x.clean[nameTag(ref)] = true
			}
		}
	}
	return x
}

// With is x and more. Of two advisories with one ID the one that was modified
// last takes the place of the other; where both say the same day, that is the
// one of more. One that does not say when stands beside all others: nothing
// that it lists is to be lost.
func (x *Set) With(more ...*Advisory) *Set {
	all := slices.Clone(x.all)
	for _, a := range more {
		i := slices.IndexFunc(all, func(o *Advisory) bool { return o.ID == a.ID && !o.Modified.IsZero() })
		switch {
		case i < 0 || a.Modified.IsZero():
			all = append(all, a)
		case !a.Modified.Before(all[i].Modified):
			all[i] = a
		}
	}
	slices.SortStableFunc(all, func(a, b *Advisory) int { return strings.Compare(a.ID, b.ID) })
	return NewSet(all)
}

// Contradiction is a digest that one advisory lists as malicious and another
// one calls good. The first counts.
type Contradiction struct {
	Digest       string
	Listed, Good *Advisory
}

func (c Contradiction) String() string {
	return fmt.Sprintf("%s is listed as malicious by %s, and good by %s", c.Digest, c.Listed.ID, c.Good.ID)
}

// Contradictions are those of the set, in the order of the advisories. Within
// one advisory [Parse] refuses them.
func (x *Set) Contradictions() []Contradiction {
	var all []Contradiction
	for _, a := range x.all {
		for _, d := range a.clean() {
			if hit, ok := x.LookupDigest(d); ok {
				all = append(all, Contradiction{d, hit.Advisory, a})
			}
		}
	}
	return all
}

// clean are the digests that a calls good or not affected.
func (a *Advisory) clean() []string {
	var all []string
	for _, g := range a.KnownGood {
		if g.Digest != "" {
			all = append(all, g.Digest)
		}
	}
	for _, n := range a.NotAffected {
		if ref, err := image.Parse(n.Reference); err == nil {
			all = append(all, ref.Digest)
		}
	}
	return all
}

func (x *Set) add(a *Advisory) {
	for i := range a.Digests {
		d := &a.Digests[i]
		// A list of somebody's own may repeat what an advisory says more of.
		if !x.lists(d.Digest) {
			x.digests[parseSum(strings.TrimPrefix(d.Digest, sha256Prefix))] = Hit{a, d}
		}
	}
	for i := range a.Repositories {
		if r := &a.Repositories[i]; r.State != NoState {
			x.say(r.Name, entry{advisory: a, repository: r})
		}
	}
	for i := range a.Tags {
		t := &a.Tags[i]
		for _, name := range t.In {
			x.say(name, entry{advisory: a, tags: t})
		}
	}
	for i := range a.KnownGood {
		g := &a.KnownGood[i]
		for _, name := range g.In {
			x.say(name, entry{advisory: a, good: g})
		}
	}
}

// lists reports whether the set lists a digest, as [LookupDigest] finds it.
func (x *Set) lists(digest string) bool {
	_, ok := x.LookupDigest(digest)
	return ok
}

// say adds e to what is known of a canonical name or pattern.
func (x *Set) say(of string, e entry) {
	n := parseName(of)
	x.names[n] = append(x.names[n], e)
}

// All is the advisories of the set in the order of their IDs, oldest first.
// They are shared and must not be changed.
func (x *Set) All() []*Advisory { return x.all }

// Modified is when the last of the advisories changed, as far as they say.
func (x *Set) Modified() time.Time {
	var last time.Time
	for _, a := range x.all {
		if a.Modified.After(last) {
			last = a.Modified
		}
	}
	return last
}

// All is [Set.All] of the advisories in use.
func All() []*Advisory { return load().All() }

// LookupDigest finds a digest, "sha256:" and 64 hex digits of either case,
// whatever repository it was found in.
func (x *Set) LookupDigest(digest string) (Hit, bool) {
	digits, ok := strings.CutPrefix(digest, sha256Prefix)
	if !ok || len(digits) != hexDigits {
		return Hit{}, false
	}
	for i := 0; i < len(digits); i++ {
		if nibble[digits[i]] == 0 {
			return Hit{}, false
		}
	}
	hit, ok := x.digests[parseSum(digits)]
	return hit, ok
}

// LookupDigest is [Set.LookupDigest] of the advisories in use.
func LookupDigest(digest string) (Hit, bool) { return load().LookupDigest(digest) }

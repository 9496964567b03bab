package advisories

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/digestlint/digestlint/image"
)

//go:embed data/*.txt
var files embed.FS

// Hit is a listed digest: what it is and whose.
type Hit struct {
	Advisory *Advisory
	Digest   *Digest
}

// index is the embedded advisories, with the ways into them.
type index struct {
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

// load parses the embedded advisories at the first call. They are part of the
// program and its tests parse them, so an error is a bug in the program.
var load = sync.OnceValue(func() *index {
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
	return newIndex(all)
})

func newIndex(all []*Advisory) *index {
	n := 0
	for _, a := range all {
		n += len(a.Digests)
	}
	x := &index{all: all, digests: make(map[sum]Hit, n), names: map[name][]entry{}, clean: map[string]bool{}}
	for _, a := range all {
		x.add(a)
	}
	return x
}

func (x *index) add(a *Advisory) {
	for i := range a.Digests {
		d := &a.Digests[i]
		x.digests[parseSum(strings.TrimPrefix(d.Digest, sha256Prefix))] = Hit{a, d}
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
	for _, n := range a.NotAffected {
		if ref, err := image.Parse(n.Reference); err == nil {
			x.clean[nameTag(ref)] = true
		}
	}
}

// say adds e to what is known of a canonical name or pattern.
func (x *index) say(of string, e entry) {
	n := parseName(of)
	x.names[n] = append(x.names[n], e)
}

// All is the embedded advisories in the order of their IDs, oldest first. They
// are shared and must not be changed.
func All() []*Advisory { return load().all }

// LookupDigest finds a digest, "sha256:" and 64 hex digits of either case,
// whatever repository it was found in.
func LookupDigest(digest string) (Hit, bool) {
	digits, ok := strings.CutPrefix(digest, sha256Prefix)
	if !ok || len(digits) != hexDigits {
		return Hit{}, false
	}
	for i := 0; i < len(digits); i++ {
		if nibble[digits[i]] == 0 {
			return Hit{}, false
		}
	}
	hit, ok := load().digests[parseSum(digits)]
	return hit, ok
}

package exposure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/registry"
)

// Limits of a sweep.
const (
	maxRepositories = 20_000 // of a registry's list
	maxTags         = 2_000  // of a repository
	manyTags        = 100    // more than these are not all asked for
	sweepers        = 8      // repositories, or tags, that are looked at side by side
)

// ReadRegistry asks the registry, mirror or pull-through cache at target,
// "HOST[:PORT][/PREFIX]", whether it serves a listed digest: in each
// repository of the advisories, under its own name and those that caches are
// commonly given for it, or under the prefix alone where there is one; and in
// each repository that the registry lists and that is called like one of them,
// or in every one if all is set. It also looks which tags lead to a listed
// digest there now.
//
// Digests are asked for with HEAD requests, of which a registry that stores an
// image answers 200. A pull-through cache that lacks a digest asks its upstream
// for it and passes the answer on. Docker's registry even stores the manifest
// then, though no layer of it; others only pass the HEAD on. So a digest that is
// served was stored there before only where the upstream has it no more, and
// where it is served, the next pull gets it in either case. It is on no account
// asked for beforehand from the upstream itself.
//
// What could not be looked at is in the errors or the notes of rec. The error
// is that of an ended context, or of a target that is none.
func ReadRegistry(ctx context.Context, client *registry.Client, target string, all bool, rec *Recorder) error {
	host, prefix, err := parseTarget(target)
	if err != nil {
		return fmt.Errorf("read the registry %q: %w", target, err)
	}
	s := &sweep{client: client, rec: rec, target: target, host: host, prefix: prefix, failures: map[string]*sweepFailure{}}
	if s.product, err = client.Product(ctx, host); err != nil {
		s.fail(err)
		return s.end(ctx)
	}
	s.run(ctx, s.candidates(ctx, wantedOf(rec.Set()), all))
	return s.end(ctx)
}

// parseTarget takes "HOST[:PORT][/PREFIX]" apart, written as an address too.
func parseTarget(target string) (host, prefix string, err error) {
	bare := strings.TrimSuffix(strings.TrimPrefix(target, "https://"), "/")
	ref, err := image.Parse(bare + "/repository")
	host, prefix, _ = strings.Cut(bare, "/")
	if err != nil || ref.Registry != host || ref.Tag != "" || ref.Digest != "" {
		return "", "", errors.New("not HOST[:PORT][/PREFIX]; a host has a dot or a port")
	}
	return ref.Host(), prefix, nil
}

// sweep is one registry that is looked through.
type sweep struct {
	client  *registry.Client
	rec     *Recorder
	target  string // as the user named it
	host    string // canonical
	prefix  string // may be empty
	product string

	mu       sync.Mutex
	asked    int64 // digests
	looked   int   // repositories that answered
	unknown  int   // guesses that the registry does not have
	refused  []error
	failures map[string]*sweepFailure
	cut      []string // notes on lists of tags that were not read to their end
	notes    []string // not shared
}

// sweepFailure is all failures of one kind, a thousand of which are no news.
type sweepFailure struct {
	first error
	count int
}

// candidate is a repository that may be there.
type candidate struct {
	path string
	wanted
	// guess is set where nobody has named the repository, so that it is looked
	// at only if the registry says that it has it.
	guess bool
	// listed is set where the registry or the user has named it, so that not to
	// be let in is an error.
	listed bool
}

// candidates are the repositories to look at, each once, the surest first.
func (s *sweep) candidates(ctx context.Context, w *wantedSet, all bool) []candidate {
	var list []candidate
	at := map[string]int{}
	add := func(c candidate) {
		i, again := at[c.path]
		if !again {
			at[c.path] = len(list)
			list = append(list, c)
			return
		}
		list[i].add(c.wanted)
		list[i].guess = list[i].guess && c.guess
		list[i].listed = list[i].listed || c.listed
	}
	for _, n := range w.names {
		for _, path := range s.paths(n) {
			add(candidate{path: path, wanted: n.wanted, listed: s.prefix != ""})
		}
	}
	if s.prefix != "" { // which may be a repository itself
		add(candidate{path: s.prefix, wanted: w.all, guess: true})
	}
	whole := s.listed(ctx, w, all, add)
	if n := len(w.homeless.digests) + len(w.homeless.configs); n > 0 && !whole {
		s.homeless(n)
	}
	if s.prefix != "" || whole || shared[s.host] {
		return list
	}
	var prefixes []string
	for _, n := range w.names {
		for _, naming := range namings(n.host) {
			if !slices.Contains(prefixes, naming) {
				prefixes = append(prefixes, naming)
			}
			add(candidate{path: naming + "/" + n.path, wanted: n.wanted, guess: true})
		}
	}
	if len(prefixes) > 0 {
		s.notes = append(s.notes, "looked also under the prefixes "+strings.Join(prefixes, ", ")+"; others are looked at if they are named: "+s.host+"/PREFIX")
	}
	return list
}

// homeless says that n digests, of which nobody knows the repository, were
// looked for in one at most.
func (s *sweep) homeless(n int) {
	if s.prefix != "" {
		s.notes = append(s.notes, fmt.Sprintf("%d digests have no repository and were looked for in %s alone", n, s.prefix))
		return
	}
	s.rec.Error(fmt.Errorf("read the registry %s: %d digests have no repository, and can be looked for only where the registry lists its own, or in one that is named: %s/REPOSITORY", s.target, n, s.host))
}

// listed adds the repositories of the registry's own list that are of interest,
// and reports whether it was read to its end.
func (s *sweep) listed(ctx context.Context, w *wantedSet, all bool, add func(candidate)) bool {
	if shared[s.host] {
		return false
	}
	repositories, more, err := s.client.Catalog(ctx, s.host, maxRepositories)
	if err != nil {
		s.notes = append(s.notes, "the registry does not list its repositories, so they were looked for by name: "+err.Error())
		return false
	}
	if more {
		s.notes = append(s.notes, "only the first "+strconv.Itoa(maxRepositories)+" repositories of its list were read")
	}
	inside := 0
	for _, path := range repositories {
		if s.prefix != "" && path != s.prefix && !strings.HasPrefix(path, s.prefix+"/") {
			continue
		}
		inside++
		found := w.like(path)
		if all {
			found = w.all
		}
		if len(found.digests) > 0 || len(found.configs) > 0 {
			add(candidate{path: path, wanted: found, listed: true})
		}
	}
	if inside == 0 {
		s.notes = append(s.notes, "its list of repositories is empty for this user")
		return false
	}
	s.notes = append(s.notes, fmt.Sprintf("repositories that the registry lists%s: %d", s.under(), inside))
	return !more
}

func (s *sweep) under() string {
	if s.prefix == "" {
		return ""
	}
	return " under " + s.prefix
}

// paths are where a repository of an advisory may be found without guessing.
func (s *sweep) paths(n wantedName) []string {
	if s.prefix == "" && shared[s.host] && n.host != s.host && (n.host != dockerHub || s.host != googleMirror) {
		return nil
	}
	paths := []string{n.path}
	if short, ok := strings.CutPrefix(n.path, "library/"); ok && s.host != dockerHub {
		paths = append(paths, short)
	}
	if s.prefix != "" {
		for i := range paths {
			paths[i] = s.prefix + "/" + paths[i]
		}
	}
	return paths
}

// run looks at the candidates, some at a time.
func (s *sweep) run(ctx context.Context, list []candidate) {
	refs := make([]image.Reference, len(list))
	for i, c := range list {
		refs[i] = s.ref(c.path)
	}
	s.client.Announce(refs)
	sideBySide(ctx, list, func(c candidate) { s.repository(ctx, c) })
	slices.Sort(s.cut)
	s.notes = append(s.notes, s.cut...)
}

// sideBySide calls f for each of list, some at a time, until ctx ends.
func sideBySide[T any](ctx context.Context, list []T, f func(T)) {
	next := make(chan T)
	var wg sync.WaitGroup
	for range min(sweepers, len(list)) {
		wg.Go(func() {
			for v := range next {
				f(v)
			}
		})
	}
	for _, v := range list {
		if ctx.Err() != nil {
			break
		}
		next <- v
	}
	close(next)
	wg.Wait()
}

func (s *sweep) ref(path string) image.Reference {
	return image.Reference{Registry: s.host, Repository: path}
}

// repository looks at one. Its tags tell whether a guess was right; where
// nobody guesses that is not asked of them, since a cache may serve digests
// without knowing any tag.
func (s *sweep) repository(ctx context.Context, c candidate) {
	ref := s.ref(c.path)
	tags, more, unlisted := s.client.Tags(ctx, ref, maxTags)
	if unlisted != nil && c.guess {
		s.missed(c, unlisted)
		return
	}
	found, err := s.digests(ctx, c, ref)
	if err != nil {
		s.missed(c, err)
		return
	}
	s.mu.Lock()
	s.looked++
	if more {
		s.cut = append(s.cut, fmt.Sprintf("only the first %d tags of %s were read", maxTags, c.path))
	}
	s.mu.Unlock()
	if unlisted != nil && kindOf(unlisted) != registry.NotFound && (found || kindOf(unlisted) != registry.Unauthorized) {
		s.fail(unlisted)
	}
	if unlisted != nil && found {
		tags = c.tags // those that are known to have led there
	}
	if found && len(tags) > manyTags {
		s.mu.Lock()
		s.cut = append(s.cut, fmt.Sprintf("of the %d tags of %s only those of the advisories were asked for", len(tags), c.path))
		s.mu.Unlock()
	}
	for _, tag := range tags {
		// Any tag may lead to what is there. Of a cache in front of Docker
		// Hub each one that is asked for may be a pull.
		if found && len(tags) <= manyTags || slices.Contains(c.tags, tag) {
			s.tag(ctx, ref, tag)
		}
	}
}

// digests asks for each digest that c may have, and reports whether one was
// there. A cache whose upstream is gone fails for the digests that it lacks and
// serves the others, so each is asked for.
func (s *sweep) digests(ctx context.Context, c candidate, ref image.Reference) (found bool, err error) {
	for _, d := range c.digests {
		ref.Digest = d
		_, err := s.client.Head(ctx, ref)
		if err != nil && kindOf(err) == registry.Server {
			s.fail(err)
			continue
		}
		if err != nil && kindOf(err) != registry.NotFound {
			return found, err
		}
		s.count()
		if err == nil {
			found = true
			s.event(Event{Ref: ref, Text: "HEAD /v2/" + c.path + "/manifests/" + d + ": 200 OK"})
		}
	}
	for _, d := range c.configs {
		ref.Digest = d
		has, err := s.client.HasBlob(ctx, ref)
		if err != nil {
			return found, err
		}
		s.count()
		if has {
			found = true
			s.event(Event{Ref: s.ref(c.path), ImageID: d, Text: "HEAD /v2/" + c.path + "/blobs/" + d + ": found"})
		}
	}
	return found, nil
}

func (s *sweep) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
}

// tag looks where a tag leads.
func (s *sweep) tag(ctx context.Context, ref image.Reference, tag string) {
	ref.Tag = tag
	m, err := s.client.Head(ctx, ref)
	switch {
	case err == nil:
		ref.Digest = m.Digest
		s.event(Event{Ref: ref, Text: "HEAD /v2/" + ref.Repository + "/manifests/" + tag + ": " + m.Digest})
	case kindOf(err) != registry.NotFound: // deleted in the meantime
		s.fail(err)
	}
}

func (s *sweep) event(e Event) {
	e.Kind = Cached
	e.Evidence = s.target
	e.Place = Place{Store: "registry", Path: e.Ref.Repository, Product: s.product}
	e.Text = Cut(e.Text)
	s.rec.Event(e)
}

// missed notes that c could not be looked at. A registry that keeps its
// repositories to itself refuses those that it has and those that it has not
// alike.
func (s *sweep) missed(c candidate, err error) {
	switch kind := kindOf(err); {
	case kind == registry.NotFound:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unknown++
	case kind == registry.Unauthorized && !c.listed:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refused = append(s.refused, err)
	default:
		s.fail(err)
	}
}

// fail keeps an error for the report, the first of each kind.
func (s *sweep) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := kindOf(err).String()
	if s.failures[key] == nil {
		s.failures[key] = &sweepFailure{first: err}
	}
	s.failures[key].count++
}

// kindOf is the kind of a registry's error.
func kindOf(err error) registry.Kind {
	var e *registry.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return registry.Invalid
}

// end reports what was looked at, and what was not.
func (s *sweep) end(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("read the registry %s: %w", s.target, err)
	}
	if len(s.refused) > 0 {
		if s.looked+s.unknown == 0 {
			for _, err := range s.refused {
				s.fail(err)
			}
		} else {
			s.notes = append(s.notes, fmt.Sprintf("repositories that were refused, so they do not exist or this user may not read them: %d", len(s.refused)))
		}
	}
	for _, f := range s.failures {
		err := fmt.Errorf("read the registry %s: %w", s.target, f.first)
		if f.count > 1 {
			err = fmt.Errorf("%w (and %d like it)", err, f.count-1)
		}
		s.rec.Error(err)
	}
	if s.asked == 0 {
		return nil
	}
	notes := append([]string{fmt.Sprintf("repositories looked in%s: %d", s.under(), s.looked)}, s.notes...)
	notes = append(notes, "a pull-through cache also serves what it has not stored, as long as its upstream has it")
	s.rec.Source(Source{Kind: "registry", Name: s.target, Items: s.asked, Unit: "digests", Notes: notes})
	return nil
}

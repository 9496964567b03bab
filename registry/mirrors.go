package registry

import (
	"context"
	"strings"
	"sync"

	"github.com/digestlint/digestlint/image"
)

// source is one of the places that are asked for the images of a registry.
type source struct {
	host   string  // canonical, with the port if one is written
	prefix string  // stands before the path of each repository; may be empty
	name   string  // for people
	err    error   // of a mirror that can't be asked
	health *health // of a mirror; nil for the registry itself
}

// newMirrors are the places to ask before the registry with the mirrors.
func newMirrors(mirrors []string) []source {
	var sources []source
	for _, written := range mirrors {
		s := source{name: written, health: &health{}}
		s.host, s.prefix, s.err = parseMirror(written)
		sources = append(sources, s)
	}
	return sources
}

// parseMirror takes a mirror of [Registry.Mirrors] apart. Host and path have
// the grammar of a name, and a repository below them shows whether the first
// part is a host at all.
func parseMirror(s string) (host, path string, err error) {
	ref, err := image.Parse(s + "/repository")
	host, path, _ = strings.Cut(s, "/")
	if err != nil || ref.Registry != host || ref.Tag != "" || ref.Digest != "" {
		return "", "", &failure{kind: Invalid, text: "not HOST[:PORT][/PATH]"}
	}
	return ref.Host(), path, nil
}

// try asks each place that has the images of ref's registry, until one answers.
// Mirrors come first, and whatever goes wrong there, a missing image included,
// leads on: a mirror need not have everything, and the registry itself has the
// last word.
func try[V any](ctx context.Context, c *Client, ref image.Reference, ask func(context.Context, *repository) (V, error)) (V, error) {
	var failures []string
	for _, s := range c.mirrors[ref.Host()] {
		v, err := askSource(ctx, c, s, ref.Path(), ask)
		if err == nil || ctx.Err() != nil {
			return v, err
		}
		failures = append(failures, s.name+": "+explain(err).text)
	}
	v, err := askSource(ctx, c, source{host: ref.Host()}, ref.Path(), ask)
	if err != nil && len(failures) > 0 {
		said := *explain(err)
		said.text = strings.Join(append(failures, ref.Host()+": "+said.text), "; ")
		return v, &said
	}
	return v, err
}

// path is that of a repository at s which has the path at its registry.
func (s source) path(path string) string {
	if s.prefix == "" {
		return path
	}
	return s.prefix + "/" + path
}

// askSource asks one place for the repository with the path at its registry.
func askSource[V any](ctx context.Context, c *Client, s source, path string, ask func(context.Context, *repository) (V, error)) (V, error) {
	var none V
	if s.err != nil {
		return none, s.err
	}
	if err := s.health.err(); err != nil {
		return none, err
	}
	v, err := func() (V, error) {
		r, err := c.repository(ctx, s.host, s.path(path))
		if err != nil {
			return none, err
		}
		return ask(ctx, r)
	}()
	s.health.note(err)
	return v, err
}

// maxStrikes is how many failures in a row a server may answer with before it
// is given up.
const maxStrikes = 3

// health says whether a server that one can do without is worth asking. Its
// failures come after repetitions and pauses, which a tree of thousands of
// references must not wait for each time. The nil health is always well.
type health struct {
	mu      sync.Mutex
	strikes int
	gone    *failure
}

// err is why the server has been given up, or nil.
func (h *health) err() error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone == nil {
		return nil
	}
	return h.gone
}

// note takes the outcome of a request into account.
func (h *health) note(err error) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.strikes = 0
		return
	}
	switch f := explain(err); f.kind {
	case Canceled:
	case Unreachable, Timeout, RateLimited, Credentials:
		h.gone = f
	case Server:
		if h.strikes++; h.strikes == maxStrikes {
			h.gone = f
		}
	default:
		h.strikes = 0
	}
}

package exposure

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/registry"
)

// Deletion is a listed digest that a registry serves, to be deleted there.
type Deletion struct {
	// Ref is the repository and the digest, without a tag.
	Ref image.Reference
	// Tags are those that lead to it, sorted. They go with it.
	Tags     []string
	Advisory *advisories.Advisory
	// Kept is why it is not to be deleted; nil where it is.
	Kept error
	// Err is why it was not deleted; nil before, and where it was.
	Err error

	kind advisories.Kind
}

// Deletions are the digests of the report that registries serve, each once.
// Only what is listed itself is among them: neither what an index holds besides
// nor an index that holds something listed. Indexes come first, since some
// registries keep a manifest while an index names it. Configurations have no
// deletion of their own; they go with the last manifest that names them.
//
// A manifest that an index holds which is not listed is kept: without it that
// index would be broken, and somebody has to look at it first. Registries do
// not say who holds a manifest, so all indexes that tags lead to are asked.
func Deletions(ctx context.Context, client *registry.Client, r *Report) []Deletion {
	all := deletions(r)
	looked := map[string]bool{}
	for _, d := range all {
		repository := image.Reference{Registry: d.Ref.Registry, Repository: d.Ref.Repository}
		if d.kind == advisories.Index || looked[repository.Name()] {
			continue
		}
		looked[repository.Name()] = true
		h := &holders{client: client, repository: repository, listed: listedIn(all, repository), of: map[string]string{}}
		err := h.find(ctx)
		for i := range all {
			if d := &all[i]; d.kind != advisories.Index && d.Ref.Name() == repository.Name() {
				d.Kept = h.keep(d, err)
			}
		}
	}
	return all
}

// deletions are those of the report, without a look at who holds them.
func deletions(r *Report) []Deletion {
	var all []Deletion
	for i := range r.Traces {
		t := &r.Traces[i]
		if t.Kind != Cached || t.Digest == nil || t.Digest.Kind == advisories.Config || !image.ValidDigest(t.Listed) {
			continue
		}
		ref := image.Reference{Registry: t.Ref.Registry, Repository: t.Ref.Repository, Digest: t.Listed}
		at := slices.IndexFunc(all, func(d Deletion) bool { return d.Ref.Canonical() == ref.Canonical() })
		if at < 0 {
			at = len(all)
			all = append(all, Deletion{Ref: ref, Advisory: t.Advisory, kind: t.Digest.Kind})
		}
		if d := &all[at]; t.Ref.Tag != "" && !slices.Contains(d.Tags, t.Ref.Tag) {
			d.Tags = append(d.Tags, t.Ref.Tag)
			slices.Sort(d.Tags)
		}
	}
	slices.SortStableFunc(all, func(a, b Deletion) int {
		return cmp.Or(
			cmp.Compare(order(a.kind), order(b.kind)),
			cmp.Compare(a.Ref.Canonical(), b.Ref.Canonical()),
		)
	})
	return all
}

// order is when a kind is deleted: what may be an index before what is none.
func order(k advisories.Kind) int {
	switch k {
	case advisories.Index:
		return 0
	case advisories.UnknownKind:
		return 1
	}
	return 2
}

// holders are the indexes of a repository that hold something listed, and are
// not listed themselves.
type holders struct {
	client     *registry.Client
	repository image.Reference
	listed     map[string]bool // digests

	mu  sync.Mutex
	of  map[string]string // the tag of an index, by the digest of what it holds
	err error
}

func listedIn(all []Deletion, repository image.Reference) map[string]bool {
	listed := map[string]bool{}
	for _, d := range all {
		if d.Ref.Name() == repository.Name() {
			listed[d.Ref.Digest] = true
		}
	}
	return listed
}

// find asks where each tag leads, and what the indexes there hold. A
// repository without tags has none that could be found.
func (h *holders) find(ctx context.Context) error {
	tags, more, err := h.client.Tags(ctx, h.repository, maxTags)
	switch {
	case err != nil && kindOf(err) == registry.NotFound:
		return nil
	case err != nil:
		return err
	}
	sideBySide(ctx, tags, func(tag string) {
		if err := h.look(ctx, tag); err != nil {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.err = cmp.Or(h.err, err)
		}
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case h.err == nil && more:
		return fmt.Errorf("%s has more than %d tags", h.repository, maxTags)
	}
	return h.err
}

func (h *holders) look(ctx context.Context, tag string) error {
	ref := h.repository
	ref.Tag = tag
	m, err := h.client.Head(ctx, ref)
	if err != nil && kindOf(err) == registry.NotFound || err == nil && (!m.Index || h.listed[m.Digest]) {
		return nil
	}
	if err != nil {
		return err
	}
	children, err := h.client.Children(ctx, h.repository, m.Digest)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range children {
		if old, again := h.of[c.Digest]; !again || tag < old {
			h.of[c.Digest] = tag
		}
	}
	return nil
}

// keep is why d is kept, where find gave err.
func (h *holders) keep(d *Deletion, err error) error {
	tag, held := h.of[d.Ref.Digest]
	switch {
	case held:
		return &heldByIndex{d.Ref, tag}
	case err != nil:
		return fmt.Errorf("%s is kept, since it is not known which other indexes hold it: %w", d.Ref, err)
	}
	return nil
}

// heldByIndex is a listed manifest in an index that is not listed.
type heldByIndex struct {
	ref image.Reference
	tag string // that leads to the index
}

func (h *heldByIndex) Error() string {
	return fmt.Sprintf("%s is kept, since the index behind the tag %s holds it and is not listed", h.ref, h.tag)
}

// Hint says what to do first.
func (h *heldByIndex) Hint() string {
	return "look at that index: one of its images is malicious, so delete the tag, or move it to a good image, and purge again"
}

// Delete deletes what is not kept from the registries, asks each afterwards
// whether it is gone, and notes in Err where it is not. It asks nobody for
// leave: that is the caller's.
func Delete(ctx context.Context, client *registry.Client, all []Deletion) {
	for i := range all {
		if all[i].Kept == nil {
			all[i].Err = all[i].delete(ctx, client)
		}
	}
}

func (d *Deletion) delete(ctx context.Context, client *registry.Client) error {
	if err := client.Delete(ctx, d.Ref); err != nil && kindOf(err) != registry.NotFound {
		return err
	}
	refs := []image.Reference{d.Ref}
	for _, tag := range d.Tags {
		refs = append(refs, image.Reference{Registry: d.Ref.Registry, Repository: d.Ref.Repository, Tag: tag})
	}
	for _, ref := range refs {
		m, err := client.Head(ctx, ref)
		switch {
		case err == nil && m.Digest == d.Ref.Digest:
			return &stillServed{ref}
		case err != nil && kindOf(err) != registry.NotFound:
			return fmt.Errorf("deleted, but not known to be gone: %w", err)
		}
	}
	return nil
}

// stillServed is a digest, or a tag that leads to it, which a registry serves
// after it was deleted.
type stillServed struct{ ref image.Reference }

func (s *stillServed) Error() string {
	if s.ref.Tag != "" {
		return fmt.Sprintf("%s still leads to it although it was deleted", s.ref)
	}
	return fmt.Sprintf("%s is served although it was deleted", s.ref)
}

// Hint says why that may be.
func (s *stillServed) Hint() string {
	if s.ref.Tag != "" {
		return "this registry keeps tags apart: delete the tag, too"
	}
	return "a pull-through cache asks its upstream again: delete it there, or block the repository"
}

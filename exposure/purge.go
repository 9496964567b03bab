package exposure

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
	// Err is why it was not deleted; nil before, and where it was.
	Err error

	kind advisories.Kind
}

// Deletions are the digests of the report that registries serve, each once.
// Only what is listed itself is among them: neither what an index holds besides
// nor an index that holds something listed. Indexes come first, since some
// registries keep a manifest while an index names it. Configurations have no
// deletion of their own; they go with the last manifest that names them.
func Deletions(r *Report) []Deletion {
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

// Delete deletes what all hold from their registries, asks each afterwards
// whether it is gone, and notes in Err where it is not. It asks nobody for
// leave: that is the caller's.
func Delete(ctx context.Context, client *registry.Client, all []Deletion) {
	for i := range all {
		all[i].Err = all[i].delete(ctx, client)
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

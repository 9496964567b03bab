package resolve

import (
	"context"
	"errors"
	"slices"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
	"github.com/digestlint/digestlint/rules"
)

// Remote asks what the registry says of ref now, with no more requests than the
// rules need: what the tag leads to; where that is not the pinned digest,
// whether the registry still has it and what it holds; and whether the
// registry has the manifests of a pinned index.
//
// If the error is not nil, the Remote still holds what was found out. It is a
// [*lint.HostError] where the registry as a whole is the reason.
func (r *Resolver) Remote(ctx context.Context, ref image.Reference) (rules.Remote, error) {
	q := question{src: r.Source, ref: ref}
	err := q.ask(ctx)
	if hostWide(err) {
		err = &lint.HostError{Host: ref.Host(), Err: err}
	}
	return rules.Remote{
		Now:     manifest(q.now),
		Pinned:  manifest(q.pinned),
		Gone:    q.gone,
		Missing: children(q.missing),
		Same:    q.moved() && sameManifests(q.pinned.Children, q.now.Children, r.Platforms),
	}, err
}

// question is one reference, and what the registry has said of it so far. The
// children of an image are nil where they are not known.
type question struct {
	src         Source
	ref         image.Reference
	now, pinned *registry.Image
	gone        bool
	missing     []registry.Child
	// spared is why the children of now are not known where that is no
	// failure: nobody wanted to pay for them.
	spared error
}

// moved reports whether the tag leads from one index to another.
func (q *question) moved() bool {
	return q.now != nil && q.pinned != nil && q.now.Digest != q.pinned.Digest && q.now.Index && q.pinned.Index
}

// ask finds out all that there is to know. It goes on after a failure, and
// returns the first: the others are mostly its consequences.
func (q *question) ask(ctx context.Context) error {
	var failed error
	if q.ref.Tag != "" || !q.ref.Pinned() {
		failed = q.askTag(ctx)
	}
	if !q.ref.Pinned() {
		return failed
	}
	if err := q.askPin(ctx); err != nil && failed == nil {
		failed = err
	}
	if err := q.askChildren(ctx); err != nil && failed == nil {
		failed = err
	}
	return failed
}

// askTag finds out what the tag leads to. A tag that is gone is an answer where
// a digest stands beside it.
func (q *question) askTag(ctx context.Context) error {
	ref := q.ref
	ref.Digest = ""
	img, err := q.src.Read(ctx, ref)
	switch {
	case err == nil:
		q.now = &img
		return nil
	case is(err, registry.NotFound) && q.ref.Pinned():
		return nil
	case withheld(err):
		// What the manifest holds is not known, but a HEAD tells its digest.
		if m, headErr := q.src.Resolve(ctx, ref); headErr == nil {
			q.now = &registry.Image{Manifest: m}
			if is(err, registry.Spared) {
				q.spared = err
				return nil
			}
		}
	}
	return err
}

// askPin finds out whether the registry has the pinned digest, and what that
// holds if it is an index.
func (q *question) askPin(ctx context.Context) error {
	if q.now != nil && q.now.Digest == q.ref.Digest {
		q.pinned = q.now
		return nil
	}
	m, err := q.src.Resolve(ctx, q.part(q.ref.Digest))
	if is(err, registry.NotFound) {
		q.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	q.pinned = &registry.Image{Manifest: m}
	if !m.Index {
		if q.now != nil && q.now.Index {
			return q.spared // is it one of those that the index holds?
		}
		return nil
	}
	q.pinned.Children, err = q.src.Children(ctx, q.ref, m.Digest)
	if is(err, registry.Spared) {
		return nil
	}
	return err
}

// askChildren finds out which manifests of a pinned index are gone. Nobody
// pulls attestations.
func (q *question) askChildren(ctx context.Context) error {
	if q.pinned == nil || !q.pinned.Index {
		return nil
	}
	for _, c := range q.pinned.Children {
		if c.Platform.OS == unknownOS {
			continue
		}
		_, err := q.src.Resolve(ctx, q.part(c.Digest))
		switch {
		case is(err, registry.NotFound):
			q.missing = append(q.missing, c)
		case err != nil:
			return err
		}
	}
	return nil
}

// part is what has the digest in the repository of the reference.
func (q *question) part(digest string) image.Reference {
	return image.Reference{Registry: q.ref.Registry, Repository: q.ref.Repository, Digest: digest}
}

// manifest is img as rules see it.
func manifest(img *registry.Image) *rules.Manifest {
	if img == nil {
		return nil
	}
	return &rules.Manifest{Digest: img.Digest, Index: img.Index, Children: children(img.Children)}
}

// children are those of a manifest as rules see them; nil where they are nil.
func children(of []registry.Child) []rules.Child {
	if of == nil {
		return nil
	}
	out := make([]rules.Child, len(of))
	for i, c := range of {
		out[i] = rules.Child{Digest: c.Digest, Platform: c.Platform.String()}
	}
	return out
}

// is reports whether err is a registry's, of one of the kinds.
func is(err error, kinds ...registry.Kind) bool {
	var e *registry.Error
	return errors.As(err, &e) && slices.Contains(kinds, e.Kind)
}

// withheld reports whether err is a registry that did not send a manifest,
// rather than one that sent a wrong one.
func withheld(err error) bool {
	return is(err, registry.RateLimited, registry.Timeout, registry.Server, registry.Spared)
}

// hostWide reports whether err would be met for every reference of the
// registry.
func hostWide(err error) bool {
	return is(err, registry.Unreachable, registry.Credentials, registry.NotAllowed)
}

package resolve

import (
	"context"
	"errors"
	"time"

	"github.com/digestlint/digestlint/cache"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/registry"
)

// Cached is src behind the answers in store, to which it adds what src
// answers. Where a tag leads, and when it was pushed, is believed for ttl; with
// a ttl of zero or less src is asked each time. What stands under a digest never
// changes and is believed at any age. Errors are not kept. To save the store is
// up to the caller.
//
// A store is for answers that came one way. Where mirrors, certificate
// authorities or plain HTTP are configured for a registry, the answers belong
// into a store of their own: what one project's mirror says of a tag is nothing
// that another project has agreed to believe.
func Cached(src Source, store *cache.Store, ttl time.Duration) Source {
	return &cached{src: src, store: store, ttl: ttl}
}

// cached keeps two things apart: where a tag leads, which only the registry
// can say and nobody can prove, and what stands under a digest, which is kept
// only if src has proven it. A Read is answered by both together.
type cached struct {
	src   Source
	store *cache.Store
	ttl   time.Duration
}

// anyAge is the maxAge of what never changes.
const anyAge = 0

// Resolve implements [Source].
func (c *cached) Resolve(ctx context.Context, ref image.Reference) (registry.Manifest, error) {
	if m, ok := c.fresh(ref); ok {
		return m, nil
	}
	m, err := c.src.Resolve(ctx, ref)
	if err == nil {
		c.store.Put(tagKey(ref), manifestRecord(m))
	}
	return m, err
}

// Read implements [Source].
func (c *cached) Read(ctx context.Context, ref image.Reference) (registry.Image, error) {
	if m, ok := c.fresh(ref); ok {
		if img, ok := c.known(ref, m); ok {
			return img, nil
		}
	} else if img, ok, err := c.renew(ctx, ref); ok || err != nil {
		return img, err
	}
	img, err := c.src.Read(ctx, ref)
	if err == nil {
		c.store.Put(tagKey(ref), manifestRecord(img.Manifest))
		c.store.Put(digestKey(ref, img.Digest), newImageRecord(img))
	}
	return img, err
}

// renew asks only where the tag leads now, if what it led to before is known:
// most often it is still that, and need not be read again.
//
// A registry's word for a digest must not become a pin, as it may be wrong. But
// here it names one that this very repository has had, and that src has proven.
// Reading the manifest once more would prove that again, and not that the tag
// leads there, for which there is nothing but the registry's word in any case.
// So the worst that a wrong word can do here is what a registry can do anyway:
// to name an earlier image of its own.
func (c *cached) renew(ctx context.Context, ref image.Reference) (img registry.Image, ok bool, err error) {
	old, ok := c.tag(ref, anyAge)
	if !ok {
		return img, false, nil
	}
	if _, ok = c.known(ref, old); !ok {
		return img, false, nil
	}
	now, err := c.Resolve(ctx, ref)
	var failed *registry.Error
	if errors.As(err, &failed) && failed.Kind == registry.Invalid {
		// Some registries answer GET only.
		return img, false, nil
	}
	if err != nil {
		return img, false, err
	}
	img, ok = c.known(ref, now)
	return img, ok, nil
}

// Children implements [Source].
func (c *cached) Children(ctx context.Context, ref image.Reference, digest string) ([]registry.Child, error) {
	r, _ := c.image(ref, digest)
	if r.Children != nil {
		return r.children(), nil
	}
	// Also where the image is known: of a single image of Docker Hub, Read does
	// not tell the configuration.
	children, err := c.src.Children(ctx, ref, digest)
	if err == nil {
		c.store.Put(digestKey(ref, digest), newImageRecord(registry.Image{Manifest: registry.Manifest(r.manifestRecord), Children: children}))
	}
	return children, err
}

// Pushed implements [Source]. The time belongs to the digest that the tag leads
// to: were it used for the next one, a new image would look old. That nobody
// knows the time is kept like a time.
func (c *cached) Pushed(ctx context.Context, ref image.Reference) (time.Time, error) {
	if ref.Tag == "" && ref.Digest != "" {
		return c.src.Pushed(ctx, ref) // there is no tag to ask for
	}
	key := "pushed " + canonical(ref)
	var r pushedRecord
	if m, ok := c.fresh(ref); ok && c.store.Get(key, c.ttl, &r) && r.Digest == m.Digest {
		return r.Time, nil
	}
	// A client that has met the tag in this run notices when what it learns of
	// the time is about another digest. An answer from the store is nothing
	// that it has met.
	m, err := c.src.Resolve(ctx, ref)
	if err != nil {
		return time.Time{}, err
	}
	t, err := c.src.Pushed(ctx, ref)
	if err == nil {
		c.store.Put(key, pushedRecord{Digest: m.Digest, Time: t})
	}
	return t, err
}

// fresh is what ref leads to, if that is known and believed.
func (c *cached) fresh(ref image.Reference) (registry.Manifest, bool) {
	if c.ttl <= 0 {
		return registry.Manifest{}, false
	}
	return c.tag(ref, c.ttl)
}

// tag is what ref led to when it was asked for last.
func (c *cached) tag(ref image.Reference, maxAge time.Duration) (registry.Manifest, bool) {
	var r manifestRecord
	if !c.store.Get(tagKey(ref), maxAge, &r) || !r.valid() {
		return registry.Manifest{}, false
	}
	return registry.Manifest(r), true
}

// known is the proven image of m, unless m contradicts it.
func (c *cached) known(ref image.Reference, m registry.Manifest) (registry.Image, bool) {
	r, ok := c.image(ref, m.Digest)
	// The type is missing where only the children were asked for.
	if !ok || r.MediaType != m.MediaType || r.Size != 0 && m.Size != 0 && r.Size != m.Size {
		return registry.Image{}, false
	}
	return registry.Image{Manifest: registry.Manifest(r.manifestRecord), Children: r.children()}, true
}

// image is the record of a digest.
func (c *cached) image(ref image.Reference, digest string) (imageRecord, bool) {
	var r imageRecord
	if !c.store.Get(digestKey(ref, digest), anyAge, &r) || !r.valid(digest) {
		return imageRecord{}, false
	}
	return r, true
}

// canonical is ref as the registry is asked for it: by its canonical name, and
// by its tag alone where it has one.
func canonical(ref image.Reference) string {
	if ref.Tag != "" {
		ref.Digest = ""
	}
	return ref.Canonical()
}

// tagKey is the key of what ref leads to. References by digest have one, too:
// a registry can lose a manifest.
func tagKey(ref image.Reference) string { return "tag " + canonical(ref) }

// digestKey is the key of what stands under a digest. It has the repository in
// it, as a digest that another one has had is not for sure to be had here.
func digestKey(ref image.Reference, digest string) string {
	return "digest " + ref.Name() + "@" + digest
}

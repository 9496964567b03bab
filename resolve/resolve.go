// Package resolve says which digest a reference is to be pinned to: it asks
// the registry, and judges the answer. A digest that the advisories name, as
// the image or as anything under it, is refused.
package resolve

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
)

// Source is what answers for registries: a [registry.Client], or one with a
// cache before it.
type Source interface {
	// Resolve gives the manifest that ref stands for now, by the registry's
	// word.
	Resolve(ctx context.Context, ref image.Reference) (registry.Manifest, error)
	// Read gives the same, proven by its bytes, and what it names.
	Read(ctx context.Context, ref image.Reference) (registry.Image, error)
	// Children gives what the manifest with the digest names.
	Children(ctx context.Context, ref image.Reference, digest string) ([]registry.Child, error)
	// Pushed says when the tag of ref was last pushed; the zero time where
	// the registry has no way of telling.
	Pushed(ctx context.Context, ref image.Reference) (time.Time, error)
}

// Refuse is a [*lint.Refusal] if the advisories list the digest. How says where
// it comes from, as the start of a sentence.
func Refuse(digest, how string) error {
	hit, ok := advisories.LookupDigest(digest)
	if !ok {
		return nil
	}
	return &lint.Refusal{
		Class:  "malicious",
		Reason: fmt.Sprintf("%s %s, which is malicious (%s: %s); it is never written", how, digest, hit.Advisory.ID, hit.Advisory.Title),
	}
}

// short is a digest for people.
func short(digest string) string {
	if i := strings.IndexByte(digest, ':'); i >= 0 && len(digest) > i+13 {
		return digest[:i+13] + "…"
	}
	return digest
}

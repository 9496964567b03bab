package resolve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
)

// Resolver says which digest a reference is to be pinned to. Its methods may be
// called at the same time from several goroutines.
type Resolver struct {
	Source Source
	// Platform, such as "linux/arm64", pins to the manifest of that platform
	// instead of to the index.
	Platform string
	// Platforms are those that are run. A pin whose manifests for them are
	// what its tag has now stays where it is; without any, one all of whose
	// platforms are.
	Platforms []string
	// MinAge leaves out what was pushed more recently, or nobody knows when.
	MinAge time.Duration
	// Now is time.Now, except in tests.
	Now func() time.Time
}

// Pin is what ref is to be pinned to: where it has no digest, what its tag
// leads to; where it has one, that or the one which its tag leads to now. The
// error is a [*lint.Refusal] where there is such a digest and it must not be
// written.
func (r *Resolver) Pin(ctx context.Context, ref image.Reference) (lint.Resolution, error) {
	if ref.Digest != "" {
		return r.update(ctx, ref)
	}
	img, err := r.Read(ctx, ref)
	if err != nil {
		return lint.Resolution{}, err
	}
	return r.choose(ctx, ref, img)
}

// Read gives the image that ref stands for now, by its tag where it has one. The
// error is a [*lint.Refusal] where the advisories list it or something under it.
func (r *Resolver) Read(ctx context.Context, ref image.Reference) (registry.Image, error) {
	img, err := r.Source.Read(ctx, ref)
	if err != nil {
		return img, err
	}
	how := "its tag now leads to"
	if ref.Tag == "" && ref.Digest != "" {
		how = "it is"
	}
	if err := Refuse(img.Digest, how); err != nil {
		return img, err
	}
	for _, c := range img.Children {
		if err := Refuse(c.Digest, fmt.Sprintf("%s %s, which holds the %s", how, short(img.Digest), c.Kind)); err != nil {
			return img, err
		}
	}
	return img, nil
}

// choose is the digest of img, or of its manifest for the platform.
func (r *Resolver) choose(ctx context.Context, ref image.Reference, img registry.Image) (lint.Resolution, error) {
	digest := img.Digest
	if r.Platform != "" && img.Index {
		child, ok := forPlatform(img.Children, r.Platform)
		if !ok {
			return lint.Resolution{}, &lint.Refusal{
				Class:  "not made for " + r.Platform,
				Reason: fmt.Sprintf("its tag has no manifest for %s, but for %s", r.Platform, strings.Join(Platforms(img.Children), ", ")),
			}
		}
		digest = child.Digest
	}
	if err := r.old(ctx, ref); err != nil {
		return lint.Resolution{}, err
	}
	return lint.Resolution{Digest: digest}, nil
}

// old refuses what was pushed too recently.
func (r *Resolver) old(ctx context.Context, ref image.Reference) error {
	if r.MinAge <= 0 {
		return nil
	}
	pushed, err := r.Source.Pushed(ctx, ref)
	if err != nil {
		return err
	}
	if pushed.IsZero() {
		return &lint.Refusal{
			Class:  "of unknown age",
			Reason: fmt.Sprintf("%s does not tell when the tag was pushed, and --min-age asks for %v; pin it without --min-age when you know", ref.Host(), r.MinAge),
		}
	}
	if age := r.now().Sub(pushed); age < r.MinAge {
		return &lint.Refusal{
			Class:  "pushed too recently",
			Reason: fmt.Sprintf("its tag was pushed %v ago (%s), and --min-age asks for %v", age.Round(time.Minute), pushed.UTC().Format(time.RFC3339), r.MinAge),
		}
	}
	return nil
}

func (r *Resolver) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// update is what a reference with a tag and a digest is to be pinned to now.
func (r *Resolver) update(ctx context.Context, ref image.Reference) (lint.Resolution, error) {
	stay := lint.Resolution{Digest: ref.Digest}
	tag := ref
	tag.Digest = ""
	now, err := r.Source.Resolve(ctx, tag)
	if err != nil || now.Digest == ref.Digest {
		return stay, err
	}
	img, err := r.Read(ctx, tag)
	if err != nil {
		return stay, err
	}
	if Refuse(ref.Digest, "") == nil {
		stays, note, err := r.same(ctx, ref, img)
		if err != nil {
			return stay, err
		}
		if stays {
			stay.Note = note
			return stay, nil
		}
	}
	return r.choose(ctx, tag, img)
}

// same reports whether the pin of ref need not move to img, what its tag leads
// to now, and says why.
func (r *Resolver) same(ctx context.Context, ref image.Reference, img registry.Image) (stays bool, note string, err error) {
	if r.Platform != "" {
		child, ok := forPlatform(img.Children, r.Platform)
		return ok && child.Digest == ref.Digest, "", nil
	}
	for _, c := range img.Children {
		if c.Kind == registry.ChildManifest && c.Digest == ref.Digest {
			return true, fmt.Sprintf("pinned to the %s manifest of its tag; the digest for all platforms is %s", c.Platform, img.Digest), nil
		}
	}
	children, err := r.Source.Children(ctx, ref, ref.Digest)
	var e *registry.Error
	switch {
	case errors.As(err, &e) && e.Kind == registry.NotFound:
		return false, "", nil // nothing to keep
	case err != nil:
		return false, "", err
	case !sameManifests(children, img.Children, r.Platforms):
		return false, "", nil
	}
	return true, "its tag has moved to " + img.Digest + ", which is the same for these platforms", nil
}

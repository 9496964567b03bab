package exposure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
)

// ReadImages reads what the engines of a host print about their images and
// containers: the tables and the JSON of `docker images`, `docker image
// inspect`, `docker ps` and `docker inspect`, of podman's and nerdctl's commands
// of the same names, of `crictl images`, `inspecti`, `ps` and `inspect`, of `ctr
// images ls` and `skopeo inspect`, plain lists of references, and what ReadPods
// reads. r may hold several, one after the other, and be packed by gzip or zip.
//
// The digest of a registry settles what an image is. An image ID is the digest
// of the image's configuration (with Docker's containerd image store, and in
// nerdctl, that of its index), and settles it only where it is listed. A tag
// alone says little: nothing in most lists tells when it was pulled.
//
// What can't be understood is an error of rec; the error returned is that of r.
func ReadImages(ctx context.Context, name string, r io.Reader, rec *Recorder) error {
	l := newListing(rec, "images", name)
	defer l.finish()
	return l.parts(ctx, r, func(t *jsonText) {
		before, vague := l.total(), l.vague.n
		l.documents(t, l.imageItem, l.line)
		if l.total() == before && l.vague.n > vague {
			l.complain(0, errors.New("nothing in it is a list of images that is known"))
		}
	})
}

// total is how many things were read.
func (l *listing) total() (n int64) {
	for _, i := range l.items {
		n += i
	}
	return n
}

// imageRecord is an image as a store knows it.
type imageRecord struct {
	store string
	id    string   // as printed, perhaps shortened
	tags  []string // NAME:TAG
	// repoDigests are NAME@DIGEST. Such a digest speaks for that name alone:
	// an image that was pushed under a second name has another one there.
	repoDigests []string
	// digests are those of the image in the store, whatever its name.
	digests []string
	// until is when the image was there at the latest, if that is known.
	until time.Time
	place Place
	text  string
}

// image reports an image: an event for each name, and for each digest that no
// name has.
func (l *listing) image(r *imageRecord) {
	l.count("images")
	id := imageID(r.id)
	base := Event{Kind: Present, Place: l.within(r.place), Until: r.until, ImageID: id, Text: Cut(r.text)}
	base.Place.Store = r.store

	byName := map[string][]string{}
	var pinned []image.Reference
	for _, text := range r.repoDigests {
		if ref, ok := l.reference(r.place.Line, text); ok && ref.Pinned() {
			byName[ref.Name()] = append(byName[ref.Name()], ref.Digest)
			pinned = append(pinned, ref)
		}
	}
	l.know(id, pinned, r.digests)
	l.short(r, pinned)

	said := map[string]bool{}
	for _, text := range r.tags {
		ref, ok := l.reference(r.place.Line, text)
		if !ok {
			continue
		}
		e := base
		e.Ref = ref
		e.Digests = slices.Concat(byName[ref.Name()], r.digests)
		if len(e.Digests) == 0 && !ref.Pinned() {
			l.bare.add(r.place.Line)
		}
		said[ref.Name()] = true
		l.event(e)
	}
	for _, ref := range pinned {
		if !said[ref.Name()] {
			e := base
			e.Ref = ref
			e.Digests = r.digests
			l.event(e)
		}
	}
	if len(said) == 0 && len(pinned) == 0 {
		base.Digests = r.digests
		l.event(base)
	}
}

// within is p in the part of the evidence that is being read.
func (l *listing) within(p Place) Place {
	p.Path = l.place.Path
	if p.Node == "" {
		p.Node = l.place.Node
	}
	return p
}

// none is what engines print where there is no name, tag or digest.
const none = "<none>"

// reference is text taken apart. It is false for what engines print where there
// is no name, and for an image that is named by its ID.
func (l *listing) reference(line int, text string) (image.Reference, bool) {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "@"+none), ":"+none)
	if text == "" || text == none || text == "<untagged>" || imageID(text) != "" {
		return image.Reference{}, false
	}
	ref, err := image.Parse(text)
	if err != nil {
		l.complain(line, fmt.Errorf("image %q: %w", Cut(text), err))
		return image.Reference{}, false
	}
	return ref, true
}

// imageID is an image ID as a digest: some tools leave "sha256:" out. It is
// empty for one that was shortened.
func imageID(id string) string {
	digits := strings.TrimPrefix(id, "sha256:")
	if len(digits) != 64 || !hexadecimal(digits) {
		return ""
	}
	return "sha256:" + digits
}

// shortID is how many digits a tool prints at the least.
const shortID = 12

// hexadecimal reports whether s is nothing but lower-case hex digits.
func hexadecimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdef") == ""
}

// likeID reports whether s is an ID, whole or shortened.
func likeID(s string) bool {
	digits := strings.TrimPrefix(s, "sha256:")
	return len(digits) >= shortID && hexadecimal(digits)
}

// short complains of a shortened ID or digest that may be that of a listed one:
// 48 bits are as good as a proof, but no proof.
func (l *listing) short(r *imageRecord, pinned []image.Reference) {
	known := slices.Clone(r.digests)
	for _, ref := range pinned {
		known = append(known, ref.Digest)
	}
	if slices.ContainsFunc(append(known, imageID(r.id)), l.isListed) {
		return
	}
	l.shortened(r.place.Line, r.id)
}

func (l *listing) isListed(digest string) bool {
	_, ok := l.rec.Set().LookupDigest(digest)
	return ok
}

// shortened complains if id is the beginning of a listed digest.
func (l *listing) shortened(line int, id string) {
	digits := strings.TrimPrefix(id, "sha256:")
	if len(digits) < shortID || len(digits) >= 64 || !hexadecimal(digits) {
		return
	}
	if l.listed == nil {
		for _, a := range l.rec.Set().All() {
			for _, d := range a.Digests {
				l.listed = append(l.listed, strings.TrimPrefix(d.Digest, "sha256:"))
			}
		}
		slices.Sort(l.listed)
	}
	i, _ := slices.BinarySearch(l.listed, digits)
	if i < len(l.listed) && strings.HasPrefix(l.listed[i], digits) {
		l.complain(line, fmt.Errorf("%s begins as the listed sha256:%s does; list it again with --no-trunc", digits, l.listed[i]))
	}
}

// containerRecord is a container as an engine knows it.
type containerRecord struct {
	store   string
	image   string // the name that it was made from, or an ID
	id      string // of the image; as printed
	digests []string
	started time.Time // or made; zero where neither is known
	place   Place
	text    string
	reaches []Credential
}

// maxWaiting bounds the containers that wait for their image to be listed.
const maxWaiting = 100_000

// container reports a container. Its image may be listed further down, with the
// digests that settle what it is.
func (l *listing) container(r *containerRecord) {
	l.count("containers")
	e := Event{
		Kind: Running, Place: l.within(r.place), ImageID: imageID(r.id),
		Digests: r.digests, Text: Cut(r.text), Reaches: r.reaches,
	}
	e.Place.Store = r.store
	if ref, ok := l.reference(r.place.Line, r.image); ok && !likeID(r.image) {
		e.Ref = ref
	}
	if e.ImageID == "" {
		e.ImageID = imageID(r.image)
	}
	if e.ImageID == "" && !slices.ContainsFunc(e.Digests, l.isListed) {
		l.shortened(r.place.Line, r.id)
		l.shortened(r.place.Line, r.image)
	}
	startedAt(&e, r.started, false)
	if e.ImageID != "" && len(l.waiting) < maxWaiting {
		l.waiting = append(l.waiting, e)
		return
	}
	l.event(e)
}

// startedAt says when e, a container, was started. An engine runs what it has:
// unless it was told to ask the registry each time, the image may have been
// pulled long before, and only a digest can tell which one it is.
func startedAt(e *Event, when time.Time, pulled bool) {
	e.Until = when
	if pulled || len(e.Digests) > 0 || e.Ref.Pinned() {
		e.From = when
	}
}

// know keeps which digests an image has, for the containers that name its ID.
func (l *listing) know(id string, pinned []image.Reference, digests []string) {
	if id == "" {
		return
	}
	for _, ref := range pinned {
		l.images[id] = append(l.images[id], ref.Name()+"@"+ref.Digest)
	}
	for _, d := range digests {
		l.images[id] = append(l.images[id], "@"+d)
	}
}

// resolve reports a container with the digests of its image, those under its
// own name and those of the image itself.
func (l *listing) resolve(e Event) {
	for _, known := range l.images[e.ImageID] {
		name, digest, _ := strings.Cut(known, "@")
		if name == "" || e.Ref.Repository == "" || name == e.Ref.Name() {
			e.Digests = append(slices.Clip(e.Digests), digest)
		}
	}
	startedAt(&e, e.Until, false)
	l.event(e)
}

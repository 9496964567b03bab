package registry

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/digestlint/digestlint/image"
)

// accept is the Accept header of every request for a manifest: without the
// indexes some registries would answer with the manifest of one platform. The
// types of schema 1 stand last, so that an image that has nothing else is
// answered with it and can be named as what it is.
var accept = strings.Join([]string{
	string(types.OCIImageIndex),
	string(types.DockerManifestList),
	string(types.OCIManifestSchema1),
	string(types.DockerManifestSchema2),
	string(types.DockerManifestSchema1Signed),
	string(types.DockerManifestSchema1),
}, ", ")

// resolve asks for the manifest of identifier, a tag or a digest.
func (r *repository) resolve(ctx context.Context, identifier string) (Manifest, error) {
	head, err := r.ask(ctx, http.MethodHead, identifier)
	if err != nil {
		return Manifest{}, err
	}
	kind := head.mediaType()
	if kind.IsSchema1() {
		return Manifest{}, errSchema1()
	}
	said := head.digest()
	if said != "" && (kind.IsIndex() || kind.IsImage()) {
		if err := sameDigest(identifier, said); err != nil {
			return Manifest{}, err
		}
		return Manifest{Digest: said, MediaType: string(kind), Index: kind.IsIndex(), Size: max(head.length, 0)}, nil
	}
	read, err := r.read(ctx, identifier, said)
	return read.Manifest, err
}

// read reads the manifest of identifier, a tag or a digest, and hashes it. Said
// is the digest that a HEAD has told, or empty. Whatever claims to be the
// digest of the bytes must be.
func (r *repository) read(ctx context.Context, identifier, said string) (Image, error) {
	get, err := r.ask(ctx, http.MethodGet, identifier)
	if err != nil {
		return Image{}, err
	}
	doc, err := get.parse()
	if err != nil {
		return Image{}, err
	}
	digest := hash("sha256", get.body)
	for _, claim := range []string{said, get.digest(), identifier} {
		if !image.ValidDigest(claim) {
			continue
		}
		digest = hash(algorithm(claim), get.body)
		if err := sameDigest(claim, digest); err != nil {
			return Image{}, err
		}
	}
	m := Manifest{Digest: digest, MediaType: string(doc.MediaType), Index: doc.MediaType.IsIndex(), Size: int64(len(get.body))}
	return Image{Manifest: m, Children: doc.children()}, nil
}

// mediaType is the type of an answer without parameters, empty where none is
// said.
func (a *answer) mediaType() types.MediaType {
	t, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return types.MediaType(t)
}

// digest is what the registry says of the answer, empty where that is none.
func (a *answer) digest() string {
	d := a.header.Get("Docker-Content-Digest")
	if !image.ValidDigest(d) {
		return ""
	}
	return d
}

// document is the part of manifests and indexes that is of interest here
// (https://github.com/opencontainers/image-spec/blob/main/manifest.md and
// image-index.md beside it; Docker's version 2, schema 2 has the same names).
type document struct {
	MediaType types.MediaType `json:"mediaType"`
	Manifests []descriptor    `json:"manifests"`
	Config    *descriptor     `json:"config"`
	Layers    json.RawMessage `json:"layers"`
	// Of schema 1 only.
	FSLayers json.RawMessage `json:"fsLayers"`
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
	Platform  struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
		OSVersion    string `json:"os.version"`
	} `json:"platform"`
}

func (d descriptor) child(kind ChildKind) Child {
	return Child{Kind: kind, Digest: d.Digest, MediaType: d.MediaType, Platform: Platform(d.Platform), Size: d.Size}
}

// parse takes an answer apart and settles what it is. Where header and body
// say different things it is nothing: clients would disagree on the content
// of one digest
// (https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh).
func (a *answer) parse() (*document, error) {
	header := a.mediaType()
	if header == "text/html" {
		return nil, &failure{kind: Invalid, text: "the answer is an HTML page, not a manifest", hint: "a proxy or a login page may stand before the registry"}
	}
	var d document
	if err := json.Unmarshal(a.body, &d); err != nil {
		return nil, errNoManifest()
	}
	if header.IsSchema1() || d.MediaType.IsSchema1() || d.FSLayers != nil {
		return nil, errSchema1()
	}
	known := header.IsIndex() || header.IsImage()
	if known && d.MediaType != "" && d.MediaType != header {
		return nil, &failure{kind: Invalid, text: "the manifest and its header give it different types"}
	}
	switch {
	case known:
		d.MediaType = header
	case d.MediaType == "" && d.Manifests != nil:
		d.MediaType = types.OCIImageIndex
	case d.MediaType == "" && d.Config != nil:
		d.MediaType = types.OCIManifestSchema1
	}
	return &d, d.check()
}

// check refuses what is no manifest, or two at once.
func (d *document) check() error {
	switch {
	case d.Manifests != nil && (d.Config != nil || d.Layers != nil):
		return &failure{kind: Invalid, text: "the manifest is an index and an image at once"}
	case d.MediaType.IsIndex() && d.Manifests != nil:
		for _, m := range d.Manifests {
			if !image.ValidDigest(m.Digest) {
				return &failure{kind: Invalid, text: "the index lists a manifest without a valid digest"}
			}
		}
		return nil
	case d.MediaType.IsImage() && d.Config != nil:
		if !image.ValidDigest(d.Config.Digest) {
			return &failure{kind: Invalid, text: "the manifest has a configuration without a valid digest"}
		}
		return nil
	}
	return errNoManifest()
}

// children are what d names, in its order. It has been checked.
func (d *document) children() []Child {
	if !d.MediaType.IsIndex() {
		return []Child{d.Config.child(ChildConfig)}
	}
	children := make([]Child, len(d.Manifests))
	for i, m := range d.Manifests {
		children[i] = m.child(ChildManifest)
	}
	return children
}

func errNoManifest() error {
	return &failure{kind: Invalid, text: "the answer is not an image manifest"}
}

func errSchema1() error {
	return &failure{
		kind: Invalid,
		text: "a schema 1 manifest, whose digest can't be pinned",
		hint: "push the image again with a current tool",
	}
}

// sameDigest is an error where want is a digest, and not got.
func sameDigest(want, got string) error {
	if !image.ValidDigest(want) || want == got {
		return nil
	}
	return &failure{kind: Invalid, text: fmt.Sprintf("a manifest with the digest %s instead of %s", got, want)}
}

// algorithm of a valid digest.
func algorithm(digest string) string {
	a, _, _ := strings.Cut(digest, ":")
	return a
}

// hash is the digest of b. The algorithm is one that [image.ValidDigest]
// knows; every other is sha256.
func hash(algorithm string, b []byte) string {
	var sum []byte
	switch algorithm {
	case "sha512":
		s := sha512.Sum512(b)
		sum = s[:]
	case "sha384":
		s := sha512.Sum384(b)
		sum = s[:]
	default:
		algorithm = "sha256"
		s := sha256.Sum256(b)
		sum = s[:]
	}
	return algorithm + ":" + hex.EncodeToString(sum)
}

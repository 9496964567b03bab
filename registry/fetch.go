package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/digestlint/digestlint/image"
)

// MaxFile is the most bytes of a file that [Client.Fetch] and [Client.Files]
// give.
const MaxFile = maxBody

// Fetch reads the file at an https address, which has neither a user nor a
// query nor a fragment; plain HTTP is for loopback addresses. The host has to be
// among [Options.Allowed], if there are any. It is sent no credentials, and
// redirects lead neither to plain HTTP nor into a private network. Nothing is
// said of whether the bytes are the right ones.
func (c *Client) Fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, &Error{Reference: "an address", Registry: "an unknown host", Kind: Invalid, op: "fetch",
			Err: &failure{kind: Invalid, text: "not the address of a file without user, query and fragment"}}
	}
	data, err := c.fetch(ctx, u)
	if err != nil {
		f := explain(err)
		return nil, &Error{Registry: u.Host, Reference: u.String(), Kind: f.kind, Err: f, op: "fetch", hint: f.hint}
	}
	return data, nil
}

func (c *Client) fetch(ctx context.Context, u *url.URL) ([]byte, error) {
	if err := c.wire.guard.registry(registryOf(u.Host)); err != nil {
		return nil, err
	}
	plain := loopback(u.Host)
	if u.Scheme != "https" && (u.Scheme != "http" || !plain) {
		return nil, &failure{kind: Invalid, text: "not an https address"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &door{inner: c.wire, plain: plain}, CheckRedirect: checkRedirects}
	resp, err := client.Do(req)
	if err != nil {
		return nil, plainly(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fileRefusal(resp.StatusCode)
	}
	return io.ReadAll(resp.Body) // which the wire has bounded
}

// plainly gives an error that is none of this package a text of its own:
// [explain] speaks of registries.
func plainly(err error) error {
	var own *failure
	if f := explain(err); f.kind != Invalid || errors.As(err, &own) {
		return f
	}
	return &failure{kind: Invalid, text: "the answer is not one of HTTP"}
}

// fileRefusal is the failure that an HTTP status is, where what was asked for
// is no image.
func fileRefusal(status int) *failure {
	f := refusal(status)
	switch f.kind {
	case NotFound:
		f.hint = "nothing is published there, or it is private"
	case Unauthorized:
		f.hint = "no credentials are sent to such an address; a registry is asked with those of `docker login`"
	case RateLimited:
		f.hint = "try again later"
	}
	return f
}

// File is a file of an artifact.
type File struct {
	// Name is its title, empty where it has none.
	Name      string
	MediaType string
	Data      []byte
}

// maxFiles is how many files of an artifact are read.
const maxFiles = 8

// titleAnnotation is the name of a layer that is a file
// (https://github.com/opencontainers/image-spec/blob/main/annotations.md).
const titleAnnotation = "org.opencontainers.image.title"

// layer is the descriptor of a layer.
type layer struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
}

// Files reads the artifact that ref stands for now, with all its files, in
// their order, as ORAS and others push them: each is a layer
// (https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage).
// The bytes are proven to be those that the manifest names, and the manifest's
// those of the digest where ref has one. Together they have at most [MaxFile]
// bytes. Mirrors are asked as for any other reference.
func (c *Client) Files(ctx context.Context, ref image.Reference) ([]File, error) {
	if err := c.check(ref); err != nil {
		return nil, newError("fetch", ref, err)
	}
	files, err := try(ctx, c, ref, func(ctx context.Context, r *repository) ([]File, error) {
		return r.files(ctx, ref)
	})
	if err != nil {
		return nil, newError("fetch", ref, err)
	}
	return files, nil
}

func (r *repository) files(ctx context.Context, ref image.Reference) ([]File, error) {
	identifier := identify(ref)
	if ref.Digest != "" {
		identifier = ref.Digest // the tag says nothing more
	}
	get, err := r.ask(ctx, http.MethodGet, identifier)
	if err != nil {
		return nil, err
	}
	doc, err := get.parse()
	if err != nil {
		return nil, err
	}
	if image.ValidDigest(identifier) {
		if err := sameDigest(identifier, hash(algorithm(identifier), get.body)); err != nil {
			return nil, err
		}
	}
	var layers []layer
	if doc.MediaType.IsIndex() || json.Unmarshal(doc.Layers, &layers) != nil {
		return nil, &failure{kind: Invalid, text: "the manifest is not one of an artifact"}
	}
	if len(layers) > maxFiles {
		return nil, &failure{kind: Invalid, text: fmt.Sprintf("an artifact of more than %d files", maxFiles)}
	}
	var files []File
	total := 0
	for _, l := range layers {
		data, err := r.blob(ctx, l)
		if err != nil {
			return nil, err
		}
		if total += len(data); total > MaxFile {
			return nil, &failure{kind: Invalid, text: fmt.Sprintf("an artifact of more than %d bytes", MaxFile)}
		}
		files = append(files, File{Name: l.Annotations[titleAnnotation], MediaType: l.MediaType, Data: data})
	}
	return files, nil
}

// blob reads the bytes of a layer.
func (r *repository) blob(ctx context.Context, l layer) ([]byte, error) {
	switch {
	case !image.ValidDigest(l.Digest):
		return nil, &failure{kind: Invalid, text: "the manifest names a file without a valid digest"}
	case l.Size > MaxFile:
		return nil, &failure{kind: Invalid, text: fmt.Sprintf("a file of more than %d bytes", MaxFile)}
	}
	address := r.address + "blobs/" + l.Digest
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, r.note(elsewhere(err, tokenServer))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, r.note(refusal(resp.StatusCode))
	}
	data, err := io.ReadAll(resp.Body) // which the wire has bounded
	if err != nil {
		return nil, err
	}
	if got := hash(algorithm(l.Digest), data); got != l.Digest {
		return nil, &failure{kind: Invalid, text: fmt.Sprintf("a file with the digest %s instead of %s", got, l.Digest)}
	}
	return data, nil
}

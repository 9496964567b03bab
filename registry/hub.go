package registry

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
)

// hubAPI is the address of Docker Hub's public API, which knows of each tag
// what its registry serves. Its requests are no pulls
// (https://docs.docker.com/reference/api/hub/latest/).
const hubAPI = "https://hub.docker.com"

// hubTag is what Docker Hub's API says of a tag. Its schema does not name the
// digest and the type, but each record has them
// (https://docs.docker.com/reference/api/hub/latest/schemas/tag/).
type hubTag struct {
	Digest    string     `json:"digest"`
	MediaType string     `json:"media_type"`
	Pushed    string     `json:"tag_last_pushed"`
	Images    []hubImage `json:"images"`
}

// hubImage is one image of a tag. It is part of the tag whatever its status:
// an inactive one is only one that nobody has pulled for long.
type hubImage struct {
	Digest       string `json:"digest"`
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
	OSVersion    string `json:"os_version"`
}

// hubTag asks Docker Hub's API for the tag of ref, without credentials. One
// that the API does not have or show is a failure of kind NotFound.
func (c *Client) hubTag(ctx context.Context, ref image.Reference, tag string) (hubTag, error) {
	return c.hubTags.do(ctx, ref.Name()+" "+tag, func(ctx context.Context) (hubTag, error) {
		if err := c.hubHealth.err(); err != nil {
			return hubTag{}, err
		}
		record, err := c.askHub(ctx, ref.Path(), tag)
		c.hubHealth.note(err)
		return record, err
	})
}

func (c *Client) askHub(ctx context.Context, path, tag string) (hubTag, error) {
	namespace, name, _ := strings.Cut(path, "/")
	if strings.Contains(name, "/") {
		return hubTag{}, refusal(http.StatusNotFound) // names of Docker Hub have two parts
	}
	address := hubAPI + "/v2/namespaces/" + namespace + "/repositories/" + name + "/tags/" + tag
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return hubTag{}, err
	}
	req.Header.Set("Accept", "application/json")
	client := http.Client{Transport: &door{inner: c.wire}, CheckRedirect: noRedirects}
	resp, err := client.Do(req)
	if err != nil {
		return hubTag{}, elsewhere(err, fromHubAPI)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return hubTag{}, refusal(http.StatusNotFound)
	default:
		return hubTag{}, elsewhere(refusal(resp.StatusCode), fromHubAPI)
	}
	var record hubTag
	if err := json.NewDecoder(resp.Body).Decode(&record); err != nil {
		return hubTag{}, &failure{kind: Invalid, text: "the answer of Docker Hub's API is not the record of a tag"}
	}
	return record, nil
}

// fromHubAPI is where a status came from, as [elsewhere] says it.
const fromHubAPI = "from Docker Hub's API"

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// readHub is [repository.read] of a tag for Docker Hub's own registry, which
// counts the reading of a manifest as a pull, and allows few. In its place
// stand two witnesses: the registry's answer to a HEAD, and the API's record
// of the tag. Where they disagree, or the record is not whole, the manifest
// is read after all.
func (c *Client) readHub(ctx context.Context, r *repository, ref image.Reference, tag string) (Image, error) {
	key := ref.Name() + " " + tag
	m, ok := c.manifests.known(key)
	if !ok {
		var err error
		if m, err = r.resolve(ctx, tag); err != nil {
			return Image{}, err
		}
		c.manifests.learn(key, m)
	}
	if read, ok := c.images.known(ref.Name() + " " + m.Digest); ok {
		return read, nil
	}
	record, err := c.hubTag(ctx, ref, tag)
	if err == nil {
		if children, ok := record.witness(m); ok {
			return Image{Manifest: m, Children: children}, nil
		}
	}
	if ctx.Err() != nil {
		return Image{}, ctx.Err()
	}
	return r.read(ctx, m.Digest, "")
}

// witness gives the children of m if t bears out what m says, and lists them
// all. A single image has one that the API does not know, its configuration;
// no children are given for it.
func (t hubTag) witness(m Manifest) ([]Child, bool) {
	if t.Digest != m.Digest || t.MediaType != "" && t.MediaType != m.MediaType || len(t.Images) == 0 {
		return nil, false
	}
	if !m.Index {
		return nil, len(t.Images) == 1 && t.Images[0].Digest == m.Digest
	}
	children := make([]Child, len(t.Images))
	for i, img := range t.Images {
		if !image.ValidDigest(img.Digest) || img.Digest == m.Digest {
			return nil, false
		}
		children[i] = Child{
			Kind:     ChildManifest,
			Digest:   img.Digest,
			Platform: Platform{OS: img.OS, Architecture: img.Architecture, Variant: img.Variant, OSVersion: img.OSVersion},
		}
	}
	return children, true
}

// Pushed says when the tag of ref was last pushed, as far as that can be found
// out: only Docker Hub tells, and only of public repositories. Everywhere else
// it is the zero time. A tag that has been resolved to another digest than
// Docker Hub's record has is one that was pushed just now, and not known
// either. A reference without a tag has no such time if it has a digest.
func (c *Client) Pushed(ctx context.Context, ref image.Reference) (time.Time, error) {
	if err := c.check(ref); err != nil {
		return time.Time{}, newError("date", ref, err)
	}
	tag := identify(ref)
	if ref.Host() != dockerHub || image.ValidDigest(tag) {
		return time.Time{}, nil
	}
	record, err := c.hubTag(ctx, ref, tag)
	if err != nil {
		if explain(err).kind == NotFound {
			return time.Time{}, nil
		}
		return time.Time{}, newError("date", ref, err)
	}
	// A mirror's answer may be read without having been resolved.
	m, ok := c.manifests.known(ref.Name() + " " + tag)
	if !ok {
		var read Image
		read, ok = c.images.known(ref.Name() + " " + tag)
		m = read.Manifest
	}
	if ok && m.Digest != record.Digest {
		return time.Time{}, nil
	}
	pushed, err := time.Parse(time.RFC3339, record.Pushed)
	if err != nil {
		return time.Time{}, nil //nolint:nilerr // a record without the time does not tell
	}
	return pushed, nil
}

package registry

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/digestlint/digestlint/image"
)

// Products that [Client.Product] can tell.
const (
	Artifactory = "Artifactory"
	GitLab      = "GitLab"
	Harbor      = "Harbor"
	Nexus       = "Nexus"
	Quay        = "Quay"
)

// Product is the software behind the registry at the canonical host, one of
// the constants of this package, or empty where its API root does not tell.
func (c *Client) Product(ctx context.Context, host string) (string, error) {
	ref := image.Reference{Registry: host, Repository: anyRepository}
	if err := c.check(ref); err != nil {
		return "", newHostError("reach", "the registry", ref.Host(), err)
	}
	e, err := c.endpoint(ctx, ref.Host())
	if err != nil {
		return "", newHostError("reach", "the registry", ref.Host(), err)
	}
	return e.product, nil
}

// anyRepository makes a host into a reference that can be checked.
const anyRepository = "repository"

// productOf goes by the header of the API root and the challenge there.
func productOf(h http.Header, challenge map[string]string) string {
	realm, _ := url.Parse(challenge["realm"])
	path := ""
	if realm != nil {
		path = realm.Path
	}
	switch service := challenge["service"]; {
	case h.Get("X-JFrog-Version") != "", h.Get("X-Artifactory-Id") != "":
		return Artifactory
	case strings.HasPrefix(h.Get("Server"), "Nexus/"):
		return Nexus
	case service == "harbor-registry":
		return Harbor
	case service == "container_registry" && path == "/jwt/auth":
		return GitLab
	case path == "/v2/auth":
		return Quay
	}
	return ""
}

// Head is what the digest of ref, or its tag, leads to at its registry now, as
// a HEAD request tells. Unlike [Client.Resolve] it leaves out mirrors and
// remembers nothing. A pull-through cache that lacks the manifest asks its
// upstream, and may keep what it gets.
func (c *Client) Head(ctx context.Context, ref image.Reference) (Manifest, error) {
	r, err := c.itself(ctx, ref)
	if err != nil {
		return Manifest{}, newError("ask for", ref, err)
	}
	m, err := r.resolve(ctx, identify(ref))
	if err != nil {
		return Manifest{}, newError("ask for", ref, err)
	}
	return m, nil
}

// HasBlob reports whether the registry of ref has the blob with the digest of
// ref, a layer or a configuration, in the repository. Mirrors are left out.
func (c *Client) HasBlob(ctx context.Context, ref image.Reference) (bool, error) {
	r, err := c.itself(ctx, ref)
	if err == nil && ref.Digest == "" {
		err = &failure{kind: Invalid, text: "no digest"}
	}
	if err != nil {
		return false, newError("ask for", ref, err)
	}
	// Where blobs are is no matter: a redirect says that there is one.
	_, err = r.withoutRedirects().send(ctx, http.MethodHead, "blobs/"+ref.Digest, "*/*")
	f := explain(err)
	switch {
	case err == nil, f.status >= 300 && f.status < 400:
		return true, nil
	case f.status == http.StatusNotFound:
		return false, nil
	}
	return false, newError("ask for", ref, err)
}

// itself gives the repository of ref at its registry, not at a mirror.
func (c *Client) itself(ctx context.Context, ref image.Reference) (*repository, error) {
	if err := c.check(ref); err != nil {
		return nil, err
	}
	return c.repository(ctx, ref.Host(), ref.Path())
}

// withoutRedirects is r for requests that are not sent elsewhere.
func (r *repository) withoutRedirects() *repository {
	plain := *r
	plain.client = &http.Client{
		Transport:     r.client.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &plain
}

// Tags lists the tags of the repository of ref, at most limit, and whether
// there are more. Mirrors are left out, and nothing is remembered. What is no
// tag is not listed
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags).
func (c *Client) Tags(ctx context.Context, ref image.Reference, limit int) (tags []string, more bool, err error) {
	name := image.Reference{Registry: ref.Registry, Repository: ref.Repository}
	r, err := c.itself(ctx, name)
	if err == nil {
		tags, more, err = r.list(ctx, "tags/list", limit, func(l listing) []string { return l.Tags })
	}
	if err != nil {
		return nil, false, newError("list the tags of", name, err)
	}
	tags = slices.DeleteFunc(tags, func(tag string) bool {
		tagged := name
		tagged.Tag = tag
		return tag == "" || checkReference(tagged) != nil
	})
	return tags, more, nil
}

// Catalog lists the repositories of the registry at the canonical host, at
// most limit, and whether there are more. Many registries refuse that, and
// others list only what the asker may read. Nothing is remembered, and what is
// no repository is not listed
// (https://distribution.github.io/distribution/spec/api/#catalog).
func (c *Client) Catalog(ctx context.Context, host string, limit int) (repositories []string, more bool, err error) {
	ref := image.Reference{Registry: host, Repository: anyRepository}
	err = c.check(ref)
	if err == nil {
		repositories, more, err = c.catalog(ctx, ref.Host(), limit)
	}
	if err != nil {
		return nil, false, newHostError("list", "the repositories", ref.Host(), err)
	}
	repositories = slices.DeleteFunc(repositories, func(path string) bool {
		return path == "" || checkReference(image.Reference{Registry: host, Repository: path}) != nil
	})
	return repositories, more, nil
}

func (c *Client) catalog(ctx context.Context, host string, limit int) ([]string, bool, error) {
	e, err := c.endpoint(ctx, host)
	if err != nil {
		return nil, false, err
	}
	r, err := c.special(ctx, e, "", e.registry.Scope(transport.CatalogScope))
	if err != nil {
		return nil, false, err
	}
	return r.list(ctx, "_catalog", limit, func(l listing) []string { return l.Repositories })
}

// special gives the repository with the path, or the API root where that is
// empty, for requests that take another scope than reading the repository.
func (c *Client) special(ctx context.Context, e *endpoint, path, scope string) (*repository, error) {
	a, err := c.account(ctx, e, path)
	if err != nil {
		return nil, err
	}
	rt, err := transport.FromToken(e.registry, a.auth, e.door, e.challenge, &transport.Token{})
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(e.challenge.Scheme, "bearer") {
		own := &bearer{endpoint: e, account: a, now: c.wire.now, scopes: []string{scope}}
		rt = &tokenTransport{endpoint: e, abroad: rt, own: own}
	}
	address := e.address()
	if path != "" {
		address += path + "/"
	}
	return &repository{
		client:    &http.Client{Transport: rt, CheckRedirect: checkRedirects},
		address:   address,
		host:      e.host,
		anonymous: a.anonymous(),
		hub:       e.host == dockerHub,
	}, nil
}

// listing is a page of tags or of repositories.
type listing struct {
	Tags         []string `json:"tags"`
	Repositories []string `json:"repositories"`
}

// pageSize is how many entries are asked for at once. Some registries refuse
// more (https://distribution.github.io/distribution/about/configuration/#catalog).
const pageSize = 1000

// list reads the pages of a list until they end, bring nothing new or hold
// limit entries.
func (r *repository) list(ctx context.Context, path string, limit int, of func(listing) []string) (entries []string, more bool, err error) {
	seen := make(map[string]bool)
	query := "n=" + strconv.Itoa(pageSize)
	for query != "" {
		page, header, err := r.page(ctx, path+"?"+query)
		if err != nil {
			return nil, false, err
		}
		news, last := false, ""
		for _, entry := range of(page) {
			last = entry
			if seen[entry] {
				continue
			}
			if len(entries) == limit {
				return entries, true, nil
			}
			seen[entry], news = true, true
			entries = append(entries, entry)
		}
		query = nextQuery(header)
		if query == "" && len(of(page)) == pageSize {
			// Not every registry that cuts a list says so.
			query = url.Values{"n": {strconv.Itoa(pageSize)}, "last": {last}}.Encode()
		}
		if !news {
			break // a registry that gives the same page for ever
		}
	}
	return entries, false, nil
}

func (r *repository) page(ctx context.Context, path string) (listing, http.Header, error) {
	a, err := r.send(ctx, http.MethodGet, path, "application/json")
	if err != nil {
		return listing{}, nil, err
	}
	var l listing
	if err := json.Unmarshal(a.body, &l); err != nil {
		return listing{}, nil, &failure{kind: Invalid, text: "the answer is not a list"}
	}
	return l, a.header, nil
}

// nextQuery is the query of the next page, empty where there is none. The rest
// of the address in the header is not used: proxies get it wrong, and nobody
// is sent elsewhere by it (https://www.rfc-editor.org/rfc/rfc8288#section-3).
func nextQuery(h http.Header) string {
	for _, link := range h.Values("Link") {
		target, parameters, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
		if !ok || !strings.Contains(strings.ReplaceAll(parameters, `"`, ""), "rel=next") {
			continue
		}
		if u, err := url.Parse(target); err == nil {
			return u.RawQuery
		}
	}
	return ""
}

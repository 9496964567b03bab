// Package registry asks registries for the digest of a tag now. It is the only
// package that uses the network, and the only door to go-containerregistry,
// which it needs for credentials and the authentication handshake.
//
// A [Client] lives for one run. It remembers every answer, failures included,
// so a reference that stands in a thousand files costs one HEAD request, and a
// registry that is down is found out once. What it sends besides is one request
// to the API root of each registry, and one to its token server for each
// repository where the registry uses tokens (their scope is a repository), or
// for each batch of repositories after [Client.Announce].
//
// The digest of a HEAD, which [Client.Resolve] gives, is what the registry says
// it is. [Client.Read] reads the manifest and so proves its digest; callers
// that write a digest down ask for that.
//
// Every error of this package is an [*Error]. Neither it nor what it wraps
// holds credentials, tokens, headers, addresses with a query or text that a
// server sent.
//
// Protocol:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md.
package registry

import (
	"context"
	"crypto/x509"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/digestlint/digestlint/image"
)

// Options are the settings of a [Client]. The zero value of each field is its
// default.
type Options struct {
	// Keychain finds credentials. It is asked once for each registry, for the
	// registry as a whole. By default credentials are those of Docker's and
	// Podman's files, namespaces included, and of the helpers that these name:
	// DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, Docker's config.json and Podman's
	// auth.json, in this order.
	Keychain authn.Keychain
	// Transport sends the requests. By default it is one that honours the
	// proxy variables of the environment. One of the caller knows nothing of
	// RootCAs and sees addresses only after Allowed has judged how they are
	// written, not where names lead.
	Transport http.RoundTripper
	// RootCAs are the certificate authorities of the default Transport,
	// those of the system where it is nil.
	RootCAs *x509.CertPool
	// Concurrency is how many requests a host without settings of its own
	// answers at a time; by default 8, and 4 at Docker Hub.
	Concurrency int
	// Registries are the settings of single registries, by canonical host:
	// "docker.io", "registry.example:5000". They are for requests to that host
	// alone, whose token server may be another; those of "docker.io" are for
	// all hosts that serve it.
	Registries map[string]Registry
	// Allowed, if not nil, are the registries that may be asked, by canonical
	// host: "docker.io", "registry.example:5000". A leading "*." stands for
	// one or more labels: "*.pkg.dev". Others are an error of the kind
	// [NotAllowed], and nothing is sent.
	//
	// Nor is anything sent to an address that is not a public one, loopback,
	// private and link-local addresses above all, wherever it comes from: a
	// token server, a redirect, a name that leads there. Hosts that are listed
	// without a wildcard may have any address, and so may mirrors of allowed
	// registries. Behind a proxy, which looks names up itself, addresses are
	// judged as they are written.
	//
	// Nil allows everything. It is for files that a person has chosen to
	// trust.
	Allowed []string
	// BindMirrors makes Allowed count for mirrors, too. It is for a list and
	// mirrors that come from different hands.
	BindMirrors bool
	// Timeout is for one request with its answer, the body included; by
	// default 20 seconds.
	Timeout time.Duration
	// Retries is how often a request is sent again after a failure that may
	// pass; by default 3. A negative number is none.
	Retries int
	// MaxWait is the longest pause before a request is sent again; by default
	// two minutes, since many limits are for one. A registry that asks for
	// more is given up.
	MaxWait time.Duration
	// SparePulls keeps the client from reading manifests where Docker Hub
	// counts that as a pull. What can't be found out otherwise is an error of
	// the kind [Spared].
	SparePulls bool
	// UserAgent is by default "digestlint".
	UserAgent string
}

// Registry are the settings of one registry, or of one mirror.
type Registry struct {
	// Mirrors are asked in this order before the registry itself. Each is
	// "host[:port][/path]"; the path stands before that of each repository.
	// The settings and credentials of a mirror are those of its own host. Any
	// failure there, a missing image included, leads on to the next.
	Mirrors []string
	// Insecure registries may be spoken to over plain HTTP where HTTPS fails.
	// Loopback addresses always may.
	Insecure bool
	// RootCAs are the certificate authorities of this host, in place of those
	// of [Options.RootCAs].
	RootCAs *x509.CertPool
	// Concurrency is how many requests the host answers at a time; by default
	// as in [Options.Concurrency].
	Concurrency int
	// Rate is how many requests a second are sent at most, evenly spaced. The
	// default is no limit, and 20 for all hosts of Docker Hub together.
	Rate float64
}

// Client asks registries and remembers what they answer. Its methods may be
// called at the same time from several goroutines.
type Client struct {
	keychain keychain
	settings map[string]Registry
	wire     *wire

	sparePulls bool

	mirrors map[string][]source // by canonical host

	registries   memo[*endpoint]   // by canonical host
	repositories memo[*repository] // by canonical name
	manifests    memo[Manifest]    // by canonical name with tag or digest
	images       memo[Image]       // by canonical name with tag or digest

	hubTags   memo[hubTag] // by canonical name with tag
	hubHealth health

	batches batches
}

// New makes a Client. It sends nothing.
func New(o Options) *Client {
	c := &Client{
		keychain:   foreignKeychain{o.Keychain},
		settings:   make(map[string]Registry),
		wire:       newWire(o),
		sparePulls: o.SparePulls,
		mirrors:    make(map[string][]source),
	}
	if o.Keychain == nil {
		c.keychain = &credentialFiles{}
	}
	for host, settings := range o.Registries {
		host = strings.ToLower(host)
		c.settings[host] = settings
		c.mirrors[host] = newMirrors(settings.Mirrors)
		for i := range c.mirrors[host] {
			if m := &c.mirrors[host][i]; o.BindMirrors && m.err == nil {
				m.err = c.wire.guard.registry(m.host)
			}
		}
	}
	return c
}

// Manifest is what a reference stands for at its registry.
type Manifest struct {
	// Digest is valid in the sense of [image.ValidDigest].
	Digest string
	// MediaType is one of the four types of OCI and Docker that a digest can
	// pin, without parameters.
	MediaType string
	// Index is set where the manifest is a list of manifests, one a platform.
	Index bool
	// Size of the manifest in bytes, zero where the registry did not tell.
	Size int64
}

// Resolve gives the manifest that ref stands for now: the index of a
// multi-platform image. It goes by the tag where ref has one, whatever digest
// stands beside it, else by the digest, else by the tag "latest".
//
// It sends one HEAD request. Only where the answer lacks a valid digest or the
// type of a manifest does it read the manifest and compute the digest; a
// registry that then contradicts itself is an error. What [Client.Read] has
// found is not asked again.
func (c *Client) Resolve(ctx context.Context, ref image.Reference) (Manifest, error) {
	if err := c.check(ref); err != nil {
		return Manifest{}, newError("resolve", ref, err)
	}
	identifier := identify(ref)
	key := ref.Name() + " " + identifier
	m, err := c.manifests.do(ctx, key, func(ctx context.Context) (Manifest, error) {
		if read, ok := c.images.known(key); ok {
			return read.Manifest, nil
		}
		return try(ctx, c, ref, func(ctx context.Context, r *repository) (Manifest, error) {
			return r.resolve(ctx, identifier)
		})
	})
	if err != nil {
		return Manifest{}, newError("resolve", ref, err)
	}
	return m, nil
}

// ChildKind is what a [Child] is.
type ChildKind uint8

const (
	// ChildManifest is a manifest, or a further index, that an index lists.
	ChildManifest ChildKind = iota
	// ChildConfig is the configuration of a single image. Its digest is the
	// image ID.
	ChildConfig
)

func (k ChildKind) String() string {
	if k == ChildConfig {
		return "config"
	}
	return "manifest"
}

// Platform is what a manifest of an index is made for; empty fields are not
// said (https://github.com/opencontainers/image-spec/blob/main/image-index.md).
type Platform struct {
	OS           string
	Architecture string
	Variant      string
	OSVersion    string
}

// String is the form that the option --platform of Docker takes:
// "linux/arm64/v8"; empty where no platform is said.
func (p Platform) String() string {
	s := p.OS
	if p.Architecture != "" {
		s += "/" + p.Architecture
	}
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Child is a part that a manifest names by its digest.
type Child struct {
	Kind      ChildKind
	Digest    string // valid in the sense of [image.ValidDigest]
	MediaType string
	Platform  Platform // of a manifest
	Size      int64    // bytes, as the parent says
}

// Image is a manifest and what it names.
type Image struct {
	Manifest
	// Children are in the order of the manifest. The caller must not change
	// the slice.
	Children []Child
}

// Read gives the manifest that ref stands for now, like [Client.Resolve], and
// what it names. The digest is proven: the bytes that the registry sends hash
// to it. That takes one GET request.
//
// Docker Hub counts that request as a pull and allows few of them
// (https://docs.docker.com/docker-hub/usage/pulls/). A tag there is asked for
// with HEAD, and its digest and children are compared with those in Docker
// Hub's public API; only where the API does not bear them out is the manifest
// read. Children that come from the API lack type and size, and a single image
// has none.
func (c *Client) Read(ctx context.Context, ref image.Reference) (Image, error) {
	if err := c.check(ref); err != nil {
		return Image{}, newError("resolve", ref, err)
	}
	read, err := c.read(ctx, ref, identify(ref))
	if err != nil {
		return Image{}, newError("resolve", ref, err)
	}
	return read, nil
}

// Children gives what the manifest digest in the repository of ref names, in
// its order: the manifests of an index, or the configuration of a single
// image. The caller must not change the slice. Unless [Client.Read] has met
// the digest, its bytes are read and proven; Docker Hub counts that as a pull.
func (c *Client) Children(ctx context.Context, ref image.Reference, digest string) ([]Child, error) {
	asked := image.Reference{Registry: ref.Registry, Repository: ref.Repository, Digest: digest}
	if err := c.check(asked); err != nil {
		return nil, newError("read", asked, err)
	}
	if digest == "" {
		return nil, newError("read", asked, &failure{kind: Invalid, text: "no digest"})
	}
	read, err := c.read(ctx, asked, digest)
	if err != nil {
		return nil, newError("read", asked, err)
	}
	return read.Children, nil
}

// read gives the manifest of identifier, a tag or a digest in the repository
// of ref.
func (c *Client) read(ctx context.Context, ref image.Reference, identifier string) (Image, error) {
	key := ref.Name() + " " + identifier
	read, err := c.images.do(ctx, key, func(ctx context.Context) (Image, error) {
		return try(ctx, c, ref, func(ctx context.Context, r *repository) (Image, error) {
			if r.hub && !image.ValidDigest(identifier) {
				return c.readHub(ctx, r, ref, identifier)
			}
			// What has been resolved before stays what it is for the whole
			// run, also if the tag has moved since.
			if m, ok := c.manifests.known(key); ok {
				return r.read(ctx, m.Digest, "")
			}
			return r.read(ctx, identifier, "")
		})
	})
	if err == nil && len(read.Children) > 0 {
		c.images.learn(ref.Name()+" "+read.Digest, read)
	}
	return read, err
}

// check refuses a reference that must not be asked for.
func (c *Client) check(ref image.Reference) error {
	if err := checkReference(ref); err != nil {
		return err
	}
	return c.wire.guard.registry(ref.Host())
}

// checkReference refuses a reference that did not come out of [image.Parse]
// whole, because its parts become parts of an address.
func checkReference(ref image.Reference) error {
	parsed, err := image.Parse(ref.String())
	if err != nil {
		return &failure{kind: Invalid, text: err.Error()}
	}
	if parsed != ref {
		return &failure{kind: Invalid, text: "not a reference"}
	}
	return nil
}

// identify is the part of ref that the address of its manifest ends with.
func identify(ref image.Reference) string {
	switch {
	case ref.Tag != "":
		return ref.Tag
	case ref.Digest != "":
		return ref.Digest
	}
	return "latest"
}

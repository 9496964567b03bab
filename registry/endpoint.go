package registry

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// dockerHub is the canonical host of Docker Hub's references. Its requests go
// to index.docker.io, as name.NewRegistry has it.
const dockerHub = "docker.io"

// maxRedirects is how many redirects one request may take.
const maxRedirects = 5

// endpoint is a registry after its API root has been asked how it wants
// requests to be authorised.
type endpoint struct {
	host      string // canonical
	registry  name.Registry
	door      *door
	challenge *transport.Challenge
	// foreign is set where another host has set the challenge. What that
	// wants to be told is not its business.
	foreign  bool
	product  string         // as [Client.Product] has it
	accounts memo[*account] // by namespace

	mu     sync.Mutex
	shared map[*batch]*bearer
}

// repository is one repository of an endpoint, ready for requests.
type repository struct {
	client    *http.Client
	address   string // up to and with the slash before "manifests"
	host      string // canonical
	anonymous bool
	hub       bool // of Docker Hub itself, not of a mirror
	headsOnly bool // manifests must not be read
}

// endpoint gives the registry of the canonical host.
func (c *Client) endpoint(ctx context.Context, host string) (*endpoint, error) {
	return c.registries.do(ctx, host, func(ctx context.Context) (*endpoint, error) {
		plain := c.settings[host].Insecure || loopback(host)
		var options []name.Option
		if plain {
			options = append(options, name.Insecure)
		}
		registry, err := name.NewRegistry(host, options...)
		if err != nil {
			return nil, &failure{kind: Invalid, text: "the host is not one of a registry"}
		}
		e := &endpoint{
			host:     host,
			registry: registry,
			door:     &door{inner: c.wire, plain: plain},
			shared:   make(map[*batch]*bearer),
		}
		watch := &watch{inner: e.door, host: registry.RegistryStr()}
		e.challenge, err = transport.Ping(ctx, registry, watch)
		if err != nil {
			return nil, elsewhere(err, "at its API root")
		}
		e.foreign = watch.left.Load()
		e.product = productOf(watch.answered(), e.challenge.Parameters)
		return e, nil
	})
}

// repository gives the repository with the path at the canonical host.
func (c *Client) repository(ctx context.Context, host, path string) (*repository, error) {
	return c.repositories.do(ctx, host+"/"+path, func(ctx context.Context) (*repository, error) {
		e, err := c.endpoint(ctx, host)
		if err != nil {
			return nil, err
		}
		a, err := c.account(ctx, e, path)
		if err != nil {
			return nil, err
		}
		rt, err := c.authorise(e, a, path)
		if err != nil {
			return nil, err
		}
		return &repository{
			client:    &http.Client{Transport: rt, CheckRedirect: checkRedirects},
			address:   e.address() + path + "/",
			host:      host,
			anonymous: a.anonymous(),
			hub:       host == dockerHub,
			headsOnly: host == dockerHub && c.sparePulls,
		}, nil
	})
}

// address is that of the API root, with the slash behind it.
func (e *endpoint) address() string {
	scheme := "https"
	if e.challenge.Insecure {
		scheme = "http"
	}
	return scheme + "://" + e.registry.RegistryStr() + "/v2/"
}

// tokenServer is where a status came from, as [elsewhere] says it.
const tokenServer = "from its token server"

// elsewhere says of a status that it was not the manifest's: there, 404 does
// not mean that an image is missing.
func elsewhere(err error, where string) *failure {
	f := explain(err)
	if f.status == 0 {
		return f
	}
	said := *f
	if said.kind == NotFound {
		said.kind = Invalid
	}
	said.text += " " + where
	return &said
}

// answer is a response of status 200, read to its end.
type answer struct {
	header http.Header
	length int64 // Content-Length, -1 where it is not known
	body   []byte
}

// ask sends a request for the manifest of identifier, a tag or a digest.
func (r *repository) ask(ctx context.Context, method, identifier string) (*answer, error) {
	if r.headsOnly && method != http.MethodHead {
		return nil, &failure{kind: Spared, text: "not read, since Docker Hub counts that as a pull"}
	}
	return r.send(ctx, method, "manifests/"+identifier, accept)
}

// send sends a request for what stands at path below the repository. Another
// status than 200 is an error.
func (r *repository) send(ctx context.Context, method, path, accept string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.address+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := r.client.Do(req)
	if err != nil {
		// A status comes as an error only from the token server.
		return nil, r.note(elsewhere(err, tokenServer))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, r.note(refusal(resp.StatusCode))
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return &answer{header: resp.Header, length: resp.ContentLength, body: body}, nil
}

func checkRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return &failure{kind: Invalid, text: "redirected without end"}
	}
	return nil
}

// door is the way of one registry's requests to the wire, and refuses those
// that must not be sent. It sees the handshake and every redirect.
type door struct {
	inner http.RoundTripper
	plain bool // plain HTTP is allowed
}

func (d *door) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := d.check(req); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	return d.inner.RoundTrip(req)
}

func (d *door) check(req *http.Request) error {
	plain := req.URL.Scheme != "https" && !d.plain
	if req.Response == nil || req.Response.Request == nil { // no redirect
		if plain {
			return &failure{kind: Unreachable, text: "no answer over HTTPS", hint: insecureHint}
		}
		return nil
	}
	from := req.Response.Request.URL
	switch {
	case plain:
		return &failure{kind: Invalid, text: "redirected from HTTPS to plain HTTP"}
	case from.Host == req.URL.Host:
		return nil
	case req.Method == http.MethodPost:
		// The body of a token request is the credential itself.
		return &failure{kind: Invalid, text: "the token server redirected to another host"}
	case private(req.URL.Hostname()) && !private(from.Hostname()):
		return &failure{kind: Invalid, text: "redirected to a private address"}
	}
	return nil
}

// private reports whether host is an address that only means something here.
func private(host string) bool {
	if loopback(host) {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified())
}

// loopback reports whether host, with or without a port, is this machine.
func loopback(host string) bool {
	h, _, err := net.SplitHostPort(host)
	if err != nil {
		h = host
	}
	h = strings.Trim(h, "[]")
	if h == "localhost" || strings.HasSuffix(h, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(h)
	return err == nil && a.Unmap().IsLoopback()
}

// watch notes whether requests leave a host, and the header of its last answer.
type watch struct {
	inner http.RoundTripper
	host  string
	left  atomic.Bool

	mu     sync.Mutex
	header http.Header
}

func (w *watch) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != w.host {
		w.left.Store(true)
		return w.inner.RoundTrip(req)
	}
	resp, err := w.inner.RoundTrip(req)
	if err == nil {
		w.mu.Lock()
		w.header = resp.Header
		w.mu.Unlock()
	}
	return resp, err
}

// answered is the header of the last answer, nil where there was none.
func (w *watch) answered() http.Header {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.header
}

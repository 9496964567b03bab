package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
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
	registry    name.Registry
	door        *door
	challenge   *transport.Challenge
	credentials authn.Authenticator // authn.Anonymous where there are none
	token       string              // bearer token from the credential file
}

// repository is one repository of an endpoint, ready for requests.
type repository struct {
	client    *http.Client
	address   string // of the manifests, up to and with the last slash
	anonymous bool
	hub       bool // of Docker Hub itself, not of a mirror
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
		e := &endpoint{registry: registry, door: &door{inner: c.wire, plain: plain}}
		return e, e.greet(ctx, c.keychain)
	})
}

// greet asks the API root and finds the credentials.
func (e *endpoint) greet(ctx context.Context, keychain authn.Keychain) error {
	watch := &watch{inner: e.door, host: e.registry.RegistryStr()}
	challenge, err := transport.Ping(ctx, e.registry, watch)
	if err != nil {
		return elsewhere(err, "at its API root")
	}
	e.challenge = challenge
	e.credentials = authn.Anonymous
	if watch.left.Load() {
		// Another host has set the challenge: what it wants to be told is
		// not its business.
		return nil
	}
	config, err := findCredentials(ctx, keychain, e.registry)
	if err != nil {
		return err
	}
	if *config != (authn.AuthConfig{}) {
		e.credentials = authn.FromConfig(*config)
		e.token = config.RegistryToken
	}
	return nil
}

// findCredentials asks keychain for those of registry. A helper is a process
// that knows nothing of ctx; it is left behind when ctx ends.
func findCredentials(ctx context.Context, keychain authn.Keychain, registry name.Registry) (*authn.AuthConfig, error) {
	type outcome struct {
		config *authn.AuthConfig
		err    error
	}
	found := make(chan outcome, 1)
	go func() {
		var o outcome
		var auth authn.Authenticator
		if auth, o.err = authn.Resolve(ctx, keychain, registry); o.err == nil {
			o.config, o.err = authn.Authorization(ctx, auth)
		}
		found <- o
	}()
	select {
	case o := <-found:
		if o.err != nil {
			// The error may quote what the helper printed.
			return nil, &failure{kind: Credentials, text: "the credential file or helper failed"}
		}
		return o.config, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// repository gives the repository with the path at the canonical host.
func (c *Client) repository(ctx context.Context, host, path string) (*repository, error) {
	return c.repositories.do(ctx, host+"/"+path, func(ctx context.Context) (*repository, error) {
		e, err := c.endpoint(ctx, host)
		if err != nil {
			return nil, err
		}
		rt, err := e.authorised(ctx, path)
		if err != nil {
			return nil, noteCredentials(err, e.anonymous())
		}
		scheme := "https"
		if e.challenge.Insecure {
			scheme = "http"
		}
		return &repository{
			client:    &http.Client{Transport: rt, CheckRedirect: checkRedirects},
			address:   scheme + "://" + e.registry.RegistryStr() + "/v2/" + path + "/manifests/",
			anonymous: e.anonymous(),
			hub:       host == dockerHub,
		}, nil
	})
}

func (e *endpoint) anonymous() bool { return e.credentials == authn.Anonymous }

// authorised is a transport whose requests carry what the registry wants for
// reading the repository at path, and requests to other hosts nothing of it.
func (e *endpoint) authorised(ctx context.Context, path string) (http.RoundTripper, error) {
	token := &transport.Token{Token: e.token}
	if strings.EqualFold(e.challenge.Scheme, "bearer") && e.token == "" {
		scope := e.registry.Repo(path).Scope(transport.PullScope)
		var err error
		token, err = transport.Exchange(ctx, e.registry, e.credentials, e.door, []string{scope}, e.challenge)
		if err != nil {
			return nil, elsewhere(err, tokenServer)
		}
		if token.AccessToken != "" { // another name of the same
			token.Token = token.AccessToken
		}
	}
	return transport.FromToken(e.registry, e.credentials, e.door, e.challenge, token)
}

// noteCredentials gives a refusal another hint where credentials were sent.
func noteCredentials(err error, anonymous bool) error {
	var f *failure
	if anonymous || !errors.As(err, &f) || f.kind != Unauthorized {
		return err
	}
	noted := *f
	noted.hint = "the stored credentials were refused: log in again, or as somebody who may read the repository"
	return &noted
}

// tokenServer is where a status came from, as [elsewhere] says it.
const tokenServer = "from its token server"

// elsewhere says of a status that it was not the manifest's: there, 404 does
// not mean that an image is missing.
func elsewhere(err error, where string) error {
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
	req, err := http.NewRequestWithContext(ctx, method, r.address+identifier, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := r.client.Do(req)
	if err != nil {
		// A status comes as an error only from the renewal of a token.
		return nil, noteCredentials(elsewhere(err, tokenServer), r.anonymous)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, noteCredentials(refusal(resp.StatusCode), r.anonymous)
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

// watch notes whether requests leave a host.
type watch struct {
	inner http.RoundTripper
	host  string
	left  atomic.Bool
}

func (w *watch) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != w.host {
		w.left.Store(true)
	}
	return w.inner.RoundTrip(req)
}

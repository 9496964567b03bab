package registry

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/digestlint/digestlint/image"
)

// batchSize is how many repositories a shared token is for. Each adds some
// hundred bytes to a token that names what it is good for, and servers commonly
// refuse headers of more than 8 KiB.
const batchSize = 16

// defaultLifetime is that of a token whose server does not tell
// (https://distribution.github.io/distribution/spec/auth/token/).
const defaultLifetime = time.Minute

// batch are repositories of one registry that are read with one token.
type batch struct{ paths []string }

// batches are the batches of a client. The zero value is ready for use.
type batches struct {
	mu sync.Mutex
	of map[string]*batch // by canonical host and path
}

// Announce says which references are going to be asked for. It sends nothing,
// but lets one token serve several repositories later. The references of one
// call share tokens; those that nobody asks for cost nothing.
func (c *Client) Announce(refs []image.Reference) {
	type group struct{ host, namespace string }
	b := &c.batches
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = make(map[string]*batch)
	}
	open := make(map[group]*batch)
	add := func(host, path string) {
		key := host + "/" + path
		if b.of[key] != nil {
			return
		}
		// Different credentials can't get one token.
		g := group{host, c.keychain.namespace(host, path)}
		if open[g] == nil || len(open[g].paths) == batchSize {
			open[g] = &batch{}
		}
		open[g].paths = append(open[g].paths, path)
		b.of[key] = open[g]
	}
	for _, ref := range refs {
		if checkReference(ref) != nil {
			continue
		}
		for _, s := range c.mirrors[ref.Host()] {
			if s.err == nil {
				add(s.host, s.path(ref.Path()))
			}
		}
		add(ref.Host(), ref.Path())
	}
}

// find gives the batch of a repository, nil where it is alone.
func (b *batches) find(host, path string) *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if found := b.of[host+"/"+path]; found != nil && len(found.paths) > 1 {
		return found
	}
	return nil
}

// authorise gives a transport whose requests carry what the registry wants for
// reading the repository at path, and requests to other hosts nothing of it.
func (c *Client) authorise(e *endpoint, a *account, path string) (http.RoundTripper, error) {
	// Without a token it authorises only requests that were redirected to
	// another registry, anonymously.
	plain, err := transport.FromToken(e.registry, a.auth, e.door, e.challenge, &transport.Token{})
	if err != nil || !strings.EqualFold(e.challenge.Scheme, "bearer") {
		return plain, err
	}
	t := &tokenTransport{endpoint: e, abroad: plain, own: c.bearer(e, a, path)}
	if b := c.batches.find(e.host, path); b != nil && a.token == "" {
		t.shared = e.bearer(b, func() *bearer { return c.bearer(e, a, b.paths...) })
	}
	return t, nil
}

// bearer is one whose tokens are for the paths.
func (c *Client) bearer(e *endpoint, a *account, paths ...string) *bearer {
	b := &bearer{endpoint: e, account: a, now: c.wire.now}
	for _, path := range paths {
		b.scopes = append(b.scopes, e.registry.Repo(path).Scope(transport.PullScope))
	}
	return b
}

// bearer gives the one of a batch, made when it is first needed.
func (e *endpoint) bearer(b *batch, first func() *bearer) *bearer {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shared[b] == nil {
		e.shared[b] = first()
	}
	return e.shared[b]
}

// is reports whether u is at the registry itself.
func (e *endpoint) is(u *url.URL) bool {
	defaultPort := "443"
	if u.Scheme == "http" {
		defaultPort = "80"
	}
	full := func(host string) string {
		if _, _, err := net.SplitHostPort(host); err == nil {
			return host
		}
		return net.JoinHostPort(strings.Trim(host, "[]"), defaultPort)
	}
	return full(u.Host) == full(e.registry.RegistryStr())
}

// tokenTransport sends requests for one repository with bearer tokens.
type tokenTransport struct {
	endpoint *endpoint
	abroad   http.RoundTripper // for requests that were redirected elsewhere
	own      *bearer           // for this repository alone
	shared   *bearer           // for a batch; may be nil
	alone    atomic.Bool       // the shared token is of no use here
}

// RoundTrip sends req. What is refused with a shared token is sent again with
// one of its own: token servers may give less than they were asked for, all at
// once or for the first repository only, and a registry may not like the
// length of the token.
func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.endpoint.is(req.URL) {
		return t.abroad.RoundTrip(req)
	}
	if t.shared != nil && !t.alone.Load() {
		resp, err := t.shared.send(req, true)
		if !refused(resp, err) {
			return resp, err
		}
		if err == nil {
			resp.Body.Close()
		}
		t.alone.Store(true)
	}
	return t.own.send(req, false)
}

// refused reports whether an outcome may be the token's fault.
func refused(resp *http.Response, err error) bool {
	if err == nil {
		return refusedStatus(resp.StatusCode)
	}
	f := explain(err)
	return refusedStatus(f.status) || f.kind == Invalid
}

func refusedStatus(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests
}

// bearer has the token for some repositories of an endpoint, and gets another
// one when it has expired.
type bearer struct {
	endpoint *endpoint
	account  *account
	now      func() time.Time
	tokens   memo[*token] // by number

	mu     sync.Mutex
	number int // of the current token
	scopes []string
}

type token struct {
	text     string
	number   int
	expires  time.Time
	accepted atomic.Bool // by the registry, at least once
}

// send sends req with the token. After a status 401 that may come from the
// token's age it does so once more, with a new one. Of many requests that find
// the token too old one gets the new one.
func (b *bearer) send(req *http.Request, shared bool) (*http.Response, error) {
	t, err := b.token(req.Context())
	if err != nil {
		return nil, err
	}
	resp, err := b.sendWith(req, t)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	scope := wantedScope(resp.Header)
	// A shared token may also be one that is not for this repository. A token
	// that has never been good for anything will not be better the next time.
	old := !b.now().Before(t.expires)
	if !old && (shared || !t.accepted.Load() && !b.lacks(scope)) || b.account.token != "" {
		return resp, nil
	}
	resp.Body.Close()
	b.renew(t.number, scope)
	if t, err = b.token(req.Context()); err != nil {
		return nil, err
	}
	return b.sendWith(req, t)
}

func (b *bearer) sendWith(req *http.Request, t *token) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.Header.Set("Authorization", "Bearer "+t.text)
	resp, err := b.endpoint.door.RoundTrip(out)
	if err == nil && resp.StatusCode != http.StatusUnauthorized {
		t.accepted.Store(true)
	}
	return resp, err
}

// token gives the current token, a new one where that is too old.
func (b *bearer) token(ctx context.Context) (*token, error) {
	if b.account.token != "" {
		return &token{text: b.account.token}, nil
	}
	t, err := b.current(ctx)
	if err != nil || b.now().Before(t.expires) {
		return t, err
	}
	b.renew(t.number, "")
	return b.current(ctx)
}

func (b *bearer) current(ctx context.Context) (*token, error) {
	b.mu.Lock()
	number, scopes := b.number, b.scopes
	b.mu.Unlock()
	return b.tokens.do(ctx, strconv.Itoa(number), func(ctx context.Context) (*token, error) {
		e := b.endpoint
		answer, err := transport.Exchange(ctx, e.registry, b.account.auth, e.door, scopes, e.challenge)
		if err != nil {
			return nil, err
		}
		t := &token{text: answer.Token, number: number}
		if answer.AccessToken != "" { // another name of the same
			t.text = answer.AccessToken
		}
		lifetime := time.Duration(answer.ExpiresIn) * time.Second
		if lifetime <= 0 {
			lifetime = defaultLifetime
		}
		// The server began to count before its answer arrived here.
		t.expires = b.now().Add(lifetime / 10 * 9)
		return t, nil
	})
}

// renew makes the next asker get a token after the one with the number, for
// scope as well. Some registries look only at the first scope that is asked
// for, so that one stands there.
func (b *bearer) renew(number int, scope string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.number != number {
		return // somebody else was faster
	}
	b.number++
	if scope != "" && !slices.Contains(b.scopes, scope) {
		b.scopes = append([]string{scope}, b.scopes...)
	}
}

// lacks reports whether scope is one that the tokens are not for.
func (b *bearer) lacks(scope string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return scope != "" && !slices.Contains(b.scopes, scope)
}

// wantedScope is the scope that a challenge names, empty where it names none
// (https://distribution.github.io/distribution/spec/auth/token/).
func wantedScope(h http.Header) string {
	for _, challenge := range h.Values("WWW-Authenticate") {
		if _, rest, ok := strings.Cut(challenge, `scope="`); ok {
			scope, _, _ := strings.Cut(rest, `"`)
			return scope
		}
	}
	return ""
}

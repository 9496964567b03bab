package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/digestlint/digestlint/image"
)

// issuer is a registry with a token server at one host. A token names the
// scopes that it is good for and ends; the registry enforces both.
type issuer struct {
	now      func() time.Time
	lifetime time.Duration
	// How token servers and registries differ:
	refuseBatches int             // status for more than one scope
	firstOnly     bool            // of several scopes the first is given
	private       map[string]bool // repositories for which nothing is given
	hidden        bool            // status 404 in place of 401 without access
	maxHeader     int             // bytes of an Authorization header, status 431 beyond
	extraScope    string          // that the registry wants, and says in its challenge

	mu      sync.Mutex
	asked   []url.Values // queries of token requests
	revoked int64        // tokens that were issued before are not valid
}

type claims struct {
	Scopes  []string
	Expires time.Time
	Number  int
}

func newIssuer() *issuer {
	return &issuer{now: time.Now, lifetime: time.Hour}
}

func (s *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/token" {
		s.token(w, r)
		return
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	scope := "repository:" + path + ":pull"
	if s.extraScope != "" {
		scope = s.extraScope
	}
	authorization := r.Header.Get("Authorization")
	switch {
	case s.maxHeader > 0 && len(authorization) > s.maxHeader:
		w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
	case path != "" && s.allows(authorization, scope):
		good(w, r)
	case path != "" && authorization != "" && s.hidden:
		w.WriteHeader(http.StatusNotFound)
	default:
		text := fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, r.Host)
		if path != "" {
			text += `,scope="` + scope + `",error="insufficient_scope"`
		}
		challenge(w, text)
	}
}

func (s *issuer) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.asked = append(s.asked, r.Form)
	scopes := r.Form["scope"]
	if len(scopes) > 1 && s.refuseBatches != 0 {
		w.WriteHeader(s.refuseBatches)
		return
	}
	if s.firstOnly {
		scopes = scopes[:1]
	}
	scopes = slices.DeleteFunc(scopes, func(scope string) bool {
		path := strings.TrimSuffix(strings.TrimPrefix(scope, "repository:"), ":pull")
		return s.private[path]
	})
	text, _ := json.Marshal(claims{scopes, s.now().Add(s.lifetime), len(s.asked)})
	fmt.Fprintf(w, `{"token": %q, "expires_in": %d}`, base64.StdEncoding.EncodeToString(text), int(s.lifetime.Seconds()))
}

func (s *issuer) allows(authorization, scope string) bool {
	encoded, ok := strings.CutPrefix(authorization, "Bearer ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	var c claims
	return ok && err == nil && json.Unmarshal(text, &c) == nil &&
		slices.Contains(c.Scopes, scope) && s.now().Before(c.Expires) && int64(c.Number) > s.revoked
}

// refs are n references of as many repositories at a host.
func refs(t *testing.T, host string, n int) []image.Reference {
	t.Helper()
	var all []image.Reference
	for i := range n {
		all = append(all, parse(t, "%s/team/app%03d:1", host, i))
	}
	return all
}

// resolveEach resolves the references at the same time.
func resolveEach(t *testing.T, c *Client, refs []image.Reference) {
	t.Helper()
	var wg sync.WaitGroup
	for _, ref := range refs {
		wg.Go(func() {
			if _, err := c.Resolve(context.Background(), ref); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// With an announcement a token is for sixteen repositories, without one for
// one.
func TestAnnounce(t *testing.T) {
	for _, test := range []struct {
		announced, tokens int
	}{{200, 13}, {0, 200}, {1, 200}, {20, 2 + 180}, {16, 1 + 184}} {
		t.Run(fmt.Sprint(test.announced), func(t *testing.T) {
			s := serve(t, newIssuer())
			c, _ := newClient(Options{})
			all := refs(t, s.host(), 200)
			c.Announce(all[:test.announced])
			c.Announce(all[:test.announced]) // once more changes nothing
			if s.total("") != 0 {
				t.Error("an announcement sent something")
			}
			resolveEach(t, c, all)
			for prefix, want := range map[string]int{"GET /v2/": 1, "GET /token": test.tokens, "HEAD ": 200} {
				if got := s.total(prefix); got != want {
					t.Errorf("%d requests %q, want %d", got, prefix, want)
				}
			}
		})
	}
}

// What is announced but not asked for, or not a reference, costs nothing.
func TestAnnounceMore(t *testing.T) {
	issuer := newIssuer()
	s := serve(t, issuer)
	c, _ := newClient(Options{})
	all := refs(t, s.host(), 40)
	all = append(all, all[0], parse(t, "%s/team/app000:2", s.host()), image.Reference{Repository: "../x"})
	c.Announce(all)
	resolveEach(t, c, append(all[:1:1], all[41])) // one repository of the first batch
	if n := s.total("GET /token"); n != 1 {
		t.Errorf("%d tokens, want 1", n)
	}
	if got := issuer.asked[0]["scope"]; len(got) != batchSize || got[0] != "repository:team/app000:pull" {
		t.Errorf("asked for the scopes %q", got)
	}
}

// However a batch is refused, each repository gets its answer with a token of
// its own.
func TestBatchRefused(t *testing.T) {
	const n = 20 // two batches
	for name, test := range map[string]struct {
		issuer *issuer
		tokens int
		heads  int
	}{
		"by the token server, 400":  {&issuer{refuseBatches: 400}, 2 + n, n},
		"by the token server, 401":  {&issuer{refuseBatches: 401}, 2 + n, n},
		"by the token server, 403":  {&issuer{refuseBatches: 403}, 2 + n, n},
		"by the token server, 414":  {&issuer{refuseBatches: 414}, 2 + n, n},
		"first scope only":          {&issuer{firstOnly: true}, 2 + n - 2, n + n - 2},
		"first scope only, hidden":  {&issuer{firstOnly: true, hidden: true}, 2 + n - 2, n + n - 2},
		"too long for the registry": {&issuer{maxHeader: 400}, 2 + 16, n + 16}, // that of four is short enough
	} {
		t.Run(name, func(t *testing.T) {
			test.issuer.now, test.issuer.lifetime = time.Now, time.Hour
			s := serve(t, test.issuer)
			c, naps := newClient(Options{})
			all := refs(t, s.host(), n)
			c.Announce(all)
			resolveEach(t, c, all)
			for prefix, want := range map[string]int{"GET /v2/": 1, "GET /token": test.tokens, "HEAD ": test.heads} {
				if got := s.total(prefix); got != want {
					t.Errorf("%d requests %q, want %d", got, prefix, want)
				}
			}
			if len(naps.taken) > 0 {
				t.Errorf("%d pauses", len(naps.taken))
			}
			// A repository stays on its own.
			before := s.total("")
			for i := range all {
				all[i].Tag = "2"
			}
			resolveEach(t, c, all)
			if got := s.total("") - before; got != n {
				t.Errorf("%d requests for other tags, want %d", got, n)
			}
		})
	}
}

// One repository of a batch that may not be read costs the others nothing.
func TestBatchWithPrivate(t *testing.T) {
	issuer := newIssuer()
	issuer.private = map[string]bool{"team/app003": true}
	s := serve(t, issuer)
	c, _ := newClient(Options{})
	all := refs(t, s.host(), 10)
	c.Announce(all)
	for i, ref := range all {
		_, err := c.Resolve(context.Background(), ref)
		if i == 3 {
			asError(t, err, Unauthorized)
		} else if err != nil {
			t.Error(err)
		}
	}
	// The private one is asked for with the shared token and with its own.
	if heads, tokens := s.total("HEAD "), s.total("GET /token"); heads != 11 || tokens != 2 {
		t.Errorf("%d HEAD requests and %d tokens, want 11 and 2", heads, tokens)
	}
}

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// An expired token is renewed once, not for each request, and without asking
// the registry with the old one.
func TestTokenExpires(t *testing.T) {
	for name, announce := range map[string]bool{"batch": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			now := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			issuer := newIssuer()
			issuer.now, issuer.lifetime = now.time, 5*time.Minute
			s := serve(t, issuer)
			c, _ := newClient(Options{})
			c.wire.now = now.time
			tokens := 8
			all := refs(t, s.host(), 8)
			if announce {
				tokens = 1
				c.Announce(all)
			}
			for round := range 3 {
				for i := range all {
					all[i].Tag = fmt.Sprint(round)
				}
				resolveEach(t, c, all)
				if got := s.total("GET /token"); got != (round+1)*tokens {
					t.Errorf("round %d: %d tokens, want %d", round, got, (round+1)*tokens)
				}
				now.pass(5 * time.Minute)
			}
			if got := s.total("HEAD "); got != 3*8 {
				t.Errorf("%d HEAD requests, want %d", got, 3*8)
			}
		})
	}
}

// A token that ends before its time is renewed after the registry has refused
// it, once for all requests.
func TestTokenRevoked(t *testing.T) {
	issuer := newIssuer()
	s := serve(t, issuer)
	c, _ := newClient(Options{Concurrency: 100})
	resolveEach(t, c, []image.Reference{parse(t, "%s/app:1", s.host())})
	issuer.mu.Lock()
	issuer.revoked = 1
	issuer.mu.Unlock()
	var all []image.Reference
	for i := range 50 {
		all = append(all, parse(t, "%s/app:v%d", s.host(), i))
	}
	resolveEach(t, c, all)
	if got := s.total("GET /token"); got != 2 {
		t.Errorf("%d tokens, want 2", got)
	}
}

// The registry's challenge may name another scope than the protocol has.
func TestTokenExtraScope(t *testing.T) {
	issuer := newIssuer()
	issuer.extraScope = "aws"
	s := serve(t, issuer)
	c, _ := newClient(Options{})
	for _, tag := range []string{"1", "2"} {
		resolveEach(t, c, []image.Reference{parse(t, "%s/app:%s", s.host(), tag)})
	}
	if got := issuer.asked; len(got) != 2 || !slices.Equal(got[1]["scope"], []string{"aws", "repository:app:pull"}) {
		t.Errorf("asked for %v", got)
	}
}

// A repository that may not be read costs one token and one request, also
// when it is asked for again.
func TestTokenUseless(t *testing.T) {
	issuer := newIssuer()
	issuer.private = map[string]bool{"app": true}
	s := serve(t, issuer)
	c, _ := newClient(Options{})
	for i := range 3 {
		_, err := c.Resolve(context.Background(), parse(t, "%s/app:%d", s.host(), i))
		asError(t, err, Unauthorized)
	}
	if tokens, heads := s.total("GET /token"), s.total("HEAD "); tokens != 1 || heads != 3 {
		t.Errorf("%d tokens and %d HEAD requests, want 1 and 3", tokens, heads)
	}
}

// An identity token is exchanged by POST, for a batch too.
func TestIdentityToken(t *testing.T) {
	issuer := newIssuer()
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if err := r.ParseForm(); err != nil || r.Form.Get("grant_type") != "refresh_token" || r.Form.Get("refresh_token") != testPassword {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			r.Form["scope"] = strings.Fields(r.Form.Get("scope"))
		}
		issuer.ServeHTTP(w, r)
	}))
	identity := authn.AuthConfig{Username: "<token>", IdentityToken: testPassword}
	c, _ := newClient(Options{Keychain: &keys{logins: map[string]authn.AuthConfig{s.host(): identity}}})
	all := refs(t, s.host(), 4)
	c.Announce(all)
	resolveEach(t, c, all)
	if n := s.total("POST /token"); n != 1 {
		t.Errorf("%d tokens, want 1", n)
	}
}

// A failure of the token server concerns its batch only for as long as it
// answers that way, and is found out once.
func TestBatchServerFails(t *testing.T) {
	issuer := newIssuer()
	issuer.refuseBatches = http.StatusNotImplemented
	s := serve(t, issuer)
	c, _ := newClient(Options{})
	all := refs(t, s.host(), 10)
	c.Announce(all)
	for _, ref := range all {
		_, err := c.Resolve(context.Background(), ref)
		asError(t, err, Server)
	}
	if n := s.total("GET /token"); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

// Mirrors have batches of their own.
func TestAnnounceMirror(t *testing.T) {
	mirror, registry := serve(t, newIssuer()), serve(t, newIssuer())
	c, _ := newClient(Options{Registries: mirrored(registry.host(), mirror.host()+"/hub")})
	all := refs(t, registry.host(), 32)
	c.Announce(all)
	resolveEach(t, c, all)
	if n := mirror.total("GET /token"); n != 2 {
		t.Errorf("%d tokens at the mirror, want 2", n)
	}
	if n := registry.total(""); n != 0 {
		t.Errorf("%d requests at the registry, want none", n)
	}
}

func TestWantedScope(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		`Basic realm="x"`:                    "",
		`Bearer realm="x",scope="a:b:pull"`:  "a:b:pull",
		`Bearer scope="a", realm="x"`:        "a",
		`Bearer realm="x",scope="unfinished`: "unfinished",
	} {
		if got := wantedScope(http.Header{"Www-Authenticate": {text}}); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// The default port makes no other host; another port, name or nothing does.
func TestEndpointIs(t *testing.T) {
	n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": good, "https://[2001:db8::1]": good}}
	c, _ := newClient(Options{Transport: n})
	for host, others := range map[string]map[string]bool{
		"registry.test": {"https://registry.test/x": true, "https://registry.test:443": true, "https://registry.test:80": false, "https://sub.registry.test": false},
		"[2001:db8::1]": {"https://[2001:db8::1]:443": true, "https://[2001:db8::1]": true, "https://[2001:db8::2]": false},
	} {
		e, err := c.endpoint(context.Background(), host)
		if err != nil {
			t.Fatal(err)
		}
		for address, want := range others {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.is(u); got != want {
				t.Errorf("%s is %s: %v, want %v", address, host, got, want)
			}
		}
	}
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
)

const (
	testPassword = "the-password"
	testToken    = "the-token"
)

var testLogin = authn.AuthConfig{Username: user, Password: testPassword}

// secrets are all forms in which testLogin and tokens travel.
var secrets = []string{testPassword, testToken, basic(testPassword)}

// tokenRegistry is a registry with a token server, both at one host. Manifests
// want a token for their repository; each token is good for one use when
// expiring is set.
type tokenRegistry struct {
	expiring bool
	field    string // of the token in the answer, "token" where empty

	mu     sync.Mutex
	issued int
	used   map[string]bool
}

func (s *tokenRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	repository := strings.TrimPrefix(r.URL.Path, "/v2/")
	repository, _, _ = strings.Cut(repository, "/manifests/")
	scope := "repository:" + repository + ":pull"
	switch {
	case r.URL.Path == "/token":
		field := s.field
		if field == "" {
			field = "token"
		}
		s.issued++
		fmt.Fprintf(w, `{%q: "%s %d for %s"}`, field, testToken, s.issued, strings.Join(r.URL.Query()["scope"], " "))
	case repository != "" && s.valid(r.Header.Get("Authorization"), scope):
		good(w, r)
	default:
		scheme := "http"
		if r.TLS != nil || r.URL.Scheme == "https" {
			scheme = "https"
		}
		challenge := fmt.Sprintf(`Bearer realm="%s://%s/token",service="test"`, scheme, r.Host)
		if repository != "" {
			challenge += `,scope="` + scope + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func (s *tokenRegistry) valid(authorization, scope string) bool {
	if !strings.HasPrefix(authorization, "Bearer "+testToken) || !strings.HasSuffix(authorization, " for "+scope) {
		return false
	}
	if s.used == nil {
		s.used = make(map[string]bool)
	}
	spent := s.used[authorization]
	s.used[authorization] = s.expiring
	return !spent
}

// One request to the API root for the registry, one to the token server for
// each repository.
func TestTokenOnce(t *testing.T) {
	s := serve(t, &tokenRegistry{})
	c, _ := newClient(Options{Keychain: &keys{logins: map[string]authn.AuthConfig{s.host(): testLogin}}})
	const repositories, tags = 10, 3
	var wg sync.WaitGroup
	for i := range repositories * tags {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := c.Resolve(context.Background(), parse(t, "%s/app%d:%d", s.host(), i%repositories, i/repositories)); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	for prefix, n := range map[string]int{"GET /v2/": 1, "GET /token": repositories, "HEAD ": repositories * tags} {
		if got := s.total(prefix); got != n {
			t.Errorf("%d requests %q, want %d", got, prefix, n)
		}
	}
	for _, h := range s.headers {
		if got := h.Get("User-Agent"); got != "digestlint" {
			t.Errorf("User-Agent is %q", got)
		}
	}
}

func TestTokenRenewed(t *testing.T) {
	s := serve(t, &tokenRegistry{expiring: true})
	c, _ := newClient(Options{})
	for i := range 3 {
		if _, err := c.Resolve(context.Background(), parse(t, "%s/app:%d", s.host(), i)); err != nil {
			t.Error(err)
		}
	}
	if n := s.total("GET /token"); n != 3 {
		t.Errorf("%d tokens fetched, want 3", n)
	}
}

func TestAccessToken(t *testing.T) {
	s := serve(t, &tokenRegistry{field: "access_token"})
	c, _ := newClient(Options{})
	if _, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host())); err != nil {
		t.Error(err)
	}
	if n := s.total("GET /token"); n != 1 {
		t.Errorf("%d tokens fetched, want 1", n)
	}
}

// A token of the credential file is used as it is.
func TestRegistryToken(t *testing.T) {
	s := serve(t, &tokenRegistry{})
	token := authn.AuthConfig{RegistryToken: testToken + " 1 for repository:app:pull"}
	c, _ := newClient(Options{Keychain: &keys{logins: map[string]authn.AuthConfig{s.host(): token}}})
	if _, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host())); err != nil {
		t.Error(err)
	}
	if n := s.total("GET /token"); n != 0 {
		t.Errorf("%d tokens fetched, want none", n)
	}
}

// names is a network without sockets: handlers by scheme and host. Nobody
// listens elsewhere.
type names struct {
	hosts map[string]http.HandlerFunc
	mu    sync.Mutex
	seen  []*http.Request
}

func (n *names) RoundTrip(req *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.seen = append(n.seen, req.Clone(context.Background()))
	n.mu.Unlock()
	h, ok := n.hosts[req.URL.Scheme+"://"+req.URL.Host]
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	in := req.Clone(req.Context())
	in.Host = req.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h(w, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = req
	return resp, nil
}

// to gives the requests that went to a host.
func (n *names) to(host string) []*http.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found []*http.Request
	for _, r := range n.seen {
		if r.URL.Host == host {
			found = append(found, r)
		}
	}
	return found
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to+r.URL.Path, http.StatusTemporaryRedirect)
	}
}

// wantBasic challenges for a login and then goes on with h.
func wantBasic(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Basic "+basic(testPassword):
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path != "/v2/":
			h(w, r)
		}
	}
}

// wantBearer has a token server for testLogin and then goes on with h.
func wantBearer(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token" && r.Header.Get("Authorization") == "Basic "+basic(testPassword):
			fmt.Fprintf(w, `{"token": %q}`, testToken)
		case r.Header.Get("Authorization") == "Bearer "+testToken:
			h(w, r)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+r.Host+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
}

// Credentials and tokens stay with their host when a manifest is elsewhere:
// also under it, at another port, and on the way back and forth.
func TestRedirectKeepsCredentials(t *testing.T) {
	for _, other := range []string{"other.test", "sub.registry.test", "registry.test:8443"} {
		for name, want := range map[string]func(http.HandlerFunc) http.HandlerFunc{"basic": wantBasic, "bearer": wantBearer} {
			t.Run(name+" "+other, func(t *testing.T) {
				n := &names{hosts: map[string]http.HandlerFunc{
					"https://registry.test": want(redirect("https://" + other)),
					"https://" + other:      good,
				}}
				c, _ := newClient(Options{Transport: n, Keychain: &keys{logins: map[string]authn.AuthConfig{"registry.test": testLogin}}})
				got, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1"))
				if err != nil {
					t.Fatal(err)
				}
				if want := hash("sha256", []byte(manifest)); got.Digest != want {
					t.Errorf("digest is %s, want %s", got.Digest, want)
				}
				if len(n.to("registry.test")) < 2 {
					t.Error("the registry was not asked")
				}
				checkNothingLeaked(t, n, other)
			})
		}
	}
}

// checkNothingLeaked looks for credentials in all that other was sent, and
// that it was sent something.
func checkNothingLeaked(t *testing.T, n *names, other string) {
	t.Helper()
	sent := n.to(other)
	if len(sent) == 0 {
		t.Errorf("%s was not asked", other)
	}
	for _, r := range sent {
		text := r.URL.String() + fmt.Sprint(r.Header)
		for _, secret := range append(secrets, "Authorization") {
			if strings.Contains(text, secret) {
				t.Errorf("%s was sent %s", other, text)
			}
		}
	}
}

// The same over sockets, where two ports of one address are two hosts.
func TestRedirectOverSockets(t *testing.T) {
	other := serve(t, http.HandlerFunc(good))
	s := serve(t, wantBasic(redirect(other.URL)))
	c, _ := newClient(Options{Keychain: &keys{logins: map[string]authn.AuthConfig{s.host(): testLogin}}})
	if _, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host())); err != nil {
		t.Fatal(err)
	}
	if len(other.headers) != 1 {
		t.Fatalf("%d requests at the other host, want 1", len(other.headers))
	}
	if got := other.headers[0].Values("Authorization"); got != nil {
		t.Errorf("the other host was sent %q", got)
	}
}

// A host to which the API root redirects sets the challenge, so it must not
// be answered with the credentials of the registry.
func TestRedirectedAPIRoot(t *testing.T) {
	for name, challenge := range map[string]string{
		"basic":  `Basic realm="test"`,
		"bearer": `Bearer realm="https://other.test/token",service="test"`,
	} {
		t.Run(name, func(t *testing.T) {
			n := &names{hosts: map[string]http.HandlerFunc{
				"https://registry.test": redirect("https://other.test"),
				"https://other.test": func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/v2/":
						w.Header().Set("WWW-Authenticate", challenge)
						w.WriteHeader(http.StatusUnauthorized)
					case "/token":
						fmt.Fprint(w, `{"token": "anonymous"}`)
					default:
						good(w, r)
					}
				},
			}}
			keychain := &keys{logins: map[string]authn.AuthConfig{"registry.test": testLogin}}
			c, _ := newClient(Options{Transport: n, Keychain: keychain})
			if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1")); err != nil {
				t.Fatal(err)
			}
			checkNothingLeaked(t, n, "other.test")
		})
	}
}

// The credentials of a token request stay with the token server.
func TestRedirectedTokenServer(t *testing.T) {
	tokenElsewhere := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			http.Redirect(w, r, "https://other.test/token", http.StatusTemporaryRedirect)
			return
		}
		wantBearer(good)(w, r)
	}
	t.Run("login", func(t *testing.T) {
		n := &names{hosts: map[string]http.HandlerFunc{
			"https://registry.test": tokenElsewhere,
			"https://other.test":    func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"token": %q}`, testToken) },
		}}
		c, _ := newClient(Options{Transport: n, Keychain: &keys{logins: map[string]authn.AuthConfig{"registry.test": testLogin}}})
		if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1")); err != nil {
			t.Fatal(err)
		}
		checkNothingLeaked(t, n, "other.test")
	})
	t.Run("identity token", func(t *testing.T) {
		n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": tokenElsewhere}}
		identity := authn.AuthConfig{Username: "<token>", IdentityToken: testPassword}
		c, _ := newClient(Options{Transport: n, Keychain: &keys{logins: map[string]authn.AuthConfig{"registry.test": identity}}})
		_, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1"))
		if e := asError(t, err, Invalid); !strings.HasSuffix(e.Error(), "the token server redirected to another host") {
			t.Errorf("error is %q", e)
		}
		if sent := n.to("other.test"); len(sent) > 0 {
			t.Errorf("other.test was sent %v", sent)
		}
	})
}

func TestRedirectRefused(t *testing.T) {
	for to, text := range map[string]string{
		"http://registry.test":     "redirected from HTTPS to plain HTTP",
		"http://other.test":        "redirected from HTTPS to plain HTTP",
		"https://127.0.0.1":        "redirected to a private address",
		"https://[::1]:5000":       "redirected to a private address",
		"https://localhost":        "redirected to a private address",
		"https://10.1.2.3":         "redirected to a private address",
		"https://169.254.169.254":  "redirected to a private address",
		"https://me:x@10.1.2.3":    "redirected to a private address",
		"https://registry.test/v2": "redirected without end",
	} {
		n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": wantBasic(redirect(to))}}
		c, _ := newClient(Options{Transport: n, Keychain: &keys{logins: map[string]authn.AuthConfig{"registry.test": testLogin}}})
		_, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1"))
		if e := asError(t, err, Invalid); e.Err.Error() != text {
			t.Errorf("%s: error is %q, want %q", to, e.Err, text)
		}
		for _, r := range n.seen {
			if r.URL.Host != "registry.test" || r.URL.Scheme != "https" {
				t.Errorf("%s: asked %s", to, r.URL)
			}
		}
	}
}

// insecureHosts are settings that allow plain HTTP for the hosts.
func insecureHosts(hosts []string) map[string]Registry {
	settings := make(map[string]Registry)
	for _, host := range hosts {
		settings[host] = Registry{Insecure: true}
	}
	return settings
}

// Only loopback addresses and listed hosts are spoken to over plain HTTP.
func TestInsecure(t *testing.T) {
	n := &names{hosts: map[string]http.HandlerFunc{
		"http://registry.test:5000": wantBasic(good),
		"http://10.0.0.1:5000":      wantBasic(good),
		"http://127.0.0.2:5000":     wantBasic(good),
		"http://localhost":          wantBasic(good),
	}}
	logins := make(map[string]authn.AuthConfig)
	for host := range n.hosts {
		logins[strings.TrimPrefix(host, "http://")] = testLogin
	}
	for _, test := range []struct {
		host     string
		insecure []string
		ok       bool
	}{
		{"registry.test:5000", nil, false},
		{"registry.test:5000", []string{"registry.test"}, false},
		{"registry.test:5000", []string{"Registry.test:5000"}, true},
		{"10.0.0.1:5000", nil, false},
		{"10.0.0.1:5000", []string{"10.0.0.1:5000"}, true},
		{"127.0.0.2:5000", nil, true},
		{"localhost", nil, true},
	} {
		n.seen = nil
		c, _ := newClient(Options{Transport: n, Registries: insecureHosts(test.insecure), Keychain: &keys{logins: logins}})
		_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", test.host))
		if test.ok {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if e := asError(t, err, Unreachable); test.host == "10.0.0.1:5000" && !strings.Contains(e.Hint(), "insecure") {
			t.Errorf("%s: hint is %q", test.host, e.Hint())
		}
		for _, r := range n.seen {
			if r.URL.Scheme != "https" {
				t.Errorf("%s: asked %s", test.host, r.URL)
			}
		}
	}
}

// What servers and libraries say may hold secrets, and stays out of errors.
func TestNoSecretsInErrors(t *testing.T) {
	echo := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"errors": [{"code": "DENIED", "message": "you sent %v"}]}`, r.Header)
		}
	}
	token := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				h(w, r)
				return
			}
			wantBearer(good)(w, r)
		}
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	for name, h := range map[string]http.HandlerFunc{
		"basic echoed":    wantBasic(echo(403)),
		"bearer echoed":   wantBearer(echo(403)),
		"root echoed":     echo(400),
		"token refused":   token(echo(401)),
		"token forbidden": token(echo(403)),
		"no token":        token(body(`{"refresh_token": "` + testToken + `"}`)),
		"token not JSON":  token(body(testToken)),
		"realm with login": func(w http.ResponseWriter, r *http.Request) {
			challenge(w, `Bearer realm="https://me:the-password@nowhere.test/token?x=the-token"`)
		},
		"realm at this host": func(w http.ResponseWriter, r *http.Request) {
			challenge(w, `Bearer realm="https://me:the-password@127.0.0.1/token"`)
		},
		"realm without scheme": func(w http.ResponseWriter, r *http.Request) { challenge(w, `Bearer realm="the-token://x"`) },
		"no realm":             func(w http.ResponseWriter, r *http.Request) { challenge(w, `Bearer token="the-token"`) },
		"redirect with login": wantBasic(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://me:the-password@nowhere.test/?x=the-token", http.StatusFound)
		}),
		"redirect of no URL": wantBasic(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://%the-token")
			w.WriteHeader(http.StatusFound)
		}),
		"odd scheme": wantBasic(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "the-token://x")
			w.WriteHeader(http.StatusFound)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": h}}
			c, _ := newClient(Options{Transport: n, Keychain: &keys{logins: map[string]authn.AuthConfig{"registry.test": testLogin}}})
			ref := parse(t, "registry.test/app:1")
			_, err := c.Resolve(context.Background(), ref)
			if err == nil {
				t.Fatal("no error")
			}
			noSecrets(t, err, secrets...)
			_, err = c.Children(context.Background(), ref, hash("sha256", nil))
			if err == nil {
				t.Fatal("no error")
			}
			noSecrets(t, err, secrets...)
			if strings.Contains(err.Error(), "nowhere.test/") {
				t.Errorf("the error holds an address: %v", err)
			}
		})
	}
}

func challenge(w http.ResponseWriter, text string) {
	w.Header().Set("WWW-Authenticate", text)
	w.WriteHeader(http.StatusUnauthorized)
}

// A token server that refuses does not mean that an image is missing.
func TestTokenRefused(t *testing.T) {
	for code, kind := range map[int]Kind{401: Unauthorized, 403: Unauthorized, 404: Invalid, 429: RateLimited, 500: Server} {
		n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				w.WriteHeader(code)
				return
			}
			wantBearer(good)(w, r)
		}}}
		c, _ := newClient(Options{Transport: n})
		_, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1"))
		if e := asError(t, err, kind); !strings.HasSuffix(e.Error(), " from its token server") {
			t.Errorf("error is %q", e)
		}
	}
}

type brokenKeychain struct{}

func (brokenKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return nil, errors.New("cannot use " + testPassword)
}

func TestBrokenKeychain(t *testing.T) {
	n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": good}}
	c, _ := newClient(Options{Transport: n, Keychain: brokenKeychain{}})
	_, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1"))
	asError(t, err, Credentials)
	noSecrets(t, err, secrets...)
}

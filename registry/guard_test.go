package registry

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestAllowedRegistry(t *testing.T) {
	for _, test := range []struct {
		allowed []string
		ref     string
		want    bool
	}{
		{nil, "anything.test/app", true},
		{[]string{}, "nginx", false},
		{[]string{"docker.io"}, "nginx", true},
		{[]string{"docker.io"}, "index.docker.io/library/nginx", true},
		{[]string{"index.docker.io"}, "nginx", true},
		{[]string{"ghcr.io"}, "nginx", false},
		{[]string{"ghcr.io"}, "ghcr.io/a/b", true},
		{[]string{"GHCR.io"}, "GHCR.IO/a/b", true},
		{[]string{"ghcr.io"}, "ghcr.io:5000/a/b", false},
		{[]string{"ghcr.io"}, "evil-ghcr.io/a/b", false},
		{[]string{"ghcr.io"}, "ghcr.io.evil.test/a/b", false},
		{[]string{"ghcr.io"}, "www.ghcr.io/a/b", false},
		{[]string{"registry.test:5000"}, "registry.test:5000/a", true},
		{[]string{"registry.test:5000"}, "registry.test/a", false},
		{[]string{"*.pkg.dev"}, "europe-docker.pkg.dev/p/r/i", true},
		{[]string{"*.pkg.dev"}, "a.b.pkg.dev/i", true},
		{[]string{"*.pkg.dev"}, "pkg.dev/i", false},
		{[]string{"*.pkg.dev"}, "evilpkg.dev/i", false},
		{[]string{"*.pkg.dev"}, "a.pkg.dev:5000/i", false},
		{[]string{"*.pkg.dev:5000"}, "a.pkg.dev:5000/i", true},
		{[]string{"*"}, "ghcr.io/a/b", false},
		{[]string{""}, "ghcr.io/a/b", false},
		{[]string{"ghcr.io", "quay.io"}, "quay.io/a/b", true},
	} {
		n := &names{hosts: map[string]http.HandlerFunc{}}
		for _, host := range []string{"anything.test", "index.docker.io", "ghcr.io", "registry.test:5000", "europe-docker.pkg.dev", "a.b.pkg.dev", "a.pkg.dev:5000", "quay.io"} {
			n.hosts["https://"+host] = api(good).ServeHTTP
		}
		c, _ := newClient(Options{Transport: n, Allowed: test.allowed})
		ref := parse(t, "%s", test.ref)
		_, err := c.Resolve(context.Background(), ref)
		if test.want {
			if err != nil {
				t.Errorf("%v: %v", test.allowed, err)
			}
			continue
		}
		e := asError(t, err, NotAllowed)
		if !strings.HasSuffix(e.Error(), "not asked, since the registry is not one of those allowed") || !strings.Contains(e.Hint(), "`--allow-registry "+ref.Host()+"`") {
			t.Errorf("error is %q, hint %q", e, e.Hint())
		}
		_, err = c.Read(context.Background(), ref)
		asError(t, err, NotAllowed)
		_, err = c.Children(context.Background(), ref, config)
		asError(t, err, NotAllowed)
		_, err = c.Pushed(context.Background(), ref)
		asError(t, err, NotAllowed)
		if len(n.seen) > 0 || c.Requests() > 0 {
			t.Errorf("%v: asked %v for %s", test.allowed, n.seen[0].URL, test.ref)
		}
	}
}

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1":         true,
		"9.255.255.255":   true,
		"100.63.255.255":  true,
		"100.128.0.0":     true,
		"172.15.255.255":  true,
		"172.32.0.0":      true,
		"192.0.1.0":       true,
		"223.255.255.255": true,
		"168.63.129.17":   true,

		"0.0.0.0":         false,
		"0.1.2.3":         false,
		"10.0.0.1":        false,
		"100.64.0.1":      false,
		"100.100.100.200": false, // a metadata service
		"127.0.0.1":       false,
		"127.255.255.254": false,
		"168.63.129.16":   false,
		"169.254.169.254": false,
		"172.16.0.1":      false,
		"172.31.255.255":  false,
		"192.0.0.192":     false, // a metadata service
		"192.168.1.1":     false,
		"198.18.0.1":      false,
		"198.19.255.255":  false,
		"224.0.0.1":       false,
		"239.255.255.250": false,
		"240.0.0.1":       false,
		"255.255.255.255": false,

		"2606:4700::1111":     true,
		"2a00:1450:4001::1":   true,
		"::":                  false,
		"::1":                 false,
		"::127.0.0.1":         false, // IPv4-compatible
		"::8.8.8.8":           false,
		"100::1":              false,
		"2001::1":             false, // Teredo
		"2001:db8::1":         false,
		"3fff::1":             false,
		"5f00::1":             false,
		"fc00::1":             false,
		"fd00:ec2::254":       false, // a metadata service
		"fe80::1":             false,
		"fe80::1%eth0":        false,
		"fec0::1":             false,
		"ff02::1":             false,
		"::ffff:1.1.1.1":      true,
		"::ffff:127.0.0.1":    false,
		"::ffff:a9fe:a9fe":    false,
		"64:ff9b::1.1.1.1":    true,
		"64:ff9b::127.0.0.1":  false,
		"64:ff9b::a9fe:a9fe":  false,
		"64:ff9b::10.0.0.1":   false,
		"64:ff9b:1::1.1.1.1":  false, // somebody's own
		"64:ff9b:1::10.0.0.1": false,
		"2002:101:101::1":     true,
		"2002:7f00:1::":       false,
		"2002:a9fe:a9fe::1":   false,
		"2002:c0a8:101::":     false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: public is %v", text, got)
		}
	}
}

// Addresses that are no names are judged before anything is sent.
func TestGuardedAddress(t *testing.T) {
	g := newGuard(Options{
		Allowed: []string{"docker.io", "*.corp.test", "10.0.0.5:5000", "[fd00::5]", "cache.test"},
		Registries: map[string]Registry{
			"docker.io":      {Mirrors: []string{"10.0.0.7:5000/hub", "mirror.test", "nonsense:"}},
			"forbidden.test": {Mirrors: []string{"10.0.0.8"}},
		},
	})
	for address, want := range map[string]bool{
		"https://registry.test/":     true, // its name is judged by where it leads
		"https://auth.docker.io/":    true,
		"https://1.1.1.1/":           true,
		"https://10.0.0.5:5000/":     true,
		"http://10.0.0.5:5000/":      true,
		"https://[fd00::5]/":         true,
		"https://[FD00::5]:443/":     true,
		"https://10.0.0.7:5000/":     true,
		"https://10.0.0.7/":          false,
		"https://10.0.0.8/":          false,
		"https://10.0.0.5/":          false,
		"https://10.0.0.5:5001/":     false,
		"https://[fd00::5]:5000/":    false,
		"https://[fd00::6]/":         false,
		"https://127.0.0.1/":         false,
		"https://[::1]/":             false,
		"https://[::ffff:10.0.0.1]/": false,
		"https://[fe80::1%25eth0]/":  false,
		"https://localhost/":         false,
		"https://LOCALHOST:5000/":    false,
		"https://app.localhost/":     false,
		"https://127.1/":             false,
		"https://2130706433/":        false,
		"https://0x7f000001/":        false,
		"https://0x7f.1/":            false,
		"https://0177.0.0.1/":        false,
		"https://registry.0x/":       false,
		"https://127.0.0.1./":        false,
		"https://1.registry.test/":   true,
		"https://0xab.test/":         true,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.address(u); (err == nil) != want {
			t.Errorf("%s: error is %v", address, err)
		}
		if err := (*guard)(nil).address(u); err != nil {
			t.Errorf("%s without a guard: %v", address, err)
		}
	}
	for address, want := range map[string]bool{
		"registry-1.docker.io:443": true,
		"cache.test:443":           true,
		"cache.test:80":            true,
		"cache.test:5000":          false,
		"a.corp.test:443":          false, // allowed, but not wherever it leads
		"mirror.test:443":          true,
		"10.0.0.5:5000":            true,
		"[fd00::5]:443":            true,
		"other.test:443":           false,
	} {
		if got := g.lists(address); got != want {
			t.Errorf("%s: listed is %v", address, got)
		}
	}
}

// listener is a server on loopback that counts connections.
type listener struct {
	*server
	connections atomic.Int64
	port        string
}

func listen(t *testing.T, h http.Handler) *listener {
	t.Helper()
	return start(t, h, (*httptest.Server).Start)
}

func start(t *testing.T, h http.Handler, how func(*httptest.Server)) *listener {
	t.Helper()
	l := &listener{}
	l.server = &server{count: make(map[string]int)}
	l.Server = httptest.NewUnstartedServer(h)
	l.Config.ErrorLog = log.New(io.Discard, "", 0)
	l.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			l.connections.Add(1)
		}
	}
	how(l.Server)
	t.Cleanup(l.Close)
	_, l.port, _ = net.SplitHostPort(l.Listener.Addr().String())
	return l
}

// lookUp lets all names lead to the addresses.
func lookUp(t *testing.T, addresses ...string) {
	t.Helper()
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, addresses)
		return client, nil
	}}
}

// answerDNS answers the questions that come over a stream
// (https://www.rfc-editor.org/rfc/rfc1035#section-4).
func answerDNS(conn net.Conn, addresses []string) {
	defer conn.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		end := 12
		for query[end] != 0 {
			end += int(query[end]) + 1
		}
		question := query[12 : end+5]
		kind := binary.BigEndian.Uint16(query[end+1:])
		var records []byte
		n := 0
		for _, text := range addresses {
			a := netip.MustParseAddr(text)
			if a.Is4() != (kind == 1) || kind != 1 && kind != 28 {
				continue
			}
			n++
			records = append(records, 0xc0, 12)                    // the name of the question
			records = binary.BigEndian.AppendUint16(records, kind) // its type
			records = append(records, 0, 1, 0, 0, 0, 0)            // internet, no time to live
			records = binary.BigEndian.AppendUint16(records, uint16(a.BitLen()/8))
			records = append(records, a.AsSlice()...)
		}
		answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(n), 0, 0, 0, 0}, question...)
		answer = append(answer, records...)
		conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
}

// A name that leads to an address inside is not connected to, wherever the
// name comes from.
func TestGuardedName(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::ffff:127.0.0.1", "::1"} {
		t.Run(address, func(t *testing.T) {
			lookUp(t, address)
			inside := listen(t, api(good))
			c, naps := newClient(Options{
				Allowed:    []string{"*.test:" + inside.port},
				Registries: map[string]Registry{"registry.test:" + inside.port: {Insecure: true}},
			})
			_, err := c.Resolve(context.Background(), parse(t, "registry.test:%s/app:1", inside.port))
			e := asError(t, err, NotAllowed)
			if !strings.HasSuffix(e.Error(), "not asked, since the address that its name leads to is not a public one") || !strings.Contains(e.Hint(), "without a wildcard") {
				t.Errorf("error is %q, hint %q", e, e.Hint())
			}
			if n := inside.connections.Load(); n != 0 {
				t.Errorf("%d connections", n)
			}
			if len(naps.taken) > 0 {
				t.Error("asked again")
			}
		})
	}
	// Without the guard, or named itself, the same registry answers.
	lookUp(t, "127.0.0.1")
	inside := listen(t, api(good))
	host := "registry.test:" + inside.port
	for _, allowed := range [][]string{nil, {host}} {
		c, _ := newClient(Options{Allowed: allowed, Registries: map[string]Registry{host: {Insecure: true}}})
		if _, err := c.Resolve(context.Background(), parse(t, "%s/app:1", host)); err != nil {
			t.Error(err)
		}
	}
}

// An allowed registry leads nobody to where it could not go itself.
func TestGuardedDetour(t *testing.T) {
	lookUp(t, "127.0.0.1")
	inside := listen(t, api(good))
	for name, to := range map[string]string{"address": "127.0.0.1:" + inside.port, "name": "other.test:" + inside.port} {
		for where, h := range map[string]http.HandlerFunc{
			"redirect": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					http.Redirect(w, r, "http://"+to+r.URL.Path, http.StatusTemporaryRedirect)
				}
			},
			"redirected API root": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://"+to+r.URL.Path, http.StatusTemporaryRedirect)
			},
			"token server": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+to+`/token",service="test"`)
				w.WriteHeader(http.StatusUnauthorized)
			},
		} {
			t.Run(where+" to a "+name, func(t *testing.T) {
				outer := listen(t, h)
				host := "registry.test:" + outer.port
				c, _ := newClient(Options{Allowed: []string{host}, Registries: map[string]Registry{host: {Insecure: true}}})
				_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", host))
				var e *Error
				if !errors.As(err, &e) || e.Kind != NotAllowed && (e.Kind != Invalid || name != "address") {
					t.Errorf("error is %v", err) // an address is refused earlier, by others
				}
				if n := inside.connections.Load(); n != 0 {
					t.Errorf("%d connections", n)
				}
				if outer.connections.Load() == 0 {
					t.Error("the registry was not asked")
				}
			})
		}
	}
}

// Where a name leads to several addresses, each is judged.
func TestGuardedAddresses(t *testing.T) {
	lookUp(t, "127.0.0.1", "127.0.0.2")
	inside := listen(t, api(good))
	dial := (&guard{}).dial(net.Dialer{})
	if conn, err := dial(context.Background(), "tcp", "registry.test:"+inside.port); err == nil {
		conn.Close()
		t.Error("connected")
	} else if f := explain(err); f.kind != NotAllowed {
		t.Errorf("error is %v", err)
	}
	if n := inside.connections.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// A proxy may be at any address, and does not open others.
func TestGuardBehindProxy(t *testing.T) {
	lookUp(t) // nothing leads anywhere
	proxy := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		api(good).ServeHTTP(w, r)
	}))
	o := Options{
		Allowed:    []string{"registry.test", "*.1"},
		Registries: insecureHosts([]string{"registry.test", "10.0.0.1", "127.0.0.1"}),
	}
	o.Transport = newTransport(o, nil, newGuard(o), http.ProxyURL(&url.URL{Scheme: "http", Host: proxy.host()}))
	c, _ := newClient(o)
	if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1")); err != nil {
		t.Error(err)
	}
	before := proxy.connections.Load()
	if before == 0 {
		t.Fatal("the proxy was not asked")
	}
	for _, host := range []string{"10.0.0.1", "127.0.0.1", "127.1"} {
		_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", host))
		asError(t, err, NotAllowed)
	}
	if n := proxy.connections.Load(); n != before {
		t.Errorf("%d more connections", n-before)
	}
}

// A host that must not be asked is not taken for a dead one.
func TestNotAllowedIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": api(good).ServeHTTP}}
		refuse := true
		c, _ := timed(Options{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			if refuse && req.URL.Path != "/v2/" {
				return nil, errInward("x")
			}
			return n.RoundTrip(req)
		})}, nil)
		for i := range 3 * patience {
			_, err := c.Resolve(context.Background(), parse(t, "registry.test/app:%d", i))
			asError(t, err, NotAllowed)
		}
		refuse = false
		if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:good")); err != nil {
			t.Error(err)
		}
	})
}

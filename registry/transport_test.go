package registry

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An authority of one registry is trusted there, and there alone.
func TestRootCAs(t *testing.T) {
	own := start(t, api(good), (*httptest.Server).StartTLS)
	other := start(t, api(good), (*httptest.Server).StartTLS)
	roots := own.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs // that of both
	ownHost, otherHost := own.Listener.Addr().String(), other.Listener.Addr().String()
	resolve := func(o Options, host string) error {
		c, _ := newClient(o)
		_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", host))
		return err
	}
	for _, test := range []struct {
		name       string
		options    Options
		own, other bool // works
	}{
		{"none", Options{}, false, false},
		{"of one", Options{Registries: map[string]Registry{ownHost: {RootCAs: roots}}}, true, false},
		{"of one in place of all", Options{RootCAs: roots, Registries: map[string]Registry{ownHost: {RootCAs: x509.NewCertPool()}}}, false, true},
		{"of all", Options{RootCAs: roots, Registries: map[string]Registry{ownHost: {Concurrency: 2}}}, true, true},
		{"of one, guarded", Options{Allowed: []string{ownHost, otherHost}, Registries: map[string]Registry{ownHost: {RootCAs: roots}}}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for host, want := range map[string]bool{ownHost: test.own, otherHost: test.other} {
				err := resolve(test.options, host)
				if want && err != nil {
					t.Error(err)
				}
				if !want && !strings.Contains(asError(t, err, Unreachable).Hint(), "certificate authority") {
					t.Errorf("error is %v", err)
				}
			}
		})
	}
	t.Run("redirect", func(t *testing.T) {
		from := start(t, api(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+otherHost+r.URL.Path, http.StatusTemporaryRedirect)
		}), (*httptest.Server).StartTLS)
		host := from.Listener.Addr().String()
		asError(t, resolve(Options{Registries: map[string]Registry{host: {RootCAs: roots}}}, host), Unreachable)
	})
}

// Hosts with the same authorities share a transport, and requests to one host
// a connection.
func TestConnections(t *testing.T) {
	s := start(t, api(good), (*httptest.Server).StartTLS)
	host := s.Listener.Addr().String()
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for name, allowed := range map[string][]string{"open": nil, "guarded": {host}} {
		t.Run(name, func(t *testing.T) {
			before := s.connections.Load()
			c, _ := newClient(Options{Allowed: allowed, Registries: map[string]Registry{host: {RootCAs: roots}, "Other.test": {RootCAs: roots}}})
			for i := range 20 {
				if _, err := c.Resolve(context.Background(), parse(t, "%s/app:%d", host, i)); err != nil {
					t.Fatal(err)
				}
			}
			if n := s.connections.Load() - before; n != 1 {
				t.Errorf("%d connections", n)
			}
			ways := c.wire.inner.(*transports)
			if ways.byHost[host] != ways.byHost["other.test"] || ways.byHost[host] == ways.others {
				t.Error("transports are not one for each set of authorities")
			}
		})
	}
}

// The settings of Docker Hub are for the hosts that serve it.
func TestSettingsOfDockerHub(t *testing.T) {
	roots := x509.NewCertPool()
	w := newWire(Options{Registries: map[string]Registry{"docker.io": {Concurrency: 7, Rate: 3, RootCAs: roots}}})
	ways := w.inner.(*transports)
	for host, want := range map[string]bool{
		"index.docker.io": true, "registry-1.docker.io": true, "auth.docker.io": true, "hub.docker.com": true,
		"docker.io.test": false, "ghcr.io": false, "index.docker.io:8443": false,
	} {
		if got := w.slots(host) == 7; got != want {
			t.Errorf("%s: %d slots", host, w.slots(host))
		}
		if got := w.pace(host).interval != 0; got != want {
			t.Errorf("%s: a request each %v", host, w.pace(host).interval)
		}
		_, got := ways.byHost[registryOf(host)]
		if got != want {
			t.Errorf("%s: own authorities %v", host, got)
		}
	}
}

package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// transports is the default of [Options.Transport]: one transport for each set
// of certificate authorities, so that the connections of all hosts with the
// same set are shared. An authority of one registry vouches for no other host.
type transports struct {
	byHost map[string]http.RoundTripper // by canonical host
	others http.RoundTripper
}

func newTransports(o Options, g *guard) *transports {
	t := &transports{
		byHost: make(map[string]http.RoundTripper),
		others: newTransport(o, o.RootCAs, g, http.ProxyFromEnvironment),
	}
	bySet := make(map[*x509.CertPool]http.RoundTripper)
	for host, settings := range o.Registries {
		roots := settings.RootCAs
		if roots == nil {
			continue
		}
		if bySet[roots] == nil {
			bySet[roots] = newTransport(o, roots, g, http.ProxyFromEnvironment)
		}
		t.byHost[strings.ToLower(host)] = bySet[roots]
	}
	return t
}

func (t *transports) RoundTrip(req *http.Request) (*http.Response, error) {
	if own, ok := t.byHost[registryOf(req.URL.Host)]; ok {
		return own.RoundTrip(req)
	}
	return t.others.RoundTrip(req)
}

// newTransport makes a transport that trusts the roots, or those of the system
// where they are nil. The proxy variables of the environment never apply to
// loopback addresses.
func newTransport(o Options, roots *x509.CertPool, g *guard, proxy func(*http.Request) (*url.URL, error)) http.RoundTripper {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	plain := &http.Transport{
		Proxy:               proxy,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     30 * time.Second,
		MaxIdleConnsPerHost: idleConnections(o),
		ForceAttemptHTTP2:   true,
		// A digest is of the bytes as they are stored.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		OnProxyConnectResponse: checkProxy,
	}
	if roots != nil {
		plain.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	if g == nil {
		return plain
	}
	direct := plain.Clone()
	direct.Proxy = nil
	direct.DialContext = g.dial(dialer)
	return &crossroads{proxy: proxy, direct: direct, proxied: plain}
}

// idleConnections is the highest number of requests that are sent to a host at
// a time.
func idleConnections(o Options) int {
	n := max(o.Concurrency, defaultConcurrency)
	for _, settings := range o.Registries {
		n = max(n, settings.Concurrency)
	}
	return n
}

// checkProxy gives the refusal of a proxy words: the standard library's are
// what the proxy sent.
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &failure{kind: Unreachable, text: "the proxy answered " + statusText(resp.StatusCode), hint: "check the proxy variables and the proxy's credentials"}
}

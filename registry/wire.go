package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Defaults of [Options].
const (
	defaultConcurrency = 8
	hubConcurrency     = 4
	defaultTimeout     = 20 * time.Second
	defaultRetries     = 3
	defaultMaxWait     = time.Minute
	defaultUserAgent   = "digestlint"
)

// firstWait is the pause before the first repetition; each further one is
// twice as long.
const firstWait = time.Second

// maxBody is the size in bytes of the longest answer that is read. Registries
// need not store manifests of more than 4 MiB
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests).
const maxBody = 8 << 20

// wire sends every request of a client, those of the handshake included, and
// is the place of all that they have in common: a limit for each host, a
// timeout, repetition, and a limit for the size of answers. Answers come back
// read to their end.
type wire struct {
	inner       http.RoundTripper
	agent       string
	concurrency int // zero is the default, which depends on the host
	timeout     time.Duration
	retries     int
	maxWait     time.Duration

	// Replaced in tests, which must not wait.
	sleep  func(context.Context, time.Duration) error
	now    func() time.Time
	jitter func() float64 // in [0, 1)

	mu    sync.Mutex
	hosts map[string]*host // by scheme and host
}

// host is what a wire knows of one host.
type host struct {
	slots chan struct{} // holds one element for each request under way
	// limited is set once the host has answered 429 until the repetitions
	// were used up. Whatever else is to be asked there would get the same
	// answer after the same pauses, a thousand times in a large tree.
	limited atomic.Bool
}

func newWire(o Options) *wire {
	w := &wire{
		inner:       o.Transport,
		agent:       o.UserAgent,
		concurrency: o.Concurrency,
		timeout:     o.Timeout,
		retries:     o.Retries,
		maxWait:     o.MaxWait,
		sleep:       sleep,
		now:         time.Now,
		jitter:      rand.Float64,
		hosts:       make(map[string]*host),
	}
	if w.inner == nil {
		w.inner = newTransport(o)
	}
	if w.agent == "" {
		w.agent = defaultUserAgent
	}
	if w.timeout <= 0 {
		w.timeout = defaultTimeout
	}
	if w.retries == 0 {
		w.retries = defaultRetries
	}
	if w.maxWait <= 0 {
		w.maxWait = defaultMaxWait
	}
	return w
}

// newTransport is the default of [Options.Transport]. The proxy variables of
// the environment never apply to loopback addresses.
func newTransport(o Options) http.RoundTripper {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     30 * time.Second,
		MaxIdleConnsPerHost: max(o.Concurrency, defaultConcurrency),
		ForceAttemptHTTP2:   true,
		// A digest is of the bytes as they are stored.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		OnProxyConnectResponse: checkProxy,
	}
	if o.RootCAs != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs}
	}
	return t
}

// checkProxy gives the refusal of a proxy words: the standard library's are
// what the proxy sent.
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &failure{kind: Unreachable, text: "the proxy answered " + statusText(resp.StatusCode), hint: "check the proxy variables and the proxy's credentials"}
}

// RoundTrip sends req, again where that can help, and gives the last answer.
// It holds one of the host's slots all the while, pauses included: a host that
// wants fewer requests does not get those of others instead.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close() // each attempt sends a copy
	}
	ctx := req.Context()
	h := w.host(req.URL)
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for attempt := 0; ; attempt++ {
		if h.limited.Load() {
			return nil, &failure{kind: RateLimited, text: "not asked, since the registry kept answering " + statusText(http.StatusTooManyRequests)}
		}
		resp, err := w.send(req)
		pause, again := w.pause(attempt, resp, err)
		if !again {
			if err == nil && resp.StatusCode == http.StatusTooManyRequests {
				h.limited.Store(true)
			}
			return resp, err
		}
		if err := w.sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func (w *wire) host(u *url.URL) *host {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := u.Scheme + "://" + u.Host
	h, ok := w.hosts[key]
	if !ok {
		h = &host{slots: make(chan struct{}, w.slots(u.Hostname()))}
		w.hosts[key] = h
	}
	return h
}

func (w *wire) slots(hostname string) int {
	switch {
	case w.concurrency > 0:
		return w.concurrency
	case strings.HasSuffix("."+hostname, "."+dockerHub):
		return hubConcurrency
	}
	return defaultConcurrency
}

// send makes one attempt and reads the answer to its end. The error is that of
// the request's context where that has ended.
func (w *wire) send(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), w.timeout)
	defer cancel()
	out := req.Clone(ctx)
	out.Header.Set("User-Agent", w.agent)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	resp, err := w.inner.RoundTrip(out)
	if err == nil {
		err = buffer(req.Method, resp)
	}
	switch {
	case err == nil:
		// Redirects are followed from the request that the caller knows, not
		// from the copy whose context ends here.
		resp.Request = req
		return resp, nil
	case req.Context().Err() != nil:
		return nil, req.Context().Err()
	case ctx.Err() != nil:
		return nil, &failure{kind: Timeout, text: fmt.Sprintf("no complete answer within %v", w.timeout)}
	}
	return nil, err
}

// buffer reads the body of resp, the answer to a request of the method, and
// puts the bytes in its place.
func buffer(method string, resp *http.Response) error {
	defer resp.Body.Close()
	tooLong := &failure{kind: Invalid, text: fmt.Sprintf("an answer of more than %d bytes", maxBody)}
	// The length in the answer to a HEAD is that of a body which is not sent.
	if resp.ContentLength > maxBody && method != http.MethodHead {
		return tooLong
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return err
	}
	if len(b) > maxBody {
		return tooLong
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return nil
}

// pause says whether to send a request again after its outcome, and after how
// long.
func (w *wire) pause(attempt int, resp *http.Response, err error) (time.Duration, bool) {
	if attempt >= w.retries {
		return 0, false
	}
	if err != nil {
		return w.backOff(attempt), transient(err)
	}
	if !transientStatus(resp.StatusCode) {
		return 0, false
	}
	asked := retryAfter(resp.Header, w.now())
	if asked <= 0 {
		return w.backOff(attempt), true
	}
	// Coming back earlier than asked is of no use and may be held against us.
	if asked > w.maxWait {
		return 0, false
	}
	return asked + time.Duration(w.jitter()*float64(firstWait)), true
}

// backOff doubles with each attempt; its second half is left to chance, so
// that many clients who failed together do not come back together.
func (w *wire) backOff(attempt int) time.Duration {
	d := w.maxWait
	if attempt < 30 {
		d = min(firstWait<<attempt, w.maxWait)
	}
	return d/2 + time.Duration(w.jitter()*float64(d/2))
}

// transient reports whether the same request may succeed a moment later. A
// refused connection, an unknown name and a bad certificate stay as they are.
func transient(err error) bool {
	var own *failure
	if errors.As(err, &own) {
		return own.kind == Timeout
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary
	}
	for _, passing := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

func transientStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter is the pause that an answer asks for, in either of the two forms
// of https://www.rfc-editor.org/rfc/rfc9110#field.retry-after; zero or less
// where it asks for none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(v); err == nil {
		return date.Sub(now)
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

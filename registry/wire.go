package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
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
	defaultTimeout     = 20 * time.Second
	defaultRetries     = 3
	defaultMaxWait     = 2 * time.Minute
	defaultUserAgent   = "digestlint"
)

// Docker Hub refuses an address that sends more than some thousands of
// requests in a minute, whatever they are for
// (https://docs.docker.com/docker-hub/usage/#abuse-rate-limit). A pipeline can
// share its address with others.
const (
	hubConcurrency = 4
	hubRate        = 20 // requests a second
)

// firstWait is the pause before the first repetition; each further one is
// twice as long.
const firstWait = time.Second

// maxBody is the size in bytes of the longest answer that is read. Registries
// need not store manifests of more than 4 MiB
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests).
const maxBody = 8 << 20

// wire sends every request of a client, those of the handshake included, and
// is the place of all that they have in common: the guard, limits for each
// host, a timeout, repetition, and a limit for the size of answers. Answers
// come back read to their end.
type wire struct {
	inner       http.RoundTripper
	guard       *guard
	agent       string
	settings    map[string]Registry // by canonical host
	concurrency int                 // zero is the default, which depends on the host
	hubRate     float64
	timeout     time.Duration
	retries     int
	maxWait     time.Duration

	// Replaced in tests, which must not wait.
	sleep  func(ctx context.Context, d time.Duration, wake <-chan struct{}) error
	now    func() time.Time
	jitter func() float64 // in [0, 1)

	requests atomic.Int64

	mu    sync.Mutex
	hosts map[string]*host // by scheme and host
	paces map[string]*pace // by canonical host
}

func newWire(o Options) *wire {
	w := &wire{
		inner:       o.Transport,
		guard:       newGuard(o),
		agent:       o.UserAgent,
		settings:    make(map[string]Registry),
		concurrency: o.Concurrency,
		hubRate:     hubRate,
		timeout:     o.Timeout,
		retries:     max(o.Retries, 0),
		maxWait:     o.MaxWait,
		sleep:       sleep,
		now:         time.Now,
		jitter:      rand.Float64,
		hosts:       make(map[string]*host),
		paces:       make(map[string]*pace),
	}
	for host, settings := range o.Registries {
		w.settings[strings.ToLower(host)] = settings
	}
	if w.inner == nil {
		w.inner = newTransports(o, w.guard)
	}
	if w.agent == "" {
		w.agent = defaultUserAgent
	}
	if w.timeout <= 0 {
		w.timeout = defaultTimeout
	}
	if o.Retries == 0 {
		w.retries = defaultRetries
	}
	if w.maxWait <= 0 {
		w.maxWait = defaultMaxWait
	}
	return w
}

// RoundTrip sends req, again where that can help, and gives the last answer.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close() // each attempt sends a copy
	}
	if err := w.guard.address(req.URL); err != nil {
		return nil, err
	}
	ctx := req.Context()
	h := w.host(req)
	err := h.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer h.leave()
	for a := (attempt{}); ; {
		if a.round, err = w.awaitTurn(ctx, h); err != nil {
			return nil, err
		}
		a.resp, a.err = w.send(req)
		next := w.settle(ctx, h, &a)
		h.done() // lets the next go, which must know what this one has shown
		switch {
		case next.err != nil:
			return nil, next.err
		case !next.again:
			return a.resp, nil
		}
		if next.pause > 0 {
			if err := w.sleep(ctx, next.pause, h.dead); err != nil {
				return nil, err
			}
		}
	}
}

// awaitTurn waits until a request may be sent to h and gives the round in
// which it is. Done must be called after it was sent.
func (w *wire) awaitTurn(ctx context.Context, h *host) (round int, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		t, err := h.turn(w.now())
		switch {
		case err != nil:
			return 0, err
		case t.changed != nil:
			select {
			case <-t.changed:
			case <-h.dead:
			case <-ctx.Done():
			}
		case t.wait > 0:
			if err := w.sleep(ctx, t.wait, h.dead); err != nil {
				return 0, err
			}
		default:
			return t.round, nil
		}
	}
}

func (w *wire) host(req *http.Request) *host {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A host may be dead over HTTPS and alive over HTTP.
	name := req.URL.Host
	key := req.URL.Scheme + "://" + name
	if isPull(req) {
		key += " pulls"
	}
	h, ok := w.hosts[key]
	if !ok {
		h = newHost(name, w.slots(name), w.pace(name))
		w.hosts[key] = h
	}
	return h
}

// isPull reports whether Docker Hub counts req against the number of pulls that
// it allows in some hours (https://docs.docker.com/docker-hub/usage/pulls/).
// That this is used up says nothing about other requests, and waiting does not
// help as it does with them.
func isPull(req *http.Request) bool {
	return req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/manifests/") && registryOf(req.URL.Host) == dockerHub
}

func (w *wire) slots(host string) int {
	registry := registryOf(host)
	switch own := w.settings[registry].Concurrency; {
	case own > 0:
		return own
	case w.concurrency > 0:
		return w.concurrency
	case registry == dockerHub:
		return hubConcurrency
	}
	return defaultConcurrency
}

// pace gives that of the host's registry. The caller holds the lock.
func (w *wire) pace(host string) *pace {
	registry := registryOf(host)
	p, ok := w.paces[registry]
	if !ok {
		rate := w.settings[registry].Rate
		if rate <= 0 && registry == dockerHub {
			rate = w.hubRate
		}
		p = newPace(rate)
		w.paces[registry] = p
	}
	return p
}

// registryOf gives the canonical host of the registry that a host serves: the
// host itself, except for those of Docker Hub.
func registryOf(host string) string {
	host = strings.ToLower(host)
	switch host {
	case "index.docker.io", "registry-1.docker.io", "auth.docker.io", "registry.hub.docker.com", "hub.docker.com":
		return dockerHub
	}
	return host
}

// send makes one attempt and reads the answer to its end. The error is that of
// the request's context where that has ended.
func (w *wire) send(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), w.timeout)
	defer cancel()
	w.requests.Add(1)
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
	case brokenHTTP2(err):
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

// brokenHTTP2 reports whether err is that of a connection or stream which the
// other side has ended. The standard library exports no type for these.
func brokenHTTP2(err error) bool {
	text := err.Error()
	for _, prefix := range []string{"http2: ", "stream error: ", "connection error: "} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
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
	// A digest is of the bytes as they are stored, and the request said that
	// it takes no others.
	if coding := resp.Header.Get("Content-Encoding"); resp.StatusCode == http.StatusOK && len(b) > 0 && coding != "" && coding != "identity" {
		return &failure{kind: Invalid, text: "a compressed answer, which was not asked for", hint: "a proxy that compresses may stand before the registry"}
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return nil
}

// attempt is a request that was sent, and its outcome.
type attempt struct {
	failures int // of the request until then
	refusals int // those until then that began a round of the host
	round    int // of the host
	resp     *http.Response
	err      error
}

// step is what follows an attempt: the request is sent again, or fails with
// err, or has its answer.
type step struct {
	again bool
	pause time.Duration // before it, beside those of the host
	err   error
}

// settle notes on h and a what the attempt has shown, and says what follows.
func (w *wire) settle(ctx context.Context, h *host, a *attempt) step {
	switch {
	case ctx.Err() != nil:
		return step{err: ctx.Err()}
	case a.err != nil:
		return w.settleError(h, a)
	case throttled(a.resp):
		return w.settleThrottled(h, a)
	case transientStatus(a.resp.StatusCode):
		if hopeless := h.serverError(); hopeless || a.failures >= w.retries {
			return step{}
		}
		return w.repeat(a)
	}
	h.answer(a.round)
	return step{}
}

// repeat is the step of a request that failed by itself.
func (w *wire) repeat(a *attempt) step {
	pause := w.backOff(a.failures)
	a.failures++
	return step{again: true, pause: pause}
}

// settleError settles an attempt without an answer.
func (w *wire) settleError(h *host, a *attempt) step {
	f := explain(a.err)
	if f.kind != Unreachable && f.kind != Timeout {
		return step{err: a.err} // there was an answer, or none was asked for
	}
	proven, hopeless := h.silence()
	switch {
	case a.failures < w.retries && (transient(a.err) || proven): // it may be restarting
		return w.repeat(a)
	case hopeless, !proven, !transient(a.err):
		// Whatever else is to be asked there would fail in the same way after
		// the same pauses, a thousand times in a large tree.
		h.giveUp(f)
	}
	return step{err: a.err}
}

// maxRefusals is how many rounds of a host one request may begin for each of
// its repetitions. Where many want to be first after each pause, one of them
// can have bad luck some times.
const maxRefusals = 4

// settleThrottled settles an attempt that the server refused to look at. The
// pause that it wants is the host's.
func (w *wire) settleThrottled(h *host, a *attempt) step {
	rounds, began := h.throttle(a.round)
	status := a.resp.StatusCode
	asked := retryAfter(a.resp.Header, w.now())
	switch {
	case asked > w.maxWait:
		// Coming back earlier than asked is of no use and may be held against
		// us.
		text := fmt.Sprintf("%s, with a pause of %v asked for", statusText(status), asked.Round(time.Second))
		f := &failure{kind: refusal(status).kind, text: text}
		h.giveUp(f)
		return step{err: f}
	case rounds > w.retries:
		text := "not asked, since the registry kept answering " + statusText(status)
		h.giveUp(&failure{kind: refusal(status).kind, text: text})
		return step{}
	case asked > 0:
		h.pauseUntil(w.now().Add(asked + time.Duration(w.jitter()*float64(firstWait))))
	case began:
		h.pauseUntil(w.now().Add(w.backOff(rounds - 1)))
	}
	if began {
		a.refusals++
	}
	return step{again: a.refusals <= maxRefusals*w.retries}
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
	var network net.Error
	var op *net.OpError
	if errors.As(err, &network) && network.Timeout() && !errors.As(err, &op) {
		return true // a TLS handshake; the time of a connection is the dialer's
	}
	for _, passing := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// throttled reports whether a server refuses a request because of its load,
// not because of the request.
func throttled(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable:
		return resp.Header.Get("Retry-After") != ""
	}
	return false
}

func transientStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout,
		http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// epoch is the number from which a Retry-After is not taken for seconds from
// now, but since 1970, as Docker Hub's API has sent it
// (https://github.com/docker/hub-feedback/issues/2459).
const epoch = 1_000_000_000

// forever is the pause of a Retry-After that is too long to be said.
const forever = 100 * 365 * 24 * time.Hour

// retryAfter is the pause that an answer asks for, in either of the two forms
// of https://www.rfc-editor.org/rfc/rfc9110#field.retry-after; zero or less
// where it asks for none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if date, err := http.ParseTime(v); err == nil {
		return min(date.Sub(now), forever)
	}
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return 0
	}
	switch seconds, err := strconv.ParseInt(v, 10, 64); {
	case err != nil, seconds >= epoch*10:
		return forever
	case seconds >= epoch:
		return time.Unix(seconds, 0).Sub(now)
	default:
		return min(time.Duration(seconds)*time.Second, forever)
	}
}

// sleep waits for d, or until wake is closed or ctx ends; the latter alone is
// an error.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

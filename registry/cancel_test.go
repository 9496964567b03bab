package registry

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// resolveUntil asks for a reference, cancels once started has a value, and
// checks that this ends it. A client that does not stop hangs the test.
func resolveUntil(t *testing.T, c *Client, ref string, started <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-started
		cancel()
	}()
	_, err := c.Resolve(ctx, parse(t, "%s", ref))
	asError(t, err, Canceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}

func TestCancelRequest(t *testing.T) {
	started := make(chan struct{}, 1)
	s := serve(t, api(func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
	}))
	c, _ := newClient(Options{})
	resolveUntil(t, c, s.host()+"/app:1", started)
}

func TestCancelHandshake(t *testing.T) {
	started := make(chan struct{}, 1)
	s := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
	}))
	c, _ := newClient(Options{})
	resolveUntil(t, c, s.host()+"/app:1", started)
}

func TestCancelBackOff(t *testing.T) {
	s := serve(t, bad(forever, status(429, "86400")))
	c, _ := newClient(Options{MaxWait: 48 * time.Hour})
	started := make(chan struct{}, 1)
	c.wire.sleep = func(ctx context.Context, d time.Duration) error {
		started <- struct{}{}
		return sleep(ctx, d)
	}
	resolveUntil(t, c, s.host()+"/app:1", started)
}

// The only slot of a host is taken, and then free for the next.
func TestCancelWaitForSlot(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s := serve(t, api(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/app/manifests/1" {
			inside <- struct{}{}
			<-leave
		}
		good(w, r)
	}))
	c, _ := newClient(Options{Concurrency: 1})
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		if _, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host())); err != nil {
			t.Error(err)
		}
	}()
	<-inside
	started := make(chan struct{})
	close(started)
	resolveUntil(t, c, s.host()+"/app:2", started)
	if n := s.total("HEAD /v2/app/manifests/2"); n != 0 {
		t.Errorf("a second request was sent")
	}
	close(leave)
	wg.Wait()
	if _, err := c.Resolve(context.Background(), parse(t, "%s/app:2", s.host())); err != nil {
		t.Error(err)
	}
}

// hangingKeychain is a credential helper that waits for a person.
type hangingKeychain struct{ started, leave chan struct{} }

func (k hangingKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	close(k.started)
	<-k.leave
	return authn.Anonymous, nil
}

func TestCancelKeychain(t *testing.T) {
	s := newMemory(t)
	k := hangingKeychain{make(chan struct{}), make(chan struct{})}
	defer close(k.leave)
	c, _ := newClient(Options{Keychain: k})
	resolveUntil(t, c, s.host()+"/app:1", k.started)
}

// An asker who gives up ends the request that others wait for too; one of
// them sends it again.
func TestCancelOneOfTwo(t *testing.T) {
	inside := make(chan struct{})
	var once sync.Once
	s := serve(t, api(func(w http.ResponseWriter, r *http.Request) {
		first := false
		once.Do(func() { first = true })
		if first {
			close(inside)
			<-r.Context().Done()
			return
		}
		good(w, r)
	}))
	c, _ := newClient(Options{})
	ref := parse(t, "%s/app:1", s.host())
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		defer wg.Done()
		_, err := c.Resolve(ctx, ref)
		asErrorIn(t, err, Canceled)
	}()
	<-inside
	go func() {
		defer wg.Done()
		got, err := c.Resolve(context.Background(), ref)
		if err != nil || got.Digest != hash("sha256", []byte(manifest)) {
			t.Errorf("got %+v, %v", got, err)
		}
	}()
	// A third waits for the first and gives up before it.
	third, giveUp := context.WithCancel(context.Background())
	giveUp()
	_, err := c.Resolve(third, ref)
	asError(t, err, Canceled)
	cancel()
	wg.Wait()
	if n := s.total("HEAD "); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// asErrorIn is asError for other goroutines than the test's.
func asErrorIn(t *testing.T, err error, kind Kind) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Errorf("error is %v, want one of kind %v", err, kind)
	}
}

func TestDeadline(t *testing.T) {
	s := serve(t, api(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	c, _ := newClient(Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Resolve(ctx, parse(t, "%s/app:1", s.host()))
	asError(t, err, Canceled)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not context.DeadlineExceeded", err)
	}
}

func TestSlots(t *testing.T) {
	for _, test := range []struct {
		concurrency int
		host        string
		want        int
	}{
		{0, "ghcr.io", defaultConcurrency},
		{0, "index.docker.io", hubConcurrency},
		{0, "auth.docker.io", hubConcurrency},
		{0, "notdocker.io", defaultConcurrency},
		{2, "ghcr.io", 2},
		{16, "index.docker.io", 16},
	} {
		w := newWire(Options{Concurrency: test.concurrency})
		if got := w.slots(test.host); got != test.want {
			t.Errorf("%d slots for %s with %d asked for, want %d", got, test.host, test.concurrency, test.want)
		}
	}
}

// No more requests are under way at a host than it has slots.
func TestConcurrency(t *testing.T) {
	const limit = 3
	inside := make(chan struct{}, limit)
	full := make(chan struct{})
	var once sync.Once
	s := serve(t, api(func(w http.ResponseWriter, r *http.Request) {
		select {
		case inside <- struct{}{}:
		default:
			t.Error("too many requests at a time")
		}
		if len(inside) == limit {
			once.Do(func() { close(full) })
		}
		<-full
		<-inside
		good(w, r)
	}))
	c, _ := newClient(Options{Concurrency: limit})
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := c.Resolve(context.Background(), parse(t, "%s/app:%d", s.host(), i)); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}

package registry

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
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
	isCanceled(t, err)
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
	s := serve(t, bad(always, status(429, "86400")))
	c, _ := newClient(Options{MaxWait: 48 * time.Hour})
	started := make(chan struct{}, 1)
	c.wire.sleep = func(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
		started <- struct{}{}
		return sleep(ctx, d, wake)
	}
	resolveUntil(t, c, s.host()+"/app:1", started)
}

// The only slot of a host is taken, and then free for the next.
func TestCancelWaitForSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan struct{})
		n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/app/manifests/1" {
				<-leave
			}
			good(w, r)
		}}}
		c, _ := newClient(Options{Transport: n, Concurrency: 1})
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // the first holds the slot
		ctx, cancel := context.WithCancel(context.Background())
		wg.Go(func() {
			_, err := c.Resolve(ctx, parse(t, "registry.test/app:2"))
			isCanceled(t, err)
		})
		synctest.Wait() // the second waits for it
		sent := len(n.to("registry.test"))
		cancel()
		synctest.Wait()
		if got := len(n.to("registry.test")); got != sent || sent != 2 {
			t.Errorf("%d requests before, %d after, want 2", sent, got)
		}
		close(leave)
		wg.Wait()
		if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:2")); err != nil {
			t.Error(err)
		}
	})
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
func TestCancelOneOfThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heads := 0
		n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": api(func(w http.ResponseWriter, r *http.Request) {
			if heads++; heads == 1 {
				<-r.Context().Done()
				return
			}
			good(w, r)
		}).ServeHTTP}}
		c, _ := newClient(Options{Transport: n})
		ref := parse(t, "registry.test/app:1")
		first, cancelFirst := context.WithCancel(context.Background())
		second, cancelSecond := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Resolve(first, ref)
			isCanceled(t, err)
		})
		synctest.Wait() // the first has sent the request
		var secondErr error
		wg.Go(func() { _, secondErr = c.Resolve(second, ref) })
		wg.Go(func() {
			got, err := c.Resolve(context.Background(), ref)
			if err != nil || got.Digest != hash("sha256", []byte(manifest)) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
		synctest.Wait() // the others wait for it
		cancelSecond()
		synctest.Wait()
		isCanceled(t, secondErr)
		cancelFirst()
		wg.Wait()
		if heads != 2 {
			t.Errorf("%d requests, want 2", heads)
		}
	})
}

// isCanceled checks err; unlike asError, in any goroutine.
func isCanceled(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != Canceled || !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
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
	synctest.Test(t, func(t *testing.T) {
		const limit, all = 3, 30
		leave := make(chan struct{})
		n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": api(func(w http.ResponseWriter, r *http.Request) {
			<-leave
			good(w, r)
		}).ServeHTTP}}
		c, _ := newClient(Options{Transport: n, Concurrency: limit})
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() {
				if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:%d", i)); err != nil {
					t.Error(err)
				}
			})
		}
		for done := 0; done < all; done++ {
			synctest.Wait()
			want := min(1+done+limit, 1+all) // with the API root
			if got := len(n.to("registry.test")); got != want {
				t.Fatalf("%d requests sent after %d answers, want %d", got, done, want)
			}
			leave <- struct{}{}
		}
		wg.Wait()
	})
}

// The pause is made, or ends with the context.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := sleep(context.Background(), time.Hour, nil); err != nil {
			t.Error(err)
		}
		if got := time.Since(start); got != time.Hour {
			t.Errorf("slept %v, want an hour", got)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		start = time.Now()
		if err := sleep(ctx, time.Hour, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("slept %v, want a minute", got)
		}
	})
}

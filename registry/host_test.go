package registry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digestlint/digestlint/image"
)

// arrival is a request as a server saw it.
type arrival struct {
	at    time.Duration // since the first
	under int           // requests under way then, itself included
	path  string
}

// journal is an HTTP handler that writes arrivals down. Its answers take a
// tenth of a second.
type journal struct {
	h http.Handler

	mu       sync.Mutex
	start    time.Time
	under    int
	arrivals []arrival
}

func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j.mu.Lock()
	if j.start.IsZero() {
		j.start = time.Now()
	}
	j.under++
	j.arrivals = append(j.arrivals, arrival{time.Since(j.start), j.under, r.URL.Path})
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		j.under--
		j.mu.Unlock()
	}()
	select {
	case <-time.After(100 * time.Millisecond):
		j.h.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// manifests are the arrivals of questions for manifests.
func (j *journal) manifests() []arrival {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(j.arrivals), func(a arrival) bool { return !strings.Contains(a.path, "/manifests/") })
}

// timed is a client of registry.test that really waits, in a bubble, and the
// journal of that registry. It has no jitter, which would make times differ
// from run to run.
func timed(o Options, h http.Handler) (*Client, *journal) {
	j := &journal{h: h}
	if o.Transport == nil {
		o.Transport = &names{hosts: map[string]http.HandlerFunc{"https://registry.test": j.ServeHTTP}}
	}
	o.Keychain = &keys{}
	c := New(o)
	c.wire.jitter = func() float64 { return 0 }
	return c, j
}

// resolveTags asks for n tags of registry.test at the same time and gives the
// errors, in their order, nil where there was none.
func resolveTags(t *testing.T, c *Client, n int) []error {
	t.Helper()
	refs := make([]image.Reference, n)
	for i := range refs {
		refs[i] = parse(t, "registry.test/app:%d", i)
	}
	return resolveRefs(c, refs)
}

func resolveRefs(c *Client, refs []image.Reference) []error {
	errs := make([]error, len(refs))
	var wg sync.WaitGroup
	for i, ref := range refs {
		wg.Go(func() { _, errs[i] = c.Resolve(context.Background(), ref) })
	}
	wg.Wait()
	return errs
}

// noErrors holds that nothing failed.
func noErrors(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// allOf holds that everything failed with the kind.
func allOf(t *testing.T, errs []error, kind Kind) {
	t.Helper()
	for _, err := range errs {
		asError(t, err, kind)
	}
}

// When a host refuses requests, all wait for as long as it wants, and come
// back one after another until it bears more.
func TestThrottledTogether(t *testing.T) {
	for name, refuse := range map[string]http.HandlerFunc{
		"429": status(429, "10"),
		"503": status(503, "10"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, j := timed(Options{}, bad(defaultConcurrency, refuse))
				noErrors(t, resolveTags(t, c, 40))
				got := j.manifests()
				if len(got) != 40+defaultConcurrency {
					t.Errorf("%d requests, want %d", len(got), 40+defaultConcurrency)
				}
				refused, later := got[:defaultConcurrency], got[defaultConcurrency:]
				end := refused[len(refused)-1].at + 10*time.Second
				for i, a := range later {
					if a.at < end {
						t.Errorf("request %d came %v before the end of the pause", i, end-a.at)
					}
					// One answer lets one more request go: 1, 2, 4, all.
					if most := min(1<<i, defaultConcurrency); a.under > most {
						t.Errorf("request %d after the pause was one of %d at a time, want at most %d", i, a.under, most)
					}
				}
				if got := later[len(later)-1].at; got > end+2*time.Second {
					t.Errorf("the last request came %v after the pause", got-end)
				}
			})
		})
	}
}

// A server that allows ten requests a second and says nothing else gets all of
// them in the end.
func TestThrottledForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var second, used, refused int
		start := time.Now()
		var mu sync.Mutex
		c, j := timed(Options{}, api(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if now := int(time.Since(start) / time.Second); now != second {
				second, used = now, 0
			}
			if used++; used > 10 {
				refused++
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			good(w, r)
		}))
		noErrors(t, resolveTags(t, c, 200))
		if refused == 0 || refused > 200 {
			t.Errorf("%d refusals of %d requests", refused, len(j.manifests()))
		}
		if d := time.Since(start); d > time.Minute {
			t.Errorf("it took %v", d)
		}
	})
}

// A host that refuses everything is given up after the repetitions of one
// request, and whoever waits for it learns so at once.
func TestThrottledForever(t *testing.T) {
	for _, test := range []struct {
		after    string // Retry-After
		requests int
		took     time.Duration // from the first refusal
		text     string
	}{
		{"", defaultConcurrency + defaultRetries, 3500*time.Millisecond + 300*time.Millisecond, "kept answering 429"},
		{"60", defaultConcurrency + defaultRetries, 3*time.Minute + 300*time.Millisecond, "kept answering 429"},
		{"7200", defaultConcurrency, 0, "with a pause of 2h0m0s asked for"},
		{"99999999999999999999999999", defaultConcurrency, 0, "with a pause of 876000h0m0s asked for"},
		{"Fri, 31 Dec 9999 23:59:59 GMT", defaultConcurrency, 0, "with a pause of 876000h0m0s asked for"},
	} {
		t.Run(test.after, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, j := timed(Options{}, bad(always, status(429, test.after)))
				start := time.Now()
				errs := resolveTags(t, c, 100)
				allOf(t, errs, RateLimited)
				if got, want := time.Since(start), test.took+200*time.Millisecond; got != want { // API root, first refusal
					t.Errorf("it took %v, want %v", got, want)
				}
				if n := len(j.manifests()); n != test.requests {
					t.Errorf("%d requests, want %d", n, test.requests)
				}
				told := func(err error) bool { return strings.Contains(err.Error(), test.text) }
				if n := len(slices.DeleteFunc(errs, told)); n > defaultConcurrency {
					t.Errorf("%d errors do not say %q", n, test.text)
				}
			})
		})
	}
}

// A refusal that is too long ends the pauses that shorter ones have begun.
func TestGivenUpWhilePausing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		var mu sync.Mutex
		c, _ := timed(Options{}, api(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			n++
			mine := n
			mu.Unlock()
			time.Sleep(time.Duration(mine) * time.Second) // one after another
			after := "100"
			if mine == defaultConcurrency {
				after = "1000"
			}
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		start := time.Now()
		allOf(t, resolveTags(t, c, 20), RateLimited)
		if got := time.Since(start); got > 10*time.Second {
			t.Errorf("it took %v", got)
		}
	})
}

// Pulls of Docker Hub are limited apart from everything else.
func TestThrottledPulls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &journal{h: api(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			good(w, r)
		})}
		c, _ := timed(Options{Transport: &names{hosts: map[string]http.HandlerFunc{"https://index.docker.io": hub.ServeHTTP}}}, nil)
		digest := hash("sha256", []byte(manifest))
		for i := range 3 {
			_, err := c.Children(context.Background(), parse(t, "app%d", i), digest)
			asError(t, err, RateLimited)
		}
		if n := len(hub.manifests()); n != 1+defaultRetries {
			t.Errorf("%d pulls, want %d", n, 1+defaultRetries)
		}
		if _, err := c.Resolve(context.Background(), parse(t, "app:1")); err != nil {
			t.Error(err)
		}
	})
}

// A dead host is found out once, whatever it was needed for.
func TestDeadHost(t *testing.T) {
	const refs = 50
	wantToken := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://token.test/token",service="test"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://other.test"+r.URL.Path, http.StatusTemporaryRedirect)
	}
	for _, test := range []struct {
		name string
		dead string
		h    http.HandlerFunc // of registry.test; nil if that is dead
		most int              // requests to the dead host
	}{
		{"registry", "registry.test", nil, 1},
		{"token server", "token.test", wantToken, defaultConcurrency},
		{"redirect", "other.test", api(elsewhere).ServeHTTP, defaultConcurrency},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &names{hosts: map[string]http.HandlerFunc{}}
				if test.h != nil {
					n.hosts["https://registry.test"] = test.h
				}
				c, _ := timed(Options{Transport: n}, nil)
				var all []image.Reference
				for i := range refs {
					all = append(all, parse(t, "registry.test/app%d:1", i))
				}
				errs := resolveRefs(c, all)
				for _, err := range errs {
					if e := asError(t, err, Unreachable); !strings.Contains(e.Error(), "dial tcp: connection refused") {
						t.Errorf("error is %q", e)
					}
				}
				if got := len(n.to(test.dead)); got == 0 || got > test.most {
					t.Errorf("%d requests, want at most %d", got, test.most)
				}
			})
		})
	}
}

// A host that has answered before is asked again when it refuses connections,
// and given up when that goes on.
func TestHostGoesAway(t *testing.T) {
	for _, test := range []struct {
		name        string
		concurrency int
		away        time.Duration
		failed      int // of the references
		most        int // requests
	}{
		{"for a moment", 0, time.Second, 0, 1 + 40},
		{"for good", 0, time.Hour, 20, 1 + (1+defaultRetries)*defaultConcurrency},
		{"for good, asked one after another", 1, time.Hour, 20, 1 + 1 + defaultRetries},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": api(good).ServeHTTP}}
				away := time.Now().Add(test.away)
				c, _ := timed(Options{Concurrency: test.concurrency, Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
					if req.URL.Path == "/v2/" || time.Now().After(away) {
						return n.RoundTrip(req)
					}
					return (&names{}).RoundTrip(req)
				})}, nil)
				failed := 0
				for _, err := range resolveTags(t, c, 20) {
					if err != nil {
						failed++
					}
				}
				if failed != test.failed {
					t.Errorf("%d references failed, want %d", failed, test.failed)
				}
				if got := c.Requests(); got > int64(test.most) {
					t.Errorf("%d requests, want at most %d", got, test.most)
				}
			})
		})
	}
}

// roundTripper is a transport that is a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A host that answers nothing in time is given up; one with a single sore spot
// is not.
func TestSilentHost(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	t.Run("everything", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, j := timed(Options{}, api(hang))
			start := time.Now()
			allOf(t, resolveTags(t, c, 500), Timeout)
			if d := time.Since(start); d > 5*defaultTimeout {
				t.Errorf("it took %v", d)
			}
			if n := len(j.manifests()); n > (1+defaultRetries)*defaultConcurrency {
				t.Errorf("%d requests", n)
			}
		})
	})
	t.Run("one tag", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := timed(Options{}, api(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/7") {
					hang(w, r)
					return
				}
				good(w, r)
			}))
			errs := resolveTags(t, c, 100)
			asError(t, errs[7], Timeout)
			noErrors(t, append(errs[:7], errs[8:]...))
		})
	})
}

// Sore spots that come one by one are not taken together.
func TestSoreSpots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := timed(Options{}, api(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/sore") {
				<-r.Context().Done()
				return
			}
			good(w, r)
		}))
		for i := range 10 {
			_, err := c.Resolve(context.Background(), parse(t, "registry.test/app:sore%d", i))
			asError(t, err, Timeout)
			if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:%d", i)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A host that has never answered gets the repetitions of one request.
func TestNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		n := &names{hosts: map[string]http.HandlerFunc{
			"https://token.test": hang,
			"https://registry.test": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="https://token.test/token",service="test"`)
				w.WriteHeader(http.StatusUnauthorized)
			},
		}}
		c, _ := timed(Options{Transport: n, Concurrency: 1}, nil)
		for i := range 5 {
			_, err := c.Resolve(context.Background(), parse(t, "registry.test/app%d:1", i))
			asError(t, err, Timeout)
		}
		if got := len(n.to("token.test")); got != 1+defaultRetries {
			t.Errorf("%d requests, want %d", got, 1+defaultRetries)
		}
	})
}

// A host that fails at everything gets one request for each reference, without
// repetitions, and another chance each time.
func TestFailingHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken sync.Map
		broken.Store("is", true)
		c, j := timed(Options{}, api(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := broken.Load("is"); ok {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			good(w, r)
		}))
		start := time.Now()
		allOf(t, resolveTags(t, c, 1000), Server)
		if n := len(j.manifests()); n > 1000+4*defaultConcurrency {
			t.Errorf("%d requests for 1000 references", n)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("it took %v", d)
		}
		broken.Delete("is")
		if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:good")); err != nil {
			t.Error(err)
		}
	})
}

// Requests are as far apart as the rate says, those to all hosts of Docker Hub
// counted together.
func TestRate(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings map[string]Registry
		refs     string
		hosts    []string
		apart    time.Duration
	}{
		{"own", map[string]Registry{"Registry.test": {Rate: 2, Concurrency: 5}}, "registry.test/app", []string{"registry.test"}, 500 * time.Millisecond},
		{"less than one a second", map[string]Registry{"registry.test": {Rate: 0.1}}, "registry.test/app", []string{"registry.test"}, 10 * time.Second},
		{"none", map[string]Registry{"other.test": {Rate: 1}}, "registry.test/app", []string{"registry.test"}, 0},
		{"Docker Hub", nil, "app", []string{"index.docker.io", "auth.docker.io"}, time.Second / hubRate},
		{"Docker Hub with an own", map[string]Registry{"docker.io": {Rate: 1}}, "app", []string{"index.docker.io", "auth.docker.io"}, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{h: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == "/token":
						fmt.Fprint(w, `{"token": "x"}`)
					case r.URL.Path == "/v2/" && r.Host == "index.docker.io":
						w.Header().Set("WWW-Authenticate", `Bearer realm="https://auth.docker.io/token",service="test"`)
						w.WriteHeader(http.StatusUnauthorized)
					default:
						api(good).ServeHTTP(w, r)
					}
				})}
				n := &names{hosts: map[string]http.HandlerFunc{}}
				for _, host := range test.hosts {
					n.hosts["https://"+host] = j.ServeHTTP
				}
				c, _ := timed(Options{Transport: n, Registries: test.settings}, nil)
				var refs []image.Reference
				for i := range 20 {
					refs = append(refs, parse(t, "%s:%d", test.refs, i))
				}
				noErrors(t, resolveRefs(c, refs))
				least := time.Hour
				for i := 1; i < len(j.arrivals); i++ {
					least = min(least, j.arrivals[i].at-j.arrivals[i-1].at)
				}
				if least < test.apart || test.apart == 0 && least > 0 {
					t.Errorf("two requests came %v apart, want %v", least, test.apart)
				}
			})
		})
	}
}

// Whatever a request waits for, it ends with its context.
func TestCancelWaits(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		h       http.Handler
	}{
		{"pause of the host", Options{}, bad(always, status(429, "100"))},
		{"probe of the host", Options{}, bad(1, status(429, "1"))},
		{"pause of the request", Options{}, bad(always, status(500, ""))},
		{"rate", Options{Registries: map[string]Registry{"registry.test": {Rate: 0.01}}}, api(good)},
		{"slot", Options{Concurrency: 1}, bad(always, status(429, "100"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := timed(test.options, test.h)
				ctx, cancel := context.WithTimeout(context.Background(), 1250*time.Millisecond)
				defer cancel()
				start := time.Now()
				var wg sync.WaitGroup
				failed := 0
				var mu sync.Mutex
				for i := range 30 {
					wg.Go(func() {
						_, err := c.Resolve(ctx, parse(t, "registry.test/app:%d", i))
						mu.Lock()
						defer mu.Unlock()
						if err != nil {
							failed++
						}
					})
				}
				wg.Wait()
				if got := time.Since(start); got > 1300*time.Millisecond || failed == 0 {
					t.Errorf("it took %v; %d references failed", got, failed)
				}
				for _, s := range c.Status() {
					if s.Sending != 0 || s.Waiting != 0 {
						t.Errorf("left behind: %+v", s)
					}
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		" 30 ":                           30 * time.Second,
		"-5":                             0,
		"+5":                             0,
		"1.5":                            0,
		"1e3":                            0,
		"soon":                           0,
		"999999999":                      999999999 * time.Second,
		fmt.Sprint(now.Unix() + 40):      40 * time.Second,
		fmt.Sprint(now.Unix() - 40):      -40 * time.Second,
		"99999999999":                    forever,
		"9223372036854775807":            forever,
		"99999999999999999999":           forever,
		"Sun, 01 Mar 2026 12:01:00 GMT":  time.Minute,
		"Sunday, 01-Mar-26 12:01:00 GMT": time.Minute,
		"Sun Mar  1 12:01:00 2026":       time.Minute,
		"Sun, 01 Mar 2026 11:00:00 GMT":  -time.Hour,
		"Fri, 31 Dec 9999 23:59:59 GMT":  forever,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}

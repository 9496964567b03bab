package registry

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/digestlint/digestlint/image"
)

// keys is a keychain of one login for each host. It counts how often it is
// asked.
type keys struct {
	logins map[string]authn.AuthConfig
	mu     sync.Mutex
	asked  int
}

func (k *keys) Resolve(r authn.Resource) (authn.Authenticator, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if login, ok := k.logins[r.RegistryStr()]; ok {
		return authn.FromConfig(login), nil
	}
	return authn.Anonymous, nil
}

// naps records the pauses of a client in place of making them, and has a clock
// that goes on by them alone.
type naps struct {
	mu    sync.Mutex
	taken []time.Duration
	clock time.Time
}

func (n *naps) sleep(ctx context.Context, d time.Duration, _ <-chan struct{}) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken = append(n.taken, d)
	n.clock = n.clock.Add(d)
	return ctx.Err()
}

func (n *naps) now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.clock
}

// newFileClient is a client like that of newClient, but with the credentials
// of files.
func newFileClient(o Options) *Client {
	c, _ := newClient(o)
	c.keychain = &credentialFiles{}
	return c
}

// newClient is a client that never waits, has no jitter, spaces no requests
// and has no credentials unless o says so.
func newClient(o Options) (*Client, *naps) {
	if o.Keychain == nil {
		o.Keychain = &keys{}
	}
	n := &naps{clock: time.Now()}
	c := New(o)
	c.wire.sleep = n.sleep
	c.wire.now = n.now
	c.wire.jitter = func() float64 { return 0 }
	c.wire.hubRate = 0
	return c, n
}

// server counts what an HTTP server is asked, by method and path, and keeps
// the headers.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	count   map[string]int
	headers []http.Header
}

func serve(t *testing.T, h http.Handler) *server {
	t.Helper()
	s := &server{count: make(map[string]int)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.count[r.Method+" "+r.URL.Path]++
		s.headers = append(s.headers, r.Header.Clone())
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	// Each first request to a loopback host is tried over TLS.
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// host is the address of s as a registry host.
func (s *server) host() string { return strings.TrimPrefix(s.URL, "http://") }

// total is the number of requests whose method and path start with prefix.
func (s *server) total(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for k, c := range s.count {
		if strings.HasPrefix(k, prefix) {
			n += c
		}
	}
	return n
}

// reset forgets the requests so far.
func (s *server) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.count)
	s.headers = nil
}

// newMemory is go-containerregistry's registry in memory.
func newMemory(t *testing.T) *server {
	t.Helper()
	return serve(t, memory.New(memory.Logger(log.New(io.Discard, "", 0))))
}

// parse is the reference of the format and arguments.
func parse(t *testing.T, format string, args ...any) image.Reference {
	t.Helper()
	ref, err := image.Parse(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// pushImage pushes a random image under ref and gives it.
func pushImage(t *testing.T, ref string, options ...remote.Option) v1.Image {
	t.Helper()
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag(t, ref), img, options...); err != nil {
		t.Fatal(err)
	}
	return img
}

// pushIndex pushes a random index of n images under ref and gives it.
func pushIndex(t *testing.T, ref string, n int64, options ...remote.Option) v1.ImageIndex {
	t.Helper()
	index, err := random.Index(64, 1, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag(t, ref), index, options...); err != nil {
		t.Fatal(err)
	}
	return index
}

func tag(t *testing.T, ref string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

// digester is an image or an index.
type digester interface{ Digest() (v1.Hash, error) }

func digestOf(t *testing.T, d digester) string {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// asError gives err as an [*Error] of the kind.
func asError(t *testing.T, err error, kind Kind) *Error {
	t.Helper()
	e, ok := err.(*Error) //nolint:errorlint // callers get it unwrapped, and this holds that
	if !ok {
		t.Fatalf("error is %v (%T), want an *Error", err, err)
	}
	if e.Kind != kind {
		t.Fatalf("kind of %q is %v, want %v", e, e.Kind, kind)
	}
	return e
}

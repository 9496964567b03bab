package resolve

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/digestlint/digestlint/cache"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/registry"
)

// meter is the way of a client to its servers. It notes what is asked for, but
// not the handshakes.
type meter struct {
	inner http.RoundTripper
	mu    sync.Mutex
	sent  []string // such as "HEAD app:1"
}

func (m *meter) RoundTrip(req *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(req.URL.Path, "/v2/")
	if path != "" && req.URL.Path != "/token" {
		m.mu.Lock()
		m.sent = append(m.sent, req.Method+" "+strings.Replace(path, "/manifests/", ":", 1))
		m.mu.Unlock()
	}
	return m.inner.RoundTrip(req)
}

// run is one run of the program: a client that knows nothing yet behind the
// cache on disk.
type run struct {
	Source
	meter *meter
	store *cache.Store
}

// newRun is a run with the cache in dir. To the cache, no damage is done in
// most tests, so it must not complain.
func newRun(t *testing.T, dir string, ttl time.Duration, inner http.RoundTripper) *run {
	t.Helper()
	m := &meter{inner: inner}
	store := cache.Open(dir, func(err error) { t.Errorf("warning: %v", err) })
	client := registry.New(registry.Options{Keychain: nobody{}, Transport: m, Retries: -1})
	return &run{Source: Cached(client, store, ttl), meter: m, store: store}
}

// end ends the run. It fails unless what was asked for is want.
func (r *run) end(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.meter.sent, want) {
		t.Errorf("asked for %q, want %q", r.meter.sent, want)
	}
	if err := r.store.Save(); err != nil {
		t.Error(err)
	}
}

// reads fails unless the tag stands for an image of the digest, with children.
func (r *run) reads(t *testing.T, ref image.Reference, digest string) {
	t.Helper()
	img, err := r.Read(context.Background(), ref)
	if err != nil || img.Digest != digest || len(img.Children) == 0 || img.MediaType == "" {
		t.Errorf("read %+v, %v; want %s", img, err, digest)
	}
}

func (r *run) resolves(t *testing.T, ref image.Reference, digest string) {
	t.Helper()
	m, err := r.Resolve(context.Background(), ref)
	if err != nil || m.Digest != digest || m.MediaType == "" {
		t.Errorf("resolved %+v, %v; want %s", m, err, digest)
	}
}

// The times to live of these tests: a tag is believed, or it is not.
const (
	believed = time.Hour
	stale    = 0
)

// each is an index of one new image.
func (s *shelf) each(tag string) string {
	s.t.Helper()
	return s.push(tag, map[string]v1.Image{"linux/amd64": s.made()})
}

func TestCachedRead(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	ref := s.ref("app:1")
	old := s.each("app:1")

	cold := newRun(t, dir, believed, http.DefaultTransport)
	cold.reads(t, ref, old)
	cold.reads(t, ref, old)
	cold.end(t, "GET app:1")

	warm := newRun(t, dir, believed, http.DefaultTransport)
	warm.reads(t, ref, old)
	warm.resolves(t, ref, old)
	warm.end(t)

	unmoved := newRun(t, dir, stale, http.DefaultTransport)
	unmoved.reads(t, ref, old)
	unmoved.end(t, "HEAD app:1")

	now := s.each("app:1")
	late := newRun(t, dir, believed, http.DefaultTransport)
	late.reads(t, ref, old)
	late.end(t)

	moved := newRun(t, dir, stale, http.DefaultTransport)
	moved.reads(t, ref, now)
	moved.end(t, "HEAD app:1", "GET app:"+now)

	// Back to what has been read two runs ago.
	s.retag("app@"+old, "app:1")
	back := newRun(t, dir, stale, http.DefaultTransport)
	back.reads(t, ref, old)
	back.end(t, "HEAD app:1")
}

// retag lets a tag lead to what a reference is.
func (s *shelf) retag(from, to string) {
	s.t.Helper()
	d, err := remote.Get(s.tag(from))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := remote.Tag(s.tag(to).Context().Tag(s.tag(to).Identifier()), d); err != nil {
		s.t.Fatal(err)
	}
}

// TestCachedWord holds that what a HEAD has told is not proven by being kept.
func TestCachedWord(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	ref := s.ref("app:1")
	old := s.each("app:1")

	first := newRun(t, dir, believed, http.DefaultTransport)
	first.resolves(t, ref, old)
	first.end(t, "HEAD app:1")

	again := newRun(t, dir, believed, http.DefaultTransport)
	again.resolves(t, ref, old)
	again.reads(t, ref, old)
	again.end(t, "GET app:1")
}

// TestCachedDigest asks by digest: whether it is there is asked again, what it
// holds is not.
func TestCachedDigest(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	digest := s.each("app:1")
	ref := s.ref("app@" + digest)

	cold := newRun(t, dir, believed, http.DefaultTransport)
	cold.resolves(t, ref, digest)
	cold.end(t, "HEAD app:"+digest)
	warm := newRun(t, dir, believed, http.DefaultTransport)
	warm.resolves(t, ref, digest)
	warm.end(t)
	late := newRun(t, dir, stale, http.DefaultTransport)
	late.resolves(t, ref, digest)
	late.end(t, "HEAD app:"+digest)

	for _, want := range [][]string{{"GET app:" + digest}, nil} {
		r := newRun(t, dir, stale, http.DefaultTransport)
		children, err := r.Children(context.Background(), ref, digest)
		if err != nil || len(children) != 1 {
			t.Errorf("children %v, %v", children, err)
		}
		r.end(t, want...)
	}
	// Children alone are no image: nobody has said its type.
	r := newRun(t, dir, believed, http.DefaultTransport)
	r.reads(t, s.ref("app:1"), digest)
	r.end(t, "GET app:1")

	// Another repository need not have what this one has.
	other := newRun(t, dir, believed, http.DefaultTransport)
	if children, err := other.Children(context.Background(), s.ref("other"), digest); err == nil {
		t.Errorf("another repository has %v", children)
	}
	other.end(t, "GET other:"+digest)
}

func TestCachedErrors(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	ref := s.ref("app:1")
	for range 2 {
		r := newRun(t, dir, believed, http.DefaultTransport)
		var e *registry.Error
		if _, err := r.Read(context.Background(), ref); !errors.As(err, &e) || e.Kind != registry.NotFound {
			t.Errorf("error %v", err)
		}
		if _, err := r.Resolve(context.Background(), s.ref("app:2")); !errors.As(err, &e) || e.Kind != registry.NotFound {
			t.Errorf("error %v", err)
		}
		r.end(t, "GET app:1", "HEAD app:2")
	}
	digest := s.each("app:1")
	r := newRun(t, dir, believed, http.DefaultTransport)
	r.reads(t, ref, digest)
	r.end(t, "GET app:1")

	// A tag that is gone is not read from what was known, and asked for once.
	if err := remote.Delete(s.tag("app:1")); err != nil {
		t.Fatal(err)
	}
	gone := newRun(t, dir, stale, http.DefaultTransport)
	var e *registry.Error
	if _, err := gone.Read(context.Background(), ref); !errors.As(err, &e) || e.Kind != registry.NotFound {
		t.Errorf("error %v", err)
	}
	gone.end(t, "HEAD app:1")
}

// TestCachedContradiction has a registry whose HEAD is not to be believed.
func TestCachedContradiction(t *testing.T) {
	for _, tt := range []struct {
		name string
		head func(http.Header) int // changes the answer, and gives its status
		asks bool
	}{
		{"agrees", func(http.Header) int { return 200 }, false},
		{"no HEAD", func(http.Header) int { return http.StatusMethodNotAllowed }, true},
		{"another type", func(h http.Header) int {
			h.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			return 200
		}, true},
		{"another size", func(h http.Header) int { h.Set("Content-Length", "7"); return 200 }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, dir := newShelf(t), t.TempDir()
			ref := s.ref("app:1")
			digest := s.each("app:1")
			first := newRun(t, dir, believed, http.DefaultTransport)
			first.reads(t, ref, digest)
			first.end(t, "GET app:1")

			want := []string{"HEAD app:1"}
			if tt.asks {
				want = append(want, "GET app:1")
			}
			second := newRun(t, dir, stale, &headChanger{tt.head})
			second.reads(t, ref, digest)
			if got := second.meter.sent; len(got) != len(want) || got[0] != want[0] {
				t.Errorf("asked for %q, want %q or the digest", got, want)
			}
		})
	}
}

// headChanger is a proxy that changes the answers to HEAD for manifests.
type headChanger struct{ change func(http.Header) int }

func (c *headChanger) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && req.Method == http.MethodHead && strings.Contains(req.URL.Path, "/manifests/") {
		resp.StatusCode = c.change(resp.Header)
		if _, err := fmt.Sscan(resp.Header.Get("Content-Length"), &resp.ContentLength); err != nil {
			resp.ContentLength = -1
		}
	}
	return resp, err
}

// TestCachedDamage puts what no client has answered in the place of each
// answer: it is asked for again.
func TestCachedDamage(t *testing.T) {
	s := newShelf(t)
	ref := s.ref("app:1")
	digest := s.each("app:1")
	manifest := `{"digest":"` + digest + `","type":"application/vnd.oci.image.index.v1+json","index":true}`
	for _, tt := range []struct{ tag, digest string }{
		{`1`, `{}`},
		{`{}`, `{}`},
		{`{"digest":"sha256:12","type":"t"}`, `{}`},
		{`{"digest":"` + digest + `"}`, `{}`},
		{manifest, `[]`},
		{manifest, `{}`},
		{manifest, manifest},
		{manifest, `{"children":[]}`},
		{manifest, strings.TrimSuffix(manifest, "}") + `,"size":-1,"children":[]}`},
		{manifest, strings.TrimSuffix(manifest, "}") + `,"children":[{}]}`},
		{manifest, strings.TrimSuffix(manifest, "}") + `,"children":[{"digest":"` + digest + `g"}]}`},
		{manifest, strings.TrimSuffix(strings.Replace(manifest, digest, otherDigest, 1), "}") + `,"children":[{"digest":"` + digest + `"}]}`},
		{manifest, strings.TrimSuffix(strings.Replace(manifest, "index.v1", "manifest.v1", 1), "}") + `,"children":[{"digest":"` + digest + `"}]}`},
	} {
		t.Run(tt.tag+" "+tt.digest, func(t *testing.T) {
			r := newRun(t, t.TempDir(), believed, http.DefaultTransport)
			r.store.Put(tagKey(ref), json.RawMessage(tt.tag))
			r.store.Put(digestKey(ref, digest), json.RawMessage(tt.digest))
			r.reads(t, ref, digest)
			r.end(t, "GET app:1")
		})
	}
}

// TestCachedDamagedFile holds that a damaged file costs requests and no more.
func TestCachedDamagedFile(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	ref := s.ref("app:1")
	digest := s.each("app:1")
	first := newRun(t, dir, believed, http.DefaultTransport)
	first.reads(t, ref, digest)
	first.end(t, "GET app:1")
	damaged := 0
	files, err := filepath.Glob(filepath.Join(dir, "*.store"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	evil := strings.ReplaceAll(string(data), digest, otherDigest)
	if err := os.WriteFile(files[0], []byte(evil), 0o600); err != nil {
		t.Fatal(err)
	}
	second := newRun(t, dir, believed, http.DefaultTransport)
	client := registry.New(registry.Options{Keychain: nobody{}, Transport: second.meter})
	second.store = cache.Open(dir, func(error) { damaged++ })
	second.Source = Cached(client, second.store, believed)
	second.reads(t, ref, digest)
	second.end(t, "GET app:1")
	if damaged != 1 {
		t.Errorf("%d warnings", damaged)
	}
	third := newRun(t, dir, believed, http.DefaultTransport)
	third.reads(t, ref, digest)
	third.end(t)
}

// TestCachedMerge has two runs at the same time.
func TestCachedMerge(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	a, b := s.each("a:1"), s.each("b:1")
	one, two := newRun(t, dir, believed, http.DefaultTransport), newRun(t, dir, believed, http.DefaultTransport)
	one.reads(t, s.ref("a:1"), a)
	two.reads(t, s.ref("b:1"), b)
	one.end(t, "GET a:1")
	two.end(t, "GET b:1")
	both := newRun(t, dir, believed, http.DefaultTransport)
	both.reads(t, s.ref("a:1"), a)
	both.reads(t, s.ref("b:1"), b)
	both.end(t)
}

// TestCachedEqual compares the answers of runs that share a cache with those of
// clients without one, while tags move.
func TestCachedEqual(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := newShelf(t)
	tags := []string{"a:1", "a:2", "b:1", "c:latest"}
	digests := []string{"sha256:" + strings.Repeat("0", 64)}
	push := func() {
		tag := tags[rnd.IntN(len(tags))]
		var digest string
		if rnd.IntN(3) == 0 {
			img := s.made()
			if err := remote.Write(s.tag(tag), img); err != nil {
				t.Fatal(err)
			}
			digest = s.digest(img)
		} else {
			index := s.strange(rnd)
			if err := remote.WriteIndex(s.tag(tag), index); err != nil {
				t.Fatal(err)
			}
			digest = s.digest(index)
		}
		digests = append(digests, digest)
	}
	for range 8 {
		push()
	}
	dir := t.TempDir()
	for range 30 {
		// A tag that is believed is compared only while none has moved.
		ttl := time.Duration(stale)
		if rnd.IntN(2) == 0 {
			ttl, dir = believed, t.TempDir()
		} else {
			push()
		}
		for range 3 {
			r := newRun(t, dir, ttl, http.DefaultTransport)
			for range 5 {
				written := tags[rnd.IntN(len(tags))]
				digest := digests[rnd.IntN(len(digests))]
				switch rnd.IntN(3) {
				case 0:
					written += "@" + digest
				case 1:
					written, _, _ = strings.Cut(written, ":")
					written += "@" + digest
				}
				compare(t, r.Source, s.resolver().Source, s.ref(written), digest)
			}
			if err := r.store.Save(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// strange is an index of images with unusual platforms; it may be empty.
func (s *shelf) strange(rnd *rand.Rand) v1.ImageIndex {
	words := []string{"", "linux", "amd64", "<&>", "\u2028", "ä \"'\\", strings.Repeat("x", 300)}
	word := func() string { return words[rnd.IntN(len(words))] }
	index := mutate.Annotations(empty.Index, map[string]string{"n": fmt.Sprint(rnd.Uint64())}).(v1.ImageIndex)
	for range rnd.IntN(4) {
		p := &v1.Platform{OS: word(), Architecture: word(), Variant: word(), OSVersion: word()}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: s.made(), Descriptor: v1.Descriptor{Platform: p}})
	}
	return index
}

// compare asks both sources everything about ref.
func compare(t *testing.T, got, want Source, ref image.Reference, digest string) {
	t.Helper()
	ctx := context.Background()
	same := func(what string, got, want any, gotErr, wantErr error) {
		t.Helper()
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || wantErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s: %+v, %v; without the cache %+v, %v", what, ref, got, gotErr, want, wantErr)
		}
	}
	gotManifest, gotErr := got.Resolve(ctx, ref)
	wantManifest, wantErr := want.Resolve(ctx, ref)
	same("resolve", gotManifest, wantManifest, gotErr, wantErr)
	gotImage, gotErr := got.Read(ctx, ref)
	wantImage, wantErr := want.Read(ctx, ref)
	same("read", gotImage, wantImage, gotErr, wantErr)
	gotChildren, gotErr := got.Children(ctx, ref, digest)
	wantChildren, wantErr := want.Children(ctx, ref, digest)
	same("children of", gotChildren, wantChildren, gotErr, wantErr)
	if wantImage.Digest == "" {
		return // of what does not exist, nobody asks the age
	}
	gotTime, gotErr := got.Pushed(ctx, ref)
	wantTime, wantErr := want.Pushed(ctx, ref)
	same("date", gotTime, wantTime, gotErr, wantErr)
}

// loopbackHub is Docker Hub on loopback: its registry with one single image, and its
// API.
type loopbackHub struct {
	address  string
	manifest string
	record   string    // digest of the record, empty for none
	pushed   time.Time // of the record
}

func newHub(t *testing.T) *loopbackHub {
	t.Helper()
	h := &loopbackHub{}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.address = strings.TrimPrefix(server.URL, "http://")
	return h
}

// push puts a new image under the tag, and its digest into the record.
func (h *loopbackHub) push(created time.Time) (digest string) {
	h.manifest = fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q,"size":%d},"layers":[]}`, otherDigest, created.Unix())
	h.record, h.pushed = h.digest(), created
	return h.digest()
}

func (h *loopbackHub) digest() string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(h.manifest)))
}

// RoundTrip brings what is meant for Docker Hub to the server.
func (h *loopbackHub) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Host = req.URL.Host
	req.URL.Scheme, req.URL.Host = "http", h.address
	return http.DefaultTransport.RoundTrip(req)
}

func (h *loopbackHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const single = "application/vnd.oci.image.manifest.v1+json"
	switch {
	case r.Host == "hub.docker.com" && h.record == "":
		w.WriteHeader(http.StatusNotFound)
	case r.Host == "hub.docker.com":
		fmt.Fprintf(w, `{"digest":%q,"media_type":%q,"tag_last_pushed":%q,"images":[{"digest":%[1]q,"os":"linux","architecture":"amd64"}]}`,
			h.record, single, h.pushed.Format(time.RFC3339))
	case strings.Contains(r.URL.Path, "/manifests/"):
		w.Header().Set("Content-Type", single)
		w.Header().Set("Docker-Content-Digest", h.digest())
		fmt.Fprint(w, h.manifest)
	}
}

// What is asked of Docker Hub.
const (
	hubHead   = "HEAD library/app:1"
	hubRecord = "GET namespaces/library/repositories/app/tags/1"
)

// readsHub fails unless the tag stands for a single image of the digest, which
// has no children without a pull.
func (r *run) readsHub(t *testing.T, written, digest string) {
	t.Helper()
	img, err := r.Read(context.Background(), mustParse(t, written))
	if err != nil || img.Digest != digest || img.Children != nil {
		t.Errorf("read %+v, %v; want %s", img, err, digest)
	}
}

func (r *run) pushed(t *testing.T, written string, want time.Time) {
	t.Helper()
	got, err := r.Pushed(context.Background(), mustParse(t, written))
	if err != nil || !got.Equal(want) {
		t.Errorf("pushed %v, %v; want %v", got, err, want)
	}
}

func mustParse(t *testing.T, s string) image.Reference {
	t.Helper()
	ref, err := image.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

var (
	longAgo = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	justNow = longAgo.AddDate(0, 2, 0)
)

// TestCachedHub holds that a pull is never needed, by whatever name.
func TestCachedHub(t *testing.T) {
	h, dir := newHub(t), t.TempDir()
	digest := h.push(longAgo)
	cold := newRun(t, dir, believed, h)
	cold.readsHub(t, "app:1", digest)
	cold.pushed(t, "app:1", longAgo)
	cold.end(t, hubHead, hubRecord)

	warm := newRun(t, dir, believed, h)
	for _, written := range []string{"app:1", "library/app:1", "docker.io/app:1", "index.docker.io/library/app:1", "app:1@" + otherDigest} {
		warm.readsHub(t, written, digest)
		warm.resolves(t, mustParse(t, written), digest)
		warm.pushed(t, written, longAgo)
	}
	warm.end(t)

	unmoved := newRun(t, dir, stale, h)
	unmoved.readsHub(t, "app:1", digest)
	unmoved.end(t, hubHead)

	// The configuration, which Docker Hub's API does not know, takes the pull.
	for _, want := range [][]string{{"GET library/app:" + digest}, nil} {
		r := newRun(t, dir, believed, h)
		children, err := r.Children(context.Background(), mustParse(t, "app"), digest)
		if err != nil || len(children) != 1 || children[0].Kind != registry.ChildConfig || children[0].Digest != otherDigest {
			t.Errorf("children %v, %v", children, err)
		}
		// To know them takes nothing from what was known.
		img, err := r.Read(context.Background(), mustParse(t, "app:1"))
		if err != nil || img.Digest != digest {
			t.Errorf("read %+v, %v", img, err)
		}
		r.end(t, want...)
	}
}

// TestCachedPushed holds that an image never gets the age of another one.
func TestCachedPushed(t *testing.T) {
	t.Run("moved while it was believed", func(t *testing.T) {
		h, dir := newHub(t), t.TempDir()
		old := h.push(longAgo)
		first := newRun(t, dir, believed, h)
		first.readsHub(t, "app:1", old)
		first.pushed(t, "app:1", longAgo)
		first.end(t, hubHead, hubRecord)

		now := h.push(justNow)
		moved := newRun(t, dir, stale, h)
		moved.readsHub(t, "app:1", now)
		moved.end(t, hubHead, hubRecord)
		// The time of the old one is still kept, and not too old.
		next := newRun(t, dir, believed, h)
		next.readsHub(t, "app:1", now)
		next.pushed(t, "app:1", justNow)
		next.end(t, hubHead, hubRecord)
	})
	t.Run("a record that lags", func(t *testing.T) {
		h, dir := newHub(t), t.TempDir()
		old := h.push(longAgo)
		now := h.push(justNow)
		h.record, h.pushed = old, longAgo
		first := newRun(t, dir, believed, h)
		if img, err := first.Read(context.Background(), mustParse(t, "app:1")); err != nil || img.Digest != now {
			t.Errorf("read %+v, %v", img, err)
		}
		first.end(t, hubHead, hubRecord, "GET library/app:"+now)
		for _, want := range [][]string{{hubHead, hubRecord}, nil} {
			r := newRun(t, dir, believed, h)
			r.resolves(t, mustParse(t, "app:1"), now)
			r.pushed(t, "app:1", time.Time{})
			r.end(t, want...)
		}
	})
	t.Run("no record", func(t *testing.T) {
		h, dir := newHub(t), t.TempDir()
		digest := h.push(longAgo)
		h.record = ""
		for _, want := range [][]string{{hubHead, hubRecord}, nil} {
			r := newRun(t, dir, believed, h)
			r.resolves(t, mustParse(t, "app:1"), digest)
			r.pushed(t, "app:1", time.Time{})
			r.end(t, want...)
		}
	})
	t.Run("stale", func(t *testing.T) {
		h, dir := newHub(t), t.TempDir()
		h.push(longAgo)
		for range 2 {
			r := newRun(t, dir, stale, h)
			r.pushed(t, "app:1", longAgo)
			r.end(t, hubHead, hubRecord)
		}
	})
	t.Run("a digest", func(t *testing.T) {
		r := newRun(t, t.TempDir(), believed, http.DefaultTransport)
		r.pushed(t, "app@"+otherDigest, time.Time{})
		r.end(t)
	})
	t.Run("no answer", func(t *testing.T) {
		r := newRun(t, t.TempDir(), believed, http.DefaultTransport)
		if got, err := r.Pushed(context.Background(), mustParse(t, newShelf(t).host+"/app:1")); err == nil {
			t.Errorf("pushed %v", got)
		}
	})
}

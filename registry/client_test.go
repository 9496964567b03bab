package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/digestlint/digestlint/image"
)

func TestResolve(t *testing.T) {
	s := newMemory(t)
	img := pushImage(t, s.host()+"/team/app:1.2")
	index := pushIndex(t, s.host()+"/team/app:latest", 3)
	size, err := img.Size()
	if err != nil {
		t.Fatal(err)
	}
	indexSize, err := index.Size()
	if err != nil {
		t.Fatal(err)
	}
	single := Manifest{Digest: digestOf(t, img), MediaType: string(types.DockerManifestSchema2), Size: size}
	many := Manifest{Digest: digestOf(t, index), MediaType: string(types.OCIImageIndex), Index: true, Size: indexSize}
	other := "sha256:" + strings.Repeat("0", 64)

	for _, test := range []struct {
		ref  string
		want Manifest
	}{
		{"/team/app:1.2", single},
		{"/team/app:latest", many},
		{"/team/app", many},
		{"/team/app@" + single.Digest, single},
		{"/team/app@" + many.Digest, many},
		{"/team/app:1.2@" + other, single}, // the tag now, whatever was pinned
	} {
		t.Run(test.ref, func(t *testing.T) {
			c, _ := newClient(Options{})
			got, err := c.Resolve(context.Background(), parse(t, "%s%s", s.host(), test.ref))
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestResolveMissing(t *testing.T) {
	s := newMemory(t)
	pushImage(t, s.host()+"/app:1")
	for _, ref := range []string{"/app:2", "/nothing:1", "/app@sha256:" + strings.Repeat("0", 64)} {
		c, naps := newClient(Options{})
		r := parse(t, "%s%s", s.host(), ref)
		_, err := c.Resolve(context.Background(), r)
		e := asError(t, err, NotFound)
		if want := fmt.Sprintf("resolve %s at %s: 404 Not Found", r, s.host()); e.Error() != want {
			t.Errorf("error is  %q\nwant %q", e, want)
		}
		if e.Reference != r.String() || e.Registry != s.host() {
			t.Errorf("error is of %q at %q, want %q at %q", e.Reference, e.Registry, r, s.host())
		}
		if !strings.Contains(e.Hint(), "does not exist or is private") {
			t.Errorf("hint is %q", e.Hint())
		}
		if len(naps.taken) > 0 {
			t.Errorf("a missing image was asked for again")
		}
	}
}

// Each reference costs one HEAD, however often and however it is spelled, and
// each registry one request to its API root.
func TestResolveOnce(t *testing.T) {
	s := newMemory(t)
	const refs, asks = 10, 1000
	want := make([]string, refs)
	for i := range want {
		want[i] = digestOf(t, pushImage(t, fmt.Sprintf("%s/app%d:v", s.host(), i)))
	}
	s.reset()
	keychain := &keys{}
	c, _ := newClient(Options{Keychain: keychain})

	var wg sync.WaitGroup
	for i := range asks {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ref := parse(t, "%s/app%d:v", s.host(), i%refs)
			if i%2 == 1 {
				ref.Registry = strings.ToUpper(ref.Registry)
			}
			got, err := c.Resolve(context.Background(), ref)
			if err != nil {
				t.Error(err)
			} else if got.Digest != want[i%refs] {
				t.Errorf("%s: got %s, want %s", ref, got.Digest, want[i%refs])
			}
		}()
	}
	wg.Wait()
	for prefix, n := range map[string]int{"HEAD ": refs, "GET /v2/": 1, "": refs + 1} {
		if got := s.total(prefix); got != n {
			t.Errorf("%d requests %q for %d asks of %d references, want %d", got, prefix, asks, refs, n)
		}
	}
	if keychain.asked != 1 {
		t.Errorf("credentials looked up %d times, want once", keychain.asked)
	}
	for _, h := range s.headers {
		if got := h.Get("User-Agent"); got != "digestlint" {
			t.Errorf("User-Agent is %q", got)
		}
	}
}

func TestResolveFailureOnce(t *testing.T) {
	s := newMemory(t)
	c, _ := newClient(Options{})
	for range 3 {
		_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host()))
		asError(t, err, NotFound)
	}
	if n := s.total("HEAD "); n != 1 {
		t.Errorf("%d requests for a missing image, want 1", n)
	}
}

func TestResolveNotParsed(t *testing.T) {
	c, _ := newClient(Options{Transport: noNetwork{t}})
	for _, ref := range []image.Reference{
		{},
		{Repository: "../../secret", Tag: "1"},
		{Registry: "user:password@localhost", Repository: "app", Tag: "1"},
		{Repository: "app", Tag: "1/../../x"},
		{Repository: "app", Digest: "sha256:12"},
		{Registry: "registry", Repository: "app", Tag: "1"}, // reads back as a path on Docker Hub
	} {
		_, err := c.Resolve(context.Background(), ref)
		asError(t, err, Invalid)
	}
	_, err := c.Children(context.Background(), parse(t, "nginx"), "sha256:12")
	asError(t, err, Invalid)
	_, err = c.Children(context.Background(), parse(t, "nginx"), "")
	asError(t, err, Invalid)
}

// noNetwork fails a test that sends a request.
type noNetwork struct{ t *testing.T }

func (n noNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
	n.t.Errorf("%s %s was sent", req.Method, req.URL)
	return nil, fmt.Errorf("no network")
}

func TestChildrenOfIndex(t *testing.T) {
	s := newMemory(t)
	index := v1.ImageIndex(empty.Index)
	var want []Child
	for _, p := range []v1.Platform{
		{OS: "linux", Architecture: "amd64"},
		{OS: "linux", Architecture: "arm64", Variant: "v8"},
		{OS: "windows", Architecture: "amd64", OSVersion: "10.0.20348.1"},
	} {
		img, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
		size, err := img.Size()
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, Child{
			Digest:    digestOf(t, img),
			MediaType: string(types.DockerManifestSchema2),
			Platform:  Platform{p.OS, p.Architecture, p.Variant, p.OSVersion},
			Size:      size,
		})
	}
	if err := remote.WriteIndex(tag(t, s.host()+"/app:1"), index); err != nil {
		t.Fatal(err)
	}
	s.reset()

	c, _ := newClient(Options{})
	for range 3 {
		got, err := c.Children(context.Background(), parse(t, "%s/app:1", s.host()), digestOf(t, index))
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
	if n := s.total("GET /v2/app/manifests/"); n != 1 {
		t.Errorf("%d requests for the children of one digest, want 1", n)
	}
}

func TestChildrenOfImage(t *testing.T) {
	s := newMemory(t)
	img := pushImage(t, s.host()+"/app:1")
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := newClient(Options{})
	got, err := c.Children(context.Background(), parse(t, "%s/app", s.host()), digestOf(t, img))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Kind != ChildConfig || got[0].Digest != config.String() {
		t.Errorf("got %v, want the config %v", got, config)
	}
	if got[0].Kind.String() != "config" || ChildManifest.String() != "manifest" {
		t.Errorf("kinds are called %v and %v", got[0].Kind, ChildManifest)
	}
}

func TestChildrenMissing(t *testing.T) {
	s := newMemory(t)
	pushImage(t, s.host()+"/app:1")
	c, _ := newClient(Options{})
	digest := "sha256:" + strings.Repeat("0", 64)
	_, err := c.Children(context.Background(), parse(t, "%s/app:1", s.host()), digest)
	e := asError(t, err, NotFound)
	if want := s.host() + "/app@" + digest; e.Reference != want {
		t.Errorf("reference is %q, want %q", e.Reference, want)
	}
}

func TestPlatform(t *testing.T) {
	for want, p := range map[string]Platform{
		"":               {},
		"linux":          {OS: "linux"},
		"linux/amd64":    {OS: "linux", Architecture: "amd64"},
		"linux/arm64/v8": {OS: "linux", Architecture: "arm64", Variant: "v8"},
		"windows/amd64":  {OS: "windows", Architecture: "amd64", OSVersion: "10.0"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%#v is %q, want %q", p, got, want)
		}
	}
}

// detour sends everything to one server on this machine and notes where it was
// meant to go.
type detour struct {
	to   *server
	mu   sync.Mutex
	seen []string
}

func (d *detour) RoundTrip(req *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.seen = append(d.seen, req.Method+" "+req.URL.String())
	d.mu.Unlock()
	out := req.Clone(req.Context())
	out.URL = &url.URL{Scheme: "http", Host: d.to.host(), Path: req.URL.Path, RawQuery: req.URL.RawQuery}
	return http.DefaultTransport.RoundTrip(out)
}

// All names of Docker Hub lead to index.docker.io, and only over HTTPS.
func TestDockerHub(t *testing.T) {
	s := newMemory(t)
	img := pushImage(t, s.host()+"/library/nginx:1.25")
	d := &detour{to: s}
	c, _ := newClient(Options{Transport: d})
	for _, ref := range []string{"nginx:1.25", "docker.io/nginx:1.25", "docker.io/library/nginx:1.25", "index.docker.io/library/nginx:1.25", "registry-1.docker.io/library/nginx:1.25"} {
		got, err := c.Resolve(context.Background(), parse(t, "%s", ref))
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest != digestOf(t, img) {
			t.Errorf("%s: got %s, want %s", ref, got.Digest, digestOf(t, img))
		}
	}
	want := "GET https://index.docker.io/v2/ HEAD https://index.docker.io/v2/library/nginx/manifests/1.25"
	if got := strings.Join(d.seen, " "); got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
	_, err := c.Resolve(context.Background(), parse(t, "nope"))
	if e := asError(t, err, NotFound); e.Registry != "docker.io" || !strings.HasPrefix(e.Error(), "resolve nope at docker.io: ") {
		t.Errorf("error is %q, of %q", e, e.Registry)
	}
}

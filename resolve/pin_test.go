package resolve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
)

// nobody has no credentials.
type nobody struct{}

func (nobody) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// shelf is a registry in memory on loopback, with a client that has asked it
// nothing yet.
type shelf struct {
	t    *testing.T
	host string
	// served answers instead of the registry for a repository: what it would
	// not take, such as an index without its manifests.
	served map[string]string
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{t: t, served: map[string]string{}}
	inner := memory.New(memory.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repository, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
		if body, ok := s.served[repository]; ok {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			_, _ = io.WriteString(w, body)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

func (s *shelf) resolver() *Resolver {
	return &Resolver{Source: registry.New(registry.Options{Keychain: nobody{}})}
}

func (s *shelf) ref(text string) image.Reference {
	s.t.Helper()
	ref, err := image.Parse(s.host + "/" + text)
	if err != nil {
		s.t.Fatal(err)
	}
	return ref
}

func (s *shelf) tag(text string) name.Reference {
	s.t.Helper()
	tag, err := name.ParseReference(s.host + "/" + text)
	if err != nil {
		s.t.Fatal(err)
	}
	return tag
}

// made is an image for a platform, different from all others.
func (s *shelf) made() v1.Image {
	s.t.Helper()
	img, err := random.Image(64, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	return img
}

// push puts an index of the images, by platform, under a tag.
func (s *shelf) push(tag string, images map[string]v1.Image) string {
	s.t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, platform := range []string{"linux/amd64", "linux/arm64", "linux/s390x", "unknown/unknown"} {
		if img := images[platform]; img != nil {
			p, err := v1.ParsePlatform(platform)
			if err != nil {
				s.t.Fatal(err)
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}})
		}
	}
	if err := remote.WriteIndex(s.tag(tag), index); err != nil {
		s.t.Fatal(err)
	}
	return s.digest(index)
}

func (s *shelf) digest(d interface{ Digest() (v1.Hash, error) }) string {
	s.t.Helper()
	h, err := d.Digest()
	if err != nil {
		s.t.Fatal(err)
	}
	return h.String()
}

func refused(t *testing.T, err error, class string) {
	t.Helper()
	var r *lint.Refusal
	if !errors.As(err, &r) || r.Class != class {
		t.Errorf("error is %v, want a refusal of the class %q", err, class)
	}
}

const (
	otherDigest  = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	listedDigest = "sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d"
)

func TestPin(t *testing.T) {
	s := newShelf(t)
	amd, arm := s.made(), s.made()
	app := s.push("app:1", map[string]v1.Image{"linux/amd64": amd, "linux/arm64": arm})
	single := s.made()
	if err := remote.Write(s.tag("single:1"), single); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ ref, platform, want, class string }{
		{"app:1", "", app, ""},
		{"app:1", "linux/arm64/v8", s.digest(arm), ""},
		{"app:1", "linux/s390x", "", "not made for linux/s390x"},
		{"single:1", "", s.digest(single), ""},
		{"single:1", "linux/arm64", s.digest(single), ""},
	} {
		r := s.resolver()
		r.Platform = test.platform
		got, err := r.Pin(context.Background(), s.ref(test.ref))
		if test.class != "" {
			refused(t, err, test.class)
			continue
		}
		if err != nil || got.Digest != test.want || got.Note != "" {
			t.Errorf("%s for %q: got %+v, %v, want %s", test.ref, test.platform, got, err, test.want)
		}
	}
	_, err := s.resolver().Pin(context.Background(), s.ref("app:2"))
	var e *registry.Error
	if !errors.As(err, &e) || e.Kind != registry.NotFound {
		t.Errorf("error is %v, want one of a registry", err)
	}
}

func TestPinMalicious(t *testing.T) {
	s := newShelf(t)
	s.served["evil"] = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` +
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"` + listedDigest + `","platform":{"os":"linux","architecture":"s390x"}}]}`
	for _, platform := range []string{"", "linux/s390x", "linux/amd64"} {
		r := s.resolver()
		r.Platform = platform
		_, err := r.Pin(context.Background(), s.ref("evil:1"))
		refused(t, err, "malicious")
		_, err = r.Pin(context.Background(), s.ref("evil:1@"+otherDigest))
		refused(t, err, "malicious")
	}
}

func TestUpdate(t *testing.T) {
	s := newShelf(t)
	amd, arm, arm2 := s.made(), s.made(), s.made()
	first := map[string]v1.Image{"linux/amd64": amd, "linux/arm64": arm, "unknown/unknown": s.made()}
	old := s.push("app:1", first)
	more := s.push("app:2", map[string]v1.Image{"linux/amd64": amd, "linux/arm64": arm, "linux/s390x": s.made(), "unknown/unknown": s.made()})
	rebuilt := s.push("app:3", map[string]v1.Image{"linux/amd64": amd, "linux/arm64": arm2})
	if err := remote.Write(s.tag("app:single"), s.made()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, ref, platform string
		platforms           []string
		want, note          string
	}{
		{"nothing moved", "app:1@" + old, "", nil, old, ""},
		{"only additions", "app:2@" + old, "", nil, old, "its tag has moved to " + more},
		{"rebuilt", "app:3@" + old, "", nil, rebuilt, ""},
		{"another platform rebuilt", "app:3@" + old, "", []string{"linux/amd64"}, old, "its tag has moved to " + rebuilt},
		{"one that is run rebuilt", "app:3@" + old, "", []string{"linux/amd64", "linux/arm64"}, rebuilt, ""},
		{"the old is gone", "app:3@" + otherDigest, "", nil, rebuilt, ""},
		{"a manifest of the tag", "app:3@" + s.digest(amd), "", nil, s.digest(amd), "pinned to the linux/amd64 manifest of its tag; the digest for all platforms is " + rebuilt},
		{"a manifest of an older tag", "app:3@" + s.digest(arm), "", nil, rebuilt, ""},
		{"a manifest for a platform", "app:3@" + s.digest(arm), "linux/arm64", nil, s.digest(arm2), ""},
		{"the manifest for the platform", "app:3@" + s.digest(amd), "linux/amd64", nil, s.digest(amd), ""},
		{"an index for a platform", "app:3@" + old, "linux/amd64", nil, s.digest(amd), ""},
		{"a listed digest", "app:2@" + listedDigest, "", nil, more, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.resolver()
			r.Platform, r.Platforms = test.platform, test.platforms
			got, err := r.Pin(context.Background(), s.ref(test.ref))
			if err != nil || got.Digest != test.want || !strings.HasPrefix(got.Note, test.note) || test.note == "" && got.Note != "" {
				t.Errorf("got %+v, %v, want %s and %q", got, err, test.want, test.note)
			}
		})
	}
	if _, err := s.resolver().Pin(context.Background(), s.ref("app:none@"+old)); err == nil {
		t.Error("a tag that is gone is no error")
	}
}

// An age that nobody knows is not old enough.
func TestMinAgeUnknown(t *testing.T) {
	s := newShelf(t)
	s.push("app:1", map[string]v1.Image{"linux/amd64": s.made()})
	r := s.resolver()
	r.MinAge = time.Hour
	_, err := r.Pin(context.Background(), s.ref("app:1"))
	refused(t, err, "of unknown age")
	if err == nil || !strings.Contains(err.Error(), s.host) {
		t.Errorf("%v does not name the registry", err)
	}
}

// hub stands for the hosts of Docker Hub, without a network.
type hub struct{ manifest, pushed string }

func (h hub) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch {
	case r.URL.Host == "hub.docker.com":
		fmt.Fprintf(w, `{"digest": "sha256:%x", "tag_last_pushed": %q}`, sha256.Sum256([]byte(h.manifest)), h.pushed)
	case r.URL.Path == "/v2/":
	default:
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		_, _ = io.WriteString(w, h.manifest)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func TestMinAge(t *testing.T) {
	now := time.Date(2026, 4, 22, 15, 0, 0, 0, time.UTC)
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":1,"digest":"` + otherDigest + `"}}`
	ref, err := image.Parse("checkmarx/kics:v9")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ pushed, class string }{
		{"2026-04-22T12:35:00.123456Z", "pushed too recently"},
		{"2026-04-19T14:59:00Z", ""},
		{"", "of unknown age"},
		{"2026-04-23T00:00:00Z", "pushed too recently"},
	} {
		r := &Resolver{
			Source: registry.New(registry.Options{Keychain: nobody{}, Transport: hub{manifest, test.pushed}}),
			MinAge: 72 * time.Hour, Now: func() time.Time { return now },
		}
		got, err := r.Pin(context.Background(), ref)
		if test.class != "" {
			refused(t, err, test.class)
			continue
		}
		if err != nil || got.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(manifest))) {
			t.Errorf("pushed %s: got %+v, %v", test.pushed, got, err)
		}
	}
}

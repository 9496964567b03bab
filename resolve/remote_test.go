package resolve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
	"github.com/digestlint/digestlint/rules"
)

// tap is a transport that lists the requests for manifests, and lets some fail.
type tap struct {
	next http.RoundTripper
	// status, if not nil, gives the status to answer with in place of the
	// registry; zero leaves the answer to the registry.
	status func(method, identifier string) int

	mu   sync.Mutex
	sent []string
}

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	repository, identifier, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	if !ok {
		return t.next.RoundTrip(r)
	}
	t.mu.Lock()
	t.sent = append(t.sent, fmt.Sprintf("%s %s %s", r.Method, repository, identifier))
	t.mu.Unlock()
	if t.status != nil {
		if status := t.status(r.Method, identifier); status != 0 {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}
	}
	return t.next.RoundTrip(r)
}

// asked are the requests so far, with names in the place of digests.
func (t *tap) asked(names map[string]string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]string, len(t.sent))
	for i, s := range t.sent {
		for digest, name := range names {
			s = strings.ReplaceAll(s, digest, name)
		}
		out[i] = s
	}
	return out
}

// asking is a resolver for a shelf that nobody has asked anything.
func asking(t *tap) *Resolver {
	t.next = http.DefaultTransport
	return &Resolver{Source: registry.New(registry.Options{Keychain: nobody{}, Transport: t, Retries: -1})}
}

// stock is a shelf with images to ask for: app:1 leads to the index old and
// app:2 to the index new, another arm64 image; app:3 to more, the same images
// and one more; app:single to one image; app:broken to an index without its
// arm64 image; evil:1 to an index that holds a listed digest.
type stock struct {
	*shelf
	old, more, broken, single, amd, arm, arm2, note, lost string
	new                                                   string
	names                                                 map[string]string // by digest
}

func newStock(t *testing.T) *stock {
	t.Helper()
	s := &stock{shelf: newShelf(t)}
	amd, arm, arm2, note, lost, single := s.made(), s.made(), s.made(), s.made(), s.made(), s.made()
	s.old = s.push("app:1", map[string]v1.Image{"linux/amd64": amd, "linux/arm64": arm, "unknown/unknown": note})
	s.new = s.push("app:2", map[string]v1.Image{"linux/amd64": amd, "linux/arm64": arm2})
	s.more = s.push("app:3", map[string]v1.Image{"linux/amd64": amd, "linux/arm64": arm, "linux/s390x": arm2, "unknown/unknown": s.made()})
	s.broken = s.push("app:broken", map[string]v1.Image{"linux/amd64": amd, "linux/arm64": lost, "unknown/unknown": note})
	if err := remote.Write(s.tag("app:single"), single); err != nil {
		t.Fatal(err)
	}
	s.amd, s.arm, s.arm2, s.note, s.lost, s.single = s.digest(amd), s.digest(arm), s.digest(arm2), s.digest(note), s.digest(lost), s.digest(single)
	for _, d := range []string{s.lost, s.note} {
		if err := remote.Delete(s.tag("app@" + d)); err != nil {
			t.Fatal(err)
		}
	}
	s.served["evil"] = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` +
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"` + listedDigest + `","platform":{"os":"linux","architecture":"s390x"}}]}`
	s.names = map[string]string{s.old: "OLD", s.new: "NEW", s.more: "MORE", s.broken: "BROKEN", s.single: "SINGLE",
		s.amd: "AMD", s.arm: "ARM", s.arm2: "ARM2", s.note: "NOTE", s.lost: "LOST"}
	return s
}

// tell is a Remote in short.
func (s *stock) tell(r rules.Remote) string {
	var out []string
	add := func(what string, m *rules.Manifest) {
		if m == nil {
			return
		}
		text := what + " " + s.names[m.Digest]
		if m.Index && m.Children == nil {
			text += " unread"
		}
		out = append(out, text)
	}
	add("now", r.Now)
	add("pinned", r.Pinned)
	if r.Gone {
		out = append(out, "gone")
	}
	for _, c := range r.Missing {
		out = append(out, "missing "+c.Platform+" "+s.names[c.Digest])
	}
	if r.Same {
		out = append(out, "same")
	}
	return strings.Join(out, ", ")
}

// TestRemote holds what is found out, and the requests that it takes.
func TestRemote(t *testing.T) {
	s := newStock(t)
	for _, test := range []struct {
		name, ref string
		platforms []string
		want      string
		asked     []string
	}{
		{"a tag", "app:1", nil, "now OLD", []string{"GET app 1"}},
		{"no tag", "app", nil, "", []string{"GET app latest"}},
		{"an image that its tag leads to", "app:single@" + s.single, nil, "now SINGLE, pinned SINGLE", []string{"GET app single"}},
		{"an index that its tag leads to", "app:1@" + s.old, nil, "now OLD, pinned OLD", []string{"GET app 1", "HEAD app AMD", "HEAD app ARM"}},
		{"an index without one of its manifests", "app:broken@" + s.broken, nil, "now BROKEN, pinned BROKEN, missing linux/arm64 LOST",
			[]string{"GET app broken", "HEAD app AMD", "HEAD app LOST"}},
		{"an index that the tag left", "app:2@" + s.old, nil, "now NEW, pinned OLD",
			[]string{"GET app 2", "HEAD app OLD", "GET app OLD", "HEAD app AMD", "HEAD app ARM"}},
		{"an index that the tag added to", "app:3@" + s.old, nil, "now MORE, pinned OLD, same",
			[]string{"GET app 3", "HEAD app OLD", "GET app OLD", "HEAD app AMD", "HEAD app ARM"}},
		{"an index that the tag left for other platforms", "app:2@" + s.old, []string{"linux/amd64"}, "now NEW, pinned OLD, same",
			[]string{"GET app 2", "HEAD app OLD", "GET app OLD", "HEAD app AMD", "HEAD app ARM"}},
		{"an image of the index", "app:1@" + s.amd, nil, "now OLD, pinned AMD", []string{"GET app 1", "HEAD app AMD"}},
		{"a digest that is gone", "app:1@" + s.lost, nil, "now OLD, gone", []string{"GET app 1", "HEAD app LOST"}},
		{"a tag that is gone", "app:none@" + s.single, nil, "pinned SINGLE", []string{"GET app none", "HEAD app SINGLE"}},
		{"tag and digest gone", "app:none@" + s.lost, nil, "gone", []string{"GET app none", "HEAD app LOST"}},
		{"a digest alone", "app@" + s.single, nil, "pinned SINGLE", []string{"HEAD app SINGLE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var wire tap
			r := asking(&wire)
			r.Platforms = test.platforms
			got, err := r.Remote(context.Background(), s.ref(test.ref))
			if err != nil && test.want != "" {
				t.Error(err)
			}
			if tell := s.tell(got); tell != test.want {
				t.Errorf("got %q, want %q", tell, test.want)
			}
			if d := cmp.Diff(test.asked, wire.asked(s.names)); d != "" {
				t.Errorf("requests (-want +got):\n%s", d)
			}
		})
	}
}

// What one reference has found out is not asked again for another.
func TestRemoteAsksOnce(t *testing.T) {
	s := newStock(t)
	var wire tap
	r := asking(&wire)
	for _, ref := range []string{"app:1@" + s.old, "app:1@" + s.old, "app:1", "app:3@" + s.old, "app@" + s.old} {
		if _, err := r.Remote(context.Background(), s.ref(ref)); err != nil {
			t.Error(err)
		}
	}
	want := []string{"GET app 1", "HEAD app AMD", "HEAD app ARM", "GET app 3"}
	if d := cmp.Diff(want, wire.asked(s.names)); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

func TestRemoteChildren(t *testing.T) {
	s := newStock(t)
	got, err := asking(&tap{}).Remote(context.Background(), s.ref("evil:1"))
	want := []rules.Child{{Digest: listedDigest, Platform: "linux/s390x"}}
	if err != nil || got.Now == nil || !slices.Equal(got.Now.Children, want) {
		t.Errorf("got %+v, %v", got.Now, err)
	}
}

// What one question finds out is told although another has failed, and nothing
// is told that was not answered.
func TestRemoteFailures(t *testing.T) {
	s := newStock(t)
	all := func(status int) func(string, string) int { return func(string, string) int { return status } }
	on := func(status int, method string, identifiers ...string) func(string, string) int {
		return func(m, identifier string) int {
			if m == method && slices.Contains(identifiers, identifier) {
				return status
			}
			return 0
		}
	}
	for _, test := range []struct {
		name, ref string
		status    func(string, string) int
		want      string
		kind      registry.Kind
	}{
		{"no credentials", "app:2@" + s.old, all(401), "", registry.Unauthorized},
		{"nothing works", "app:2@" + s.old, all(500), "", registry.Server},
		{"a tag that is gone", "app:none", nil, "", registry.NotFound},
		{"a manifest is withheld, but its digest is told", "app:2@" + s.old, on(503, "GET", "2"), "now NEW unread, pinned OLD", registry.Server},
		{"the tag fails, the digest is gone", "app:1@" + s.lost, on(500, "GET", "1"), "now OLD unread, gone", registry.Server},
		{"the tag is refused, the digest is gone", "app:1@" + s.lost, func(_, identifier string) int { return map[string]int{"1": 403}[identifier] }, "gone", registry.Unauthorized},
		{"the digest fails", "app:2@" + s.old, on(500, "HEAD", s.old), "now NEW", registry.Server},
		{"the pinned index is withheld", "app:2@" + s.old, on(429, "GET", s.old), "now NEW, pinned OLD unread", registry.RateLimited},
		{"a platform fails", "app:broken@" + s.broken, on(500, "HEAD", s.amd), "now BROKEN, pinned BROKEN", registry.Server},
		{"a platform fails behind one that is gone", "app:1@" + s.old, func(_, identifier string) int { return map[string]int{s.amd: 404, s.arm: 401}[identifier] },
			"now OLD, pinned OLD, missing linux/amd64 AMD", registry.Unauthorized},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := asking(&tap{status: test.status}).Remote(context.Background(), s.ref(test.ref))
			var e *registry.Error
			if !errors.As(err, &e) || e.Kind != test.kind {
				t.Errorf("error is %v, want one of the kind %v", err, test.kind)
			}
			if tell := s.tell(got); tell != test.want {
				t.Errorf("got %q, want %q", tell, test.want)
			}
		})
	}
}

func TestRemoteOfHosts(t *testing.T) {
	for _, test := range []struct {
		name string
		opts registry.Options
	}{
		{"nobody there", registry.Options{}},
		{"not allowed", registry.Options{Allowed: []string{"docker.io"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.opts.Keychain, test.opts.Retries = nobody{}, -1
			ref, err := image.Parse("127.0.0.1:1/app:1@" + otherDigest)
			if err != nil {
				t.Fatal(err)
			}
			r := &Resolver{Source: registry.New(test.opts)}
			got, err := r.Remote(context.Background(), ref)
			var host *lint.HostError
			if !errors.As(err, &host) || host.Host != "127.0.0.1:1" {
				t.Errorf("error is %v, want one of the host", err)
			}
			if d := cmp.Diff(rules.Remote{}, got); d != "" {
				t.Errorf("found out (-want +got):\n%s", d)
			}
		})
	}
}

// dockerHub is Docker Hub with library/app:1.
type dockerHub struct {
	now    string   // the digest of the tag
	listed string   // the digest that the record of the tag lists; no record if empty
	images []string // the digests that are single images; all others are indexes

	pulls atomic.Int64
}

func (h *dockerHub) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
	identifier, manifest := strings.CutPrefix(r.URL.Path, "/v2/library/app/manifests/")
	switch {
	case r.URL.Host == "hub.docker.com" && h.listed != "":
		record := `{"digest": "` + h.now + `", "images": [{"digest": "` + h.listed + `", "os": "linux", "architecture": "amd64"}]}`
		resp.Body = io.NopCloser(strings.NewReader(record))
	case r.URL.Path == "/v2/":
	case manifest && r.Method == http.MethodHead:
		if identifier == "1" {
			identifier = h.now
		}
		kind := "index"
		if slices.Contains(h.images, identifier) {
			kind = "manifest"
		}
		resp.Header.Set("Content-Type", "application/vnd.oci.image."+kind+".v1+json")
		resp.Header.Set("Docker-Content-Digest", identifier)
	default:
		if manifest {
			h.pulls.Add(1)
		}
		resp.StatusCode = http.StatusNotFound
	}
	return resp, nil
}

// TestRemoteTakesNoPulls is about Docker Hub, which counts what reads a
// manifest: nothing is read, and what is not known then is not told.
func TestRemoteTakesNoPulls(t *testing.T) {
	d := func(n int) string { return fmt.Sprintf("sha256:%064d", n) }
	now, old, child := d(1), d(2), d(3)
	s := &stock{names: map[string]string{now: "NOW", old: "OLD", child: "CHILD"}}
	for _, test := range []struct {
		name, pin, listed string
		images            []string
		want              string
		spared            bool
	}{
		{"a tag", "", child, nil, "now NOW", false},
		{"a tag without a record", "", "", nil, "now NOW unread", false},
		{"an index that its tag leads to", "@" + now, child, []string{child}, "now NOW, pinned NOW", false},
		{"an index that its tag leads to, without a record", "@" + now, "", nil, "now NOW unread, pinned NOW unread", false},
		{"an index that its tag left", "@" + old, child, []string{child}, "now NOW, pinned OLD unread", false},
		{"an image that its tag leads to", "@" + now, now, []string{now}, "now NOW, pinned NOW", false},
		{"an image of the index", "@" + child, child, []string{child}, "now NOW, pinned CHILD", false},
		{"an image that the index may hold", "@" + child, "", []string{child}, "now NOW unread, pinned CHILD", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			ref, err := image.Parse("app:1" + test.pin)
			if err != nil {
				t.Fatal(err)
			}
			hub := &dockerHub{now: now, listed: test.listed, images: test.images}
			r := &Resolver{Source: registry.New(registry.Options{Keychain: nobody{}, Transport: hub, SparePulls: true, Retries: -1})}
			got, err := r.Remote(context.Background(), ref)
			if is(err, registry.Spared) != test.spared || err != nil && !test.spared {
				t.Errorf("error is %v", err)
			}
			if tell := s.tell(got); tell != test.want {
				t.Errorf("got %q, want %q", tell, test.want)
			}
			if n := hub.pulls.Load(); n != 0 {
				t.Errorf("%d pulls, want none", n)
			}
		})
	}
}

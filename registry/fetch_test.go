package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestFetch(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/file":
			fmt.Fprint(w, "content")
		case "/moved":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/endless":
			http.Redirect(w, r, "/endless", http.StatusFound)
		case "/huge":
			w.Header().Set("Content-Type", "text/plain")
			for range MaxFile>>10 + 1 {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<10)); err != nil {
					return
				}
			}
		case "/long":
			w.Header().Set("Content-Length", "1000000000000")
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "only this")
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "content")
		case "/private":
			w.Header().Set("WWW-Authenticate", `Basic realm="hunter2"`)
			http.Error(w, "hunter2", http.StatusUnauthorized)
		case "/busy":
			http.Error(w, "hunter2", http.StatusTooManyRequests)
		default:
			http.Error(w, "hunter2", http.StatusNotFound)
		}
	}))
	for _, test := range []struct {
		path, want, err string
		kind            Kind
	}{
		{"/file", "content", "", 0},
		{"/moved", "content", "", 0},
		{"/endless", "", "redirected without end", Invalid},
		{"/huge", "", "more than 8388608 bytes", Invalid},
		{"/long", "", "more than 8388608 bytes", Invalid},
		{"/cut", "", "connection broke", Unreachable},
		{"/zipped", "", "a compressed answer", Invalid},
		{"/private", "", "401", Unauthorized},
		{"/busy", "", "429", RateLimited},
		{"/none", "", "404 Not Found", NotFound},
		{"/file?token=hunter2", "", "without user, query", Invalid},
		{"/file#hunter2", "", "without user, query", Invalid},
	} {
		t.Run(test.path, func(t *testing.T) {
			c, _ := newClient(Options{Keychain: &keys{logins: map[string]authn.AuthConfig{s.host(): {Username: "me", Password: "hunter2"}}}})
			got, err := c.Fetch(context.Background(), s.URL+test.path)
			if test.err != "" {
				e := asError(t, err, test.kind)
				if !strings.Contains(e.Error(), test.err) || strings.Contains(e.Error()+e.Hint(), "hunter2") || strings.Contains(e.Hint(), "docker login ") {
					t.Errorf("error %q, hint %q, want %q", e, e.Hint(), test.err)
				}
				return
			}
			if err != nil || string(got) != test.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for _, h := range s.headers {
		if h.Get("Authorization") != "" {
			t.Error("credentials were sent")
		}
	}
}

// TestFetchSends holds what is not even asked for.
func TestFetchSends(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "content") }))
	allowed := Options{Allowed: []string{"good.example"}}
	for _, test := range []struct {
		o       Options
		address string
		kind    Kind
	}{
		{Options{}, "http://fetch.example/file", Invalid},
		{Options{}, "ftp://fetch.example/file", Invalid},
		{Options{}, "file:///etc/passwd", Invalid},
		{Options{}, "https://me:hunter2@fetch.example/file", Invalid},
		{Options{}, "https://", Invalid},
		{Options{}, "https://a b/", Invalid},
		{Options{}, "", Invalid},
		{allowed, s.URL + "/file", NotAllowed},
	} {
		c, _ := newClient(test.o)
		_, err := c.Fetch(context.Background(), test.address)
		if e := asError(t, err, test.kind); strings.Contains(e.Error(), "hunter2") {
			t.Errorf("%q", e)
		}
		if c.Requests() != 0 {
			t.Errorf("%s: %d requests", test.address, c.Requests())
		}
	}
	if n := s.total(""); n != 0 {
		t.Errorf("%d requests", n)
	}
	c, _ := newClient(Options{Allowed: []string{s.host()}})
	if got, err := c.Fetch(context.Background(), s.URL+"/file"); err != nil || string(got) != "content" {
		t.Errorf("an allowed host: %q, %v", got, err)
	}
}

// TestFetchRedirected holds where a redirect may not lead.
func TestFetchRedirected(t *testing.T) {
	for target, want := range map[string]string{
		"http://other.example/file":  "redirected from HTTPS to plain HTTP",
		"https://127.0.0.1:1/file":   "redirected to a private address",
		"https://10.0.0.1/file":      "redirected to a private address",
		"https://other.example/file": "",
	} {
		t.Run(target, func(t *testing.T) {
			c, _ := newClient(Options{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				if req.URL.Host == "fetch.example" {
					http.Redirect(w, req, target, http.StatusFound)
				} else {
					fmt.Fprint(w, "content")
				}
				return w.Result(), nil
			})})
			got, err := c.Fetch(context.Background(), "https://fetch.example/file")
			if want == "" {
				if err != nil || string(got) != "content" {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			if e := asError(t, err, Invalid); !strings.Contains(e.Error(), want) {
				t.Errorf("error %q, want %q", e, want)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// pushFiles pushes an artifact of files, by name and content in turn, as ORAS
// does.
func pushFiles(t *testing.T, ref string, files ...string) v1.Image {
	t.Helper()
	img := artifact(t, files...)
	if err := remote.Write(tag(t, ref), img); err != nil {
		t.Fatal(err)
	}
	return img
}

// artifact is one of files, by name and content in turn.
func artifact(t *testing.T, files ...string) v1.Image {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, "application/vnd.oci.empty.v1+json")
	for i := 0; i+1 < len(files); i += 2 {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{
			Layer:       static.NewLayer([]byte(files[i+1]), "text/plain"),
			Annotations: map[string]string{titleAnnotation: files[i]},
			MediaType:   "text/plain",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return img
}

func TestFiles(t *testing.T) {
	s := newMemory(t)
	img := pushFiles(t, s.host()+"/advisories:1", "bundle.txt", "content", "bundle.txt.sig", "signature")
	c, _ := newClient(Options{})
	for _, name := range []string{":1", "@" + digestOf(t, img), ":other@" + digestOf(t, img)} {
		files, err := c.Files(context.Background(), parse(t, "%s/advisories%s", s.host(), name))
		if err != nil || len(files) != 2 {
			t.Fatalf("%s: %v, %v", name, files, err)
		}
		if f := files[0]; f.Name != "bundle.txt" || f.MediaType != "text/plain" || string(f.Data) != "content" {
			t.Errorf("%s: %+v", name, f)
		}
		if f := files[1]; f.Name != "bundle.txt.sig" || string(f.Data) != "signature" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	_, err := c.Files(context.Background(), parse(t, "%s/advisories:2", s.host()))
	asError(t, err, NotFound)
	pushIndex(t, s.host()+"/index:1", 1)
	_, err = c.Files(context.Background(), parse(t, "%s/index:1", s.host()))
	if e := asError(t, err, Invalid); !strings.Contains(e.Error(), "not one of an artifact") {
		t.Error(e)
	}
	none, _ := newClient(Options{Allowed: []string{}})
	_, err = none.Files(context.Background(), parse(t, "%s/advisories:1", s.host()))
	asError(t, err, NotAllowed)
	if none.Requests() != 0 {
		t.Error("a registry that is not allowed was asked")
	}
}

// TestFilesDistribution reads an artifact from a registry that wants a
// password.
func TestFilesDistribution(t *testing.T) {
	host := startDistribution(t, "", withPassword(t)).host
	push := remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: user, Password: password}))
	if err := remote.Write(tag(t, host+"/team/advisories:1"), artifact(t, "bundle.txt", "content", "bundle.txt.sig", "signature"), push); err != nil {
		t.Fatal(err)
	}
	ref := parse(t, "%s/team/advisories:1", host)
	dockerConfig(t, `{}`)
	_, err := newFileClient(Options{}).Files(context.Background(), ref)
	asError(t, err, Unauthorized)
	dockerConfig(t, login(host, password))
	files, err := New(Options{}).Files(context.Background(), ref)
	if err != nil || len(files) != 2 || string(files[0].Data) != "content" || files[1].Name != "bundle.txt.sig" {
		t.Errorf("%+v, %v", files, err)
	}
}

// TestFilesMisbehaving has registries that send something else than the
// manifest names.
func TestFilesMisbehaving(t *testing.T) {
	right := hash("sha256", []byte("content"))
	artifact := func(layers string) string {
		return fmt.Sprintf(`{"schemaVersion": 2, "mediaType": %q, "config": {"digest": %q, "size": 6}, "layers": %s}`, manifestType, config, layers)
	}
	one := fmt.Sprintf(`{"mediaType": "text/plain", "digest": %q, "size": 7}`, right)
	for _, test := range []struct {
		name, ref, manifest, blob, want string
		kind                            Kind
	}{
		{"good", ":1", artifact("[" + one + "]"), "content", "", 0},
		{"another content", ":1", artifact("[" + one + "]"), "contents", "a file with the digest ", Invalid},
		{"cut", ":1", artifact("[" + one + "]"), "conten", "a file with the digest ", Invalid},
		{"another manifest", "@" + right, artifact("[" + one + "]"), "content", "a manifest with the digest ", Invalid},
		{"no digest", ":1", artifact(`[{"digest": "../../x"}]`), "content", "without a valid digest", Invalid},
		{"said to be huge", ":1", artifact(fmt.Sprintf(`[{"digest": %q, "size": 100000000}]`, right)), "content", "a file of more than", Invalid},
		{"huge", ":1", artifact("[" + one + "]"), strings.Repeat("x", MaxFile+1), "an answer of more than", Invalid},
		{"many", ":1", artifact("[" + strings.TrimSuffix(strings.Repeat(one+",", maxFiles+1), ",") + "]"), "content", "more than 8 files", Invalid},
		{"layers of another type", ":1", artifact(`"x"`), "content", "not one of an artifact", Invalid},
		{"no blob", ":1", artifact("[" + one + "]"), "", "404", NotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, api(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.Contains(r.URL.Path, "/manifests/"):
					give(w, manifestType, "", test.manifest)
				case test.blob != "" && r.URL.Path == "/v2/app/blobs/"+right:
					give(w, "text/plain", "", test.blob)
				default:
					http.Error(w, "none", http.StatusNotFound)
				}
			}))
			c, _ := newClient(Options{})
			files, err := c.Files(context.Background(), parse(t, "%s/app%s", s.host(), test.ref))
			if test.want == "" {
				if err != nil || len(files) != 1 || string(files[0].Data) != "content" {
					t.Errorf("%v, %v", files, err)
				}
				return
			}
			if e := asError(t, err, test.kind); !strings.Contains(e.Error(), test.want) || !strings.HasPrefix(e.Error(), "fetch ") {
				t.Errorf("error %q, want %q", e, test.want)
			}
		})
	}
	// All together they are bounded, too.
	half := strings.Repeat("x", MaxFile/2+1)
	s := newMemory(t)
	pushFiles(t, s.host()+"/app:1", "a", half, "b", half+"y")
	c, _ := newClient(Options{})
	_, err := c.Files(context.Background(), parse(t, "%s/app:1", s.host()))
	if e := asError(t, err, Invalid); !strings.Contains(e.Error(), "an artifact of more than") {
		t.Error(e)
	}
}

// TestFilesPrivate holds that credentials are sent to the registry, and not to
// where it keeps its blobs.
func TestFilesPrivate(t *testing.T) {
	content := hash("sha256", []byte("content"))
	var leaked bool
	store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked = leaked || r.Header.Get("Authorization") != ""
		fmt.Fprint(w, "content")
	}))
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "hunter2" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "who?", http.StatusUnauthorized)
			return
		}
		switch {
		case strings.Contains(r.URL.Path, "/manifests/"):
			give(w, manifestType, "", fmt.Sprintf(`{"schemaVersion": 2, "config": {"digest": %q}, "layers": [{"digest": %q, "size": 7}]}`, config, content))
		case strings.Contains(r.URL.Path, "/blobs/"):
			// "localhost" is another host than "127.0.0.1".
			http.Redirect(w, r, strings.Replace(store.URL, "127.0.0.1", "localhost", 1)+"/blob", http.StatusTemporaryRedirect)
		}
	}))
	c, _ := newClient(Options{Keychain: &keys{logins: map[string]authn.AuthConfig{s.host(): {Username: "me", Password: "hunter2"}}}})
	files, err := c.Files(context.Background(), parse(t, "%s/app:1", s.host()))
	if err != nil || len(files) != 1 || string(files[0].Data) != "content" {
		t.Errorf("%v, %v", files, err)
	}
	if leaked {
		t.Error("credentials were sent to the store of blobs")
	}
}

package registry

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
)

func TestParseMirror(t *testing.T) {
	for s, want := range map[string][2]string{
		"mirror.example":            {"mirror.example", ""},
		"mirror.example:5000":       {"mirror.example:5000", ""},
		"Mirror.example:5000/a/b-c": {"mirror.example:5000", "a/b-c"},
		"localhost/hub":             {"localhost", "hub"},
		"[::1]:5000/hub":            {"[::1]:5000", "hub"},
		"index.docker.io":           {"docker.io", ""},
	} {
		if host, path, err := parseMirror(s); err != nil || host != want[0] || path != want[1] {
			t.Errorf("%s: got %q, %q, %v, want %q", s, host, path, err, want)
		}
	}
	for _, s := range []string{
		"", "mirror", "mirror/hub", "https://mirror.example", "mirror.example/", "mirror.example/Hub", "mirror.example//hub",
		"mirror.example/hub/", "mirror.example/hub:1", "mirror.example/../hub", "mirror.example/hub@x", "me:x@mirror.example",
		"mirror.example:port", "mirror.example?x", "mirror.example hub",
	} {
		if host, path, err := parseMirror(s); err == nil {
			t.Errorf("%q: got %q, %q, want an error", s, host, path)
		}
	}
}

// mirrored are settings with the mirrors of a host.
func mirrored(host string, mirrors ...string) map[string]Registry {
	return map[string]Registry{host: {Mirrors: mirrors}}
}

// asked are the addresses of all requests, API roots left out.
func asked(n *names) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, r := range n.seen {
		if r.URL.Path != "/v2/" {
			all = append(all, r.Method+" "+r.URL.Host+r.URL.Path)
		}
	}
	return all
}

// Mirrors are asked in their order, and the registry last.
func TestMirrors(t *testing.T) {
	missing := api(http.NotFound).ServeHTTP
	for _, test := range []struct {
		name   string
		first  http.HandlerFunc // nil is nobody there
		second http.HandlerFunc
		want   []string
	}{
		{"first", api(good).ServeHTTP, nil, []string{"HEAD first.test/v2/hub/team/app/manifests/1"}},
		{"second", missing, api(good).ServeHTTP, []string{"HEAD first.test/v2/hub/team/app/manifests/1", "HEAD second.test:5000/v2/team/app/manifests/1"}},
		{"neither", missing, missing, []string{"HEAD first.test/v2/hub/team/app/manifests/1", "HEAD second.test:5000/v2/team/app/manifests/1", "HEAD registry.test/v2/team/app/manifests/1"}},
		{"forbidden", status(403, ""), status(401, ""), []string{"HEAD second.test:5000/v2/team/app/manifests/1", "HEAD registry.test/v2/team/app/manifests/1"}},
		{"failing", api(status(501, "")).ServeHTTP, nil, []string{"HEAD first.test/v2/hub/team/app/manifests/1", "HEAD registry.test/v2/team/app/manifests/1"}},
		{"down", nil, nil, []string{"HEAD registry.test/v2/team/app/manifests/1"}},
		{"login page", api(func(w http.ResponseWriter, _ *http.Request) { give(w, "text/html", "", "<html>") }).ServeHTTP, nil,
			[]string{"HEAD first.test/v2/hub/team/app/manifests/1", "GET first.test/v2/hub/team/app/manifests/1", "HEAD registry.test/v2/team/app/manifests/1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": api(good).ServeHTTP}}
			if test.first != nil {
				n.hosts["https://first.test"] = test.first
			}
			if test.second != nil {
				n.hosts["https://second.test:5000"] = test.second
			}
			c, _ := newClient(Options{Transport: n, Registries: mirrored("Registry.test", "first.test/hub", "second.test:5000")})
			m, err := c.Resolve(context.Background(), parse(t, "registry.test/team/app:1"))
			if err != nil || m.Digest != hash("sha256", []byte(manifest)) {
				t.Errorf("got %+v, %v", m, err)
			}
			if got := asked(n); !reflect.DeepEqual(got, test.want) {
				t.Errorf("asked %q\nwant  %q", got, test.want)
			}
		})
	}
}

// The error says what each place answered, and is of the registry's kind.
func TestMirrorsAllFail(t *testing.T) {
	n := &names{hosts: map[string]http.HandlerFunc{
		"https://first.test":    api(http.NotFound).ServeHTTP,
		"https://registry.test": api(status(403, "")).ServeHTTP,
	}}
	c, _ := newClient(Options{Transport: n, Registries: mirrored("registry.test", "first.test/hub", "https://bad.test", "second.test")})
	_, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1"))
	e := asError(t, err, Unauthorized)
	want := "resolve registry.test/app:1 at registry.test: first.test/hub: 404 Not Found; https://bad.test: not HOST[:PORT][/PATH]; second.test: dial tcp: connection refused; registry.test: 403 Forbidden"
	if e.Error() != want {
		t.Errorf("error is  %q\nwant %q", e, want)
	}
	if !strings.Contains(e.Hint(), "docker login registry.test") {
		t.Errorf("hint is %q", e.Hint())
	}
}

// A mirror that is down costs one request, one that fails a few.
func TestMirrorDown(t *testing.T) {
	for name, test := range map[string]struct {
		mirror http.HandlerFunc
		most   int
	}{
		"nobody there": {nil, 1},
		"503":          {api(status(503, "")).ServeHTTP, 1 + maxStrikes},
		"429":          {api(status(429, "")).ServeHTTP, 1 + 1},
		"503 at root":  {status(503, ""), 1},
	} {
		t.Run(name, func(t *testing.T) {
			n := &names{hosts: map[string]http.HandlerFunc{"https://registry.test": api(good).ServeHTTP}}
			if test.mirror != nil {
				n.hosts["https://mirror.test"] = test.mirror
			}
			c, _ := newClient(Options{Transport: n, Retries: -1, Registries: mirrored("registry.test", "mirror.test")})
			for i := range 50 {
				if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app%d:1", i)); err != nil {
					t.Error(err)
				}
			}
			if got := len(n.to("mirror.test")); got != test.most {
				t.Errorf("%d requests, want %d", got, test.most)
			}
		})
	}
	// A missing image now and then is no reason to give a mirror up.
	turn := 0
	n := &names{hosts: map[string]http.HandlerFunc{
		"https://registry.test": api(good).ServeHTTP,
		"https://mirror.test": api(func(w http.ResponseWriter, r *http.Request) {
			if turn++; turn%3 == 0 {
				good(w, r)
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}).ServeHTTP,
	}}
	c, _ := newClient(Options{Transport: n, Retries: -1, Registries: mirrored("registry.test", "mirror.test")})
	for i := range 30 {
		if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:%d", i)); err != nil {
			t.Error(err)
		}
	}
	if got := len(n.to("mirror.test")); got != 1+30 {
		t.Errorf("%d requests, want %d", got, 1+30)
	}
}

// Each place gets the credentials of its own host and no others.
func TestMirrorCredentials(t *testing.T) {
	n := &names{hosts: map[string]http.HandlerFunc{
		"https://mirror.test":   wantBearer(http.NotFound),
		"https://open.test":     api(http.NotFound).ServeHTTP,
		"https://registry.test": wantBasic(good),
	}}
	c, _ := newClient(Options{
		Transport:  n,
		Registries: mirrored("registry.test", "mirror.test", "open.test"),
		Keychain: &keys{logins: map[string]authn.AuthConfig{
			"registry.test": testLogin,
			"mirror.test":   testLogin,
		}},
	})
	if _, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1")); err != nil {
		t.Fatal(err)
	}
	checkNothingLeaked(t, n, "open.test")
	for _, r := range n.to("registry.test") {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			t.Error("the registry was sent the mirror's token")
		}
	}
}

// A mirror of Docker Hub keeps the path of official images, and reading there
// is no pull.
func TestMirrorOfHub(t *testing.T) {
	h := newHub(index)
	h.hosts["https://mirror.test:5000"] = api(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/hub/library/app/manifests/1" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		give(w, indexType, "", index)
	}).ServeHTTP
	c, _ := newClient(Options{Transport: h, Registries: mirrored("docker.io", "mirror.test:5000/hub")})
	read, err := c.Read(context.Background(), parse(t, "app:1"))
	if err != nil || read.Digest != hash("sha256", []byte(index)) || len(read.Children) != 1 {
		t.Errorf("got %+v, %v", read, err)
	}
	want := []string{"GET mirror.test:5000/v2/hub/library/app/manifests/1"}
	if got := asked(h.names); !reflect.DeepEqual(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
	// What the mirror does not have is asked for at Docker Hub without a pull.
	h.push("team/app:1", index)
	if _, err := c.Read(context.Background(), parse(t, "team/app:1")); err != nil {
		t.Error(err)
	}
	if head, get := h.sent("HEAD", "index.docker.io"), h.sent("GET", "index.docker.io"); head != 1 || get != 0 {
		t.Errorf("%d HEAD and %d GET requests at Docker Hub, want 1 and 0", head, get)
	}
}

func TestMirrorCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := &names{hosts: map[string]http.HandlerFunc{
		"https://mirror.test":   api(func(http.ResponseWriter, *http.Request) { cancel() }).ServeHTTP,
		"https://registry.test": good,
	}}
	c, _ := newClient(Options{Transport: n, Registries: mirrored("registry.test", "mirror.test")})
	_, err := c.Resolve(ctx, parse(t, "registry.test/app:1"))
	if e := asError(t, err, Canceled); e.Err.Error() != "context canceled" {
		t.Errorf("error is %q", e)
	}
	if sent := n.to("registry.test"); len(sent) > 0 {
		t.Errorf("the registry was sent %v after the end", sent)
	}
}

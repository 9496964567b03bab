package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// hub is Docker Hub: its registry with a token server, and its API.
type hub struct {
	*names
	manifests map[string]string // by "path:tag" and "path@digest"
	records   map[string]any    // by "namespace/name:tag"; a number is a status
}

// newHub is a Docker Hub that has body as library/app:1, and the record that
// belongs to it.
func newHub(body string) *hub {
	h := &hub{manifests: map[string]string{}, records: map[string]any{}}
	h.names = &names{hosts: map[string]http.HandlerFunc{
		"https://index.docker.io": h.registry,
		"https://auth.docker.io": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"token": "%s %s"}`, testToken, r.URL.Query().Get("scope"))
		},
		"https://hub.docker.com": h.api,
	}}
	h.push("library/app:1", body)
	return h
}

func (h *hub) push(ref, body string) {
	path, _, _ := strings.Cut(ref, ":")
	digest := hash("sha256", []byte(body))
	h.manifests[ref] = body
	h.manifests[path+"@"+digest] = body
	record := map[string]any{
		"digest":          digest,
		"media_type":      manifestType,
		"tag_last_pushed": "2026-03-01T12:00:00.506400Z",
		"images":          []map[string]any{{"digest": digest, "os": "linux", "architecture": "amd64", "status": "active"}},
	}
	if body == index {
		record["media_type"] = indexType
		record["images"] = []map[string]any{
			{"digest": hash("sha256", []byte(manifest)), "os": "linux", "architecture": "arm64", "variant": "v8", "os_version": nil, "size": 1234, "status": "inactive"},
		}
	}
	h.records[ref] = record
}

func (h *hub) registry(w http.ResponseWriter, r *http.Request) {
	path, identifier, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	if r.Header.Get("Authorization") != "Bearer "+testToken+" repository:"+path+":pull" {
		challenge(w, `Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`)
		return
	}
	separator := ":"
	if strings.Contains(identifier, ":") {
		separator = "@"
	}
	body, ok := h.manifests[path+separator+identifier]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	mediaType := manifestType
	if body == index {
		mediaType = indexType
	}
	give(w, mediaType, hash("sha256", []byte(body)), body)
}

func (h *hub) api(w http.ResponseWriter, r *http.Request) {
	ref := strings.TrimPrefix(r.URL.Path, "/v2/namespaces/")
	ref = strings.Replace(ref, "/repositories/", "/", 1)
	ref = strings.Replace(ref, "/tags/", ":", 1)
	switch record := h.records[ref].(type) {
	case nil:
		w.WriteHeader(http.StatusNotFound)
	case int:
		w.Header().Set("Location", "https://index.docker.io/")
		w.WriteHeader(record)
	case string:
		fmt.Fprint(w, record)
	default:
		json.NewEncoder(w).Encode(record)
	}
}

// sent is how many requests of the method went to a host, the API root left
// out.
func (h *hub) sent(method, host string) int {
	n := 0
	for _, r := range h.to(host) {
		if r.Method == method && r.URL.Path != "/v2/" {
			n++
		}
	}
	return n
}

// Two witnesses take the place of a pull.
func TestHubRead(t *testing.T) {
	ctx := context.Background()
	t.Run("index", func(t *testing.T) {
		h := newHub(index)
		c, _ := newClient(Options{Transport: h, Keychain: &keys{logins: map[string]authn.AuthConfig{"index.docker.io": testLogin}}})
		for range 2 {
			read, err := c.Read(ctx, parse(t, "app:1"))
			if err != nil {
				t.Fatal(err)
			}
			want := Child{Digest: hash("sha256", []byte(manifest)), Platform: Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}
			if read.Digest != hash("sha256", []byte(index)) || !read.Index || len(read.Children) != 1 || read.Children[0] != want {
				t.Errorf("got %+v", read)
			}
			if _, err := c.Children(ctx, parse(t, "app"), read.Digest); err != nil {
				t.Error(err)
			}
			if m, err := c.Resolve(ctx, parse(t, "docker.io/library/app:1")); err != nil || m != read.Manifest {
				t.Errorf("resolved %+v, %v", m, err)
			}
		}
		if head, get, record := h.sent("HEAD", "index.docker.io"), h.sent("GET", "index.docker.io"), h.sent("GET", "hub.docker.com"); head != 1 || get != 0 || record != 1 {
			t.Errorf("%d HEAD, %d GET, %d records, want 1, 0, 1", head, get, record)
		}
		checkNothingLeaked(t, h.names, "hub.docker.com")
	})
	t.Run("single image", func(t *testing.T) {
		h := newHub(manifest)
		c, _ := newClient(Options{Transport: h})
		read, err := c.Read(ctx, parse(t, "app:1"))
		if err != nil || read.Digest != hash("sha256", []byte(manifest)) || read.Children != nil {
			t.Errorf("got %+v, %v", read, err)
		}
		if n := h.sent("GET", "index.docker.io"); n != 0 {
			t.Errorf("%d pulls, want none", n)
		}
		// Who asks for the configuration gets it.
		children, err := c.Children(ctx, parse(t, "app"), read.Digest)
		if err != nil || len(children) != 1 || children[0].Digest != config {
			t.Errorf("got %+v, %v", children, err)
		}
	})
	t.Run("after Resolve", func(t *testing.T) {
		h := newHub(index)
		c, _ := newClient(Options{Transport: h})
		if _, err := c.Resolve(ctx, parse(t, "app:1")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(ctx, parse(t, "app:1")); err != nil {
			t.Fatal(err)
		}
		if head := h.sent("HEAD", "index.docker.io"); head != 1 {
			t.Errorf("%d HEAD requests, want 1", head)
		}
	})
	t.Run("digest", func(t *testing.T) {
		h := newHub(index)
		c, _ := newClient(Options{Transport: h})
		read, err := c.Read(ctx, parse(t, "app@%s", hash("sha256", []byte(index))))
		if err != nil || len(read.Children) != 1 {
			t.Errorf("got %+v, %v", read, err)
		}
		if head, get, record := h.sent("HEAD", "index.docker.io"), h.sent("GET", "index.docker.io"), h.sent("GET", "hub.docker.com"); head != 0 || get != 1 || record != 0 {
			t.Errorf("%d HEAD, %d GET, %d records, want 0, 1, 0", head, get, record)
		}
	})
}

// A record that does not bear the registry out is no witness: the manifest is
// read, and what it says counts.
func TestHubDisagrees(t *testing.T) {
	other := hash("sha256", []byte("other"))
	for name, change := range map[string]func(map[string]any){
		"another digest":   func(r map[string]any) { r["digest"] = other },
		"no digest":        func(r map[string]any) { delete(r, "digest") },
		"another type":     func(r map[string]any) { r["media_type"] = manifestType },
		"no images":        func(r map[string]any) { r["images"] = nil },
		"no image digest":  func(r map[string]any) { r["images"].([]map[string]any)[0]["digest"] = nil },
		"itself its image": func(r map[string]any) { r["images"].([]map[string]any)[0]["digest"] = r["digest"] },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(index)
			change(h.records["library/app:1"].(map[string]any))
			checkPulled(t, h)
		})
	}
	for name, record := range map[string]any{
		"missing": nil, "forbidden": 403, "error": 500, "redirect": 307, "no JSON": "<html>", "other JSON": "[]",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(index)
			h.records["library/app:1"] = record
			checkPulled(t, h)
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		h := newHub(index)
		delete(h.hosts, "https://hub.docker.com")
		checkPulled(t, h)
	})
	t.Run("two images for one", func(t *testing.T) {
		h := newHub(manifest)
		record := h.records["library/app:1"].(map[string]any)
		images := record["images"].([]map[string]any)
		record["images"] = append(images, map[string]any{"digest": other})
		c, _ := newClient(Options{Transport: h})
		if read, err := c.Read(context.Background(), parse(t, "app:1")); err != nil || len(read.Children) != 1 {
			t.Errorf("got %+v, %v", read, err)
		}
	})
}

// checkPulled reads app:1, and checks that the registry's manifest was read.
func checkPulled(t *testing.T, h *hub) {
	t.Helper()
	c, _ := newClient(Options{Transport: h})
	read, err := c.Read(context.Background(), parse(t, "app:1"))
	if err != nil {
		t.Fatal(err)
	}
	if read.Digest != hash("sha256", []byte(index)) || len(read.Children) != 1 || read.Children[0].MediaType != manifestType {
		t.Errorf("got %+v", read)
	}
	if n := h.sent("GET", "index.docker.io"); n != 1 {
		t.Errorf("%d pulls, want 1", n)
	}
}

// Whoever spares pulls learns what the registry and the API tell, and no more.
func TestSparePulls(t *testing.T) {
	ctx := context.Background()
	h := newHub(index)
	h.push("library/unlisted:1", index)
	delete(h.records, "library/unlisted:1")
	c, _ := newClient(Options{Transport: h, SparePulls: true})
	if read, err := c.Read(ctx, parse(t, "app:1")); err != nil || len(read.Children) != 1 {
		t.Errorf("got %+v, %v", read, err)
	}
	_, err := c.Read(ctx, parse(t, "unlisted:1"))
	asError(t, err, Spared)
	_, err = c.Children(ctx, parse(t, "unlisted"), hash("sha256", []byte(index)))
	asError(t, err, Spared)
	if m, err := c.Resolve(ctx, parse(t, "unlisted:1")); err != nil || !m.Index {
		t.Errorf("got %+v, %v", m, err)
	}
	if n := h.sent("GET", "index.docker.io"); n != 0 {
		t.Errorf("%d pulls, want none", n)
	}
}

// What is not Docker Hub's is read all the same.
func TestSparePullsElsewhere(t *testing.T) {
	h := newHub(index)
	h.hosts["https://mirror.test"] = func(w http.ResponseWriter, _ *http.Request) { give(w, indexType, hash("sha256", []byte(index)), index) }
	c, _ := newClient(Options{Transport: h, SparePulls: true, Registries: map[string]Registry{dockerHub: {Mirrors: []string{"mirror.test"}}}})
	read, err := c.Read(context.Background(), parse(t, "app@%s", hash("sha256", []byte(index))))
	if err != nil || len(read.Children) != 1 {
		t.Errorf("got %+v, %v", read, err)
	}
}

// An API that fails as a host is found out once.
func TestHubAPIDown(t *testing.T) {
	h := newHub(index)
	delete(h.hosts, "https://hub.docker.com")
	for i := range 20 {
		h.push(fmt.Sprintf("library/app%d:1", i), index)
	}
	c, _ := newClient(Options{Transport: h})
	for i := range 20 {
		if _, err := c.Read(context.Background(), parse(t, "app%d:1", i)); err != nil {
			t.Error(err)
		}
	}
	if n := h.sent("GET", "hub.docker.com"); n != 1 {
		t.Errorf("%d requests to an API that is down, want 1", n)
	}
	_, err := c.Pushed(context.Background(), parse(t, "app0:1"))
	if e := asError(t, err, Unreachable); !strings.HasPrefix(e.Error(), "date app0:1 at docker.io: ") {
		t.Errorf("error is %q", e)
	}
}

// One that answers with nothing but errors is soon left alone.
func TestHubAPIFails(t *testing.T) {
	h := newHub(index)
	c, _ := newClient(Options{Transport: h, Retries: -1})
	for i := range 20 {
		path := fmt.Sprintf("library/app%d:1", i)
		h.push(path, index)
		h.records[path] = http.StatusInternalServerError
		if _, err := c.Read(context.Background(), parse(t, "app%d:1", i)); err != nil {
			t.Error(err)
		}
	}
	if n := h.sent("GET", "hub.docker.com"); n != maxStrikes {
		t.Errorf("%d requests to an API that fails, want %d", n, maxStrikes)
	}
}

func TestPushed(t *testing.T) {
	h := newHub(index)
	h.push("team/app:1", manifest)
	h.push("team/odd:1", manifest)
	h.records["team/odd:1"].(map[string]any)["tag_last_pushed"] = nil
	h.push("team/moved:1", manifest)
	h.records["team/moved:1"].(map[string]any)["digest"] = config
	h.records["team/broken:1"] = 501
	h.records["team/private:1"] = 401
	pushed := time.Date(2026, 3, 1, 12, 0, 0, 506400e3, time.UTC)
	c, _ := newClient(Options{Transport: h})
	ctx := context.Background()
	if _, err := c.Resolve(ctx, parse(t, "team/moved:1")); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]time.Time{
		"app:1":           pushed,
		"team/app:1":      pushed,
		"app:1@" + config: pushed, // of the tag, whatever was pinned
		"app@" + config:   {},
		"team/missing:1":  {},
		"team/private:1":  {},
		"team/odd:1":      {},
		"team/moved:1":    {},
		"a/b/c:1":         {},
		"ghcr.io/app:1":   {},
	} {
		if got, err := c.Pushed(ctx, parse(t, "%s", ref)); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", ref, got, err, want)
		}
	}
	_, err := c.Pushed(ctx, parse(t, "team/broken:1"))
	if e := asError(t, err, Server); !strings.HasSuffix(e.Error(), "501 Not Implemented from Docker Hub's API") {
		t.Errorf("error is %q", e)
	}
	if n := h.sent("GET", "index.docker.io"); n != 0 {
		t.Errorf("%d pulls for dates", n)
	}
	// Resolving and dating ask the API once for each tag.
	before := h.sent("GET", "hub.docker.com")
	if _, err := c.Read(ctx, parse(t, "app:1")); err != nil {
		t.Error(err)
	}
	if n := h.sent("GET", "hub.docker.com") - before; n != 0 {
		t.Errorf("%d more records, want none", n)
	}
}

func TestHubCanceled(t *testing.T) {
	h := newHub(index)
	ctx, cancel := context.WithCancel(context.Background())
	h.hosts["https://hub.docker.com"] = func(http.ResponseWriter, *http.Request) { cancel() }
	c, _ := newClient(Options{Transport: h})
	_, err := c.Read(ctx, parse(t, "app:1"))
	isCanceled(t, err)
	if n := h.sent("GET", "index.docker.io"); n != 0 {
		t.Errorf("%d pulls after the end", n)
	}
}

// A mirror that was read says where the tag leads, too: what Docker Hub's
// record says of another image is not its age.
func TestPushedBehindMirror(t *testing.T) {
	h := newHub(manifest)
	h.hosts["https://mirror.test"] = func(w http.ResponseWriter, _ *http.Request) { give(w, indexType, hash("sha256", []byte(index)), index) }
	c, _ := newClient(Options{Transport: h, Registries: map[string]Registry{dockerHub: {Mirrors: []string{"mirror.test"}}}})
	if _, err := c.Read(context.Background(), parse(t, "app:1")); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Pushed(context.Background(), parse(t, "app:1")); err != nil || !got.IsZero() {
		t.Errorf("got %v, %v, want no time", got, err)
	}
}

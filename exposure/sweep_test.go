package exposure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/registry"
)

type nobody struct{}

func (nobody) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// cacheServer is a registry in memory that stands for somebody's cache.
type cacheServer struct {
	t        *testing.T
	host     string
	requests atomic.Int64
	// loose makes tags stay when their manifest is deleted.
	loose bool
	tags  []string
	// refuse answers in place of the registry where it gives a status.
	refuse func(*http.Request) int
	// answer does so where it reports that it has.
	answer func(http.ResponseWriter, *http.Request) bool
}

func newCacheServer(t *testing.T) *cacheServer {
	t.Helper()
	s := &cacheServer{
		t:      t,
		refuse: func(*http.Request) int { return 0 },
		answer: func(http.ResponseWriter, *http.Request) bool { return false },
	}
	inner := memory.New(memory.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if status := s.refuse(r); status != 0 {
			w.WriteHeader(status)
			return
		}
		if s.answer(w, r) {
			return
		}
		inner.ServeHTTP(w, r)
		if r.Method == http.MethodDelete && !s.loose {
			// go-containerregistry's registry keeps a manifest once a tag.
			repository, _, _ := strings.Cut(r.URL.Path, "/manifests/")
			for _, tag := range s.tags {
				if name, tag, _ := strings.Cut(tag, ":"); "/v2/"+name == repository && tag != "fine" {
					inner.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodDelete, repository+"/manifests/"+tag, nil))
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

func (s *cacheServer) client() *registry.Client {
	return registry.New(registry.Options{Keychain: nobody{}, Retries: -1})
}

// push puts an index under each of the tags of a repository.
func (s *cacheServer) push(index v1.ImageIndex, tags ...string) {
	s.t.Helper()
	s.tags = append(s.tags, tags...)
	for _, tag := range tags {
		ref, err := name.ParseReference(s.host + "/" + tag)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := remote.WriteIndex(ref, index); err != nil {
			s.t.Fatal(err)
		}
	}
}

func newIndex(t *testing.T) (index v1.ImageIndex, digest string) {
	t.Helper()
	index, err := random.Index(64, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	h, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return index, h.String()
}

// listingSet is a set whose only advisory lists the digest, of docker.io/acme/app.
func listingSet(t *testing.T, digest string) *advisories.Set {
	t.Helper()
	a, err := advisories.Parse("test", []byte(strings.ReplaceAll(strings.ReplaceAll(invented, listed, digest), "kind: config", "kind: index")))
	if err != nil {
		t.Fatal(err)
	}
	return advisories.NewSet([]*advisories.Advisory{a})
}

// found is what a sweep found, as "path:tag verdict".
func found(r *Report) []string {
	var out []string
	for _, t := range r.Traces {
		out = append(out, strings.TrimSuffix(t.Place.Path+":"+t.Ref.Tag, ":")+" "+t.Verdict.String())
	}
	slices.Sort(out)
	return out
}

func sweepOf(t *testing.T, s *cacheServer, target string, set *advisories.Set, all bool) *Report {
	t.Helper()
	rec := NewRecorder(set)
	if err := ReadRegistry(context.Background(), s.client(), target, all, rec); err != nil {
		t.Fatal(err)
	}
	return rec.Report(at(t, "20:00"))
}

func TestSweep(t *testing.T) {
	bad, digest := newIndex(t)
	good, _ := newIndex(t)
	set := listingSet(t, digest)
	for _, test := range []struct {
		name    string
		pushed  []string // of the bad one
		catalog bool
		target  string // behind the host
		all     bool
		want    []string
	}{
		{"its own name", []string{"acme/app:moved"}, false, "", false, []string{"acme/app confirmed", "acme/app:moved confirmed"}},
		{"a usual prefix", []string{"dockerhub-proxy/acme/app:moved"}, false, "", false, []string{"dockerhub-proxy/acme/app confirmed", "dockerhub-proxy/acme/app:moved confirmed"}},
		{"a prefix that nobody guesses", []string{"team/x/acme/app:moved"}, false, "", false, nil},
		{"that prefix", []string{"team/x/acme/app:moved"}, false, "/team/x", false, []string{"team/x/acme/app confirmed", "team/x/acme/app:moved confirmed"}},
		{"a registry that lists", []string{"team/x/acme/app:other"}, true, "", false, []string{"team/x/acme/app confirmed", "team/x/acme/app:other confirmed"}},
		{"another name", []string{"team/copy:1"}, true, "", false, nil},
		{"another name, looked at", []string{"team/copy:1"}, true, "", true, []string{"team/copy confirmed", "team/copy:1 confirmed"}},
		{"another prefix than the one named", []string{"acme/app:moved"}, true, "/mirror", false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newCacheServer(t)
			s.push(bad, test.pushed...)
			s.push(good, "acme/app:fine", "tool:1")
			s.refuse = func(r *http.Request) int {
				if !test.catalog && r.URL.Path == "/v2/_catalog" {
					return http.StatusForbidden
				}
				return 0
			}
			r := sweepOf(t, s, s.host+test.target, set, test.all)
			if got := found(r); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.all || test.catalog || len(r.Errors) == 0 {
				for _, err := range r.Errors {
					t.Error(err)
				}
			}
			for _, trace := range r.Traces {
				if trace.Kind != Cached || trace.Evidence != s.host+test.target || trace.Place.Store != "registry" || trace.Listed != digest {
					t.Errorf("trace %+v", trace)
				}
			}
			if n := s.requests.Load(); n > 200 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A registry that refuses, or is not there, is no clear one.
func TestSweepFails(t *testing.T) {
	_, digest := newIndex(t)
	set := listingSet(t, digest)
	s := newCacheServer(t)
	s.refuse = func(r *http.Request) int {
		if r.URL.Path != "/v2/" {
			return http.StatusForbidden
		}
		return 0
	}
	for _, target := range []string{s.host, s.host + "/hub", "127.0.0.1:1"} {
		r := sweepOf(t, s, target, set, false)
		if len(r.Errors) == 0 || len(r.Sources) > 0 || len(r.Traces) > 0 {
			t.Errorf("%s: errors %v, sources %v, traces %v", target, r.Errors, r.Sources, r.Traces)
		}
		for _, err := range r.Errors {
			var e *registry.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), "read the registry "+target) {
				t.Errorf("error is %v", err)
			}
		}
	}
	for _, target := range []string{"", "hub", "host/", "a b.example/x", "registry.example/x:1"} {
		if err := ReadRegistry(context.Background(), s.client(), target, false, NewRecorder(set)); err == nil {
			t.Errorf("%q is a registry", target)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := ReadRegistry(ctx, s.client(), s.host, false, NewRecorder(set)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestDelete(t *testing.T) {
	bad, digest := newIndex(t)
	good, goodDigest := newIndex(t)
	set := listingSet(t, digest)
	s := newCacheServer(t)
	s.push(bad, "acme/app:moved", "acme/app:open", "hub/acme/app:moved")
	s.push(good, "acme/app:fine")
	all := Deletions(context.Background(), s.client(), sweepOf(t, s, s.host, set, false))
	var names []string
	for _, d := range all {
		names = append(names, fmt.Sprintf("%s %v %s", strings.TrimPrefix(d.Ref.String(), s.host+"/"), d.Tags, d.Advisory.ID))
	}
	want := []string{
		"acme/app@" + digest + " [moved open] DL-2099-0001",
		"hub/acme/app@" + digest + " [moved] DL-2099-0001",
	}
	if !slices.Equal(names, want) {
		t.Fatalf("got %q, want %q", names, want)
	}
	Delete(context.Background(), s.client(), all)
	for _, d := range all {
		if d.Err != nil {
			t.Errorf("%s: %v", d.Ref, d.Err)
		}
	}
	if r := sweepOf(t, s, s.host, set, false); len(r.Traces) > 0 {
		t.Errorf("still served: %q", found(r))
	}
	if _, err := s.client().Head(context.Background(), ref(t, s.host+"/acme/app@"+goodDigest)); err != nil {
		t.Errorf("the good one went with it: %v", err)
	}
}

// What says that it has deleted, and serves the digest all the same, has not.
func TestDeleteStillServed(t *testing.T) {
	bad, digest := newIndex(t)
	s := newCacheServer(t)
	s.push(bad, "acme/app:moved")
	s.refuse = func(r *http.Request) int {
		if r.Method == http.MethodDelete {
			return http.StatusAccepted
		}
		return 0
	}
	all := Deletions(context.Background(), s.client(), sweepOf(t, s, s.host, listingSet(t, digest), false))
	Delete(context.Background(), s.client(), all)
	var hint interface{ Hint() string }
	if len(all) != 1 || all[0].Err == nil || !errors.As(all[0].Err, &hint) || !strings.Contains(hint.Hint(), "upstream") {
		t.Errorf("got %+v", all)
	}
	s.refuse = func(*http.Request) int { return 0 }
	s.loose = true
	Delete(context.Background(), s.client(), all)
	if all[0].Err == nil || !errors.As(all[0].Err, &hint) || !strings.Contains(hint.Hint(), "delete the tag") {
		t.Errorf("a tag that stays: got %v", all[0].Err)
	}
	s.refuse = func(r *http.Request) int {
		if r.Method == http.MethodDelete {
			return http.StatusMethodNotAllowed
		}
		return 0
	}
	Delete(context.Background(), s.client(), all)
	if all[0].Err == nil || !strings.Contains(all[0].Err.Error(), "405") {
		t.Errorf("got %v", all[0].Err)
	}
}

// Nothing that is found elsewhere than in a registry is deleted from one, nor
// what is not listed.
func TestDeletionsOnlyOfRegistries(t *testing.T) {
	rec := NewRecorder(listingSet(t, listed))
	app := ref(t, "registry.example/acme/app@"+listed)
	for _, k := range []Kind{Named, Pulled, Present, Running} {
		rec.Event(Event{Kind: k, Ref: app})
	}
	rec.Event(Event{Kind: Cached, Ref: ref(t, "registry.example/acme/app:created")})
	if all := Deletions(context.Background(), nil, rec.Report(at(t, "20:00"))); len(all) > 0 {
		t.Errorf("got %+v", all)
	}
}

// A bare list of digests says nothing of repositories: they are looked for in
// those that the registry lists, or in the one that is named.
func TestSweepHomelessDigests(t *testing.T) {
	bad, digest := newIndex(t)
	a := &advisories.Advisory{ID: "list", Digests: []advisories.Digest{{Digest: digest, Kind: advisories.Index}}}
	set := advisories.NewSet([]*advisories.Advisory{a})
	s := newCacheServer(t)
	s.push(bad, "team/tool:1")
	want := []string{"team/tool confirmed", "team/tool:1 confirmed"}
	if got := found(sweepOf(t, s, s.host, set, false)); !slices.Equal(got, want) {
		t.Errorf("listed: got %q", got)
	}
	s.refuse = func(r *http.Request) int {
		if r.URL.Path == "/v2/_catalog" {
			return http.StatusUnauthorized
		}
		return 0
	}
	if got := found(sweepOf(t, s, s.host+"/team/tool", set, false)); !slices.Equal(got, want) {
		t.Errorf("named: got %q", got)
	}
	r := sweepOf(t, s, s.host, set, false)
	if len(r.Traces) > 0 || len(r.Sources) > 0 || len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), "no repository") {
		t.Errorf("neither: got %q, %v, %v", found(r), r.Errors, r.Sources)
	}
}

// Of many tags only those are asked for that the advisories speak of, and where
// the registry does not list them too.
func TestSweepTags(t *testing.T) {
	bad, digest := newIndex(t)
	set := listingSet(t, digest)
	s := newCacheServer(t)
	s.push(bad, "acme/app:moved", "acme/app:ours")
	tags := make([]string, manyTags)
	for i := range tags {
		tags[i] = strconv.Quote("t" + strconv.Itoa(i))
	}
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/acme/app/tags/list" {
			return false
		}
		fmt.Fprintf(w, `{"name": "acme/app", "tags": ["moved", %s]}`, strings.Join(tags, ","))
		return true
	}
	want := []string{"acme/app confirmed", "acme/app:moved confirmed"}
	before := s.requests.Load()
	r := sweepOf(t, s, s.host, set, false)
	if got := found(r); !slices.Equal(got, want) || len(r.Errors) > 0 {
		t.Errorf("many: got %q, %v", got, r.Errors)
	}
	if n := s.requests.Load() - before; n >= manyTags {
		t.Errorf("%d requests", n)
	}
	if notes := strings.Join(r.Sources[0].Notes, "\n"); !strings.Contains(notes, "of the 101 tags of acme/app") {
		t.Errorf("notes are %q", notes)
	}
	for _, status := range []int{http.StatusNotFound, http.StatusForbidden} {
		s.answer = func(http.ResponseWriter, *http.Request) bool { return false }
		s.refuse = func(r *http.Request) int {
			if strings.HasSuffix(r.URL.Path, "/tags/list") {
				return status
			}
			return 0
		}
		r := sweepOf(t, s, s.host, set, false)
		if got := found(r); !slices.Equal(got, want) || (len(r.Errors) == 0) != (status == http.StatusNotFound) {
			t.Errorf("%d: got %q, %v", status, got, r.Errors)
		}
	}
}

// A server that answers 200 to everything serves no image.
func TestSweepLoginPage(t *testing.T) {
	s := newCacheServer(t)
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/" {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>log in")
			return true
		}
		return false
	}
	r := sweepOf(t, s, s.host, listingSet(t, listed), false)
	if len(r.Traces) > 0 || len(r.Errors) == 0 || len(r.Sources) > 0 {
		t.Errorf("got %q, %v, %v", found(r), r.Errors, r.Sources)
	}
}

// A manifest is kept where it can't be found out who holds it.
func TestDeletionsKeepInDoubt(t *testing.T) {
	bad, _ := newIndex(t)
	manifest, err := bad.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	child := manifest.Manifests[0].Digest.String()
	s := newCacheServer(t)
	s.push(bad, "acme/app:moved")
	r := sweepOf(t, s, s.host, setOf(t, child+" manifest"), false)
	s.refuse = func(r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, "/tags/list") {
			return http.StatusForbidden
		}
		if r.Method == http.MethodDelete {
			t.Error("deleted")
		}
		return 0
	}
	all := Deletions(context.Background(), s.client(), r)
	if len(all) != 1 || all[0].Kept == nil || !strings.Contains(all[0].Kept.Error(), "403") {
		t.Fatalf("got %+v", all)
	}
	Delete(context.Background(), s.client(), all)
}

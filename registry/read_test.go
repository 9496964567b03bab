package registry

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// One GET proves a digest, shows what is under it, and answers for everything
// that is asked later.
func TestReadOnce(t *testing.T) {
	s := newMemory(t)
	index := pushIndex(t, s.host()+"/app:1", 2)
	s.reset()
	c, _ := newClient(Options{})
	ctx := context.Background()
	ref := parse(t, "%s/app:1", s.host())

	read, err := c.Read(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if read.Digest != digestOf(t, index) || !read.Index || read.MediaType != string(types.OCIImageIndex) || len(read.Children) != 2 {
		t.Errorf("got %+v", read)
	}
	again, err := c.Read(ctx, ref)
	if err != nil || !reflect.DeepEqual(again, read) {
		t.Errorf("read again: %+v, %v", again, err)
	}
	m, err := c.Resolve(ctx, ref)
	if err != nil || m != read.Manifest {
		t.Errorf("resolved: %+v, %v", m, err)
	}
	children, err := c.Children(ctx, ref, read.Digest)
	if err != nil || !reflect.DeepEqual(children, read.Children) {
		t.Errorf("children: %+v, %v", children, err)
	}
	byDigest, err := c.Read(ctx, parse(t, "%s/app@%s", s.host(), read.Digest))
	if err != nil || !reflect.DeepEqual(byDigest, read) {
		t.Errorf("read by digest: %+v, %v", byDigest, err)
	}
	if head, get := s.total("HEAD "), s.total("GET /v2/app/"); head != 0 || get != 1 {
		t.Errorf("%d HEAD and %d GET requests, want 0 and 1", head, get)
	}
}

// What a tag was resolved to is what is read, also if the tag has moved since.
func TestReadAfterResolve(t *testing.T) {
	s := newMemory(t)
	first := pushImage(t, s.host()+"/app:1")
	c, _ := newClient(Options{})
	ref := parse(t, "%s/app:1", s.host())
	if _, err := c.Resolve(context.Background(), ref); err != nil {
		t.Fatal(err)
	}
	pushImage(t, s.host()+"/app:1")
	read, err := c.Read(context.Background(), ref)
	if err != nil || read.Digest != digestOf(t, first) {
		t.Errorf("got %s, %v, want %s", read.Digest, err, digestOf(t, first))
	}
}

func TestReadConcurrently(t *testing.T) {
	s := newMemory(t)
	pushIndex(t, s.host()+"/app:1", 2)
	s.reset()
	c, _ := newClient(Options{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.Read(context.Background(), parse(t, "%s/app:1", s.host())); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.total("GET /v2/app/"); n != 1 {
		t.Errorf("%d manifests read, want 1", n)
	}
}

// The bytes decide, whatever the header says; a header that says something
// else makes the answer worthless.
func TestReadProves(t *testing.T) {
	right, other := hash("sha256", []byte(manifest)), hash("sha256", []byte("other"))
	for _, test := range []struct {
		name, ref, header, body, want, err string
	}{
		{"right", ":1", right, manifest, right, ""},
		{"no header", ":1", "", manifest, right, ""},
		{"malformed header", ":1", "sha256:1", manifest, right, ""},
		{"sha512", ":1", hash("sha512", []byte(manifest)), manifest, hash("sha512", []byte(manifest)), ""},
		{"wrong header", ":1", other, manifest, "", "a manifest with the digest " + right + " instead of " + other},
		{"other bytes", "@" + other, "", manifest, "", "a manifest with the digest " + right + " instead of " + other},
		{"other bytes, header as asked", "@" + other, other, manifest, "", "a manifest with the digest " + right + " instead of " + other},
		{"no manifest", ":1", "", "{}", "", "not an image manifest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, api(func(w http.ResponseWriter, r *http.Request) { give(w, manifestType, test.header, test.body) }))
			c, _ := newClient(Options{})
			read, err := c.Read(context.Background(), parse(t, "%s/app%s", s.host(), test.ref))
			if test.err != "" {
				if e := asError(t, err, Invalid); !strings.Contains(e.Error(), test.err) || !strings.HasPrefix(e.Error(), "resolve ") {
					t.Errorf("error is %q, want %q", e, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if read.Digest != test.want || read.Size != int64(len(manifest)) || len(read.Children) != 1 || read.Children[0].Digest != config {
				t.Errorf("got %+v", read)
			}
		})
	}
}

func TestReadMissing(t *testing.T) {
	s := newMemory(t)
	c, _ := newClient(Options{})
	for range 2 {
		_, err := c.Read(context.Background(), parse(t, "%s/app:1", s.host()))
		asError(t, err, NotFound)
	}
	if n := s.total("GET /v2/app/"); n != 1 {
		t.Errorf("%d requests for a missing image, want 1", n)
	}
	_, err := c.Read(context.Background(), parse(t, "%s/app:2", s.host()))
	asError(t, err, NotFound)
}

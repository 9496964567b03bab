package registry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// What is asked to look through a registry and to delete from it, at the
// registry that Debian packages.
func TestSweepDistribution(t *testing.T) {
	for _, deletes := range []bool{false, true} {
		d := startDistribution(t, "", withPassword(t), fmt.Sprintf("REGISTRY_STORAGE_DELETE_ENABLED=%t", deletes))
		login := authn.AuthConfig{Username: user, Password: password}
		push := remote.WithAuth(authn.FromConfig(login))
		index := pushIndex(t, d.host+"/hub/team/app:1", 2, push)
		img := pushImage(t, d.host+"/hub/team/app:2", push)
		pushImage(t, d.host+"/tool:1", push)
		config, err := img.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		c, _ := newClient(Options{Keychain: &keys{logins: map[string]authn.AuthConfig{d.host: login}}})
		app := parse(t, "%s/hub/team/app", d.host)

		repositories, more, err := c.Catalog(ctx, d.host, 10)
		if err != nil || more || !slices.Equal(repositories, []string{"hub/team/app", "tool"}) {
			t.Errorf("got the repositories %q, %v, %v", repositories, more, err)
		}
		if first, more, err := c.Catalog(ctx, d.host, 1); err != nil || !more || len(first) != 1 {
			t.Errorf("got the first repositories %q, %v, %v", first, more, err)
		}
		tags, more, err := c.Tags(ctx, app, 10)
		slices.Sort(tags)
		if err != nil || more || !slices.Equal(tags, []string{"1", "2"}) {
			t.Errorf("got the tags %q, %v, %v", tags, more, err)
		}
		_, _, err = c.Tags(ctx, parse(t, "%s/nothing", d.host), 10)
		asError(t, err, NotFound)

		blob := app
		blob.Digest = config.String()
		if has, err := c.HasBlob(ctx, blob); err != nil || !has {
			t.Errorf("the configuration: %v, %v", has, err)
		}
		blob.Digest = hash("sha256", []byte("nothing"))
		if has, err := c.HasBlob(ctx, blob); err != nil || has {
			t.Errorf("a blob that is not there: %v, %v", has, err)
		}

		bad := app
		bad.Digest = digestOf(t, index)
		if m, err := c.Head(ctx, bad); err != nil || m.Digest != bad.Digest || !m.Index {
			t.Errorf("got %+v, %v", m, err)
		}
		err = c.Delete(ctx, bad)
		if !deletes {
			e := asError(t, err, Invalid)
			if !strings.Contains(e.Error(), "delete "+bad.String()) || !strings.Contains(e.Hint(), "REGISTRY_STORAGE_DELETE_ENABLED") {
				t.Errorf("error is %q with the hint %q", e, e.Hint())
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Head(ctx, bad)
		asError(t, err, NotFound)
		asError(t, c.Delete(ctx, bad), NotFound)
		if _, err := c.Head(ctx, parse(t, "%s/hub/team/app:2", d.host)); err != nil {
			t.Errorf("another image went with it: %v", err)
		}
	}
}

// A tag is not deleted, nor a manifest that a tag stands beside: registries
// read that in different ways.
func TestDeleteDigestsOnly(t *testing.T) {
	c, _ := newClient(Options{Transport: noNetwork{t}})
	for _, ref := range []string{"registry.test/app:1", "registry.test/app", "registry.test/app:1@" + hash("sha256", nil)} {
		asError(t, c.Delete(context.Background(), parse(t, "%s", ref)), Invalid)
	}
}

// Deleting asks for a token of its own that is good for it, once.
func TestDeleteScope(t *testing.T) {
	tokens := newIssuer()
	tokens.extraScope = "repository:app:pull,delete"
	deleted := ""
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && r.Header.Get("Authorization") != "" {
			deleted = r.URL.Path
			w.WriteHeader(http.StatusAccepted)
			return
		}
		tokens.ServeHTTP(w, r)
	}))
	c, _ := newClient(Options{})
	ref := parse(t, "%s/app@%s", s.host(), hash("sha256", nil))
	if err := c.Delete(context.Background(), ref); err != nil {
		t.Fatal(err)
	}
	if want := "/v2/app/manifests/" + ref.Digest; deleted != want {
		t.Errorf("deleted %q, want %q", deleted, want)
	}
	if len(tokens.asked) != 1 || tokens.asked[0].Get("scope") != "repository:app:pull,delete" {
		t.Errorf("asked for %v", tokens.asked)
	}
}

// A refusal, and a redirect to another host, delete nothing.
func TestDeleteRefused(t *testing.T) {
	for code, kind := range map[int]Kind{401: Unauthorized, 403: Unauthorized, 405: Invalid, 400: Invalid, 404: NotFound, 500: Server, 307: Invalid} {
		asked := 0
		s := serve(t, api(func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.Header().Set("Location", "http://elsewhere.test/v2/app/manifests/x")
			w.WriteHeader(code)
		}))
		c, _ := newClient(Options{Retries: -1})
		err := c.Delete(context.Background(), parse(t, "%s/app@%s", s.host(), hash("sha256", nil)))
		asError(t, err, kind)
		if asked != 1 {
			t.Errorf("%d: %d requests", code, asked)
		}
	}
}

// Lists come in pages, which registries mark in different ways, and some have
// no end.
func TestListPages(t *testing.T) {
	page := func(from, to int) string {
		var tags []string
		for i := from; i < to; i++ {
			tags = append(tags, strconv.Quote("t"+strconv.Itoa(i)))
		}
		return `{"name": "app", "tags": [` + strings.Join(tags, ",") + `, "", "not a tag", "../up"]}`
	}
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, last string)
		want   int
	}{
		"linked": {func(w http.ResponseWriter, last string) {
			if last == "" {
				w.Header().Set("Link", `<http://elsewhere.test/v2/app/tags/list?last=t4&n=5>; rel="next"`)
				fmt.Fprint(w, page(0, 5))
				return
			}
			fmt.Fprint(w, page(5, 8))
		}, 8},
		"the same for ever": {func(w http.ResponseWriter, _ string) {
			w.Header().Set("Link", `</v2/app/tags/list?last=x>; rel=next`)
			fmt.Fprint(w, page(0, 5))
		}, 5},
		"null": {func(w http.ResponseWriter, _ string) { fmt.Fprint(w, `{"name": "app", "tags": null}`) }, 0},
	} {
		s := serve(t, api(func(w http.ResponseWriter, r *http.Request) { test.answer(w, r.URL.Query().Get("last")) }))
		c, _ := newClient(Options{})
		tags, more, err := c.Tags(context.Background(), parse(t, "%s/app", s.host()), 100)
		if err != nil || more || len(tags) != test.want {
			t.Errorf("%s: got %q, %v, %v, want %d", name, tags, more, err, test.want)
		}
	}
	s := serve(t, api(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	c, _ := newClient(Options{})
	_, _, err := c.Tags(context.Background(), parse(t, "%s/app", s.host()), 100)
	asError(t, err, Invalid)
}

func TestProduct(t *testing.T) {
	for want, header := range map[string]http.Header{
		"":          {},
		Artifactory: {"X-Jfrog-Version": {"Artifactory/7.90"}},
		Nexus:       {"Server": {"Nexus/3.70.0 (OSS)"}},
		Harbor:      {"Www-Authenticate": {`Bearer realm="http://registry.test/service/token",service="harbor-registry"`}},
		GitLab:      {"Www-Authenticate": {`Bearer realm="http://registry.test/jwt/auth",service="container_registry"`}},
		Quay:        {"Www-Authenticate": {`Bearer realm="http://registry.test/v2/auth",service="registry.test"`}},
	} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range header {
				w.Header()[name] = values
			}
			if header.Get("Www-Authenticate") != "" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		c, _ := newClient(Options{})
		if got, err := c.Product(context.Background(), s.host()); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	c, _ := newClient(Options{})
	_, err := c.Product(context.Background(), "127.0.0.1:1")
	if e := asError(t, err, Unreachable); !strings.HasPrefix(e.Error(), "reach the registry at 127.0.0.1:1: ") {
		t.Errorf("error is %q", e)
	}
}

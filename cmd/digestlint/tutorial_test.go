package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/digestlint/digestlint/image"
)

// TestTutorialPage runs docs/tutorial.md on a copy of the shop, whose registries
// are one on loopback.
func TestTutorialPage(t *testing.T) {
	dir := t.TempDir()
	shop := filepath.Join(dir, "testdata", "shop")
	if err := os.CopyFS(shop, os.DirFS("../../testdata/shop")); err != nil {
		t.Fatal(err)
	}
	var refs bytes.Buffer
	if status := run([]string{"refs", "-o", "list", "--no-config", shop}, nil, &refs, io.Discard); status != exitClean {
		t.Fatalf("status %d", status)
	}
	host := newRegistry(t)
	mirrors := map[string]string{}
	refs.WriteString("prom/statsd-exporter:v0.28.0\n") // once the page has mended it
	for text := range strings.Lines(refs.String()) {
		ref, err := image.Parse(strings.TrimSpace(text))
		if err != nil || ref.Digest != "" {
			continue
		}
		mirrors[ref.Host()] = host + "/" + strings.ReplaceAll(ref.Host(), ":", "-")
		pushIndex(t, mirrors[ref.Host()]+"/"+ref.Path(), cmp.Or(ref.Tag, "latest"), ref.String())
	}
	var settings strings.Builder
	settings.WriteString("registries:\n")
	for host, mirror := range mirrors {
		fmt.Fprintf(&settings, "  %q: {mirrors: [%q]}\n", host, mirror)
	}
	if err := os.WriteFile(filepath.Join(shop, ".digestlint.yaml"), []byte(settings.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	executed{dir: dir}.run(t, filepath.Join(docs, "tutorial.md"))
}

// newRegistry starts an empty registry on loopback and gives its host.
func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// pushIndex pushes an index of two images, which are always the same for the
// same content, and gives its digest. Without a tag, only that leads to it.
func pushIndex(t *testing.T, repository, tag, content string) string {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, platform := range []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}} {
		img, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content+platform.Architecture), types.DockerLayer))
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	to := repository + "@" + digest.String()
	if tag != "" {
		to = repository + ":" + tag
	}
	ref, err := name.ParseReference(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

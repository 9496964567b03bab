package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/digestlint/digestlint/advisories"
)

// newDigest is listed by no advisory but that of the bundles here.
const newDigest = "sha256:00000000000000000000000000000000000000000000000000000000feedbeef"

const newAdvisory = `advisory: ACME-2099-0001
title: acme/app replaced
type: compromised-publisher
severity: critical
published: 2099-03-02
modified: 2099-03-02

repository: docker.io/acme/app
certainty: confirmed
sources: s

digest: ` + newDigest + `
kind: index
repository: docker.io/acme/app
tags: 1
state: overwritten
certainty: confirmed
sources: s

source: s
class: vendor advisory
url: https://acme.example/advisory
`

// publisher signs bundles and serves them.
type publisher struct {
	t       *testing.T
	dir     string
	private ed25519.PrivateKey
	key     string // file of the public key
	served  map[string][]byte
	address string
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{t: t, dir: t.TempDir(), served: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := p.served[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(server.Close)
	p.address = server.URL + "/bundle.txt"
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.private = private
	der := append([]byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, public...)
	p.key = filepath.Join(p.dir, "key.pub")
	if err := os.WriteFile(p.key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// bundle is one that was made so many hours after noon, and its signature.
func (p *publisher) bundle(hours int) (bundle, signature []byte) {
	p.t.Helper()
	made := time.Date(2099, 3, 2, 12, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour)
	bundle, err := advisories.WriteBundle("acme", made, []advisories.File{{Name: "a.txt", Data: []byte(newAdvisory)}})
	if err != nil {
		p.t.Fatal(err)
	}
	return bundle, ed25519.Sign(p.private, bundle)
}

func (p *publisher) publish(hours int) {
	p.served["/bundle.txt"], p.served["/bundle.txt.sig"] = p.bundle(hours)
}

// runs runs the program, in a home of its own, and holds its status.
func (p *publisher) runs(status int, args ...string) (stdout, stderr string) {
	p.t.Helper()
	advisories.Use(nil) // as at the start of a process
	p.t.Cleanup(func() { advisories.Use(nil) })
	p.t.Setenv(cacheVariable, filepath.Join(p.dir, "cache"))
	p.t.Setenv("DOCKER_CONFIG", p.dir)
	var out, err bytes.Buffer
	if got := run(args, strings.NewReader(""), &out, &err); got != status {
		p.t.Fatalf("%q: status %d, want %d\n%s%s", args, got, status, out.String(), err.String())
	}
	return out.String(), err.String()
}

func contains(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("%q is not in\n%s", want, text)
	}
}

func TestUpdateAdvisories(t *testing.T) {
	p := newPublisher(t)
	file := filepath.Join(p.dir, "Dockerfile")
	if err := os.WriteFile(file, []byte("FROM mirror.example/x@"+newDigest+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.runs(exitClean, "check", file)
	_, said := p.runs(exitUsage, "advisories", "update")
	contains(t, said, "--source")
	_, said = p.runs(exitUsage, "advisories", "update", "--source", p.address)
	contains(t, said, "--key FILE")
	_, said = p.runs(exitIncomplete, "advisories", "update", "--source", p.address, "--key", p.key)
	contains(t, said, "404 Not Found")

	p.publish(0)
	out, _ := p.runs(exitClean, "advisories", "update", "--source", p.address, "--key", p.key)
	contains(t, out, "acme of 2099-03-02T12:00:00Z: 1 advisories, signed with SHA256:")
	out, _ = p.runs(exitFindings, "check", file)
	contains(t, out, "ACME-2099-0001")
	p.runs(exitClean, "check", "--no-updates", file)
	out, _ = p.runs(exitClean, "advisories", "list")
	contains(t, out, "ACME-2099-0001")
	contains(t, out, "DL-2026-0001")

	// Source and key are pinned; nothing goes back.
	out, _ = p.runs(exitClean, "advisories", "update")
	contains(t, out, "is here already")
	p.publish(1)
	p.runs(exitClean, "advisories", "update")
	p.publish(0)
	_, said = p.runs(exitIncomplete, "advisories", "update")
	contains(t, said, "is older than the one of 2099-03-02T13:00:00Z")

	// A bundle of somebody else, a changed one, and one that is cut off.
	other := newPublisher(t)
	p.served["/bundle.txt"], p.served["/bundle.txt.sig"] = other.bundle(2)
	_, said = p.runs(exitIncomplete, "advisories", "update")
	contains(t, said, "nothing was taken over")
	p.publish(2)
	p.served["/bundle.txt"] = bytes.Replace(p.served["/bundle.txt"], []byte("feedbeef"), []byte("feedbeee"), 1)
	p.runs(exitIncomplete, "advisories", "update")
	p.publish(2)
	p.served["/bundle.txt.sig"] = p.served["/bundle.txt.sig"][:63]
	_, said = p.runs(exitIncomplete, "advisories", "update")
	contains(t, said, "63 bytes")
	out, _ = p.runs(exitFindings, "check", file)
	contains(t, out, "ACME-2099-0001")
}

// What is kept is verified at each start, and what is damaged says so.
func TestDamagedUpdate(t *testing.T) {
	p := newPublisher(t)
	p.publish(0)
	p.runs(exitClean, "advisories", "update", "--source", p.address, "--key", p.key)
	name := filepath.Join(p.dir, "cache", "advisories.json")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{nil, whole[:len(whole)/2], bytes.Replace(whole, []byte(`"bundle":"Y`), []byte(`"bundle":"Z`), 1), []byte("{}")} {
		if bytes.Equal(damaged, whole) {
			t.Fatal("nothing was damaged")
		}
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		out, said := p.runs(exitClean, "advisories", "list")
		contains(t, said, "updated advisories left out")
		contains(t, out, "DL-2026-0001")
		if strings.Contains(out, "ACME") {
			t.Error("a damaged bundle was taken")
		}
	}
	p.runs(exitClean, "advisories", "update", "--source", p.address, "--key", p.key)
	out, _ := p.runs(exitClean, "advisories", "list")
	contains(t, out, "ACME-2099-0001")
}

func TestUpdateFromRegistry(t *testing.T) {
	p := newPublisher(t)
	server := httptest.NewServer(registry.New())
	defer server.Close()
	bundle, signature := p.bundle(0)
	artifact := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for title, data := range map[string][]byte{"bundle.txt": bundle, "bundle.txt.sig": signature} {
		var err error
		artifact, err = mutate.Append(artifact, mutate.Addendum{
			Layer:       static.NewLayer(data, "text/plain"),
			Annotations: map[string]string{"org.opencontainers.image.title": title},
			MediaType:   "text/plain",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	host := strings.TrimPrefix(server.URL, "http://")
	pushArtifact(t, host+"/security/advisories:latest", artifact)
	pushArtifact(t, host+"/security/empty:latest", mutate.MediaType(empty.Image, types.OCIManifestSchema1))
	out, _ := p.runs(exitClean, "advisories", "update", "--source", "oci://"+host+"/security/advisories:latest", "--key", p.key)
	contains(t, out, "1 advisories")
	_, said := p.runs(exitIncomplete, "advisories", "update", "--source", "oci://"+host+"/security/empty:latest", "--key", p.key)
	contains(t, said, "holds no bundle")
}

func pushArtifact(t *testing.T, text string, img v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
}

// docs/advisories.md is held to the program: its example is an advisory, and
// its commands make a bundle that is taken.
func TestAdvisoriesPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/advisories.md")
	if err != nil {
		t.Fatal(err)
	}
	example := fenced(t, string(page), "advisory")
	p := newPublisher(t)
	t.Chdir(p.dir)
	if err := os.WriteFile("advisory.txt", []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := p.runs(exitClean, "advisories", "check", "advisory.txt")
	contains(t, out, "advisory.txt: ok")
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	for line := range strings.Lines(fenced(t, string(page), "sh")) {
		command, _, _ := strings.Cut(line, "#")
		command, to, redirected := strings.Cut(strings.TrimSpace(command), " > ")
		words := strings.Fields(command)
		if words[0] == "digestlint" {
			out, _ := p.runs(exitClean, words[1:]...)
			if !redirected {
				t.Fatalf("%q has no file", line)
			}
			if err := os.WriteFile(to, []byte(out), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	for served, file := range map[string]string{"/bundle.txt": "bundle.txt", "/bundle.txt.sig": "bundle.txt.sig"} {
		if p.served[served], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	out, _ = p.runs(exitClean, "advisories", "update", "--source", p.address, "--key", "advisories.pub")
	contains(t, out, "acme of ")
}

// fenced is the first block of the language.
func fenced(t *testing.T, page, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n```"+language+"\n")
	block, _, end := strings.Cut(rest, "\n```\n")
	if !ok || !end {
		t.Fatalf("there is no block of %s", language)
	}
	return block + "\n"
}

package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	contains(t, out, "acme/app replaced  [acme]\n")
	contains(t, out, "DL-2026-0001")
	out, _ = p.runs(exitClean, "advisories", "show", "acme-2099-0001")
	contains(t, out, "the bundle acme of 2099-03-02T12:00:00Z, "+p.address)
	out, _ = p.runs(exitClean, "version")
	contains(t, out, "advisories of 2099-03-02T12:00:00Z, acme, from "+p.address)
	out, _ = p.runs(exitClean, "version", "--no-updates")
	if strings.Contains(out, "acme") {
		t.Errorf("the version names what is left out:\n%s", out)
	}

	t.Setenv(noUpdatesVariable, "true")
	p.runs(exitClean, "check", file)
	t.Setenv(noUpdatesVariable, "false")
	p.runs(exitFindings, "check", file)
	t.Setenv(noUpdatesVariable, "maybe")
	_, said = p.runs(exitUsage, "check", file)
	contains(t, said, noUpdatesVariable+`: "maybe" is neither true nor false`)
	t.Setenv(noUpdatesVariable, "")

	// Source and key are pinned; nothing goes back.
	out, _ = p.runs(exitClean, "advisories", "update")
	contains(t, out, "is here already")
	p.publish(1)
	p.runs(exitClean, "advisories", "update")
	p.publish(0)
	_, said = p.runs(exitIncomplete, "advisories", "update")
	contains(t, said, "is older than the one of 2099-03-02T13:00:00Z")
	contains(t, said, "hint: if it is meant to take the place of the other one, remove "+filepath.Join(p.dir, "cache", "advisories.json"))

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

// What an update changes for the worse is told.
func TestUpdateTells(t *testing.T) {
	p := newPublisher(t)
	p.publish(0)
	p.runs(exitClean, "advisories", "update", "--source", p.address, "--key", p.key)
	withdrawn := strings.Replace(newAdvisory, newDigest, newDigest[:len(newDigest)-1]+"0", 1)
	older := strings.NewReplacer("ACME-2099-0001", "DL-2026-0001", "2099-03-02", "2026-04-23").Replace(withdrawn)
	const good = "sha256:bcc376de8d77cfe086a917230e818dc9f8528e3c852f7b1aff648949b6258d1c" // of DL-2026-0002
	listed := strings.Replace(strings.Replace(newAdvisory, newDigest, good, 1), "ACME-2099-0001", "ACME-2099-0002", 1)
	bundle, err := advisories.WriteBundle("acme", time.Date(2099, 3, 3, 0, 0, 0, 0, time.UTC), []advisories.File{
		{Name: "a", Data: []byte(withdrawn)}, {Name: "b", Data: []byte(older)}, {Name: "c", Data: []byte(listed)},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.served["/bundle.txt"], p.served["/bundle.txt.sig"] = bundle, ed25519.Sign(p.private, bundle)
	out, said := p.runs(exitClean, "advisories", "update")
	contains(t, out, "3 advisories")
	contains(t, said, "DL-2026-0001: the program knows a later version, which counts")
	contains(t, said, "ACME-2099-0001: "+newDigest+" is not listed any longer")
	contains(t, said, good+" is listed as malicious by ACME-2099-0002, and good by DL-2026-0002")
	if n := strings.Count(said, "\n"); n != 3 {
		t.Errorf("%d lines instead of 3:\n%s", n, said)
	}
	out, _ = p.runs(exitClean, "advisories", "list")
	if n := strings.Count(out, "DL-2026-0001"); n != 1 || strings.Contains(out, "DL-2026-0001  critical    1 digests") {
		t.Errorf("an older advisory has taken the place of the program's:\n%s", out)
	}
}

// A pipeline whose cache others can write names the key.
func TestUpdateOfAnotherKey(t *testing.T) {
	p, other := newPublisher(t), newPublisher(t)
	other.dir = p.dir // one cache
	other.publish(0)
	other.runs(exitClean, "advisories", "update", "--source", other.address, "--key", other.key)
	t.Setenv(keyVariable, p.key)
	out, said := p.runs(exitClean, "advisories", "list")
	contains(t, said, "which is not in "+p.key)
	if strings.Contains(out, "ACME") {
		t.Error("a bundle of another key was taken")
	}
	t.Setenv(keyVariable, filepath.Join(p.dir, "none"))
	_, said = p.runs(exitClean, "advisories", "list")
	contains(t, said, keyVariable+": ")
	t.Setenv(keyVariable, other.key)
	out, _ = p.runs(exitClean, "advisories", "list")
	contains(t, out, "ACME")
	// The pin is exchanged by who names another key, and only for what is not
	// older.
	t.Setenv(keyVariable, "")
	p.publish(1)
	p.runs(exitIncomplete, "advisories", "update", "--source", p.address)
	p.runs(exitClean, "advisories", "update", "--source", p.address, "--key", p.key)
	_, said = p.runs(exitIncomplete, "advisories", "update", "--source", other.address, "--key", other.key)
	contains(t, said, "is older")
}

// Of updates at the same time the latest stays.
func TestUpdatesAtOnce(t *testing.T) {
	p := newPublisher(t)
	t.Setenv(cacheVariable, filepath.Join(p.dir, "cache"))
	const n = 12
	var wg sync.WaitGroup
	for hours := range n {
		u := &fetched{}
		u.Bundle, u.Signature = p.bundle(hours)
		u.Key = p.private.Public().(ed25519.PublicKey)
		var err error
		if u.bundle, err = advisories.ParseBundle("x", u.Bundle); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			var older *rollbackError
			if _, err := u.save(); err != nil && !errors.As(err, &older) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	u, err := loadFetched()
	if err != nil || u.bundle.Made.Hour() != 12+n-1 {
		t.Errorf("%+v, %v", u, err)
	}
}

// What is wrong with the flags is found before anybody is asked.
func TestUpdateUsage(t *testing.T) {
	p := newPublisher(t)
	private := filepath.Join(p.dir, "private.pem")
	if err := os.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")}), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"https:// or oci://": {"--source", "ftp://a.example/b", "--key", p.key},
		"--source: ":         {"--source", "oci://A B", "--key", p.key},
		"no such file":       {"--source", p.address, "--key", filepath.Join(p.dir, "none")},
		"a private key":      {"--source", p.address, "--key", private},
	} {
		_, said := p.runs(exitUsage, append([]string{"advisories", "update"}, args...)...)
		contains(t, said, want)
		if strings.Contains(said, "hunter2") {
			t.Error("the key is shown")
		}
	}
	for want, source := range map[string]string{
		"not an https address": "http://a.example/bundle.txt",
		"not the address":      "https://me:hunter2@a.example/bundle.txt",
	} {
		_, said := p.runs(exitIncomplete, "advisories", "update", "--source", source, "--key", p.key)
		contains(t, said, want)
		if strings.Contains(said, "hunter2") {
			t.Error("the password is shown")
		}
	}
}

// A file of which one line can't be read still counts.
func TestExposureBadIndicator(t *testing.T) {
	p := newPublisher(t)
	images := filepath.Join(p.dir, "images.txt")
	if err := os.WriteFile(images, []byte("REPOSITORY   TAG   DIGEST   IMAGE ID   CREATED   SIZE\n"+
		"acme/app   1   "+newDigest+"   0123456789ab   2 days ago   5MB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, "iocs.txt")
	for text, status := range map[string]int{
		newDigest + "\n":                   exitFindings,
		newDigest + "\nsha256:12\na b c\n": exitIncomplete,
		"sha256:12\n":                      exitUsage,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, said := p.runs(status, "exposure", "--images", images, "--digests", file)
		if status != exitUsage {
			contains(t, out, "confirmed")
		}
		if status != exitFindings {
			contains(t, out+said, file+":")
		}
		if status == exitIncomplete {
			contains(t, out+said, file+":2: ")
			contains(t, out+said, file+":3: ")
		}
	}
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

	// One that others could have written is none of the user's.
	if err := os.Chmod(name, 0o666); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o022 != 0 { // a system with such rights
		_, said := p.runs(exitClean, "advisories", "list")
		contains(t, said, "updated advisories left out")
	}
	// What is damaged pins nothing.
	if err := os.WriteFile(name, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	_, said := p.runs(exitUsage, "advisories", "update")
	contains(t, said, "name the bundle with --source")
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
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	p := newPublisher(t)
	executed{dir: p.dir}.run(t, "../../docs/advisories.md")
	t.Chdir(p.dir)
	out, _ := p.runs(exitClean, "advisories", "check", "advisory.txt")
	contains(t, out, "advisory.txt: ok")
	for served, file := range map[string]string{"/bundle.txt": "bundle.txt", "/bundle.txt.sig": "bundle.txt.sig"} {
		p.served[served] = []byte(readFile(t, file))
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

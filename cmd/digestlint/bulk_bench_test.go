//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// The bulk fix of a monorepo: so many files, which name so many images, in so
// many repositories, at so many registries that take so long for each request
// and answer so many at a time.
const (
	bulkFiles        = 10_000
	bulkImages       = 2_000
	bulkRepositories = 200
	bulkHosts        = 4
	bulkDelay        = 50 * time.Millisecond
	bulkWorkers      = bulkHosts * 8 // 8 is registry.Options.Concurrency
)

// BenchmarkBulkPin measures "digestlint pin" as a process of its own: asking
// alone, with writing, with the answers of the run before, and without registries.
//
//	requests/image  all that the registries were sent, handshakes included
//	x-ideal         its wall time, in times of what the requests alone would take
//	cpu-s           its processor time in seconds, the kernel's included
//	MB              its peak resident memory
func BenchmarkBulkPin(b *testing.B) {
	asked := startSlowRegistries(b)
	tree := newBulkTree(b, asked.images)
	digests := filepath.Join(b.TempDir(), "digests.txt")
	if err := os.WriteFile(digests, asked.digests, 0o644); err != nil {
		b.Fatal(err)
	}
	ideal := time.Duration(bulkImages) * bulkDelay / bulkWorkers

	for _, c := range []struct {
		name  string
		warm  bool // with the cache of a run before
		flags []string
		want  int // digests that each file has afterwards
	}{
		{name: "ask", flags: []string{"--dry-run"}, want: 0},
		{name: "pin", want: 2},
		{name: "warm", warm: true, want: 2},
		{name: "offline", flags: []string{"--digests", digests}, want: 2},
	} {
		b.Run(c.name, func(b *testing.B) {
			cache := b.TempDir()
			if c.warm {
				tree.restore(b)
				tree.pin(b, cache)
			}
			var requests, peak int64
			var cpu time.Duration
			for b.Loop() {
				b.StopTimer()
				tree.restore(b)
				if !c.warm {
					cache = b.TempDir()
				}
				asked.requests.Store(0)
				b.StartTimer()
				state := tree.pin(b, cache, c.flags...)
				requests += asked.requests.Load()
				peak = max(peak, state.SysUsage().(*syscall.Rusage).Maxrss)
				cpu += state.UserTime() + state.SystemTime()
			}
			tree.check(b, c.want)
			n := float64(b.N)
			b.ReportMetric(float64(requests)/n/bulkImages, "requests/image")
			b.ReportMetric(b.Elapsed().Seconds()/n/ideal.Seconds(), "x-ideal")
			b.ReportMetric(cpu.Seconds()/n, "cpu-s")
			b.ReportMetric(float64(peak)/1024, "MB") // Linux counts in kB
		})
	}
}

// slowRegistries is one set of images, served at several ports of loopback.
type slowRegistries struct {
	images   []string // references by tag
	digests  []byte   // lines "REFERENCE DIGEST"
	requests atomic.Int64
}

func startSlowRegistries(b *testing.B) *slowRegistries {
	b.Helper()
	s := &slowRegistries{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	var hosts []string
	for range bulkHosts {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.requests.Add(1)
			time.Sleep(bulkDelay)
			inner.ServeHTTP(w, r)
		}))
		b.Cleanup(server.Close)
		hosts = append(hosts, strings.TrimPrefix(server.URL, "http://"))
	}
	put := func(repository, name, mediaType, body string) {
		r := httptest.NewRequest(http.MethodPut, "/v2/"+repository+"/manifests/"+name, strings.NewReader(body))
		r.Header.Set("Content-Type", mediaType)
		w := httptest.NewRecorder()
		inner.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			b.Fatalf("put %s:%s: %d %s", repository, name, w.Code, w.Body)
		}
	}
	for i := range bulkImages {
		repository := fmt.Sprintf("team%d/app%d", i%bulkRepositories%20, i%bulkRepositories)
		tag := fmt.Sprintf("1.%d", i/bulkRepositories)
		var children []string
		for _, arch := range []string{"amd64", "arm64"} {
			body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"%s"},"layers":[]}`,
				digestOf(fmt.Sprint(i, arch)))
			put(repository, digestOf(body), "application/vnd.oci.image.manifest.v1+json", body)
			children = append(children, fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":%d,"digest":"%s","platform":{"os":"linux","architecture":"%s"}}`,
				len(body), digestOf(body), arch))
		}
		index := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + strings.Join(children, ",") + `]}`
		put(repository, tag, "application/vnd.oci.image.index.v1+json", index)
		image := hosts[i%bulkHosts] + "/" + repository + ":" + tag
		s.images = append(s.images, image)
		s.digests = fmt.Appendf(s.digests, "%s %s\n", image, digestOf(index))
	}
	return s
}

func digestOf(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }

// bulkTree is a monorepo whose files all name images.
type bulkTree struct {
	root  string
	files map[string][]byte // as they are before pinning
}

func newBulkTree(b *testing.B, images []string) *bulkTree {
	b.Helper()
	t := &bulkTree{root: b.TempDir(), files: map[string][]byte{}}
	image := func(n int) string { return images[n%len(images)] }
	for i := range bulkFiles {
		dir := fmt.Sprintf("team%02d/app%03d", i%40, i%400)
		switch i % 4 {
		case 0:
			t.files[fmt.Sprintf("%s/Dockerfile.%d", dir, i)] = fmt.Appendf(nil,
				"# build\nFROM %s AS build\nWORKDIR /src\nCOPY . .\nRUN make\n\nFROM %s\nCOPY --from=build /src/app /app\n", image(i), image(7*i))
		case 1:
			t.files[fmt.Sprintf("%s/compose%d.yaml", dir, i)] = fmt.Appendf(nil,
				"services:\n  db:\n    image: %s   # state\n    volumes: [data:/data]\n  web:\n    image: \"%s\"\nvolumes: {data: {}}\n", image(i), image(7*i))
		case 2:
			t.files[fmt.Sprintf("%s/deploy%d.yaml", dir, i)] = fmt.Appendf(nil,
				"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app%d}\nspec:\n  template:\n    spec:\n      initContainers:\n      - {name: init, image: %s}\n      containers:\n      - name: web\n        image: %s\n        ports: [{containerPort: 8080}]\n", i, image(i), image(7*i))
		case 3:
			t.files[fmt.Sprintf("%s/.github/workflows/ci%d.yml", dir, i)] = fmt.Appendf(nil,
				"on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    container: %s\n    services:\n      db:\n        image: %s\n    steps:\n      - run: make test\n", image(i), image(7*i))
		}
	}
	t.restore(b)
	cmd := exec.Command("git", "init", "-q", t.root)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git init: %v\n%s", err, out)
	}
	return t
}

// pin runs "digestlint pin" in the tree; all has to succeed.
func (t *bulkTree) pin(b *testing.B, cache string, flags ...string) *os.ProcessState {
	b.Helper()
	// TestMain puts this test binary on the path under that name.
	cmd := exec.Command("digestlint", append([]string{"pin"}, flags...)...)
	cmd.Dir = t.root
	cmd.Env = append(os.Environ(), "HOME="+cache, "DOCKER_CONFIG="+cache, "XDG_RUNTIME_DIR="+cache, "DIGESTLINT_CACHE="+cache)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	if err := cmd.Run(); err != nil {
		text := said.String()
		b.Fatalf("pin: %v\n%s", err, text[max(0, len(text)-2000):])
	}
	return cmd.ProcessState
}

// restore writes the files as they were, unless they are: pinning makes each
// longer.
func (t *bulkTree) restore(b *testing.B) {
	b.Helper()
	for name, data := range t.files {
		path := filepath.Join(t.root, name)
		if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// check holds that each file has so many digests.
func (t *bulkTree) check(b *testing.B, want int) {
	b.Helper()
	for name := range t.files {
		data, err := os.ReadFile(filepath.Join(t.root, name))
		if err != nil {
			b.Fatal(err)
		}
		if n := bytes.Count(data, []byte("@sha256:")); n != want {
			b.Fatalf("%s has %d digests:\n%s", name, n, data)
		}
	}
}

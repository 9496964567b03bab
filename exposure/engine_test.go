package exposure

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
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
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/txtar"
)

// listenUnix serves handler at a socket, whose path must be short, and gives
// that path.
func listenUnix(t *testing.T, handler http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "engine.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return socket
}

// recorded answers as the archive says. What it lacks is an error, and anything
// but reading fails the test.
func recorded(t *testing.T, archive string) http.Handler {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "engine", archive))
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string][]byte{}
	for _, f := range a.Files {
		answers[f.Name] = f.Data
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		answer, ok := answers[r.URL.RequestURI()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"message":"no such thing"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	})
}

// readSocket is the report of the engine at socket, under a name that is the
// same in each run.
func readSocket(t *testing.T, socket string, digests ...string) *Report {
	t.Helper()
	rec := NewRecorder(fixtureSet(t, digests...))
	if err := ReadEngine(context.Background(), socket, rec); err != nil {
		t.Error(err)
	}
	r := rec.Report(time.Time{})
	for i := range r.Traces {
		r.Traces[i].Evidence = "engine.sock"
	}
	for i := range r.Sources {
		r.Sources[i].Name = "engine.sock"
	}
	for i, err := range r.Errors {
		r.Errors[i] = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), socket, "engine.sock"))
	}
	return r
}

func TestReadEngineRecorded(t *testing.T) {
	for _, engine := range []string{"docker", "podman"} {
		t.Run(engine, func(t *testing.T) {
			socket := listenUnix(t, recorded(t, engine+".txtar"))
			for kind, digest := range map[string]string{"index": appIndex, "manifest": appManifest} {
				golden(t, "engine/"+engine+"-"+kind+".golden", describe(readSocket(t, socket, kind+" "+digest)))
			}
		})
	}
}

func TestReadEngineTCP(t *testing.T) {
	server := httptest.NewServer(recorded(t, "docker.txtar"))
	defer server.Close()
	r := readSocket(t, "tcp://"+server.Listener.Addr().String(), "index "+appIndex)
	if r.Verdict() != Confirmed || !strings.Contains(strings.Join(r.Sources[0].Notes, "\n"), "without TLS") {
		t.Errorf("%s", describe(r))
	}
}

// The usual sockets are found, each engine once.
func TestReadEngineUsual(t *testing.T) {
	socket := listenUnix(t, recorded(t, "podman.txtar"))
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(home, "run"))
	if err := os.MkdirAll(filepath.Join(home, "run", "podman"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(socket, filepath.Join(home, "run", "podman", "podman.sock")); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"", "unix://" + socket, "tcp://127.0.0.1:1"} {
		t.Setenv("DOCKER_HOST", host)
		found := 0
		for _, s := range usualSockets() {
			if path, err := filepath.EvalSymlinks(s); err == nil && path == socket {
				found++
			}
		}
		if found != 1 {
			t.Errorf("DOCKER_HOST=%s: found %d times", host, found)
		}
	}
}

func TestReadEngineUnreadable(t *testing.T) {
	// answer answers each path but version and info with body.
	answer := func(body string, after ...string) string {
		return listenUnix(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/version" || r.URL.Path == "/info":
				fmt.Fprint(w, `{}`)
			case len(after) > 0 && strings.HasSuffix(r.URL.Path, "s/json"):
				fmt.Fprint(w, after[0])
			default:
				fmt.Fprint(w, body)
			}
		}))
	}
	for _, test := range []struct{ name, socket, want string }{
		{"nobody there", filepath.Join(t.TempDir(), "no.sock"), "no such file"},
		{"over SSH", "ssh://host", "--images"},
		// podman's answer to a parameter that it does not know.
		{"empty answer", answer(""), "GET /images/json?all=1: unexpected end of JSON input"},
		{"no list", answer(`{"message":"page not found"}`), "GET /images/json?all=1: it is not expected to be a JSON object"},
		{"redirected", listenUnix(t, http.RedirectHandler("http://192.0.2.1/", http.StatusFound)), "GET /version: status 302"},
		{"forbidden", listenUnix(t, http.NotFoundHandler()), "GET /version: status 404: 404 page not found"},
	} {
		rec := NewRecorder(fixtureSet(t))
		err := ReadEngine(context.Background(), test.socket, rec)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.socket) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	t.Run("an image that goes meanwhile", func(t *testing.T) {
		r := readSocket(t, answer(`{"message":"no such image"}`, `[{"Id":"sha256:../..?x=1"}]`))
		if len(r.Errors) != 2 || len(r.Sources) != 1 { // an image, a container
			t.Errorf("%s", describe(r))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		socket := listenUnix(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		}))
		if err := ReadEngine(ctx, socket, NewRecorder(fixtureSet(t))); err == nil {
			t.Error("no error")
		}
	})
}

// startPodman serves podman's API for a store of its own, and gives the socket
// and a way to run podman with that store. Where podman can't do that, the
// recorded answers have to do.
func startPodman(t *testing.T) (socket string, podman func(args ...string) string) {
	t.Helper()
	if _, err := exec.LookPath("podman"); err != nil {
		t.Skip("podman is not installed (Debian package podman)")
	}
	dir, err := os.MkdirTemp("", "podman")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	options := []string{
		"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs",
	}
	environment := append(os.Environ(), "HOME="+dir)
	command := func(args ...string) *exec.Cmd {
		c := exec.Command("podman", append(options, args...)...)
		c.Env = environment
		return c
	}
	if out, err := command("images").CombinedOutput(); err != nil {
		t.Skipf("podman does not run here: %v\n%s", err, out)
	}
	socket = filepath.Join(dir, "p.sock")
	service := command("system", "service", "--time=0", "unix://"+socket)
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		service.Process.Kill()
		service.Wait()
	})
	for range 200 {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return socket, func(args ...string) string {
		t.Helper()
		var stderr strings.Builder
		c := command(args...)
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("podman %v: %v\n%s", args, err, &stderr)
		}
		return string(out)
	}
}

// The real podman, with an image that it has pulled from a registry: its API,
// and all that its command line prints.
func TestReadEnginePodman(t *testing.T) {
	socket, podman := startPodman(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(host + "/acme/app:multi")
	if err != nil {
		t.Fatal(err)
	}
	index, err := random.Index(100, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	manifests, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(manifests.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	indexDigest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	configDigest, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	// An index for no platform in particular is pulled by its manifest.
	pinned := host + "/acme/app@" + manifests.Manifests[0].Digest.String()
	podman("pull", "--quiet", "--tls-verify=false", pinned)
	podman("tag", pinned, host+"/acme/app:multi")
	podman("create", "--network", "none", "--name", "web", "--env", "API_TOKEN=x", pinned, "/entry")

	kinds := map[string]string{"manifest": manifests.Manifests[0].Digest.String(), "config": configDigest.String()}
	for kind, digest := range kinds {
		r := readSocket(t, socket, kind+" "+digest)
		running := 0
		for _, trace := range r.Traces {
			if trace.Kind == Running && trace.Place.Container == "web" && trace.Place.Store == "podman" && len(trace.Reaches) == 1 {
				running++
			}
		}
		if r.Verdict() != Confirmed || running != 1 || len(r.Errors) > 0 {
			t.Errorf("%s:\n%s", kind, describe(r))
		}
	}
	if r := readSocket(t, socket, "index "+indexDigest.String()); r.Verdict() != Clear || len(r.Errors) > 0 {
		t.Errorf("an index that was not pulled:\n%s", describe(r))
	}
	for _, test := range []struct {
		args  []string
		kinds string // that it prints
	}{
		{[]string{"images", "--digests", "--no-trunc"}, "manifest config"},
		{[]string{"images", "--format", "json"}, "manifest config"},
		{[]string{"image", "inspect", host + "/acme/app:multi"}, "manifest config"},
		{[]string{"ps", "--all", "--format", "json"}, "config"},
		{[]string{"inspect", "web"}, "manifest config"},
	} {
		out := podman(test.args...)
		for kind := range strings.FieldsSeq(test.kinds) {
			r := readString(t, ReadImages, out, kind+" "+kinds[kind])
			if r.Verdict() != Confirmed || len(r.Errors) > 0 {
				t.Errorf("podman %v, %s:\n%s%s", test.args, kind, out, describe(r))
			}
		}
	}
}

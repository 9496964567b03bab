package main

import (
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the expectations in the scripts anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"digestlint": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/script. Besides the commands of testscript there are
//
//	status N COMMAND…   run a command that ends with status N
//	registry [-tls]     start a registry on loopback, named by $REGISTRY
//	requests N          the registries were asked for manifests N times so far
//	[!] connections     the registries were connected to since this was last asked
//	unplug              the registry of this script is gone
//	push TAG [PLATFORM…]
//	                    the registry's tag leads to a new image, $PUSHED; with
//	                    platforms, to an index of the images $CHILD0, $CHILD1, …
//	delete REFERENCE    the registry loses a manifest
//	fill FILE…          replace the variables in files
//	same A B            two files hold the same bytes
//	gitea FOLDER        start what multi-gitter needs of Gitea, named by $GITEA
//	serve FOLDER        serve the files of a folder at $SERVER
//	hooks FOLDER        commit this repository to a new one, $HOOKS, for pre-commit
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			// Nothing of the machine: no credentials, no git configuration.
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("DOCKER_CONFIG", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_RUNTIME_DIR", filepath.Join(env.WorkDir, "home"))
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
			env.Setenv("ROOT", root)
			env.Values[headsKey] = &heads{}
			return os.Mkdir(filepath.Join(env.WorkDir, "home"), 0o755)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Getuid() == 0, nil
			case "pre-commit":
				return hasPreCommit()
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":      status,
			"registry":    startRegistry,
			"gitea":       startGitea,
			"requests":    requests,
			"connections": connections,
			"unplug":      unplug,
			"push":        push,
			"delete":      deleteManifest,
			"fill":        fill,
			"hooks":       hooks,
			"serve":       serve,
			"same":        same,
		},
	})
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("status %d, want %d", got, want)
	}
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same A B")
	}
	a, b := ts.ReadFile(args[0]), ts.ReadFile(args[1])
	if (a == b) == neg {
		ts.Fatalf("%s and %s: same is %v", args[0], args[1], a == b)
	}
}

// heads counts the requests of one script's registries, and the connections.
type heads struct {
	n, connections atomic.Int64
	server         *httptest.Server
}

type key int

const headsKey key = 0

func requests(ts *testscript.TestScript, _ bool, args []string) {
	h := ts.Value(headsKey).(*heads)
	if len(args) != 1 {
		ts.Fatalf("usage: requests N")
	}
	if got := strconv.FormatInt(h.n.Load(), 10); got != args[0] {
		ts.Fatalf("the registry was asked %s times, want %s", got, args[0])
	}
}

func unplug(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Value(headsKey).(*heads).server.Close()
}

func push(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: push TAG [PLATFORM…]")
	}
	tag := parse(ts, ts.Getenv("REGISTRY")+"/"+args[0])
	if len(args) == 1 {
		img, err := random.Image(64, 1)
		ts.Check(err)
		ts.Check(remote.Write(tag, img))
		ts.Setenv("PUSHED", digest(ts, img))
		return
	}
	index := platforms(ts, args[1:]...)
	ts.Check(remote.WriteIndex(tag, index))
	ts.Setenv("PUSHED", digest(ts, index))
	manifest, err := index.IndexManifest()
	ts.Check(err)
	for i, m := range manifest.Manifests {
		ts.Setenv(fmt.Sprintf("CHILD%d", i), m.Digest.String())
	}
}

func deleteManifest(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: delete REFERENCE")
	}
	ts.Check(remote.Delete(parse(ts, ts.Getenv("REGISTRY")+"/"+args[0])))
}

func fill(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o644))
	}
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve FOLDER")
	}
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(server.Close)
	ts.Setenv("SERVER", server.URL)
}

func connections(ts *testscript.TestScript, neg bool, args []string) {
	h := ts.Value(headsKey).(*heads)
	if len(args) != 0 {
		ts.Fatalf("usage: [!] connections")
	}
	if got := h.connections.Swap(0); (got > 0) == neg {
		ts.Fatalf("%d connections", got)
	}
}

// startRegistry starts a registry with app:1 (an index), tool:1 (an image) and
// evil:1 (an index that holds a manifest of the advisories). They also stand
// below hub/library/, as behind a mirror of Docker Hub, and below private/ for
// the user me with the password hunter2. $REGISTRY is its host; $APP and $TOOL
// are the digests. With -tls, ca.pem is the certificate of who has signed the
// registry's own.
func startRegistry(ts *testscript.TestScript, _ bool, args []string) {
	h := ts.Value(headsKey).(*heads)
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/private/") {
			if _, password, ok := r.BasicAuth(); !ok || password != "hunter2" {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				http.Error(w, "unauthorized", http.StatusUnauthorized)
				return
			}
		}
		if strings.Contains(r.URL.Path, "/manifests/") && r.Header.Get("User-Agent") == "digestlint" {
			h.n.Add(1)
		}
		r.URL.Path = strings.Replace(strings.Replace(r.URL.Path, "/hub/library/", "/", 1), "/private/", "/", 1)
		evil := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(evilIndex)))
		if r.URL.Path == "/v2/evil/manifests/1" || r.URL.Path == "/v2/evil/manifests/"+evil {
			// A registry does not take an index without its manifests.
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Docker-Content-Digest", evil)
			_, _ = io.WriteString(w, evilIndex)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			h.connections.Add(1)
		}
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	start := server.Start
	if slices.Contains(args, "-tls") {
		start = server.StartTLS
	}
	start()
	ts.Defer(server.Close)
	h.server = server
	if certificate := server.Certificate(); certificate != nil {
		data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
		ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), data, 0o644))
	}
	transport := remote.WithTransport(server.Client().Transport)
	_, host, _ := strings.Cut(server.URL, "://")
	index := platforms(ts, "linux/amd64", "linux/arm64/v8", "unknown/unknown")
	image, err := random.Image(64, 1)
	ts.Check(err)
	ts.Check(remote.WriteIndex(parse(ts, host+"/app:1"), index, transport))
	ts.Check(remote.Write(parse(ts, host+"/tool:1"), image, transport))
	h.n.Store(0)
	h.connections.Store(0)
	ts.Setenv("REGISTRY", host)
	ts.Setenv("APP", digest(ts, index))
	ts.Setenv("TOOL", digest(ts, image))
}

// platforms is an index of images for the platforms.
func platforms(ts *testscript.TestScript, names ...string) v1.ImageIndex {
	var index v1.ImageIndex = empty.Index
	for _, name := range names {
		img, err := random.Image(64, 1)
		ts.Check(err)
		platform, err := v1.ParsePlatform(name)
		ts.Check(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index
}

// evilIndex is an index that no advisory lists; its arm64 manifest is.
const evilIndex = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` +
	`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:415610a42c5b51347709e315f5efb6fffa588b6ebc1b95b24abf28088347791b","platform":{"os":"linux","architecture":"arm64"}}]}`

func parse(ts *testscript.TestScript, s string) name.Reference {
	ref, err := name.ParseReference(s)
	ts.Check(err)
	return ref
}

func digest(ts *testscript.TestScript, m interface{ Digest() (v1.Hash, error) }) string {
	d, err := m.Digest()
	ts.Check(err)
	return d.String()
}

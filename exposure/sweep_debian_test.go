package exposure

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/registry"
)

// dockerRegistry is a running registry of the project distribution, which
// Debian packages as docker-registry.
type dockerRegistry struct {
	t    *testing.T
	host string
	stop func() // also called after the test
}

// startDockerRegistry starts one that deletes or not, with the rest of its
// configuration (https://distribution.github.io/distribution/about/configuration/).
func startDockerRegistry(t *testing.T, deletes bool, rest string) *dockerRegistry {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("docker-registry is not installed; CI must have it (Debian package docker-registry)")
		}
		t.Skip("docker-registry is not installed (Debian package docker-registry)")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf(`version: 0.1
log: {level: info}
http: {addr: "127.0.0.1:0", secret: test}
storage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: %t}}
%s
`, dir, deletes, rest)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", config)
	cmd.Env = []string{"OTEL_TRACES_EXPORTER=none"}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(stop)
	logged := bufio.NewReader(stderr)
	listening := regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)
	var log strings.Builder
	for {
		line, err := logged.ReadString('\n')
		log.WriteString(line)
		if m := listening.FindStringSubmatch(line); m != nil {
			go io.Copy(io.Discard, logged) // a full pipe would stop it
			return &dockerRegistry{t: t, host: m[1], stop: stop}
		}
		if err != nil {
			t.Fatalf("docker-registry did not start:\n%s", log.String())
		}
	}
}

func (d *dockerRegistry) client() *registry.Client {
	return registry.New(registry.Options{Keychain: nobody{}, Retries: -1})
}

func (d *dockerRegistry) push(index v1.ImageIndex, tag string) {
	d.t.Helper()
	ref, err := name.ParseReference(d.host + "/" + tag)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dockerRegistry) sweep(target string, set *advisories.Set) *Report {
	d.t.Helper()
	rec := NewRecorder(set)
	if err := ReadRegistry(context.Background(), d.client(), target, false, rec); err != nil {
		d.t.Fatal(err)
	}
	return rec.Report(at(d.t, "20:00"))
}

func digestOf(t *testing.T, d interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// setOf lists digests of docker.io/acme/app, each a line "DIGEST KIND".
func setOf(t *testing.T, digests ...string) *advisories.Set {
	t.Helper()
	text := "advisory: DL-2099-0002\ntitle: t\ntype: compromised-publisher\nseverity: critical\npublished: 2099-03-02\n\n" +
		"repository: docker.io/acme/app\ncertainty: confirmed\nsources: s\n"
	for _, d := range digests {
		digest, kind, _ := strings.Cut(d, " ")
		text += "\ndigest: " + digest + "\nkind: " + kind + "\ntags: moved\ncertainty: confirmed\nsources: s\n"
	}
	a, err := advisories.Parse("test", []byte(text+"\nsource: s\nclass: press\n"))
	if err != nil {
		t.Fatal(err)
	}
	return advisories.NewSet([]*advisories.Advisory{a})
}

// indexOf is an index of the images.
func indexOf(images ...v1.Image) v1.ImageIndex {
	index := v1.ImageIndex(empty.Index)
	for _, img := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img})
	}
	return index
}

func newImage(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// The whole way through Docker's registry: found by index, manifest and
// configuration, deleted with its tags, and gone.
func TestPurgeDockerRegistry(t *testing.T) {
	d := startDockerRegistry(t, true, "")
	amd, arm, clean := newImage(t), newImage(t), newImage(t)
	bad, good := indexOf(amd, arm), indexOf(clean)
	config, err := amd.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	d.push(bad, "hub/acme/app:moved")
	d.push(bad, "hub/acme/app:ours")
	d.push(good, "hub/acme/app:fine")
	set := setOf(t, digestOf(t, bad)+" index", digestOf(t, amd)+" manifest", config.String()+" config")

	r := d.sweep(d.host, set)
	want := []string{"hub/acme/app confirmed", "hub/acme/app confirmed", "hub/acme/app confirmed", "hub/acme/app:moved confirmed", "hub/acme/app:ours confirmed"}
	if got := found(r); !slices.Equal(got, want) || len(r.Errors) > 0 {
		t.Fatalf("got %q, %v", got, r.Errors)
	}
	all := Deletions(context.Background(), d.client(), r)
	if len(all) != 2 || all[0].Ref.Digest != digestOf(t, bad) || !slices.Equal(all[0].Tags, []string{"moved", "ours"}) || all[1].Ref.Digest != digestOf(t, amd) {
		t.Fatalf("got %+v", all)
	}
	Delete(context.Background(), d.client(), all)
	for _, deletion := range all {
		if deletion.Kept != nil || deletion.Err != nil {
			t.Errorf("%s: %v, %v", deletion.Ref, deletion.Kept, deletion.Err)
		}
	}
	if tags, _, err := d.client().Tags(context.Background(), ref(t, d.host+"/hub/acme/app"), 10); err != nil || !slices.Equal(tags, []string{"fine"}) {
		t.Errorf("got the tags %q, %v", tags, err)
	}
	for name, digest := range map[string]string{"the good index": digestOf(t, good), "the manifest that is not listed": digestOf(t, arm)} {
		if _, err := d.client().Head(context.Background(), ref(t, d.host+"/hub/acme/app@"+digest)); err != nil {
			t.Errorf("%s went with it: %v", name, err)
		}
	}
	// The configuration is a blob, which garbage collection frees.
	if got := found(d.sweep(d.host, set)); !slices.Equal(got, []string{"hub/acme/app confirmed"}) {
		t.Errorf("got %q afterwards", got)
	}
}

// A listed manifest that an index holds which is not listed is kept.
func TestPurgeKeepsWhatOthersHold(t *testing.T) {
	d := startDockerRegistry(t, true, "")
	amd, arm := newImage(t), newImage(t)
	bad, rebuilt := indexOf(amd, arm), indexOf(amd, newImage(t))
	d.push(bad, "acme/app:moved")
	d.push(rebuilt, "acme/app:rebuilt")
	d.push(rebuilt, "acme/app:zz")
	set := setOf(t, digestOf(t, bad)+" index", digestOf(t, amd)+" manifest", digestOf(t, arm)+" unknown")
	ctx := context.Background()

	all := Deletions(ctx, d.client(), d.sweep(d.host, set))
	Delete(ctx, d.client(), all)
	for _, deletion := range all {
		if deletion.Ref.Digest != digestOf(t, amd) {
			if deletion.Kept != nil || deletion.Err != nil {
				t.Errorf("%s: %v, %v", deletion.Ref, deletion.Kept, deletion.Err)
			}
			continue
		}
		var hint interface{ Hint() string }
		if deletion.Kept == nil || !strings.Contains(deletion.Kept.Error(), "the tag rebuilt") || !errors.As(deletion.Kept, &hint) {
			t.Errorf("kept for %v", deletion.Kept)
		}
		if _, err := d.client().Head(ctx, deletion.Ref); err != nil {
			t.Errorf("deleted all the same: %v", err)
		}
	}
	if len(all) != 3 {
		t.Errorf("got %+v", all)
	}
}

// Docker's registry deletes only where that is switched on, and says so.
func TestPurgeSwitchedOff(t *testing.T) {
	d := startDockerRegistry(t, false, "")
	bad, digest := newIndex(t)
	d.push(bad, "acme/app:moved")
	all := Deletions(context.Background(), d.client(), d.sweep(d.host, setOf(t, digest+" index")))
	Delete(context.Background(), d.client(), all)
	var e *registry.Error
	if len(all) != 1 || !errors.As(all[0].Err, &e) || !strings.Contains(e.Hint(), "REGISTRY_STORAGE_DELETE_ENABLED=true") {
		t.Errorf("got %+v", all)
	}
}

// A pull-through cache serves what its upstream has, keeps what it was asked
// for, and goes on to serve that when the upstream is gone. It deletes nothing.
func TestSweepPullThrough(t *testing.T) {
	upstream := startDockerRegistry(t, false, "")
	bad, digest := newIndex(t)
	upstream.push(bad, "acme/app:moved")
	cache := startDockerRegistry(t, false, "proxy: {remoteurl: \"http://"+upstream.host+"\"}")
	set := setOf(t, digest+" index")

	r := cache.sweep(cache.host, set)
	want := []string{"acme/app confirmed", "acme/app:moved confirmed"}
	if got := found(r); !slices.Equal(got, want) || len(r.Errors) > 0 {
		t.Errorf("with an upstream: got %q, %v", got, r.Errors)
	}
	upstream.stop()
	r = cache.sweep(cache.host, set)
	if got := found(r); !slices.Equal(got, want) {
		t.Errorf("without: got %q, %v", got, r.Errors)
	}
	if len(r.Sources) != 1 || !strings.Contains(strings.Join(r.Sources[0].Notes, "\n"), "pull-through cache") {
		t.Errorf("sources are %+v", r.Sources)
	}
	// What it lacks it can't be asked for any more, which is no clear answer.
	r = cache.sweep(cache.host, setOf(t, other+" index", digest+" index"))
	if got := found(r); !slices.Equal(got, want) || len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), other) {
		t.Errorf("without, and another digest: got %q, %v", got, r.Errors)
	}

	all := Deletions(context.Background(), cache.client(), r)
	Delete(context.Background(), cache.client(), all)
	var e *registry.Error
	if len(all) != 1 || !errors.As(all[0].Err, &e) || !strings.Contains(e.Hint(), "pull-through cache") {
		t.Errorf("got %+v", all)
	}
}

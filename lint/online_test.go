package lint

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/rules"
)

// remotes says what registries say, by canonical reference; of all others,
// that they have moved. It counts.
type remotes struct {
	fail map[string]error
	mu   sync.Mutex
	// asked counts by the reference as it is asked for.
	asked map[string]int
}

func (r *remotes) remote(_ context.Context, ref image.Reference) (rules.Remote, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		r.asked = map[string]int{}
	}
	r.asked[ref.String()]++
	return rules.Remote{Now: &rules.Manifest{Digest: digest(9)}}, r.fail[ref.Canonical()]
}

// failures are "path:line:column message; hint".
func failures(res *Result, root string) []string {
	var out []string
	for _, e := range res.Errors {
		rel, _ := filepath.Rel(root, filepath.FromSlash(e.Path))
		e.Path = filepath.ToSlash(rel)
		line := e.Error()
		if e.Hint != "" {
			line += "; " + e.Hint
		}
		out = append(out, line)
	}
	return out
}

// hinted is an error with a hint.
type hinted struct{ message, hint string }

func (h *hinted) Error() string { return h.message }
func (h *hinted) Hint() string  { return h.hint }

func TestOnlineAsksOnce(t *testing.T) {
	pin := "@" + digest(1)
	root := write(t, map[string]string{
		"Dockerfile":              "ARG TAG\nFROM a:1" + pin + " AS x\nFROM docker.io/library/a:1" + pin + " AS y\nFROM b:1 AS z\nFROM c:${TAG}\nFROM scratch\n",
		"sub/Dockerfile":          "FROM a:1" + pin + "\n",
		"shop/compose.yaml":       "services:\n  web:\n    build: .\n    image: team/shop" + pin + "\n  again:\n    image: team/shop:1" + pin + "\n",
		"k/kustomization.yaml":    "resources: [pod.yaml]\nimages:\n- name: old\n  newName: new\n  newTag: \"2\"\n",
		"k/pod.yaml":              "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: old:1\n",
		"values/Chart.yaml":       "apiVersion: v2\nname: x\nversion: 1.0.0\n",
		"values/values.yaml":      "image:\n  repository: helm/app\n  tag: \"3\"\n  digest: " + digest(3) + "\n",
		"ignored/pipeline.md":     "FROM d:1\n",
		"malicious/Dockerfile":    "FROM kics@" + malicious + "\n",
		"placeholder/compose.yml": "services:\n  a:\n    image: REPLACE_ME\n",
	})
	r := &remotes{}
	var announced []string
	var p Progress
	res := check(t, Options{Paths: []string{root}, Remote: r.remote, Progress: &p, Announce: func(refs []image.Reference) {
		for _, ref := range refs {
			announced = append(announced, ref.String())
		}
	}})
	want := map[string]int{"a:1" + pin: 1, "b:1": 1, "new:2": 1, "helm/app:3@" + digest(3): 1, "kics@" + malicious: 1}
	if d := cmp.Diff(want, r.asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
	order := []string{"a:1" + pin, "b:1", "new:2", "kics@" + malicious, "helm/app:3@" + digest(3)}
	if d := cmp.Diff(order, announced); d != "" {
		t.Errorf("announced (-want +got):\n%s", d)
	}
	if p.References.Load() != 5 || p.Resolved.Load() != 5 {
		t.Errorf("%d of %d references", p.Resolved.Load(), p.References.Load())
	}
	drifts := []string{"Dockerfile:2 tag-drift", "Dockerfile:3 tag-drift", "sub/Dockerfile:1 tag-drift", "values/values.yaml:2 tag-drift"}
	var got []string
	for _, f := range found(res, root) {
		if strings.HasSuffix(f, "tag-drift") {
			got = append(got, f)
		}
	}
	if d := cmp.Diff(drifts, got); d != "" {
		t.Errorf("found (-want +got):\n%s", d)
	}
}

// Offline nothing is kept for registries.
func TestOfflineRecordsNothing(t *testing.T) {
	root := write(t, map[string]string{"Dockerfile": "FROM a:1@" + digest(1) + "\n"})
	r := &run{opts: Options{Rules: rules.All()}, result: &Result{Local: &Local{}, Replaced: &Replaced{}}, tree: newTree([]string{root})}
	r.file(entry{path: filepath.ToSlash(root) + "/Dockerfile"}, nil)
	if len(r.uses) != 1 || r.questions != nil {
		t.Errorf("%d uses, %d questions", len(r.uses), len(r.questions))
	}
}

func TestOnlineFailures(t *testing.T) {
	pin := "@" + digest(1)
	root := write(t, map[string]string{
		"a/Dockerfile": "FROM down.example/z:1\nFROM a:1" + pin + "\nFROM b:1" + pin + "\n",
		"b/Dockerfile": "FROM a:1" + pin + "\nFROM down.example/y:1\nFROM down.example/x:1" + pin + "\nFROM other.example/x:1\n",
	})
	host := func(name string) error {
		return &HostError{Host: name, Err: &hinted{name + " is down", "ask later"}}
	}
	r := &remotes{fail: map[string]error{
		"docker.io/library/a:1" + pin: fmt.Errorf("resolve: %w", &hinted{"denied", "log in"}),
		"down.example/z:1":            host("down.example"),
		"down.example/y:1":            host("down.example"),
		"down.example/x:1" + pin:      host("down.example"),
		"other.example/x:1":           host("other.example"),
	}}
	opts := Options{Paths: []string{root}, Remote: r.remote}
	res := check(t, opts)
	want := []string{
		"a/Dockerfile:1:6: down.example is down (and 2 more); ask later",
		"a/Dockerfile:2:6: resolve: denied; log in",
		"b/Dockerfile:4:6: other.example is down; ask later",
	}
	if d := cmp.Diff(want, failures(res, root)); d != "" {
		t.Errorf("errors (-want +got):\n%s", d)
	}
	// What was found out is judged, whatever failed.
	drifts := 0
	for _, f := range res.Findings {
		if f.Rule == rules.TagDrift {
			drifts++
		}
	}
	if drifts != 4 {
		t.Errorf("%d drifts, want 4: %v", drifts, found(res, root))
	}
	for _, workers := range []int{1, 7} {
		opts.Workers = workers
		again := check(t, opts)
		ignore := []cmp.Option{cmpopts.IgnoreFields(rules.Finding{}, "Rule"), cmpopts.IgnoreUnexported(Local{}, Replaced{})}
		if d := cmp.Diff(res, again, ignore...); d != "" {
			t.Errorf("%d workers find something else:\n%s", workers, d)
		}
	}
}

// What has an answer when time is up is judged, the rest is reported once.
func TestOnlineTimeout(t *testing.T) {
	root := write(t, map[string]string{"Dockerfile": "FROM a:1@" + digest(1) + "\nFROM slow:1\nFROM slow:2\n"})
	synctest.Test(t, func(t *testing.T) {
		res := check(t, Options{Paths: []string{root}, Timeout: time.Minute, Remote: func(ctx context.Context, ref image.Reference) (rules.Remote, error) {
			if ref.Repository == "slow" {
				<-ctx.Done()
				return rules.Remote{}, fmt.Errorf("resolve: %w", ctx.Err())
			}
			return rules.Remote{Now: &rules.Manifest{Digest: digest(2)}}, nil
		}})
		want := []string{"Dockerfile:2:6: look up slow:1: no answer within the 1m0s for all lookups (and 1 more); give the lookups more time with `--timeout`"}
		if d := cmp.Diff(want, failures(res, root)); d != "" {
			t.Errorf("errors (-want +got):\n%s", d)
		}
		if len(res.Findings) != 3 || res.Findings[0].Rule != rules.TagDrift {
			t.Errorf("found %v", found(res, root))
		}
	})
}

func TestOnlineCanceled(t *testing.T) {
	root := write(t, map[string]string{"Dockerfile": "FROM a:1\nFROM b:1\n"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := Run(ctx, Options{Paths: []string{root}, Remote: func(ctx context.Context, _ image.Reference) (rules.Remote, error) {
		cancel()
		<-ctx.Done()
		return rules.Remote{}, ctx.Err()
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

package lint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/digestlint/digestlint/image"
)

// digest is a digest that ends with n.
func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// answers resolves what it lists, by canonical name and tag, and counts.
type answers struct {
	digests map[string]string
	mu      sync.Mutex
	asked   map[string]int
}

func (a *answers) resolve(_ context.Context, ref image.Reference) (Resolution, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked == nil {
		a.asked = map[string]int{}
	}
	a.asked[ref.Canonical()]++
	tag := ref
	tag.Digest = ""
	d, ok := a.digests[tag.Canonical()]
	if !ok {
		return Resolution{}, errors.New("no such tag")
	}
	return Resolution{Digest: d}, nil
}

// outcomes are "path:line kind reason", the reason cut to its first words.
func outcomes(res *PinResult, root string) []string {
	var out []string
	for _, o := range res.Outcomes {
		rel, _ := filepath.Rel(root, filepath.FromSlash(o.Path))
		line := fmt.Sprintf("%s:%d %s", filepath.ToSlash(rel), o.At.Line, o.Kind)
		if o.Class != "" {
			line += ": " + o.Class
		}
		out = append(out, line)
	}
	return out
}

func pin(t *testing.T, root string, opts PinOptions) *PinResult {
	t.Helper()
	opts.Paths = []string{root}
	res, err := Pin(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// same holds that a run had these outcomes and left these files.
func same(t *testing.T, root string, res *PinResult, want []string, files map[string]string) {
	t.Helper()
	if d := cmp.Diff(want, outcomes(res, root)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for name, data := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(data, string(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestPinKinds(t *testing.T) {
	files := map[string]string{
		"Dockerfile":   "ARG BASE\nFROM alpine:3 AS a\nFROM alpine:3\nFROM missing:1\nFROM $BASE\n",
		"b/Dockerfile": "FROM alpine:3@" + digest(7) + "\nFROM alpine@" + digest(7) + "\nFROM kics@" + malicious + "\nFROM young:1\n",
		"c/Dockerfile": "ARG TAG=1\nFROM debian:${TAG}-slim\n",
		"pod.yaml":     "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: Not@Valid\n",
	}
	root := write(t, files)
	a := &answers{digests: map[string]string{"docker.io/library/alpine:3": digest(1)}}
	res := pin(t, root, PinOptions{Resolve: func(ctx context.Context, ref image.Reference) (Resolution, error) {
		if ref.Repository == "young" {
			return Resolution{}, &Refusal{Class: "pushed too recently", Reason: "…"}
		}
		return a.resolve(ctx, ref)
	}})
	files["Dockerfile"] = "ARG BASE\nFROM alpine:3@" + digest(1) + " AS a\nFROM alpine:3@" + digest(1) + "\nFROM missing:1\nFROM $BASE\n"
	same(t, root, res, []string{
		"Dockerfile:2 pinned",
		"Dockerfile:3 pinned",
		"Dockerfile:4 failed",
		"Dockerfile:5 unresolved: decided by no file here",
		"b/Dockerfile:1 already pinned",
		"b/Dockerfile:2 already pinned",
		"b/Dockerfile:3 pinned to a malicious digest",
		"b/Dockerfile:4 refused: pushed too recently",
		"c/Dockerfile:2 not editable: by hand",
		"pod.yaml:5 unresolved: not a reference",
	}, files)
	if d := cmp.Diff(map[string]int{"docker.io/library/alpine:3": 1, "docker.io/library/missing:1": 1}, a.asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
}

func TestPinUpdate(t *testing.T) {
	files := map[string]string{
		"Dockerfile":        "FROM alpine:3@" + digest(1) + "\nFROM alpine@" + digest(2) + "\nFROM alpine:3@" + malicious + "\nFROM debian:12@" + digest(5) + "\nFROM gone:1@" + digest(6) + "\n",
		"values.yaml":       "image:\n  repository: team/app\n  tag: v1\n  digest: " + digest(3) + " # kept\n",
		"shared.Dockerfile": "ARG IMG=alpine:3@" + digest(4) + "\nFROM $IMG\nARG IMG\nRUN echo $IMG\n",
	}
	root := write(t, files)
	a := &answers{digests: map[string]string{
		"docker.io/library/alpine:3": digest(9), "docker.io/library/debian:12": digest(5), "docker.io/team/app:v1": digest(8),
	}}
	res := pin(t, root, PinOptions{Resolve: a.resolve, Update: true})
	files["Dockerfile"] = "FROM alpine:3@" + digest(9) + "\nFROM alpine@" + digest(2) + "\nFROM alpine:3@" + digest(9) + "\nFROM debian:12@" + digest(5) + "\nFROM gone:1@" + digest(6) + "\n"
	files["values.yaml"] = "image:\n  repository: team/app\n  tag: v1\n  digest: " + digest(8) + " # kept\n"
	same(t, root, res, []string{
		"Dockerfile:1 pinned",
		"Dockerfile:2 already pinned", // there is no tag to follow
		"Dockerfile:3 pinned",
		"Dockerfile:4 already pinned",
		"Dockerfile:5 failed",
		"shared.Dockerfile:2 not editable: by hand",
		"values.yaml:2 pinned",
	}, files)
	again := pin(t, root, PinOptions{Resolve: a.resolve, Update: true})
	if len(again.Changes) > 0 {
		t.Errorf("a second run changes %v", again.Changes)
	}
}

func TestPinOnly(t *testing.T) {
	files := map[string]string{"a/Dockerfile": "FROM alpine:3\nFROM debian:12\nFROM $X\n", "b/Dockerfile": "FROM alpine:3\n"}
	root := write(t, files)
	a := &answers{digests: map[string]string{"docker.io/library/alpine:3": digest(1)}}
	res := pin(t, root, PinOptions{Resolve: a.resolve, Only: func(path string, ref image.Reference) bool {
		return strings.HasSuffix(path, "/a/Dockerfile") && ref.Repository == "alpine"
	}})
	files["a/Dockerfile"] = "FROM alpine:3@" + digest(1) + "\nFROM debian:12\nFROM $X\n"
	same(t, root, res, []string{"a/Dockerfile:1 pinned"}, files)
}

// What is edited for several files counts where it stands.
func TestPinOnlyWhereTheTextStands(t *testing.T) {
	files := map[string]string{"compose.yaml": "services:\n  a:\n    image: ${A}\n", ".env": "A=alpine:3\n"}
	root := write(t, files)
	a := &answers{digests: map[string]string{"docker.io/library/alpine:3": digest(1)}}
	for _, name := range []string{"compose.yaml", ".env"} {
		res := pin(t, root, PinOptions{Resolve: a.resolve, Unsafe: true, DryRun: true, Only: func(path string, _ image.Reference) bool {
			return filepath.Base(path) == name
		}})
		if got, want := res.Count(Pinned), map[string]int{".env": 1}[name]; got != want {
			t.Errorf("only %s: %d pinned, want %d", name, got, want)
		}
	}
}

func TestPinMaxChanges(t *testing.T) {
	files := map[string]string{
		"a/Dockerfile": "FROM alpine:3\nFROM alpine:3\n", "b/Dockerfile": "FROM alpine:3\nFROM alpine:3\n", "c/Dockerfile": "FROM alpine:3\n",
	}
	root := write(t, files)
	a := &answers{digests: map[string]string{"docker.io/library/alpine:3": digest(1)}}
	opts := PinOptions{Resolve: a.resolve, MaxChanges: 3}
	res := pin(t, root, opts)
	files["a/Dockerfile"] = "FROM alpine:3@" + digest(1) + "\nFROM alpine:3@" + digest(1) + "\n"
	files["c/Dockerfile"] = "FROM alpine:3@" + digest(1) + "\n"
	same(t, root, res, []string{
		"a/Dockerfile:1 pinned", "a/Dockerfile:2 pinned",
		"b/Dockerfile:1 left: over --max-changes", "b/Dockerfile:2 left: over --max-changes",
		"c/Dockerfile:1 pinned",
	}, files)
	if res = pin(t, root, opts); res.Count(Pinned) != 2 || res.Count(Left) != 0 {
		t.Errorf("the next run had %v", outcomes(res, root))
	}
}

// What has an answer when time is up is written, the rest is not.
func TestPinTimeout(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM alpine:3\nFROM slow:1\n"}
	root := write(t, files)
	synctest.Test(t, func(t *testing.T) {
		res := pin(t, root, PinOptions{Options: Options{Timeout: time.Minute}, Resolve: func(ctx context.Context, ref image.Reference) (Resolution, error) {
			if ref.Repository == "slow" {
				<-ctx.Done()
				return Resolution{}, ctx.Err()
			}
			return Resolution{Digest: digest(1)}, nil
		}})
		files["Dockerfile"] = "FROM alpine:3@" + digest(1) + "\nFROM slow:1\n"
		same(t, root, res, []string{"Dockerfile:1 pinned", "Dockerfile:2 failed: out of time"}, files)
		if want := "1m0s"; !strings.Contains(res.Outcomes[1].Reason, want) {
			t.Errorf("reason is %q", res.Outcomes[1].Reason)
		}
	})
}

// An interrupted run writes nothing more and says what is left.
func TestPinInterrupted(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM alpine:3\nFROM slow:1\nFROM alpine:3@" + digest(7) + "\n"}
	root := write(t, files)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	res, err := Pin(ctx, PinOptions{Options: Options{Paths: []string{root}}, Resolve: func(ctx context.Context, ref image.Reference) (Resolution, error) {
		if ref.Repository == "slow" {
			cancel()
			return Resolution{}, fmt.Errorf("resolve: %w", ctx.Err())
		}
		return Resolution{Digest: digest(1)}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Interrupted || len(res.Changes) > 0 {
		t.Errorf("interrupted is %v, and there are the changes %v", res.Interrupted, res.Changes)
	}
	same(t, root, res, []string{"Dockerfile:1 left: interrupted", "Dockerfile:2 left: interrupted", "Dockerfile:3 already pinned"}, files)
}

// Between two files, an interrupted run stops.
func TestPinInterruptedWhileWriting(t *testing.T) {
	files := map[string]string{"a/Dockerfile": "FROM alpine:3\n", "b/Dockerfile": "FROM alpine:3\n"}
	root := write(t, files)
	a := &answers{digests: map[string]string{"docker.io/library/alpine:3": digest(1)}}
	p := &pinner{opts: PinOptions{Resolve: a.resolve, Options: Options{Paths: []string{root}, keep: true}}, result: &PinResult{}}
	opts := p.opts.Options
	opts.Each = p.each
	res, err := Run(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	p.targets(res)
	p.resolve(context.Background())
	p.edit()
	ctx := &endsAfter{Context: context.Background()}
	ctx.checks.Store(1)
	p.write(ctx)
	p.finish()
	first, second := files["a/Dockerfile"], files["b/Dockerfile"]
	got := 0
	for name, before := range map[string]string{"a/Dockerfile": first, "b/Dockerfile": second} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		switch string(data) {
		case before:
		case "FROM alpine:3@" + digest(1) + "\n":
			got++
		default:
			t.Errorf("%s is %q", name, data)
		}
	}
	if got != 1 || !p.result.Interrupted || p.result.Count(Pinned) != 1 || p.result.Count(Left) != 1 {
		t.Errorf("%d files written, outcomes %v, interrupted %v", got, outcomes(p.result, root), p.result.Interrupted)
	}
}

// endsAfter is a context that has ended after its error was asked for a number
// of times.
type endsAfter struct {
	context.Context
	checks atomic.Int64
}

func (c *endsAfter) Err() error {
	if c.checks.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// One registry that is slow keeps no other waiting.
func TestPinAsksHostsSideBySide(t *testing.T) {
	var b strings.Builder
	for i := range 3 * perHost {
		fmt.Fprintf(&b, "FROM slow.example/app:%d\n", i)
	}
	b.WriteString("FROM fast.example/app:1\n")
	root := write(t, map[string]string{"Dockerfile": b.String()})
	fast := make(chan struct{})
	var most, now atomic.Int64
	res := pin(t, root, PinOptions{Resolve: func(_ context.Context, ref image.Reference) (Resolution, error) {
		if ref.Host() == "fast.example" {
			close(fast)
			return Resolution{Digest: digest(1)}, nil
		}
		for n := now.Add(1); ; {
			if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		defer now.Add(-1)
		<-fast
		return Resolution{Digest: digest(2)}, nil
	}})
	if res.Count(Pinned) != 3*perHost+1 {
		t.Errorf("%d pinned", res.Count(Pinned))
	}
	if most.Load() > perHost {
		t.Errorf("%d at once, want at most %d", most.Load(), perHost)
	}
}

func TestProgress(t *testing.T) {
	root := write(t, map[string]string{"Dockerfile": "FROM alpine:3\nFROM alpine:3\nFROM missing:1\n", "x.txt": "x\n"})
	var p Progress
	a := &answers{digests: map[string]string{"docker.io/library/alpine:3": digest(1)}}
	var announced []string
	announce := func(refs []image.Reference) {
		for _, ref := range refs {
			announced = append(announced, ref.Canonical())
		}
	}
	pin(t, root, PinOptions{Options: Options{Progress: &p, Announce: announce}, Resolve: a.resolve})
	if p.Files.Load() != 2 || p.References.Load() != 2 || p.Resolved.Load() != 2 {
		t.Errorf("%d files, %d of %d references, want 2, 2 of 2", p.Files.Load(), p.Resolved.Load(), p.References.Load())
	}
	if d := cmp.Diff([]string{"docker.io/library/alpine:3", "docker.io/library/missing:1"}, announced); d != "" {
		t.Errorf("announced (-want +got):\n%s", d)
	}
}

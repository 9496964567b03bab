//go:build linux

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/cmd/digestlint/internal/organisation"
)

// What an organisation has planted in it, whatever its size.
const (
	plantedTraces = 50
	plantedMisses = 200
)

// organisationSize is small, unless $DIGESTLINT_ORGANISATION is "full".
func organisationSize() organisation.Size {
	if os.Getenv("DIGESTLINT_ORGANISATION") == "full" {
		return organisation.Full
	}
	return organisation.Small
}

// TestOrganisation reads the evidence of a whole organisation at once: all that
// was planted is found with its verdict, and nothing else.
func TestOrganisation(t *testing.T) {
	o := newOrganisation(t)
	o.compare(t, o.run(t))
}

// BenchmarkOrganisation measures the same. Its size is that of the test: what
// counts is
//
//	DIGESTLINT_ORGANISATION=full go test ./cmd/digestlint -run '^$' -bench Organisation -benchtime 1x
//
//	MB/s  of unpacked logs, all other evidence being read beside them
//	MB    its peak resident memory, that of git not counted
//	cpu-s its processor time in seconds, the kernel's and git's included
func BenchmarkOrganisation(b *testing.B) {
	o := newOrganisation(b)
	var found *exposed
	var cpu time.Duration
	for b.Loop() {
		found = o.run(b)
		cpu += found.cpu
	}
	o.compare(b, found)
	n := float64(b.N)
	b.ReportMetric(float64(o.LogBytes)*n/1e6/b.Elapsed().Seconds(), "MB/s")
	b.ReportMetric(float64(found.peak)/1024, "MB")
	b.ReportMetric(cpu.Seconds()/n, "cpu-s")
}

// BenchmarkOrganisationParts measures each kind of evidence alone.
func BenchmarkOrganisationParts(b *testing.B) {
	o := newOrganisation(b)
	for _, flag := range []string{"--repo", "--log", "--pods", "--images", "--registry"} {
		b.Run(flag[2:], func(b *testing.B) {
			var peak int64
			for b.Loop() {
				peak = max(peak, o.run(b, flag).peak)
			}
			b.ReportMetric(float64(peak)/1024, "MB")
		})
	}
}

// organisationUnderTest is an organisation whose registries are up.
type organisationUnderTest struct {
	*organisation.Organisation
	hosts [2]string
}

func newOrganisation(tb testing.TB) *organisationUnderTest {
	tb.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		tb.Skip("git is not installed")
	}
	made, err := organisation.New(tb.TempDir(), organisationSize())
	if err != nil {
		tb.Fatal(err)
	}
	o := &organisationUnderTest{Organisation: made}
	for i, r := range made.Registries {
		server := httptest.NewServer((*plantedRegistry)(r))
		tb.Cleanup(server.Close)
		o.hosts[i] = strings.TrimPrefix(server.URL, "http://")
	}
	return o
}

// exposed is what digestlint said, as far as this test reads it.
type exposed struct {
	Verdict string
	Traces  []exposedTrace
	Sources []struct {
		Name  string
		Items int64
	}
	Errors []string

	peak int64 // of its resident memory, in kB
	cpu  time.Duration
}

type exposedTrace struct {
	Verdict, Why, Incident, Kind, Evidence, Path, Branch    string
	From                                                    string
	Namespace, Pod, Container, Reference, Name, Tag, Listed string
	Text                                                    string
	Line                                                    int
}

func (t exposedTrace) String() string {
	return fmt.Sprintf("%s %s %s: %s/%s:%d %s %s/%s/%s %s %s %s: %s\n\t%s",
		t.Verdict, t.Kind, t.Incident, t.Evidence, t.Path, t.Line, t.Branch, t.Namespace, t.Pod, t.Container, t.Reference, t.Listed, t.From, t.Why, t.Text)
}

// run runs digestlint on the evidence that only names, or on all.
func (o *organisationUnderTest) run(tb testing.TB, only ...string) *exposed {
	tb.Helper()
	args := []string{"exposure", "--all", "--all-names", "-o", "json"}
	for flag, names := range map[string][]string{
		"--repo": o.Repositories, "--log": o.Logs, "--pods": o.Pods, "--images": o.Images, "--registry": o.hosts[:],
	} {
		if len(only) > 0 && !slices.Contains(only, flag) {
			continue
		}
		for _, name := range names {
			args = append(args, flag, name)
		}
	}
	home := tb.TempDir()
	cmd := exec.Command("digestlint", args...) // as TestMain has put it on the path
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "DOCKER_CONFIG="+home, "XDG_RUNTIME_DIR="+home, "XDG_CONFIG_HOME="+home, "DIGESTLINT_CACHE="+filepath.Join(home, "cache"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	peak := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitFindings) {
		tb.Fatalf("exposure: %v\n%s", err, stderr.Bytes())
	}
	found := &exposed{}
	if err := json.Unmarshal(stdout.Bytes(), found); err != nil {
		tb.Fatal(err)
	}
	state := cmd.ProcessState
	found.peak = peak()
	found.cpu = state.UserTime() + state.SystemTime()
	return found
}

// watchMemory looks at the peak of a process's resident memory until the result
// is called, which is it in kB. What the kernel tells of an ended process counts
// the memory of this one, that started it, too.
func watchMemory(pid int) func() int64 {
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		for tick := time.Tick(10 * time.Millisecond); ; {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // gone in the end
			if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
				var n int64
				_, _ = fmt.Sscan(rest, &n)
				peak = max(peak, n)
			}
			select {
			case <-stop:
				done <- peak
				return
			case <-tick:
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-done
	}
}

// compare holds what was found against what was planted.
func (o *organisationUnderTest) compare(tb testing.TB, found *exposed) {
	tb.Helper()
	counts := map[organisation.Verdict]int{}
	claimed := make([]bool, len(found.Traces))
	for _, s := range o.Spots {
		counts[s.Verdict]++
		if s.Verdict == organisation.Clear {
			o.compareClear(tb, s, found)
			continue
		}
		var here []exposedTrace
		for i, t := range found.Traces {
			if slices.ContainsFunc(s.Places, func(p organisation.Place) bool { return o.at(t, p) }) {
				here = append(here, t)
				claimed[i] = true
			}
		}
		switch {
		case s.Verdict == organisation.Nothing && len(here) > 0:
			tb.Errorf("near miss taken for a trace: %s\n\t%s", s.What, here[0])
		case s.Verdict != organisation.Nothing && len(here) == 0:
			tb.Errorf("not found: %s (%s) at %+v", s.What, s.Verdict, s.Places)
		case s.Verdict != organisation.Nothing:
			comparePlanted(tb, s, here)
		}
	}
	for i, t := range found.Traces {
		if !claimed[i] {
			tb.Errorf("a trace where nothing was planted:\n\t%s", t)
		}
	}
	if n := counts[organisation.Nothing]; n != plantedMisses || len(o.Spots)-n != plantedTraces {
		tb.Errorf("planted %v, want %d and %d near misses", counts, plantedTraces, plantedMisses)
	}
	if found.Verdict != string(organisation.Confirmed) || len(found.Errors) > 0 {
		tb.Errorf("verdict %q, errors %q", found.Verdict, found.Errors)
	}
}

// comparePlanted holds the traces of one spot, worst first, against it. One of
// the worst has to say all that is known: when and where it was.
func comparePlanted(tb testing.TB, s *organisation.Spot, here []exposedTrace) {
	tb.Helper()
	for _, t := range here {
		if t.Incident != s.Advisory {
			tb.Errorf("%s: of another incident:\n\t%s", s.What, t)
		}
	}
	exact := slices.ContainsFunc(here, func(t exposedTrace) bool {
		from, err := time.Parse(time.RFC3339, t.From)
		return t.Verdict == here[0].Verdict && (s.Branch == "" || t.Branch == s.Branch) &&
			(s.From.IsZero() || err == nil && from.Sub(s.From).Abs() <= time.Second)
	})
	if here[0].Verdict != string(s.Verdict) || !exact {
		tb.Errorf("%s: want %s, %s since %s, got\n\t%s", s.What, s.Verdict, s.Branch, s.From.UTC(), here[0])
	}
}

// compareClear holds that evidence was looked at and that nothing was found in
// it but what near misses are asked about already.
func (o *organisationUnderTest) compareClear(tb testing.TB, s *organisation.Spot, found *exposed) {
	tb.Helper()
	evidence := o.evidence(s.Places[0])
	looked := false
	for _, source := range found.Sources {
		looked = looked || source.Name == evidence && source.Items > 0
	}
	if !looked {
		tb.Errorf("%s: %s was not looked at", s.What, evidence)
	}
	for _, t := range found.Traces {
		if t.Evidence == evidence {
			tb.Errorf("%s: found\n\t%s", s.What, t)
		}
	}
}

func (o *organisationUnderTest) evidence(p organisation.Place) string {
	for i, host := range o.hosts {
		if p.Evidence == fmt.Sprintf("registry-%d", i) {
			return host
		}
	}
	return p.Evidence
}

// at reports whether a trace is at p.
func (o *organisationUnderTest) at(t exposedTrace, p organisation.Place) bool {
	if t.Evidence != o.evidence(p) {
		return false
	}
	if p.Object != "" {
		return slices.Contains([]string{
			t.Namespace + "/" + t.Pod + "/" + t.Container, // of a cluster
			t.Path + "@" + t.Listed, t.Path + ":" + t.Tag, // of a registry
			t.Name + ":" + t.Tag, // of a list of images
			strings.TrimPrefix(t.Name, "docker.io/") + ":" + t.Tag, // as Docker writes it
		}, p.Object)
	}
	return t.Path == p.Path && p.First <= t.Line && t.Line <= p.Last
}

// plantedRegistry answers HEAD and GET as a registry does
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md).
type plantedRegistry organisation.Registry

func (r *plantedRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	path := strings.TrimPrefix(req.URL.Path, "/v2/")
	parts := strings.Split(path, "/")
	repository, what, name := "", "", parts[len(parts)-1]
	if len(parts) > 2 {
		repository, what = strings.Join(parts[:len(parts)-2], "/"), parts[len(parts)-2]
	}
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client may have gone
	}
	type fields = map[string]any
	switch digest := cmp.Or(r.Tags[repository][name], name); {
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		answer(http.StatusMethodNotAllowed, fields{"errors": []fields{{"code": "UNSUPPORTED"}}})
	case path == "":
		answer(http.StatusOK, fields{})
	case path == "_catalog":
		names := []string{}
		if r.Lists {
			names = slices.Sorted(maps.Keys(r.Manifests))
		}
		answer(http.StatusOK, fields{"repositories": names})
	case what == "tags" && r.Tags[repository] != nil:
		answer(http.StatusOK, fields{"name": repository, "tags": slices.Sorted(maps.Keys(r.Tags[repository]))})
	case what == "manifests" && r.Manifests[repository][digest]:
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		w.Header().Set("Docker-Content-Digest", digest)
	default:
		answer(http.StatusNotFound, fields{"errors": []fields{{"code": "NAME_UNKNOWN"}}})
	}
}

// Package exposure finds out who was hit by the incidents of the advisories,
// and what to do about it.
//
// Evidence is read by one reader a kind: git repositories and their history,
// the logs of CI systems and engines, lists of images and of pods, registries.
// A reader knows its format and nothing of advisories; it reports [Event]s: an
// image was named, was pulled, is there, runs. The [Judge] holds each event
// against the advisories and makes [Trace]s of what is suspicious. The [Report]
// is all traces, and what was looked at to find them: a clear verdict is worth
// no more than that.
package exposure

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// Kind is what an event says of an image.
type Kind uint8

const (
	// Named is a file of a repository that named the image from one commit
	// to another.
	Named Kind = iota
	// Pulled is something that pulled, or ran, the image at a time.
	Pulled
	// Present is an image store that has it.
	Present
	// Running is a workload that has been given it.
	Running
	// Cached is a registry, mirror or cache that serves it.
	Cached
)

var kindNames = []string{"named", "pulled", "present", "running", "cached"}

func (k Kind) String() string { return kindNames[k] }

// Event is one thing that evidence says of an image.
type Event struct {
	Kind Kind
	// Evidence is what was read, as the user named it: a file, a folder, the
	// host of a registry.
	Evidence string
	Place    Place
	// From and Until are when it was so. A moment has both the same; what is
	// not known, or has not ended, is the zero time.
	From, Until time.Time
	// Ref is the name as the evidence has it; zero where there is only a
	// digest.
	Ref image.Reference
	// Digests are those of an index or a manifest that the image is known to
	// have had, beside that of Ref. They settle what it was.
	Digests []string
	// ImageID is the digest of its configuration, which most tools call the
	// image ID. It settles nothing unless it is listed.
	ImageID string
	// Text is the evidence itself, a line or an excerpt of it, at most
	// MaxText bytes.
	Text string
	// Reaches are the credentials that the job or workload could read.
	Reaches []Credential
}

// MaxText bounds [Event.Text], in bytes.
const MaxText = 300

// Place is where in the evidence something stands. Empty fields are not known
// or make no sense there.
type Place struct {
	Path string // of the file in a repository, an archive or a folder, joined with "/"
	Line int    // from one

	Log bool // a line of a log; else, without anything below, a file of a repository

	Branch string // or tag; "HEAD" where none is checked out
	Commit string // that brought it
	Gone   string // commit that took it away; empty while it is there

	Job  string // of a CI system
	Step string

	Node      string
	Namespace string
	Pod       string // or another workload, with its kind: "Job/scan"
	Container string

	Store   string // "docker", "podman", "containerd", "registry"
	Product string // of a registry that says so: "Harbor", "Nexus"
}

// Credential is something that whoever controlled an image could read.
type Credential struct {
	Kind string // "secret", "variable", "service account", "mounted secret", "build argument", "pull secret"
	Name string
	// Where it comes from, for people: "jobs.scan of .github/workflows/ci.yml",
	// "namespace ci".
	Where string
}

// Verdict is how sure it is that an image of an incident was used. Greater is
// worse.
type Verdict uint8

const (
	// Clear is evidence that was looked at without finding anything.
	Clear Verdict = iota
	// Possible is a repository that named a compromised tag at the time, or a
	// listed digest, without a sign of a pull; or a pull at an unknown time.
	Possible
	// Likely is a compromised tag that was pulled at the time.
	Likely
	// Confirmed is a malicious digest that was pulled, runs or is stored.
	Confirmed
)

var verdictNames = []string{"clear", "possible", "likely", "confirmed"}

func (v Verdict) String() string { return verdictNames[v] }

// Trace is an event that an advisory speaks of.
type Trace struct {
	Event
	Verdict  Verdict
	Advisory *advisories.Advisory
	// Digest is what is listed; nil where it is the tag that matched.
	Digest *advisories.Digest
	// Listed is the digest as found in the event.
	Listed string
	// Tag is what the advisory says of the tag; nil where the digest matched.
	Tag *advisories.TagHit
	// Why is the verdict in words, a sentence without a full stop.
	Why string
}

// Name is the image of the trace for people.
func (t *Trace) Name() string {
	if t.Ref.Repository != "" {
		return t.Ref.String()
	}
	return t.Listed
}

// Source is a piece of evidence that was read.
type Source struct {
	Kind string // "repository", "log", "images", "engine", "pods", "registry"
	Name string // as the user named it
	// Items is how much was read, and Unit what of: 1200 "commits".
	Items int64
	Unit  string
	// From and Until are the time that it covers, zero where that is not
	// known.
	From, Until time.Time
	// Notes are what limits its word: "a shallow clone: nothing before …".
	Notes []string
}

// Report is what was found and what was looked at.
type Report struct {
	Made    time.Time
	Traces  []Trace  // worst first
	Sources []Source // in the order of their kinds and names
	Errors  []error  // evidence, or parts of it, that could not be read
}

// Verdict is the worst of the traces.
func (r *Report) Verdict() Verdict {
	if len(r.Traces) == 0 {
		return Clear
	}
	return r.Traces[0].Verdict
}

// Recorder takes what readers find. It may be used from several goroutines.
type Recorder struct {
	judge *Judge

	mu     sync.Mutex
	report Report
	seen   map[string]bool
}

// NewRecorder is a recorder that judges by the advisories of set.
func NewRecorder(set *advisories.Set) *Recorder {
	return &Recorder{judge: &Judge{Set: set}, seen: map[string]bool{}}
}

// Set is the advisories that events are judged by.
func (r *Recorder) Set() *advisories.Set { return r.judge.Set }

// Event judges e, and keeps the traces. The same trace counts once.
func (r *Recorder) Event(e Event) {
	traces := r.judge.Judge(e)
	if len(traces) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range traces {
		if key := t.key(); !r.seen[key] {
			r.seen[key] = true
			r.report.Traces = append(r.report.Traces, t)
		}
	}
}

// Source notes that evidence was read.
func (r *Recorder) Source(s Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Sources = append(r.report.Sources, s)
}

// Error notes evidence that could not be read. The error says which.
func (r *Recorder) Error(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Errors = append(r.report.Errors, err)
}

// Report is all that was recorded, in order. The recorder is not used again.
func (r *Recorder) Report(made time.Time) *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	rep := &r.report
	rep.Made = made
	slices.SortStableFunc(rep.Traces, compareTraces)
	slices.SortStableFunc(rep.Sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(rep.Errors, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return rep
}

// compareTraces orders by verdict, worst first, then by time and place.
func compareTraces(a, b Trace) int {
	return cmp.Or(
		cmp.Compare(b.Verdict, a.Verdict),
		a.From.Compare(b.From),
		cmp.Compare(a.Advisory.ID, b.Advisory.ID),
		cmp.Compare(a.Evidence, b.Evidence),
		cmp.Compare(a.Place.Path, b.Place.Path),
		cmp.Compare(a.Place.Line, b.Place.Line),
		cmp.Compare(a.key(), b.key()),
	)
}

// key tells traces apart.
func (t *Trace) key() string {
	p := t.Place
	return strings.Join([]string{
		t.Kind.String(), t.Advisory.ID, t.Evidence, p.Path, itoa(p.Line), p.Branch, p.Commit, p.Job, p.Step,
		p.Node, p.Namespace, p.Pod, p.Container, p.Store, t.From.String(), t.Until.String(), t.Ref.String(), t.Listed,
	}, "\x00")
}

// Package organisation writes the evidence of an invented organisation that
// was touched by real incidents: repositories with history, logs, pods, lists
// of images, registries. In it are planted traces of all verdicts, and near
// misses: what looks like a trace and is none.
//
// What has to be found is known from the generator's own words about what
// happened. The package imports nothing of the module, so that no reader can
// be right by its own definition.
package organisation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Verdict is what a spot has to lead to.
type Verdict string

const (
	Confirmed Verdict = "confirmed"
	Likely    Verdict = "likely"
	Possible  Verdict = "possible"
	// Clear is a whole piece of evidence that has to be named as looked at,
	// and in which there is nothing.
	Clear Verdict = "clear"
	// Nothing is the verdict on a near miss: no trace of it.
	Nothing Verdict = "nothing"
)

// Spot is something that happened in the organisation, and where its evidence
// stands.
type Spot struct {
	// What says for people what it is; no two have the same.
	What    string
	Verdict Verdict
	// Places are where a trace may be reported. Evidence of one thing can
	// stand in several: in the log of a job, and in that of its step.
	Places []Place
	// Advisory is the ID of the incident; empty for near misses.
	Advisory string
	// From is when it was so; zero where the evidence does not say it, or not
	// to the second.
	From time.Time
	// Branch is the branch that it was on, for repositories.
	Branch string
}

// Place is where evidence stands.
type Place struct {
	// Evidence is the argument of digestlint: an absolute path, or the host
	// of a registry.
	Evidence string
	// Path is below it: a file of the folder or of the repository, with
	// the member of an archive behind a "/".
	Path string
	// First and Last are the lines that speak of it, from one; zero where the
	// evidence has no lines.
	First, Last int
	// Object is what is named instead of lines: "namespace/pod/container", or
	// a repository of a registry.
	Object string
}

// Size is how large an organisation is made. The spots are the same in all.
type Size struct {
	Repositories int   // at least 20
	Commits      int   // of each repository, the planted ones not counted
	Logs         int64 // bytes, before compression
	Pods         int
}

// Small is enough for the spots and for some noise around them; Full is what
// the organisation is meant to be like.
var (
	Small = Size{Repositories: 24, Commits: 12, Logs: 8 << 20, Pods: 150}
	Full  = Size{Repositories: 200, Commits: 120, Logs: 2 << 30, Pods: 5000}
)

// Organisation is the evidence on disk.
type Organisation struct {
	Repositories []string // folders
	Logs         []string // a folder of most of them, and single files
	Pods         []string // files
	Images       []string // files
	// Registries are to be served; places name them "registry-0" and
	// "registry-1" instead of their hosts.
	Registries [2]*Registry
	Spots      []*Spot
	// LogBytes is how much text the logs hold once they are unpacked.
	LogBytes int64
}

// New writes an organisation of that size below dir, which exists and is
// empty. The same size gives the same bytes, but for the dates of files.
func New(dir string, size Size) (*Organisation, error) {
	o := &Organisation{}
	for i, part := range []struct {
		name  string
		write func(o *Organisation, dir string, size Size, rng *rand.Rand) error
	}{
		{"repositories", writeRepositories},
		{"logs", writeLogs},
		{"clusters", writePods},
		{"images", writeImages},
	} {
		below := filepath.Join(dir, part.name)
		if err := os.Mkdir(below, 0o755); err != nil {
			return nil, err
		}
		// Each part has its own numbers, so that one can change alone.
		rng := rand.New(rand.NewPCG(5, uint64(i)))
		if err := part.write(o, below, size, rng); err != nil {
			return nil, fmt.Errorf("write %s: %w", part.name, err)
		}
	}
	o.fillRegistries()
	return o, o.check()
}

// check holds that spots can be told apart.
func (o *Organisation) check() error {
	seen := map[string]bool{}
	for _, s := range o.Spots {
		if seen[s.What] {
			return fmt.Errorf("two spots are called %q", s.What)
		}
		seen[s.What] = true
		if len(s.Places) == 0 {
			return fmt.Errorf("%q is nowhere", s.What)
		}
	}
	return nil
}

// digest is an invented one, of no image.
func digest(rng *rand.Rand) string {
	return fmt.Sprintf("sha256:%016x%016x%016x%016x", rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64())
}

// utc is a moment, "2026-04-22 12:35:00", and with an offset behind it that of
// a clock elsewhere.
func utc(text string) time.Time {
	layout := "2006-01-02 15:04:05"
	if len(text) > len(layout) {
		layout += " -0700"
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		panic(err) // a mistake in a table of this package
	}
	return t
}

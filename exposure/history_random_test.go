package exposure

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRandomHistories makes histories with merges at random, and holds the
// events against what each commit says: whatever a commit names is covered by an
// event of that time, and each event starts and ends where it says.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	images := []string{"acme/app:created", "acme/app:other", "acme/app@" + listed, ""}
	start := at(t, "00:00")
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 0))
		r := newRepo(t)
		var script strings.Builder
		branches := []string{"main", "b1", "b2", "b3"}
		var born []string
		for i := range 60 {
			branch := branches[rng.IntN(len(branches))]
			if i == 0 {
				branch = "main"
			}
			fmt.Fprintf(&script, "commit refs/heads/%s\ncommitter a <a@acme.example> %d +0000\ndata 0\n", branch, start.Unix()+int64(i)*60)
			if !slices.Contains(born, branch) {
				if i > 0 {
					fmt.Fprintf(&script, "from refs/heads/%s\n", born[rng.IntN(len(born))])
				}
				born = append(born, branch)
			} else if other := born[rng.IntN(len(born))]; other != branch && rng.IntN(3) == 0 {
				fmt.Fprintf(&script, "merge refs/heads/%s\n", other)
			}
			for f := range 3 {
				if rng.IntN(3) > 0 {
					continue
				}
				if image := images[rng.IntN(len(images))]; image == "" {
					fmt.Fprintf(&script, "D f%d/Dockerfile\n", f)
				} else {
					data := "FROM " + image + "\n"
					fmt.Fprintf(&script, "M 100644 inline f%d/Dockerfile\ndata %d\n%s\n", f, len(data), data)
				}
			}
		}
		// A branch that is gone leaves what was merged of it.
		script.WriteString("reset refs/heads/b3\nfrom 0000000000000000000000000000000000000000\n\n")
		cmd := r.command("", "fast-import", "--quiet", "--force")
		cmd.Stdin = strings.NewReader(script.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		r.git("", "reset", "-q", "--hard")
		checkHistory(t, r, read(t, inventedSet(t), r.dir, true))
	}
}

// checkHistory holds the traces of a report against the commits of r.
func checkHistory(t *testing.T, r gitRepo, rep *Report) {
	t.Helper()
	for _, err := range rep.Errors {
		t.Error(err)
	}
	when, parent := map[string]time.Time{}, map[string]string{}
	for line := range strings.Lines(r.git("", "log", "--all", "--format=%H %ct %P")) {
		f := append(strings.Fields(line), "")
		seconds, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		when[f[0]], parent[f[0]] = time.Unix(seconds, 0), f[2]
	}
	type place struct{ commit, file, name string }
	says := map[place]bool{}
	for line := range strings.Lines(r.git("", slices.Concat([]string{"grep", "-F", "FROM "}, slices.Collect(maps.Keys(when)))...)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		says[place{f[0], f[1], strings.TrimPrefix(f[2], "FROM ")}] = true
	}
	for _, trace := range rep.Traces {
		p, name := trace.Place, trace.Name()
		in := func(commit string) bool { return says[place{commit, p.Path, name}] }
		if !in(p.Commit) || in(parent[p.Commit]) || !trace.From.Equal(when[p.Commit]) {
			t.Errorf("%s in %s was not brought by %s", name, p.Path, p.Commit)
		}
		merged := p.Branch == "merged by "+short(p.Gone)
		switch {
		case p.Gone == "":
			if branch, _, _ := strings.Cut(p.Branch, ","); !in(r.git("", "rev-parse", branch)) || !trace.Until.IsZero() {
				t.Errorf("%s in %s is not on %s", name, p.Path, p.Branch)
			}
		case !trace.Until.Equal(when[p.Gone]), !merged && (in(p.Gone) || !in(parent[p.Gone])):
			t.Errorf("%s in %s was not taken away by %s (%s)", name, p.Path, p.Gone, p.Branch)
		}
	}
	if len(says) == 0 {
		t.Error("no commit names anything")
	}
	for at := range says {
		if at.name == "acme/app:other" {
			continue
		}
		if !slices.ContainsFunc(rep.Traces, func(trace Trace) bool {
			return trace.Place.Path == at.file && trace.Name() == at.name &&
				!trace.From.After(when[at.commit]) && (trace.Until.IsZero() || !trace.Until.Before(when[at.commit]))
		}) {
			t.Errorf("%s names %s in %s, which no event covers", at.commit, at.name, at.file)
		}
	}
}

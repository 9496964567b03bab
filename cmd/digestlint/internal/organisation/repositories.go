package organisation

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// change is what one commit does to one file.
type change struct {
	when    time.Time // of the commit; its zone is the committer's
	author  time.Time // zero for when
	branch  string    // empty for main
	merge   bool      // of branch into main
	path    string
	content string // empty removes the file
}

// repository is a history to be written.
type repository struct {
	dir     string
	changes []change
	spots   []*Spot
}

// writeRepositories spreads the spots over repositories, and writes each with
// other history around them.
func writeRepositories(o *Organisation, dir string, size Size, rng *rand.Rand) error {
	repos := make([]*repository, size.Repositories)
	for i := range repos {
		repos[i] = &repository{dir: filepath.Join(dir, fmt.Sprintf("%s-%03d", words[i%len(words)], i))}
	}
	busy, calm := repos[:len(repos)-1], repos[len(repos)-1]
	for i, n := range slices.Concat(planted, nearMisses()) {
		busy[i%len(busy)].add(n, i)
	}
	calm.spots = append(calm.spots, &Spot{What: "repository that never named a bad image", Verdict: Clear, Places: []Place{{Evidence: calm.dir}}})
	for _, r := range repos {
		r.fill(rng, size.Commits)
		if err := r.write(); err != nil {
			return fmt.Errorf("%s: %w", r.dir, err)
		}
		o.Repositories = append(o.Repositories, r.dir)
		o.Spots = append(o.Spots, r.spots...)
	}
	return nil
}

// add makes the history of n, the i-th one.
func (r *repository) add(n named, i int) {
	path, content, line := n.file(n.image, i)
	r.spots = append(r.spots, &Spot{
		What: n.what, Verdict: n.verdict(), Advisory: n.advisory, From: n.found(), Branch: cmp.Or(n.branch, "main"),
		Places: []Place{{Evidence: r.dir, Path: path, First: line, Last: line + n.more}},
	})
	for _, s := range n.stays {
		c := change{when: s.from, author: s.author, path: path, content: content, branch: n.branch}
		if n.merged {
			c.branch = fmt.Sprintf("feature/%d", i)
			c.when, c.author = s.from.Add(-20*time.Hour), time.Time{}
			r.changes = append(r.changes, c)
			c.when, c.merge = s.from, true
		}
		r.changes = append(r.changes, c)
		if !s.until.IsZero() {
			r.changes = append(r.changes, change{when: s.until, path: path, content: n.instead, branch: n.branch})
		}
	}
}

// fill adds n commits of other work, some on branches that are merged.
func (r *repository) fill(rng *rand.Rand, n int) {
	start := utc("2023-11-02 08:00:00")
	span := utc("2026-10-30 17:00:00").Sub(start)
	for i := range n {
		when := start.Add(span * time.Duration(i) / time.Duration(n)).Add(time.Duration(rng.IntN(3600)) * time.Second)
		when = when.In(time.FixedZone("", zones[rng.IntN(len(zones))]*3600))
		c := change{when: when}
		switch rng.IntN(6) {
		case 0:
			c.path = fmt.Sprintf("services/%s/Dockerfile", pick(rng, words))
			c.content = fmt.Sprintf("FROM golang:1.%d AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /app .\n\nFROM %s\nCOPY --from=build /app /app\n", 20+rng.IntN(6), pick(rng, harmless))
		case 1:
			c.path = ".github/workflows/" + pick(rng, words) + ".yml"
			c.content = fmt.Sprintf("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    container: %s\n    steps:\n      - uses: actions/checkout@v4\n      - run: make test\n", pick(rng, harmless))
		case 2:
			c.path = "deploy/" + pick(rng, words) + ".yaml"
			c.content = fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: %d\n  template:\n    spec:\n      containers:\n      - name: web\n        image: %s\n", 1+rng.IntN(9), pick(rng, harmless))
		default:
			c.path = fmt.Sprintf("services/%s/%s.go", pick(rng, words), pick(rng, words))
			var b strings.Builder
			fmt.Fprintf(&b, "package %s\n\n", pick(rng, words))
			for j := range 5 + rng.IntN(40) {
				fmt.Fprintf(&b, "func %s%d() int { return %d }\n", pick(rng, words), j, rng.IntN(1000))
			}
			c.content = b.String()
		}
		if rng.IntN(5) == 0 {
			c.branch = fmt.Sprintf("work/%d", i)
			r.changes = append(r.changes, c)
			c.when, c.merge = c.when.Add(40*time.Minute), true
		}
		r.changes = append(r.changes, c)
	}
}

// zones are hours east of Greenwich.
var zones = []int{-8, -5, 0, 1, 2, 9}

// harmless are images of no incident.
var harmless = []string{
	"alpine:3.20", "node:20-alpine", "python:3.12-slim", "nginx:1.27", "gcr.io/distroless/static:nonroot", "postgres:16",
	"registry.acme.example/platform/base:2026.3", "redis:7.4@sha256:3d8e17a6ad6c1c0e4c7a2bb4b4f1ffb5c1b1d0c2c7b7e1f0b1e3a6f5d4c3b2a1",
}

var words = []string{
	"billing", "ledger", "gateway", "search", "mailer", "portal", "inventory", "shipping", "pricing", "catalog", "auth", "reports",
	"scheduler", "webhooks", "exports", "imports", "metrics", "alerts", "profiles", "invoices",
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

// write makes the repository, through "git fast-import"
// (https://git-scm.com/docs/git-fast-import), and checks main out.
func (r *repository) write() error {
	if err := git("", nil, "init", "-q", "-b", "main", r.dir); err != nil {
		return err
	}
	var stream bytes.Buffer
	r.stream(&stream)
	if err := git(r.dir, &stream, "fast-import", "--quiet"); err != nil {
		return err
	}
	return git(r.dir, nil, "reset", "-q", "--hard", "main")
}

// branch is the files of a branch while a history is written.
type branch struct {
	mark  int // of its last commit, zero before the first
	files map[string]bool
}

// stream writes the history for fast-import, in the order of time. Merged
// branches have no reference at the end, as after a pull request.
func (r *repository) stream(w *bytes.Buffer) {
	slices.SortStableFunc(r.changes, func(a, b change) int { return a.when.Compare(b.when) })
	const mainRef = "refs/heads/main"
	r.changes = slices.Insert(r.changes, 0, change{when: utc("2023-11-01 08:00:00"), path: "README.md", content: "# " + filepath.Base(r.dir) + "\n"})
	branches := map[string]*branch{"": {files: map[string]bool{}}}
	merged := map[string]bool{}
	for i, c := range r.changes {
		mark := i + 1
		on, ref := c.branch, mainRef
		if c.branch != "" && !c.merge {
			ref = "refs/heads/" + c.branch
		}
		if c.merge {
			on = ""
		}
		b := branches[on]
		if b == nil {
			from := branches[""]
			b = &branch{mark: from.mark, files: maps.Clone(from.files)}
			branches[on] = b
		}
		author := c.author
		if author.IsZero() {
			author = c.when
		}
		fmt.Fprintf(w, "commit %s\nmark :%d\n", ref, mark)
		fmt.Fprintf(w, "author Jo <jo@acme.example> %d %s\n", author.Unix(), author.Format("-0700"))
		fmt.Fprintf(w, "committer Jo <jo@acme.example> %d %s\n", c.when.Unix(), c.when.Format("-0700"))
		data(w, r.subject(c))
		if b.mark != 0 {
			fmt.Fprintf(w, "from :%d\n", b.mark)
		}
		if c.merge {
			fmt.Fprintf(w, "merge :%d\n", branches[c.branch].mark)
			merged[c.branch] = true
		}
		switch {
		case c.content != "":
			fmt.Fprintf(w, "M 100644 inline %s\n", c.path)
			data(w, c.content)
			b.files[c.path] = true
		case b.files[c.path]:
			fmt.Fprintf(w, "D %s\n", c.path)
			delete(b.files, c.path)
		}
		b.mark = mark
		fmt.Fprintln(w)
	}
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		fmt.Fprintf(w, "reset refs/heads/%s\nfrom %040d\n\n", name, 0)
	}
	fmt.Fprintln(w, "done")
}

// subject is a message of a commit. Messages that speak of bad images are no
// use of them.
func (r *repository) subject(c change) string {
	switch {
	case c.merge:
		return "Merge branch '" + c.branch + "'\n"
	case c.content == "":
		return "remove " + c.path + "\n\nIt used checkmarx/kics:v2.1.21 with " + kicsIndex + ".\n"
	}
	return "update " + c.path + "\n"
}

func data(w io.Writer, text string) { fmt.Fprintf(w, "data %d\n%s\n", len(text), text) }

// git runs git without the configuration of the machine.
func git(dir string, stdin io.Reader, args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
	}
	return nil
}

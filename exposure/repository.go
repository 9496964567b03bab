package exposure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/digestlint/digestlint/git"
	"github.com/digestlint/digestlint/source"
)

// ReadRepository reads the git repository in dir, or the part of one that dir
// is: the uses in the history of what is checked out, of all branches and tags
// with all, and those in the work tree that are not committed. A folder without
// a repository is read as it is.
//
// Each use is one event a place and time: from the commit that brought it to
// the one that took it away, on the branch where that happened. Commits of side
// lines count too, until they were merged: CI ran on them. Times are those of
// committers, since no other says when a branch had a commit. A renamed file is
// another file.
//
// The history is asked of git, of which nothing runs that the repository names,
// and which fetches nothing. The error is one that ended the reading; what only
// narrowed it is recorded.
func ReadRepository(ctx context.Context, dir string, all bool, rec *Recorder) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	defer root.Close()
	r := &repository{
		dir: dir, all: all, rec: rec, root: root, git: gitFolder{dir}, subjects: newSubjects(rec.Set()),
		source: Source{Kind: "repository", Name: dir, Unit: "commits"},
	}
	if err := r.read(ctx); err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	rec.Source(r.source)
	return nil
}

// repository is one on its way through [ReadRepository].
type repository struct {
	dir      string
	all      bool
	rec      *Recorder
	root     *os.Root
	git      gitFolder
	subjects *subjects
	source   Source

	layout layout
	branch string // checked out, or "HEAD"
	head   string // commit, empty where there is none
}

func (r *repository) note(format string, args ...any) {
	r.source.Notes = append(r.source.Notes, fmt.Sprintf(format, args...))
}

func (r *repository) fail(err error) {
	r.rec.Error(fmt.Errorf("read %s: %w", r.dir, err))
}

func (r *repository) read(ctx context.Context) error {
	files, err := r.locate(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && (len(files) > 0 || r.layout.prefix == ""):
		return r.readGit(ctx, files)
	case err != nil && !errors.Is(err, errNoRepository):
		r.fail(err)
	}
	files = r.walk()
	now := r.readFiles(ctx, files)
	r.undated(now)
	r.source.Items, r.source.Unit = int64(len(files)), "files"
	r.note("no git history: only the files as they are now, so that nobody knows since when")
	r.noteReadings(now)
	return ctx.Err()
}

// readGit reads a repository of which git lists the files of the work tree.
func (r *repository) readGit(ctx context.Context, files []string) error {
	var now map[string]reading
	if !r.layout.bare {
		now = r.readFiles(ctx, files)
	}
	var known []string
	for name, reading := range now {
		if reading.known {
			known = append(known, name)
		}
	}
	h, err := r.history(ctx, known)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.fail(fmt.Errorf("history: %w", err))
	}
	switch {
	case h == nil:
		r.undated(now)
	case r.layout.bare:
		now = h.head
	default:
		r.uncommitted(now, h.head)
	}
	r.submodules(ctx)
	r.noteReadings(now)
	return nil
}

// layout is how a repository lies.
type layout struct {
	bare bool // without a work tree
	// prefix is the path of dir in the repository, with "/" at its end, empty
	// for the whole.
	prefix  string
	shallow map[string]bool // commits whose parents are not here
	partial bool            // a clone without all objects
	grafted bool
}

// locate finds out about the repository, and lists the files of its work tree,
// relative to dir. Ignored files are not listed.
func (r *repository) locate(ctx context.Context) ([]string, error) {
	out, err := r.git.output(ctx, "rev-parse", "--is-inside-work-tree", "--git-path", "shallow", "--git-path", "info", "--show-prefix")
	if err != nil {
		return nil, err
	}
	lines := strings.SplitN(string(out), "\n", 4)
	if len(lines) < 4 {
		return nil, fmt.Errorf("git rev-parse: not understood: %q", out)
	}
	r.layout.bare = lines[0] != "true"
	r.layout.prefix = strings.TrimSuffix(lines[3], "\n")
	if r.layout.shallow, err = r.shallowCommits(lines[1]); err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(r.gitPath(lines[2]), "grafts"))
	r.layout.grafted = err == nil
	r.layout.partial = r.git.line(ctx, "config", "--get-regexp", `^(extensions\.partialclone|remote\..*\.promisor)$`) != ""
	r.head = r.git.line(ctx, "rev-parse", "-q", "--verify", "HEAD^{commit}")
	r.branch = "HEAD"
	if name, ok := strings.CutPrefix(r.git.line(ctx, "symbolic-ref", "-q", "HEAD"), "refs/heads/"); ok {
		r.branch = name
	}
	if r.layout.bare {
		return nil, nil
	}
	out, err = r.git.output(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	files := strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 })
	files = slices.DeleteFunc(files, func(name string) bool { return !git.Below(name) })
	slices.Sort(files)
	return slices.Compact(files), nil
}

// gitPath is a path that git gives relative to dir.
func (r *repository) gitPath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, name)
}

// shallowCommits reads the list of the commits at which a shallow clone ends
// (https://git-scm.com/docs/shallow).
func (r *repository) shallowCommits(name string) (map[string]bool, error) {
	data, err := os.ReadFile(r.gitPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	commits := map[string]bool{}
	for _, id := range strings.Fields(string(data)) {
		commits[id] = true
	}
	return commits, nil
}

// walk lists the regular files of a folder without a repository.
func (r *repository) walk() []string {
	var files []string
	_ = fs.WalkDir(r.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			r.fail(err)
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.Type().IsRegular():
			files = append(files, name)
		}
		return nil
	})
	return files
}

// readFiles reads the files as they are now, and keeps what is of interest.
func (r *repository) readFiles(ctx context.Context, files []string) map[string]reading {
	found := map[string]reading{}
	var mu sync.Mutex
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				f, err := folder{r.root}.Open(files[i])
				if err != nil {
					// Git lists links, submodules and deleted files, too.
					if !errors.Is(err, errMissing) && !errors.Is(err, fs.ErrNotExist) {
						r.fail(err)
					}
					continue
				}
				reading := r.subjects.read(f, folder{r.root})
				if reading.known || len(reading.namings)+len(reading.undecided)+len(reading.spoken) > 0 {
					mu.Lock()
					found[files[i]] = reading
					mu.Unlock()
				}
			}
		}()
	}
	wg.Wait()
	return found
}

// folder opens the regular files of a folder, and nothing that links lead to
// outside of it.
type folder struct{ root *os.Root }

func (t folder) Open(name string) (*source.File, error) {
	name = path.Clean(name)
	local := filepath.FromSlash(name)
	info, err := t.root.Lstat(local)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errMissing
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: more than %d MiB", name, maxFile>>20)
	}
	f, err := t.root.Open(local)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, err
	}
	return &source.File{Path: name, Data: data}, nil
}

// event is that n stands in the file name.
func (r *repository) event(name string, n naming) Event {
	e := Event{
		Kind: Named, Evidence: r.dir, Place: Place{Path: name, Line: n.line},
		Ref: n.ref, Text: n.text, Reaches: n.reaches,
	}
	if n.digest != "" {
		e.Digests = []string{n.digest}
	}
	return e
}

// undated records the files as they are, nobody knowing since when.
func (r *repository) undated(now map[string]reading) {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		for _, n := range now[name].namings {
			r.rec.Event(r.event(name, n))
		}
	}
}

// notCommitted stands behind the branch of what is only in the work tree. No name
// of a branch has a space.
const notCommitted = ", not committed"

// uncommitted records what only the work tree names, and notes what only the
// commit does.
func (r *repository) uncommitted(now, head map[string]reading) {
	added, gone := 0, 0
	for _, name := range slices.Sorted(maps.Keys(now)) {
		for _, n := range now[name].namings {
			if !has(head[name].namings, n.key) {
				e := r.event(name, n)
				e.Place.Branch = r.branch + notCommitted
				r.rec.Event(e)
				added++
			}
		}
	}
	for name, reading := range head {
		for _, n := range reading.namings {
			if !has(now[name].namings, n.key) {
				gone++
			}
		}
	}
	if added > 0 {
		r.note("uncommitted: %s in the work tree only, so that nobody knows since when", count(added, "use"))
	}
	if gone > 0 {
		r.note("uncommitted: %s of the last commit no longer in the work tree", count(gone, "use"))
	}
}

func has(namings []naming, key string) bool {
	return slices.ContainsFunc(namings, func(n naming) bool { return n.key == key })
}

// count is a number of things for people.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// noteReadings notes what the files, as they are now, leave open.
func (r *repository) noteReadings(now map[string]reading) {
	var undecided, spoken []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		for _, line := range now[name].undecided {
			undecided = append(undecided, fmt.Sprintf("%s:%d", name, line))
		}
		for _, line := range now[name].spoken {
			spoken = append(spoken, fmt.Sprintf("%s:%d", name, line))
		}
	}
	if len(undecided) > 0 {
		r.note("no file decides the tag of an image that advisories speak of: %s", some(undecided))
	}
	if len(spoken) > 0 {
		r.note("comments, texts or lists mention listed digests, which is no use: %s", some(spoken))
	}
}

// some are the first of a list for people.
func some(list []string) string {
	const most = 10
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// submodules notes the repositories that this one contains, and at which
// commits: nothing of them is read.
func (r *repository) submodules(ctx context.Context) {
	if r.head == "" {
		return
	}
	out, err := r.git.output(ctx, "ls-tree", "-r", "-z", "--full-tree", r.head)
	if err != nil {
		r.fail(err)
		return
	}
	for entry := range bytes.SplitSeq(out, []byte{0}) {
		meta, name, _ := strings.Cut(string(entry), "\t")
		fields := strings.Fields(meta) // mode, type, ID
		name, below := strings.CutPrefix(name, r.layout.prefix)
		if len(fields) == 3 && fields[1] == "commit" && below {
			r.note("the submodule %s, pinned to %s, was not looked at", name, short(fields[2]))
		}
	}
}

// short is the start of an object ID, enough for people.
func short(id string) string { return id[:min(len(id), 12)] }

package exposure

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/digestlint/digestlint/source"
)

// A history is read in four steps. The graph of all commits comes first. Every
// commit is then compared with its first parent alone, which makes a forest of
// the graph: what a commit says is what its first parent says, changed by it.
// The tips of that forest are the branches, and the side lines that were merged.
// Third, each content that a file ever had is read once, in the order in which
// git stores it. What remains are the few files that name something of interest:
// for each of them the forest is walked once more, from the roots to the tips,
// to see when each use came and went.

// history is what [repository.history] finds, beside the events that it records.
type history struct {
	head map[string]reading // the files of interest in what is checked out, by path
}

// past is a history being read.
type past struct {
	*repository
	commits []commit // parents before children
	index   map[string]int
	tips    []tip
	owner   []int // of each commit, the first of tips on whose line it is

	paths   table
	blobs   table
	changes []change
	here    []bool // of blobs, those that can be read
	large   int    // number of blobs that are too large to be

	readings map[content]pastReading
	ofPath   map[int32][]change // in the order of commits
	objects  *objects
}

// commit is one commit of the graph.
type commit struct {
	id      string
	when    time.Time // of its committer
	parents []int     // indexes; none for a root
}

// change is what a commit makes of a file, compared with the first parent.
type change struct {
	commit int
	path   int32
	blob   int32 // gone where the file is none any more
}

const gone = -1

// content is a blob under a path: the format depends on both.
type content struct{ blob, path int32 }

// pastReading is what a content says.
type pastReading struct {
	reading
	// open is set where the parser wanted to open other files.
	open bool
}

// table numbers strings.
type table struct {
	index map[string]int32
	names []string
}

func (t *table) number(s string) int32 {
	if n, ok := t.index[s]; ok {
		return n
	}
	if t.index == nil {
		t.index = map[string]int32{}
	}
	n := int32(len(t.names))
	t.names = append(t.names, s)
	t.index[s] = n
	return n
}

// history reads the past of the repository and records its events. The result
// is nil where nothing of it could be read. The known paths are files that name
// repositories of the advisories now, maybe with the help of other files.
func (r *repository) history(ctx context.Context, known []string) (*history, error) {
	p := &past{repository: r, index: map[string]int{}, readings: map[content]pastReading{}}
	heads, err := p.heads(ctx)
	if err != nil {
		return nil, err
	}
	if len(heads) == 0 {
		r.note("no commits")
		return &history{}, nil
	}
	if err := p.graph(ctx, heads); err != nil {
		return nil, err
	}
	p.lines(heads)
	p.describe()
	if err := p.differences(ctx); err != nil {
		return nil, err
	}
	if err := p.contents(ctx, known); err != nil {
		return nil, err
	}
	p.objects = &objects{cmd: r.git.command(ctx, "cat-file", "--batch")}
	defer p.objects.close()
	h := p.record(ctx)
	return h, p.objects.failed
}

// head is a ref and the commit that it leads to.
type head struct {
	name   string // for people
	commit string
	// frozen is set for what is no branch: tags, and the pull requests that
	// some hosts keep as refs. Nobody works on it any more.
	frozen bool
}

// heads are the refs to read, what is checked out first, then branches, then
// what is frozen.
func (p *past) heads(ctx context.Context) ([]head, error) {
	out, err := p.git.output(ctx, "for-each-ref",
		"--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)")
	if err != nil {
		return nil, err
	}
	var heads []head
	if p.repository.head != "" {
		heads = append(heads, head{name: p.branch, commit: p.repository.head})
	}
	others, replaced := 0, false
	var branches, frozen []head
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\x00")
		if len(f) != 5 {
			continue
		}
		h := head{commit: f[2]}
		if f[1] == "tag" {
			f[1], h.commit = f[3], f[4]
		}
		h.name, h.frozen = refName(f[0])
		replaced = replaced || strings.HasPrefix(f[0], "refs/replace/")
		if f[1] != "commit" || h.name == "" || f[0] == "refs/heads/"+p.branch {
			continue
		}
		others++
		if h.frozen {
			frozen = append(frozen, h)
		} else {
			branches = append(branches, h)
		}
	}
	if replaced || p.layout.grafted {
		p.note("objects are replaced or grafted here: the history was read as it really is")
	}
	if p.all {
		slices.SortStableFunc(branches, func(a, b head) int { return cmp.Compare(rank(a.name), rank(b.name)) })
		return slices.Concat(heads, branches, frozen), nil
	}
	if others > 0 {
		p.note("only the history of %s: other branches and tags (%d) are read with --all", p.branch, others)
	}
	return heads, nil
}

// refName is a ref for people, empty for one that is no line of work.
func refName(ref string) (name string, frozen bool) {
	for _, prefix := range []string{"refs/heads/", "refs/remotes/", "refs/tags/", "refs/"} {
		name, ok := strings.CutPrefix(ref, prefix)
		switch {
		case !ok:
			continue
		case prefix == "refs/remotes/" && strings.HasSuffix(name, "/HEAD"):
			return "", false // another name of a branch
		case prefix != "refs/":
			return name, prefix == "refs/tags/"
		}
		kind, _, _ := strings.Cut(name, "/")
		if kind == "notes" || kind == "replace" || kind == "bisect" {
			return "", false
		}
		return name, kind != "stash"
	}
	return "", false
}

// rank orders branches: those that most repositories grow on come first, so
// that what several share is said of them.
func rank(name string) int {
	for i, main := range []string{"main", "master", "origin/main", "origin/master", "trunk", "develop"} {
		if name == main {
			return i
		}
	}
	return len(name) + 100
}

// graph reads the commits that the heads lead to.
func (p *past) graph(ctx context.Context, heads []head) error {
	write := func(w *bufio.Writer) error {
		for _, h := range heads {
			if _, err := w.WriteString(h.commit + "\n"); err != nil {
				return err
			}
		}
		return nil
	}
	read := func(r *bufio.Reader) error {
		for {
			line, err := r.ReadString('\n')
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			p.commit(strings.Fields(line))
		}
	}
	return p.git.stream(ctx, write, read, "rev-list", "--stdin", "--topo-order", "--reverse", "--parents", "--timestamp")
}

// commit adds one of the form TIME ID PARENT….
func (p *past) commit(fields []string) {
	if len(fields) < 2 {
		return
	}
	// A time that is none leaves the year 1970, which bounds nothing.
	seconds, _ := strconv.ParseInt(fields[0], 10, 64)
	c := commit{id: fields[1], when: time.Unix(seconds, 0).UTC()}
	for _, id := range fields[2:] {
		if i, ok := p.index[id]; ok {
			c.parents = append(c.parents, i)
		}
	}
	p.index[c.id] = len(p.commits)
	p.commits = append(p.commits, c)
}

// tip is the end of a line of first parents.
type tip struct {
	commit int
	names  []string // of the refs, the best first
	frozen bool     // no branch leads to it
	// merge is the commit by which a side line ended; zero, which is a root,
	// for a ref.
	merge int
}

// lines makes tips of the heads, and of the parents of merges that are on no
// line yet, and gives every commit an owner. What was merged comes before what
// is frozen: it has an end.
func (p *past) lines(heads []head) {
	p.owner = slices.Repeat([]int{-1}, len(p.commits))
	at := map[int]int{}
	for i, h := range heads {
		if h.frozen && (i == 0 || !heads[i-1].frozen) {
			p.sideLines()
		}
		c, ok := p.index[h.commit]
		if !ok {
			continue
		}
		if i, ok := at[c]; ok {
			p.tips[i].name(h)
			continue
		}
		at[c] = len(p.tips)
		p.line(tip{commit: c, names: []string{h.name}, frozen: h.frozen})
	}
	p.sideLines()
}

// sideLines makes tips of the parents of merges that are on no line, where the
// merge is on one.
func (p *past) sideLines() {
	for m := len(p.commits) - 1; m >= 0; m-- {
		if p.owner[m] < 0 {
			continue
		}
		for _, parent := range p.commits[m].parents[min(1, len(p.commits[m].parents)):] {
			if p.owner[parent] < 0 {
				p.line(tip{commit: parent, merge: m, names: []string{"merged by " + short(p.commits[m].id)}})
			}
		}
	}
}

// name adds a ref to a tip. What is frozen, or the copy of a branch at a remote,
// says nothing that the branch does not.
func (t *tip) name(h head) {
	copied := slices.ContainsFunc(t.names, func(n string) bool { return strings.HasSuffix(h.name, "/"+n) })
	if h.frozen == t.frozen && !copied {
		t.names = append(t.names, h.name)
	}
}

func (p *past) line(t tip) {
	i := len(p.tips)
	p.tips = append(p.tips, t)
	for c := t.commit; p.owner[c] < 0; c = p.commits[c].parents[0] {
		p.owner[c] = i
		if len(p.commits[c].parents) == 0 {
			return
		}
	}
}

// describe says how much history there is.
func (p *past) describe() {
	s := &p.source
	s.Items = int64(len(p.commits))
	var edge commit // the youngest at which the clone was cut off
	for _, c := range p.commits {
		if s.From.IsZero() || c.when.Before(s.From) {
			s.From = c.when
		}
		if c.when.After(s.Until) {
			s.Until = c.when
		}
		if p.layout.shallow[c.id] && !c.when.Before(edge.when) {
			edge = c
		}
	}
	if edge.id != "" {
		s.From = edge.when
		p.note("a shallow clone: nothing before %s (commit %s) is known", edge.when.Format("2006-01-02 15:04 UTC"), short(edge.id))
	}
}

// differences reads what each commit changes.
func (p *past) differences(ctx context.Context) error {
	write := func(w *bufio.Writer) error {
		for _, c := range p.commits {
			line := c.id
			if len(c.parents) > 0 {
				line += " " + p.commits[c.parents[0]].id
			}
			if _, err := w.WriteString(line + "\n"); err != nil {
				return err
			}
		}
		return nil
	}
	return p.git.stream(ctx, write, p.readDifferences,
		"diff-tree", "--stdin", "-r", "-z", "--root", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
}

// readDifferences reads the raw format
// (https://git-scm.com/docs/diff-format#_raw_output_format): the ID of a commit,
// then for each of its files ":MODE MODE BLOB BLOB STATUS" and the path, all
// ended by a NUL.
func (p *past) readDifferences(r *bufio.Reader) error {
	now := 0
	for {
		field, err := r.ReadString(0)
		if errors.Is(err, io.EOF) && field == "" {
			return nil
		}
		if err != nil {
			return unexpected(err)
		}
		field = strings.TrimSuffix(field, "\x00")
		if !strings.HasPrefix(field, ":") {
			c, ok := p.index[strings.TrimSpace(field)]
			if !ok {
				return fmt.Errorf("git diff-tree: not understood: %q", field)
			}
			now = c
			continue
		}
		name, err := r.ReadString(0)
		if err != nil {
			return unexpected(err)
		}
		meta := strings.Fields(field)
		if len(meta) != 5 {
			return fmt.Errorf("git diff-tree: not understood: %q", field)
		}
		name, below := strings.CutPrefix(strings.TrimSuffix(name, "\x00"), p.layout.prefix)
		if !below || isMedia(name) {
			continue
		}
		c := change{commit: now, path: p.paths.number(name), blob: gone}
		if strings.HasPrefix(meta[1], "100") { // a file, no link or submodule
			c.blob = p.blobs.number(meta[3])
		}
		p.changes = append(p.changes, c)
	}
}

// isMedia reports whether a file is named like one that holds no text, which is
// not worth to be read in all versions that it ever had.
func isMedia(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".bmp", ".tiff", ".psd", ".mp3", ".mp4", ".mov", ".avi", ".webm", ".ogg", ".wav",
		".woff", ".woff2", ".ttf", ".otf", ".eot", ".pdf", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".jar", ".war",
		".class", ".so", ".dll", ".dylib", ".exe", ".a", ".o", ".pyc", ".wasm":
		return true
	}
	return false
}

// contents reads every content of the history once, those of interest by their
// format.
func (p *past) contents(ctx context.Context, known []string) error {
	p.ofPath = map[int32][]change{}
	paths := make([][]int32, len(p.blobs.names))
	for _, c := range p.changes {
		p.ofPath[c.path] = append(p.ofPath[c.path], c)
		if c.blob != gone && !slices.Contains(paths[c.blob], c.path) {
			paths[c.blob] = append(paths[c.blob], c.path)
		}
	}
	order, err := p.stored(ctx)
	if err != nil {
		return err
	}
	always := map[int32]bool{}
	for _, name := range known {
		if n, ok := p.paths.index[name]; ok {
			always[n] = true
		}
	}
	lent := map[int32]bool{} // files that name what only others can use
	err = p.scan(ctx, order, func(blob int32, data []byte) {
		worth := p.subjects.worth(data)
		for _, name := range paths[blob] {
			if (worth || always[name]) && !p.look(content{blob, name}, data).known && worth && !isProse(p.paths.names[name]) {
				lent[name] = true
			}
		}
	})
	if err != nil {
		return err
	}
	borrowers := p.borrowers(lent)
	order = slices.DeleteFunc(order, func(blob int32) bool {
		return !slices.ContainsFunc(paths[blob], func(name int32) bool { return borrowers[name] })
	})
	if len(order) == 0 {
		return nil
	}
	return p.scan(ctx, order, func(blob int32, data []byte) {
		for _, name := range paths[blob] {
			if borrowers[name] {
				p.look(content{blob, name}, data)
			}
		}
	})
}

// look reads a content without any other file.
func (p *past) look(c content, data []byte) reading {
	if r, ok := p.readings[c]; ok {
		return r.reading
	}
	var t deaf
	r := p.subjects.read(&source.File{Path: p.paths.names[c.path], Data: data}, &t)
	if t.asked || r.known || len(r.namings)+len(r.undecided)+len(r.spoken) > 0 {
		p.readings[c] = pastReading{r, t.asked}
	}
	return r
}

// deaf is a tree that opens nothing, and notes that it was asked to.
type deaf struct{ asked bool }

func (d *deaf) Open(string) (*source.File, error) {
	d.asked = true
	return nil, errMissing
}

// borrowers are the files that may take variables from one of the files lent:
// Compose from ".env", Terraform from the other files of a module, Ansible from
// the folders of a role, GitLab from what it includes.
func (p *past) borrowers(lent map[int32]bool) map[int32]bool {
	type place struct{ dir, ext string }
	wanted := map[place]bool{}
	for n := range lent {
		name := p.paths.names[n]
		dir := path.Dir(name)
		switch ext := path.Ext(name); {
		case strings.HasPrefix(path.Base(name), ".env"):
			wanted[place{dir, ".yml"}] = true
		case ext == ".tf" || ext == ".tfvars":
			wanted[place{dir, ".tf"}] = true
		case ext == ".yml" || ext == ".yaml":
			for _, beside := range []string{".", "..", "../tasks", "../handlers", "../defaults", "../..", "../../tasks"} {
				wanted[place{path.Join(dir, beside), ".yml"}] = true
			}
			wanted[place{"GitLab", ".yml"}] = true
		}
	}
	out := map[int32]bool{}
	if len(wanted) == 0 {
		return out
	}
	for n, name := range p.paths.names {
		at := place{path.Dir(name), path.Ext(name)}
		if at.ext == ".yaml" {
			at.ext = ".yml"
		}
		if strings.HasSuffix(name, ".gitlab-ci.yml") && wanted[place{"GitLab", ".yml"}] {
			at.dir = "GitLab"
		}
		if wanted[at] {
			out[int32(n)] = true
		}
	}
	return out
}

// stored are the blobs of the history that are here, in the order in which git
// stores them, which is that in which it reads them fastest.
func (p *past) stored(ctx context.Context) ([]int32, error) {
	order := make([]int32, 0, len(p.blobs.names))
	p.here = make([]bool, len(p.blobs.names))
	read := func(r *bufio.Reader) error {
		for {
			o, err := readHeader(r)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			n, ok := p.blobs.index[o.id]
			switch {
			case !ok:
			case o.size > maxFile:
				p.large++
			default:
				order = append(order, n)
				p.here[n] = true
			}
		}
	}
	err := p.git.stream(ctx, nil, read, "cat-file", "--batch-all-objects", "--unordered", "--buffer", "--batch-check")
	if missing := len(p.blobs.names) - len(order) - p.large; missing > 0 {
		why := ""
		if p.layout.partial {
			why = " (a partial clone)"
		}
		p.fail(fmt.Errorf("%s of files not here%s", count(missing, "version"), why))
	}
	if p.large > 0 {
		p.note("%s of files not read: more than %d MiB each", count(p.large, "version"), maxFile>>20)
	}
	return order, err
}

// scan hands the blobs to look, which may keep none of the data.
func (p *past) scan(ctx context.Context, order []int32, look func(blob int32, data []byte)) error {
	write := func(w *bufio.Writer) error {
		for _, n := range order {
			if _, err := w.WriteString(p.blobs.names[n] + "\n"); err != nil {
				return err
			}
		}
		return nil
	}
	read := func(r *bufio.Reader) error {
		var data []byte
		for _, n := range order {
			o, err := readHeader(r)
			if err != nil {
				return unexpected(err)
			}
			if o.kind == "" {
				continue
			}
			if data, err = readContent(r, o, data, maxFile); err != nil {
				return err
			}
			look(n, data)
		}
		return nil
	}
	return p.git.stream(ctx, write, read, "cat-file", "--batch", "--buffer")
}

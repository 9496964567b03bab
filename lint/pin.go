package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// PinOptions say what to pin and how.
type PinOptions struct {
	Options
	// Resolve says what a reference is to be pinned to, or why to nothing: by
	// a [*Refusal], or by another error where a lookup failed. It is called
	// once for each distinct reference, from several goroutines.
	Resolve func(ctx context.Context, ref image.Reference) (Resolution, error)
	// Update asks for references with a tag and a digest, too.
	Update bool
	// Unsafe makes the edits too that touch texts which something unseen may
	// read.
	Unsafe bool
	// DryRun leaves the files alone.
	DryRun bool
	// Only, if not nil, selects what is looked at, by the path of the file to
	// edit and the reference; the zero reference stands for those that are
	// not known.
	Only func(path string, ref image.Reference) bool
	// MaxChanges is how many edits are made at most; zero is no limit. A file
	// is edited whole or not at all.
	MaxChanges int
}

// Resolution is what a reference is to be pinned to.
type Resolution struct {
	// Digest is the one that the reference has where it is to stay.
	Digest string
	// Note says why a digest stays although its tag leads elsewhere.
	Note string
}

// Refusal is why a digest that is known must not be written.
type Refusal struct {
	Class  string // a few words for a summary: "malicious"
	Reason string
}

func (r *Refusal) Error() string { return r.Reason }

// Kind is what became of a reference.
type Kind uint8

const (
	// Pinned is a digest written, or to be written in a dry run.
	Pinned Kind = iota
	// Already is a reference that had its digest before.
	Already
	// Malicious is a reference that had a digest before, which is listed.
	Malicious
	// Refused is a digest that is known and must not be written.
	Refused
	// NotEditable is a text that can't be edited safely.
	NotEditable
	// Unresolved is an image that no file here decides.
	Unresolved
	// Failed is a lookup that gave no answer, or a file that gave way.
	Failed
	// Left is what a limit or an interruption kept from being done.
	Left
	// LeftAlone is what an ignore comment says to leave as it is.
	LeftAlone
	// LeftOut is what the configuration excludes or excepts.
	LeftOut
)

func (k Kind) String() string {
	return [...]string{"pinned", "already pinned", "pinned to a malicious digest", "refused", "not editable", "unresolved", "failed", "left", "ignored", "excluded"}[k]
}

// Outcome is what became of one reference.
type Outcome struct {
	Kind    Kind
	Path    string
	At      source.Position
	Pointer string
	Image   string // its value, or its text where the value is unknown
	Digest  string // what was written; empty where it stayed
	// Reason says why it stayed as it was; of an Already, what is to be known
	// of its digest.
	Reason string
	// Class is Reason in a few words, for a summary; it may be empty.
	Class string
	err   error
}

// Err is the error behind a failed outcome, or nil.
func (o Outcome) Err() error { return o.err }

// Change is the edits of one file.
type Change struct {
	Path  string
	Old   []byte
	Edits []rewrite.Edit
}

// PinResult is what a pin run did, in order.
type PinResult struct {
	Outcomes []Outcome
	Changes  []Change
	Errors   []Error
	// Interrupted is set where the context ended the run. Each file is the
	// old or the new one.
	Interrupted bool
	// Removed are the paths of temporary files that were removed: runs that
	// were killed had left them.
	Removed []string
}

// Count is the number of outcomes of a kind.
func (r *PinResult) Count(k Kind) int {
	n := 0
	for _, o := range r.Outcomes {
		if o.Kind == k {
			n++
		}
	}
	return n
}

// pinned is a file with its uses, kept for the rewriter.
type pinnedFile struct {
	file   *source.File
	format *parsers.Format
	uses   []image.Use
}

// Pin writes digests to all references below the paths that have none. A
// reference whose registry fails stays as it was and stops no other. When ctx
// ends, what is written is whole, and the result says what is left; the error
// is for a run that ended before anything was asked.
func Pin(ctx context.Context, opts PinOptions) (*PinResult, error) {
	if opts.Paths == nil {
		opts.Paths = []string{"."}
	}
	if opts.Unsaved != nil {
		opts.DryRun = true // what is on disk is not what was looked at
	}
	p := &pinner{opts: opts, tree: opts.tree(), result: &PinResult{}}
	opts.Options.keep = true
	opts.Options.Each = p.each
	opts.Options.Rules = nil
	r, err := start(ctx, opts.Options)
	if err != nil {
		return nil, err
	}
	p.result.Errors, p.ignores = r.result.Errors, r.ignores
	slices.SortFunc(p.files, func(a, b *pinnedFile) int { return cmp.Compare(a.file.Path, b.file.Path) })
	p.targets(r.result)
	p.resolve(ctx)
	if ctx.Err() != nil {
		p.interrupted(p.jobs)
	} else {
		p.edit()
		p.write(ctx)
	}
	p.finish()
	return p.result, nil
}

type pinner struct {
	opts   PinOptions
	tree   tree
	mu     sync.Mutex
	files  []*pinnedFile
	result *PinResult

	jobs    []*job
	ignores map[string][]*ignore // by path
}

// job is one target with what becomes of it.
type job struct {
	*rewrite.Target
	digest  string // to be written; empty where the text stays
	outcome Outcome
}

// stay is the end of a job whose text stays as it was.
func (j *job) stay(k Kind, class, reason string) {
	j.digest = ""
	j.outcome.Kind, j.outcome.Class, j.outcome.Reason = k, class, reason
}

func (p *pinner) each(f *source.File, format *parsers.Format, res parsers.Result) {
	if rewrite.IsTemp(path.Base(f.Path)) {
		return // the copy that a killed run, or one beside this, has of a file
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range res.Problems {
		if _, excluded := p.excluded(f.Path, nil, []*rules.Rule{rules.SyntaxError}); !excluded && p.selected(f.Path, image.Reference{}) {
			p.result.Outcomes = append(p.result.Outcomes, Outcome{Kind: Unresolved, Path: f.Path, At: f.Position(problem.Offset),
				Image: format.Title, Class: "in files that can't be read", Reason: "the file can't be read from here on: " + problem.Message})
		}
	}
	if len(res.Uses) == 0 {
		return
	}
	p.files = append(p.files, &pinnedFile{f, format, res.Uses})
}

func (p *pinner) selected(path string, ref image.Reference) bool {
	return p.opts.Only == nil || p.opts.Only(path, ref)
}

// targets makes a job of each reference; those whose image is not known are
// outcomes already.
func (p *pinner) targets(res *Result) {
	var uses []*image.Use
	for _, f := range p.files {
		for i := range f.uses {
			uses = append(uses, &f.uses[i])
			p.unknown(&f.uses[i])
		}
	}
	for _, t := range rewrite.Targets(uses, p.opts.Unsafe) {
		path := t.Use.File.Path
		if !t.Use.Judged() || res.Spared(path, t.Value.Ref.Name()) {
			continue
		}
		if site := t.Value.Site.File; site != nil {
			path = site.Path
		}
		if p.selected(path, t.Value.Ref) {
			p.jobs = append(p.jobs, &job{Target: t, outcome: outcome(t.Use, t.Value.Text)})
		}
	}
	p.leaveAlone()
}

// unknown reports what of u is no known reference.
func (p *pinner) unknown(u *image.Use) {
	if !u.Judged() || !p.selected(u.File.Path, image.Reference{}) {
		return
	}
	stay := func(text, class, reason string) {
		o := outcome(u, text)
		o.Kind, o.Class, o.Reason = Unresolved, class, reason
		if kind, reason, ok := p.ignored(u, nil, rules.UnresolvedVariable, rules.InvalidReference); ok {
			o.Kind, o.Class, o.Reason = kind, "", reason
		}
		p.result.Outcomes = append(p.result.Outcomes, o)
	}
	switch {
	case len(u.Missing) > 0 && !u.Resolved():
		stay(u.Raw, "decided by no file here", "nothing here decides "+u.Undecided()[0]+"; give it a default, or pin it where it is set")
	case u.Placeholder && !u.Resolved():
		stay(u.Raw, "filled in elsewhere", "a placeholder, filled in elsewhere; pin the image there")
	}
	for k := range u.Values {
		if v := &u.Values[k]; v.Err != nil {
			stay(v.Text, "not a reference", "not a reference: "+v.Err.Error())
		}
	}
}

func outcome(u *image.Use, text string) Outcome {
	return Outcome{Path: u.File.Path, At: u.Position(), Pointer: u.Pointer, Image: text}
}

// asks reports whether a registry has to be asked for j, and settles it where
// none has.
func (p *pinner) asks(j *job) bool {
	ref := j.Value.Ref
	switch {
	case j.outcome.Kind == LeftAlone, j.outcome.Kind == LeftOut:
	case !ref.Pinned() && j.Problem == "":
		return true
	case !ref.Pinned():
		p.notEditable(j)
	case p.opts.Update && ref.Tag != "" && !j.Use.DigestOnly:
		return true
	default:
		j.keep(Resolution{})
	}
	return false
}

// keep leaves a digest where it is.
func (j *job) keep(r Resolution) {
	j.stay(Already, "", r.Note)
	if hit, ok := advisories.LookupDigest(j.Value.Ref.Digest); ok {
		j.stay(Malicious, "", fmt.Sprintf("%s: %s; run `digestlint explain malicious-digest`", hit.Advisory.ID, hit.Advisory.Title))
	}
}

func (p *pinner) notEditable(j *job) {
	class := "by hand"
	if j.Unsafe {
		class = "only with --unsafe"
	}
	j.stay(NotEditable, class, j.Problem)
}

// question is one distinct reference with its answer.
type question struct {
	ref    image.Reference
	answer Resolution
	err    error
}

// resolve asks for each distinct reference once.
func (p *pinner) resolve(ctx context.Context) {
	questions := map[string]*question{}
	var order []*question
	asked := map[*job]*question{}
	for _, j := range p.jobs {
		if !p.asks(j) {
			continue
		}
		ref := j.Value.Ref
		q := questions[ref.Canonical()]
		if q == nil {
			q = &question{ref: ref}
			questions[ref.Canonical()] = q
			order = append(order, q)
		}
		asked[j] = q
	}
	p.ask(ctx, order)
	for _, j := range p.jobs {
		if q := asked[j]; q != nil {
			p.settle(j, q)
		}
	}
}

func (p *pinner) ask(ctx context.Context, questions []*question) {
	refs := make([]image.Reference, len(questions))
	for i, q := range questions {
		refs[i] = q.ref
	}
	p.opts.EachReference(ctx, refs, func(ctx context.Context, i int) {
		questions[i].answer, questions[i].err = p.opts.Resolve(ctx, refs[i])
	})
}

// settle takes over the answer for j.
func (p *pinner) settle(j *job, q *question) {
	var refused *Refusal
	// What an error of a registry knows beside its text.
	var summary interface{ Summary() string }
	var reason interface{ Reason() string }
	switch {
	case errors.As(q.err, &refused):
		j.stay(Refused, refused.Class, refused.Reason)
	case errors.Is(q.err, context.DeadlineExceeded):
		j.stay(Failed, "out of time", fmt.Sprintf("there was no answer within %v for all lookups together", p.opts.Timeout))
	case q.err != nil:
		j.stay(Failed, "", q.err.Error())
		j.outcome.err = q.err
		if errors.As(q.err, &summary) {
			j.outcome.Class = summary.Summary()
		}
		if errors.As(q.err, &reason) {
			j.outcome.Reason = reason.Reason()
		}
	case q.answer.Digest == j.Value.Ref.Digest:
		j.keep(q.answer)
	case j.Problem != "":
		p.notEditable(j)
	default:
		j.digest = q.answer.Digest
	}
}

// interrupted leaves what was to be written of the jobs, and what was to be
// asked.
func (p *pinner) interrupted(jobs []*job) {
	p.result.Interrupted = true
	for _, j := range jobs {
		if j.digest != "" || errors.Is(j.outcome.err, context.Canceled) {
			j.stay(Left, "interrupted", "interrupted")
		}
	}
}

// edit makes the changes of each file, and drops those after which a file would
// not read the same but for the digests. Files that share a text (a ".env" line
// of several Compose files) stand or fall together.
func (p *pinner) edit() {
	changes := map[string]*Change{}
	byFile := map[string][]*job{} // edited file → jobs
	for _, j := range p.jobs {
		if j.digest == "" {
			continue
		}
		e, err := j.Edit(j.digest)
		if err != nil {
			j.stay(NotEditable, "by hand", err.Error())
			continue
		}
		f := j.Value.Site.File
		c := changes[f.Path]
		if c == nil {
			c = &Change{Path: f.Path, Old: f.Data}
			changes[f.Path] = c
		}
		if !slices.Contains(c.Edits, e) {
			c.Edits = append(c.Edits, e)
		}
		byFile[f.Path] = append(byFile[f.Path], j)
	}
	p.limit(changes, byFile)
	overlay := overlay{tree: p.tree, files: map[string][]byte{}}
	for name, c := range changes {
		data, err := rewrite.Apply(c.Old, c.Edits)
		if err == nil {
			err = rewrite.Verify(c.Old, data, c.Edits)
		}
		if err != nil {
			p.drop(byFile[name], "the edits contradict each other: "+err.Error())
			delete(changes, name)
			continue
		}
		overlay.files[name] = data
	}
	p.verify(changes, byFile, overlay)
	for _, c := range changes {
		slices.SortFunc(c.Edits, func(a, b rewrite.Edit) int { return cmp.Compare(a.Start, b.Start) })
		p.result.Changes = append(p.result.Changes, *c)
	}
	slices.SortFunc(p.result.Changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
}

func (p *pinner) drop(jobs []*job, reason string) {
	for _, j := range jobs {
		j.stay(Failed, "edits given up", reason)
	}
}

// limit leaves out the files that would take the run over MaxChanges. Files
// come in the order of their paths, so that the next run goes on where this one
// stopped.
func (p *pinner) limit(changes map[string]*Change, byFile map[string][]*job) {
	if p.opts.MaxChanges <= 0 {
		return
	}
	made := 0
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		edits := len(changes[name].Edits)
		if made+edits <= p.opts.MaxChanges {
			made += edits
			continue
		}
		reason := fmt.Sprintf("left for another run: the file's %d changes would make it more than the %d of --max-changes", edits, p.opts.MaxChanges)
		for _, j := range byFile[name] {
			j.stay(Left, "over --max-changes", reason)
		}
		delete(changes, name)
		delete(byFile, name)
	}
}

// verify parses every file again whose images change, with the new contents of
// all files.
func (p *pinner) verify(changes map[string]*Change, byFile map[string][]*job, o overlay) {
	want := map[*image.Value]string{}
	touches := map[string]map[string]bool{} // file of uses → edited files
	for name, jobs := range byFile {
		for _, j := range jobs {
			want[j.Value] = j.digest
			if touches[j.Use.File.Path] == nil {
				touches[j.Use.File.Path] = map[string]bool{}
			}
			touches[j.Use.File.Path][name] = true
		}
	}
	broken := make([]error, len(p.files))
	parallel(runtime.GOMAXPROCS(0), len(p.files), func(i int) {
		f := p.files[i]
		if touches[f.file.Path] == nil {
			return
		}
		data, ok := o.files[f.file.Path]
		if !ok {
			data = f.file.Data
		}
		after := parsers.Parse(&source.File{Path: f.file.Path, Data: data}, f.format, o)
		broken[i] = rewrite.Same(f.uses, after.Uses, func(_ *image.Use, v *image.Value) string { return want[v] })
	})
	for i, err := range broken {
		if err == nil {
			continue
		}
		path := p.files[i].file.Path
		for name := range touches[path] {
			p.drop(byFile[name], fmt.Sprintf("%s would not read the same afterwards: %v", path, err))
			delete(changes, name)
		}
	}
}

// overlay is the tree with changed files.
type overlay struct {
	tree
	files map[string][]byte
}

func (o overlay) Open(name string) (*source.File, error) {
	if data, ok := o.files[path.Clean(name)]; ok {
		return &source.File{Path: path.Clean(name), Data: data}, nil
	}
	return o.tree.Open(name)
}

// writers is how many files are replaced side by side: each waits for the disk
// most of its time.
const writers = 8

// write replaces the changed files, each at once.
func (p *pinner) write(ctx context.Context) {
	if p.opts.DryRun {
		return
	}
	bySite := map[string][]*job{}
	for _, j := range p.jobs {
		if j.digest != "" {
			name := j.Value.Site.File.Path
			bySite[name] = append(bySite[name], j)
		}
	}
	changes := p.result.Changes
	folders := foldersOf(changes)
	for _, dir := range folders {
		root, rest := p.tree.root(dir)
		p.result.Removed = append(p.result.Removed, rewrite.RemoveTemps(root, rest)...)
	}
	failed := make([]error, len(changes))
	parallel(writers, len(changes), func(i int) {
		if failed[i] = ctx.Err(); failed[i] != nil {
			return
		}
		c := changes[i]
		var data []byte
		if data, failed[i] = rewrite.Apply(c.Old, c.Edits); failed[i] == nil {
			root, rest := p.tree.root(filepath.FromSlash(c.Path))
			failed[i] = rewrite.WriteFileIn(root, rest, c.Old, data)
		}
	})
	parallel(writers, len(folders), func(i int) { rewrite.SyncFolder(folders[i]) })
	for i, err := range failed {
		name := changes[i].Path
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled):
			p.interrupted(bySite[name])
		default:
			p.result.Errors = append(p.result.Errors, Error{Path: name, Message: "write: " + err.Error()})
			for _, j := range bySite[name] {
				j.stay(Failed, "not written", "write: "+err.Error())
			}
		}
	}
}

// foldersOf are the folders of the changed files, each once, in order.
func foldersOf(changes []Change) []string {
	var folders []string
	for _, c := range changes {
		folders = append(folders, filepath.Dir(filepath.FromSlash(c.Path)))
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

func (p *pinner) finish() {
	for _, j := range p.jobs {
		j.outcome.Digest = j.digest
		p.result.Outcomes = append(p.result.Outcomes, j.outcome)
	}
	slices.SortStableFunc(p.result.Outcomes, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column), cmp.Compare(a.Image, b.Image))
	})
}

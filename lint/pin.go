package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/source"
)

// PinOptions say what to pin and how.
type PinOptions struct {
	Options
	// Resolve gives the digest of a reference, or why there is none. It is
	// called once for each distinct reference, from several goroutines.
	Resolve func(ctx context.Context, ref image.Reference) (string, error)
	// Unsafe makes the edits too that touch texts which something unseen may
	// read.
	Unsafe bool
	// DryRun leaves the files alone.
	DryRun bool
}

// Outcome is what became of one unpinned reference.
type Outcome struct {
	Path    string
	At      source.Position
	Pointer string
	Image   string // its value, or its text where the value is unknown
	Digest  string // what was written; empty where it stayed
	// Reason says why it stayed as it was.
	Reason string
	// Failed is set where the registry, or the file, is the reason.
	Failed bool
	err    error
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
	Already  int // references that had a digest before
	Errors   []Error
}

// pinned is a file with its uses, kept for the rewriter.
type pinnedFile struct {
	file   *source.File
	format *parsers.Format
	uses   []image.Use
}

// Pin writes digests to all references below the paths that have none. A
// reference whose registry fails stays as it was and stops no other.
func Pin(ctx context.Context, opts PinOptions) (*PinResult, error) {
	p := &pinner{opts: opts, tree: newTree(opts.Paths), result: &PinResult{}}
	opts.Options.keep = true
	opts.Options.Each = p.each
	opts.Options.Rules = nil
	if len(opts.Paths) == 0 {
		opts.Paths = []string{"."}
		p.tree = newTree(opts.Paths)
	}
	res, err := Run(ctx, opts.Options)
	if err != nil {
		return nil, err
	}
	p.result.Errors = res.Errors
	slices.SortFunc(p.files, func(a, b *pinnedFile) int { return cmp.Compare(a.file.Path, b.file.Path) })
	targets := p.targets(res)
	if err := p.resolve(ctx, targets); err != nil {
		return nil, err
	}
	p.edit(targets)
	p.write()
	p.finish()
	return p.result, nil
}

type pinner struct {
	opts   PinOptions
	tree   tree
	mu     sync.Mutex
	files  []*pinnedFile
	result *PinResult

	jobs []*job
}

// job is one target with what becomes of it.
type job struct {
	*rewrite.Target
	digest  string
	outcome Outcome
}

func (p *pinner) each(f *source.File, format *parsers.Format, res parsers.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range res.Problems {
		p.result.Outcomes = append(p.result.Outcomes, Outcome{Path: f.Path, At: f.Position(problem.Offset),
			Image: format.Title, Reason: "the file can't be read from here on: " + problem.Message})
	}
	if len(res.Uses) == 0 {
		return
	}
	p.files = append(p.files, &pinnedFile{f, format, res.Uses})
}

// targets are the references to pin; those that can't be are outcomes already.
func (p *pinner) targets(res *Result) []*job {
	var uses []*image.Use
	for _, f := range p.files {
		for i := range f.uses {
			u := &f.uses[i]
			uses = append(uses, u)
			switch {
			case !u.Judged():
			case len(u.Missing) > 0 && !u.Resolved():
				p.stay(u, u.Raw, "nothing here decides "+u.Missing[0]+"; give it a default, or pin it where it is set")
			case u.Placeholder && !u.Resolved():
				p.stay(u, u.Raw, "a placeholder, filled in elsewhere")
			}
		}
	}
	var jobs []*job
	for _, t := range rewrite.Targets(uses, p.opts.Unsafe) {
		if !t.Use.Judged() || res.spared(t.Use.File.Path, t.Value.Ref.Name()) {
			continue
		}
		if t.Value.Ref.Pinned() {
			p.result.Already++
			continue
		}
		j := &job{Target: t, outcome: outcome(t.Use, t.Value.Text)}
		if j.outcome.Reason = t.Problem; t.Problem != "" {
			p.jobs = append(p.jobs, j)
			continue
		}
		jobs = append(jobs, j)
	}
	for _, f := range p.files {
		for i := range f.uses {
			for k := range f.uses[i].Values {
				if v := &f.uses[i].Values[k]; v.Err != nil && f.uses[i].Judged() {
					p.stay(&f.uses[i], v.Text, "not a reference: "+v.Err.Error())
				}
			}
		}
	}
	p.jobs = append(p.jobs, jobs...)
	return jobs
}

func outcome(u *image.Use, text string) Outcome {
	return Outcome{Path: u.File.Path, At: u.Position(), Pointer: u.Pointer, Image: text}
}

func (p *pinner) stay(u *image.Use, text, reason string) {
	o := outcome(u, text)
	o.Reason = reason
	p.result.Outcomes = append(p.result.Outcomes, o)
}

// lookups is how many references are asked for at once; the registries' own
// limits are the resolver's.
const lookups = 32

// resolve asks for each distinct reference once.
func (p *pinner) resolve(ctx context.Context, jobs []*job) error {
	type answer struct {
		digest string
		err    error
	}
	answers := map[string]*answer{}
	var order []image.Reference
	for _, j := range jobs {
		ref := j.Value.Ref
		if key := ref.Canonical(); answers[key] == nil {
			answers[key] = &answer{}
			order = append(order, ref)
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookups)
	for _, ref := range order {
		a := answers[ref.Canonical()]
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			a.digest, a.err = p.opts.Resolve(ctx, ref)
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, j := range jobs {
		a := answers[j.Value.Ref.Canonical()]
		if a.err != nil {
			var refused *Refusal
			j.outcome.Reason, j.outcome.err = a.err.Error(), a.err
			j.outcome.Failed = !errors.As(a.err, &refused)
			continue
		}
		j.digest = a.digest
	}
	return nil
}

// Refusal is a digest that is known and must not be written.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }

// edit makes the changes of each file, and drops those after which a file would
// not read the same but for the digests. Files that share a text (a ".env" line
// of several Compose files) stand or fall together.
func (p *pinner) edit(jobs []*job) {
	changes := map[string]*Change{}
	byFile := map[string][]*job{} // edited file → jobs
	for _, j := range jobs {
		if j.digest == "" {
			continue
		}
		e, err := j.Edit(j.digest)
		if err != nil {
			j.digest, j.outcome.Reason = "", err.Error()
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
		j.digest, j.outcome.Reason, j.outcome.Failed = "", reason, true
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
	for _, f := range p.files {
		if touches[f.file.Path] == nil {
			continue
		}
		data, ok := o.files[f.file.Path]
		if !ok {
			data = f.file.Data
		}
		after := parsers.Parse(&source.File{Path: f.file.Path, Data: data}, f.format, o)
		err := rewrite.Same(f.uses, after.Uses, func(_ *image.Use, v *image.Value) string { return want[v] })
		if err == nil {
			continue
		}
		for name := range touches[f.file.Path] {
			p.drop(byFile[name], fmt.Sprintf("%s would not read the same afterwards: %v", f.file.Path, err))
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

// write replaces the changed files, each at once.
func (p *pinner) write() {
	if p.opts.DryRun {
		return
	}
	for _, c := range p.result.Changes {
		data, err := rewrite.Apply(c.Old, c.Edits)
		if err == nil {
			err = rewrite.WriteFile(filepath.FromSlash(c.Path), c.Old, data)
		}
		if err == nil {
			continue
		}
		p.result.Errors = append(p.result.Errors, Error{Path: c.Path, Message: "write: " + err.Error()})
		for _, j := range p.jobs {
			if j.Value.Site.File.Path == c.Path && j.digest != "" {
				j.digest, j.outcome.Reason, j.outcome.Failed = "", "write: "+err.Error(), true
			}
		}
	}
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

// Package lint is the pipeline: it lists the files, reads them, finds their
// formats and uses, lets the rules judge, and puts everything in order.
//
// A run costs little more than reading: the files are read by a few workers,
// each through one buffer, and what is kept of a file is what was found in it.
// The result is the same whatever the number of workers.
package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// Options say what to look at and how.
type Options struct {
	// Paths are files and folders; nil means the working directory.
	Paths []string
	// SkipFile, if not nil, leaves files below the folders unread, as if git
	// ignored them; with SkipNamed also those that are named themselves.
	SkipFile  func(path string) bool
	SkipNamed bool
	// Stdin, if not nil, is read as the content of the path "-", under the
	// name StdinName.
	Stdin     io.Reader
	StdinName string
	// Workers is how many files are read at once; zero means one a processor.
	Workers int
	// Assign gives a file's format by name where its path decides, "" where
	// path and content do, and "none" for a file that has no format.
	Assign func(path string) string
	// Rules judge the uses; none means that nothing is judged.
	Rules []*rules.Rule
	// Severities are those of rules that have not their own here; those that
	// are off say nothing.
	Severities map[*rules.Rule]rules.Severity
	// Excluded, if not nil, reports whether findings of the rule about images
	// of these canonical names are left out in the file, and why, if that is
	// known.
	Excluded func(path string, names []string, rule *rules.Rule) (reason string, ok bool)
	// Exceptions are the malicious digests that may stand where they stand.
	Exceptions []Exception
	// NoIgnores heeds neither ignore comments nor Excluded.
	NoIgnores bool
	// Now is the moment by which expiry dates are judged; zero means the present.
	Now time.Time
	// Baseline, if not nil, holds findings that are not reported.
	Baseline *Baseline
	// Changes, if not nil, limit the findings to lines that changed.
	Changes *Changes
	// Approved reports whether a digest is approved, for the rule
	// unapproved-digest; nil switches that off. It is called from several
	// goroutines at once.
	Approved func(digest string) bool
	// Trusted reports whether images of the canonical name may be used, for the
	// rule untrusted-registry; nil switches that off. It is called from several
	// goroutines at once.
	Trusted func(name string) bool
	// Remote, if not nil, asks the registry of a reference what it says now,
	// for the rules that judge by that; nil means that nothing is asked. It is
	// called once for each distinct reference, from several goroutines. An
	// error is reported beside what the Remote holds nevertheless.
	Remote func(ctx context.Context, ref image.Reference) (rules.Remote, error)
	// Announce, if not nil, is told all that registries will be asked for,
	// before they are.
	Announce func(refs []image.Reference)
	// Timeout is for all lookups together; zero means no limit. What has no
	// answer by then is reported.
	Timeout time.Duration
	// Each is called with every recognised file and its uses, from several
	// goroutines at once. The file and the uses are valid during the call
	// only: their bytes are reused.
	Each func(f *source.File, format *parsers.Format, res parsers.Result)
	// Progress, if not nil, counts the run for who watches it.
	Progress *Progress
	// HashLines asks for the hashes of the lines of findings, which some
	// reports hold.
	HashLines bool

	// Unsaved, if not nil, is what an editor shows in place of what is on disk.
	Unsaved *Unsaved

	// keep gives every file bytes of its own, for who keeps the uses.
	keep bool
}

// now is the moment by which expiry dates, which are days in UTC, are judged.
func (o *Options) now() time.Time {
	if o.Now.IsZero() {
		return time.Now().UTC()
	}
	return o.Now
}

// Summary counts what a run saw.
type Summary struct {
	Files         int // read
	References    int // of both roles
	Unpinned      int // judged uses with a value that has no digest
	Unresolved    int // uses that no file here decides
	Malicious     int // findings of listed digests
	NotRecognised int // YAML and JSON files of no known format
}

// Result is what a run found, in order.
type Result struct {
	Findings []rules.Finding
	// Suppressed are the findings that are not reported.
	Suppressed []Suppressed
	// Exceptions are those of the options, with how often each was met.
	Exceptions []Excepted
	// Stale are the entries of the baseline for which files that were looked at
	// no longer have as many findings, each with the number that is gone.
	Stale   []Accepted
	Errors  []Error
	Notes   []Error  // what went otherwise than usual, and cost nothing
	Unknown []string // paths of the files that count as not recognised
	Summary Summary
	// Local decides which uses name what the tree builds itself.
	Local *Local
	// Replaced decides which uses name what kustomizations replace.
	Replaced *Replaced
}

// Spared reports whether the rules on pinning leave a name in a file alone.
func (r *Result) Spared(file, name string) bool {
	return r.Local.Has(file, name) || r.Replaced.Has(file, name)
}

// maxSize is the size in bytes from which a file is not parsed, only searched
// for listed digests.
const maxSize = 32 << 20

// Run looks at the files. It returns an error only if ctx ends it.
func Run(ctx context.Context, opts Options) (*Result, error) {
	r, err := start(ctx, opts)
	if err != nil {
		return nil, err
	}
	return r.result, nil
}

// start is [Run] with what it leaves behind.
func start(ctx context.Context, opts Options) (*run, error) {
	if opts.Paths == nil {
		opts.Paths = []string{"."}
	}
	opts.Rules = opts.enabled()
	r := &run{opts: opts, result: &Result{Local: &Local{}, Replaced: &Replaced{}}, tree: opts.tree()}
	if opts.Unsaved != nil {
		r.result.Local.elsewhere = opts.Unsaved.Spared
	}
	paths := slices.Clone(opts.Paths)
	if opts.Stdin != nil {
		paths = slices.DeleteFunc(paths, func(p string) bool { return p == "-" })
	}
	files := list(ctx, r.unsaved(paths), r.fail, func(e Error) { r.result.Notes = append(r.result.Notes, e) })
	files = opts.selected(files)
	slices.SortFunc(files, func(a, b entry) int { return cmp.Compare(a.path, b.path) })
	r.read(ctx, files)
	if opts.Stdin != nil {
		r.stdin()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.result.Replaced.finish()
	r.online(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.finish()
	return r, nil
}

type run struct {
	opts    Options
	tree    tree
	cross   rules.Tree
	mu      sync.Mutex
	result  *Result
	uses    []useRecord
	ignores map[string][]*ignore // by path
	// looked is the files of which all is known, for the baseline.
	looked []string
	// questions are collected only where registries are asked.
	questions []rules.Question
}

// useRecord is what the summary needs of a use when all files are known.
type useRecord struct {
	path, name           string
	unpinned, unresolved bool
}

func (r *run) fail(e Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Errors = append(r.result.Errors, e)
}

// read hands the files to the workers.
func (r *run) read(ctx context.Context, files []entry) {
	workers := r.opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, len(files)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var buf []byte
			for {
				// A batch at a time, so that workers don't meet on each file.
				const batch = 16
				end := int(next.Add(batch))
				for i := end - batch; i < min(end, len(files)); i++ {
					if ctx.Err() != nil {
						return
					}
					buf = r.file(files[i], buf)
				}
				if end >= len(files) {
					return
				}
			}
		}()
	}
	wg.Wait()
}

// file reads one file into buf and looks at it. It returns the buffer.
func (r *run) file(e entry, buf []byte) []byte {
	if data, ok := r.opts.Unsaved.content(e.path); ok {
		r.look(&source.File{Path: e.path, Data: data}, e.named)
		return buf
	}
	if data, ok := r.opts.Changes.content(e.path); ok {
		r.look(&source.File{Path: e.path, Data: data}, e.named)
		return buf
	}
	data, err := r.readFile(e, buf)
	switch {
	case errors.Is(err, errSkip):
		return buf
	case errors.Is(err, errSearched):
		r.keep(&rules.Pass{File: &source.File{Path: e.path}}, nil, nil, false)
		r.opts.Progress.file()
		return buf
	case err != nil:
		r.fail(Error{Path: e.path, Message: reason(err)})
		return buf
	}
	r.look(&source.File{Path: e.path, Data: data}, e.named)
	r.opts.Progress.file()
	if r.opts.keep || cap(data) > 1<<20 {
		return nil // one large file must not hold its memory
	}
	return data[:0]
}

// errSkip is what readFile says of a listed path that is no regular file, or
// is gone: git lists submodules, links and deleted files too.
var errSkip = errors.New("nothing to read")

// errSearched is what readFile says of a file that is too large to be parsed and
// has no listed digest in it.
var errSearched = errors.New("searched, and nothing found")

func (r *run) readFile(e entry, buf []byte) ([]byte, error) {
	name := filepath.FromSlash(e.path)
	f, err := openRegular(name, e.named)
	if err != nil {
		if !e.named && errors.Is(err, fs.ErrNotExist) {
			return nil, errSkip
		}
		return nil, err
	}
	defer f.close()
	size, regular, err := f.stat()
	if err != nil {
		return nil, err
	}
	if !regular {
		if e.named {
			return nil, fmt.Errorf("not a regular file")
		}
		return nil, errSkip
	}
	if size > maxSize {
		found, err := mentions(f, e.named || r.claimed(e.path, nil))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, errSearched
		}
		if err := f.rewind(); err != nil {
			return nil, err
		}
	}
	want := int(min(size, 1<<30))
	if cap(buf) < want+1 {
		buf = make([]byte, 0, want+want/4+512)
	}
	buf = buf[:0]
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		// What has been read to its size has been read: asking once more is for
		// what the kernel makes up, which has no size.
		if errors.Is(err, io.EOF) || err == nil && want > 0 && len(buf) == want {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, cap(buf))
		}
	}
}

func (r *run) stdin() {
	name := r.opts.StdinName
	if name == "" {
		name = "-"
	}
	if r.opts.SkipFile != nil && r.opts.SkipNamed && r.opts.SkipFile(filepath.ToSlash(name)) {
		return
	}
	data, err := io.ReadAll(r.opts.Stdin)
	if err != nil {
		r.fail(Error{Path: name, Message: err.Error()})
		return
	}
	r.look(&source.File{Path: filepath.ToSlash(name), Data: data}, true)
}

// look finds the uses of a file and lets the rules judge them. A binary file is
// only searched for listed digests, unless it is named or its path says what it
// is. Of UTF-16 the same is done, with the places that it has as UTF-8, and said.
func (r *run) look(f *source.File, named bool) {
	order := utf16Order(f.Data)
	if order != nil {
		f.Data = fromUTF16(f.Data, order)
	}
	f.HashLines = r.opts.HashLines
	pass := rules.Pass{File: f, Tree: &r.cross, Approved: r.opts.Approved, Trusted: r.opts.Trusted}
	var unknown bool
	var hidings []*ignore
	var findings []rules.Finding
	binary := isBinary(f.Data)
	if (!binary || named || r.claimed(f.Path, f.Data)) && len(f.Data) <= maxSize {
		if format := r.format(f); format != nil {
			res := parsers.Result{Problems: []parsers.Problem{{Message: utf16Problem}}}
			if order == nil {
				res = parsers.Parse(f, format, r.tree)
			}
			pass.Format, pass.Uses = format.Name, res.Uses
			for _, p := range res.Problems {
				pass.Problems = append(pass.Problems, rules.Problem(p))
			}
			if res.Overlay != nil {
				r.mu.Lock()
				r.result.Replaced.add(f.Path, res.Overlay)
				r.mu.Unlock()
			}
			if r.opts.Each != nil {
				r.opts.Each(f, format, res)
			}
			if (len(r.opts.Rules) > 0 || r.opts.keep) && !r.opts.NoIgnores {
				hidings, findings = ignores(&pass, format)
			}
		} else {
			unknown = isData(f.Path) && !isOwn(f.Path, f.Data)
		}
	}
	pass.Binary = binary && pass.Format == ""
	rules.Run(&pass, r.opts.Rules, func(f rules.Finding) { findings = append(findings, f) })
	var questions []rules.Question
	if r.opts.Remote != nil {
		questions = rules.Questions(&pass)
	}
	r.keep(&pass, findings, questions, unknown)
	r.keepIgnores(f.Path, hidings)
}

// format is the format of a file, or nil.
func (r *run) format(f *source.File) *parsers.Format {
	if r.opts.Assign != nil {
		if name := r.opts.Assign(f.Path); name != "" {
			return parsers.Lookup(name)
		}
	}
	return parsers.Detect(r.opts.Unsaved.relative(f.Path), f.Data)
}

// keep adds what was found in one file.
func (r *run) keep(p *rules.Pass, findings []rules.Finding, questions []rules.Question, unknown bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Summary.Files++
	if unknown {
		r.result.Unknown = append(r.result.Unknown, p.File.Path)
	}
	for i := range p.Uses {
		u := &p.Uses[i]
		r.result.Local.add(u)
		rec := useRecord{path: p.File.Path, unresolved: !u.Resolved(), unpinned: u.Judged() && u.Resolved() && !u.Pinned()}
		if u.Resolved() {
			rec.name = u.Values[0].Ref.Name()
		}
		r.uses = append(r.uses, rec)
	}
	r.result.Findings = append(r.result.Findings, findings...)
	r.questions = append(r.questions, questions...)
	if r.opts.Baseline != nil && len(p.Problems) == 0 {
		r.looked = append(r.looked, p.File.Path)
	}
}

// finish judges what needs the whole tree, and orders the result.
func (r *run) finish() {
	res := r.result
	rules.Finish(&r.cross, r.opts.Rules, func(f rules.Finding) { res.Findings = append(res.Findings, f) })
	res.Findings = slices.DeleteFunc(res.Findings, func(f rules.Finding) bool {
		return !f.Rule.Everyone && len(f.Names) > 0 &&
			!slices.ContainsFunc(f.Names, func(name string) bool { return !res.Spared(f.Path, name) })
	})
	res.Findings = r.onlyNew(r.known(r.exclude(r.severities(r.ignore(r.except(res.Findings))))))
	slices.SortFunc(res.Findings, compareFindings)
	slices.SortFunc(res.Errors, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	slices.Sort(res.Unknown)
	s := &res.Summary
	s.NotRecognised = len(res.Unknown)
	for _, u := range r.uses {
		s.References++
		switch {
		case u.unresolved:
			s.Unresolved++
		case u.unpinned && !res.Spared(u.path, u.name):
			s.Unpinned++
		}
	}
	for _, f := range res.Findings {
		if f.Rule.Certain {
			s.Malicious++
		}
	}
}

// compareFindings orders findings by path and place.
func compareFindings(a, b rules.Finding) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Span.Start, b.Span.Start), cmp.Compare(a.Span.End, b.Span.End),
		cmp.Compare(a.Rule.Name, b.Rule.Name), cmp.Compare(a.Message, b.Message))
}

// isData reports whether a file of no known format counts as not recognised.
func isData(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml":
		return true
	}
	return false
}

// Open is a file beside the one being parsed.
func (t tree) Open(name string) (*source.File, error) {
	name = path.Clean(name)
	root, rest, ok := t.inside(name)
	if !ok {
		return nil, fmt.Errorf("%s is outside the folders that are checked", name)
	}
	if data, ok := t.contents[name]; ok {
		return &source.File{Path: name, Data: data}, nil
	}
	info, err := os.Lstat(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSize {
		return nil, fmt.Errorf("%s is not a file to read", name)
	}
	// A link among the folders on the way may lead out of the root, too.
	f, err := os.OpenInRoot(filepath.FromSlash(root), filepath.FromSlash(rest))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return &source.File{Path: name, Data: data}, nil
}

// Local knows the names that the tree builds, and where.
type Local struct {
	folders map[string][]string // canonical name → folders of the files that build it
	files   map[string]map[string]bool
	// elsewhere is [Unsaved.Spared].
	elsewhere func(file, name string) bool
}

func (l *Local) add(u *image.Use) {
	if u.Role != image.Output {
		return
	}
	for _, v := range u.Values {
		if v.Err != nil {
			continue
		}
		name := v.Ref.Name()
		if l.folders == nil {
			l.folders, l.files = map[string][]string{}, map[string]map[string]bool{}
		}
		if l.files[name] == nil {
			l.files[name] = map[string]bool{}
		}
		if !l.files[name][u.File.Path] {
			l.files[name][u.File.Path] = true
			l.folders[name] = append(l.folders[name], path.Dir(u.File.Path))
		}
	}
}

// Has reports whether the name is built by the file itself, or by one of the
// same project: in the same folder, or one above or below. A name that could be
// one of Docker Hub's official images has to be built in the same folder, so
// that one project's "redis" does not hide all others'.
func (l *Local) Has(file, name string) bool {
	if l.files[name][file] || l.elsewhere != nil && l.elsewhere(file, name) {
		return true
	}
	dir := path.Dir(file)
	official := strings.HasPrefix(name, "docker.io/library/")
	return slices.ContainsFunc(l.folders[name], func(folder string) bool {
		return folder == dir || !official && (below(folder, dir) || below(dir, folder))
	})
}

func below(dir, of string) bool {
	return of == "." || strings.HasPrefix(dir, of+"/")
}

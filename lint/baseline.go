package lint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/rules"
)

// InBaseline is the cause of findings that the baseline holds.
const InBaseline Cause = "in the baseline"

// BaselineName is the name of a baseline that nobody has given another.
const BaselineName = ".digestlint-baseline.jsonl"

// Baseline is the findings that were there before somebody started to look. It
// knows them by what they are about, not by their lines, so that edits around
// them make nothing new of them. Its file is JSON Lines (https://jsonlines.org):
//
//	{"version":1,"about":"…"}
//	{"rule":"unpinned-image","path":"deploy/web.yaml","reference":"docker.io/library/nginx:1.27","count":2}
//
// One line an entry, sorted, so that a review shows what was added, and
// "merge=union" in .gitattributes merges two branches. Of lines for the same
// entry, which that leaves, the larger count holds.
//
// Findings of certain rules are in no baseline.
type Baseline struct {
	folder string // of the file, absolute, without symbolic links
	counts map[Accepted]int
}

// Accepted is one entry of a baseline: some findings alike.
type Accepted struct {
	Rule string `json:"rule"`
	// Path has slashes, and is relative to the folder of the baseline.
	Path string `json:"path"`
	// Reference is canonical where it is valid, else as it is written.
	Reference string `json:"reference,omitempty"`
	// Message tells findings without a reference apart. Its numbers are left
	// out, as they move with the lines.
	Message string `json:"message,omitempty"`
	// Count is how many there are, at least one.
	Count int `json:"count"`
}

// String says what the entry is about.
func (a Accepted) String() string {
	what := a.Reference
	if what == "" {
		what = a.Message
	}
	return fmt.Sprintf("%s: %s [%s]", a.Path, what, a.Rule)
}

// key is a without its count.
func (a Accepted) key() Accepted {
	a.Count = 0
	return a
}

func compareAccepted(a, b Accepted) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.Message, b.Message))
}

// NewBaseline is the findings as a baseline of that file name, which need not
// exist, and how many of them it can't hold.
func NewBaseline(name string, findings []rules.Finding) (b *Baseline, certain int) {
	b = emptyBaseline(name)
	at := b.places()
	for i := range findings {
		if findings[i].Rule.Certain {
			certain++
		} else {
			b.counts[at.entry(&findings[i])]++
		}
	}
	return b, certain
}

func emptyBaseline(name string) *Baseline {
	return &Baseline{folder: realFolder(filepath.Dir(name)), counts: map[Accepted]int{}}
}

// Entries are the entries in the order of the file.
func (b *Baseline) Entries() []Accepted {
	var all []Accepted
	for a, n := range b.counts {
		a.Count = n
		all = append(all, a)
	}
	slices.SortFunc(all, compareAccepted)
	return all
}

// Findings is how many findings the entries stand for.
func (b *Baseline) Findings() int {
	total := 0
	for _, n := range b.counts {
		total += n
	}
	return total
}

// Without is b without some of its findings; entries are none that have no
// finding left.
func (b *Baseline) Without(gone []Accepted) *Baseline {
	out := &Baseline{folder: b.folder, counts: maps.Clone(b.counts)}
	for _, a := range gone {
		if out.counts[a.key()] -= a.Count; out.counts[a.key()] <= 0 {
			delete(out.counts, a.key())
		}
	}
	return out
}

// baselineAbout tells who opens the file what it is.
const baselineAbout = "findings that `digestlint check` does not report, made by `digestlint baseline create`; " +
	"`digestlint baseline prune` takes out what has been mended, and merge=union in .gitattributes merges it"

// Marshal is the content of the file.
func (b *Baseline) Marshal() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	header := struct {
		Version int    `json:"version"`
		About   string `json:"about"`
	}{baselineVersion, baselineAbout}
	if err := enc.Encode(header); err != nil {
		return nil, err
	}
	for _, a := range b.Entries() {
		if err := enc.Encode(a); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// Stale are the entries of b for which the run that had it has found less than
// they say, each with the number that is gone: those of the files that it looked
// at, and of files that are no longer there.
func (b *Baseline) Stale(res *Result) []Accepted {
	stale := map[Accepted]int{}
	for _, a := range res.Stale {
		stale[a.key()] = a.Count
	}
	gone := map[string]bool{}
	for a, n := range b.counts {
		if _, asked := gone[a.Path]; !asked {
			gone[a.Path] = b.gone(a.Path)
		}
		if gone[a.Path] {
			stale[a] = n
		}
	}
	return (&Baseline{counts: stale}).Entries()
}

// gone reports whether there is no such file. A path that is not the file's own
// name, as that is no text, says nothing.
func (b *Baseline) gone(name string) bool {
	_, err := os.Lstat(filepath.Join(b.folder, filepath.FromSlash(name)))
	return errors.Is(err, fs.ErrNotExist) && !strings.Contains(name, notText)
}

// known takes away what the baseline holds. Where there is more of an entry than
// it counts, the last ones are new.
func (r *run) known(findings []rules.Finding) []rules.Finding {
	b := r.opts.Baseline
	if b == nil {
		return findings
	}
	slices.SortFunc(findings, compareFindings)
	left := maps.Clone(b.counts)
	at := b.places()
	kept := findings[:0]
	for _, f := range findings {
		entry := at.entry(&f)
		if !f.Rule.Certain && left[entry] > 0 {
			left[entry]--
			r.result.suppress(f, InBaseline)
		} else {
			kept = append(kept, f)
		}
	}
	r.result.Stale = r.stale(left, at)
	return kept
}

// stale are the entries that this run could have found, and has not.
func (r *run) stale(left map[Accepted]int, at *places) []Accepted {
	maps.DeleteFunc(left, func(_ Accepted, n int) bool { return n == 0 })
	if len(left) == 0 {
		return nil
	}
	whole := r.opts.SkipFile == nil && at.whole(r.opts.Paths)
	looked := map[string]bool{}
	for _, name := range r.looked {
		looked[at.name(name)] = true
	}
	maps.DeleteFunc(left, func(a Accepted, _ int) bool { return !looked[a.Path] || !r.decides(a.Rule, whole) })
	return (&Baseline{counts: left}).Entries()
}

// decides reports whether findings of the rule that are not in this run are
// nowhere. Those of a rule that is off, or that there is not, are nowhere.
func (r *run) decides(name string, whole bool) bool {
	rule := rules.Lookup(name)
	switch {
	case rule == nil || !slices.Contains(r.opts.Rules, rule):
		return true
	case rule.OnlineOnly():
		return r.opts.Remote != nil && len(r.result.Errors) == 0
	case rule.Finish != nil:
		return whole
	}
	return true
}

// places gives findings the names that they have in a baseline.
type places struct {
	folder  string            // of the baseline
	folders map[string]string // names in the baseline by names in this run
}

func (b *Baseline) places() *places {
	return &places{folder: b.folder, folders: map[string]string{}}
}

// entry is the entry that holds the finding, without its count.
func (p *places) entry(f *rules.Finding) Accepted {
	a := Accepted{Rule: f.Rule.Name, Path: p.name(f.Path)}
	if f.Reference != "" {
		a.Reference = canonical(f.Reference)
	} else {
		a.Message = withoutNumbers(f.Message)
	}
	return a
}

// name is the path of a file from the folder of the baseline, whichever way the
// file was named.
func (p *places) name(file string) string {
	dir, base := path.Split(file)
	return asText(path.Join(p.dir(dir), base))
}

func (p *places) dir(dir string) string {
	name, ok := p.folders[dir]
	if !ok {
		name = realFolder(filepath.FromSlash(dir))
		if rel, err := filepath.Rel(p.folder, name); err == nil {
			name = rel
		}
		name = filepath.ToSlash(name)
		p.folders[dir] = name
	}
	return name
}

// whole reports whether one of the paths is the folder of the baseline, or one
// above it.
func (p *places) whole(paths []string) bool {
	return slices.ContainsFunc(paths, func(name string) bool {
		up := strings.Split(p.dir(filepath.ToSlash(name)), "/")
		return !slices.ContainsFunc(up, func(part string) bool { return part != "." && part != ".." })
	})
}

// realFolder is dir, absolute and without symbolic links as far as it exists.
func realFolder(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	if found, err := filepath.EvalSymlinks(abs); err == nil {
		return found
	}
	up := filepath.Dir(abs)
	if up == abs {
		return abs
	}
	return filepath.Join(realFolder(up), filepath.Base(abs))
}

// canonical is the canonical form of a reference, or s where it is none.
func canonical(s string) string {
	ref, err := image.Parse(s)
	if err != nil {
		return asText(s)
	}
	return ref.Canonical()
}

// withoutNumbers is a message with an N in the place of each number.
func withoutNumbers(message string) string {
	var b strings.Builder
	digit := false
	for _, c := range asText(message) {
		was := digit
		digit = c >= '0' && c <= '9'
		switch {
		case !digit:
			b.WriteRune(c)
		case !was:
			b.WriteByte('N')
		}
	}
	return b.String()
}

// notText stands for bytes that are no UTF-8, which JSON can't hold.
const notText = "\ufffd"

func asText(s string) string { return strings.ToValidUTF8(s, notText) }

// Package rules judges image references: one rule a file, each a constant value
// with its documentation inside.
//
// A rule sees the uses of one file, never its format, and reports findings.
// What is done with them (severity, order, suppression, printing, exit status)
// is the driver's. Rules that compare files leave records in the [Tree] and
// report when all files have been seen. Rules that judge by what registries say
// are handed the [Remote]; they ask nobody.
package rules

import (
	"fmt"
	"slices"
	"sort"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Severity is how bad a finding is.
type Severity uint8

// From "not reported" to the worst.
const (
	Off Severity = iota
	Info
	Warning
	Error
)

// String is the name of s in configurations and reports.
func (s Severity) String() string {
	return [...]string{"off", "info", "warning", "error"}[s]
}

// ParseSeverity is the severity of that name.
func ParseSeverity(name string) (Severity, error) {
	for s := Off; s <= Error; s++ {
		if s.String() == name {
			return s, nil
		}
	}
	return Off, fmt.Errorf("%q is no severity; it is one of off, info, warning, error", name)
}

// Rule is one thing that can be wrong. Its name says what.
type Rule struct {
	Name     string // kebab-case
	Severity Severity
	// Summary is one sentence for lists, without a full stop.
	Summary string
	// Why, Bad, Good and Fix make the rule's page. Bad and Good are examples
	// in the format Format, and are tested.
	Why, Format, Bad, Good, Fix string
	Since                       string
	// Setting is the key of .digestlint.yaml without which the rule says
	// nothing, empty where it needs none.
	Setting string
	// Optional is set where the rule says nothing unless the configuration
	// gives it a severity; Severity is then what its page recommends.
	Optional bool
	// Security is the severity for code-scanning services, from 0.1 to 10,
	// empty where the rule is not about security;
	// Precision is "very-high", "high", "medium" or "low"
	// (https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning).
	Security  string
	Precision string
	// Certain findings are hidden by nothing: no ignore comment, no filter, no
	// baseline.
	Certain bool
	// AboutIgnores is set where the rule is about ignore comments, and so is
	// hidden by none.
	AboutIgnores bool
	// Everyone is set where the rule speaks also of images that the repository
	// builds itself or replaces.
	Everyone bool
	// Check reports on one file.
	Check func(p *Pass)
	// Finish reports on what Check left in the tree, when all files are done.
	Finish func(t *Tree, report func(Finding))
	// Online reports on one value of a use by what its registry says, where
	// registries are asked.
	Online func(a *Answer)
}

// Default is the severity of the rule where no configuration sets one.
func (r *Rule) Default() Severity {
	if r.Optional {
		return Off
	}
	return r.Severity
}

var registered []*Rule

func register(r Rule) *Rule {
	registered = append(registered, &r)
	return &r
}

// All is every rule, by name.
func All() []*Rule {
	all := append([]*Rule(nil), registered...)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Lookup is the rule of that name, or nil.
func Lookup(name string) *Rule {
	for _, r := range registered {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Finding is one thing that a rule says. It holds no bytes of the file, so that
// the files of a large tree need not stay in memory.
type Finding struct {
	Rule     *Rule
	Severity Severity
	Path     string
	Span     source.Span     // bytes
	Start    source.Position // of Span
	End      source.Position // behind Span
	// UTF16 is the columns of Start and End in UTF-16 code units. Where Span
	// goes on behind the line of Start, its End is that of the line.
	UTF16 Columns
	// LineHash is the [source.File.LineHash] of the line at Start, empty unless
	// the file asks for it.
	LineHash string
	// Source is the line at Start, cut to what people read.
	Source string
	// Offset is the byte of the line at which Source starts.
	Offset  int
	Message string // what, lower case, without a full stop
	Hint    string // what to do
	// Pointer and Reference identify the finding when lines move.
	Pointer   string
	Reference string
	// Names are the canonical names of the images, each once, for what is
	// decided when all files are known: whether the repository builds them
	// itself. There are none where the finding is about no valid reference.
	Names []string
	// Digests are the listed digests that a finding of a Certain rule is about.
	Digests []string
	Related []Related
}

// Columns is a range of columns of one line, from one, half open.
type Columns struct{ Start, End int }

// Related is another place that a finding speaks of.
type Related struct {
	Path    string
	Start   source.Position
	Message string
}

// Problem is a part of the file that could not be read, for syntax-error.
type Problem struct {
	Offset  int
	Message string
}

// Pass is one file on its way through the rules.
type Pass struct {
	File     *source.File
	Format   string // empty where the file was not recognised
	Binary   bool   // not text; such a file has no format
	Uses     []image.Use
	Problems []Problem
	Tree     *Tree
	// Approved reports whether a digest is approved, for unapproved-digest;
	// nil where everything is.
	Approved func(digest string) bool
	// Trusted reports whether images of the canonical name may be used, for
	// untrusted-registry; nil where all may.
	Trusted func(name string) bool

	rule   *Rule
	report func(Finding)
}

// Run lets the rules judge a file. The order of what they report is not
// defined.
func Run(p *Pass, rules []*Rule, report func(Finding)) {
	for _, r := range rules {
		if r.Check != nil {
			p.rule, p.report = r, report
			r.Check(p)
		}
	}
}

// Finish lets rules report on the whole tree.
func Finish(t *Tree, rules []*Rule, report func(Finding)) {
	for _, r := range rules {
		if r.Finish != nil {
			r.Finish(t, report)
		}
	}
}

// Report reports a finding at a place of the file. The finding's rule, severity
// (unless set) and place are filled in.
func (p *Pass) Report(s source.Span, f Finding) {
	f.Rule = p.rule
	p.report(Place(p.File, s, f))
}

// ReportUse reports a finding about a use, for one of its values (nil for the
// use as such).
func (p *Pass) ReportUse(u *image.Use, v *image.Value, f Finding) {
	var vs []*image.Value
	if v != nil {
		vs = append(vs, v)
	}
	p.reportValues(u, vs, f)
}

// reportValues reports one finding about several values of a use.
func (p *Pass) reportValues(u *image.Use, vs []*image.Value, f Finding) {
	p.Report(u.Span, aboutUse(u, vs, f))
}

// Place is f at the span s of file, with the severity of its rule unless it has
// one. It is how findings are made that no [Pass] reports.
func Place(file *source.File, s source.Span, f Finding) Finding {
	if f.Severity == Off {
		f.Severity = f.Rule.Severity
	}
	return locate(file, s, f)
}

// locate is f at the span s of file.
func locate(file *source.File, s source.Span, f Finding) Finding {
	f.Path, f.Span = file.Path, s
	f.Start, f.End = file.Position(s.Start), file.Position(s.End)
	line := file.Line(f.Start.Line)
	f.Source, f.Offset = excerpt(line, f.Start.Column-1)
	end := len(line)
	if f.End.Line == f.Start.Line {
		end = f.End.Column - 1
	}
	f.UTF16.Start = utf16Column(line, f.Start.Column-1)
	f.UTF16.End = max(utf16Column(line, end), f.UTF16.Start)
	if file.HashLines {
		f.LineHash = file.LineHash(f.Start.Line)
	}
	return f
}

// aboutUse is f with what identifies it as a finding about the values vs of u,
// and with the places where their texts are decided.
func aboutUse(u *image.Use, vs []*image.Value, f Finding) Finding {
	f.Pointer, f.Reference = u.Pointer, u.Raw
	if len(vs) == 1 {
		f.Reference = vs[0].Text
	}
	f.Names = names(vs)
	for _, v := range vs {
		d := v.Definition
		if d == nil {
			continue
		}
		f.addRelated(d.File, d.Span, fmt.Sprintf("%s %s is set here", d.Kind, d.Name))
	}
	return f
}

// names are the canonical names of the valid references among vs.
func names(vs []*image.Value) []string {
	var out []string
	for _, v := range vs {
		if v.Err != nil {
			return nil
		}
		if name := v.Ref.Name(); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// addRelated adds a place, once.
func (f *Finding) addRelated(file *source.File, s source.Span, message string) {
	r := Related{Path: file.Path, Start: file.Position(s.Start), Message: message}
	if !slices.Contains(f.Related, r) {
		f.Related = append(f.Related, r)
	}
}

// maxExcerpt bounds the source line that a finding carries, in bytes, and
// maxLead how much of that stands before the finding.
const (
	maxExcerpt = 400
	maxLead    = 100
)

// excerpt is line, or the part of it around the byte at, and where that starts.
// It is cut between characters; the bytes are those of the file.
func excerpt(line []byte, at int) (string, int) {
	if len(line) <= maxExcerpt {
		return string(line), 0
	}
	from := max(at-maxLead, 0)
	for from > 0 && from < at && !utf8.RuneStart(line[from]) {
		from++
	}
	to := min(from+maxExcerpt, len(line))
	for cut := to; to < len(line) && cut > to-utf8.UTFMax; cut-- {
		if utf8.RuneStart(line[cut]) {
			to = cut
			break
		}
	}
	return string(line[from:to]), from
}

// maxUnits bounds the part of a line that is decoded to count UTF-16 units, in
// bytes, so that a file of one line and many findings takes no quadratic time.
const maxUnits = 64 << 10

// utf16Column is the column, from one, of the byte at of line in UTF-16 code
// units. Bytes beyond maxUnits count one each.
func utf16Column(line []byte, at int) int {
	at = min(at, len(line))
	column := 1 + max(at-maxUnits, 0)
	for head := line[:min(at, maxUnits)]; len(head) > 0; {
		r, n := utf8.DecodeRune(head)
		column += utf16.RuneLen(r)
		head = head[n:]
	}
	return column
}

// Tree is what rules remember across files. It is safe for concurrent use.
type Tree struct {
	mu   sync.Mutex
	pins map[string][]Pin
}

// Pin is one use with a digest, for conflicting-digests.
type Pin struct {
	Digest  string
	Finding Finding // ready to report, but for its message
}

// AddPin remembers that a name:tag is pinned.
func (t *Tree) AddPin(nameTag string, p Pin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pins == nil {
		t.pins = map[string][]Pin{}
	}
	t.pins[nameTag] = append(t.pins[nameTag], p)
}

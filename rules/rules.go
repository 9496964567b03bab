// Package rules judges image references: one rule a file, each a constant value
// with its documentation inside.
//
// A rule sees the uses of one file, never its format, and reports findings.
// What is done with them (severity, order, suppression, printing, exit status)
// is the driver's. Rules that compare files leave records in the [Tree] and
// report when all files have been seen.
package rules

import (
	"fmt"
	"sort"
	"strings"
	"sync"

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
	// Security is the severity for code-scanning services, from 0.1 to 10;
	// Precision is "very-high", "high", "medium" or "low"
	// (https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning).
	Security  string
	Precision string
	// Certain findings are hidden by nothing: no ignore comment, no filter, no
	// baseline.
	Certain bool
	// Everyone is set where the rule speaks of images too that the repository
	// builds itself or replaces.
	Everyone bool
	// Check reports on one file.
	Check func(p *Pass)
	// Finish reports on what Check left in the tree, when all files are done.
	Finish func(t *Tree, report func(Finding))
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
	// Source is the line at Start, cut to what people read.
	Source string
	// Offset is the byte of the line at which Source starts.
	Offset  int
	Message string // what, lower case, without a full stop
	Hint    string // what to do
	// Pointer and Reference identify the finding when lines move.
	Pointer   string
	Reference string
	// Name is the canonical name of the image, for what is decided when all
	// files are known: whether the repository builds it itself.
	Name    string
	Related []Related
}

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
	Uses     []image.Use
	Problems []Problem
	Tree     *Tree

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
	if f.Severity == Off {
		f.Severity = p.rule.Severity
	}
	f.Path, f.Span = p.File.Path, s
	f.Start, f.End = p.File.Position(s.Start), p.File.Position(s.End)
	f.Source, f.Offset = excerpt(p.File, s)
	p.report(f)
}

// ReportUse reports a finding about a use, for one of its values (nil for the
// use as such).
func (p *Pass) ReportUse(u *image.Use, v *image.Value, f Finding) {
	f.Pointer, f.Reference = u.Pointer, u.Raw
	if v != nil {
		f.Reference = v.Text
		if v.Err == nil {
			f.Name = v.Ref.Name()
		}
		if d := v.Definition; d != nil {
			f.Related = append(f.Related, Related{
				Path: d.File.Path, Start: d.File.Position(d.Span.Start),
				Message: fmt.Sprintf("%s %s is set here", d.Kind, d.Name),
			})
		}
	}
	p.Report(u.Span, f)
}

// maxExcerpt bounds the source line that a finding carries, in bytes.
const maxExcerpt = 400

// excerpt is the line at which s starts, or the part of it around s.
func excerpt(f *source.File, s source.Span) (string, int) {
	pos := f.Position(s.Start)
	line := f.Line(pos.Line)
	if len(line) <= maxExcerpt {
		return string(line), 0
	}
	from := max(pos.Column-1-maxExcerpt/4, 0)
	return strings.ToValidUTF8(string(line[from:min(from+maxExcerpt, len(line))]), ""), from
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

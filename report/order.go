package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// worstFirst is the indices of findings from the worst on, for readers that show
// the first few only: what is certain to be malicious, then by severity, and
// otherwise in the order of the report.
func worstFirst(findings []rules.Finding) []int {
	order := make([]int, len(findings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &findings[a], &findings[b]
		return cmp.Or(compareBool(y.Rule.Certain, x.Rule.Certain), cmp.Compare(y.Severity, x.Severity))
	})
	return order
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// incomplete is the rule of errors where a format knows findings only.
var incomplete = &rules.Rule{
	Name:     "incomplete",
	Severity: rules.Error,
	Summary:  "a file or a lookup could not be judged",
}

// withErrors is the findings, and behind them the errors at some file as findings
// of the rule incomplete. Errors at no file have no place in formats that list
// files; the program tells them on standard error, too.
func withErrors(r *Report) iter.Seq[*rules.Finding] {
	return func(yield func(*rules.Finding) bool) {
		for i := range r.Findings {
			if !yield(&r.Findings[i]) {
				return
			}
		}
		for _, e := range r.Errors {
			if e.Path == "" {
				continue
			}
			at := source.Position{Line: max(e.Line, 1), Column: max(e.Column, 1)}
			f := rules.Finding{Rule: incomplete, Severity: rules.Error, Path: e.Path, Start: at, End: at, Message: e.Message}
			if !yield(&f) {
				return
			}
		}
	}
}

// fingerprint identifies a finding when lines move: by rule, path, reference,
// and which one of several such it is.
type fingerprint [sha256.Size]byte

func (p fingerprint) String() string { return hex.EncodeToString(p[:]) }

// fingerprinter makes the fingerprints of findings in the order of the report,
// no two alike.
type fingerprinter struct {
	seen map[fingerprint]int
	key  []byte
}

func newFingerprinter() *fingerprinter { return &fingerprinter{seen: map[fingerprint]int{}} }

func (p *fingerprinter) next(f *rules.Finding) fingerprint {
	id, _ := p.nth(f)
	return id
}

// nth is the fingerprint of a finding, and which one of several such it is, from
// one.
func (p *fingerprinter) nth(f *rules.Finding) (fingerprint, int) {
	p.key = p.key[:0]
	for _, part := range []string{f.Rule.Name, plainPath(f.Path), f.Reference} {
		p.key = append(append(p.key, part...), 0)
	}
	kind := fingerprint(sha256.Sum256(p.key))
	p.seen[kind]++
	n := p.seen[kind]
	return sha256.Sum256(strconv.AppendInt(p.key, int64(n), 10)), n
}

// plainPath is a path without the "./" before it that services, which compare
// paths with those of the repository, do not know.
func plainPath(path string) string { return strings.TrimPrefix(path, "./") }

package lint

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// Cause is why a finding is not reported, in words that follow a number.
type Cause string

// Ignored is the cause of a comment.
const Ignored Cause = "ignored"

// Causes are all causes, in the order in which they are tried.
var Causes = []Cause{Ignored, Excluded, InBaseline, NotNew}

// Suppressed is a finding that is not reported.
type Suppressed struct {
	Finding rules.Finding
	Cause   Cause
}

// directive starts the comments that hide findings:
//
//	digestlint:ignore[rule,…] until=2027-01-31 reason
//	digestlint:ignore-file[rule,…] reason
const directive = "digestlint:ignore"

// ignore is one comment that hides findings. It holds no bytes of its file.
type ignore struct {
	rules  []*rules.Rule
	line   int       // that it is about; zero: all
	until  time.Time // the first moment at which it hides nothing; zero: for good
	reason string
	used   map[*rules.Rule]bool
	// place is a finding at the comment, but for its rule and message.
	place rules.Finding
	// broken is set where a part of the file could not be read, so that what
	// is not found there may be there.
	broken bool
}

// ignores are the comments of a file that hide findings, and what is wrong with
// them.
func ignores(p *rules.Pass, format *parsers.Format) (found []*ignore, wrong []rules.Finding) {
	data := p.File.Data
	i := bytes.Index(data, []byte(directive))
	if i < 0 {
		return nil, nil
	}
	s := syntaxOf(p.File.Path, format)
	for i >= 0 {
		if c, ok := s.commentAt(p.File, i); ok {
			ig, mistakes := s.ignore(p.File, c)
			ig.broken = len(p.Problems) > 0
			found = append(found, ig)
			for _, m := range mistakes {
				f := ig.place
				f.Rule, f.Severity, f.Message, f.Hint = rules.UnexplainedIgnore, rules.UnexplainedIgnore.Severity, m.message, m.hint
				wrong = append(wrong, f)
			}
		}
		next := bytes.Index(data[i+len(directive):], []byte(directive))
		if next < 0 {
			break
		}
		i += len(directive) + next
	}
	return found, wrong
}

// maxText bounds how much of a comment is read, in bytes, so that many of them on
// one long line take linear time. It holds every rule's name, a date and the
// start of a reason.
const maxText = 4 << 10

// mistake is what is wrong with a comment, and what to do.
type mistake struct{ message, hint string }

const howToIgnore = "write `digestlint:ignore[rule,…] the reason`; `digestlint rules` lists the rules"

// ignore reads one comment. What is not understood hides nothing.
func (s syntax) ignore(f *source.File, c comment) (*ignore, []mistake) {
	text := f.Slice(c.text)
	text = bytes.TrimRight(text[:min(len(text), maxText)], " \t")
	at := source.Span{Start: c.text.Start, End: c.text.Start + len(text)}
	ig := &ignore{used: map[*rules.Rule]bool{}, place: rules.Place(f, at, rules.Finding{Rule: rules.UnusedIgnore})}
	rest, whole := strings.CutPrefix(strings.TrimPrefix(string(text), directive), "-file")
	if !whole {
		ig.line = s.target(f, c)
	} else if !s.first(f, c) {
		return ig, []mistake{{"an ignore comment for the whole file stands behind its first lines, and hides nothing", "move it into the first comment of the file, or ignore single lines"}}
	}
	list, ok := strings.CutPrefix(rest, "[")
	if !ok {
		return ig, []mistake{{"this ignore comment names no rule, and hides nothing", howToIgnore}}
	}
	list, rest, ok = strings.Cut(list, "]")
	if !ok {
		return ig, []mistake{{`the rules of this ignore comment end with no "]", and it hides nothing`, howToIgnore}}
	}
	mistakes := ig.readRules(list)
	var err error
	ig.reason, err = ig.readUntil(rest)
	switch {
	case err != nil:
		ig.rules = nil
		mistakes = append(mistakes, mistake{err.Error(), "write the last day as until=2027-01-31"})
	case ig.reason == "":
		mistakes = append(mistakes, mistake{"this ignore comment gives no reason", "write behind it why the finding is no problem here"})
	}
	return ig, mistakes
}

// readRules reads the names between the brackets.
func (ig *ignore) readRules(list string) (mistakes []mistake) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		r := rules.Lookup(name)
		switch {
		case name == "":
			mistakes = append(mistakes, mistake{"this ignore comment has an empty name among its rules", howToIgnore})
		case r == nil:
			mistakes = append(mistakes, mistake{fmt.Sprintf("this ignore comment names %q, which is no rule", name), howToIgnore})
		case r.Certain:
			mistakes = append(mistakes, mistake{fmt.Sprintf("this ignore comment names %s, which no comment hides", name),
				"the configuration can except one digest, with a reason and an expiry date"})
		case r.AboutIgnores:
			mistakes = append(mistakes, mistake{fmt.Sprintf("this ignore comment names %s, which no comment hides", name),
				"correct or remove the comment that it speaks of"})
		case !slices.Contains(ig.rules, r):
			ig.rules = append(ig.rules, r)
		}
	}
	return mistakes
}

// readUntil takes the expiry date out of what stands behind the rules, and
// gives the reason.
func (ig *ignore) readUntil(text string) (reason string, err error) {
	var words []string
	for _, word := range strings.Fields(text) {
		date, ok := strings.CutPrefix(word, "until=")
		if !ok {
			words = append(words, word)
			continue
		}
		if !ig.until.IsZero() {
			return "", fmt.Errorf("this ignore comment has two expiry dates, and hides nothing")
		}
		day, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return "", fmt.Errorf("this ignore comment has an expiry date %q that is no date, and hides nothing", date)
		}
		ig.until = day.AddDate(0, 0, 1)
	}
	return strings.Join(words, " "), nil
}

func (ig *ignore) expired(now time.Time) bool {
	return !ig.until.IsZero() && !now.Before(ig.until)
}

// hides reports whether the comment is about the finding.
func (ig *ignore) hides(f *rules.Finding) bool {
	return slices.Contains(ig.rules, f.Rule) && (ig.line == 0 || f.Start.Line <= ig.line && ig.line <= f.End.Line)
}

// ignore takes away what comments hide, and adds which of them hide nothing.
func (r *run) ignore(findings []rules.Finding) []rules.Finding {
	if len(r.ignores) == 0 {
		return findings
	}
	now := r.opts.now()
	kept := findings[:0]
	for _, f := range findings {
		if r.hidden(&f, now) {
			r.result.suppress(f, Ignored)
		} else {
			kept = append(kept, f)
		}
	}
	if !slices.Contains(r.opts.Rules, rules.UnusedIgnore) {
		return kept
	}
	for _, path := range slices.Sorted(maps.Keys(r.ignores)) {
		for _, ig := range r.ignores[path] {
			if f, ok := r.unused(ig, now); ok {
				kept = append(kept, f)
			}
		}
	}
	return kept
}

// hidden reports whether a comment hides the finding. All that do count as used.
func (r *run) hidden(f *rules.Finding, now time.Time) (hidden bool) {
	if f.Rule.Certain || f.Rule.AboutIgnores {
		return false
	}
	for _, ig := range r.ignores[f.Path] {
		if ig.hides(f) && !ig.expired(now) {
			ig.used[f.Rule] = true
			hidden = true
		}
	}
	return hidden
}

// unused is the finding about a comment that hides nothing, or not all that it
// names.
func (r *run) unused(ig *ignore, now time.Time) (rules.Finding, bool) {
	f := ig.place
	if ig.expired(now) {
		f.Message = fmt.Sprintf("this ignore comment ended on %s, and hides nothing", ig.until.AddDate(0, 0, -1).Format(time.DateOnly))
		f.Hint = "mend what it is about and remove it, or set another date"
		return f, true
	}
	var names []string
	for _, rule := range ig.rules {
		if !ig.used[rule] && r.judges(rule) {
			names = append(names, rule.Name)
		}
	}
	if len(names) == 0 || ig.broken {
		return f, false
	}
	f.Message = "this ignore comment hides nothing: there is no " + strings.Join(names, " or ") + " here"
	f.Hint = "remove it, or move it to the line of the finding or the one above"
	if len(names) < len(ig.rules) {
		f.Hint = "remove " + strings.Join(names, ", ") + " from its rules"
	}
	return f, true
}

// judges reports whether a rule finds in this run all that it can find: not
// without registries, settings or the rest of the tree that it needs.
func (r *run) judges(rule *rules.Rule) bool {
	return slices.Contains(r.opts.Rules, rule) && !rule.OnlineOnly() && rule.Finish == nil && rule.Setting == ""
}

func (r *run) keepIgnores(path string, found []*ignore) {
	if len(found) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ignores == nil {
		r.ignores = map[string][]*ignore{}
	}
	r.ignores[path] = append(r.ignores[path], found...)
}

func (r *Result) suppress(f rules.Finding, cause Cause) {
	r.Suppressed = append(r.Suppressed, Suppressed{f, cause})
}

package lint

import (
	"fmt"
	"slices"
	"time"

	"github.com/digestlint/digestlint/rules"
)

// Exception is one malicious digest that may stand where it stands.
type Exception struct {
	Digest string
	Reason string
	Until  time.Time // the last day, in UTC
}

// Expired reports whether the exception counts no longer.
func (e *Exception) Expired(now time.Time) bool { return !now.Before(e.Until.AddDate(0, 0, 1)) }

// Excepted is an exception and what it was asked about.
type Excepted struct {
	Exception
	Expired  bool
	Findings int // about the digest
}

// except makes infos of the findings about digests that are excepted, and says
// so in them. It is the one thing that a finding of a Certain rule gives way to.
func (r *run) except(findings []rules.Finding) []rules.Finding {
	if len(r.opts.Exceptions) == 0 {
		return findings
	}
	now := r.opts.now()
	all := make([]Excepted, len(r.opts.Exceptions))
	for i, e := range r.opts.Exceptions {
		all[i] = Excepted{Exception: e, Expired: e.Expired(now)}
	}
	for i := range findings {
		if len(findings[i].Digests) > 0 {
			exceptOne(&findings[i], all)
		}
	}
	r.result.Exceptions = all
	return findings
}

// exceptOne makes an info of the finding if all that it is about is excepted.
func exceptOne(f *rules.Finding, all []Excepted) {
	granted := 0
	var words string
	for _, digest := range f.Digests {
		i := slices.IndexFunc(all, func(e Excepted) bool { return e.Digest == digest })
		if i < 0 {
			continue
		}
		e := &all[i]
		e.Findings++
		day := e.Until.Format(time.DateOnly)
		if e.Expired {
			words += fmt.Sprintf("; its exception ended on %s", day)
			continue
		}
		granted++
		words += fmt.Sprintf("; excepted until %s: %s", day, e.Reason)
	}
	if f.Message += words; granted == len(f.Digests) {
		f.Severity = rules.Info
	}
}

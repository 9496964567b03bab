package lint

import (
	"slices"

	"github.com/digestlint/digestlint/rules"
)

// enabled are the rules that are not off.
func (o *Options) enabled() []*rules.Rule {
	return slices.DeleteFunc(slices.Clone(o.Rules), func(r *rules.Rule) bool { return o.severity(r) == rules.Off })
}

func (o *Options) severity(r *rules.Rule) rules.Severity {
	if s, ok := o.Severities[r]; ok {
		return s
	}
	return r.Default()
}

// severities gives findings the severities that are set for their rules. What a
// rule is less sure of than of the rest is never more than it was.
func (r *run) severities(findings []rules.Finding) []rules.Finding {
	if len(r.opts.Severities) == 0 {
		return findings
	}
	kept := findings[:0]
	for _, f := range findings {
		set := r.opts.severity(f.Rule)
		if f.Severity < f.Rule.Severity {
			set = min(set, f.Severity)
		}
		if f.Severity = set; set != rules.Off {
			kept = append(kept, f)
		}
	}
	return kept
}

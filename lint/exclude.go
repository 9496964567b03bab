package lint

import "github.com/digestlint/digestlint/rules"

// Excluded is the cause of the configuration.
const Excluded Cause = "excluded"

// exclude takes away what the configuration excludes, which is never a use of
// a malicious image.
func (r *run) exclude(findings []rules.Finding) []rules.Finding {
	if r.opts.Excluded == nil || r.opts.NoIgnores {
		return findings
	}
	kept := findings[:0]
	for _, f := range findings {
		if f.Rule != rules.MaliciousDigest && r.excludes(&f) {
			r.result.suppress(f, Excluded)
		} else {
			kept = append(kept, f)
		}
	}
	return kept
}

func (r *run) excludes(f *rules.Finding) bool {
	_, ok := r.opts.Excluded(f.Path, f.Names, f.Rule)
	return ok
}

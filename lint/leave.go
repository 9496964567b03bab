package lint

import (
	"fmt"
	"time"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/rules"
)

// leaveAlone settles the jobs whose text an ignore comment or the configuration
// says to leave as it is: findings that nobody wants to see are nothing to
// mend. A text that several uses read is left for the sake of any of them.
func (p *pinner) leaveAlone() {
	type text struct {
		path       string
		start, end int
	}
	type why struct {
		kind   Kind
		reason string
	}
	left := map[text]why{}
	place := func(j *job) (text, bool) {
		site := j.Value.Site
		if site.File == nil {
			return text{}, false
		}
		return text{site.File.Path, site.Tail.Start, site.Tail.End}, true
	}
	for _, j := range p.jobs {
		kind, reason, ok := p.leaves(j)
		if !ok {
			continue
		}
		j.stay(kind, "", reason)
		if t, ok := place(j); ok {
			left[t] = why{kind, reason}
		}
	}
	for _, j := range p.jobs {
		t, ok := place(j)
		if w, shared := left[t]; ok && shared {
			j.stay(w.kind, "", w.reason)
		}
	}
}

// leaves says why j is to be left as it is, if it is. Neither a comment nor an
// exclusion is about a malicious digest.
func (p *pinner) leaves(j *job) (kind Kind, reason string, ok bool) {
	if digest := j.Value.Ref.Digest; digest != "" {
		if _, listed := advisories.LookupDigest(digest); listed {
			reason, ok = p.excepted(digest)
			return LeftOut, reason, ok
		}
	}
	return p.ignored(j.Use, []string{j.Value.Ref.Name()}, p.about(j)...)
}

// about are the rules whose findings are mended by what pin does with j.
func (p *pinner) about(j *job) []*rules.Rule {
	switch {
	case !j.Value.Ref.Pinned():
		return []*rules.Rule{rules.UnpinnedImage, rules.FloatingTag}
	case p.opts.Update:
		return []*rules.Rule{rules.UnpinnedImage, rules.FloatingTag, rules.TagDrift}
	}
	return nil
}

// ignored says why findings of one of the rules about u, for images of these
// canonical names, are not shown.
func (p *pinner) ignored(u *image.Use, names []string, about ...*rules.Rule) (kind Kind, reason string, ok bool) {
	if p.opts.NoIgnores {
		return 0, "", false
	}
	f := rules.Finding{Start: u.Position(), End: u.File.Position(u.Span.End)}
	now := p.opts.now()
	for _, ig := range p.ignores[u.File.Path] {
		for _, f.Rule = range about {
			if ig.hides(&f) && !ig.expired(now) {
				return LeftAlone, fmt.Sprintf("ignored: %s", ig.because()), true
			}
		}
	}
	if reason, ok := p.excluded(u.File.Path, names, about); ok {
		return LeftOut, "excluded" + reason, true
	}
	return 0, "", false
}

// because is the reason of the comment.
func (ig *ignore) because() string {
	if ig.reason == "" {
		return fmt.Sprintf("the comment in line %d gives no reason", ig.place.Start.Line)
	}
	return ig.reason
}

// excluded reports whether the configuration leaves out findings of one of the
// rules, and why.
func (p *pinner) excluded(path string, names []string, about []*rules.Rule) (why string, ok bool) {
	if p.opts.Excluded == nil || p.opts.NoIgnores {
		return "", false
	}
	for _, r := range about {
		if why, ok := p.opts.Excluded(path, names, r); ok {
			if why != "" {
				why = ": " + why
			}
			return why, true
		}
	}
	return "", false
}

// excepted says why a listed digest may stand where it stands.
func (p *pinner) excepted(digest string) (reason string, ok bool) {
	for _, e := range p.opts.Exceptions {
		if e.Digest == digest && !e.Expired(p.opts.now()) {
			return fmt.Sprintf("malicious, but excepted until %s: %s", e.Until.Format(time.DateOnly), e.Reason), true
		}
	}
	return "", false
}

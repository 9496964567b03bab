package rules

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// CompromisedTag is about tags that named a malicious image at some time.
var CompromisedTag = register(Rule{
	Name:     "compromised-tag",
	Severity: Error,
	Summary:  "The tag names, or named for a time, a malicious image",
	Why: "An advisory speaks of this repository and tag, and no digest says which content is meant.\n\n" +
		"It is an error where nobody should ever use the name: the attacker created the tag or owns the repository, or the vendor withdrew the tag. " +
		"It is a warning where a tag was overwritten and restored: the tag is clean now, but whoever pulled it in the window ran the malware, and caches may still hold it. " +
		"A warning, too, is a tag of which a source says that this registry was not affected. " +
		"It is an info where an account or a registry was open to an attacker and nothing shows that the image was changed.\n\n" +
		"A repository of Docker Hub is recognised behind the prefix of a mirror or of a pull-through cache.",
	Format: "githubactions",
	Bad: `on: push
jobs:
  scan:
    runs-on: ubuntu-24.04
    container: checkmarx/kics:v2.1.21
    steps:
      - run: kics version
`,
	Good: `on: push
jobs:
  scan:
    runs-on: ubuntu-24.04
    container: checkmarx/kics:v2.1.19@sha256:7b0a4d750acd491942ce9de52c1183fbf4451c1c936780ec2cfacd2650e7d84c
    steps:
      - run: kics version
`,
	Fix: "Find out whether it ran while the tag was bad: `digestlint exposure` dates the line in the repository's history and reads CI logs. " +
		"If it did, or if that can't be known, respond as `digestlint explain malicious-digest` says. " +
		"Then pin a clean image by digest: a good digest ends the finding.",
	Since:     "0.1",
	Security:  "8.5",
	Precision: "high",
	Everyone:  true,
	Check: func(p *Pass) {
		for i := range p.Uses {
			if u := &p.Uses[i]; u.Role == image.Pull {
				reportCompromised(p, u)
			}
		}
	},
})

// reportCompromised reports one finding about all that the advisories say of the
// tags of a use, the worst first in severity and hint.
func reportCompromised(p *Pass, u *image.Use) {
	var worst *advisories.TagHit
	var of *image.Value
	var what []string
	vs := pick(u, func(v *image.Value) bool {
		return v.Err == nil && !v.Ref.Pinned() && len(advisories.Match(v.Ref)) > 0
	})
	for _, v := range vs {
		hits := advisories.Match(v.Ref)
		what = append(what, describeTag(v, hits))
		for _, h := range hits {
			if worst == nil || tagSeverity(h) > tagSeverity(*worst) {
				worst, of = &h, v
			}
		}
	}
	if worst == nil {
		return
	}
	p.reportValues(u, vs, Finding{
		Severity: tagSeverity(*worst),
		Message:  strings.Join(what, "; "),
		Hint:     tagHint(of, *worst),
	})
}

func tagSeverity(h advisories.TagHit) Severity {
	switch {
	case h.Verdict == advisories.Exposure:
		return Info
	case h.Verdict == advisories.InWindow, h.Disputed():
		return Warning
	}
	return Error
}

// describeTag says what the advisories say of v.
func describeTag(v *image.Value, hits []advisories.TagHit) string {
	name := v.Text
	if v.Ref.Tag == "" {
		name += ":latest"
	}
	fates := make([]string, len(hits))
	for i, h := range hits {
		from := h.Advisory.ID
		if h.Certainty.Grade != advisories.Confirmed {
			from += ", " + h.Certainty.Grade.String()
		}
		fates[i] = fmt.Sprintf("%s (%s)", fate(h), from)
	}
	return name + " " + strings.Join(fates, " and ")
}

// fate is what became of a tag, in words that follow its name.
func fate(h advisories.TagHit) string {
	switch h.State {
	case advisories.Malicious:
		if h.Intended != "" {
			return "comes from a host of an attacker; " + h.Intended + " is what people mean"
		}
		return "belongs to an attacker"
	case advisories.CreatedByAttacker:
		return "was created by the attacker"
	case advisories.Withdrawn:
		return "was malicious and has been withdrawn"
	case advisories.Permanent:
		return "is malicious and was never replaced"
	case advisories.Overwritten:
		return "was malicious " + cmp.Or(when(h), "for a time")
	}
	return "may have been tampered with; nothing is proven"
}

// when is the windows of a hit without their certainty, empty where there are
// none.
func when(h advisories.TagHit) string {
	union := advisories.Union(h.Windows)
	for i := range union {
		union[i].Certainty = advisories.Certainty{}
	}
	parts := make([]string, len(union))
	for i, w := range union {
		parts[i] = w.String()
	}
	return strings.Join(parts, " and ")
}

// tagHint says what to do about a hit for v.
func tagHint(v *image.Value, h advisories.TagHit) string {
	do := "treat every job and host that ran it as compromised and rotate all credentials that they could reach"
	switch h.Verdict {
	case advisories.InWindow:
		do = "if it ran then, " + do
	case advisories.Exposure:
		do = "nothing has to be done but to pin a digest that you have checked"
	}
	lines := []string{do + "; what to do: `digestlint explain compromised-tag`"}
	if words := h.Certainty.Words; words != "" && h.Certainty.Grade != advisories.Confirmed {
		lines = append(lines, "how sure that is: "+words)
	}
	return strings.Join(append(lines, knownGood(v.Ref, h.Advisory)), "\n")
}

package rules

import (
	"fmt"

	"github.com/digestlint/digestlint/image"
)

// UnresolvedVariable is about images that nobody can judge.
var UnresolvedVariable = register(Rule{
	Name:     "unresolved-variable",
	Severity: Info,
	Summary:  "The image depends on something that no file here decides",
	Why: "What comes from the environment of whoever runs this, from a template or from a command cannot be judged and cannot be pinned here. " +
		"It is counted, so that nobody takes silence for safety.",
	Format: "dockerfile",
	Bad:    "ARG VERSION\nFROM nginx:${VERSION}\n",
	Good:   "ARG VERSION=1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\nFROM nginx:${VERSION}\n",
	Fix: "Give the variable a value in a file of the repository, or a default, and pin that. " +
		"Where it must stay open, pin the image where the value is decided, and exclude the path or set the rule to `off` here.",
	Since:     "0.1",
	Precision: "high",
	Check: func(p *Pass) {
		for i := range p.Uses {
			u := &p.Uses[i]
			if u.Role != image.Pull || u.Resolved() && len(u.Missing) == 0 && !u.Placeholder {
				continue
			}
			message, hint := explainUnresolved(u)
			p.ReportUse(u, nil, Finding{Message: message, Hint: hint})
		}
	},
})

// explainUnresolved says what a use is waiting for.
func explainUnresolved(u *image.Use) (message, hint string) {
	const define = "give it a value or a default in a file of the repository, so that it can be judged and pinned"
	switch names := u.Undecided(); {
	case u.Placeholder:
		return fmt.Sprintf("%s is a placeholder: the image is not known here", u.Raw), "pin the image where the placeholder is filled in"
	case len(names) > 0:
		return fmt.Sprintf("the image depends on %s, which no file here decides", list(names)), define
	case len(u.Variables) > 0:
		return fmt.Sprintf("the image depends on %s, whose value is not known here", list(u.Variables)), define
	}
	return fmt.Sprintf("%s is only known when it runs", u.Raw), define
}

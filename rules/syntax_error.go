package rules

import (
	"cmp"

	"github.com/digestlint/digestlint/source"
)

// SyntaxError is about files that are broken as what they are.
var SyntaxError = register(Rule{
	Name:     "syntax-error",
	Severity: Warning,
	Summary:  "The file, or a part of it, could not be read as its format",
	Why: "References in what could not be read are neither found nor pinned. " +
		"What is found in the rest counts all the same, and listed digests are searched for in every byte.",
	Format: "compose",
	Bad: `services:
  web:
    image: "nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
`,
	Good: `services:
  web:
    image: "nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
`,
	Fix: "Correct the file. If it is of another format than the message names, say so in the configuration. " +
		"If the tool that it is for accepts it, please report that to digestlint.",
	Since:     "0.1",
	Precision: "high",
	Everyone:  true,
	Check: func(p *Pass) {
		for _, problem := range p.Problems {
			at := source.Span{Start: problem.Offset, End: problem.Offset}
			p.Report(at, Finding{Message: "not readable as " + cmp.Or(p.Format, "text") + ": " + problem.Message})
		}
	},
})

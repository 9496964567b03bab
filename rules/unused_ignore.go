package rules

// UnusedIgnore is about ignore comments that hide nothing. The driver, which
// knows what they hide, reports it.
var UnusedIgnore = register(Rule{
	Name:     "unused-ignore",
	Severity: Warning,
	Summary:  "An ignore comment hides nothing, or has expired",
	Why: "A comment that outlives its finding will hide the next one, for a reason that is no longer true. " +
		"One with `until=` hides nothing from the day after.\n\n" +
		"Rules that need registries, a setting or other files are not called unused: another run may find what this one can't. " +
		"So are comments in a file of which a part could not be read.",
	Format: "dockerfile",
	Bad: "# digestlint:ignore[unpinned-image] the mirror keeps its tags\n" +
		"FROM nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Good:         "FROM nginx:1.27.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Fix:          "Remove the comment, or the name of the rule from its list. If the finding is elsewhere, move the comment to its line or the one above.",
	Since:        "0.1",
	Precision:    "very-high",
	Everyone:     true,
	AboutIgnores: true,
})

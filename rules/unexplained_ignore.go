package rules

// UnexplainedIgnore is about ignore comments without a reason, and those that
// can't be understood. The driver, which reads them, reports it.
var UnexplainedIgnore = register(Rule{
	Name:     "unexplained-ignore",
	Severity: Warning,
	Summary:  "An ignore comment gives no reason, or is not written as one",
	Why: "Whoever reads the comment in a year has to know whether it still holds. " +
		"And a comment that is wrongly written hides less than its author believes: one that names no rule, " +
		"a rule that does not exist or that no comment hides, a date that is none, `ignore-file` behind the first lines of a file. " +
		"There is no comment that hides all rules.",
	Format: "dockerfile",
	Bad:    "# digestlint:ignore[unpinned-image]\nFROM nginx:1.27.4\n",
	Good:   "# digestlint:ignore[unpinned-image] until=2999-12-31 the mirror keeps its tags\nFROM nginx:1.27.4\n",
	Fix: "Write `digestlint:ignore[rule,…] the reason`, with `until=2027-01-31` before the reason if the problem will be solved by then. " +
		"`digestlint rules` lists the rules.",
	Since:        "0.1",
	Precision:    "very-high",
	Everyone:     true,
	AboutIgnores: true,
})

package rules

import (
	"fmt"
	"strings"
)

// Page is the documentation of a rule in Markdown: what, why, bad, good, how to
// fix, how to ignore, since when.
func Page(r *Rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\nDefault severity: %s. Since version %s.\n", r.Name, r.Summary, r.Default(), r.Since)
	if r.OnlineOnly() {
		b.WriteString("Only with `--online`: the registry is asked.\n")
	}
	if r.Optional {
		fmt.Fprintf(&b, "\nOff until `rules: {%s: %s}` stands in `.digestlint.yaml`.\n", r.Name, r.Severity)
	}
	if r.Setting != "" {
		fmt.Fprintf(&b, "\nOff until `%s` is set in `.digestlint.yaml`.\n", r.Setting)
	}
	section(&b, "Why", r.Why)
	section(&b, "Bad", fence(r.Format, r.Bad))
	section(&b, "Good", fence(r.Format, r.Good))
	section(&b, "How to fix", r.Fix)
	section(&b, "How to ignore", ignoring(r))
	return b.String()
}

func section(b *strings.Builder, title, text string) {
	if text = strings.TrimRight(text, "\n"); text != "" {
		fmt.Fprintf(b, "\n## %s\n\n%s\n", title, text)
	}
}

// fence is an example as a code block, with the name that highlighters know.
func fence(format, code string) string {
	if code == "" {
		return ""
	}
	language := "yaml"
	switch format {
	case "dockerfile":
		language = format
	case "":
		language = "text"
	}
	return "```" + language + "\n" + strings.TrimRight(code, "\n") + "\n```"
}

func ignoring(r *Rule) string {
	if r.Certain {
		text := "No comment, revision filter or baseline hides this finding. " +
			"The configuration can except one digest (`exceptions`), with a reason and an expiry date; the exception is printed at each run. "
		if r == MaliciousMention {
			return text + "It can also exclude a path (`exclude`), where this rule stands among the exclusion's `rules`."
		}
		return text + "Only what is not read at all, such as files that `--exclude` names, is not judged."
	}
	if r.AboutIgnores {
		return "No comment hides this finding. The severity for all files is set in `.digestlint.yaml`."
	}
	return fmt.Sprintf("Write a comment on the line or on the line above, in the comment syntax of the file:\n\n"+
		"```text\n# digestlint:ignore[%s] the reason\n```\n\n"+
		"The reason is required; `until=2027-01-31` before it sets an expiry date. "+
		"In a Dockerfile the comment needs a line of its own. The severity for all files is set in `.digestlint.yaml`.", r.Name)
}

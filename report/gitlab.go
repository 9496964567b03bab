package report

import (
	"io"

	"github.com/digestlint/digestlint/rules"
)

// GitLab is a report for the code quality of merge requests
// (https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format).
var GitLab = register(Format{
	Name:    "gitlab",
	Summary: "for GitLab: a code quality report",
	Write:   writeGitLab,
})

// gitlabIssue has all fields that GitLab requires. Of two with one fingerprint
// it would drop one.
type gitlabIssue struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
}

func writeGitLab(w io.Writer, r *Report) error {
	s := newJSONStream(w)
	prints := newFingerprinter()
	array(s, "", func(yield func(gitlabIssue) bool) {
		for f := range withErrors(r) {
			if !yield(toGitLab(f, prints.next(f))) {
				return
			}
		}
	})
	s.raw("\n")
	return s.flush()
}

// toGitLab names the rule in the description, as GitLab does not show
// check_name.
func toGitLab(f *rules.Finding, print fingerprint) gitlabIssue {
	return gitlabIssue{
		Description: f.Rule.Name + ": " + Visible(f.Message),
		CheckName:   f.Rule.Name,
		Fingerprint: print.String(),
		Severity:    gitlabSeverity(f),
		Location:    gitlabLocation{plainPath(f.Path), gitlabLines{max(f.Start.Line, 1)}},
	}
}

func gitlabSeverity(f *rules.Finding) string {
	switch {
	case f.Rule.Certain && f.Severity == rules.Error:
		return "blocker"
	case f.Severity == rules.Error:
		return "major"
	case f.Severity == rules.Warning:
		return "minor"
	}
	return "info"
}

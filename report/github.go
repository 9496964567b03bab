package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/digestlint/digestlint/rules"
)

// GitHub is annotations on the lines of a pull request: workflow commands
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message),
// escaped as https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
// does it.
var GitHub = register(Format{
	Name:    "github",
	Summary: "for GitHub Actions: annotations, the worst first",
	Write:   writeGitHub,
})

// maxAnnotations is how many annotations of a level GitHub keeps of a step.
const maxAnnotations = 10

// levels are the commands of workflows for severities.
var levels = [...]string{rules.Off: "notice", rules.Info: "notice", rules.Warning: "warning", rules.Error: "error"}

// writeGitHub writes commands only for what GitHub shows, and lines of the log
// for the rest.
func writeGitHub(w io.Writer, r *Report) error {
	b := bufio.NewWriter(w)
	room := map[string]int{"notice": maxAnnotations, "warning": maxAnnotations, "error": maxAnnotations}
	say := func(f *rules.Finding) {
		level := levels[f.Severity]
		if room[level] > 0 {
			room[level]--
			annotate(b, level, f)
		} else {
			conciseLine(b, f)
		}
	}
	for _, i := range worstFirst(r.Findings) {
		say(&r.Findings[i])
	}
	for f := range withErrors(&Report{Errors: r.Errors}) {
		say(f)
	}
	for _, e := range r.Errors {
		if e.Path == "" {
			fmt.Fprintf(b, "%s: %s\n", incomplete.Name, errorLine(e))
		}
	}
	fmt.Fprintln(b, summaryLine(r.Summary))
	return b.Flush()
}

// annotate writes a finding as a command. The annotation is that of one line, as
// columns are allowed then only.
func annotate(w io.Writer, level string, f *rules.Finding) {
	at := region(f)
	fmt.Fprintf(w, "::%s file=%s,line=%d,endLine=%d,col=%d,endColumn=%d,title=%s::%s\n", level,
		commandProperty(plainPath(f.Path)), at.StartLine, at.EndLine, at.StartColumn, at.EndColumn, commandProperty(f.Rule.Name), commandData(f))
}

// commandData is what an annotation says: the message, and hints on lines of
// their own.
func commandData(f *rules.Finding) string {
	text := Visible(f.Message)
	for _, hint := range hintLines(f) {
		text += "\nhint: " + Visible(hint)
	}
	return dataEscapes.Replace(text)
}

func commandProperty(s string) string { return propertyEscapes.Replace(Visible(s)) }

var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

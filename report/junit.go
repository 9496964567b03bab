package report

import (
	"fmt"
	"io"

	"github.com/digestlint/digestlint/rules"
)

// JUnit shows findings as failed tests: a suite for each file
// (https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd,
// https://docs.gitlab.com/ci/testing/unit_test_reports/).
var JUnit = register(Format{
	Name:    "junit",
	Summary: "for test reports of CI systems: JUnit XML",
	Write:   writeJUnit,
})

// junitSuite is the tests of a file, or of the run where path is empty.
type junitSuite struct {
	path     string
	findings []rules.Finding
	errors   []Error
}

// writeJUnit writes a passed test where there is nothing to tell, as Jenkins
// takes a report without tests for a mistake.
func writeJUnit(w io.Writer, r *Report) error {
	x := newXMLWriter(w)
	x.raw("<testsuites name=\"digestlint\">\n")
	prints := newFingerprinter()
	for from := 0; from < len(r.Findings); {
		to := from + 1
		for to < len(r.Findings) && r.Findings[to].Path == r.Findings[from].Path {
			to++
		}
		writeSuite(x, junitSuite{path: r.Findings[from].Path, findings: r.Findings[from:to]}, prints)
		from = to
	}
	if len(r.Findings) == 0 || len(r.Errors) > 0 {
		writeSuite(x, junitSuite{errors: r.Errors}, prints)
	}
	x.raw("</testsuites>\n")
	return x.Flush()
}

func writeSuite(x xmlWriter, s junitSuite, prints *fingerprinter) {
	failures, skipped := 0, 0
	for i := range s.findings {
		if junitFails(&s.findings[i]) {
			failures++
		} else {
			skipped++
		}
	}
	name := s.path
	if name == "" {
		name = "digestlint"
	}
	x.raw("  <testsuite")
	x.attr("name", name)
	x.number("tests", max(len(s.findings)+len(s.errors), 1))
	x.number("failures", failures)
	x.number("errors", len(s.errors))
	x.number("skipped", skipped)
	if s.path != "" {
		x.attr("file", s.path)
	}
	x.raw(">\n")
	for i := range s.findings {
		f := &s.findings[i]
		_, n := prints.nth(f)
		writeTestCase(x, f, n)
	}
	for i, e := range s.errors {
		x.raw("    <testcase")
		x.attr("classname", name)
		x.attr("name", fmt.Sprintf("%s %d", incomplete.Name, i+1))
		x.raw(">")
		outcome(x, "error", incomplete.Name, e.Message, errorLine(e))
		x.raw("</testcase>\n")
	}
	if len(s.findings)+len(s.errors) == 0 {
		x.raw("    <testcase classname=\"digestlint\" name=\"digestlint\"/>\n")
	}
	x.raw("  </testsuite>\n")
}

// junitFails reports whether a finding counts as a failure: information, which
// fails no run unless asked for, does not.
func junitFails(f *rules.Finding) bool { return f.Severity >= rules.Warning }

// writeTestCase writes the nth finding of its kind. The number tells it from the
// others, as GitLab drops tests with the name of another; lines are not in the
// name, which readers follow from run to run.
func writeTestCase(x xmlWriter, f *rules.Finding, n int) {
	name := f.Rule.Name
	if f.Reference != "" {
		name += ": " + f.Reference
	}
	if n > 1 {
		name += fmt.Sprintf(" (%d)", n)
	}
	kind := "skipped"
	if junitFails(f) {
		kind = "failure"
	}
	text := fmt.Sprintf("%s:%d:%d: %s: %s", LeadingPath(f.Path), f.Start.Line, f.Start.Column, f.Severity, Visible(f.Message))
	for _, hint := range hintLines(f) {
		text += "\nhint: " + Visible(hint)
	}
	x.raw("    <testcase")
	x.attr("classname", f.Path)
	x.attr("name", name)
	x.raw(">")
	outcome(x, kind, f.Rule.Name, f.Message, text)
	x.raw("</testcase>\n")
}

// outcome writes why a test did not pass. Some readers show the message, some
// the text.
func outcome(x xmlWriter, kind, of, message, text string) {
	x.raw("<" + kind)
	x.attr("type", of)
	x.attr("message", message)
	x.raw(">")
	x.text(text)
	x.raw("</" + kind + ">")
}

package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// attacks are texts that mean something to the reader of some format.
var attacks = map[string]string{
	"escape sequence":      "\x1b[2J\x1b]0;owned\a",
	"lines":                "a\nb\r\nc\rd\u2028e\u0085f",
	"NUL and stray bytes":  "a\x00b\xff\xc3(",
	"no characters of XML": "\ufffe\uffff\x0b\x7f",
	"direction":            "\u202egnp.exe\u2066\U000e0001",
	"command":              "::error file=x,line=1,title=owned::owned",
	"indented command":     " \t\u00a0::add-mask::e",
	"new line and command": "\n::stop-commands::owned",
	"command anywhere":     "a ##[add-mask]e ###[group]b ##vso[task.setvariable variable=a]b ##teamcity[x 'y']",
	"properties":           "x,line=7,title=owned;file=y::z",
	"escaped":              "%0A::error::owned %25 %3A&amp;&#10;&lt;",
	"end of CDATA":         "]]><x/><!--",
	"elements":             `</file><error line="1"/><script>alert(1)</script>`,
	"quotes":               `" onload='x' \" \u0022`,
	"cells":                "a | b \\| c |\\",
	"code":                 "`a` ``b`` ```\n# c",
	"Markdown":             "[click](https://example.com) ![](x) <b>*a*</b> @octocat #1 ~~b~~ $c$",
	"attachment":           "[[ATTACHMENT|/etc/passwd]]",
	"JSON":                 `"},{"version":1,"type":"summary"}`,
}

// hostileReport has s wherever a stranger decides the text.
func hostileReport(s string) *Report {
	f := at(s, "image: "+s+"\n", s, rules.Finding{
		Rule: rules.UnpinnedImage, Message: s, Hint: s, Pointer: s, Reference: s,
		Related: []rules.Related{{Path: s, Start: source.Position{Line: 2, Column: 3}, Message: s}},
	})
	twin := f
	twin.Rule = rules.UnresolvedVariable
	twin.Severity = rules.Info
	return &Report{
		Version: "1.2.3", Findings: []rules.Finding{f, twin}, Category: s,
		Errors: []Error{{Path: s, Line: 3, Column: 4, Message: s}},
	}
}

// TestHostile reads every format back with a parser of that format: what comes
// out is what went in, and no more.
func TestHostile(t *testing.T) {
	readers := map[*Format]func(*testing.T, string, []byte){
		Text:       func(t *testing.T, s string, out []byte) { checkLines(t, out, 16+2*strings.Count(s, "\n")) },
		Concise:    func(t *testing.T, s string, out []byte) { checkLines(t, out, 3) },
		JSON:       readJSON,
		JSONL:      readJSONL,
		SARIF:      readSARIF,
		GitHub:     readGitHub,
		GitLab:     readGitLab,
		JUnit:      readJUnit,
		Checkstyle: readCheckstyle,
		RDJSON:     readRDJSON,
		Markdown:   readMarkdown,
	}
	for _, f := range Formats() {
		read := readers[f]
		if read == nil {
			t.Errorf("nothing reads %s back", f.Name)
			continue
		}
		for name, s := range attacks {
			t.Run(f.Name+"/"+name, func(t *testing.T) {
				out := write(t, f, hostileReport(s))
				checkTerminal(t, out)
				checkLog(t, f, out)
				read(t, s, out)
			})
		}
	}
}

func checkTerminal(t *testing.T, out []byte) {
	t.Helper()
	for _, r := range strings.ReplaceAll(string(out), "\t", "") {
		if r != '\n' && r != utf8.RuneError && hidden(r) {
			t.Errorf("%U reaches the terminal:\n%q", r, out)
		}
	}
}

// workflowCommand is a line as a runner of GitHub Actions reads it
// (https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs).
type workflowCommand struct {
	name, data string
	properties map[string]string
}

// loggingCommand is what runners find wherever it stands.
var loggingCommand = regexp.MustCompile(`(?i)##[a-z]*\[`)

func parseCommand(line string) (workflowCommand, bool) {
	line, ok := strings.CutPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::")
	if !ok {
		return workflowCommand{}, false
	}
	info, data, ok := strings.Cut(line, "::")
	if !ok {
		return workflowCommand{}, false
	}
	name, list, _ := strings.Cut(info, " ")
	c := workflowCommand{name, unescapeCommand(data), map[string]string{}}
	for _, p := range strings.Split(list, ",") {
		if key, value, ok := strings.Cut(p, "="); ok {
			c.properties[key] = unescapeCommand(strings.NewReplacer("%3A", ":", "%2C", ",").Replace(value))
		}
	}
	return c, true
}

func unescapeCommand(s string) string {
	s = strings.NewReplacer("%0D", "\r", "%0A", "\n").Replace(s)
	return strings.ReplaceAll(s, "%25", "%")
}

// checkLog holds that a runner obeys nothing, but for the format that is made of
// commands.
func checkLog(t *testing.T, f *Format, out []byte) {
	t.Helper()
	for _, line := range strings.Split(string(out), "\n") {
		if c, ok := parseCommand(line); ok && f != GitHub {
			t.Errorf("a command: %+v", c)
		}
		if loggingCommand.MatchString(line) {
			t.Errorf("a logging command: %q", line)
		}
	}
}

func checkLines(t *testing.T, out []byte, want int) {
	t.Helper()
	if got := bytes.Count(out, []byte("\n")); got != want {
		t.Errorf("%d lines, not %d:\n%s", got, want, out)
	}
}

// same compares what a reader gets.
func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

func decode(t *testing.T, out []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("something behind the end: %v", err)
	}
}

// asJSON is a string as JSON can hold it.
func asJSON(s string) string { return strings.Map(func(r rune) rune { return r }, s) }

func readJSON(t *testing.T, s string, out []byte) {
	var r struct {
		Version  int
		Findings []jsonFinding
		Errors   []jsonError
		Summary  jsonSummary
	}
	decode(t, out, &r)
	if len(r.Findings) != 2 || len(r.Errors) != 1 {
		t.Fatalf("%d findings, %d errors", len(r.Findings), len(r.Errors))
	}
	checkJSONFinding(t, s, r.Findings[0])
	same(t, "error", r.Errors[0], jsonError{asJSON(s), 3, 4, asJSON(s)})
}

func checkJSONFinding(t *testing.T, s string, f jsonFinding) {
	t.Helper()
	for _, got := range []string{f.Path, f.Message, f.Hint, f.Pointer, f.Reference, f.Related[0].Path, f.Related[0].Message} {
		same(t, "text", got, asJSON(s))
	}
}

func readJSONL(t *testing.T, s string, out []byte) {
	checkLines(t, out, 4)
	lines := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
	for i, want := range []string{"finding", "finding", "error", "summary"} {
		var line struct {
			jsonLine
			jsonFinding
			jsonSummary
		}
		decode(t, lines[i], &line)
		same(t, "line", line.jsonLine, jsonLine{1, want})
		if want == "finding" {
			checkJSONFinding(t, s, line.jsonFinding)
		}
	}
}

func readSARIF(t *testing.T, s string, out []byte) {
	var log sarifLog
	decode(t, out, &log)
	run := log.Runs[0]
	if len(run.Results) != 2 || len(run.Invocations[0].ToolExecutionNotifications) != 1 {
		t.Fatalf("%d results, %d notifications", len(run.Results), len(run.Invocations[0].ToolExecutionNotifications))
	}
	if text := run.Results[0].Message.Text; strings.Contains(text, "](") {
		t.Errorf("a link in %q", text)
	}
	if uri := run.Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI; !regexp.MustCompile(`^(%[0-9A-F]{2}|[-._~/A-Za-z0-9])+$`).MatchString(uri) {
		t.Errorf("URI %q", uri)
	}
}

func readGitHub(t *testing.T, s string, out []byte) {
	var got []workflowCommand
	for _, line := range strings.Split(string(out), "\n") {
		if c, ok := parseCommand(line); ok {
			got = append(got, c)
		}
	}
	if len(got) != 3 {
		t.Fatalf("%d commands in\n%s", len(got), out)
	}
	shown := Visible(s)
	hinted := shown
	for _, line := range strings.Split(s, "\n") {
		hinted += "\nhint: " + Visible(line)
	}
	for i, want := range []struct{ name, title, data string }{
		{"error", "unpinned-image", hinted}, {"notice", "unresolved-variable", hinted}, {"error", "incomplete", shown},
	} {
		c := got[i]
		same(t, "command", c.name, want.name)
		same(t, "data", c.data, want.data)
		same(t, "title", c.properties["title"], want.title)
		same(t, "file", c.properties["file"], shown)
		same(t, "properties", len(c.properties), 6)
	}
}

func readGitLab(t *testing.T, s string, out []byte) {
	var issues []gitlabIssue
	decode(t, out, &issues)
	if len(issues) != 3 {
		t.Fatalf("%d issues", len(issues))
	}
	prints := map[string]bool{}
	for _, i := range issues {
		same(t, "description", i.Description, i.CheckName+": "+Visible(s))
		same(t, "path", i.Location.Path, asJSON(s))
		prints[i.Fingerprint] = true
	}
	same(t, "fingerprints", len(prints), 3)
}

func readRDJSON(t *testing.T, s string, out []byte) {
	var r struct {
		Source      struct{ Name string }
		Diagnostics []rdDiagnostic
	}
	decode(t, out, &r)
	if len(r.Diagnostics) != 3 {
		t.Fatalf("%d diagnostics", len(r.Diagnostics))
	}
	for _, d := range r.Diagnostics {
		same(t, "path", d.Location.Path, asJSON(s))
		if strings.Contains(d.Message, "](") {
			t.Errorf("a link in %q", d.Message)
		}
	}
	same(t, "message", r.Diagnostics[2].Message, plain(Visible(s)))
}

// asXML is a string as XML can hold it.
func asXML(s string) string {
	return strings.NewReplacer("\ufffe", "\ufffd", "\uffff", "\ufffd").Replace(Visible(s))
}

// decodeXML reads a document, and holds that it has no other elements and
// attributes than those which are known.
func decodeXML(t *testing.T, out []byte, v any, known ...string) {
	t.Helper()
	if err := xml.Unmarshal(out, v); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	for d := xml.NewDecoder(bytes.NewReader(out)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if !slices.Contains(known, e.Name.Local) {
				t.Errorf("element %s", e.Name.Local)
			}
			for _, a := range e.Attr {
				if name := e.Name.Local + "." + a.Name.Local; !slices.Contains(known, name) {
					t.Errorf("attribute %s", name)
				}
			}
		case xml.Comment, xml.Directive:
			t.Errorf("%T", e)
		}
	}
}

type checkstyleFile struct {
	Name  string `xml:"name,attr"`
	Error []struct {
		Line     int    `xml:"line,attr"`
		Column   int    `xml:"column,attr"`
		Severity string `xml:"severity,attr"`
		Message  string `xml:"message,attr"`
		Source   string `xml:"source,attr"`
	} `xml:"error"`
}

func readCheckstyle(t *testing.T, s string, out []byte) {
	var doc struct {
		XMLName xml.Name         `xml:"checkstyle"`
		Version string           `xml:"version,attr"`
		File    []checkstyleFile `xml:"file"`
	}
	decodeXML(t, out, &doc, "checkstyle", "checkstyle.version", "file", "file.name",
		"error", "error.line", "error.column", "error.severity", "error.message", "error.source")
	if len(doc.File) != 1 || len(doc.File[0].Error) != 3 {
		t.Fatalf("%+v", doc)
	}
	same(t, "name", doc.File[0].Name, asXML(s))
	for i, severity := range []string{"error", "info", "error"} {
		e := doc.File[0].Error[i]
		same(t, "message", e.Message, asXML(s))
		same(t, "severity", e.Severity, severity)
		if e.Line < 1 || e.Column < 1 {
			t.Errorf("at %d:%d", e.Line, e.Column)
		}
	}
}

type junitOutcome struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitDocument struct {
	XMLName xml.Name `xml:"testsuites"`
	Suites  []struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Cases    []struct {
			Class   string         `xml:"classname,attr"`
			Name    string         `xml:"name,attr"`
			Failure []junitOutcome `xml:"failure"`
			Skipped []junitOutcome `xml:"skipped"`
			Error   []junitOutcome `xml:"error"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func decodeJUnit(t *testing.T, out []byte) junitDocument {
	t.Helper()
	var doc junitDocument
	decodeXML(t, out, &doc, "testsuites", "testsuites.name",
		"testsuite", "testsuite.name", "testsuite.tests", "testsuite.failures", "testsuite.errors", "testsuite.skipped", "testsuite.file",
		"testcase", "testcase.classname", "testcase.name", "failure", "failure.type", "failure.message",
		"skipped", "skipped.type", "skipped.message", "error", "error.type", "error.message")
	for _, s := range doc.Suites {
		failures, errs, skipped := 0, 0, 0
		for _, c := range s.Cases {
			failures += len(c.Failure)
			errs += len(c.Error)
			skipped += len(c.Skipped)
		}
		if s.Tests != len(s.Cases) || s.Failures != failures || s.Errors != errs || s.Skipped != skipped {
			t.Errorf("the counts of %s are wrong: %+v", s.Name, s)
		}
	}
	return doc
}

func readJUnit(t *testing.T, s string, out []byte) {
	doc := decodeJUnit(t, out)
	if len(doc.Suites) != 2 || len(doc.Suites[0].Cases) != 2 || len(doc.Suites[1].Cases) != 1 {
		t.Fatalf("%+v", doc)
	}
	suite := doc.Suites[0]
	same(t, "suite", suite.Name, asXML(s))
	same(t, "class", suite.Cases[0].Class, asXML(s))
	same(t, "name", suite.Cases[0].Name, "unpinned-image: "+asXML(s))
	same(t, "failure", suite.Cases[0].Failure[0].Message, asXML(s))
	same(t, "skipped", suite.Cases[1].Skipped[0].Message, asXML(s))
	same(t, "error", doc.Suites[1].Cases[0].Error[0].Message, asXML(s))
}

// readMarkdown splits the table as readers do, at vertical bars that no
// backslash is before.
func readMarkdown(t *testing.T, s string, out []byte) {
	want := []string{"error", "info"}
	rows := 0
	for _, line := range strings.Split(string(out), "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| severity |") || strings.HasPrefix(line, "|---") {
			if at := strings.Index(line, "<code>"); at >= 0 {
				checkCode(t, line[at:])
			}
			continue
		}
		cells := regexp.MustCompile(`(?:[^|\\]|\\.)+`).FindAllString(line, -1)
		if len(cells) != 4 || rows >= len(want) {
			t.Fatalf("row %d has %d cells: %s", rows, len(cells), line)
		}
		same(t, "severity", strings.TrimSpace(cells[0]), want[rows])
		same(t, "place", checkCode(t, strings.TrimSpace(cells[1])), Visible(s)+":1:8")
		same(t, "message", checkCode(t, strings.TrimSpace(cells[2])), Visible(s))
		rows++
	}
	same(t, "rows", rows, len(want))
}

// checkCode is the text of a code element, in which nothing is markup.
func checkCode(t *testing.T, element string) string {
	t.Helper()
	inner, ok := strings.CutPrefix(element, "<code>")
	inner, end := strings.CutSuffix(inner, "</code>")
	if !ok || !end {
		t.Fatalf("not one element: %s", element)
	}
	if rest := regexp.MustCompile(`&#\d+;`).ReplaceAllString(inner, ""); strings.ContainsAny(rest, "\\`*_~[]<>&|$#\n") {
		t.Errorf("markup in %s", inner)
	}
	return html.UnescapeString(inner)
}

// TestNoCommands is about paths and texts that are none of the runners' business.
func TestNoCommands(t *testing.T) {
	for s, want := range map[string]string{
		"##[x]": `\x23#[x]`, "###[x]": `#\x23#[x]`, "##VSO[x": `\x23#VSO[x`, "## a [b]": "## a [b]", "#[x]": "#[x]", "##": "##", "##a": "##a", "a##1[": "a##1[",
	} {
		same(t, s, Visible(s), want)
	}
	for path, want := range map[string]string{"a::b": "a::b", "::b": "./::b", " ::b": "./ ::b", "/::b": "/::b"} {
		same(t, path, LeadingPath(path), want)
	}
}

// TestGitHubLimit: GitHub keeps ten annotations of a level.
func TestGitHubLimit(t *testing.T) {
	r := many(25)
	r.Findings[24].Rule, r.Findings[24].Message = rules.MaliciousDigest, "malicious"
	r.Findings[3].Severity = rules.Info
	lines := strings.Split(strings.TrimSpace(string(write(t, GitHub, r))), "\n")
	var got []string
	for _, line := range lines {
		c, _ := parseCommand(line)
		got = append(got, c.name)
	}
	want := append(slices.Repeat([]string{"error"}, 10), slices.Repeat([]string{""}, 14)...)
	want = append(want, "notice", "")
	if !slices.Equal(got, want) || !strings.Contains(lines[0], "malicious") || !strings.HasPrefix(lines[10], "deploy/compose.yaml:3:12: ") {
		t.Errorf("%q in\n%s", got, strings.Join(lines, "\n"))
	}
}

func TestJUnitClean(t *testing.T) {
	doc := decodeJUnit(t, write(t, JUnit, &Report{}))
	if len(doc.Suites) != 1 || len(doc.Suites[0].Cases) != 1 || doc.Suites[0].Failures+doc.Suites[0].Errors != 0 {
		t.Errorf("%+v", doc)
	}
}

// TestJUnitNames: GitLab drops tests with the name of another.
func TestJUnitNames(t *testing.T) {
	names := map[string]bool{}
	for _, c := range decodeJUnit(t, write(t, JUnit, many(3))).Suites[0].Cases {
		names[c.Name] = true
	}
	if len(names) != 3 || !names["unpinned-image: nginx:1.27 (2)"] {
		t.Errorf("%v", names)
	}
}

// chunks is a writer that knows the largest piece it was given.
type chunks struct{ largest, total int }

func (c *chunks) Write(p []byte) (int, error) {
	c.largest, c.total = max(c.largest, len(p)), c.total+len(p)
	return len(p), nil
}

// TestStreams holds that a report of many findings is not in memory as text.
// SARIF, which has a greatest number of results, may be.
func TestStreams(t *testing.T) {
	r := many(20_000)
	for _, f := range Formats() {
		var c chunks
		if err := f.Write(&c, r); err != nil {
			t.Fatal(err)
		}
		if f != SARIF && c.largest > 16<<10 {
			t.Errorf("%s: %d of %d bytes at once", f.Name, c.largest, c.total)
		}
	}
}

// TestMarkdownSize: GitHub drops a summary of more than 1 MiB.
func TestMarkdownSize(t *testing.T) {
	r := many(1000)
	for i := range r.Findings {
		r.Findings[i].Path = strings.Repeat("|", 500)
		r.Findings[i].Message = strings.Repeat("|", 500)
		r.Findings[i].Hint = fmt.Sprint(i, strings.Repeat("|", 500))
		r.Errors = append(r.Errors, Error{Message: strings.Repeat("|", 500)})
	}
	out := write(t, Markdown, r)
	if len(out) > 1<<20 || !bytes.Contains(out, []byte("800 findings more")) || !bytes.Contains(out, []byte("and 800 more")) {
		t.Errorf("%d bytes", len(out))
	}
}

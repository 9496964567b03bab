package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/rules"
)

// SARIF is for code-scanning services
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), with what
// GitHub's needs
// (https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning).
var SARIF = register(Format{
	Name:       "sarif",
	Summary:    "for code-scanning services: SARIF 2.1.0",
	LineHashes: true,
	Write:      writeSARIF,
})

const (
	sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"
	// maxResults is how many results of a run GitHub keeps. It refuses the
	// whole upload when there are five times as many.
	maxResults = 5000
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool              sarifTool         `json:"tool"`
	AutomationDetails *sarifAutomation  `json:"automationDetails,omitempty"`
	Invocations       []sarifInvocation `json:"invocations"`
	ColumnKind        string            `json:"columnKind"`
	Results           []sarifResult     `json:"results"`
}

type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID                   string          `json:"id"`
	Name                 string          `json:"name"`
	ShortDescription     sarifText       `json:"shortDescription"`
	FullDescription      sarifText       `json:"fullDescription"`
	Help                 sarifText       `json:"help"`
	DefaultConfiguration sarifConfig     `json:"defaultConfiguration"`
	Properties           sarifProperties `json:"properties"`
}

type sarifText struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifConfig struct {
	Level string `json:"level"`
}

type sarifProperties struct {
	Precision        string   `json:"precision,omitempty"`
	ProblemSeverity  string   `json:"problem.severity"`
	SecuritySeverity string   `json:"security-severity,omitempty"`
	Tags             []string `json:"tags"`
}

type sarifResult struct {
	RuleID              string            `json:"ruleId"`
	RuleIndex           int               `json:"ruleIndex"`
	Level               string            `json:"level"`
	Message             sarifText         `json:"message"`
	Locations           []sarifLocation   `json:"locations"`
	RelatedLocations    []sarifLocation   `json:"relatedLocations,omitempty"`
	PartialFingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	PhysicalLocation sarifPhysical `json:"physicalLocation"`
	Message          *sarifText    `json:"message,omitempty"`
}

type sarifPhysical struct {
	ArtifactLocation sarifArtifact `json:"artifactLocation"`
	Region           *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI       string `json:"uri"`
	URIBaseID string `json:"uriBaseId,omitempty"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
	EndLine     int `json:"endLine,omitempty"`
	EndColumn   int `json:"endColumn,omitempty"`
}

type sarifInvocation struct {
	ExecutionSuccessful        bool                `json:"executionSuccessful"`
	ToolExecutionNotifications []sarifNotification `json:"toolExecutionNotifications"`
}

type sarifNotification struct {
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

func writeSARIF(w io.Writer, r *Report) error {
	all := rulesOf(r.Findings)
	results := sarifResults(r.Findings, all)
	notes := notifications(r.Errors)
	if extra := len(r.Findings) - len(results); extra > 0 {
		notes = append(notes, sarifNotification{
			Level:   "warning",
			Message: sarifText{Text: fmt.Sprintf("%d findings of the lowest severity are left out: a run holds at most %d results", extra, maxResults)},
		})
	}
	return EncodeJSON(w, sarifLog{
		Schema:  sarifSchema,
		Version: "2.1.0",
		Runs: []sarifRun{{
			Tool:              sarifTool{sarifDriver{Name: "digestlint", Version: cmp.Or(r.Version, "unknown"), Rules: sarifRules(all)}},
			AutomationDetails: automation(r.Category),
			Invocations:       []sarifInvocation{{ExecutionSuccessful: len(r.Errors) == 0, ToolExecutionNotifications: notes}},
			ColumnKind:        "utf16CodeUnits",
			Results:           results,
		}},
	})
}

// automation identifies the run among those of other parts of the repository. It
// ends in a slash, as what stands behind that would name the single run
// (section 3.17.3).
func automation(category string) *sarifAutomation {
	if category == "" {
		return nil
	}
	return &sarifAutomation{"digestlint/" + category + "/"}
}

// rulesOf is all rules, and those of findings that are not among them, by name.
func rulesOf(findings []rules.Finding) []*rules.Rule {
	all := rules.All()
	for i := range findings {
		if r := findings[i].Rule; !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *rules.Rule) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func sarifRules(all []*rules.Rule) []sarifRule {
	out := make([]sarifRule, len(all))
	for i, r := range all {
		short := cmp.Or(r.Summary, r.Name)
		why := cmp.Or(r.Why, short)
		out[i] = sarifRule{
			ID: r.Name, Name: r.Name,
			ShortDescription:     sarifText{Text: short},
			FullDescription:      sarifText{Text: why},
			Help:                 sarifText{Text: strings.TrimSpace(why + "\n\n" + r.Fix), Markdown: rules.Page(r)},
			DefaultConfiguration: sarifConfig{level(r.Severity)},
			Properties: sarifProperties{
				Precision: r.Precision, ProblemSeverity: problemSeverity(r.Severity), SecuritySeverity: r.Security, Tags: tags(r),
			},
		}
	}
	return out
}

// tags are those of a rule; "security" makes services read its
// security-severity.
func tags(r *rules.Rule) []string {
	if r.Security == "" {
		return []string{"container-images"}
	}
	return []string{"security", "container-images"}
}

func level(s rules.Severity) string {
	switch s {
	case rules.Error:
		return "error"
	case rules.Warning:
		return "warning"
	case rules.Info:
		return "note"
	}
	return "none"
}

func problemSeverity(s rules.Severity) string {
	switch s {
	case rules.Error:
		return "error"
	case rules.Warning:
		return "warning"
	}
	return "recommendation"
}

// sarifResults are the findings, worst first: services keep only the first
// thousands.
func sarifResults(findings []rules.Finding, all []*rules.Rule) []sarifResult {
	prints := make([]fingerprint, len(findings))
	printer := newFingerprinter()
	for i := range findings {
		prints[i] = printer.next(&findings[i])
	}
	index := make(map[*rules.Rule]int, len(all))
	for i, r := range all {
		index[r] = i
	}
	order := worstFirst(findings)
	order = order[:min(len(order), maxResults)]
	results := make([]sarifResult, len(order))
	for i, at := range order {
		f := &findings[at]
		results[i] = sarifResult{
			RuleID:              f.Rule.Name,
			RuleIndex:           index[f.Rule],
			Level:               level(f.Severity),
			Message:             sarifText{Text: sarifMessage(f)},
			Locations:           []sarifLocation{{PhysicalLocation: sarifPhysical{artifact(f.Path), region(f)}}},
			RelatedLocations:    relatedLocations(f.Related),
			PartialFingerprints: partialFingerprints(f, prints[at]),
		}
	}
	return results
}

// partialFingerprints are what services know a result by when lines have moved.
// GitHub knows one key only, and computes that itself where it is missing.
func partialFingerprints(f *rules.Finding, print fingerprint) map[string]string {
	prints := map[string]string{"digestlint/v1": print.String()}
	if f.LineHash != "" {
		prints["primaryLocationLineHash"] = f.LineHash
	}
	return prints
}

// sarifMessage is the message as a sentence of its own, which is all that
// services show where space is short, and the hints.
func sarifMessage(f *rules.Finding) string {
	text := Visible(f.Message) + "."
	for _, hint := range hintLines(f) {
		text += "\nHint: " + Visible(hint)
	}
	return plain(text)
}

// plain breaks up what a viewer would take for a link (section 3.11.6): messages
// quote what stands in files.
func plain(s string) string { return strings.ReplaceAll(s, "](", "] (") }

// region is the part of one line that a finding is about: an alert on a pull
// request is shown only if all of its lines have changed.
func region(f *rules.Finding) *sarifRegion {
	start := max(cmp.Or(f.UTF16.Start, f.Start.Column), 1)
	line := max(f.Start.Line, 1)
	return &sarifRegion{StartLine: line, StartColumn: start, EndLine: line, EndColumn: max(f.UTF16.End, start+1)}
}

// relatedLocations name lines only, as the columns that are known count bytes,
// and each line once, as no two may be equal (section 3.27.22).
func relatedLocations(related []rules.Related) []sarifLocation {
	type place struct {
		path, message string
		line          int
	}
	seen := map[place]bool{}
	var out []sarifLocation
	for _, r := range related {
		p := place{r.Path, plain(Visible(r.Message)), max(r.Start.Line, 1)}
		if seen[p] {
			continue
		}
		seen[p] = true
		out = append(out, sarifLocation{
			PhysicalLocation: sarifPhysical{artifact(p.path), &sarifRegion{StartLine: p.line}},
			Message:          &sarifText{Text: p.message},
		})
	}
	return out
}

// artifact is a path as a URI (https://www.rfc-editor.org/rfc/rfc3986),
// relative to the root of the repository unless the path is absolute.
func artifact(path string) sarifArtifact {
	uri := escapePath(plainPath(path))
	if strings.HasPrefix(path, "/") {
		return sarifArtifact{URI: "file://" + uri}
	}
	return sarifArtifact{URI: uri, URIBaseID: "%SRCROOT%"}
}

// escapePath is a path with every byte escaped that is neither unreserved nor a
// slash, bytes that are no UTF-8 too.
func escapePath(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func notifications(errs []Error) []sarifNotification {
	out := make([]sarifNotification, len(errs))
	for i, e := range errs {
		n := sarifNotification{Level: "error", Message: sarifText{Text: plain(errorLine(e))}}
		if e.Path != "" {
			at := sarifPhysical{ArtifactLocation: artifact(e.Path)}
			if e.Line > 0 {
				at.Region = &sarifRegion{StartLine: e.Line}
			}
			n.Locations = []sarifLocation{{PhysicalLocation: at}}
		}
		out[i] = n
	}
	return out
}

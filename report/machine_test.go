package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

func TestJSONShape(t *testing.T) {
	for name, r := range reports {
		out := write(t, JSON, r)
		if bytes.Contains(out, []byte(": null")) {
			t.Errorf("%s: null in\n%s", name, out)
		}
		var got struct {
			Version  int
			Findings []struct {
				Line, Column int
				End          *int
				Related      []any
			}
			Errors  []any
			Summary struct {
				NotRecognised int `json:"not_recognised"`
			}
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Version != 1 || len(got.Findings) != len(r.Findings) || len(got.Errors) != len(r.Errors) || got.Summary.NotRecognised != r.Summary.NotRecognised {
			t.Errorf("%s: %+v", name, got)
		}
		for i, f := range got.Findings {
			if want := r.Findings[i]; f.Line != want.Start.Line || f.Column != want.Start.Column || *f.End != want.Span.End || len(f.Related) != len(want.Related) {
				t.Errorf("%s: %+v is not %+v", name, f, want)
			}
		}
	}
}

// TestEscapedJSON holds that escaping changes no value.
func TestEscapedJSON(t *testing.T) {
	const s = "a\x7f\u0085\u202eé画\U000e0001🙂\u2028\ufffd\x1b"
	var b bytes.Buffer
	if err := EncodeJSON(&b, s); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(strings.TrimSpace(b.String()), func(r rune) bool { return hidden(r) && r != '\ufffd' }) {
		t.Errorf("%q", b.String())
	}
	var back string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back != s {
		t.Errorf("%q, %v", back, err)
	}
}

// object is a part of a SARIF log as its readers see it.
type object = map[string]any

func parseSARIF(t *testing.T, r *Report) object {
	t.Helper()
	var log object
	if err := json.Unmarshal(write(t, SARIF, r), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

// get is the value at a path of keys and indices, or nil.
func get(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(object)
			v = m[step]
		case int:
			a, _ := v.([]any)
			if step >= len(a) {
				return nil
			}
			v = a[step]
		}
	}
	return v
}

func list(v any) []any {
	a, _ := v.([]any)
	return a
}

// TestSARIFRequired checks every field that code-scanning services need; empty
// strings do not count.
func TestSARIFRequired(t *testing.T) {
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			log := parseSARIF(t, r)
			text := func(v any, limit int, path ...any) string {
				t.Helper()
				s, _ := get(v, path...).(string)
				if s == "" || limit > 0 && len(s) > limit {
					t.Errorf("%v is %q", path, s)
				}
				return s
			}
			if s := text(log, 0, "$schema"); !strings.HasSuffix(s, "sarif-2.1.0.json") {
				t.Errorf("$schema %q", s)
			}
			if s := text(log, 0, "version"); s != "2.1.0" {
				t.Errorf("version %q", s)
			}
			run := get(log, "runs", 0)
			if s := text(run, 255, "tool", "driver", "name"); s != "digestlint" {
				t.Errorf("driver %q", s)
			}
			text(run, 0, "tool", "driver", "version")
			if s := text(run, 0, "columnKind"); s != "utf16CodeUnits" {
				t.Errorf("columnKind %q", s)
			}
			known := list(get(run, "tool", "driver", "rules"))
			if len(known) < len(rules.All()) {
				t.Errorf("%d rules", len(known))
			}
			for _, rule := range known {
				text(rule, 255, "id")
				text(rule, 1024, "shortDescription", "text")
				text(rule, 1024, "fullDescription", "text")
				text(rule, 0, "help", "text")
				text(rule, 0, "help", "markdown")
				text(rule, 0, "properties", "precision")
				text(rule, 0, "properties", "problem.severity")
				text(rule, 0, "defaultConfiguration", "level")
				secure := fmt.Sprint(get(rule, "properties", "tags", 0)) == "security"
				if s, ok := get(rule, "properties", "security-severity").(string); ok != secure {
					t.Errorf("the tag security and security-severity go together: %v", rule)
				} else if n, err := strconv.ParseFloat(s, 64); ok && (err != nil || n <= 0 || n > 10) {
					t.Errorf("security-severity %q", s)
				}
			}
			results, ok := get(run, "results").([]any)
			if !ok || len(results) != len(r.Findings) {
				t.Errorf("%d results of %d", len(results), len(r.Findings))
			}
			for _, result := range results {
				index, ok := get(result, "ruleIndex").(float64)
				if id := text(result, 0, "ruleId"); !ok || get(known, int(index), "id") != id {
					t.Errorf("rule %v is not %s", index, id)
				}
				text(result, 0, "level")
				text(result, 0, "message", "text")
				text(result, 0, "partialFingerprints", "digestlint/v1")
				if len(list(get(result, "locations"))) != 1 {
					t.Errorf("not one location: %v", result)
				}
				place := get(result, "locations", 0, "physicalLocation")
				uri := text(place, 0, "artifactLocation", "uri")
				if strings.ContainsAny(uri, " \\\x1b\n[]#?") {
					t.Errorf("URI %q", uri)
				}
				num := func(key string) float64 { n, _ := get(place, "region", key).(float64); return n }
				if num("startLine") < 1 || num("endLine") != num("startLine") || num("startColumn") < 1 || num("endColumn") <= num("startColumn") {
					t.Errorf("region %v", get(place, "region"))
				}
			}
			if done := get(run, "invocations", 0, "executionSuccessful"); done != (len(r.Errors) == 0) {
				t.Errorf("executionSuccessful %v", done)
			}
			notes, ok := get(run, "invocations", 0, "toolExecutionNotifications").([]any)
			if !ok || len(notes) != len(r.Errors) {
				t.Errorf("%d notifications of %d", len(notes), len(r.Errors))
			}
			for _, n := range notes {
				text(n, 0, "message", "text")
			}
		})
	}
}

// TestSARIFOrder: services keep the first thousands of results.
func TestSARIFOrder(t *testing.T) {
	finding := func(r *rules.Rule, s rules.Severity, path string) rules.Finding {
		return at(path, "x", "x", rules.Finding{Rule: r, Severity: s, Message: path})
	}
	log := parseSARIF(t, &Report{Findings: []rules.Finding{
		finding(rules.UnresolvedVariable, rules.Info, "a"),
		finding(rules.UnpinnedImage, rules.Error, "b"),
		finding(rules.SyntaxError, rules.Warning, "c"),
		finding(rules.MaliciousMention, rules.Warning, "d"),
		finding(rules.FloatingTag, rules.Error, "e"),
		finding(rules.MaliciousDigest, rules.Error, "f"),
	}})
	var got string
	for _, r := range list(get(log, "runs", 0, "results")) {
		got += fmt.Sprintf("%v %v\n", get(r, "locations", 0, "physicalLocation", "artifactLocation", "uri"), get(r, "level"))
	}
	if want := "f error\nd warning\nb error\ne error\nc warning\na note\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestSARIFLimit: an upload with more results is refused whole.
func TestSARIFLimit(t *testing.T) {
	r := &Report{Findings: make([]rules.Finding, maxResults+2)}
	for i := range r.Findings {
		r.Findings[i] = rules.Finding{Rule: rules.UnpinnedImage, Severity: rules.Info, Path: "x", Message: "m"}
	}
	r.Findings[maxResults+1].Severity = rules.Error
	log := parseSARIF(t, r)
	results := list(get(log, "runs", 0, "results"))
	if len(results) != maxResults || get(results, 0, "level") != "error" {
		t.Errorf("%d results, the first %v", len(results), get(results, 0, "level"))
	}
	if note, _ := get(log, "runs", 0, "invocations", 0, "toolExecutionNotifications", 0, "message", "text").(string); !strings.HasPrefix(note, "2 findings") {
		t.Errorf("notification %q", note)
	}
}

// TestSARIFIdentity is about what services know results and runs by.
func TestSARIFIdentity(t *testing.T) {
	file := &source.File{Path: "Dockerfile", Data: []byte("FROM a\n"), HashLines: true}
	f := rules.Place(file, source.Span{Start: 5, End: 6}, unpinned("a", "FROM"))
	log := parseSARIF(t, &Report{Findings: []rules.Finding{f}, Category: "deploy/a b"})
	if got := get(log, "runs", 0, "results", 0, "partialFingerprints", "primaryLocationLineHash"); got != file.LineHash(1) || got == "" {
		t.Errorf("line hash %v, not %s", got, file.LineHash(1))
	}
	if got := get(log, "runs", 0, "automationDetails", "id"); got != "digestlint/deploy/a b/" {
		t.Errorf("run %v", got)
	}
	log = parseSARIF(t, reports["one"])
	if got := get(log, "runs", 0, "automationDetails"); got != nil {
		t.Errorf("run %v, which hides the category that an upload is given", got)
	}
	if got := get(log, "runs", 0, "results", 0, "partialFingerprints").(object); len(got) != 1 {
		t.Errorf("fingerprints %v", got)
	}
}

func TestSARIFForeignRule(t *testing.T) {
	r := &rules.Rule{Name: "unused-ignore", Severity: rules.Warning}
	log := parseSARIF(t, &Report{Findings: []rules.Finding{at("f", "x", "x", rules.Finding{Rule: r, Message: "m"})}})
	index, _ := get(log, "runs", 0, "results", 0, "ruleIndex").(float64)
	if id := get(log, "runs", 0, "tool", "driver", "rules", int(index), "id"); id != "unused-ignore" {
		t.Errorf("a rule that is not registered has index %v, of %v", index, id)
	}
}

func TestFingerprints(t *testing.T) {
	f := func(path, ref string, line int) rules.Finding {
		f := unpinned(ref, "p")
		f.Path, f.Start.Line = path, line
		return f
	}
	prints := func(findings ...rules.Finding) []fingerprint {
		var all []fingerprint
		p := newFingerprinter()
		for i := range findings {
			all = append(all, p.next(&findings[i]))
		}
		return all
	}
	before := prints(f("a", "x", 1), f("a", "x", 2), f("a", "y", 3), f("b", "x", 1))
	after := prints(f("a", "x", 11), f("./a", "x", 12), f("a", "y", 13), f("b", "x", 11))
	seen := map[fingerprint]bool{}
	for i := range before {
		if before[i] != after[i] {
			t.Errorf("%d: moving lines changes the fingerprint", i)
		}
		if seen[before[i]] {
			t.Errorf("%d: two findings have one fingerprint", i)
		}
		seen[before[i]] = true
	}
}

func TestArtifact(t *testing.T) {
	for path, want := range map[string]sarifArtifact{
		"a/b-c_d.e~f":  {"a/b-c_d.e~f", "%SRCROOT%"},
		"./a":          {"a", "%SRCROOT%"},
		"a b#?%:[ä].y": {"a%20b%23%3F%25%3A%5B%C3%A4%5D.y", "%SRCROOT%"},
		"\xff\n":       {"%FF%0A", "%SRCROOT%"},
		"/abs/x y":     {"file:///abs/x%20y", ""},
		"../x":         {"../x", "%SRCROOT%"},
	} {
		if got := artifact(path); got != want {
			t.Errorf("%q: got %v, want %v", path, got, want)
		}
	}
}

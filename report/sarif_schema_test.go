package report

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

func sarifSchemaOf(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("testdata/sarif.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSARIFSchema holds that the logs use nothing but what the schema beside the
// goldens lists, in the way that it says.
func TestSARIFSchema(t *testing.T) {
	schema := sarifSchemaOf(t)
	logs := map[string]*Report{"hashed": hashed(), "many": many(maxResults + 7)}
	for name, r := range reports {
		logs[name] = r
	}
	for name, r := range logs {
		log, err := jsonschema.UnmarshalJSON(bytes.NewReader(write(t, SARIF, r)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(log); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hashed is a report with all that is optional: line hashes, a category, and
// related places of which two are on one line.
func hashed() *Report {
	file := &source.File{Path: "compose.yaml", Data: []byte(compose), HashLines: true}
	f := related(unpinned("nginx:1.27", "services.web.image"), 2)
	twin := f.Related[0]
	twin.Start.Column++
	f.Related = append(f.Related, twin)
	return &Report{Findings: []rules.Finding{rules.Place(file, source.Span{Start: 28, End: 38}, f)}, Category: "deploy"}
}

// many is a report of n findings.
func many(n int) *Report {
	r := &Report{Findings: make([]rules.Finding, n)}
	f := at("deploy/compose.yaml", compose, "nginx:1.27", unpinned("nginx:1.27", "services.web.image"))
	for i := range r.Findings {
		r.Findings[i] = f
	}
	return r
}

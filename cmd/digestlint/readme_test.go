package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/report"
)

// TestReadme holds that the README tells what there is.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	for _, f := range parsers.Formats() {
		if !strings.Contains(strings.ToLower(readme), strings.ToLower(f.Title)) {
			t.Errorf("README.md does not name the format %q", f.Title)
		}
	}
	for _, f := range report.Formats() {
		if !strings.Contains(readme, "`"+f.Name+"`") {
			t.Errorf("README.md does not name the output %q", f.Name)
		}
	}
	app := &app{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	for _, c := range app.root().Commands() {
		if !strings.Contains(readme, "digestlint "+c.Name()) && c.Name() != "version" {
			t.Errorf("README.md does not name the command %q", c.Name())
		}
	}
}

// TestReadmeExample holds that the finding which the README shows is what the
// command prints.
func TestReadmeExample(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), "```text\n")
	example, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("README.md shows no output")
	}
	t.Chdir("../..")
	var out, errs bytes.Buffer
	if status := run([]string{"check", "testdata/shop"}, nil, &out, &errs); status != exitFindings || errs.Len() > 0 {
		t.Fatalf("status %d, %s", status, errs.String())
	}
	if !strings.Contains(out.String(), example) {
		t.Errorf("README.md shows\n%s\nwhich is not in\n%s", example, out.String())
	}
}

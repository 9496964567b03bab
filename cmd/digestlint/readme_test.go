package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/config"
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

// TestReadmeConfiguration holds that the README's configurations can be read,
// and that its table of settings is that of the code.
func TestReadmeConfiguration(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	var formats []string
	for _, f := range parsers.Formats() {
		formats = append(formats, f.Name)
	}
	var table strings.Builder
	sections := map[string]bool{}
	for _, s := range config.Settings() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", s.Key, s.Type, s.Doc)
		section, _, _ := strings.Cut(s.Key, ".")
		sections[strings.TrimSuffix(section, "[]")] = false
	}
	if !strings.Contains(readme, table.String()) {
		t.Errorf("README.md does not have this table:\n%s", table.String())
	}
	for _, block := range strings.Split(readme, "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		first, _, _ := strings.Cut(strings.TrimPrefix(text, "# "+config.Name+"\n"), ":")
		if _, ok := sections[first]; !ok {
			continue // something else in YAML
		}
		if _, err := config.Parse("README.md", []byte(text), formats); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
		for section := range sections {
			sections[section] = sections[section] || strings.Contains("\n"+text, "\n"+section+":")
		}
	}
	for section, shown := range sections {
		if !shown {
			t.Errorf("README.md has no example of %s", section)
		}
	}
	for _, name := range []string{timeoutVariable, noCacheVariable, allowedVariable, cacheVariable, baselineVariable} {
		if !strings.Contains(readme, "`"+name) {
			t.Errorf("README.md does not name %s", name)
		}
	}
}

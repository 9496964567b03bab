package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestThreatModel holds that every test which the page names is there.
func TestThreatModel(t *testing.T) {
	page, err := os.ReadFile("../../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	grep := exec.Command("grep", "-rhoE", "--include=*_test.go", `^func Test[A-Za-z0-9]+\(`, "../..")
	out, err := grep.Output()
	if err != nil {
		t.Skipf("grep: %v", err)
	}
	tests := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		tests[strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "func "), "(")] = true
	}
	named := regexp.MustCompile(`\bTest[A-Z][A-Za-z0-9]+`).FindAllString(string(page), -1)
	if len(named) < 20 {
		t.Errorf("the page names %d tests", len(named))
	}
	for _, name := range named {
		if !tests[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/digestlint/digestlint/config"
)

// TestSchemaFile holds that the schema which editors fetch is that of the code;
// -update writes it.
func TestSchemaFile(t *testing.T) {
	const name = "../../schema/digestlint.schema.json"
	want, err := config.Schema(configFormats())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale; `go test ./cmd/digestlint -update` writes it", name)
	}
	if !strings.HasSuffix(config.SchemaURL, strings.TrimPrefix(name, "../..")) {
		t.Errorf("%s is not at %s", config.SchemaURL, name)
	}
}

// TestVariables holds that no two flags of one command share a variable, and
// that one variable is not two things.
func TestVariables(t *testing.T) {
	uses := map[string]string{} // variable → flag
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		seen := map[string]bool{}
		cmd.InheritedFlags() // adds them to its flags
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			name := variable(cmd, f)
			if name == "" {
				return
			}
			if seen[name] {
				t.Errorf("%s: two flags have %s", cmd.CommandPath(), name)
			}
			seen[name] = true
			if other := uses[name]; other != "" && other != f.Name {
				t.Errorf("%s is --%s and --%s", name, other, f.Name)
			}
			uses[name] = f.Name
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit((&app{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}).root())
	for name, flag := range map[string]string{
		"DIGESTLINT_FAIL_ON": "fail-on", "DIGESTLINT_OUTPUT": "output", "DIGESTLINT_REFS_OUTPUT": "output", "DIGESTLINT_PIN_MIN_AGE": "min-age",
		"DIGESTLINT_EXCLUDE": "exclude", "DIGESTLINT_COLOR": "color", allowedVariable: "allow-registry", timeoutVariable: "timeout",
		noCacheVariable: "no-cache", noUpdatesVariable: "no-updates", sourceVariable: "source", keyVariable: "key", baselineVariable: "baseline",
	} {
		if uses[name] != flag {
			t.Errorf("%s is %q, want %q", name, uses[name], flag)
		}
	}
	if uses["DIGESTLINT_EXPOSURE_PURGE"] != "" {
		t.Error("a variable deletes")
	}
}

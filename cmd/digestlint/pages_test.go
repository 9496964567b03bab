package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// docs is the folder of the documentation.
const docs = "../../docs"

// TestRulePages holds docs/rules to the rules.
func TestRulePages(t *testing.T) {
	pages := map[string]string{}
	var index strings.Builder
	index.WriteString("# Rules\n\n`digestlint explain RULE` prints these pages.\n\n| rule | severity | |\n|---|---|---|\n")
	for _, r := range rules.All() {
		pages[r.Name+".md"] = rules.Page(r)
		fmt.Fprintf(&index, "| [%s](%s.md) | %s | %s |\n", r.Name, r.Name, severity(r), cell(r.Summary))
	}
	pages["README.md"] = index.String()
	generated(t, filepath.Join(docs, "rules"), pages)
}

// severity is that of a rule, and when the rule says something at all.
func severity(r *rules.Rule) string {
	switch {
	case r.OnlineOnly():
		return r.Severity.String() + ", with `--online`"
	case r.Setting != "":
		return r.Severity.String() + ", with `" + r.Setting + "` set"
	}
	return r.Default().String()
}

// TestFormatPages holds docs/formats to the formats and to what is found in the
// example of each: the one file below testdata/FORMAT/example.
func TestFormatPages(t *testing.T) {
	pages := map[string]string{}
	var index strings.Builder
	index.WriteString("# Formats\n\nA file's format is told by its path and its content together. Endings that templates and samples add to a\n" +
		"name (`.j2`, `.tmpl`, `.example`, …) don't count. Wherever a format holds shell, the image operands of its\n" +
		"commands are read as in a [shell script](shell.md). `digestlint refs` shows what is found.\n\n" +
		"| format | name | files |\n|---|---|---|\n")
	for _, f := range parsers.Formats() {
		pages[f.Name+".md"] = formatPage(t, f)
		fmt.Fprintf(&index, "| [%s](%s.md) | `%s` | %s |\n", f.Title, f.Name, f.Name, cell(f.Files))
	}
	pages["README.md"] = index.String()
	generated(t, filepath.Join(docs, "formats"), pages)
}

// generated holds the files of a folder to what they are generated from.
func generated(t *testing.T, folder string, pages map[string]string) {
	t.Helper()
	for name, page := range pages {
		golden(t, filepath.Join(folder, name), page)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, ok := pages[filepath.Base(file)]; ok {
			continue
		}
		if !*update {
			t.Errorf("%s: nothing generates it", file)
		} else if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

// golden holds one file to its content.
func golden(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(got), want); d != "" {
		t.Errorf("%s is stale; `go test ./cmd/digestlint -run Page -update` writes it (-file +now):\n%s", name, d)
	}
}

// formatPage is the page of a format, in Markdown.
func formatPage(t *testing.T, f *parsers.Format) string {
	t.Helper()
	if f.Files == "" || f.Places == "" {
		t.Errorf("%s: the format doesn't say which files are taken for it, or what of them is read", f.Name)
	}
	name, data := example(t, f)
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n`%s` is the name of the format in the configuration.\n\n", f.Title, f.Name)
	fmt.Fprintf(&b, "Files: %s\n\nRead: %s\n\n", f.Files, f.Places)
	switch {
	case f.Comment != "":
		fmt.Fprintf(&b, "Ignore comments: `%s digestlint:ignore[RULE] reason`.\n", f.Comment)
	case path.Ext(name) == ".json":
		b.WriteString("There are no comments in JSON, so nothing is ignored inline.\n")
	default:
		b.WriteString("Ignore comments: `<!-- digestlint:ignore[RULE] reason -->`.\n")
	}
	fmt.Fprintf(&b, "\n## Example\n\n`%s`:\n\n```%s\n%s```\n\n", name, highlighting(name), data)
	b.WriteString("| place | image | |\n|---|---|---|\n")
	file := &source.File{Path: name, Data: data}
	res := parsers.Parse(file, f, nil)
	problems := rewrite.Editable(res.Uses)
	for i := range res.Uses {
		u := &res.Uses[i]
		pos := u.Position()
		fmt.Fprintf(&b, "| %d:%d, %s | %s | %s |\n", pos.Line, pos.Column, cell(u.Pointer), cell(imageCell(u)), cell(fate(u, problems[i])))
	}
	return b.String()
}

// imageCell is what stands in the file, and what that means.
func imageCell(u *image.Use) string {
	var texts []string
	for _, v := range u.Values {
		texts = append(texts, "`"+v.Text+"`")
	}
	if all := strings.Join(texts, ", "); all != "`"+u.Raw+"`" && all != "" {
		return "`" + u.Raw + "` = " + all
	}
	return "`" + u.Raw + "`"
}

// fate is what pin does about a use; problem says why it does nothing.
func fate(u *image.Use, problem string) string {
	switch {
	case u.Role == image.Output:
		return "an output: listed, never pinned"
	case !u.Resolved():
		return "decided elsewhere"
	case problem != "":
		return problem
	}
	return "pinned in place"
}

// cell is text as it stands in a table of Markdown.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// example is the one file below the example folder of a format's fixtures.
func example(t *testing.T, f *parsers.Format) (name string, data []byte) {
	t.Helper()
	folder := filepath.Join("../../testdata", f.Name, "example")
	err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(file, ".golden") {
			return err
		}
		if name != "" {
			t.Errorf("%s has several files", folder)
		}
		rel, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(rel)
		data, err = os.ReadFile(file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := parsers.Detect(name, data); got != f {
		t.Errorf("the example of %s is not taken for that", f.Name)
	}
	return name, data
}

// highlighting is the name by which highlighters know the language of a file.
func highlighting(name string) string {
	switch ext := path.Ext(name); ext {
	case ".yml", ".yaml":
		return "yaml"
	case ".json", ".hcl", ".xml", ".toml":
		return ext[1:]
	case ".tf":
		return "hcl"
	case ".csproj":
		return "xml"
	case ".sh":
		return "sh"
	case ".kts":
		return "kotlin"
	case ".bazel":
		return "python"
	case ".container":
		return "ini"
	}
	switch base := path.Base(name); base {
	case "Dockerfile", "Makefile":
		return strings.ToLower(base)
	case "Jenkinsfile":
		return "groovy"
	case "Tiltfile":
		return "python"
	}
	return "text"
}

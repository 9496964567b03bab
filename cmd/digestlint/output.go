package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/report"
)

// output is one value of --output: a format, and the file to write it to.
type output struct {
	format string
	file   string // empty for standard output
}

// parseOutputs reads the values of --output, "FORMAT[=FILE]". Only one of them
// can have standard output.
func parseOutputs(values []string, formats ...string) ([]output, error) {
	var all []output
	stdout := false
	for _, v := range values {
		format, file, _ := strings.Cut(v, "=")
		if !slices.Contains(formats, format) {
			return nil, fmt.Errorf("--output %q: there is no such format; the formats are %s", v, strings.Join(formats, ", "))
		}
		if file == "" || file == "-" {
			file = ""
			if stdout {
				return nil, fmt.Errorf("--output %q: standard output is taken; write FORMAT=FILE", v)
			}
			stdout = true
		}
		all = append(all, output{format, file})
	}
	return all, nil
}

// writeTo writes one output. Color is asked for on a terminal.
func (a *app) writeTo(o output, write func(w io.Writer, color bool) error) (err error) {
	w, color := a.stdout, a.colored()
	if o.file != "" {
		f, err := os.Create(o.file)
		if err != nil {
			return fmt.Errorf("write %s: %w", o.format, err)
		}
		defer func() {
			if closed := f.Close(); err == nil && closed != nil {
				err = fmt.Errorf("write %s: %w", o.file, closed)
			}
		}()
		w, color = f, false
	}
	buf := bufio.NewWriter(w)
	if err := write(buf, color); err != nil {
		return fmt.Errorf("write %s: %w", o.format, err)
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", o.format, err)
	}
	return nil
}

// hashesLines reports whether some output needs the hashes of lines.
func hashesLines(outputs []output) bool {
	return slices.ContainsFunc(outputs, func(o output) bool { return report.Lookup(o.format).LineHashes })
}

// category is the part of the repository that is checked, where that is one path
// in it; empty for the whole, and for several.
func category(paths []string) string {
	if len(paths) != 1 || paths[0] == "-" || !filepath.IsLocal(paths[0]) {
		return ""
	}
	if path := filepath.ToSlash(filepath.Clean(paths[0])); path != "." {
		return path
	}
	return ""
}

// summaryVariable names the file to which a step of GitHub Actions adds its
// summary
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary).
const summaryVariable = "GITHUB_STEP_SUMMARY"

// stepSummary adds the report to the summary of the step, if there is one.
func stepSummary(r *report.Report) (err error) {
	name := os.Getenv(summaryVariable)
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", summaryVariable, err)
	}
	defer func() {
		if closed := f.Close(); err == nil && closed != nil {
			err = fmt.Errorf("write %s: %w", summaryVariable, closed)
		}
	}()
	if err := report.Markdown.Write(f, r); err != nil {
		return fmt.Errorf("write %s: %w", summaryVariable, err)
	}
	return nil
}

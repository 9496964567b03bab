package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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

package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/parsers"
)

// input are the flags that say which files to read.
type input struct {
	stdinName string
	workers   int
	config    string
	noConfig  bool
}

func (in *input) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&in.stdinName, "stdin-filename", "", "the name under which \"-\" (standard input) is read")
	cmd.Flags().IntVarP(&in.workers, "jobs", "j", 0, "files read at once (default: one a processor)")
	cmd.Flags().StringVar(&in.config, "config", "", "read this `file`, not the nearest "+config.Name)
	cmd.Flags().BoolVar(&in.noConfig, "no-config", false, "read no "+config.Name)
}

// settings reads the configuration that the flags ask for.
func (in *input) settings() (*config.Config, error) {
	name := in.config
	if in.noConfig {
		return &config.Config{}, nil
	}
	if name == "" {
		var err error
		if name, err = config.Find("."); err != nil || name == "" {
			return &config.Config{}, err
		}
	}
	var formats []string
	for _, f := range parsers.Formats() {
		formats = append(formats, f.Name)
	}
	return config.Read(name, formats)
}

// options are the run that the flags and arguments ask for.
func (in *input) options(a *app, args []string) (lint.Options, error) {
	opts := lint.Options{Paths: args, StdinName: in.stdinName, Workers: in.workers}
	settings, err := in.settings()
	if err != nil {
		return opts, err
	}
	if len(settings.Formats) > 0 {
		opts.Assign = settings.Format
	}
	for _, arg := range args {
		if arg == "-" {
			opts.Stdin = a.stdin
		}
	}
	return opts, nil
}

// report tells people what could not be read, and which files were not
// recognised, and sets the exit status.
func (a *app) report(res *lint.Result) {
	for _, e := range res.Errors {
		fmt.Fprintf(a.stderr, "digestlint: %s\n", visible(e.Error()))
	}
	if len(res.Errors) > 0 {
		a.status = exitIncomplete
	}
	if a.verbose {
		for _, p := range res.Unknown {
			fmt.Fprintf(a.stderr, "digestlint: %s: not recognised\n", visible(p))
		}
	}
}

// visible is s with everything that a terminal would act on written out.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/rules"
)

// input are the flags that say which files to read.
type input struct {
	stdinName string
	workers   int
	config    string
	noConfig  bool

	read *config.Config // the configuration once it has been read
}

func (in *input) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&in.stdinName, "stdin-filename", "", "the name under which \"-\" (standard input) is read")
	cmd.Flags().IntVarP(&in.workers, "jobs", "j", 0, "files read at once (default: one a processor)")
	cmd.Flags().StringVar(&in.config, "config", "", "read this `file`, not the nearest "+config.Name)
	cmd.Flags().BoolVar(&in.noConfig, "no-config", false, "read no "+config.Name)
}

// settings gives the configuration that the flags ask for.
func (in *input) settings() (_ *config.Config, err error) {
	if in.read == nil {
		in.read, err = in.readSettings()
	}
	return in.read, err
}

func (in *input) readSettings() (*config.Config, error) {
	formats := configFormats()
	switch {
	case in.noConfig:
		return &config.Config{}, nil
	case in.config != "":
		return config.Read(in.config, formats)
	}
	return config.Nearest(".", formats)
}

// configFormats are the formats that a configuration may name.
func configFormats() []string {
	var formats []string
	for _, f := range parsers.Formats() {
		formats = append(formats, f.Name)
	}
	return formats
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

// judging are options with the rules and what the settings have for them.
func (in *input) judging(a *app, args []string) (lint.Options, *config.Config, error) {
	opts, err := in.options(a, args)
	if err != nil {
		return opts, nil, err
	}
	settings, err := in.settings()
	if err != nil {
		return opts, nil, err
	}
	opts.Rules = rules.All()
	opts.Approved, err = approved(settings.Approved)
	return opts, settings, err
}

// report tells people what could not be read, and which files were not
// recognised, and sets the exit status.
func (a *app) report(res *lint.Result) {
	hinted := map[string]bool{}
	for _, e := range res.Errors {
		fmt.Fprintf(a.stderr, "digestlint: %s\n", report.Visible(e.Error()))
		if e.Hint != "" && !hinted[e.Hint] {
			hinted[e.Hint] = true
			fmt.Fprintf(a.stderr, "hint: %s\n", report.Visible(e.Hint))
		}
	}
	if len(res.Errors) > 0 {
		a.status = exitIncomplete
	}
	if a.verbose {
		for _, p := range res.Unknown {
			fmt.Fprintf(a.stderr, "digestlint: %s: not recognised\n", report.Visible(p))
		}
	}
}

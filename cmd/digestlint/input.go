package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	filesFrom string
	nul       bool
	exclude   []string

	forceExclude bool

	read *config.Config // the configuration once it has been read
}

func (in *input) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&in.stdinName, "stdin-filename", "", "the name under which \"-\" (standard input) is read")
	cmd.Flags().IntVarP(&in.workers, "jobs", "j", 0, "files read at once (default: one a processor)")
	cmd.Flags().StringVar(&in.filesFrom, "files-from", "", "also read what this `file` lists, a line each; - is standard input")
	cmd.Flags().BoolVarP(&in.nul, "null", "0", false, "paths in --files-from end with a NUL, as from git ls-files -z")
	cmd.Flags().StringArrayVar(&in.exclude, "exclude", nil, "leave out what the `GLOB` matches, at any depth if it has no slash")
	cmd.Flags().BoolVar(&in.forceExclude, "force-exclude", false, "heed --exclude for files that are named, too")
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
	switch {
	case in.noConfig:
		return &config.Config{}, nil
	case in.config != "":
		return config.Read(in.config, configFormats())
	}
	return config.Nearest(".", configFormats())
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
	opts := lint.Options{StdinName: in.stdinName, Workers: in.workers}
	settings, err := in.settings()
	if err != nil {
		return opts, err
	}
	judging(settings, &opts)
	if slices.Contains(args, "-") {
		opts.Stdin = a.stdin
	}
	if opts.Paths, err = in.paths(a, args); err != nil {
		return opts, err
	}
	opts.SkipFile, err = in.skips()
	opts.SkipNamed = in.forceExclude
	return opts, err
}

// judging gives opts what the settings say of formats, rules and findings.
func judging(settings *config.Config, opts *lint.Options) {
	opts.Severities = settings.Rules
	if len(settings.Formats) > 0 {
		opts.Assign = settings.Format
	}
	if settings.Trusted != nil {
		opts.Trusted = settings.Trusts
	}
	if len(settings.Exclude) > 0 {
		opts.Excluded = func(path string, names []string, r *rules.Rule) (string, bool) {
			e := settings.Excluded(path, names, r)
			if e == nil {
				return "", false
			}
			return e.Reason, true
		}
	}
	for _, e := range settings.Exceptions {
		opts.Exceptions = append(opts.Exceptions, lint.Exception{Digest: e.Digest, Reason: e.Reason, Until: e.Until})
	}
}

// paths are those of the arguments and of --files-from. They are nil, which is
// the working directory, only where neither names any.
func (in *input) paths(a *app, args []string) ([]string, error) {
	switch {
	case in.filesFrom == "" && in.nul:
		return nil, errors.New("-0 is for --files-from")
	case in.filesFrom == "" && len(args) == 0:
		return nil, nil
	case in.filesFrom == "":
		return args, nil
	case in.filesFrom == "-" && slices.Contains(args, "-"):
		return nil, errors.New(`standard input is either "-" or the list of --files-from`)
	}
	list, err := in.readList(a)
	if err != nil {
		return nil, fmt.Errorf("--files-from: %w", err)
	}
	return append(slices.Clip(args), list...), nil
}

// maxList bounds a list of files, in bytes: some million paths.
const maxList = 256 << 20

// readList reads the paths of --files-from: a line each, or with a NUL behind
// each, as find and git print them.
func (in *input) readList(a *app) ([]string, error) {
	r := a.stdin
	if in.filesFrom != "-" {
		f, err := os.Open(in.filesFrom)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxList {
		return nil, fmt.Errorf("%s: more than %d bytes", in.filesFrom, maxList)
	}
	end := "\n"
	if in.nul {
		end = "\x00"
	} else if bytes.IndexByte(data, 0) >= 0 {
		return nil, fmt.Errorf("%s: a NUL; say -0 where one ends each path", in.filesFrom)
	}
	list := []string{}
	for name := range strings.SplitSeq(string(data), end) {
		if !in.nul {
			name = strings.TrimSuffix(name, "\r")
		}
		switch name {
		case "":
		case "-": // a file of that name
			list = append(list, "./-")
		default:
			list = append(list, name)
		}
	}
	return list, nil
}

// skips reports for --exclude which files are left unread; nil where it names
// none.
func (in *input) skips() (func(path string) bool, error) {
	var globs []config.Glob
	for _, text := range in.exclude {
		g, err := config.ParseGlob(filepath.ToSlash(text))
		if err != nil {
			return nil, fmt.Errorf("--exclude: %w", err)
		}
		globs = append(globs, g)
	}
	if len(globs) == 0 {
		return nil, nil
	}
	return func(path string) bool {
		names := pathNames(path)
		name := names[len(names)-1] // from the working directory, if it is below
		return slices.ContainsFunc(globs, func(g config.Glob) bool { return g.Match(name) })
	}, nil
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
		for _, n := range res.Notes {
			fmt.Fprintf(a.stderr, "digestlint: %s\n", report.Visible(n.Error()))
		}
		for _, p := range res.Unknown {
			fmt.Fprintf(a.stderr, "digestlint: %s: not recognised\n", report.Visible(p))
		}
	}
}

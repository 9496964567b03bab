package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/report"
)

// baselineVariable names the baseline where no flag does.
const baselineVariable = "DIGESTLINT_BASELINE"

// baselineFlags say which baseline holds.
type baselineFlags struct {
	name string
	none bool
	dir  string // where the nearest one is looked for; empty: the working directory
}

func (b *baselineFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.name, "baseline", "", "take this `file`, not the nearest "+lint.BaselineName)
}

// find is the baseline that the flag, the variable or the configuration names,
// else the nearest one. Its Path is empty where there is none.
func (b *baselineFlags) find(settings *config.Config) (config.File, error) {
	if name := cmp.Or(b.name, os.Getenv(baselineVariable)); name != "" {
		return config.File{Path: name}, nil
	}
	if settings.Baseline.Path != "" {
		return settings.Baseline, nil
	}
	return config.FindFile(cmp.Or(b.dir, "."), lint.BaselineName)
}

// baseline is one that has been read.
type baseline struct {
	*lint.Baseline
	path string
	data []byte
}

// read reads the baseline that holds, nil if none does.
func (b *baselineFlags) read(settings *config.Config) (*baseline, error) {
	if b.none {
		return nil, nil
	}
	file, err := b.find(settings)
	if err != nil || file.Path == "" {
		return nil, err
	}
	data, err := file.Read(lint.MaxBaseline)
	if err != nil {
		return nil, b.missing(file, fmt.Errorf("read baseline: %w", err))
	}
	parsed, err := lint.ParseBaseline(file.Path, data)
	return &baseline{parsed, file.Path, data}, err
}

// missing is err with what to do where that is because there is no such file.
func (b *baselineFlags) missing(file config.File, err error) error {
	if _, stat := os.Lstat(file.Path); !errors.Is(stat, fs.ErrNotExist) {
		return err
	}
	return &hintedError{err, "make it with `digestlint baseline create`, or name none"}
}

// hintedError is an error with what to do about it.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }
func (e *hintedError) Hint() string  { return e.hint }

// tellStale tells people that the baseline holds more than is left.
func (a *app) tellStale(res *lint.Result) {
	if n := findingsOf(res.Stale); n > 0 {
		fmt.Fprintf(a.stderr, "digestlint: in the baseline, but gone: %s\nhint: `digestlint baseline prune` takes out what is gone\n", countFindings(n))
	}
}

func findingsOf(entries []lint.Accepted) (n int) {
	for _, e := range entries {
		n += e.Count
	}
	return n
}

func countFindings(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}

func (a *app) baseline() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "accept the findings that are there, so that check reports new ones only",
		Long: `A baseline is a file, ` + lint.BaselineName + `, that lists the findings which were there
before somebody started to look. check does not report them, wherever their lines
move to, and reports each further one. Make it once, commit it, and prune it as the
findings are mended: the list only gets shorter.

It holds for check alone: pin and check --fix pin what it lists as well. Findings of
malicious images are never in it.

The file is that of --baseline, of ` + baselineVariable + `, or of the configuration's
baseline, else the nearest ` + lint.BaselineName + ` between the working directory and
the root of the repository. Its paths are relative to its folder.`,
		Example: `  digestlint baseline create    list what is there now
  digestlint check              report what is not on the list
  digestlint baseline check     is something on it that has been mended? (status 1)
  digestlint baseline prune     take that out`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.baselineCreate(), a.baselineCheck(), a.baselinePrune())
	return cmd
}

// baselineRun is a run that is held against a baseline.
type baselineRun struct {
	input   input
	network network
	file    baselineFlags
	online  bool
	force   bool
}

func (b *baselineRun) flags(cmd *cobra.Command) {
	b.input.flags(cmd)
	b.network.flags(cmd)
	b.file.flags(cmd)
	cmd.Flags().BoolVar(&b.online, "online", false, "also ask the registries, as check --online does")
}

func (a *app) baselineCreate() *cobra.Command {
	var b baselineRun
	cmd := &cobra.Command{
		Use:   "create [PATH…]",
		Short: "list what check reports now",
		Long: `create writes all that check reports of the files and folders (the working directory
if none is named) into a new baseline, but for malicious images.

Without a name it is ` + lint.BaselineName + ` in the working directory. With --force it
takes the place of one that is there, of which nothing is kept.

Exit status: 0 written, 2 wrong usage or a file that is there, 3 a selected file could
not be read or a lookup failed, so that what they have is not on the list.`,
		Example: `  digestlint baseline create                 all below the working directory
  digestlint baseline create --force deploy  a new one, of this folder alone`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.runBaselineCreate(cmd, &b, args) },
	}
	b.flags(cmd)
	cmd.Flags().BoolVar(&b.force, "force", false, "replace a baseline that is there")
	return cmd
}

func (a *app) runBaselineCreate(cmd *cobra.Command, b *baselineRun, args []string) error {
	settings, err := b.input.settings()
	if err != nil {
		return err
	}
	file, err := b.file.find(settings)
	if err != nil {
		return err
	}
	if file.Path == "" {
		file.Path = lint.BaselineName
	}
	there, err := file.Exists()
	if err != nil {
		return err
	}
	if there && !b.force {
		return &hintedError{fmt.Errorf("%s is there already", shortPath(file.Path)), "shorten it with `digestlint baseline prune`, or replace it with --force"}
	}
	var old []byte
	if there {
		if old, err = file.Read(lint.MaxBaseline); err != nil {
			return fmt.Errorf("read baseline: %w", err)
		}
	}
	res, err := a.judge(cmd, b, args, nil)
	if err != nil {
		return err
	}
	made, certain := lint.NewBaseline(file.Path, res.Findings)
	data, err := made.Marshal()
	if err != nil {
		return err
	}
	if err := writeWhole(file.Path, old, data, there); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	fmt.Fprintf(a.stderr, "digestlint: %s holds %s\n", report.Visible(shortPath(file.Path)), countFindings(made.Findings()))
	if certain > 0 {
		fmt.Fprintf(a.stderr, "digestlint: not in it: %s of malicious images, which no baseline hides\n", countFindings(certain))
	}
	return nil
}

func (a *app) baselineCheck() *cobra.Command {
	var b baselineRun
	cmd := &cobra.Command{
		Use:   "check [PATH…]",
		Short: "list the entries of the baseline whose findings are gone",
		Long: `check looks at the files and folders (the working directory if none is named) and
lists what the baseline holds of them that is no longer found, and all that it holds
of files which are no longer there.

Exit status: 0 nothing is gone, 1 something is, 2 wrong usage or a baseline with a
mistake, 3 a selected file could not be read.`,
		Example: `  digestlint baseline check  in CI: has somebody mended something, and not pruned?`,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, stale, err := a.staleEntries(cmd, &b, args)
			if err != nil {
				return err
			}
			for _, e := range stale {
				if _, err := fmt.Fprintf(a.stdout, "%s: %d gone\n", report.LeadingPath(e.String()), e.Count); err != nil {
					return err
				}
			}
			if len(stale) > 0 {
				a.status = cmp.Or(a.status, exitFindings)
				fmt.Fprintln(a.stderr, "hint: `digestlint baseline prune` takes them out")
			}
			return nil
		},
	}
	b.flags(cmd)
	return cmd
}

func (a *app) baselinePrune() *cobra.Command {
	var b baselineRun
	cmd := &cobra.Command{
		Use:   "prune [PATH…]",
		Short: "take out of the baseline what is gone",
		Long: `prune takes out of the baseline what "digestlint baseline check" lists. It adds nothing,
and leaves a file alone in which nothing is gone.

Exit status: 0 done, 2 wrong usage or a baseline with a mistake, 3 a selected file
could not be read; what is on the list of it stays.`,
		Example: `  digestlint baseline prune  after something has been mended; commit what it leaves`,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.runBaselinePrune(cmd, &b, args) },
	}
	b.flags(cmd)
	return cmd
}

func (a *app) runBaselinePrune(cmd *cobra.Command, b *baselineRun, args []string) error {
	base, stale, err := a.staleEntries(cmd, b, args)
	if err != nil {
		return err
	}
	left := base.Without(stale)
	if len(stale) > 0 {
		data, err := left.Marshal()
		if err != nil {
			return err
		}
		if err := writeWhole(base.path, base.data, data, true); err != nil {
			return fmt.Errorf("write baseline: %w", err)
		}
	}
	fmt.Fprintf(a.stderr, "digestlint: %d taken out of %s, %d left\n", findingsOf(stale), report.Visible(shortPath(base.path)), left.Findings())
	return nil
}

// staleEntries are the baseline and those of its entries of which a run finds
// less than they say.
func (a *app) staleEntries(cmd *cobra.Command, b *baselineRun, args []string) (*baseline, []lint.Accepted, error) {
	settings, err := b.input.settings()
	if err != nil {
		return nil, nil, err
	}
	base, err := b.file.read(settings)
	if err != nil {
		return nil, nil, err
	}
	if base == nil {
		return nil, nil, &hintedError{errors.New("there is no " + lint.BaselineName + " here"), "make it with `digestlint baseline create`, or name one with --baseline"}
	}
	res, err := a.judge(cmd, b, args, base.Baseline)
	if err != nil {
		return nil, nil, err
	}
	return base, base.Stale(res), nil
}

// judge is what check finds, and tells what could not be read.
func (a *app) judge(cmd *cobra.Command, b *baselineRun, args []string, base *lint.Baseline) (*lint.Result, error) {
	if slices.Contains(args, "-") {
		return nil, errors.New(`a baseline lists the findings in files, and "-" is none`)
	}
	opts, settings, err := b.input.judging(a, args)
	if err != nil {
		return nil, err
	}
	opts.Baseline = base
	stop := func() {}
	if b.online {
		session, err := b.network.ask(settings, &opts)
		if err != nil {
			return nil, err
		}
		defer session.close(a)
		stop = a.watch(opts.Progress, session.client.Status)
	}
	res, err := lint.Run(cmd.Context(), opts)
	stop()
	if err != nil {
		return nil, err
	}
	a.report(res)
	return res, nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/resolve"
	"github.com/digestlint/digestlint/rules"
)

// checkFlags are the flags of check.
type checkFlags struct {
	input    input
	network  network
	outputs  []string
	failOn   string
	exitZero bool
	online   bool
	fix      bool

	baseline  baselineFlags
	noIgnores bool
	since     string
	mergeBase string
	staged    bool
}

func (a *app) check() *cobra.Command {
	var c checkFlags
	cmd := &cobra.Command{
		Use:     "check [PATH…]",
		Aliases: []string{"run", "lint"},
		Short:   "report references without a digest, and malicious ones",
		Long: `check reads files and folders (the working directory if none is named), and
reports every image reference that is not pinned to a digest, is not a reference,
or is known to be malicious. It is offline and changes nothing.

With --online it also asks registries what every tag leads to now: whether that is
malicious, whether pins have been left behind by their tags, whether the registry
still has them, and whether they are for one platform only. Nothing that Docker Hub
counts as a pull is asked. Only well-known public registries are asked, unless the
configuration or --allow-registry says which.

With --new-from-rev, --new-from-merge-base or --staged only findings on changed lines
are reported, and malicious images wherever they are.

Findings in the baseline ("digestlint baseline") are not reported, but for malicious
images, which are in none.

With --fix it pins afterwards what it can, as pin does, in the baseline or not: what
was reported counts, and the next run is content with it.

The severities are info, warning and error; the formats of --output are
` + strings.Join(formatNames(), ", ") + `.

Exit status: 0 clean, 1 findings at or above --fail-on, 2 wrong usage, 3 a selected
file could not be read or a lookup failed.`,
		Example: `  digestlint check                                 the working directory
  digestlint check Dockerfile deploy/              a file and a folder
  digestlint check --online                        ask the registries, too
  digestlint check --fix                           and pin what can be pinned
  digestlint check -o text -o sarif=digestlint.sarif
  git show HEAD:Dockerfile | digestlint check - --stdin-filename Dockerfile`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.runCheck(cmd, &c, args) },
	}
	c.flags(cmd)
	return cmd
}

func (c *checkFlags) flags(cmd *cobra.Command) {
	c.input.flags(cmd)
	c.network.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVarP(&c.outputs, "output", "o", []string{"text"}, "`FORMAT[=FILE]`, repeatable; the default is text")
	f.Lookup("output").DefValue = "[]"
	f.StringVar(&c.failOn, "fail-on", "warning", "status 1 from this `SEVERITY` on")
	complete(cmd, "output", formatNames())
	complete(cmd, "fail-on", []string{"info", "warning", "error"})
	f.BoolVar(&c.online, "online", false, "also ask the registries what the references lead to now")
	f.BoolVar(&c.fix, "fix", false, "pin afterwards what can be pinned")
	f.BoolVar(&c.noIgnores, "no-ignores", false, "heed no ignore comments and no exclusions of the configuration")
	c.baseline.flags(cmd)
	f.BoolVar(&c.baseline.none, "no-baseline", false, "report also what is in the baseline")
	f.StringVar(&c.since, "new-from-rev", "", "report only what is on lines changed since the `REV`")
	f.StringVar(&c.mergeBase, "new-from-merge-base", "", "only what is on lines changed since HEAD left the `REV`")
	f.BoolVar(&c.staged, "staged", false, "judge what is staged, and report only what is on staged lines")
	cmd.MarkFlagsMutuallyExclusive("new-from-rev", "new-from-merge-base", "staged")
	for _, flag := range []string{"new-from-rev", "new-from-merge-base", "staged"} {
		cmd.MarkFlagsMutuallyExclusive("fix", flag) // which pins old lines, too
	}
	f.BoolVar(&c.exitZero, "exit-zero", false, "exit 0 whatever is found; errors still count")
}

func (a *app) runCheck(cmd *cobra.Command, c *checkFlags, args []string) error {
	threshold, err := rules.ParseSeverity(c.failOn)
	if err != nil {
		return fmt.Errorf("--fail-on: %w", err)
	}
	if err := a.checkColor(); err != nil {
		return err
	}
	outputs, err := parseOutputs(c.outputs, formatNames()...)
	if err != nil {
		return err
	}
	if err := c.needsOnline(cmd); err != nil {
		return err
	}
	opts, settings, err := c.input.judging(a, args)
	if err != nil {
		return err
	}
	if c.fix && opts.Stdin != nil {
		return errors.New(`--fix writes files; "-" has no place to write to`)
	}
	base, err := c.baseline.read(settings)
	if err != nil {
		return err
	}
	if base != nil {
		opts.Baseline = base.Baseline
	}
	opts.NoIgnores = c.noIgnores
	if opts.Changes, err = c.changes(cmd); err != nil {
		return err
	}
	opts.HashLines = hashesLines(outputs)
	opts.Progress = &lint.Progress{}
	status := noHosts
	if c.online {
		network := c.network
		session, err := network.ask(settings, &opts)
		if err != nil {
			return err
		}
		defer session.close(a)
		status = session.client.Status
	}
	stop := a.watch(opts.Progress, status)
	res, err := lint.Run(cmd.Context(), opts)
	stop()
	if err != nil {
		return err
	}
	if err := a.write(outputs, category(args), res); err != nil {
		return err
	}
	if !c.exitZero && worst(res.Findings) >= threshold && threshold > rules.Off {
		a.status = exitFindings
	}
	a.report(res)
	a.exceptions(res)
	a.countSuppressed(res)
	a.tellStale(res)
	if c.fix {
		return a.fix(cmd, c, args)
	}
	return nil
}

// needsOnline is an error where a flag says how to ask registries, and none is
// asked. A variable may be meant for other commands.
func (c *checkFlags) needsOnline(cmd *cobra.Command) error {
	if c.online || c.fix {
		return nil
	}
	for _, name := range []string{"timeout", "no-cache", "allow-registry"} {
		if typed(cmd, name) {
			return fmt.Errorf("--%s needs --online or --fix: without them check asks nobody", name)
		}
	}
	return nil
}

// changes are the changed lines that the flags limit the findings to, nil where
// they don't.
func (c *checkFlags) changes(cmd *cobra.Command) (*lint.Changes, error) {
	switch {
	case cmd.Flags().Changed("new-from-rev"):
		return lint.ChangesSince(cmd.Context(), c.since, false)
	case cmd.Flags().Changed("new-from-merge-base"):
		return lint.ChangesSince(cmd.Context(), c.mergeBase, true)
	case c.staged:
		return lint.StagedChanges(cmd.Context())
	}
	return nil, nil
}

// exceptions tells people of every digest that the configuration excepts.
func (a *app) exceptions(res *lint.Result) {
	for _, e := range res.Exceptions {
		what := "until"
		if e.Expired {
			what = "ended on"
		}
		fmt.Fprintf(a.stderr, "digestlint: exception for %s %s %s: %s (met %s)\n",
			e.Digest, what, e.Until.Format(time.DateOnly), report.Visible(e.Reason), times(e.Findings))
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// countSuppressed tells people how much is not shown.
func (a *app) countSuppressed(res *lint.Result) {
	counts := map[lint.Cause]int{}
	for _, s := range res.Suppressed {
		counts[s.Cause]++
	}
	var parts []string
	for _, cause := range lint.Causes {
		if n := counts[cause]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, cause))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(a.stderr, "digestlint: not shown: %s\n", strings.Join(parts, ", "))
	}
}

// fix pins what the check has looked at. Standard output is the report's, so
// what is pinned is told beside it.
func (a *app) fix(cmd *cobra.Command, c *checkFlags, args []string) error {
	pinning := *a
	pinning.stdout, pinning.status = a.stderr, exitClean
	flags := &pinFlags{input: c.input, network: c.network}
	flags.opts.NoIgnores = c.noIgnores
	err := pinning.runPin(cmd, flags, args)
	if pinning.status == exitIncomplete {
		a.status = exitIncomplete
	}
	return err
}

// ask makes of opts a run that asks registries. The session is to be
// closed.
func (n *network) ask(settings *config.Config, opts *lint.Options) (*session, error) {
	n.sparePulls = true
	session, err := n.open(settings, publicRegistries)
	if err != nil {
		return nil, err
	}
	resolver := resolve.Resolver{Source: session.source, Platforms: settings.Pin.Platforms}
	opts.Remote, opts.Announce, opts.Timeout = resolver.Remote, session.client.Announce, session.timeout
	opts.Progress = &lint.Progress{}
	return session, nil
}

func formatNames() []string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, f.Name)
	}
	return names
}

func worst(findings []rules.Finding) rules.Severity {
	w := rules.Off
	for _, f := range findings {
		w = max(w, f.Severity)
	}
	if len(findings) == 0 {
		return rules.Off
	}
	return w
}

// write writes the result to every output.
func (a *app) write(outputs []output, category string, res *lint.Result) error {
	r := &report.Report{Version: buildVersion(), Category: category, Findings: res.Findings, Summary: report.Summary{
		Files: res.Summary.Files, NotRecognised: res.Summary.NotRecognised, References: res.Summary.References,
		Unpinned: res.Summary.Unpinned, Unresolved: res.Summary.Unresolved, Malicious: res.Summary.Malicious,
	}}
	for _, e := range res.Errors {
		r.Errors = append(r.Errors, report.Error{Path: e.Path, Line: e.Line, Column: e.Column, Message: e.Message})
	}
	for _, o := range outputs {
		shown := *r
		if o.format == report.Text.Name && o.file == "" {
			shown.Errors = nil // standard error has them, for the same reader
		}
		err := a.writeTo(o, func(w io.Writer, color bool) error {
			shown.Color = color
			return report.Lookup(o.format).Write(w, &shown)
		})
		if err != nil {
			return err
		}
	}
	if slices.ContainsFunc(outputs, func(o output) bool { return o.format == report.GitHub.Name }) {
		return stepSummary(r)
	}
	return nil
}

package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/resolve"
	"github.com/digestlint/digestlint/rewrite"
)

// pinFlags are the flags of pin.
type pinFlags struct {
	input    input
	network  network
	only     only
	minAge   duration
	platform string
	digests  string
	diff     bool
	dryRun   bool
	opts     lint.PinOptions
}

func (a *app) pin() *cobra.Command {
	var p pinFlags
	cmd := &cobra.Command{
		Use:     "pin [PATH…]",
		Aliases: []string{"fix"},
		Short:   "write the digest of its tag behind every reference",
		Long: `pin asks the registry of each unpinned reference for the digest of its tag, one
request a reference, and writes name:tag@sha256:… in place. Outside the inserted
text not one byte changes. A digest that the advisories name as malicious is never
written, nor one of an index that holds such a manifest.

Exit status: 0 all that was asked for is pinned, 1 something stayed unpinned (each
with its reason), 2 wrong usage, 3 a lookup or a file failed.`,
		Example: `  digestlint pin                            pin everything below the working directory
  digestlint pin --diff                     show the changes as a patch, write nothing
  digestlint pin --update --min-age 3d      move pins after their tags, though to nothing younger
  digestlint pin --only image=nginx --only path='deploy/**'
  digestlint pin --digests digests.yaml     without the network, from what resolve wrote
  digestlint pin docker-compose.yml deploy  only these`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.runPin(cmd, &p, args) },
	}
	p.input.flags(cmd)
	p.network.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&p.diff, "diff", false, "print the changes as a patch for git apply, write nothing")
	f.BoolVar(&p.dryRun, "dry-run", false, "say what would be pinned, write nothing")
	f.BoolVar(&p.opts.Unsafe, "unsafe", false, "also edit .env lines and variables that others may read")
	f.BoolVar(&p.opts.NoIgnores, "no-ignores", false, "also pin what ignore comments and the configuration leave out")
	f.BoolVar(&p.opts.Update, "update", false, "also move digests to what their tags lead to now")
	f.Var(&p.only, "only", "look at these images or files only; repeatable")
	f.IntVar(&p.opts.MaxChanges, "max-changes", 0, "make at most `N` edits, whole files in the order of their paths")
	f.StringVar(&p.platform, "platform", "", "pin to the manifest of this `OS/ARCH`, not to the index of all")
	f.Var(&p.minAge, "min-age", "leave out tags that are younger, or of an unknown age")
	f.StringVar(&p.digests, "digests", "", "take digests from this `file`, never from the network")
	return cmd
}

func (a *app) runPin(cmd *cobra.Command, p *pinFlags, args []string) error {
	opts := p.opts
	var err error
	if opts.Options, err = p.input.options(a, args); err != nil {
		return err
	}
	opts.NoIgnores = p.opts.NoIgnores
	if opts.Stdin != nil {
		return errors.New(`pin writes files; "-" has no place to write to`)
	}
	opts.DryRun, opts.Only, opts.Progress = p.diff || p.dryRun, p.only.match(), &lint.Progress{}
	status := noHosts
	if p.digests != "" {
		if opts.Resolve, err = fromFile(p.digests); err != nil {
			return err
		}
	} else {
		session, err := p.resolve(cmd, &opts)
		if err != nil {
			return err
		}
		defer session.close(a)
		status = session.client.Status
	}
	stop := a.watch(opts.Progress, status)
	res, err := lint.Pin(cmd.Context(), opts)
	stop()
	if err != nil {
		return err
	}
	return a.pinned(res, p.diff, p.dryRun)
}

// resolve makes opts ask registries. The session is to be closed.
func (p *pinFlags) resolve(cmd *cobra.Command, opts *lint.PinOptions) (*session, error) {
	settings, err := p.input.settings()
	if err != nil {
		return nil, err
	}
	resolver := resolve.Resolver{MinAge: settings.Pin.MinAge, Platforms: settings.Pin.Platforms}
	if cmd.Flags().Changed("min-age") {
		resolver.MinAge = time.Duration(p.minAge)
	}
	if p.platform != "" {
		if resolver.Platform, err = config.ParsePlatform(p.platform); err != nil {
			return nil, fmt.Errorf("--platform: %w", err)
		}
	}
	p.network.fresh = opts.Update
	session, err := p.network.open(settings, nil)
	if err != nil {
		return nil, err
	}
	resolver.Source = session.source
	opts.Resolve, opts.Announce, opts.Timeout = resolver.Pin, session.client.Announce, session.timeout
	return session, nil
}

// pinned prints what a pin run did.
func (a *app) pinned(res *lint.PinResult, diff, dryRun bool) error {
	out := bufio.NewWriter(a.stdout)
	if diff {
		write := rewrite.Diff
		if a.colored() || a.terminal() {
			write = func(w io.Writer, name string, old []byte, edits []rewrite.Edit) error {
				return rewrite.ShowDiff(w, name, old, edits, a.colored(), visibleLine)
			}
		}
		for _, c := range res.Changes {
			if err := write(out, c.Path, c.Old, c.Edits); err != nil {
				return err
			}
		}
	}
	hints := map[string]bool{}
	for _, o := range res.Outcomes {
		place := fmt.Sprintf("%s:%d:%d: %s", report.LeadingPath(o.Path), o.At.Line, o.At.Column, report.Visible(o.Image))
		switch {
		case o.Kind == lint.Pinned:
			if !diff {
				fmt.Fprintf(out, "%s → %s\n", place, o.Digest)
			}
		case o.Kind == lint.Malicious:
			fmt.Fprintf(a.stderr, "%s: %s: %s\n", place, o.Kind, report.Visible(o.Reason))
		case o.Kind == lint.Already && o.Reason != "":
			fmt.Fprintf(a.stderr, "%s: %s\n", place, report.Visible(o.Reason))
		case o.Kind == lint.Left && res.Interrupted, o.Kind == lint.LeftOut && !a.verbose:
			// The summary counts them: nobody wants a thousand lines.
		case o.Kind != lint.Already:
			fmt.Fprintf(a.stderr, "%s: not pinned: %s\n", place, report.Visible(o.Reason))
			a.hintOnce(o.Err(), hints)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, e := range res.Errors {
		fmt.Fprintf(a.stderr, "digestlint: %s\n", report.Visible(e.Error()))
	}
	for _, name := range res.Removed {
		fmt.Fprintf(a.stderr, "removed %s, which a run that was killed had left\n", report.Visible(name))
	}
	verb := lint.Pinned.String()
	if diff || dryRun {
		verb = "to pin"
	}
	summarize(a.stderr, res, verb)
	switch {
	case res.Count(lint.Failed) > 0 || len(res.Errors) > 0 || res.Interrupted:
		a.status = exitIncomplete
	case len(res.Outcomes) > res.Count(lint.Pinned)+res.Count(lint.Already)+res.Count(lint.LeftAlone)+res.Count(lint.LeftOut):
		a.status = exitFindings
	}
	return nil
}

// visibleLine is report.Visible of a line of a file, but for its tabs.
func visibleLine(line string) string {
	fields := strings.Split(line, "\t")
	for i, field := range fields {
		fields[i] = report.Visible(field)
	}
	return strings.Join(fields, "\t")
}

// hintOnce prints the hint of an error, unless it has been printed.
func (a *app) hintOnce(err error, printed map[string]bool) {
	var h hinter
	if errors.As(err, &h) && h.Hint() != "" && !printed[h.Hint()] {
		printed[h.Hint()] = true
		fmt.Fprintf(a.stderr, "  hint: %s\n", report.Visible(h.Hint()))
	}
}

// summarize counts the outcomes, and below that why what stayed did.
func summarize(w io.Writer, res *lint.PinResult, pinned string) {
	counts := map[lint.Kind]int{}
	classes := map[lint.Kind]map[string]int{}
	for _, o := range res.Outcomes {
		counts[o.Kind]++
		if o.Class != "" {
			if classes[o.Kind] == nil {
				classes[o.Kind] = map[string]int{}
			}
			classes[o.Kind][o.Class]++
		}
	}
	fmt.Fprintf(w, "%d %s, %d %s", counts[lint.Pinned], pinned, counts[lint.Already], lint.Already)
	for k := lint.Malicious; k <= lint.LeftOut; k++ {
		if counts[k] > 0 {
			fmt.Fprintf(w, ", %d %s", counts[k], k)
		}
	}
	fmt.Fprintln(w)
	for k := lint.Malicious; k <= lint.LeftOut; k++ {
		if len(classes[k]) > 0 {
			fmt.Fprintf(w, "  %s: %s\n", k, tally(classes[k]))
		}
	}
}

// tally is "3 this, 1 that", the most frequent first.
func tally(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counts[name], report.Visible(name))
	}
	return strings.Join(names, ", ")
}

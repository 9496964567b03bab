package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/report"
)

func (a *app) advisories() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "advisories",
		Short: "the compromised images that digestlint knows",
		Example: `  digestlint advisories list               which incidents
  digestlint advisories show DL-2026-0001  all that is known of one
  digestlint advisories update             fetch what has been published since`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:     "list",
			Short:   "one line an incident, with the bundle that it was fetched in",
			Example: "  digestlint advisories list",
			Args:    cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				out := bufio.NewWriter(a.stdout)
				for _, adv := range advisories.All() {
					fmt.Fprintf(out, "%s  %-8s  %3d digests  %s", adv.ID, adv.Severity, len(adv.Digests), adv.Title)
					if from := a.origin(adv); from != "" {
						fmt.Fprintf(out, "  [%s]", from)
					}
					fmt.Fprintln(out)
				}
				return out.Flush()
			},
		},
		&cobra.Command{
			Use:               "show ID",
			Short:             "all that is known of an incident",
			Example:           "  digestlint advisories show DL-2026-0001",
			Args:              cobra.ExactArgs(1),
			ValidArgsFunction: advisoryIDs,
			RunE: func(_ *cobra.Command, args []string) error {
				for _, adv := range advisories.All() {
					if strings.EqualFold(adv.ID, args[0]) {
						out := bufio.NewWriter(a.stdout)
						show(out, adv)
						if from := a.origin(adv); from != "" {
							fmt.Fprintf(out, "\nfrom\n  the bundle %s of %s, %s\n", from, a.fetched.bundle.Made.Format(time.RFC3339), report.Visible(a.fetched.Source))
						}
						return out.Flush()
					}
				}
				return fmt.Errorf("there is no advisory %q; `digestlint advisories list` names them", args[0])
			},
		},
		&cobra.Command{
			Use:     "check FILE…",
			Short:   "read advisory files of your own strictly",
			Example: "  digestlint advisories check acme.txt osv.json",
			Args:    cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				var all []error
				for _, name := range args {
					if err := a.checkAdvisories(name); err != nil {
						all = append(all, err)
					}
				}
				return errors.Join(all...)
			},
		},
		a.exportAdvisories(),
		a.bundleAdvisories(),
		a.updateAdvisories(),
	)
	return cmd
}

// show writes an advisory for people.
func show(w io.Writer, adv *advisories.Advisory) {
	fmt.Fprintf(w, "%s: %s\n", adv.ID, adv.Title)
	fmt.Fprintf(w, "%s, severity %s", adv.Type, adv.Severity)
	if adv.SeverityNote != "" {
		fmt.Fprintf(w, " (%s)", adv.SeverityNote)
	}
	if len(adv.Aliases) > 0 {
		fmt.Fprintf(w, ", also %s", strings.Join(adv.Aliases, ", "))
	}
	fmt.Fprint(w, "\n\nrepositories\n")
	for _, r := range adv.Repositories {
		fmt.Fprintf(w, "  %s (%s)\n", r.Name, r.Certainty)
		for _, win := range r.Windows {
			fmt.Fprintf(w, "    %s\n", win)
		}
	}
	if len(adv.Tags) > 0 {
		fmt.Fprint(w, "\ntags\n")
	}
	for _, t := range adv.Tags {
		fmt.Fprintf(w, "  %s: %s (%s)\n", strings.Join(t.Names, ", "), t.State, t.Certainty)
		for _, win := range t.Windows {
			fmt.Fprintf(w, "    %s\n", win)
		}
	}
	if len(adv.Digests) > 0 {
		fmt.Fprint(w, "\nmalicious digests, never to be pulled\n")
	}
	for _, d := range adv.Digests {
		fmt.Fprintf(w, "  %s  %s", d.Digest, d.Kind)
		if d.Platform != "" {
			fmt.Fprintf(w, " %s", d.Platform)
		}
		if len(d.Tags) > 0 {
			fmt.Fprintf(w, "  %s", strings.Join(d.Tags, ", "))
		}
		fmt.Fprintf(w, "  (%s)\n", d.Certainty)
	}
	if len(adv.KnownGood) > 0 {
		fmt.Fprint(w, "\nknown good\n")
	}
	for _, g := range adv.KnownGood {
		fmt.Fprintf(w, "  %s %s (%s)\n", g.What, g.Digest, g.Certainty)
	}
	list := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(w, "\n%s\n", title)
		}
		for _, l := range lines {
			fmt.Fprintf(w, "  %s\n", l)
		}
	}
	list("indicators to search logs for", adv.Indicators)
	list("notes", adv.Notes)
	list("see also", adv.See)
	var sources []string
	for _, s := range adv.Sources {
		sources = append(sources, strings.TrimSpace(s.Class+" "+s.URL))
	}
	list("sources", sources)
}

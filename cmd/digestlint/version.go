package main

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/report"
)

// version is set by release builds; otherwise the module's own is used.
var version string

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version, and what the advisories are from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "digestlint %s\n", buildVersion())
			fmt.Fprintf(a.stdout, "advisories of %s\n", advisories.Embedded().Modified().Format(time.DateOnly))
			if u := a.fetched; u != nil {
				fmt.Fprintf(a.stdout, "advisories of %s, %s, from %s\n", u.bundle.Made.Format(time.RFC3339), u.bundle.Name, report.Visible(u.Source))
			}
			return nil
		},
	}
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

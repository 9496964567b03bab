package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/report"
)

// version is set by release builds; otherwise the module's own is used.
var version string

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "print the version, what it was built from, and what the advisories are from",
		Example: "  digestlint version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "digestlint %s\n", buildVersion())
			if info, ok := debug.ReadBuildInfo(); ok {
				fmt.Fprintln(a.stdout, builtFrom(info))
			}
			fmt.Fprintf(a.stdout, "advisories of %s\n", advisories.Embedded().Modified().Format(time.DateOnly))
			if u := a.fetched; u != nil {
				fmt.Fprintf(a.stdout, "advisories of %s, %s, from %s\n", u.bundle.Made.Format(time.RFC3339), u.bundle.Name, report.Visible(u.Source))
			}
			return nil
		},
	}
}

// buildVersion is the version without the "v" of its tag, or "(devel)".
func buildVersion() string {
	own := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		own = info.Main.Version
	}
	return strings.TrimPrefix(cmp.Or(version, own, "(devel)"), "v")
}

// builtFrom tells the commit, where the build knows it (one by "go install
// MODULE@VERSION" does not), and the toolchain.
func builtFrom(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	built := fmt.Sprintf("%s, %s/%s", info.GoVersion, settings["GOOS"], settings["GOARCH"])
	commit := settings["vcs.revision"]
	if commit == "" {
		return "built with " + built
	}
	if settings["vcs.modified"] == "true" {
		commit += ", changed,"
	}
	return fmt.Sprintf("built from commit %s of %s with %s", commit, settings["vcs.time"], built)
}

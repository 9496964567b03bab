package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/report"
)

// exports are the formats of `advisories export`.
var exports = []struct {
	name  string
	write func(io.Writer, []*advisories.Advisory) error
}{
	{"osv", advisories.WriteOSV},
	{"csv", advisories.WriteCSV},
}

func (a *app) exportAdvisories() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "export [ID…]",
		Short: "write the advisories for other tools",
		Long: `export writes the advisories with these IDs, or all: as records of OSV, one a line
(https://ossf.github.io/osv-schema/), or as CSV with a row for each digest and each
tag. "advisories check" and the indicator files of "exposure" take the former.`,
		Example: `  digestlint advisories export DL-2026-0001 > DL-2026-0001.json
  digestlint advisories export --format csv > iocs.csv`,
		ValidArgsFunction: advisoryIDs,
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := selected(args)
			if err != nil {
				return err
			}
			for _, e := range exports {
				if e.name == format {
					out := bufio.NewWriter(a.stdout)
					if err := e.write(out, all); err != nil {
						return err
					}
					return out.Flush()
				}
			}
			return fmt.Errorf("--format %q: the formats are osv and csv", format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "osv", "osv or csv")
	complete(cmd, "format", []string{"osv", "csv"})
	return cmd
}

// selected are the advisories with the IDs, in their own order, or all where
// none is given.
func selected(ids []string) ([]*advisories.Advisory, error) {
	if len(ids) == 0 {
		return advisories.All(), nil
	}
	var all []*advisories.Advisory
	for _, id := range ids {
		n := len(all)
		for _, adv := range advisories.All() {
			if strings.EqualFold(adv.ID, id) && !slices.Contains(all, adv) {
				all = append(all, adv)
			}
		}
		if len(all) == n {
			return nil, fmt.Errorf("there is no advisory %q; `digestlint advisories list` names them", id)
		}
	}
	return all, nil
}

func (a *app) bundleAdvisories() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "bundle FILE…",
		Short: "put advisory files of your own together, to be signed and published",
		Long: `bundle checks advisory files and writes them as the one file that
"advisories update" takes, dated now. docs/advisories.md says how to sign it.`,
		Example: `  digestlint advisories bundle --name acme advisories/*.txt > bundle.txt`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var files []advisories.File
			for _, arg := range args {
				data, err := os.ReadFile(arg)
				if err != nil {
					return err
				}
				files = append(files, advisories.File{Name: arg, Data: data})
			}
			text, err := advisories.WriteBundle(name, time.Now(), files)
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "advisories", "what the bundle is called: letters, digits, - _ and .")
	return cmd
}

// checkAdvisories reads files strictly: advisories, bundles, and records of
// OSV. It also tells what in them contradicts the advisories of the program.
func (a *app) checkAdvisories(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	all, err := parseAdvisories(name, data)
	if err != nil {
		return err
	}
	for _, c := range advisories.Embedded().With(all...).Contradictions() {
		fmt.Fprintf(a.stderr, "digestlint: %s: %s\n", report.Visible(name), report.Visible(c.String()))
	}
	fmt.Fprintf(a.stdout, "%s: ok\n", report.LeadingPath(name))
	return nil
}

func parseAdvisories(name string, data []byte) ([]*advisories.Advisory, error) {
	if text := strings.TrimLeft(string(data), " \t\r\n"); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return advisories.ParseOSV(name, data)
	}
	return advisories.ParseAll(name, data)
}

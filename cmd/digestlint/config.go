package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/rules"
)

func (a *app) config() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "make, check and show the configuration",
		Example: `  digestlint config init     a file with all settings, in comments
  digestlint config check    is the file right, and what does it hide?
  digestlint config show     what holds, and where that is from`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.configInit(), a.configCheck(), a.configShow(), a.configSchema())
	return cmd
}

func (a *app) configInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "write " + config.Name + " with all settings in comments",
		Long: `init writes ` + config.Name + ` into the working directory. The file sets nothing yet: it
shows every setting in a comment. One that is there is left alone.`,
		Example: `  digestlint config init`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f, err := os.OpenFile(config.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already, and stays as it is", config.Name)
			}
			if err != nil {
				return fmt.Errorf("write configuration: %w", err)
			}
			_, err = f.WriteString(config.Template)
			if err = cmp.Or(err, f.Close()); err != nil {
				return fmt.Errorf("write configuration: %w", err)
			}
			fmt.Fprintf(a.stderr, "digestlint: wrote %s\n", config.Name)
			return nil
		},
	}
}

func (a *app) configSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "print the JSON Schema of " + config.Name + ", for editors",
		Example: `  digestlint config schema > digestlint.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := config.Schema(configFormats())
			if err == nil {
				_, err = a.stdout.Write(schema)
			}
			return err
		},
	}
}

func (a *app) configCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "say what is wrong with the configuration, and what it hides",
		Long: `check reads the file, or the nearest ` + config.Name + `, and the files that it names. It
notes what keeps findings about malicious images from being errors.

Exit status: 0 the file can be used, 2 it can't.`,
		Example: `  digestlint config check
  digestlint config check settings.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var in input
			if len(args) > 0 {
				in.config = args[0]
			}
			settings, err := in.settings()
			if err != nil {
				return err
			}
			if settings.Path == "" {
				fmt.Fprintf(a.stderr, "digestlint: there is no %s here, nor above in the repository\nhint: `digestlint config init` writes one\n", config.Name)
				return nil
			}
			if err := checkNamed(settings); err != nil {
				return err
			}
			name := report.Visible(shortPath(settings.Path))
			for _, n := range notes(settings, time.Now()) {
				fmt.Fprintf(a.stdout, "%s:%d:%d: note: %s\n", name, n.at.Line, n.at.Column, report.Visible(n.text))
			}
			fmt.Fprintf(a.stdout, "%s: ok\n", name)
			return nil
		},
	}
}

// checkNamed reads the files that the settings name.
func checkNamed(settings *config.Config) error {
	_, err := approved(settings.Approved)
	if err == nil {
		_, _, err = registries(settings)
	}
	if err == nil && settings.Baseline.Path != "" {
		_, err = new(baselineFlags).read(settings)
	}
	return err
}

// note is something to know about a line of the configuration.
type note struct {
	at   config.Place
	text string
}

// notes are what weakens findings about malicious images, in the order of the
// file.
func notes(settings *config.Config, now time.Time) (all []note) {
	for _, f := range settings.Formats {
		if f.Name == config.None {
			all = append(all, note{f.At, fmt.Sprintf("malicious images in files that %q matches are reported as %s, a warning, since they are of no format", f.Glob, rules.MaliciousMention.Name)})
		}
	}
	for _, e := range settings.Exclude {
		if slices.Contains(e.Rules, rules.MaliciousMention) {
			all = append(all, note{e.At, "mentions of malicious images are not reported where this matches"})
		}
	}
	for _, e := range settings.Exceptions {
		_, listed := advisories.LookupDigest(e.Digest)
		until := e.Until.Format(time.DateOnly)
		switch {
		case !listed:
			all = append(all, note{e.At, "no advisory lists " + e.Digest + ", so this exception does nothing"})
		case !now.Before(e.Until.AddDate(0, 0, 1)):
			all = append(all, note{e.At, "this exception ended on " + until})
		default:
			all = append(all, note{e.At, fmt.Sprintf("%s is excepted until %s: findings about it are infos", e.Digest, until)})
		}
	}
	slices.SortStableFunc(all, func(a, b note) int { return cmp.Compare(a.at.Line, b.at.Line) })
	return all
}

// shortPath is a path from the working directory, if it is below that or above
// it by little.
func shortPath(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(dir, path); err == nil && len(rel) < len(path) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(path)
}

func (a *app) configShow() *cobra.Command {
	var c checkFlags
	cmd := &cobra.Command{
		Use:   "show",
		Short: "print what holds for check, and where that is from",
		Long: `show prints the severity of every rule, every setting and every flag as check would
have it with the same flags here: its value, and whether it is from the configuration
(with the line), from a variable, from a flag, or the default.`,
		Example: `  digestlint config show
  digestlint config show --fail-on error`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := c.input.settings()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for _, e := range effective(cmd, settings) {
				fmt.Fprintf(w, "%s\t%s\t%s\n", report.Visible(e.key), report.Visible(e.value), report.Visible(e.from))
			}
			return w.Flush()
		},
	}
	c.flags(cmd)
	return cmd
}

// value is what holds for a setting or a flag.
type value struct{ key, value, from string }

const byDefault = "default"

// flagsOf are the flags that stand over settings.
var flagsOf = map[string]string{"online.timeout": "timeout", "online.cache": "no-cache", "online.allowed": "allow-registry"}

// effective is all that holds for check: the rules, the settings, the flags.
func effective(cmd *cobra.Command, settings *config.Config) []value {
	from := func(at config.Place) string { return fmt.Sprintf("%s:%d", shortPath(settings.Path), at.Line) }
	set := map[string]config.Set{}
	for _, s := range settings.Set {
		set[s.Key] = s
	}
	var all []value
	for _, r := range rules.All() {
		s, ok := set["rules."+r.Name]
		if !ok {
			s, ok = set["rules."+r.Name+".severity"]
		}
		_, configured := set[r.Setting]
		switch {
		case r.Setting != "" && !configured:
			all = append(all, value{"rules." + r.Name, rules.Off.String(), byDefault + ", without " + r.Setting})
		case ok:
			all = append(all, value{"rules." + r.Name, s.Value, from(s.At)})
		default:
			all = append(all, value{"rules." + r.Name, r.Default().String(), byDefault})
		}
	}
	for _, s := range settings.Set {
		if v, ok := overriding(cmd, s.Key); ok {
			all = append(all, v)
		} else if !strings.HasPrefix(s.Key, "rules.") {
			all = append(all, value{s.Key, s.Value, from(s.At)})
		}
	}
	for _, s := range config.Settings() {
		if _, ok := set[s.Key]; ok {
			continue
		}
		if v, ok := overriding(cmd, s.Key); ok {
			all = append(all, v)
		} else if s.Default != "" {
			all = append(all, value{s.Key, s.Default, byDefault})
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		for _, flag := range flagsOf {
			if f.Name == flag {
				return
			}
		}
		if f.Name != "help" && !f.Hidden {
			all = append(all, value{"--" + f.Name, f.Value.String(), cmp.Or(origin(f), byDefault)})
		}
	})
	return all
}

// overriding is the value of the flag that stands over the setting, if it is
// given.
func overriding(cmd *cobra.Command, key string) (value, bool) {
	f := cmd.Flags().Lookup(flagsOf[key])
	if f == nil || !f.Changed {
		return value{}, false
	}
	text := f.Value.String()
	if key == "online.cache" {
		text = map[string]string{"true": "off", "false": "on"}[text]
	}
	return value{key, text, origin(f)}, true
}

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/rules"
)

func (a *app) explain() *cobra.Command {
	return &cobra.Command{
		Use:     "explain RULE",
		Short:   "what a rule means, why it matters and how to fix it",
		Example: "  digestlint explain malicious-digest",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return ruleNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			r := rules.Lookup(args[0])
			if r == nil {
				return fmt.Errorf("there is no rule %q; the rules are %s", args[0], strings.Join(ruleNames(), ", "))
			}
			_, err := io.WriteString(a.stdout, rules.Page(r))
			return err
		},
	}
}

func ruleNames() []string {
	var names []string
	for _, r := range rules.All() {
		names = append(names, r.Name)
	}
	return names
}

func (a *app) rules() *cobra.Command {
	return &cobra.Command{
		Use:     "rules",
		Short:   "list the rules",
		Example: "  digestlint rules",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, r := range rules.All() {
				summary := r.Summary
				if r.OnlineOnly() {
					summary += " (only with --online)"
				}
				if r.Optional {
					summary += " (off until `rules` sets it)"
				}
				if r.Setting != "" {
					summary += fmt.Sprintf(" (off until `%s` is set)", r.Setting)
				}
				if _, err := fmt.Fprintf(a.stdout, "%-22s %-8s %s\n", r.Name, r.Default(), summary); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

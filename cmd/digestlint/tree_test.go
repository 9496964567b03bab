package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// maxHelp is the widest line of a help text, in characters.
const maxHelp = 100

// tree gives every command of the program that people can see.
func tree(t *testing.T) []*cobra.Command {
	t.Helper()
	root := (&app{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}).root()
	root.InitDefaultHelpFlag()
	var all []*cobra.Command
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		all = append(all, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return all
}

// TestTree holds that every command says what it does, with examples that can
// be typed, and that every flag has a line.
func TestTree(t *testing.T) {
	commands := tree(t)
	for _, c := range commands {
		if c.Short == "" {
			t.Errorf("%s: no description", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s has no description", c.CommandPath(), f.Name)
			}
		})
		for line := range strings.Lines(helpOf(c)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > maxHelp {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		if strings.TrimSpace(c.Example) == "" {
			t.Errorf("%s: no example", c.CommandPath())
		}
		named := false
		for line := range strings.Lines(c.Example) {
			for part := range strings.SplitSeq(line, "|") {
				words := strings.Fields(part)
				if len(words) == 0 || words[0] != "digestlint" {
					continue
				}
				named = true
				checkExample(t, commands[0], c, words[1:])
			}
		}
		if !named {
			t.Errorf("%s: no example calls digestlint", c.CommandPath())
		}
	}
}

// checkExample holds that a line of an example names a command and flags that
// exist. What stands behind two spaces is an explanation.
func checkExample(t *testing.T, root, of *cobra.Command, words []string) {
	t.Helper()
	c, rest, err := root.Find(words)
	if err != nil {
		t.Errorf("%s: example %q: %v", of.CommandPath(), words, err)
		return
	}
	for _, word := range rest {
		name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case strings.HasPrefix(word, "--"):
			if c.Flag(name) == nil {
				t.Errorf("%s: example %q: no flag --%s", of.CommandPath(), words, name)
			}
		case len(word) == 2 && word[0] == '-' && word != "--":
			if c.Flags().ShorthandLookup(name) == nil && c.InheritedFlags().ShorthandLookup(name) == nil {
				t.Errorf("%s: example %q: no flag -%s", of.CommandPath(), words, name)
			}
		}
	}
}

// TestHelpOrder holds that examples come first, and one line a flag.
func TestHelpOrder(t *testing.T) {
	for _, c := range tree(t) {
		text := helpOf(c)
		var at []int
		for _, part := range []string{c.Short, "Examples:", "Usage:"} {
			at = append(at, strings.Index(text, part))
		}
		if slices.Min(at) < 0 || !slices.IsSorted(at) {
			t.Errorf("%s: the help has its parts at %v:\n%s", c.CommandPath(), at, text)
		}
	}
}

func helpOf(c *cobra.Command) string {
	var b bytes.Buffer
	c.SetOut(&b)
	_ = c.Help()
	return b.String()
}

// TestCompletion holds that there is a script for each shell, and that names
// complete.
func TestCompletion(t *testing.T) {
	complete := func(args ...string) (string, int) {
		var out bytes.Buffer
		status := run(args, nil, &out, &bytes.Buffer{})
		return out.String(), status
	}
	for _, shell := range shells {
		if out, status := complete("completion", shell); status != exitClean || !strings.Contains(out, "__complete") {
			t.Errorf("%s: status %d, %d bytes", shell, status, len(out))
		}
	}
	if _, status := complete("completion", "tcsh"); status != exitUsage {
		t.Errorf("tcsh: status %d", status)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"explain", ""}, "unpinned-image"},
		{[]string{"check", "--output", ""}, "sarif"},
		{[]string{"check", "--fail-on", ""}, "warning"},
		{[]string{"refs", "-o", ""}, "list"},
		{[]string{"exposure", "-o", ""}, "markdown"},
		{[]string{"advisories", "show", ""}, "DL-2026-0001"},
		{[]string{"advisories", "export", "--format", ""}, "csv"},
		{[]string{"pin", "--color", ""}, "never"},
		{[]string{"completion", ""}, "zsh"},
	} {
		out, _ := complete(append([]string{"__complete"}, test.args...)...)
		if !strings.Contains(out, test.want) {
			t.Errorf("%q completes to\n%s", test.args, out)
		}
	}
}

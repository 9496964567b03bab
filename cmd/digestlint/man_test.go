package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManPage holds docs/digestlint.1 to the commands and their flags, and lets
// groff read it, where there is one.
func TestManPage(t *testing.T) {
	page := manPage(tree(t))
	golden(t, filepath.Join(docs, "digestlint.1"), page)
	groff, err := exec.LookPath("groff")
	if err != nil {
		return
	}
	cmd := exec.Command(groff, "-man", "-ww", "-z", "-K", "utf8")
	cmd.Stdin = strings.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// manPage is the manual page of the program, one section for all commands, in
// the macros of man(7) (https://man7.org/linux/man-pages/man7/man.7.html).
func manPage(commands []*cobra.Command) string {
	var b bytes.Buffer
	root := commands[0]
	fmt.Fprintf(&b, ".TH DIGESTLINT 1\n.SH NAME\ndigestlint \\- %s\n", roff(root.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B digestlint\n.I COMMAND\n[flags]\n")
	fmt.Fprintf(&b, ".SH DESCRIPTION\n")
	manText(&b, root.Long)
	manFlags(&b, ".SH FLAGS OF ALL COMMANDS\n", root.PersistentFlags())
	b.WriteString(".SH COMMANDS\n")
	for _, c := range commands[1:] {
		fmt.Fprintf(&b, ".SS %s\n", roff(strings.TrimSuffix(c.UseLine(), " [flags]")))
		manText(&b, strings.ToUpper(c.Short[:1])+c.Short[1:]+".")
		if c.Long != "" {
			b.WriteString(".PP\n")
			manText(&b, c.Long)
		}
		manFlags(&b, "", c.NonInheritedFlags())
		fmt.Fprintf(&b, ".PP\n.EX\n%s\n.EE\n", roff(strings.TrimRight(c.Example, "\n")))
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, s := range []struct {
		status int
		means  string
	}{
		{exitClean, "Nothing was found; for pin, all that was asked for is pinned."},
		{exitFindings, "There are findings at or above --fail-on; for pin, something stayed unpinned."},
		{exitUsage, "Wrong flags, arguments or configuration."},
		{exitIncomplete, "A selected file could not be read, or a lookup failed."},
	} {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", s.status, roff(s.means))
	}
	b.WriteString(".SH ENVIRONMENT\n")
	for _, v := range []struct{ name, means string }{
		{timeoutVariable, "In place of --timeout."},
		{noCacheVariable, "In place of --no-cache: true or false."},
		{allowedVariable, "In place of --allow-registry, with spaces or commas between."},
		{cacheVariable, "The folder of the cache, else the user's."},
		{sourceVariable, "In place of --source of advisories update."},
		{keyVariable, "In place of --key of advisories update. Where it is set, no advisories count that other keys have signed."},
		{noUpdatesVariable, "In place of --no-updates: true or false."},
		{"NO_COLOR", "Not empty: no colours, unless --color says so."},
	} {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(v.name), roff(v.means))
	}
	b.WriteString(".SH SEE ALSO\nhttps://github.com/digestlint/digestlint\n")
	return b.String()
}

// manText writes paragraphs; indented lines stay as they are.
func manText(b *bytes.Buffer, text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(paragraph, "  ") {
			fmt.Fprintf(b, ".EX\n%s\n.EE\n", roff(paragraph))
			continue
		}
		fmt.Fprintf(b, "%s\n", roff(paragraph))
	}
}

// manFlags writes a list of flags behind a heading.
func manFlags(b *bytes.Buffer, heading string, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		b.WriteString(heading)
		heading = ""
		name, usage := pflag.UnquoteUsage(f)
		text := "--" + f.Name
		if f.Shorthand != "" {
			text = "-" + f.Shorthand + ", " + text
		}
		fmt.Fprintf(b, ".TP\n.B %s %s\n%s\n", roff(text), roff(name), roff(usage))
	})
}

// roff is text with nothing in it that is special to roff.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, ".") {
			line = `\&` + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

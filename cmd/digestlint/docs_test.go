package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// executed is a page of the documentation whose commands are run.
//
// A block of the language "console" holds commands, each behind "$ " and maybe
// going on behind "> ", with what they print on both streams. A line "…" there
// stands for any lines. Of other blocks the line in front says what they are:
//
//	<!-- file: NAME -->  a file, there before the first command
//	<!-- run -->         commands that succeed, whatever they print
//
// All commands of a page run in one shell, one after the other.
type executed struct {
	// dir is where the page begins.
	dir string
	// env is what the shell knows beside PATH and the names of people.
	env []string
	// hide replaces in the output what is another one at each run, as
	// [strings.NewReplacer] takes it.
	hide []string
}

// command is one command of a page.
type command struct {
	text string
	// from and to are the bytes of the page with what it prints; of those that
	// only have to succeed they are none.
	from, to int
	shown    bool
}

// blockPattern finds blocks, with the comment in front of them.
var blockPattern = regexp.MustCompile("(?ms)^(?:<!-- ([a-z]+)(?:: (\\S+))? -->\n)?```([a-z]+)\n(.*?)^```$")

// run runs the page, and writes it anew with -update.
func (e executed) run(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no shell")
	}
	page := readFile(t, name)
	commands := e.commands(t, page)
	if len(commands) == 0 {
		t.Fatalf("%s has no commands", name)
	}
	outputs, statuses := e.shell(t, commands)
	replace := strings.NewReplacer(e.hide...)
	var updated strings.Builder
	done := 0
	for i, c := range commands {
		got := replace.Replace(outputs[i])
		switch {
		case !c.shown && statuses[i] != 0:
			t.Fatalf("%s: %s: status %d\n%s", name, c.text, statuses[i], got)
		case !c.shown || matches(page[c.from:c.to], got):
			continue
		case !*update:
			t.Errorf("%s: $ %s\nprints\n%swhere the page has\n%s", name, c.text, got, page[c.from:c.to])
			continue
		}
		updated.WriteString(page[done:c.from])
		updated.WriteString(got)
		done = c.to
	}
	if done > 0 {
		updated.WriteString(page[done:])
		golden(t, name, updated.String())
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// commands are the commands of a page. Its files are written.
func (e executed) commands(t *testing.T, page string) []command {
	t.Helper()
	var all []command
	for _, m := range blockPattern.FindAllStringSubmatchIndex(page, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return page[m[2*i]:m[2*i+1]]
		}
		switch kind := group(1); {
		case kind == "file":
			if err := os.WriteFile(filepath.Join(e.dir, group(2)), []byte(group(4)), 0o600); err != nil {
				t.Fatal(err)
			}
		case kind == "run":
			for line := range strings.Lines(group(4)) {
				all = append(all, command{text: strings.TrimSpace(line)})
			}
		case group(3) == "console":
			all = append(all, prompted(t, group(4), m[8])...)
		}
	}
	return all
}

// prompted gives the commands of a block that starts at the byte offset of its
// page.
func prompted(t *testing.T, block string, offset int) []command {
	t.Helper()
	var all []command
	for line := range strings.Lines(block) {
		offset += len(line)
		last := len(all) - 1
		switch {
		case strings.HasPrefix(line, "$ "):
			all = append(all, command{text: strings.TrimSpace(line[2:]), from: offset, to: offset, shown: true})
		case last < 0:
			t.Fatalf("the block starts with %q, which is no command", line)
		case strings.HasPrefix(line, "> ") && all[last].to == offset-len(line) && all[last].from == all[last].to:
			all[last].text += "\n" + strings.TrimSpace(line[2:])
			all[last].from, all[last].to = offset, offset
		default:
			all[last].to = offset
		}
	}
	return all
}

// mark ends the output of a command, with its status.
const mark = "\x1e"

// shell runs the commands in one shell, and gives what each prints, and its
// status.
func (e executed) shell(t *testing.T, commands []command) (outputs []string, statuses []int) {
	t.Helper()
	var script strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&script, "%s\nstatus=$?; printf '\\036%%d\\036' $status; (exit $status)\n", c.text)
	}
	home := t.TempDir()
	sh := exec.Command("sh")
	sh.Dir, sh.Stdin = e.dir, strings.NewReader(script.String())
	sh.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "DOCKER_CONFIG=" + home, "XDG_RUNTIME_DIR=" + home, "TMPDIR=" + home, "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=jo", "GIT_AUTHOR_EMAIL=jo@acme.example", "GIT_COMMITTER_NAME=jo", "GIT_COMMITTER_EMAIL=jo@acme.example",
	}, e.env...)
	out, err := sh.CombinedOutput()
	parts := strings.Split(string(out), mark)
	if len(parts) != 2*len(commands)+1 {
		t.Fatalf("%v after %d of %d commands\n%s", err, len(parts)/2, len(commands), out)
	}
	for i := range commands {
		status, err := strconv.Atoi(parts[2*i+1])
		if err != nil {
			t.Fatal(err)
		}
		outputs, statuses = append(outputs, parts[2*i]), append(statuses, status)
	}
	return outputs, statuses
}

// matches reports whether the page shows the output.
func matches(shown, output string) bool {
	pattern := strings.ReplaceAll("\n"+regexp.QuoteMeta(shown), "\n…\n", "\n(?:.*\n)*")
	return regexp.MustCompile("^" + pattern + "$").MatchString("\n" + output)
}

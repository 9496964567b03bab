package exposure

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/report"
)

// words are what evidence may have to say to a shell.
var words = []string{
	"", "plain", "a b", "it's", `back\slash`, "$(id)", "`id`", "$HOME", "a;b", "a|b", "a&b", "*", "~", "~root", "{a,b}", "!!", "#x", "a=b", "=ls",
	"\"", "-rf", "<in", ">out", "line\nbreak", "tab\there", "\x1b[31mred", "bell\a7", "\u202egnp.exe", "é 語", "\xff\xfe", "'\n'", "\\\n", "\x7f",
}

func TestShellQuote(t *testing.T) {
	shells := []string{"bash", "zsh", "ksh"}
	tested := 0
	for _, shell := range shells {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		tested++
		for _, w := range words {
			out, err := exec.Command(path, "-c", shellCommand("printf", "%s", w)).CombinedOutput()
			if err != nil || string(out) != w {
				t.Errorf("%s: %s gives %q (%v), want %q", shell, shellQuote(w), out, err, w)
			}
		}
	}
	if tested == 0 {
		t.Skip("none of " + strings.Join(shells, ", ") + " is installed")
	}
}

func TestShellQuoteIsShown(t *testing.T) {
	for _, w := range words {
		if q := shellQuote(w); report.Visible(q) != q {
			t.Errorf("%q is not shown as it is", q)
		}
	}
	for _, w := range []string{"docker.io/acme/app:1.0@sha256:00", "--namespace=ci", "pod/a_b-c"} {
		if q := shellQuote(w); q != w {
			t.Errorf("%s is quoted without need: %s", w, q)
		}
	}
}

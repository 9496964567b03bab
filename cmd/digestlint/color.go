package main

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// colored reports whether to colour standard output: as --color says, else on a
// terminal, unless NO_COLOR (https://no-color.org) is set.
func (a *app) colored() bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	return a.terminal()
}

// terminal reports whether standard output is one.
func (a *app) terminal() bool {
	f, ok := a.stdout.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) checkColor() error {
	switch a.color {
	case "auto", "always", "never":
		return nil
	}
	return fmt.Errorf("--color %q: it is auto, always or never", a.color)
}

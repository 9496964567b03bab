// Package report writes the result of a run, in one of several formats: one file
// a format.
//
// A writer decides nothing: findings come sorted, filtered and with their
// severities, and the exit status is the caller's, the same for every format.
// The bytes written depend on the [Report] alone.
package report

import (
	"io"
	"sort"

	"github.com/digestlint/digestlint/rules"
)

// Report is what a run has found.
type Report struct {
	// Version is that of the tool, such as "0.1.0".
	Version string
	// Findings are in the order in which they are to be shown.
	Findings []rules.Finding
	// Errors are what made the run incomplete, in order.
	Errors  []Error
	Summary Summary
	// Category names the part of the repository that was looked at, for
	// services that are told of several; empty for the whole.
	Category string
	// Color lets formats for people use the colours of a terminal.
	Color bool
}

// Error is a file, or a lookup at some place of it, that could not be judged.
type Error struct {
	Path         string // empty where no file is to blame
	Line, Column int    // from one; zero where not known
	Message      string
}

// Summary counts what was seen, ignored findings and all.
type Summary struct {
	Files         int // read as some format
	NotRecognised int // read, but of no known format
	References    int
	Unpinned      int // references that should have a digest and have none
	Unresolved    int // references whose image is not known
	Malicious     int // references and mentions of listed digests and tags
}

// Writer writes a report. Its errors are those of w.
type Writer func(w io.Writer, r *Report) error

// Format is one way to write a report.
type Format struct {
	// Name is what people type.
	Name string
	// Summary says for lists what it is for, without a full stop.
	Summary string
	// LineHashes is set where the format writes the line hashes of findings.
	LineHashes bool
	Write      Writer
}

var registered []*Format

func register(f Format) *Format {
	registered = append(registered, &f)
	return &f
}

// Formats is every output format, by name.
func Formats() []*Format {
	all := append([]*Format(nil), registered...)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Lookup is the format of that name, or nil.
func Lookup(name string) *Format {
	for _, f := range registered {
		if f.Name == name {
			return f
		}
	}
	return nil
}

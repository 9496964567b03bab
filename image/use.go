package image

import (
	"slices"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// Role is what a file does with the image that it names.
type Role uint8

const (
	// Pull is an image that something will pull, run or build on.
	Pull Role = iota
	// Output is the name under which the file builds or pushes an image.
	// Outputs are listed, never judged, never pinned.
	Output
)

func (r Role) String() string {
	if r == Output {
		return "output"
	}
	return "pull"
}

// Confidence is how sure it is that the use has its value.
type Confidence uint8

const (
	// High is a literal, or a text that nobody overrides.
	High Confidence = iota
	// Medium is a default that somebody can override.
	Medium
	// Low is an opaque expression, or a place that only looks like an image.
	Low
)

func (c Confidence) String() string {
	return [...]string{"high", "medium", "low"}[c]
}

// Use is a place in a file that names an image.
type Use struct {
	File   *source.File
	Format string
	// Span is the reference in File as it is written there: without
	// enclosing quotes and without a "docker://" prefix.
	Span source.Span
	// Raw is the bytes of Span.
	Raw  string
	Role Role
	// Pointer says for people, and for fingerprints, where in the structure
	// of the file the use stands: "services.web.image".
	Pointer    string
	Confidence Confidence
	// Values are the texts that the use can have, in the order of the file:
	// none where something that no file here decides goes into it, several
	// for a matrix, a loop or a map.
	Values []Value
	// Variables are the names of all that Raw takes from elsewhere, in order.
	Variables []string
	// Missing are those of Variables that no file here decides.
	Missing []string
	// Placeholder is set where the text is filled in by something else later.
	Placeholder bool
	// DigestOnly is set where the reader of this place takes a tag or a
	// digest, not both.
	DigestOnly bool
	// Local is set when the repository builds this name itself, Replaced when
	// a kustomization gives it another image; such uses are neither judged
	// nor pinned.
	Local, Replaced bool
}

// Undecided is [Use.Missing] for people: the parameters of a script, whose names
// are numbers, are "$1" and so on.
func (u *Use) Undecided() []string {
	out := slices.Clone(u.Missing)
	for i, name := range out {
		if strings.Trim(name, "0123456789@*#") == "" {
			out[i] = "$" + name
		}
	}
	return out
}

// Value is one text that a use can have.
type Value struct {
	// Text is the reference with every variable substituted.
	Text string
	// Ref is Text taken apart; Err is the [*SyntaxError] if it is none.
	Ref Reference
	Err error
	// Definition is where the text stands that decides the value, nil where
	// that is the use itself.
	Definition *Definition
	// Reads are the places, in whatever file, that name what the value takes
	// from elsewhere.
	Reads []source.Span
	// Site is where a digest goes.
	Site Site
}

// Definition is the place that gives a variable, anchor, argument or matrix
// entry its text.
type Definition struct {
	File *source.File
	Span source.Span // the text, without quotes
	Name string      // of the variable
	Kind string      // for people: "ARG", "anchor", "matrix entry", ".env line"
}

// Safety is whether an edit keeps the meaning for everyone who reads the text.
type Safety uint8

const (
	// Safe edits are made by pin.
	Safe Safety = iota
	// Unsafe edits touch a text that something unseen may read, and are made
	// only when asked for.
	Unsafe
	// Refused sites are never edited; the reason says why and what to do.
	Refused
)

func (s Safety) String() string {
	return [...]string{"safe", "unsafe", "refused"}[s]
}

// Site is the place where the digest of a value is written.
type Site struct {
	File *source.File
	// Tail is the text at whose end the reference ends; a digest is appended
	// there, or replaces the one within. For a Key site it is the value of the
	// key, empty where the key is yet to be written.
	Tail   source.Span
	Safety Safety
	// Reason says, unless the site is safe, why and what to do by hand.
	Reason string
	// Readers finds all places in File that name a variable whose text ends
	// at Tail; nil where the text belongs to the use alone. Unless each place
	// is among the Reads of uses of one repository, the edit would change
	// something else.
	Readers func() []source.Span
	// Key is set where the digest has a key of its own: the digest is
	// written as Before + digest + After over Tail.
	Key           bool
	Before, After string
}

// Literal reports whether the value stands at the use itself, whole.
func (v Value) Literal() bool { return v.Definition == nil }

// Resolved reports whether at least one value is known.
func (u *Use) Resolved() bool { return len(u.Values) > 0 }

// Position is the line and column of the use.
func (u *Use) Position() source.Position { return u.File.Position(u.Span.Start) }

// Pinned reports whether every value carries a valid digest.
func (u *Use) Pinned() bool {
	if len(u.Values) == 0 {
		return false
	}
	return !slices.ContainsFunc(u.Values, func(v Value) bool { return v.Err != nil || !v.Ref.Pinned() })
}

// Judged reports whether the rules on pinning speak of u: outputs, images that
// the repository builds itself and replaced ones are only listed.
func (u *Use) Judged() bool { return u.Role == Pull && !u.Local && !u.Replaced }

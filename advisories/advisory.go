// Package advisories knows the container images that are known to have been
// malicious: which digests, which tags of which repositories and when, and what
// to pin instead.
//
// Each incident is one file in data/, embedded in the program; [Parse]
// documents its format. [LookupDigest] and [Scan] go by content, whatever the
// repository, because mirrors copy bytes. [Match] goes by name and tag, where
// no digest says what was meant. Nothing is read from disk or network, and
// nothing is parsed before the first call.
package advisories

import (
	"slices"
	"time"
)

// Advisory is one incident. All slices are in the order of its file, are
// shared, and must not be changed.
type Advisory struct {
	ID    string // "DL-2026-0001"
	Title string
	Type  string // one of the types that [Parse] lists
	// Severity is how bad it was for those who ran the image; SeverityNote
	// says on what that depends.
	Severity     Severity
	SeverityNote string
	Aliases      []string  // CVE and GHSA identifiers
	Published    time.Time // day, UTC; zero where not known
	// Modified is when the file last changed, zero where it does not say. Of
	// two files with one ID the later one counts.
	Modified time.Time
	// Certainty is that of everything that states none of its own.
	Certainty    Certainty
	Repositories []Repository
	// Tags holds the tag entries of the file, those that its digests imply
	// included.
	Tags        []TagSet
	Digests     []Digest
	KnownGood   []Good
	NotAffected []NotAffected
	// Indicators are other traces, defanged as their sources give them:
	// hosts, addresses, hashes of files (never of images).
	Indicators []string
	Notes      []string
	// See are the IDs of advisories that complete this one.
	See []string
	// References are the IDs of the sources to read, best first; Sources are
	// all that the file draws on.
	References []string
	Sources    []Source
}

// Source is the source of a, known to its file as id.
func (a *Advisory) Source(id string) (Source, bool) {
	i := slices.IndexFunc(a.Sources, func(s Source) bool { return s.ID == id })
	if i < 0 {
		return Source{}, false
	}
	return a.Sources[i], true
}

// Source is where a fact comes from.
type Source struct {
	ID    string
	Class string // what kind of witness it is: "vendor advisory", "press"
	URL   string // empty where only the class is known
	Notes []string
}

// Repository is a repository, an account or a whole registry that an incident
// touched.
type Repository struct {
	// Name is canonical ("docker.io/library/debian"), or ends in "/*" for
	// everything below a registry or an account.
	Name string
	// State is set where the name itself is the verdict, whatever the tag.
	State State
	// Intended is the name that people meant when they wrote this one.
	Intended  string
	Certainty Certainty
	Sources   []string
	// Seen are tags that were seen in use; others are no better.
	Seen    []string
	Windows []Window
	Notes   []string
}

// TagSet is a group of tags that share a fate.
type TagSet struct {
	Names    []string
	Versions Range // instead of Names, where a source gives a range
	// In are the canonical names of the repositories that have the tags.
	In        []string
	State     State
	Certainty Certainty
	Sources   []string
	Windows   []Window
	Notes     []string
}

// Digest is a listed digest: content that is malicious wherever it is found.
type Digest struct {
	Digest   string // "sha256:" and 64 lower-case hex digits
	Kind     Kind
	Platform string // "linux/amd64"; empty for an index or where not known
	// Repository is where it was published, empty where it is any of the
	// advisory's.
	Repository string
	Tags       []string // that pointed to it, directly or through an index
	// Windows say when the tags pointed to it, where that is known for the
	// single digest.
	Windows   []Window
	Certainty Certainty
	Sources   []string
	Notes     []string
}

// Good is content that is known to be clean, or a word on where to find some.
type Good struct {
	What     string // for people: "v2.1.20 and latest", "0.70.0 and later"
	Tags     []string
	Digest   string // empty where none is known
	Kind     Kind
	Platform string
	// In are the canonical names of the repositories (patterns too) that it
	// is known for.
	In        []string
	Certainty Certainty
	Sources   []string
	Notes     []string
}

// NotAffected is a reference that looks as if it were affected.
type NotAffected struct {
	Reference string // as written, with its digest
	Why       string
}

// Severity is how bad an incident was. Not every source rates one.
type Severity uint8

const (
	Unrated Severity = iota
	Low
	Medium
	High
	Critical
)

var severityNames = []string{"unrated", "low", "medium", "high", "critical"}

func (s Severity) String() string { return nth(severityNames, s) }

// Kind is what a digest is the digest of. Tools print different ones for the
// same image, so an incident lists all that are known.
type Kind uint8

const (
	// UnknownKind is an index or a manifest: the source does not say which.
	UnknownKind Kind = iota
	// Index lists the manifests of all platforms.
	Index
	// Manifest is the image of one platform.
	Manifest
	// Config is what Docker's classic image store calls the image ID.
	Config
	// Signature is an object that signs the image, and cannot be run.
	Signature
)

var kindNames = []string{"unknown", "index", "manifest", "config", "signature"}

func (k Kind) String() string { return nth(kindNames, k) }

// State is what became of a tag, or what a repository is.
type State uint8

const (
	// NoState says nothing: the repository's tags decide.
	NoState State = iota
	// Malicious repositories belong to the attacker.
	Malicious
	// CreatedByAttacker tags never named a legitimate image.
	CreatedByAttacker
	// Withdrawn tags were removed by the vendor for good.
	Withdrawn
	// Permanent tags named the bad content from the start and were never
	// moved.
	Permanent
	// Overwritten tags were moved to bad content and back.
	Overwritten
	// Exposed tags may have been affected; nothing is proven.
	Exposed
)

var stateNames = []string{"", "malicious", "created-by-attacker", "withdrawn", "permanent", "overwritten", "exposed"}

func (s State) String() string { return nth(stateNames, s) }

// Verdict is what follows from a state for somebody who uses the tag now.
func (s State) Verdict() Verdict {
	switch s {
	case Overwritten:
		return InWindow
	case Exposed, NoState:
		return Exposure
	}
	return Never
}

// Verdict is what to think of a reference without a digest. Greater is worse.
type Verdict uint8

const (
	// Exposure is an incident without a proven bad image.
	Exposure Verdict = iota
	// InWindow is bad if pulled within the windows, fine since.
	InWindow
	// Never is a name that nobody should use at any time.
	Never
)

func (v Verdict) String() string { return nth([]string{"exposure", "window", "never"}, v) }

// Grade is how sure a fact is. Greater is surer; zero is no grade, which nothing
// in a parsed advisory has.
type Grade uint8

const (
	_ Grade = iota
	// Disputed facts have a source against them.
	Disputed
	// Inferred facts are read out of others; no source states them.
	Inferred
	// Reported facts have one source, or several that copy each other.
	Reported
	// Confirmed facts come from the vendor, the registry's operator or
	// several sources of their own.
	Confirmed
)

var gradeNames = []string{"", "disputed", "inferred", "reported", "confirmed"}

func (g Grade) String() string { return nth(gradeNames, g) }

// Certainty is a grade and the words that qualify it.
type Certainty struct {
	Grade Grade
	Words string
}

func (c Certainty) String() string {
	if c.Words == "" {
		return c.Grade.String()
	}
	return c.Grade.String() + "; " + c.Words
}

// nth is the i-th of names, or "invalid": values of these types can come from
// a caller's arithmetic.
func nth[T ~uint8](names []string, i T) string {
	if int(i) >= len(names) {
		return "invalid"
	}
	return names[i]
}

package exposure

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/digestlint/digestlint/advisories"
)

// Judge holds events against advisories.
type Judge struct {
	Set *advisories.Set
}

// Judge is what the advisories say of e: a trace for each that speaks of it.
//
// A listed digest decides alone. Any other digest of an index or a manifest
// clears the event, whatever the tag. Where no digest is known, the tag and the
// time decide.
func (j *Judge) Judge(e Event) []Trace {
	digests := e.Digests
	if e.Ref.Digest != "" {
		digests = append(slices.Clip(digests), e.Ref.Digest)
	}
	var traces []Trace
	for _, d := range append(slices.Clip(digests), e.ImageID) {
		hit, ok := j.Set.LookupDigest(d)
		if !ok || slices.ContainsFunc(traces, func(t Trace) bool { return t.Advisory == hit.Advisory }) {
			continue
		}
		t := Trace{Event: e, Advisory: hit.Advisory, Digest: hit.Digest, Listed: d}
		t.Verdict, t.Why = ofDigest(&e, hit)
		traces = append(traces, t)
	}
	if len(traces) > 0 || len(digests) > 0 || e.Ref.Repository == "" {
		return traces
	}
	for _, hit := range j.Set.Match(e.Ref) {
		if v, why := ofTag(&e, hit); v > Clear {
			traces = append(traces, Trace{Event: e, Advisory: hit.Advisory, Tag: &hit, Verdict: v, Why: why})
		}
	}
	return traces
}

// ofDigest is the verdict on a listed digest.
func ofDigest(e *Event, hit advisories.Hit) (Verdict, string) {
	what := "the malicious " + hit.Digest.Kind.String()
	if hit.Digest.Kind == advisories.UnknownKind {
		what = "the malicious image"
	}
	switch e.Kind {
	case Named:
		return Possible, namer(e) + " pins " + what + "; whatever ran it there was hit"
	case Pulled:
		return Confirmed, what + " was pulled"
	case Present:
		return Confirmed, what + " is stored"
	case Running:
		return Confirmed, what + " was given to a workload"
	}
	return Confirmed, what + " is served"
}

// namer is what names the image of e, for people: a template of pods names one
// as a file of a repository does, and a log shows commands.
func namer(e *Event) string {
	if e.Place.Pod != "" {
		return "the workload"
	}
	if e.Place.Log {
		return "the log"
	}
	return "the repository"
}

// timing is how the time of an event lies to the windows of a tag.
type timing uint8

const (
	outside timing = iota
	unknown
	inside
)

// ofTag is the verdict on a tag without a digest.
func ofTag(e *Event, hit advisories.TagHit) (Verdict, string) {
	when := timingOf(e, hit.Windows)
	if hit.Verdict == advisories.Never {
		return never(e.Kind, hit)
	}
	during := ""
	if w := hit.When(); w != "" {
		during = " (" + w + ")"
	}
	switch {
	case when == outside:
		return Clear, ""
	case hit.Verdict == advisories.Exposure:
		if when != inside {
			return Clear, ""
		}
		return Possible, "the image was at risk at the time" + during + ", though no malicious image is proven"
	case e.Kind == Named:
		if when == unknown {
			return Possible, namer(e) + " named a tag that led to a malicious image" + during + ", at an unknown time"
		}
		return Possible, namer(e) + " named the tag while it led to a malicious image" + during
	case when == unknown || e.Kind == Present && e.From.IsZero():
		return Possible, "the tag led to a malicious image" + during + ", and nothing here says when this one was pulled"
	}
	if hit.Disputed() {
		return Possible, "the tag was used while it may have led to a malicious image" + during + "; sources disagree"
	}
	return Likely, "the tag was used while it led to a malicious image" + during
}

// never is the verdict on a tag that never was a good one.
func never(k Kind, hit advisories.TagHit) (Verdict, string) {
	why := "the tag never led to a genuine image"
	if hit.State == advisories.Malicious {
		why = "the repository is the attacker's"
	}
	switch {
	case k == Named:
		return Possible, why
	case hit.Disputed():
		return Possible, why + "; sources disagree"
	}
	return Likely, why
}

// faint is how far from the one known moment of a window, whose other end
// nobody knows, its word is taken.
const faint = 7 * 24 * time.Hour

// timingOf compares the time of e with the windows that the sources say
// together.
func timingOf(e *Event, windows []advisories.Window) timing {
	if len(windows) == 0 || e.From.IsZero() && e.Until.IsZero() {
		return unknown
	}
	result := outside
	for _, w := range advisories.Union(windows) {
		sure := w
		switch {
		case w.End.IsZero() && !w.Start.IsZero():
			sure.End = w.Start.Add(faint)
		case w.Start.IsZero() && !w.End.IsZero():
			sure.Start = w.End.Add(-faint)
		}
		switch {
		case overlaps(e.From, e.Until, sure) && (e.Kind == Named || known(e, sure)):
			return inside
		case overlaps(e.From, e.Until, w):
			result = unknown
		}
	}
	return result
}

// known reports whether an end of e that is known lies within w, if the other
// is not: what was pulled at some time before it was seen may have been pulled
// before w, too.
func known(e *Event, w advisories.Window) bool {
	switch {
	case e.From.IsZero():
		return overlaps(e.Until, e.Until, w)
	case e.Until.IsZero():
		return overlaps(e.From, e.From, w)
	}
	return true
}

// overlaps reports whether something was so within w; zero times are open ends.
func overlaps(from, until time.Time, w advisories.Window) bool {
	return (until.IsZero() || w.Start.IsZero() || !until.Before(w.Start)) &&
		(from.IsZero() || w.End.IsZero() || !from.After(w.End))
}

func itoa(n int) string { return strconv.Itoa(n) }

// Cut is text for [Event.Text]: one line without spaces around it, at most
// MaxText bytes, cut between characters.
func Cut(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = strings.TrimRightFunc(text, unicode.IsSpace)
	if len(text) <= MaxText {
		return text
	}
	cut := MaxText
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

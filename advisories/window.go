package advisories

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Window is a time during which a tag named bad content.
type Window struct {
	// Start and End are the first and the last moment, in UTC; the zero time
	// where the sources give none. A start or an end of which only the day or
	// the month is known is the first or the last second of it.
	Start, End time.Time
	// StartUnit and EndUnit are what the source is exact to.
	StartUnit, EndUnit Unit
	// In are the canonical names of the repositories that the window is
	// about, none where it is about all that have the tag.
	In        []string
	Certainty Certainty
	Sources   []string
	Notes     []string
}

// Unit is how exact a moment is.
type Unit uint8

const (
	Second Unit = iota
	Day
	Month
)

// Contains reports whether w says that t was within it. An unknown start or end
// sets no bound, so that doubt counts as yes.
func (w Window) Contains(t time.Time) bool {
	return (w.Start.IsZero() || !t.Before(w.Start)) && (w.End.IsZero() || !t.After(w.End))
}

// String is the window for people: "2026-04-22 12:35 UTC – 15:41:31 UTC (second
// hand)". Seconds are printed where there are any, the day of the end only
// where it is another one.
func (w Window) String() string {
	s := w.span()
	if w.Certainty.Words != "" {
		s += " (" + w.Certainty.Words + ")"
	}
	return s
}

// span is the window without its certainty.
func (w Window) span() string {
	switch {
	case w.Start.IsZero() && w.End.IsZero():
		return "at an unknown time"
	case w.Start.IsZero():
		return "until " + format(w.End, w.EndUnit)
	case w.End.IsZero():
		return "from " + format(w.Start, w.StartUnit) + ", end unknown"
	}
	start, end := format(w.Start, w.StartUnit), format(w.End, w.EndUnit)
	if start == end {
		return start
	}
	if w.StartUnit == Second && w.EndUnit == Second {
		end = strings.TrimPrefix(end, w.Start.Format("2006-01-02 "))
	}
	return start + " – " + end
}

func format(t time.Time, u Unit) string {
	switch {
	case u == Month:
		return t.Format("2006-01")
	case u == Day:
		return t.Format("2006-01-02")
	case t.Second() == 0:
		return t.Format("2006-01-02 15:04 UTC")
	}
	return t.Format("2006-01-02 15:04:05 UTC")
}

// compareWindows orders by start, then end, then certainty (surest first), then
// words. An unknown start comes first, an unknown end last.
func compareWindows(a, b Window) int {
	if a.End.IsZero() != b.End.IsZero() && a.Start.Equal(b.Start) {
		if a.End.IsZero() {
			return 1
		}
		return -1
	}
	return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End),
		cmp.Compare(b.Certainty.Grade, a.Certainty.Grade), cmp.Compare(a.Certainty.Words, b.Certainty.Words))
}

// Union is the times that ws cover together, in order: what several sources say
// of one event becomes one window. A window with an unknown end (or start) adds
// nothing to one that covers its known moment, and stays as it is otherwise; a
// wholly unknown one is dropped beside others. Each result has the certainty of
// its start and of its end.
func Union(ws []Window) []Window {
	var bounded, open []Window
	for _, w := range ws {
		if w.Start.IsZero() || w.End.IsZero() {
			open = append(open, w)
		} else {
			bounded = append(bounded, w)
		}
	}
	slices.SortFunc(bounded, compareWindows)
	slices.SortFunc(open, compareWindows)
	var union []Window
	for _, w := range bounded {
		if k := len(union) - 1; k >= 0 && !w.Start.After(union[k].End) {
			if w.End.After(union[k].End) {
				union[k].End, union[k].EndUnit = w.End, w.EndUnit
			}
			continue
		}
		union = append(union, bounds(w))
	}
	whole := len(union)
	for _, w := range open {
		unknown := w.Start.IsZero() && w.End.IsZero()
		if unknown && len(ws) > 1 {
			continue
		}
		covered := slices.ContainsFunc(union[:whole], func(u Window) bool {
			return u.Contains(known(w)) && !unknown
		}) || slices.ContainsFunc(union[whole:], func(u Window) bool {
			return u.Start.Equal(w.Start) && u.End.Equal(w.End)
		})
		if !covered {
			union = append(union, bounds(w))
		}
	}
	slices.SortFunc(union, compareWindows)
	for i := range union {
		union[i].Certainty = certaintyOf(union[i], ws)
	}
	return union
}

// bounds is w with nothing but its bounds.
func bounds(w Window) Window {
	return Window{Start: w.Start, End: w.End, StartUnit: w.StartUnit, EndUnit: w.EndUnit}
}

// known is the one moment that a half-open window states.
func known(w Window) time.Time {
	if w.Start.IsZero() {
		return w.End
	}
	return w.Start
}

// certaintyOf is what the windows that u was made of say about its bounds. A
// window that somebody else stated is a better witness than an inferred one.
func certaintyOf(u Window, ws []Window) Certainty {
	start, okStart := witness(ws, func(w Window) bool { return !u.Start.IsZero() && w.Start.Equal(u.Start) })
	end, okEnd := witness(ws, func(w Window) bool { return !u.End.IsZero() && w.End.Equal(u.End) })
	switch {
	case !okStart && !okEnd:
		c, _ := witness(ws, func(Window) bool { return true })
		return c
	case !okStart || okEnd && start == end:
		return end
	case !okEnd:
		return start
	}
	c := Certainty{Grade: min(start.Grade, end.Grade)}
	c.Words = "start: " + cmp.Or(start.Words, start.Grade.String()) + "; end: " + cmp.Or(end.Words, end.Grade.String())
	return c
}

// witness is the best certainty among the windows that say so.
func witness(ws []Window, says func(Window) bool) (Certainty, bool) {
	var best []Certainty
	for _, w := range ws {
		if says(w) {
			best = append(best, w.Certainty)
		}
	}
	if len(best) == 0 {
		return Certainty{}, false
	}
	return slices.MinFunc(best, func(a, b Certainty) int {
		return cmp.Or(cmp.Compare(b.Grade, a.Grade), cmp.Compare(a.Words, b.Words))
	}), true
}

// when joins the union of ws for a message.
func when(ws []Window) string {
	union := Union(ws)
	parts := make([]string, len(union))
	for i, w := range union {
		parts[i] = w.String()
	}
	return strings.Join(parts, "; ")
}

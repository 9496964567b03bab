package exposure

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/advisories"
)

// Period is when something led to malicious content.
type Period struct {
	What   string // "tags alpine, latest"
	Window advisories.Window
}

// Moment is an entry of a timeline.
type Moment struct {
	// At is when; Until is the last of several alike, and At where there is
	// one.
	At, Until time.Time
	Count     int
	Verdict   Verdict // Clear for what is not a trace
	// Kind is "window opens", "window closes", that of an event, or "removed".
	Kind  string
	What  string // the image, the tags
	Where string // the place of the first, empty for windows
}

// minRun is how many moments alike, one after the other, become one entry.
const minRun = 4

// maxNames is how many tags a period names.
const maxNames = 6

// periods are the windows of the tags and repositories that the traces speak
// of, in order. Tags that share their windows are named together.
func periods(in *Incident) []Period {
	var all []Period
	add := func(what string, windows []advisories.Window) {
		for _, w := range advisories.Union(windows) {
			all = append(all, Period{what, w})
		}
	}
	a := in.Advisory
	tags := spokenOf(in)
	for _, r := range a.Repositories {
		if r.State != advisories.NoState {
			add(r.Name, r.Windows)
		}
	}
	named := slices.ContainsFunc(a.Tags, func(t advisories.TagSet) bool { return tells(&t, tags) })
	for i := range a.Tags {
		if t := &a.Tags[i]; !named || tells(t, tags) {
			add(tagNames(t), t.Windows)
		}
	}
	for _, t := range in.Traces {
		if t.Digest != nil {
			add("digest "+shortDigest(t.Digest.Digest), t.Digest.Windows)
		}
	}
	return together(all)
}

// spokenOf are the tags that the traces of in are about.
func spokenOf(in *Incident) map[string]bool {
	tags := map[string]bool{}
	for _, t := range in.Traces {
		if t.Tag != nil {
			tags[t.Tag.Tag] = true
		}
		if t.Ref.Tag != "" {
			tags[t.Ref.Tag] = true
		}
		if t.Digest != nil {
			for _, name := range t.Digest.Tags {
				tags[name] = true
			}
		}
	}
	return tags
}

// tells reports whether t has one of tags.
func tells(t *advisories.TagSet, tags map[string]bool) bool {
	if slices.ContainsFunc(t.Names, func(name string) bool { return tags[name] }) {
		return true
	}
	for tag := range tags {
		if t.Versions != (advisories.Range{}) && t.Versions.Contains(tag) {
			return true
		}
	}
	return false
}

func tagNames(t *advisories.TagSet) string {
	switch names := t.Names; {
	case len(names) == 0:
		return "versions " + t.Versions.From + " to " + t.Versions.To
	case len(names) == 1:
		return "tag " + names[0]
	case len(names) > maxNames:
		return "tags " + strings.Join(names[:maxNames], ", ") + " and " + thousands(len(names)-maxNames) + " more"
	default:
		return "tags " + strings.Join(names, ", ")
	}
}

// together is the periods in the order of time, those of one window as one.
func together(all []Period) []Period {
	var joined []Period
	at := map[string]int{}
	for _, p := range all {
		key := p.Window.String()
		n, ok := at[key]
		switch {
		case !ok:
			at[key] = len(joined)
			joined = append(joined, p)
		case !strings.Contains(joined[n].What, p.What):
			joined[n].What += "; " + p.What
		}
	}
	slices.SortStableFunc(joined, func(a, b Period) int {
		return cmp.Or(a.Window.Start.Compare(b.Window.Start), a.Window.End.Compare(b.Window.End))
	})
	return joined
}

// timeline is what happened when, in order. Traces without a time have no
// place in it.
func timeline(in *Incident) []Moment {
	var all []Moment
	add := func(m Moment) {
		if m.Until, m.Count = m.At, 1; !m.At.IsZero() {
			all = append(all, m)
		}
	}
	for _, p := range in.Periods {
		add(Moment{At: p.Window.Start, Kind: "window opens", What: p.What})
		add(Moment{At: p.Window.End, Kind: "window closes", What: p.What})
	}
	for _, t := range in.Traces {
		m := Moment{At: t.From, Verdict: t.Verdict, Kind: t.Kind.String(), What: t.Name(), Where: t.Where()}
		if t.Kind != Named {
			if m.At.IsZero() {
				m.At = t.Until
			}
			add(m)
			continue
		}
		add(m)
		m.At, m.Kind = t.Until, "removed"
		add(m)
	}
	slices.SortStableFunc(all, func(a, b Moment) int { return a.At.Compare(b.At) })
	return collapse(all)
}

// collapse makes one entry of many alike that follow each other.
func collapse(all []Moment) []Moment {
	var out []Moment
	for len(all) > 0 {
		first, n := all[0], 1
		for n < len(all) && all[n].Kind == first.Kind && all[n].What == first.What && all[n].Verdict == first.Verdict {
			n++
		}
		if n < minRun {
			out = append(out, all[:n]...)
		} else {
			first.Until, first.Count = all[n-1].At, n
			out = append(out, first)
		}
		all = all[n:]
	}
	return out
}

// shortDigest is a digest for people: enough of it to tell it from others.
func shortDigest(digest string) string {
	const enough = len("sha256:") + 12
	if len(digest) <= enough {
		return digest
	}
	return digest[:enough] + "…"
}

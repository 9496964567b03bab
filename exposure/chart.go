package exposure

import (
	"slices"
	"strconv"
	"time"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/report"
)

// chart is a timeline as a picture: lanes below each other, time from left to
// right in percent of the width, heights in pixels. So it fits any width, and
// its texts keep their size.
type chart struct {
	Label  string
	Height int
	Lanes  []lane
	Ticks  []tick
	AxisY  int
}

type lane struct {
	Name  string
	NameY int // of the base line of the text
	Bars  []bar
	Dots  []dot
}

// bar is a time from one moment to another.
type bar struct {
	X, Width percent
	Y        int
	Class    string // "window", or a verdict
	Title    string
}

// dot is a moment, or several that are too near to each other.
type dot struct {
	X     percent
	Y     int
	Class string
	Title string
}

type tick struct {
	X         percent
	Anchor    string // "start", "middle", "end": where X is in its text
	Day, Time string
}

// percent is a number with two decimals at most, and its sign.
type percent float64

func (p percent) String() string { return strconv.FormatFloat(float64(p), 'f', 2, 64) + "%" }

const (
	laneName  = 18 // height of the name of a lane, in pixels
	barHeight = 9
	barGap    = 3
	laneGap   = 12
	maxBars   = 8   // of a lane; the others are told in its name
	bins      = 120 // of the width, that dots are put into
)

// lanes are what the lanes of a chart are called and which kind of event they
// show.
var lanes = []struct {
	name string
	kind Kind
}{
	{"named by files", Named}, {"pulled", Pulled}, {"stored", Present}, {"running", Running}, {"served", Cached},
}

// newChart is the chart of an incident; nil where no time is known.
func newChart(in *Incident) *chart {
	s, ok := newScale(in)
	if !ok {
		return nil
	}
	c := &chart{Label: "timeline of " + report.Visible(in.Advisory.ID) + ", as listed below"}
	c.lane("malicious", windowBars(in, s), nil)
	for _, l := range lanes {
		var bars []bar
		var dots []dot
		if l.kind == Named {
			bars = namedBars(in, s)
		} else {
			dots = eventDots(in, l.kind, s)
		}
		c.lane(l.name+s.beyond(in, l.kind), bars, dots)
	}
	c.AxisY = c.Height
	c.Height += 34
	c.Ticks = s.ticks()
	return c
}

// lane adds a lane, if there is anything in it.
func (c *chart) lane(name string, bars []bar, dots []dot) {
	if len(bars) == 0 && len(dots) == 0 {
		return
	}
	if hidden := len(bars) - maxBars; hidden > 0 {
		name += ", and " + thousands(hidden) + " more times"
		bars = bars[:maxBars]
	}
	l := lane{Name: name, NameY: c.Height + laneName - 6, Bars: bars, Dots: dots}
	y := c.Height + laneName
	for i := range l.Bars {
		l.Bars[i].Y = y + i*(barHeight+barGap)
	}
	for i := range l.Dots {
		l.Dots[i].Y = y + barHeight/2 + 1
	}
	c.Height = y + max(len(bars), 1)*(barHeight+barGap) + laneGap
	c.Lanes = append(c.Lanes, l)
}

// windowBars are the windows of an incident, as one: which tag had which is in
// the text.
func windowBars(in *Incident, s scale) []bar {
	var windows []advisories.Window
	for _, p := range in.Periods {
		windows = append(windows, p.Window)
	}
	var bars []bar
	for _, w := range advisories.Union(windows) {
		if !w.Start.IsZero() || !w.End.IsZero() {
			bars = append(bars, s.bar(w.Start, w.End, "window", "malicious "+w.String()))
		}
	}
	return bars
}

// namedBars are the times in which files named the image; those alike are drawn
// once.
func namedBars(in *Incident, s scale) []bar {
	var bars distinct[bar]
	for _, t := range in.Traces {
		if t.Kind == Named && (!t.From.IsZero() || !t.Until.IsZero()) {
			bars.add(s.bar(t.From, t.Until, t.Verdict.String(), t.When()))
		}
	}
	return bars.all
}

// eventDots are the moments of a kind, those next to each other as one with the
// worst verdict.
func eventDots(in *Incident, kind Kind, s scale) []dot {
	type bin struct {
		verdict     Verdict
		first, last time.Time
		count       int
	}
	found := map[int]*bin{}
	for _, t := range in.Traces {
		at := moment(t)
		if t.Kind != kind || at.IsZero() {
			continue
		}
		n := int(float64(s.at(at)) / 100 * bins)
		b := found[n]
		if b == nil {
			b = &bin{first: at, last: at}
			found[n] = b
		}
		b.count++
		b.verdict = max(b.verdict, t.Verdict)
		if at.Before(b.first) {
			b.first = at
		}
		if at.After(b.last) {
			b.last = at
		}
	}
	var dots []dot
	for _, b := range found {
		title := b.verdict.String() + ", " + shownTime(b.first)
		if b.count > 1 {
			title = thousands(b.count) + " traces, " + shownTime(b.first) + " – " + shownTime(b.last)
		}
		dots = append(dots, dot{X: s.at(b.first), Class: b.verdict.String(), Title: title})
	}
	slices.SortFunc(dots, func(a, b dot) int { return int((a.X - b.X) * 1000) })
	return dots
}

// moment is when an event was, zero where that is not known.
func moment(t *Trace) time.Time {
	if t.From.IsZero() {
		return t.Until
	}
	return t.From
}

// scale maps time to the width of a chart.
type scale struct{ from, until time.Time }

// newScale is a scale around the windows, wide enough for the moments that are
// not too far from them. Without windows it is as wide as all that is known.
func newScale(in *Incident) (scale, bool) {
	var windows, moments, named []time.Time
	for _, p := range in.Periods {
		windows = append(windows, p.Window.Start, p.Window.End)
	}
	for _, t := range in.Traces {
		switch t.Kind {
		case Named:
			named = append(named, t.From, t.Until)
		case Cached:
			// That is when somebody asked, long after.
		default:
			moments = append(moments, moment(t))
		}
	}
	s, ok := extent(windows)
	if !ok {
		if s, ok = extent(moments); !ok {
			s, ok = extent(named)
		}
	} else if wide, some := extent(append(moments, s.from, s.until)); some {
		far := max(farther*s.until.Sub(s.from), 12*time.Hour)
		s = scale{later(wide.from, s.from.Add(-far)), earlier(wide.until, s.until.Add(far))}
	}
	margin := max(s.until.Sub(s.from)/12, 30*time.Minute)
	return scale{s.from.Add(-margin), s.until.Add(margin)}, ok
}

// farther is how many times the length of the windows a moment may be away from
// them before it is drawn at the edge: else nothing could be seen of them.
const farther = 3

// extent is the scale from the first to the last of all times that are known.
func extent(all []time.Time) (scale, bool) {
	all = slices.DeleteFunc(slices.Clone(all), time.Time.IsZero)
	if len(all) == 0 {
		return scale{}, false
	}
	return scale{slices.MinFunc(all, time.Time.Compare), slices.MaxFunc(all, time.Time.Compare)}, true
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}

// beyond says that events of a kind are drawn at an edge.
func (s scale) beyond(in *Incident, kind Kind) string {
	var before, after bool
	for _, t := range in.Traces {
		if at := moment(t); t.Kind == kind && kind != Named && !at.IsZero() {
			before = before || at.Before(s.from)
			after = after || at.After(s.until)
		}
	}
	switch {
	case before && after:
		return " (at the edges: before and after this time)"
	case before:
		return " (at the left edge: before)"
	case after:
		return " (at the right edge: later)"
	}
	return ""
}

// at is where t is, within the chart.
func (s scale) at(t time.Time) percent {
	return percent(100 * min(max(t.Sub(s.from).Seconds()/s.until.Sub(s.from).Seconds(), 0), 1))
}

// bar is the bar from one time to another; zero times are open ends.
func (s scale) bar(from, until time.Time, class, title string) bar {
	x, end := percent(0), percent(100)
	if !from.IsZero() {
		x = s.at(from)
	}
	if !until.IsZero() {
		end = s.at(until)
	}
	return bar{X: x, Width: max(end-x, 0.6), Class: class, Title: title}
}

// tickSteps are the distances that ticks may have.
var tickSteps = []time.Duration{
	10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 14 * day,
	30 * day, 90 * day, 180 * day, 365 * day, 5 * 365 * day,
}

const day = 24 * time.Hour

// maxTicks are as many as a narrow screen has room for.
const maxTicks = 4

// ticks are round times on the axis.
func (s scale) ticks() []tick {
	step := tickSteps[len(tickSteps)-1]
	for _, d := range tickSteps {
		if s.until.Sub(s.from)/d < maxTicks {
			step = d
			break
		}
	}
	var ticks []tick
	for t := s.from.UTC().Truncate(step).Add(step); t.Before(s.until) && len(ticks) <= maxTicks; t = t.Add(step) {
		k := tick{X: s.at(t), Anchor: "middle", Day: t.Format(time.DateOnly)}
		if step < day {
			k.Time = t.Format("15:04 UTC")
		}
		switch {
		case k.X < 10:
			k.Anchor = "start"
		case k.X > 90:
			k.Anchor = "end"
		}
		ticks = append(ticks, k)
	}
	return ticks
}

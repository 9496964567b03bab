package exposure

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// shown is a chart as a line a lane.
func shown(c *chart) string {
	var b strings.Builder
	for _, l := range c.Lanes {
		fmt.Fprintf(&b, "%s:", l.Name)
		for _, bar := range l.Bars {
			fmt.Fprintf(&b, " %s %s+%s", bar.Class, bar.X, bar.Width)
		}
		for _, dot := range l.Dots {
			fmt.Fprintf(&b, " %s %s", dot.Class, dot.X)
		}
		b.WriteByte('\n')
	}
	for _, t := range c.Ticks {
		fmt.Fprintf(&b, "%s %s %s %s\n", t.Day, t.Time, t.Anchor, t.X)
	}
	return b.String()
}

func TestChart(t *testing.T) {
	pulled := func(clock string) Event {
		return Event{Kind: Pulled, Evidence: "ci.log", Digests: []string{badIndex}, From: at(t, clock), Until: at(t, clock)}
	}
	named := func(from, until string) Event {
		return Event{Kind: Named, Evidence: "shop", Ref: ref2("acme/scan", "v2.1"), From: at(t, from), Until: at(t, until)}
	}
	for _, test := range []struct {
		name   string
		events []Event
		want   string
	}{
		{"in the window", []Event{pulled("11:15")}, `malicious: window 14.29%+71.43%
pulled: confirmed 50.00%
2099-03-01 10:00 UTC middle 14.29%
2099-03-01 11:00 UTC middle 42.86%
2099-03-01 12:00 UTC middle 71.43%
`},
		{"long after it", []Event{pulled("11:15"), pulled("2099-05-01T00:00:00Z")}, `malicious: window 7.14%+14.78%
pulled (at the right edge: later): confirmed 14.53% confirmed 100.00%
2099-03-01 12:00 UTC middle 18.97%
2099-03-01 18:00 UTC middle 54.43%
2099-03-02 00:00 UTC middle 89.90%
`},
		{"named for years", []Event{named("2090-01-01T00:00:00Z", "11:00"), named("10:30", "")}, `malicious: window 14.29%+71.43%
named by files: possible 0.00%+42.86% possible 28.57%+71.43%
2099-03-01 10:00 UTC middle 14.29%
2099-03-01 11:00 UTC middle 42.86%
2099-03-01 12:00 UTC middle 71.43%
`},
	} {
		in := planOf(t, func(rec *Recorder) {
			for _, e := range test.events {
				rec.Event(e)
			}
		}).Incidents[0]
		if got := shown(newChart(in)); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

func TestChartWithoutTimes(t *testing.T) {
	in := planOf(t, func(rec *Recorder) { rec.Event(Event{Kind: Present, Digests: []string{badIndex}}) }).Incidents[0]
	in.Periods = nil
	if newChart(in) != nil {
		t.Error("a chart without any time")
	}
}

// However many and however far apart, dots and ticks stay few, and within the
// picture.
func TestChartIsBounded(t *testing.T) {
	for _, step := range []time.Duration{time.Nanosecond, time.Second, time.Hour, 300 * 24 * time.Hour} {
		in := planOf(t, func(rec *Recorder) {
			for i := range 500 {
				when := made.Add(time.Duration(i) * step)
				rec.Event(Event{Kind: Pulled, Digests: []string{badIndex}, From: when, Until: when, Place: Place{Line: i}})
			}
		}).Incidents[0]
		for _, periods := range [][]Period{in.Periods, nil} {
			in.Periods = periods
			c := newChart(in)
			if len(c.Ticks) > maxTicks+1 {
				t.Errorf("%v: %d ticks", step, len(c.Ticks))
			}
			for _, l := range c.Lanes {
				if len(l.Dots) > bins+1 || len(l.Bars) > maxBars {
					t.Errorf("%v: %d dots, %d bars", step, len(l.Dots), len(l.Bars))
				}
				for _, d := range l.Dots {
					if d.X < 0 || d.X > 100 {
						t.Errorf("%v: a dot at %s", step, d.X)
					}
				}
			}
		}
	}
}

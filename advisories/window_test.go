package advisories

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// window reads "START .. END certainty".
func window(t *testing.T, s string) Window {
	t.Helper()
	bounds, grade, _ := strings.Cut(s, ", ")
	var ws []Window
	f := field{key: "window", value: bounds}
	if grade != "" {
		f.sub = []field{{key: "certainty", value: grade}}
	}
	if err := new(parser).window(f, &ws); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return ws[0]
}

func TestWindowString(t *testing.T) {
	for s, want := range map[string]string{
		"2026-04-22T12:35:00Z .. 2026-04-22T15:41:31Z":                        "2026-04-22 12:35 UTC – 15:41:31 UTC",
		"2026-04-22T12:35:00Z .. 2026-04-23T15:41:00Z, reported; second hand": "2026-04-22 12:35 UTC – 2026-04-23 15:41 UTC (second hand)",
		"2026-04-22T12:35:00Z .. 2026-04-22T12:35:00Z":                        "2026-04-22 12:35 UTC",
		"2026-04-22T12:35:00Z .. unknown":                                     "from 2026-04-22 12:35 UTC, end unknown",
		"unknown .. 2026-04-22T12:35:00Z":                                     "until 2026-04-22 12:35 UTC",
		"unknown .. unknown, disputed; rumour":                                "at an unknown time (rumour)",
		"2026-04-22 .. 2026-04-22":                                            "2026-04-22",
		"2026-04-22 .. 2026-05":                                               "2026-04-22 – 2026-05",
		"2026-04-22T12:35:00Z .. 2026-04-22":                                  "2026-04-22 12:35 UTC – 2026-04-22",
		"2026-04 .. 2026-04":                                                  "2026-04",
	} {
		if got := window(t, s).String(); got != want {
			t.Errorf("%s: %q, want %q", s, got, want)
		}
	}
}

func TestWindowContains(t *testing.T) {
	at := time.Date(2026, 4, 22, 23, 59, 59, 0, time.UTC)
	for s, want := range map[string]bool{
		"2026-04-22 .. 2026-04-22":                     true,
		"2026-04 .. 2026-04":                           true,
		"2026-04-23 .. unknown":                        false,
		"unknown .. 2026-04-22":                        true,
		"unknown .. 2026-04-22T23:59:58Z":              false,
		"unknown .. unknown":                           true,
		"2026-04-22T23:59:59Z .. 2026-04-22T23:59:59Z": true,
	} {
		if got := window(t, s).Contains(at); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}

func TestUnion(t *testing.T) {
	for _, c := range []struct {
		windows []string
		want    string
	}{
		{nil, ""},
		{[]string{"unknown .. unknown, reported; a"}, "at an unknown time (a)"},
		{[]string{"unknown .. unknown, reported; a", "2026-01 .. unknown, reported; b"}, "from 2026-01, end unknown (b)"},
		{[]string{"2026-01-01 .. 2026-01-03, reported; a", "2026-01-02 .. 2026-01-05, confirmed; b"}, "2026-01-01 – 2026-01-05 (start: a; end: b)"},
		{[]string{"2026-01-01 .. 2026-01-05, reported; a", "2026-01-02 .. 2026-01-03, confirmed; b"}, "2026-01-01 – 2026-01-05 (a)"},
		{[]string{"2026-01-01 .. 2026-01-05, reported; a", "2026-01-01 .. 2026-01-05, confirmed; b"}, "2026-01-01 – 2026-01-05 (b)"},
		{[]string{"2026-01-01 .. 2026-01-02, reported; a", "2026-02-01 .. 2026-02-02, reported; b"}, "2026-01-01 – 2026-01-02 (a); 2026-02-01 – 2026-02-02 (b)"},
		// An open window within a whole one adds nothing; another one stays.
		{[]string{"2026-01-02 .. unknown, reported; a", "2026-01-01 .. 2026-01-05, reported; b"}, "2026-01-01 – 2026-01-05 (b)"},
		{[]string{"unknown .. 2026-01-02, reported; a", "2026-01-01 .. 2026-01-05, reported; b"}, "2026-01-01 – 2026-01-05 (b)"},
		{[]string{"2026-01-06 .. unknown, reported; a", "2026-01-01 .. 2026-01-05, reported; b"}, "2026-01-01 – 2026-01-05 (b); from 2026-01-06, end unknown (a)"},
		{[]string{"2026-01-06 .. unknown, reported; a", "2026-01-06 .. unknown, confirmed; b"}, "from 2026-01-06, end unknown (b)"},
		{[]string{"unknown .. 2026-01-06, reported; a", "2026-01-07 .. unknown"}, "until 2026-01-06 (a); from 2026-01-07, end unknown"},
		{[]string{"2026-01-01 .. 2026-01-03, reported", "2026-01-02 .. 2026-01-05, confirmed; b"}, "2026-01-01 – 2026-01-05 (start: reported; end: b)"},
	} {
		var ws []Window
		for _, s := range c.windows {
			ws = append(ws, window(t, s))
		}
		if got := when(ws); got != c.want {
			t.Errorf("%v: %q, want %q", c.windows, got, c.want)
		}
		slices.Reverse(ws)
		if got := when(ws); got != c.want {
			t.Errorf("%v reversed: %q, want %q", c.windows, got, c.want)
		}
	}
}

func TestRange(t *testing.T) {
	r := Range{"v1.3.0", "1.13.1"}
	for tag, want := range map[string]bool{
		"v1.3.0": true, "1.3": true, "v1.13.1": true, "v1.9": true, "1.13.1.0": true,
		"v1.2.99": false, "v1.13.2": false, "1.13.1.1": false, "v2.0": false, "1": false, "": false,
		"v1.9.0-rc1": false, "vv1.9": false, "1.9.x": false, "1.9.+1": false, "1.9.0.0.0": false, "1.99999999999.0": false,
	} {
		if got := r.Contains(tag); got != want {
			t.Errorf("%s: %v", tag, got)
		}
	}
	if (Range{}).Contains("1.0") {
		t.Error("the empty range holds a version")
	}
}

func TestNamesOfConstants(t *testing.T) {
	got := fmt.Sprint(Critical, Kind(9), Config, Grade(9), Overwritten, State(99), Never, Confirmed, Certainty{Disputed, "x"}, Certainty{Grade: Reported})
	if want := "critical invalid config invalid overwritten invalid never confirmed disputed; x reported"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

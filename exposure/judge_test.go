package exposure

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

const (
	listed = "sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d" // an index of DL-2026-0001
	other  = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// invented is an advisory with every kind of tag.
const invented = `advisory: DL-2099-0001
title: an example
type: compromised-publisher
severity: critical
published: 2099-03-02

repository: docker.io/acme/app
certainty: confirmed
sources: s

tags: moved
state: overwritten
certainty: confirmed
sources: s
window: 2099-03-01T10:00:00Z .. 2099-03-01T12:00:00Z

tags: open
state: overwritten
certainty: confirmed
sources: s
window: 2099-03-01T10:00:00Z .. unknown

tags: undated
state: overwritten
certainty: confirmed
sources: s

tags: disputed
state: overwritten
certainty: disputed
sources: s
window: 2099-03-01T10:00:00Z .. 2099-03-01T12:00:00Z

tags: created
state: created-by-attacker
certainty: confirmed
sources: s
window: 2099-03-01T10:00:00Z .. 2099-03-01T12:00:00Z

tags: exposed
state: exposed
certainty: confirmed
sources: s
window: 2099-03-01T10:00:00Z .. 2099-03-01T12:00:00Z

digest: ` + listed + `
kind: config
tags: moved
certainty: confirmed
sources: s

source: s
class: vendor advisory
url: https://acme.example/advisory
`

func inventedSet(t *testing.T) *advisories.Set {
	t.Helper()
	a, err := advisories.Parse("invented", []byte(invented))
	if err != nil {
		t.Fatal(err)
	}
	return advisories.NewSet([]*advisories.Advisory{a})
}

func ref(t *testing.T, text string) image.Reference {
	t.Helper()
	r, err := image.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// at is a moment of the day of the incident, "11:30"; "" is no time.
func at(t *testing.T, clock string) time.Time {
	t.Helper()
	if clock == "" {
		return time.Time{}
	}
	if len(clock) == len("15:04") {
		clock = "2099-03-01T" + clock + ":00Z"
	}
	when, err := time.Parse(time.RFC3339, clock)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestJudgeTags(t *testing.T) {
	j := &Judge{Set: inventedSet(t)}
	for _, test := range []struct {
		kind        Kind
		image       string
		from, until string
		want        Verdict
	}{
		{Pulled, "acme/app:moved", "11:30", "11:30", Likely},
		{Pulled, "acme/app:moved", "10:00", "10:00", Likely}, // bounds belong to the window
		{Pulled, "acme/app:moved", "12:00", "12:00", Likely},
		{Pulled, "acme/app:moved", "09:59", "09:59", Clear},
		{Pulled, "acme/app:moved", "12:01", "12:01", Clear},
		{Pulled, "acme/app:moved", "09:00", "13:00", Likely}, // some time between
		{Pulled, "acme/app:moved", "", "", Possible},
		{Pulled, "acme/app:moved@" + other, "11:30", "11:30", Clear},
		{Pulled, "acme/app:other", "11:30", "11:30", Clear},
		{Pulled, "other/app:moved", "11:30", "11:30", Clear},
		{Pulled, "mirror.example/acme/app:moved", "11:30", "11:30", Likely},
		{Pulled, "acme/app:disputed", "11:30", "11:30", Possible},
		{Pulled, "acme/app:undated", "11:30", "11:30", Possible},
		{Pulled, "acme/app:open", "11:30", "11:30", Likely},
		{Pulled, "acme/app:open", "2099-09-01T00:00:00Z", "2099-09-01T00:00:00Z", Possible},
		{Pulled, "acme/app:open", "09:00", "09:30", Clear},
		{Pulled, "acme/app:created", "2099-09-01T00:00:00Z", "2099-09-01T00:00:00Z", Likely},
		{Pulled, "acme/app:created", "", "", Likely},
		{Pulled, "acme/app:exposed", "11:30", "11:30", Possible},
		{Pulled, "acme/app:exposed", "", "", Clear},
		{Running, "acme/app:moved", "11:30", "11:30", Likely},
		{Running, "acme/app:moved", "13:00", "13:00", Clear},
		{Running, "acme/app:moved", "", "11:30", Likely}, // pulled before, at an unknown time
		{Running, "acme/app:moved", "", "13:00", Possible},
		{Running, "acme/app:moved", "", "09:00", Clear},
		{Running, "acme/app:moved", "11:30", "", Likely},
		{Running, "acme/app:moved", "09:00", "", Possible},
		{Running, "acme/app:moved", "13:00", "", Clear},
		{Present, "acme/app:moved", "", "", Possible},
		{Present, "acme/app:moved", "", "11:30", Possible}, // seen then, pulled before
		{Present, "acme/app:moved", "", "09:30", Clear},
		{Present, "acme/app:moved", "11:30", "11:30", Likely},
		{Present, "acme/app:created", "", "", Likely},
		{Named, "acme/app:moved", "09:00", "", Possible},
		{Named, "acme/app:moved", "09:00", "09:30", Clear},
		{Named, "acme/app:moved", "13:00", "", Clear},
		{Named, "acme/app:moved", "", "09:30", Clear},
		{Named, "acme/app:created", "13:00", "", Possible},
	} {
		e := Event{Kind: test.kind, Ref: ref(t, test.image), From: at(t, test.from), Until: at(t, test.until)}
		traces := j.Judge(e)
		got := Clear
		if len(traces) > 0 {
			got = traces[0].Verdict
		}
		if got != test.want || len(traces) > 1 {
			t.Errorf("%s %s %s–%s: got %v, want %v", test.kind, test.image, test.from, test.until, got, test.want)
		}
		for _, trace := range traces {
			if trace.Tag == nil || trace.Digest != nil || trace.Why == "" || trace.Advisory.ID != "DL-2099-0001" {
				t.Errorf("%s %s: incomplete %+v", test.kind, test.image, trace)
			}
		}
	}
}

func TestJudgeDigests(t *testing.T) {
	j := &Judge{Set: inventedSet(t)}
	for _, test := range []struct {
		name string
		e    Event
		want Verdict
	}{
		{"pulled", Event{Kind: Pulled, Digests: []string{listed}}, Confirmed},
		{"pulled at any time", Event{Kind: Pulled, Ref: ref(t, "acme/app:moved"), Digests: []string{other, listed}, From: at(t, "13:00"), Until: at(t, "13:00")}, Confirmed},
		{"stored, under another name", Event{Kind: Present, Ref: ref(t, "mirror.example/x/y@"+listed)}, Confirmed},
		{"upper case", Event{Kind: Present, Digests: []string{"sha256:" + strings.ToUpper(listed[7:])}}, Confirmed},
		{"running, by its ID", Event{Kind: Running, ImageID: listed}, Confirmed},
		{"running, its ID listed and its digest not", Event{Kind: Running, ImageID: listed, Digests: []string{other}}, Confirmed},
		{"cached", Event{Kind: Cached, Digests: []string{listed}}, Confirmed},
		{"pinned in a file", Event{Kind: Named, Ref: ref(t, "acme/app@"+listed)}, Possible},
		{"another digest clears the tag", Event{Kind: Pulled, Ref: ref(t, "acme/app:moved"), Digests: []string{other}, From: at(t, "11:00"), Until: at(t, "11:00")}, Clear},
		{"another ID does not", Event{Kind: Pulled, Ref: ref(t, "acme/app:moved"), ImageID: other, From: at(t, "11:00"), Until: at(t, "11:00")}, Likely},
		{"nothing known", Event{Kind: Pulled}, Clear},
	} {
		traces := j.Judge(test.e)
		got := Clear
		if len(traces) > 0 {
			got = traces[0].Verdict
		}
		if got != test.want || len(traces) > 1 {
			t.Errorf("%s: got %v (%d traces), want %v", test.name, got, len(traces), test.want)
		}
	}
}

func TestRecorder(t *testing.T) {
	rec := NewRecorder(inventedSet(t))
	pulled := Event{Kind: Pulled, Evidence: "b.log", Ref: ref(t, "acme/app:moved"), From: at(t, "11:30"), Until: at(t, "11:30")}
	rec.Event(pulled)
	rec.Event(pulled)
	named := Event{Kind: Named, Evidence: "repo", Ref: ref(t, "acme/app:moved"), From: at(t, "09:00")}
	rec.Event(named)
	rec.Event(Event{Kind: Present, Evidence: "images", Digests: []string{listed}})
	rec.Event(Event{Kind: Present, Evidence: "images", Digests: []string{other}})
	earlier := pulled
	earlier.From, earlier.Until = at(t, "10:30"), at(t, "10:30")
	rec.Event(earlier)
	rec.Source(Source{Kind: "log", Name: "b.log"})
	rec.Source(Source{Kind: "images", Name: "images"})
	rec.Error(errors.New("b"))
	rec.Error(errors.New("a"))
	r := rec.Report(at(t, "20:00"))
	var got []string
	for _, trace := range r.Traces {
		got = append(got, trace.Verdict.String()+" "+trace.Evidence)
	}
	want := "confirmed images, likely b.log, likely b.log, possible repo"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if !r.Traces[1].From.Before(r.Traces[2].From) {
		t.Error("traces are not in the order of their times")
	}
	if r.Verdict() != Confirmed || r.Sources[0].Kind != "images" || r.Errors[0].Error() != "a" {
		t.Errorf("got %v, %v, %v", r.Verdict(), r.Sources, r.Errors)
	}
	if v := NewRecorder(inventedSet(t)).Report(time.Time{}).Verdict(); v != Clear {
		t.Errorf("an empty report is %v", v)
	}
}

func TestCut(t *testing.T) {
	long := strings.Repeat("é", MaxText)
	for in, want := range map[string]string{
		"  a \r\nb\n": "a",
		"":            "",
		"x":           "x",
	} {
		if got := Cut(in); got != want {
			t.Errorf("Cut(%q) is %q, want %q", in, got, want)
		}
	}
	if got := Cut(long); len(got) > MaxText || len(got) < MaxText-utf8.UTFMax || !utf8.ValidString(got) {
		t.Errorf("got %d bytes", len(got))
	}
}

// What names an image is said as what it is.
func TestJudgeNamer(t *testing.T) {
	j := &Judge{Set: inventedSet(t)}
	moment := at(t, "11:30")
	for _, test := range []struct {
		want string
		Event
	}{
		{"the repository ", Event{From: at(t, "09:00"), Place: Place{Branch: "main"}}},
		{"the repository ", Event{Place: Place{Path: "Dockerfile"}}},
		{"the workload ", Event{From: moment, Until: moment, Place: Place{Log: true, Pod: "scan"}}},
		{"the log ", Event{From: moment, Until: moment, Place: Place{Log: true, Step: "scan"}}},
		{"the log ", Event{Place: Place{Log: true}}},
	} {
		e := test.Event
		e.Kind, e.Ref = Named, ref(t, "acme/app:moved")
		traces := j.Judge(e)
		if len(traces) != 1 || !strings.HasPrefix(traces[0].Why, test.want) {
			t.Errorf("got %v, want a trace that says %q", traces, test.want)
		}
	}
}

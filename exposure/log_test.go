package exposure

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/advisories"
)

// logSet is the advisory of testdata/logs. Its window is 2026-04-22 from 12:00
// to 15:00 UTC; digests of a's are listed, of b's and c's are not.
func logSet(t testing.TB) *advisories.Set {
	t.Helper()
	data, err := os.ReadFile("testdata/logs/advisory.txt")
	if err != nil {
		t.Fatal(err)
	}
	a, err := advisories.Parse("advisory.txt", data)
	if err != nil {
		t.Fatal(err)
	}
	return advisories.NewSet([]*advisories.Advisory{a})
}

// readLogEvents is what is said of the logs of that name, each event with its
// verdict, in the order of paths and lines.
func readLogEvents(t testing.TB, name string) (lines []string, r *Report) {
	t.Helper()
	rec := NewRecorder(logSet(t))
	lr := newLogReader(name, rec)
	var events []Event
	lr.event = func(e Event) {
		events = append(events, e)
		rec.Event(e)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// The time of the file is the year of logs that have none.
	e := logEntry{mtime: time.Date(2026, 4, 23, 0, 0, 0, 0, time.UTC)}
	if err := lr.packed(t.Context(), bytes.NewReader(data), e); err != nil {
		t.Fatal(err)
	}
	lr.report()
	for _, e := range events {
		lines = append(lines, describeEvent(rec, e))
	}
	return lines, rec.Report(time.Time{})
}

func describeEvent(rec *Recorder, e Event) string {
	verdict := Clear
	for _, trace := range rec.judge.Judge(e) {
		verdict = max(verdict, trace.Verdict)
	}
	p := e.Place
	fields := []string{fmt.Sprintf("%3d  %-9s %-7s %s", p.Line, verdict, e.Kind, cmp.Or(e.Ref.String(), "-"))}
	for _, d := range e.Digests {
		fields = append(fields, "digest="+d[7:11])
	}
	if e.ImageID != "" {
		fields = append(fields, "id="+e.ImageID[7:11])
	}
	const clock = "01-02T15:04:05.999"
	switch {
	case e.From.IsZero() && e.Until.IsZero():
		fields = append(fields, "undated")
	case e.From.Equal(e.Until):
		fields = append(fields, e.From.Format(clock))
	case e.From.IsZero():
		fields = append(fields, "…"+e.Until.Format(clock))
	default:
		fields = append(fields, e.From.Format(clock)+"…"+e.Until.Format(clock))
	}
	for _, f := range []struct{ name, value string }{
		{"path", p.Path}, {"job", p.Job}, {"step", p.Step}, {"node", p.Node}, {"namespace", p.Namespace}, {"pod", p.Pod}, {"container", p.Container},
	} {
		if f.value != "" {
			fields = append(fields, f.name+"="+f.value)
		}
	}
	return strings.Join(fields, " ") + "\n       " + e.Text
}

// TestLogFormats holds what is read of the logs in testdata/logs.
func TestLogFormats(t *testing.T) {
	logs, err := filepath.Glob("testdata/logs/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatal(err, logs)
	}
	slices.Sort(logs)
	var b strings.Builder
	for _, name := range logs {
		lines, r := readLogEvents(t, name)
		fmt.Fprintf(&b, "== %s\n", filepath.Base(name))
		for _, line := range lines {
			fmt.Fprintln(&b, line)
		}
		for _, s := range r.Sources {
			fmt.Fprintf(&b, "-- %d %s, %s to %s; %s\n", s.Items, s.Unit, s.From.Format(time.RFC3339), s.Until.Format(time.RFC3339), strings.Join(s.Notes, "; "))
		}
		for _, err := range r.Errors {
			fmt.Fprintln(&b, "!!", err)
		}
	}
	golden := "testdata/logs/events.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("differs from %s; run with -update to see how\n%s", golden, got)
	}
}

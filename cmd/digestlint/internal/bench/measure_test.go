//go:build linux

package main

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []time.Duration
		want time.Duration
	}{
		{[]time.Duration{7}, 7},
		{[]time.Duration{9, 1, 4}, 4},
		{[]time.Duration{8, 2, 4, 100}, 6},
	} {
		if got := median(c.in); got != c.want {
			t.Errorf("median(%v) = %d, want %d", c.in, got, c.want)
		}
	}
}

func TestRun(t *testing.T) {
	count := func(out []byte) int { return len(out) }
	s, err := program{args: []string{"sh", "-c", "printf abc; exit 1"}, found: count}.run(t.Context())
	if err != nil || s.found != 3 || s.peak == 0 {
		t.Errorf("got %+v, %v; findings are no failure", s, err)
	}
	for _, script := range []string{"kill -9 $$", ""} {
		args := []string{"sh", "-c", script}
		if script == "" {
			args = []string{t.TempDir() + "/missing"}
		}
		if _, err := (program{args: args}).run(t.Context()); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

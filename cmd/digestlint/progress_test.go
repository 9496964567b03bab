package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
)

func TestProgressLine(t *testing.T) {
	start := time.Date(2026, 4, 22, 12, 0, 0, 0, time.UTC)
	now := start
	var hosts []registry.HostStatus
	p := &progress{count: &lint.Progress{}, status: func() []registry.HostStatus { return hosts }, now: func() time.Time { return now }}
	step := func(passed time.Duration, want string) {
		t.Helper()
		now = now.Add(passed)
		if got := p.line(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	p.count.Files.Store(12)
	step(0, "12 files read")
	p.count.References.Store(200)
	step(time.Second, "12 files, 0 of 200 references")
	p.count.Resolved.Store(50)
	step(10*time.Second, "12 files, 50 of 200 references, 30s left")
	hosts = []registry.HostStatus{
		{Host: "docker.io", Sending: 1, Waiting: 30, Until: now.Add(61 * time.Second)},
		{Host: "ghcr.io", Sending: 8, Waiting: 2},
		{Host: "quay.io"},
	}
	step(0, "12 files, 50 of 200 references, 30s left; docker.io wants fewer requests, next in 1m1s; ghcr.io: 10 waiting")
	p.count.Resolved.Store(200)
	hosts = nil
	step(time.Second, "12 files, 200 of 200 references")
}

// The line appears after a second and is gone in the end.
func TestProgressShown(t *testing.T) {
	for passed, want := range map[time.Duration]string{
		900 * time.Millisecond:  "",
		1100 * time.Millisecond: erase + "3 files" + erase,
		1300 * time.Millisecond: erase + "3 files" + erase + "3 files" + erase,
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := &progress{out: &out, count: &lint.Progress{}, now: time.Now, width: func() int { return len("3 files") + 1 }}
			p.count.Files.Store(3)
			stop := p.start()
			time.Sleep(passed)
			stop()
			if got := out.String(); got != want {
				t.Errorf("after %v: got %q, want %q", passed, got, want)
			}
		})
	}
}

// What is no terminal sees nothing.
func TestProgressQuiet(t *testing.T) {
	var out bytes.Buffer
	a := &app{stderr: &out}
	synctest.Test(t, func(*testing.T) {
		stop := a.watch(&lint.Progress{}, func() []registry.HostStatus { return nil })
		time.Sleep(10 * progressAfter)
		stop()
	})
	if out.Len() > 0 {
		t.Errorf("wrote %q", out.String())
	}
}

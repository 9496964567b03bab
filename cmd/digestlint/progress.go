package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
	"github.com/digestlint/digestlint/report"
)

// A progress line is written once a run has taken progressAfter, and renewed
// every progressEvery.
const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

// progress is a line on a terminal that says what a run is doing.
type progress struct {
	out    io.Writer
	width  func() int // of the terminal, in characters
	count  *lint.Progress
	status func() []registry.HostStatus
	now    func() time.Time

	asking time.Time // when the first reference was asked for
	done   chan struct{}
	ended  sync.WaitGroup
}

// watch writes a progress line for a run on standard error, if that is a
// terminal, until stop is called. It writes nothing else than that line, and
// takes it away in the end.
func (a *app) watch(count *lint.Progress, status func() []registry.HostStatus) (stop func()) {
	f, ok := a.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return func() {}
	}
	p := &progress{out: f, count: count, status: status, now: time.Now, width: func() int {
		w, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return w
	}}
	return p.start()
}

// noHosts is the status of a run that asks nobody.
func noHosts() []registry.HostStatus { return nil }

func (p *progress) start() (stop func()) {
	p.done = make(chan struct{})
	p.ended.Go(p.loop)
	return func() {
		close(p.done)
		p.ended.Wait()
	}
}

// erase goes to the start of the line and clears it.
const erase = "\r\x1b[K"

func (p *progress) loop() {
	wait := time.NewTimer(progressAfter)
	defer wait.Stop()
	shown := false
	for {
		select {
		case <-p.done:
			if shown {
				fmt.Fprint(p.out, erase)
			}
			return
		case <-wait.C:
			fmt.Fprint(p.out, erase, cut(p.line(), p.width()-1))
			shown = true
			wait.Reset(progressEvery)
		}
	}
}

// cut is the first width characters of s.
func cut(s string, width int) string {
	if r := []rune(s); width > 0 && len(r) > width {
		return string(r[:width])
	}
	return s
}

// line is what there is to say now.
func (p *progress) line() string {
	files, all, resolved := p.count.Files.Load(), p.count.References.Load(), p.count.Resolved.Load()
	if files == 0 {
		return "looking for files"
	}
	if all == 0 {
		return fmt.Sprintf("%d files read", files)
	}
	now := p.now()
	if p.asking.IsZero() {
		p.asking = now
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d files, %d of %d references", files, resolved, all)
	if left := remaining(now.Sub(p.asking), resolved, all); left > 0 {
		fmt.Fprintf(&b, ", %v left", left)
	}
	for _, h := range p.status() {
		switch {
		case h.Until.After(now):
			fmt.Fprintf(&b, "; %s wants fewer requests, next in %v", report.Visible(h.Host), h.Until.Sub(now).Round(time.Second))
		case h.Sending+h.Waiting > 0:
			fmt.Fprintf(&b, "; %s: %d waiting", report.Visible(h.Host), h.Sending+h.Waiting)
		}
	}
	return b.String()
}

// remaining is the time that the rest will take if it goes on as before, to
// the second; zero where nothing can be said yet.
func remaining(passed time.Duration, done, all int64) time.Duration {
	if done <= 0 || done >= all || passed < 2*time.Second {
		return 0
	}
	return time.Duration(float64(passed) / float64(done) * float64(all-done)).Round(time.Second)
}

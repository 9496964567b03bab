//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// program is a command line that is measured.
type program struct {
	name string // as the tables call it
	dir  string
	args []string
	env  []string // beside that of this process
	// found counts, in what the program prints, the references that it has
	// found; nil where it finds none.
	found func(stdout []byte) int
}

// figures are what was measured of a program: the medians of its runs, but for
// the memory, which is the highest of all.
type figures struct {
	wall  time.Duration
	cpu   time.Duration // of all its processes, the kernel's included
	peak  peak
	found int
}

// sample is one run of a program.
type sample struct {
	wall, cpu time.Duration
	peak      peak
	found     int
}

// peak is the highest resident memory of the largest process of a program, in
// bytes.
type peak int64

// String says less of a small program: a process counts from its start, at
// which it still is a part of the one that measures.
func (p peak) String() string {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err == nil && p <= kilobytes(own.Maxrss) {
		return fmt.Sprintf("below %.0f MB", float64(p)/1e6)
	}
	return fmt.Sprintf("%.0f MB", float64(p)/1e6)
}

// kilobytes is the unit in which Linux counts memory.
func kilobytes(n int64) peak { return peak(n << 10) }

// measure runs the programs in turns, so that what else happens on the machine
// happens to all of them. A first turn, which warms the caches, does not count
// unless it is to be the only one.
func (b *bench) measure(ctx context.Context, programs []program, runs int) ([]figures, error) {
	samples := make([][]sample, len(programs))
	warm := 1
	if runs == 1 {
		warm = 0
	}
	for turn := range warm + runs {
		for i, p := range programs {
			s, err := p.run(ctx)
			if err != nil {
				return nil, err
			}
			if turn >= warm {
				samples[i] = append(samples[i], s)
			}
			fmt.Fprintf(b.stderr, "bench: %s, run %d of %d: %v\n", p.name, turn+1, warm+runs, s.wall.Round(time.Microsecond))
		}
	}
	var all []figures
	for _, s := range samples {
		all = append(all, summary(s))
	}
	return all, nil
}

// run runs the program once. Linters tell by their exit status what they have
// found, so that none but the end by a signal is an error.
func (p program) run(ctx context.Context) (sample, error) {
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), p.env...)
	var stdout []byte
	var err error
	start := time.Now()
	if p.found != nil {
		stdout, err = cmd.Output()
	} else {
		err = cmd.Run()
	}
	s := sample{wall: time.Since(start)}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		return s, fmt.Errorf("%s: %w", strings.Join(p.args, " "), err)
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.peak = kilobytes(usage.Maxrss)
	}
	if p.found != nil {
		s.found = p.found(stdout)
	}
	return s, nil
}

func summary(samples []sample) figures {
	var f figures
	var walls, cpus []time.Duration
	for _, s := range samples {
		walls, cpus = append(walls, s.wall), append(cpus, s.cpu)
		f.peak = max(f.peak, s.peak)
		f.found = s.found
	}
	f.wall, f.cpu = median(walls), median(cpus)
	return f
}

// median is the middle of the durations, or between the two in the middle.
func median(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}

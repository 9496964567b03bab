//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkStartup measures "digestlint check FILE" as a process of its own, as
// a hook runs it for a commit of one file: with -benchtime 50x, of fifty. The
// goal is less than 30 ms of wall time on an idle machine.
//
//	wall-ms  the median time from start to end in milliseconds
//	cpu-ms   the median processor time in milliseconds, the kernel's included
func BenchmarkStartup(b *testing.B) {
	dir := b.TempDir()
	program := filepath.Join(dir, "digestlint")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(dir, "compose.yaml")
	text := "services:\n  web:\n    image: nginx:1.27@sha256:" + strings.Repeat("1", 64) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	var walls, cpus []time.Duration
	for b.Loop() {
		cmd := exec.Command(program, "check", file)
		cmd.Dir = dir
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		walls = append(walls, time.Since(start))
		cpus = append(cpus, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	b.ReportMetric(milliseconds(median(walls)), "wall-ms")
	b.ReportMetric(milliseconds(median(cpus)), "cpu-ms")
	b.ReportMetric(0, "ns/op")
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

//go:build linux

package main

import (
	"context"
	"os"
	"strings"
	"testing"
)

// TestInterrupted ends a command that waits for what never comes, as one would
// be that is deep in a parser, by one signal.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), hanging)
	defer cancel()
	cmd := digestlint(ctx, t.TempDir(), "check", "--stdin-filename", "Dockerfile", "-")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: once it is written, the command is reading.
	if _, err := stdin.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if ctx.Err() != nil {
		t.Fatal("the command goes on")
	}
	if status := cmd.ProcessState.ExitCode(); status != exitIncomplete || stderr.String() != "digestlint: interrupted\n" {
		t.Errorf("status %d: %s", status, &stderr)
	}
}

//go:build linux

package main

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/digestlint/digestlint/rewrite"
)

// kills is how often TestPinKilled kills: $DIGESTLINT_KILLS, or a few times.
func kills(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("DIGESTLINT_KILLS"))
	switch {
	case err == nil:
		return n
	case testing.Short():
		t.Skip("takes a while")
	}
	return 40
}

// TestPinKilled kills pin at random moments of its way through 1,000 files:
// each file is the old or the new one, and nothing else is touched. What a
// killed run leaves of its temporary files the next run of all removes.
func TestPinKilled(t *testing.T) {
	n := kills(t)
	dir, list, before, after := pinTree(t, 1000)
	random := rand.New(rand.NewPCG(1, 2))
	var old, pinned, temps, ended int
	for round := range n {
		// Each run starts where the one before was killed, until all is done.
		if round == 0 || maps.Equal(readTree(t, dir), after) {
			write(t, dir, before)
		}
		killAfter(t, digestlint(t.Context(), dir, "pin", "--digests", list), time.Duration(random.Int64N(int64(400*time.Millisecond))), &ended)
		for name, text := range readTree(t, dir) {
			switch {
			case rewrite.IsTemp(path.Base(name)):
				temps++
			case text == after[name]:
				pinned++
			case text == before[name]:
				old++
			default:
				t.Fatalf("after kill %d, %s holds %d bytes that are neither", round, name, len(text))
			}
		}
	}
	if old+pinned != 1000*n {
		t.Errorf("%d files are left of %d", old+pinned, 1000*n)
	}
	t.Logf("%d kills, %d of them too late: %d files old, %d new, %d temporary", n, ended, old, pinned, temps)
	write(t, dir, before)
	if run := inProcess(t, dir, "pin", "--digests", list); run.status != exitClean {
		t.Errorf("status %d: %s", run.status, run.stderr)
	}
	if now := readTree(t, dir); !maps.Equal(now, after) {
		t.Errorf("in the end there are %d files, and not all are pinned", len(now))
	}
}

// killAfter starts cmd and kills it. It counts where cmd has ended before.
func killAfter(t *testing.T, cmd *exec.Cmd, wait time.Duration, ended *int) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(wait)
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()
	if cmd.ProcessState.Exited() {
		*ended++
	}
}

// TestPinLeavesNoTemps has a file that a killed run has left: it is no file to
// pin, the next run removes it and says so, and only a run that writes does.
func TestPinLeavesNoTemps(t *testing.T) {
	dir, list, before, after := pinTree(t, 1)
	const temp = "0/.digestlint-17.tmp"
	write(t, dir, map[string]string{temp: before["0/0.Dockerfile"]})
	if run := inProcess(t, dir, "pin", "--dry-run", "--digests", list); run.status != exitClean || len(readTree(t, dir)) != 2 {
		t.Errorf("a dry run: status %d, %s", run.status, run.stderr)
	}
	run := inProcess(t, dir, "pin", "--digests", list)
	if want := "removed " + temp + ", which a run that was killed had left\n1 pinned, 0 already pinned\n"; run.stderr != want {
		t.Errorf("said %q, want %q", run.stderr, want)
	}
	if now := readTree(t, dir); !maps.Equal(now, after) {
		t.Errorf("the tree holds %q", now)
	}
}

// TestPinAtOnce has four runs pin one tree: all files are pinned, whole, and
// each run says of each file that it is pinned, or that another was faster.
func TestPinAtOnce(t *testing.T) {
	dir, list, _, after := pinTree(t, 200)
	ctx, cancel := context.WithTimeout(t.Context(), hanging)
	defer cancel()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			// They want the same, so that none of them has anything to complain about.
			cmd := digestlint(ctx, dir, "pin", "--digests", list)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%.1000s", err, out)
			}
		})
	}
	all.Wait()
	if now := readTree(t, dir); !maps.Equal(now, after) {
		t.Errorf("%d files, and not all are pinned", len(now))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".digestlint-*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

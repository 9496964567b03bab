package cache

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be a process that saves into the folder that
// childDir names: the rounds childFirst to childLast, one entry each.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	first, _ := strconv.Atoi(os.Getenv(childFirst))
	last, _ := strconv.Atoi(os.Getenv(childLast))
	if err := saveRounds(dir, os.Getenv(childName), first, last); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

const (
	childDir   = "CACHE_TEST_DIR"
	childName  = "CACHE_TEST_NAME"
	childFirst = "CACHE_TEST_FIRST"
	childLast  = "CACHE_TEST_LAST"
)

// saveRounds puts an entry and saves in each round, and prints the round once
// it is on disk. Any warning is an error: others save at the same time, but
// nobody may see what they leave as damaged.
func saveRounds(dir, name string, first, last int) error {
	var warned error
	s := Open(dir, func(err error) { warned = err })
	for round := first; round <= last; round++ {
		s.Put(roundKey(name, round), roundValue(round))
		s.Put("shared", round)
		if err := s.Save(); err != nil {
			return err
		}
		if warned != nil {
			return warned
		}
		fmt.Println(round)
	}
	return nil
}

func roundKey(name string, round int) string { return fmt.Sprint(name, " ", round) }

// roundValue takes more than one block of a disk.
func roundValue(round int) string { return strings.Repeat(strconv.Itoa(round)+" ", 2000) }

// child is a process of saveRounds that has not been started.
func child(t *testing.T, dir, name string, first, last int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childName+"="+name,
		childFirst+"="+strconv.Itoa(first), childLast+"="+strconv.Itoa(last))
	cmd.Stderr = os.Stderr
	return cmd
}

// checkRounds fails unless the file in dir is whole and has the rounds up to
// last of name.
func checkRounds(t *testing.T, dir, name string, last int) {
	t.Helper()
	s := Open(dir, func(err error) { t.Errorf("warning: %v", err) })
	for round := 1; round <= last; round++ {
		check(t, s, roundKey(name, round), roundValue(round))
	}
}

// TestProcesses saves from several processes at the same time: no entry of any
// gets lost, on the systems that have locks.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	const processes, rounds = 4, 25
	var wg sync.WaitGroup
	for i := range processes {
		cmd := child(t, dir, fmt.Sprint("p", i), 1, rounds)
		wg.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range processes {
		checkRounds(t, dir, fmt.Sprint("p", i), rounds)
	}
	checkFolder(t, dir, fileName, lockName)
}

// TestKill kills a process that saves without end, at any moment, while another
// one saves. What either has reported as saved is there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	steady := child(t, dir, "steady", 1, 60)
	if err := steady.Start(); err != nil {
		t.Fatal(err)
	}
	reported := 0
	for range 15 {
		reported = killed(t, dir, reported)
		checkRounds(t, dir, "killed", reported)
	}
	if err := steady.Wait(); err != nil {
		t.Error(err)
	}
	checkRounds(t, dir, "steady", 60)
	checkRounds(t, dir, "killed", reported)
	// Who is killed may leave a temporary file, but nothing that stops others.
	temps, err := filepath.Glob(filepath.Join(dir, tempPattern))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rounds, %d temporary files left behind", reported, len(temps))
}

// killed lets a process go on after the round reported, kills it somewhere in
// one of the next rounds, and gives the last round that it reported.
func killed(t *testing.T, dir string, reported int) int {
	t.Helper()
	cmd := child(t, dir, "killed", reported+1, reported+1_000_000)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 1 + rand.IntN(4) {
		if !lines.Scan() {
			t.Fatal("the process has ended by itself")
		}
	}
	time.Sleep(rand.N(20 * time.Millisecond)) // somewhere in the round that follows
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for {
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			reported = n
		}
		if !lines.Scan() {
			break
		}
	}
	_ = cmd.Wait() // an error: it was killed
	return reported
}

// TestGoroutines uses one store from several goroutines.
func TestGoroutines(t *testing.T) {
	s := Open(t.TempDir(), func(err error) { t.Error(err) })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for round := range 20 {
				key := roundKey(strconv.Itoa(i), round)
				s.Put(key, "v")
				var v string
				if !s.Get(key, 0, &v) {
					t.Errorf("%s is gone", key)
				}
				if round%10 == 0 {
					if err := s.Save(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

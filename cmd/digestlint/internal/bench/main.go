//go:build linux

// Command bench measures digestlint beside other programs that read the same
// files, and prints the tables of docs/performance.md as Markdown:
//
//	go run ./cmd/digestlint/internal/bench
//
// The files are those of public repositories at fixed commits, which it fetches
// once, and generated ones. What it measures with has to be idle otherwise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// bench is one run of the command.
type bench struct {
	dir     string // where the trees and programs are kept
	mirrors string // a folder of clones, OWNER/NAME, to fetch from; empty for GitHub
	runs    int    // times that each program is measured
	sizes   []int  // files of the generated trees
	stdout  io.Writer
	stderr  io.Writer

	digestlint string // the program under test
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := &bench{stdout: stdout, stderr: stderr}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&b.dir, "dir", filepath.Join(cache, "digestlint-bench"), "keep trees and programs in this `folder`")
	flags.StringVar(&b.mirrors, "mirrors", "", "fetch from the clones OWNER/NAME in this `folder`, not from GitHub")
	flags.IntVar(&b.runs, "runs", 10, "measure each program so many times")
	sizes := flags.String("sizes", "50000,100000,200000,500000", "files of the generated trees; empty for none")
	tables := flags.String("tables", strings.Join(tableNames(), ","), "what to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.runs < 1 {
		return errors.New("-runs: at least one")
	}
	if b.sizes, err = numbers(*sizes); err != nil {
		return fmt.Errorf("-sizes: %w", err)
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	b.machine(ctx)
	for _, name := range split(*tables) {
		table, err := lookup(name)
		if err != nil {
			return err
		}
		if err := table(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// build makes the program under test, as releases are built.
func (b *bench) build(ctx context.Context) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	b.digestlint = filepath.Join(b.dir, "digestlint")
	return b.goBuild(ctx, b.digestlint, "github.com/digestlint/digestlint/cmd/digestlint")
}

func (b *bench) goBuild(ctx context.Context, program, source string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return b.do(cmd)
}

// do runs a command whose output matters only if it fails.
func (b *bench) do(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func numbers(list string) ([]int, error) {
	var all []int
	for _, s := range split(list) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number of files", s)
		}
		all = append(all, n)
	}
	return all, nil
}

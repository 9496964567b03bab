package main

import (
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"runtime/trace"

	"github.com/spf13/cobra"
)

// profile is where a run tells what it spends its time on, by hidden flags:
// docs/performance.md shows their use.
type profile struct {
	cpu, trace string // files to write; empty for none
	stops      []func() error
}

func (p *profile) flags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&p.cpu, "debug-profile", "", "write a CPU profile to this file, for go tool pprof")
	flags.StringVar(&p.trace, "debug-trace", "", "write an execution trace to this file, for go tool trace")
	for _, name := range []string{"debug-profile", "debug-trace"} {
		flags.Lookup(name).Hidden = true
	}
}

// start begins what the flags ask for.
func (p *profile) start() error {
	if err := p.write(p.cpu, pprof.StartCPUProfile, pprof.StopCPUProfile); err != nil {
		return err
	}
	return p.write(p.trace, trace.Start, trace.Stop)
}

func (p *profile) write(name string, start func(io.Writer) error, stop func()) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := start(f); err != nil {
		f.Close()
		return fmt.Errorf("profile to %s: %w", name, err)
	}
	p.stops = append(p.stops, func() error { stop(); return f.Close() })
	return nil
}

// stop ends what start has begun.
func (p *profile) stop() error {
	for _, stop := range p.stops {
		if err := stop(); err != nil {
			return err
		}
	}
	return nil
}

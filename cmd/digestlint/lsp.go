package main

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/lsp"
	"github.com/digestlint/digestlint/resolve"
	"github.com/digestlint/digestlint/rules"
)

// restTime is how long a text has to rest before it is judged: long enough not
// to judge every letter of a word, too short to wait for.
const restTime = 150 * time.Millisecond

func (a *app) lsp() *cobra.Command {
	var network network
	cmd := &cobra.Command{
		Use:   "lsp",
		Short: "serve an editor: findings while typing, explanations, pins",
		Long: `lsp speaks the Language Server Protocol 3.17 over standard input and output. An
editor starts it; docs/editors.md says how. It judges what the editor shows, saved or
not, as check does, by the configuration of each workspace folder.

It asks registries for nothing until somebody chooses to pin, and writes no file: the
editor makes the edits.

Exit status: 0 the editor said goodbye, 1 it went away without, 2 wrong usage.`,
		Example: `  digestlint lsp  what an editor starts, on a pipe`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server := &lsp.Server{
				Version: buildVersion(),
				Check:   checkIn,
				Pin:     func(folder string, opts *lint.PinOptions) (func(), error) { return a.pinIn(network, folder, opts) },
				Delay:   restTime,
			}
			err := server.Serve(cmd.Context(), a.stdin, a.stdout)
			if errors.Is(err, lsp.ErrGone) || errors.Is(err, lsp.ErrNoShutdown) {
				a.status = exitFindings // what the protocol says of an exit without a shutdown
				return nil
			}
			return err
		},
	}
	network.flags(cmd)
	// What editors' clients add to every server's command line.
	cmd.Flags().Bool("stdio", true, "for editors that say so; there is no other way")
	return cmd
}

// checkIn are the options of check in a folder.
func checkIn(folder string) (lint.Options, error) {
	opts := lint.Options{Rules: rules.All()}
	settings, err := config.Nearest(filepath.FromSlash(folder), configFormats())
	if err != nil {
		return opts, err
	}
	judging(settings, &opts)
	if opts.Approved, err = approved(settings.Approved); err != nil {
		return opts, err
	}
	base, err := (&baselineFlags{dir: filepath.FromSlash(folder)}).read(settings)
	if base != nil {
		opts.Baseline = base.Baseline
	}
	return opts, err
}

// pinIn makes opts ask registries as the configuration of a folder has it.
func (a *app) pinIn(network network, folder string, opts *lint.PinOptions) (func(), error) {
	settings, err := config.Nearest(filepath.FromSlash(folder), configFormats())
	if err != nil {
		return nil, err
	}
	session, err := network.open(settings, nil)
	if err != nil {
		return nil, err
	}
	resolver := resolve.Resolver{Source: session.source, MinAge: settings.Pin.MinAge, Platforms: settings.Pin.Platforms}
	opts.Resolve, opts.Announce, opts.Timeout = resolver.Pin, session.client.Announce, session.timeout
	return func() { session.close(a) }, nil
}

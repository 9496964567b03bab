// Command digestlint finds container images that are named by tag, or by a
// digest known to be malicious, in all the files that name images, and pins
// them to digests in place.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/report"
)

// The exit statuses. They mean the same whatever the output format.
const (
	exitClean      = 0 // nothing found; for pin: all that was asked for is pinned
	exitFindings   = 1 // findings at or above --fail-on; for pin: something stayed unpinned
	exitUsage      = 2 // wrong flags, configuration, or arguments
	exitIncomplete = 3 // a selected file could not be read, a lookup failed
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program with everything that it touches handed in.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends even what does not heed the first.
	context.AfterFunc(ctx, stop)
	app := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := app.root()
	root.SetArgs(args)
	err := execute(ctx, root)
	err = cmp.Or(err, app.profile.stop())
	var e *exitError
	switch {
	case err == nil:
		return app.status
	case errors.As(err, &e):
		app.complain(e.err)
		return e.status
	case ctx.Err() != nil:
		app.complain(errors.New("interrupted"))
		return exitIncomplete
	}
	app.complain(err)
	return exitUsage
}

// grace is how long a command may take to end by itself after a signal: to say
// what it has done, or to write the file that it is at.
const grace = 800 * time.Millisecond

// execute runs the command. One that does not heed the signal in time, as it is
// deep in a parser or waits for its input, is left behind: the process ends soon,
// and what it writes is whole at every moment.
func execute(ctx context.Context, root *cobra.Command) error {
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(grace):
		return ctx.Err()
	}
}

// app is what the commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	status         int
	verbose        bool
	color          string
	noUpdates      bool
	fetched        *fetched // advisories in use; nil for none
	profile        profile
}

// exitError ends the program with a status of its own.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// hinter is an error that knows what to do about it.
type hinter interface{ Hint() string }

// complain tells people what went wrong.
func (a *app) complain(err error) {
	var at *config.Error
	if errors.As(err, &at) {
		at.Path = shortPath(at.Path)
	}
	for _, message := range messages(err) {
		fmt.Fprintf(a.stderr, "digestlint: %s\n", report.Visible(message))
	}
	var h hinter
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", report.Visible(h.Hint()))
	}
}

// messages are those of the errors that err joins, each with what wraps them
// all: one a line.
func messages(err error) []string {
	var joined interface {
		error
		Unwrap() []error
	}
	if !errors.As(err, &joined) || joined.Error() != errors.Join(joined.Unwrap()...).Error() {
		return []string{err.Error()}
	}
	before, ok := strings.CutSuffix(err.Error(), joined.Error())
	if !ok {
		return []string{err.Error()}
	}
	var all []string
	for _, one := range joined.Unwrap() {
		for _, message := range messages(one) {
			all = append(all, before+message)
		}
	}
	return all
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "digestlint",
		Short: "find container images named by tag or by a malicious digest, and pin them",
		Long: `digestlint reads Dockerfiles, Compose files, Kubernetes manifests, CI pipelines and
the shell inside them, lists every container image that they name, reports those
that are not pinned to a digest or whose digest is known to be malicious, and pins
them in place without touching another byte.`,
		Example: `  digestlint check              lint the working directory (offline, changes nothing)
  digestlint pin --diff         show what pinning would change
  digestlint pin                pin every image to the digest of its tag
  digestlint refs               list every image reference
  digestlint explain RULE       what a rule means and how to fix it`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// Whatever is judged is judged by all that is known.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := setFlags(cmd); err != nil {
				return err
			}
			if err := a.profile.start(); err != nil {
				return err
			}
			a.useUpdates()
			return nil
		},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	a.profile.flags(root)
	root.SetHelpFunc(help)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &hintedError{err, "`" + cmd.CommandPath() + " --help` lists the flags"}
	})
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "also list the files that were not recognised")
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "`WHEN` to colour the output: auto, always or never")
	root.PersistentFlags().BoolVar(&a.noUpdates, "no-updates", false, "leave out what advisories update has fetched")
	complete(root, "color", []string{"auto", "always", "never"})
	root.AddCommand(a.check(), a.refs(), a.pin(), a.resolve(), a.explain(), a.exposure(), a.rules(), a.advisories(), a.baseline(), a.config(), a.lsp(), a.completion(), a.version())
	return root
}

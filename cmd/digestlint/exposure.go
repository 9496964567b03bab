package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/exposure"
)

// exposureFlags are the flags of exposure.
type exposureFlags struct {
	repos   []string
	all     bool
	logs    []string
	images  []string
	engines []string
	pods    []string
	outputs []string
}

func (a *app) exposure() *cobra.Command {
	var x exposureFlags
	cmd := &cobra.Command{
		Use:   "exposure",
		Short: "find out who was hit by an incident, and what to do now",
		Long: `exposure reads evidence, holds it against the advisories, and says who was hit with
what certainty:

  confirmed  a malicious digest was pulled, runs, or is stored
  likely     a compromised tag was pulled while it was compromised
  possible   a repository named it then, and nothing shows a pull; or nobody knows when
  clear      looked at, and nothing found

It then writes the plan: what to contain, to rotate, to pin and to purge. Name all the
evidence that you have; each kind may be named several times. "-" is standard input.
Nothing leaves this machine unless a remote --docker is named.

Exit status: 0 clear, 1 anything else, 2 wrong usage, 3 some evidence could not be read.`,
		Example: `  digestlint exposure                                   this repository, with its history
  digestlint exposure --repo shop --repo tools --all    several, with all their branches
  digestlint exposure --log logs.zip --log /var/log/ci  logs of CI systems, packed or not
  docker images --digests --format json | digestlint exposure --images -
  kubectl get pods -A -o json | digestlint exposure --pods - -o html=plan.html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runExposure(cmd, &x) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&x.repos, "repo", nil, "a git repository, its files and its history (`folder`)")
	f.BoolVar(&x.all, "all", false, "all branches and tags of the repositories")
	f.StringArrayVar(&x.logs, "log", nil, "logs of CI systems and engines: a `file`, a folder, gzip, zip")
	f.StringArrayVar(&x.images, "images", nil, "a list of images: docker, podman, crictl, ctr, nerdctl (`file`)")
	f.StringArrayVar(&x.engines, "docker", nil, "the images and containers of a local engine, at its usual `socket` or this")
	f.Lookup("docker").NoOptDefVal = anySocket
	f.StringArrayVar(&x.pods, "pods", nil, "pods, events or nodes, from kubectl get … -o json (`file`)")
	f.StringArrayVarP(&x.outputs, "output", "o", []string{"text"}, "`FORMAT[=FILE]`, repeatable: text, markdown, json, html")
	return cmd
}

// anySocket stands for the usual places of an engine's socket.
const anySocket = "auto"

// evidence is one thing to read.
type evidence struct {
	name string // for errors
	read func(ctx context.Context, rec *exposure.Recorder) error
}

func (a *app) runExposure(cmd *cobra.Command, x *exposureFlags) error {
	outputs, err := parseOutputs(x.outputs, "text", "markdown", "json", "html")
	if err != nil {
		return err
	}
	if err := a.checkColor(); err != nil {
		return err
	}
	set := advisories.Current()
	all := x.evidence(a.stdin)
	rec := exposure.NewRecorder(set)
	readAll(cmd.Context(), all, rec)
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	return a.exposed(rec.Report(time.Now()), set, outputs)
}

// readNamed hands the content of a file, or of standard input for "-", to read.
func readNamed[T any](name string, stdin io.Reader, read func(io.Reader) (T, error)) (T, error) {
	if name == "-" {
		return read(stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		var none T
		return none, err
	}
	defer f.Close()
	return read(f)
}

// evidence is all that the flags name but registries; the repository that the
// working directory is in if they name nothing.
func (x *exposureFlags) evidence(stdin io.Reader) []evidence {
	var all []evidence
	if len(x.repos)+len(x.logs)+len(x.images)+len(x.engines)+len(x.pods) == 0 {
		x.repos = []string{"."}
	}
	for _, dir := range x.repos {
		all = append(all, evidence{dir, func(ctx context.Context, rec *exposure.Recorder) error {
			return exposure.ReadRepository(ctx, dir, x.all, rec)
		}})
	}
	for _, name := range x.logs {
		all = append(all, evidence{name, func(ctx context.Context, rec *exposure.Recorder) error {
			if name == "-" {
				return exposure.ReadLog(ctx, name, stdin, rec)
			}
			return exposure.ReadLogs(ctx, name, rec)
		}})
	}
	for _, socket := range x.engines {
		if socket == anySocket {
			socket = ""
		}
		all = append(all, evidence{"--docker", func(ctx context.Context, rec *exposure.Recorder) error {
			return exposure.ReadEngine(ctx, socket, rec)
		}})
	}
	list := func(name string, read func(context.Context, string, io.Reader, *exposure.Recorder) error) {
		all = append(all, evidence{name, func(ctx context.Context, rec *exposure.Recorder) error {
			_, err := readNamed(name, stdin, func(r io.Reader) (struct{}, error) {
				return struct{}{}, read(ctx, name, r, rec)
			})
			return err
		}})
	}
	for _, name := range x.images {
		list(name, exposure.ReadImages)
	}
	for _, name := range x.pods {
		list(name, exposure.ReadPods)
	}
	return all
}

// readAll reads the evidence, as much at once as there are processors. What
// can't be read stops nothing else.
func readAll(ctx context.Context, all []evidence, rec *exposure.Recorder) {
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for _, e := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := e.read(ctx, rec); err != nil && ctx.Err() == nil {
				rec.Error(fmt.Errorf("%s: %w", e.name, err))
			}
		})
	}
	wg.Wait()
}

// planFormat writes a plan in one format; color is for terminals.
type planFormat func(p *exposure.Plan, w io.Writer, color bool) error

var planFormats = map[string]planFormat{
	"text":     func(p *exposure.Plan, w io.Writer, color bool) error { return p.Text(w, color) },
	"markdown": func(p *exposure.Plan, w io.Writer, _ bool) error { return p.Markdown(w) },
	"json":     func(p *exposure.Plan, w io.Writer, _ bool) error { return p.JSON(w) },
	"html":     func(p *exposure.Plan, w io.Writer, _ bool) error { return p.HTML(w) },
}

// exposed writes what was found, and sets the status.
func (a *app) exposed(r *exposure.Report, set *advisories.Set, outputs []output) error {
	plan := exposure.NewPlan(r, set)
	for _, o := range outputs {
		err := a.writeTo(o, func(w io.Writer, color bool) error { return planFormats[o.format](plan, w, color) })
		if err != nil {
			return err
		}
	}
	for _, err := range r.Errors {
		a.complain(err)
	}
	switch {
	case len(r.Errors) > 0:
		a.status = exitIncomplete
	case r.Verdict() > exposure.Clear:
		a.status = exitFindings
	}
	return nil
}

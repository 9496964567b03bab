package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/exposure"
	"github.com/digestlint/digestlint/registry"
	"github.com/digestlint/digestlint/report"
)

// exposureFlags are the flags of exposure.
type exposureFlags struct {
	input      input
	network    network
	registries []string
	indicators []string
	purge      bool
	yes        bool
	repos      []string
	all        bool // branches and tags
	everyName  bool // of repositories in registries
	logs       []string
	images     []string
	engines    []string
	pods       []string
	outputs    []string
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
Nothing leaves this machine unless --registry or a remote --docker is named.

--purge deletes what the registries serve of it: it shows each digest, asks, deletes,
and looks again. Nothing that is not listed itself is deleted.

Exit status: 0 clear, 1 anything else, 2 wrong usage, 3 some evidence could not be read.`,
		Example: `  digestlint exposure                                   this repository, with its history
  digestlint exposure --repo shop --repo tools --all    several, with all their branches
  digestlint exposure --log logs.zip --log /var/log/ci  logs of CI systems, packed or not
  docker images --digests --format json | digestlint exposure --images -
  kubectl get pods -A -o json | digestlint exposure --pods - -o html=plan.html
  digestlint exposure --registry mirror.example/hub     is it still in this cache?
  digestlint exposure --registry mirror.example --purge and out with it
  digestlint exposure --digests indicators.csv --repo . with what was published an hour ago`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runExposure(cmd, &x) },
	}
	x.network.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&x.input.config, "config", "", "read this `file`, not the nearest .digestlint.yaml")
	f.BoolVar(&x.input.noConfig, "no-config", false, "read no .digestlint.yaml")
	f.StringArrayVar(&x.repos, "repo", nil, "a git repository, its files and its history (`folder`)")
	f.BoolVar(&x.all, "all", false, "with --repo: all branches and tags, not the current branch alone")
	f.BoolVar(&x.everyName, "all-names", false, "with --registry: all repositories that it lists, not likely names")
	f.StringArrayVar(&x.logs, "log", nil, "logs of CI systems and engines: a `file`, a folder, gzip, zip")
	f.StringArrayVar(&x.images, "images", nil, "a list of images: docker, podman, crictl, ctr, nerdctl (`file`)")
	f.StringArrayVar(&x.engines, "docker", nil, "images and containers of an engine, at its `socket` or this")
	f.Lookup("docker").NoOptDefVal = anySocket
	f.StringArrayVar(&x.pods, "pods", nil, "pods, events or nodes, from kubectl get … -o json (`file`)")
	f.StringArrayVar(&x.registries, "registry", nil, "a registry, mirror or cache: `HOST[/PREFIX]`; asks it")
	f.StringArrayVar(&x.indicators, "digests", nil, "further malicious digests: a list, CSV, OSV or advisories (`file`)")
	f.BoolVar(&x.purge, "purge", false, "delete what the registries serve of it, after showing it and asking")
	f.BoolVar(&x.yes, "yes", false, "with --purge: do not ask")
	f.StringArrayVarP(&x.outputs, "output", "o", []string{"text"}, "`FORMAT[=FILE]`, repeatable: text (default), markdown, json, html")
	f.Lookup("output").DefValue = "[]"
	complete(cmd, "output", []string{"text", "markdown", "json", "html"})
	return cmd
}

// anySocket stands for the usual places of an engine's socket.
const anySocket = "auto"

// evidence reads one thing. Its error names it.
type evidence func(ctx context.Context, rec *exposure.Recorder) error

func (a *app) runExposure(cmd *cobra.Command, x *exposureFlags) error {
	outputs, err := parseOutputs(x.outputs, "text", "markdown", "json", "html")
	if err != nil {
		return err
	}
	if err := a.checkColor(); err != nil {
		return err
	}
	if err := x.check(); err != nil {
		return err
	}
	set, incomplete, err := x.advisories(a)
	if err != nil {
		return err
	}
	all := x.evidence(a.stdin)
	rec := exposure.NewRecorder(set)
	for _, err := range incomplete {
		rec.Error(err)
	}
	var session *session
	if len(x.registries) > 0 {
		settings, err := x.input.settings()
		if err != nil {
			return err
		}
		if session, err = x.network.open(settings, nil); err != nil {
			return err
		}
		defer session.close(a)
	}
	readAll(cmd.Context(), all, rec)
	if session != nil {
		x.readRegistries(cmd.Context(), session, rec)
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	found := rec.Report(time.Now())
	if err := a.exposed(found, set, outputs); err != nil || !x.purge {
		return err
	}
	return a.purge(cmd.Context(), x, session.client, exposure.Deletions(cmd.Context(), session.client, found))
}

// check refuses flags that mean nothing together.
func (x *exposureFlags) check() error {
	stdin := 0
	for _, name := range slices.Concat(x.logs, x.images, x.pods, x.indicators) {
		if name == "-" {
			stdin++
		}
	}
	switch {
	case stdin > 1:
		return errors.New(`standard input, "-", can be read once only`)
	case x.purge && len(x.registries) == 0:
		return errors.New("--purge deletes what --registry finds: name one")
	case x.everyName && len(x.registries) == 0:
		return errors.New("--all-names is about what --registry lists: name one")
	case x.yes && !x.purge:
		return errors.New("--yes answers what --purge asks; it means nothing alone")
	case x.purge && !x.yes && stdin > 0:
		return errors.New(`--purge asks on standard input, which "-" reads; write --yes, or name a file`)
	}
	return nil
}

// readRegistries looks through the registries, in the time that there is for
// lookups.
func (x *exposureFlags) readRegistries(ctx context.Context, s *session, rec *exposure.Recorder) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for _, target := range x.registries {
		if err := exposure.ReadRegistry(ctx, s.client, target, x.everyName, rec); err != nil {
			rec.Error(err)
		}
	}
}

// purge deletes from registries, after asking.
func (a *app) purge(ctx context.Context, x *exposureFlags, client *registry.Client, all []exposure.Deletion) error {
	all = a.withoutKept(all)
	if len(all) == 0 {
		fmt.Fprintln(a.stderr, "digestlint: there is nothing to delete")
		return nil
	}
	fmt.Fprintf(a.stderr, "to delete, with the tags that lead there:\n")
	for _, d := range all {
		fmt.Fprintf(a.stderr, "  %s (%s)\n", report.Visible(strings.Join(append([]string{d.Ref.String()}, d.Tags...), " ")), d.Advisory.ID)
	}
	if !x.yes {
		fmt.Fprintf(a.stderr, "Delete them? Write yes: ")
		answer, _ := bufio.NewReader(a.stdin).ReadString('\n')
		if strings.TrimSpace(answer) != "yes" {
			fmt.Fprintln(a.stderr, "nothing was deleted")
			return nil
		}
	}
	exposure.Delete(ctx, client, all)
	for _, d := range all {
		if d.Err != nil {
			a.status = exitIncomplete
			a.complain(d.Err)
			continue
		}
		fmt.Fprintf(a.stderr, "deleted %s\n", report.Visible(d.Ref.String()))
	}
	return nil
}

// withoutKept complains of what is not to be deleted and gives the rest.
func (a *app) withoutKept(all []exposure.Deletion) []exposure.Deletion {
	return slices.DeleteFunc(all, func(d exposure.Deletion) bool {
		if d.Kept != nil {
			a.status = exitIncomplete
			a.complain(d.Kept)
		}
		return d.Kept != nil
	})
}

// advisories are those in use, and the indicators that the flags name. What of
// those can't be read is incomplete, but the rest counts: nobody has time for a
// misspelt line then. A file of which nothing can be read is an error.
func (x *exposureFlags) advisories(a *app) (set *advisories.Set, incomplete []error, err error) {
	set = advisories.Current()
	for _, name := range x.indicators {
		more, err := readNamed(name, a.stdin, func(r io.Reader) ([]*advisories.Advisory, error) {
			return exposure.ReadIndicators(name, r)
		})
		if len(more) == 0 && err != nil {
			return nil, nil, fmt.Errorf("--digests: %w", err)
		}
		incomplete = append(incomplete, lines(err)...)
		set = set.With(more...)
	}
	if len(x.indicators) > 0 {
		for _, c := range set.Contradictions() {
			fmt.Fprintf(a.stderr, "digestlint: %s\n", report.Visible(c.String()))
		}
	}
	return set, incomplete, nil
}

// lines are the errors that err joins, each about a line.
func lines(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
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
	if len(x.repos)+len(x.logs)+len(x.images)+len(x.engines)+len(x.pods)+len(x.registries) == 0 {
		x.repos = []string{"."}
	}
	for _, dir := range x.repos {
		all = append(all, func(ctx context.Context, rec *exposure.Recorder) error {
			return exposure.ReadRepository(ctx, dir, x.all, rec)
		})
	}
	for _, name := range x.logs {
		all = append(all, func(ctx context.Context, rec *exposure.Recorder) error {
			if name == "-" {
				return exposure.ReadLog(ctx, name, stdin, rec)
			}
			return exposure.ReadLogs(ctx, name, rec)
		})
	}
	for _, socket := range x.engines {
		if socket == anySocket {
			socket = ""
		}
		all = append(all, func(ctx context.Context, rec *exposure.Recorder) error {
			return exposure.ReadEngine(ctx, socket, rec)
		})
	}
	list := func(name string, read func(context.Context, string, io.Reader, *exposure.Recorder) error) {
		all = append(all, func(ctx context.Context, rec *exposure.Recorder) error {
			_, err := readNamed(name, stdin, func(r io.Reader) (struct{}, error) {
				return struct{}{}, read(ctx, name, r, rec)
			})
			return err
		})
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
			if err := e(ctx, rec); err != nil && ctx.Err() == nil {
				rec.Error(err)
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

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/digests"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/resolve"
)

func (a *app) resolve() *cobra.Command {
	var in input
	var network network
	var output string
	var again bool
	cmd := &cobra.Command{
		Use:   "resolve [REF|PATH…]",
		Short: "write down which digests the tags lead to now",
		Long: `resolve asks the registries which digest each tag leads to now, and writes a
digests file: for pinning where there is no network, for the same digest everywhere,
for a list of what has been approved. Arguments are files and folders, all of whose
images are resolved, or else references; without any it is the working directory.

In a file that there is already, images are added, tags that moved are updated and
everything else stays as it is. A digest that the advisories name as malicious is
never written, nor one of an index that holds such a manifest.

Exit status: 0 everything is resolved, 1 something was refused, 2 wrong usage, 3 a
lookup or a file failed; the rest is written.`,
		Example: `  digestlint resolve -o digests.yaml            everything below the working directory
  digestlint resolve -o digests.yaml --update   also what the file lists
  digestlint resolve nginx:1.27 redis:7         two images, to standard output
  digestlint pin --digests digests.yaml         pin from it, where there is no network`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "-" {
				output = ""
			}
			if again && output == "" {
				return errors.New("--update needs --output FILE, the file to update")
			}
			w := &wanted{known: map[string]bool{}, named: map[string]bool{}}
			// A file that can't be read has to show before anybody is asked.
			if output != "" {
				_, before, err := loadDigests(output)
				if err != nil {
					return err
				}
				if again {
					w.addEntries(before)
				}
			}
			network.fresh = again
			if err := w.lookUp(cmd.Context(), a, &in, &network, args); err != nil {
				return err
			}
			return w.report(a, output)
		},
	}
	in.flags(cmd)
	network.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "", "add to this `file` (default: standard output)")
	f.BoolVar(&again, "update", false, "also resolve what the file lists already")
	return cmd
}

// wanted are the references to resolve, each once, and what became of them.
type wanted struct {
	answers []*resolution
	known   map[string]bool
	// named are the references that stand on the command line.
	named map[string]bool
	// unknown counts the uses of images that no file decides.
	unknown int
	// read is what was read, nil where there were no files; problems are what
	// of it could not be.
	read     *lint.Result
	problems []fileError
}

// resolution is what became of one reference.
type resolution struct {
	ref image.Reference
	img registry.Image
	err error
}

// add adds ref. A digest behind a tag says what the tag was taken for once, not
// what it leads to.
func (w *wanted) add(ref image.Reference) {
	if ref.Tag != "" {
		ref.Digest = ""
	}
	if key := ref.Canonical(); !w.known[key] {
		w.known[key] = true
		w.answers = append(w.answers, &resolution{ref: ref})
	}
}

// addEntries adds what list holds.
func (w *wanted) addEntries(list *digests.List) {
	for _, e := range list.Entries() {
		w.add(e.Image)
	}
}

// lookUp adds what the arguments ask for, and asks the registries for all.
func (w *wanted) lookUp(ctx context.Context, a *app, in *input, network *network, args []string) error {
	settings, err := in.settings()
	if err != nil {
		return err
	}
	session, err := network.open(settings, nil)
	if err != nil {
		return err
	}
	defer session.close(a)
	opts := lint.Options{Timeout: session.timeout, Announce: session.client.Announce, Progress: &lint.Progress{}}
	stop := a.watch(opts.Progress, session.client.Status)
	defer stop()
	if err := w.collect(ctx, a, in, args, opts.Progress); err != nil {
		return err
	}
	w.ask(ctx, &opts, &resolve.Resolver{Source: session.source})
	return ctx.Err()
}

// collect adds the references that the arguments name and those of the files
// among them.
func (w *wanted) collect(ctx context.Context, a *app, in *input, args []string, count *lint.Progress) error {
	var paths []string
	for _, arg := range args {
		if _, err := os.Lstat(arg); err == nil || arg == "-" {
			paths = append(paths, arg)
			continue
		}
		ref, err := image.Parse(arg)
		if err != nil {
			return fmt.Errorf("%q is neither a file nor a reference: %w", arg, err)
		}
		w.named[ref.Canonical()] = true
		w.add(ref)
	}
	if len(args) > 0 && len(paths) == 0 {
		return nil
	}
	opts, err := in.options(a, paths)
	if err != nil {
		return err
	}
	var c collector
	opts.Each, opts.Progress = c.each, count
	w.read, err = lint.Run(ctx, opts)
	if err != nil {
		return err
	}
	list := c.list(w.read)
	w.problems = c.errors
	for _, r := range list.References {
		if r.pulled() {
			w.addAll(r.texts())
		}
	}
	return nil
}

// addAll adds the texts that one use can have. What is no reference is left to
// check, and to pin.
func (w *wanted) addAll(texts []string) {
	if len(texts) == 0 {
		w.unknown++
	}
	for _, text := range texts {
		if ref, err := image.Parse(text); err == nil {
			w.add(ref)
		}
	}
}

// ask resolves all references, and puts them into the order of their names.
func (w *wanted) ask(ctx context.Context, opts *lint.Options, resolver *resolve.Resolver) {
	slices.SortFunc(w.answers, func(a, b *resolution) int { return cmp.Compare(a.ref.Canonical(), b.ref.Canonical()) })
	refs := make([]image.Reference, len(w.answers))
	for i, r := range w.answers {
		refs[i] = r.ref
	}
	opts.EachReference(ctx, refs, func(ctx context.Context, i int) {
		r := w.answers[i]
		if r.img, r.err = resolver.Read(ctx, r.ref); errors.Is(r.err, context.DeadlineExceeded) {
			r.err = fmt.Errorf("there was no answer within %v for all lookups together", opts.Timeout)
		}
	})
}

// report writes the answers to standard output or into a file, and says what
// became of each.
func (w *wanted) report(a *app, output string) error {
	a.problems(w.problems)
	if w.read != nil {
		a.report(w.read)
	}
	found, refused, failed := w.complain(a)
	p := &putting{found: found}
	var err error
	switch {
	case output == "":
		err = p.print(a.stdout)
	case len(found) > 0 || refused+failed == 0:
		err = updateDigests(output, p.put)
	}
	if err != nil {
		return &exitError{exitIncomplete, err}
	}
	for _, m := range p.moved {
		fmt.Fprintf(a.stderr, "%s moved from %s to %s\n", report.Visible(m.ref.String()), m.old, m.img.Digest)
	}
	for _, err := range p.malicious {
		fmt.Fprintf(a.stderr, "%s\n", report.Visible(err.Error()))
	}
	refused += len(p.malicious)
	fmt.Fprintf(a.stderr, "%d new, %d moved, %d unchanged", p.fresh, len(p.moved), len(found)-p.fresh-len(p.moved))
	for _, count := range []struct {
		n    int
		what string
	}{{refused, "refused"}, {failed, "failed"}, {w.unknown, "left out: no file here decides their image"}} {
		if count.n > 0 {
			fmt.Fprintf(a.stderr, ", %d %s", count.n, count.what)
		}
	}
	fmt.Fprintln(a.stderr)
	switch {
	case failed > 0:
		a.status = exitIncomplete
	case refused > 0 && a.status == exitClean:
		a.status = exitFindings
	}
	return nil
}

// complain says which references have no digest, and why. It returns the others.
func (w *wanted) complain(a *app) (found []*resolution, refused, failed int) {
	hints := map[string]bool{}
	for _, r := range w.answers {
		var refusal *lint.Refusal
		switch {
		case r.err == nil:
			found = append(found, r)
			continue
		case errors.As(r.err, &refusal):
			refused++
		default:
			failed++
		}
		fmt.Fprintf(a.stderr, "%s: not resolved: %s\n", report.Visible(r.ref.String()), report.Visible(reason(r.err)))
		a.hintOnce(r.err, hints)
		if w.named[r.ref.Canonical()] && r.ref.Tag == "" && refusal == nil {
			fmt.Fprintf(a.stderr, "  hint: no file or folder is called %s, so it was taken for an image\n", report.Visible(r.ref.String()))
		}
	}
	return found, refused, failed
}

// reason is an error without the reference, where it can say so.
func reason(err error) string {
	var of interface{ Reason() string }
	if errors.As(err, &of) {
		return of.Reason()
	}
	return err.Error()
}

// putting is what was found on its way into a list, and what it does to that.
type putting struct {
	found []*resolution
	fresh int // entries that are new
	moved []move
	// malicious are the entries of the list that must not be there.
	malicious []error
}

// move is an entry that had another digest before.
type move struct {
	*resolution
	old string
}

// put changes the list. It may be called again, with another list.
func (p *putting) put(list *digests.List) error {
	p.fresh, p.moved, p.malicious = 0, nil, nil
	now := time.Now()
	for _, r := range p.found {
		old, err := list.Put(r.ref, r.img.Digest, resolve.Platforms(r.img.Children), now)
		switch {
		case err != nil:
			return err
		case old == "":
			p.fresh++
		case old != r.img.Digest:
			p.moved = append(p.moved, move{r, old})
		}
	}
	for _, e := range list.Entries() {
		if hit, ok := advisories.LookupDigest(e.Digest); ok {
			p.malicious = append(p.malicious, fmt.Errorf("the file lists %s with %s, which is malicious (%s: %s); delete the line",
				e.Image, e.Digest, hit.Advisory.ID, hit.Advisory.Title))
		}
	}
	return nil
}

// print writes a list of nothing but what was found.
func (p *putting) print(w io.Writer) error {
	list := &digests.List{}
	if err := p.put(list); err != nil {
		return err
	}
	data, err := list.Marshal()
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("write digests: %w", err)
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

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
			// A file that can't be read has to show before anybody is asked.
			before := &digests.List{}
			if output != "" {
				var err error
				if _, before, err = loadDigests(output); err != nil {
					return err
				}
			}
			settings, err := in.settings()
			if err != nil {
				return err
			}
			session, err := network.open(settings, nil)
			if err != nil {
				return err
			}
			defer session.close(a)
			opts := lint.Options{Timeout: session.timeout, Progress: &lint.Progress{}}
			stop := a.watch(opts.Progress, session.client.Status)
			w, err := a.wanted(cmd.Context(), &in, args, opts.Progress)
			if err == nil {
				for _, e := range before.Entries() {
					if again {
						w.add(e.Image)
					}
				}
				w.ask(cmd.Context(), &opts, &resolve.Resolver{Source: session.source})
			}
			stop()
			if err := cmp.Or(err, cmd.Context().Err()); err != nil {
				return err
			}
			a.problems(w.problems)
			if w.read != nil {
				a.report(w.read)
			}
			return a.resolved(w, output)
		},
	}
	in.flags(cmd)
	network.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "", "write to this `file`, into what it lists already (default: standard output)")
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

// wanted are the references that the arguments name and those of the files
// among them.
func (a *app) wanted(ctx context.Context, in *input, args []string, count *lint.Progress) (*wanted, error) {
	w := &wanted{known: map[string]bool{}, named: map[string]bool{}}
	var paths []string
	for _, arg := range args {
		if _, err := os.Lstat(arg); err == nil || arg == "-" {
			paths = append(paths, arg)
			continue
		}
		ref, err := image.Parse(arg)
		if err != nil {
			return nil, fmt.Errorf("%q is neither a file nor a reference: %w", arg, err)
		}
		w.named[ref.Canonical()] = true
		w.add(ref)
	}
	if len(args) > 0 && len(paths) == 0 {
		return w, nil
	}
	opts, err := in.options(a, paths)
	if err != nil {
		return nil, err
	}
	var c collector
	opts.Each, opts.Progress = c.each, count
	w.read, err = lint.Run(ctx, opts)
	if err != nil {
		return nil, err
	}
	list := c.list(w.read)
	w.problems = c.errors
	for _, r := range list.References {
		if !r.pulled() {
			continue
		}
		texts := r.texts()
		if len(texts) == 0 {
			w.unknown++
		}
		for _, text := range texts {
			if ref, err := image.Parse(text); err == nil {
				w.add(ref)
			}
		}
	}
	return w, nil
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

// resolved writes the answers, and says what became of each.
func (a *app) resolved(w *wanted, output string) error {
	var found []*resolution
	var n struct{ refused, failed int }
	hints := map[string]bool{}
	for _, r := range w.answers {
		var refused *lint.Refusal
		switch {
		case r.err == nil:
			found = append(found, r)
			continue
		case errors.As(r.err, &refused):
			n.refused++
		default:
			n.failed++
		}
		fmt.Fprintf(a.stderr, "%s: not resolved: %s\n", report.Visible(r.ref.String()), report.Visible(r.err.Error()))
		a.hintOnce(r.err, hints)
		if w.named[r.ref.Canonical()] && r.ref.Tag == "" && refused == nil {
			fmt.Fprintf(a.stderr, "  hint: no file or folder is called %s, so it was taken for an image\n", report.Visible(r.ref.String()))
		}
	}
	changes, err := a.putAll(found, output, n.failed+n.refused == 0)
	if err != nil {
		return &exitError{exitIncomplete, err}
	}
	var fresh int
	for _, c := range changes {
		if c.old == "" {
			fresh++
			continue
		}
		fmt.Fprintf(a.stderr, "%s moved from %s to %s\n", report.Visible(c.ref.String()), c.old, c.img.Digest)
	}
	fmt.Fprintf(a.stderr, "%d new, %d moved, %d unchanged", fresh, len(changes)-fresh, len(found)-len(changes))
	for _, count := range []struct {
		n    int
		what string
	}{{n.refused, "refused"}, {n.failed, "failed"}, {w.unknown, "unresolved: no file here decides their image"}} {
		if count.n > 0 {
			fmt.Fprintf(a.stderr, ", %d %s", count.n, count.what)
		}
	}
	fmt.Fprintln(a.stderr)
	switch {
	case n.failed > 0:
		a.status = exitIncomplete
	case n.refused > 0 && a.status == exitClean:
		a.status = exitFindings
	}
	return nil
}

// change is an entry of a digests file that is new, or that has another digest
// than before.
type change struct {
	*resolution
	old string // empty where the entry is new
}

// putAll writes what was found to standard output or into the file, which is
// made, even without images, where whole is set.
func (a *app) putAll(found []*resolution, output string, whole bool) ([]change, error) {
	now := time.Now()
	var changes []change
	put := func(list *digests.List) error {
		changes = nil
		for _, r := range found {
			old, err := list.Put(r.ref, r.img.Digest, resolve.Platforms(r.img.Children), now)
			if err != nil {
				return err
			}
			if old != r.img.Digest {
				changes = append(changes, change{r, old})
			}
		}
		return nil
	}
	if output != "" {
		if len(found) == 0 && !whole {
			return nil, nil
		}
		err := updateDigests(output, put)
		return changes, err
	}
	list := &digests.List{}
	if err := put(list); err != nil {
		return nil, err
	}
	data, err := list.Marshal()
	if err != nil {
		return nil, err
	}
	if _, err := a.stdout.Write(data); err != nil {
		return nil, fmt.Errorf("write digests: %w", err)
	}
	return changes, nil
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/registry"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/rewrite"
)

func (a *app) pin() *cobra.Command {
	var in input
	var diff, dryRun, unsafe bool
	var digests string
	cmd := &cobra.Command{
		Use:     "pin [PATH…]",
		Aliases: []string{"fix"},
		Short:   "write the digest of its tag behind every reference",
		Long: `pin asks the registry of each unpinned reference for the digest of its tag, one
request a reference, and writes name:tag@sha256:… in place. Outside the inserted
text not one byte changes. A digest that the advisories name as malicious is never
written, nor one of an index that holds such a manifest.`,
		Example: `  digestlint pin                            pin everything below the working directory
  digestlint pin --diff                     show the changes as a patch, write nothing
  digestlint pin --digests digests.txt      without the network: "nginx:1.25 sha256:…" a line
  digestlint pin docker-compose.yml deploy  only these`,
		RunE: func(cmd *cobra.Command, args []string) error {
			resolve := newResolver()
			if digests != "" {
				var err error
				if resolve, err = fromFile(digests); err != nil {
					return err
				}
			}
			common, err := in.options(a, args)
			if err != nil {
				return err
			}
			opts := lint.PinOptions{Options: common, Unsafe: unsafe, DryRun: diff || dryRun, Resolve: resolve}
			if opts.Stdin != nil {
				return errors.New(`pin writes files; "-" has no place to write to`)
			}
			res, err := lint.Pin(cmd.Context(), opts)
			if err != nil {
				return err
			}
			return a.pinned(res, diff, dryRun)
		},
	}
	in.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&diff, "diff", false, "print the changes as a patch for git apply, write nothing")
	f.BoolVar(&dryRun, "dry-run", false, "say what would be pinned, write nothing")
	f.BoolVar(&unsafe, "unsafe", false, "also edit .env lines and variables that something unseen may read")
	f.StringVar(&digests, "digests", "", "take digests from this `file` of \"REFERENCE DIGEST\" lines, never from the network")
	return cmd
}

// pinned prints what a pin run did.
func (a *app) pinned(res *lint.PinResult, diff, dryRun bool) error {
	out := bufio.NewWriter(a.stdout)
	if diff {
		write := rewrite.Diff
		if a.colored() {
			write = rewrite.ColorDiff
		}
		for _, c := range res.Changes {
			if err := write(out, c.Path, c.Old, c.Edits); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	var n struct{ pinned, stayed, failed int }
	hints := map[string]bool{}
	for _, o := range res.Outcomes {
		place := fmt.Sprintf("%s:%d:%d", report.Visible(o.Path), o.At.Line, o.At.Column)
		switch {
		case o.Digest != "":
			n.pinned++
			if !diff {
				fmt.Fprintf(out, "%s: %s → %s\n", place, report.Visible(o.Image), o.Digest)
			}
			continue
		case o.Failed:
			n.failed++
		default:
			n.stayed++
		}
		fmt.Fprintf(a.stderr, "%s: %s: not pinned: %s\n", place, report.Visible(o.Image), report.Visible(o.Reason))
		var h hinter
		if errors.As(o.Err(), &h) && h.Hint() != "" && !hints[h.Hint()] {
			hints[h.Hint()] = true
			fmt.Fprintf(a.stderr, "  hint: %s\n", report.Visible(h.Hint()))
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, e := range res.Errors {
		fmt.Fprintf(a.stderr, "digestlint: %s\n", report.Visible(e.Error()))
	}
	verb := "pinned"
	if diff || dryRun {
		verb = "to pin"
	}
	fmt.Fprintf(a.stderr, "%d %s, %d already pinned, %d not pinned", n.pinned, verb, res.Already, n.stayed+n.failed)
	if n.failed > 0 {
		fmt.Fprintf(a.stderr, " (%d because a lookup or a file failed)", n.failed)
	}
	fmt.Fprintln(a.stderr)
	switch {
	case n.failed > 0 || len(res.Errors) > 0:
		a.status = exitIncomplete
	case n.stayed > 0:
		a.status = exitFindings
	}
	return nil
}

// newResolver asks registries, and then the advisories. A digest is the
// registry's word until its manifest has been read: that proves the digest, and
// shows what an index holds.
func newResolver() func(context.Context, image.Reference) (string, error) {
	client := registry.New(registry.Options{})
	return func(ctx context.Context, ref image.Reference) (string, error) {
		m, err := client.Resolve(ctx, ref)
		if err != nil {
			return "", err
		}
		if err := refuse(m.Digest, "its tag now leads to"); err != nil {
			return "", err
		}
		children, err := client.Children(ctx, ref, m.Digest)
		if err != nil {
			return "", err
		}
		for _, c := range children {
			if err := refuse(c.Digest, fmt.Sprintf("its tag now leads to %s, which holds the %s", short(m.Digest), c.Kind)); err != nil {
				return "", err
			}
		}
		return m.Digest, nil
	}
}

// refuse is an error if the advisories list the digest.
func refuse(digest, how string) error {
	hit, ok := advisories.LookupDigest(digest)
	if !ok {
		return nil
	}
	return &lint.Refusal{Reason: fmt.Sprintf("%s %s, which is malicious (%s: %s); it is never written", how, digest, hit.Advisory.ID, hit.Advisory.Title)}
}

func short(digest string) string {
	if i := strings.IndexByte(digest, ':'); i >= 0 && len(digest) > i+13 {
		return digest[:i+13] + "…"
	}
	return digest
}

// fromFile resolves from lines "REFERENCE DIGEST"; blank lines and lines that
// start with "#" are left out.
func fromFile(name string) (func(context.Context, image.Reference) (string, error), error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read digests: %w", err)
	}
	known := map[string]string{}
	for i, line := range strings.Split(string(data), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%s:%d:1: a line is REFERENCE DIGEST, not %q", name, i+1, strings.TrimSpace(line))
		}
		ref, err := image.Parse(fields[0])
		if err != nil {
			return nil, fmt.Errorf("%s:%d:1: %q: %w", name, i+1, fields[0], err)
		}
		if !image.ValidDigest(fields[1]) {
			return nil, fmt.Errorf("%s:%d:%d: %q is not a digest", name, i+1, strings.Index(line, fields[1])+1, fields[1])
		}
		ref.Digest = ""
		if old, ok := known[ref.Canonical()]; ok && old != fields[1] {
			return nil, fmt.Errorf("%s:%d:1: %s has two digests", name, i+1, fields[0])
		}
		known[ref.Canonical()] = fields[1]
	}
	return func(_ context.Context, ref image.Reference) (string, error) {
		digest, ok := known[ref.Canonical()]
		if !ok {
			return "", fmt.Errorf("%s does not list it", name)
		}
		if err := refuse(digest, name+" gives it"); err != nil {
			return "", err
		}
		return digest, nil
	}, nil
}

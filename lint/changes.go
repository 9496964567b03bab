package lint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/digestlint/digestlint/git"
	"github.com/digestlint/digestlint/rules"
)

// NotNew is the cause of findings on lines that have not changed.
const NotNew Cause = "not on changed lines"

// Changes are the lines of a repository that have changed. Paths are from its
// top, with "/".
type Changes struct {
	top   string             // absolute, without symbolic links
	lines map[string][]lines // changed
	old   map[string]bool    // known to git, so that what is not in lines is not new
	index bool               // whether the index is judged
	blobs map[string][]byte  // what is staged of changed files
}

// lines are some lines of a file, both ends included.
type lines struct{ first, last int }

// RevisionError is a revision that there is nothing to compare with.
type RevisionError struct {
	Revision string
	Reason   string
}

func (e *RevisionError) Error() string { return fmt.Sprintf("revision %q: %s", e.Revision, e.Reason) }

// Hint says how to fetch it.
func (e *RevisionError) Hint() string {
	return "fetch the whole history first: `fetch-depth: 0` for actions/checkout, `GIT_DEPTH: 0` for GitLab, else `git fetch --unshallow`"
}

// ChangesSince is what the files of the work tree have that the revision has
// not. With mergeBase it is compared with what the revision and HEAD have in
// common. Files that git does not track are new.
func ChangesSince(ctx context.Context, revision string, mergeBase bool) (*Changes, error) {
	c, err := openChanges(ctx)
	if err != nil {
		return nil, err
	}
	// A text that starts with "-" would be an option.
	if strings.HasPrefix(revision, "-") || revision == "" {
		return nil, &RevisionError{revision, "this is no revision"}
	}
	out, err := c.git(ctx, "rev-parse", "--verify", "--quiet", revision+"^{commit}")
	if err != nil {
		return nil, &RevisionError{revision, "git knows no such commit"}
	}
	commit := strings.TrimSpace(string(out))
	if mergeBase {
		if out, err = c.git(ctx, "merge-base", commit, "HEAD"); err != nil {
			return nil, &RevisionError{revision, "it has no commit in common with HEAD here"}
		}
		commit = strings.TrimSpace(string(out))
	}
	return c, c.compare(ctx, commit, "--")
}

// StagedChanges is what the index has that HEAD has not. What is judged of
// those files is what is staged.
func StagedChanges(ctx context.Context) (*Changes, error) {
	c, err := openChanges(ctx)
	if err != nil {
		return nil, err
	}
	c.index = true
	if err := c.compare(ctx, "--cached", "--"); err != nil {
		return nil, err
	}
	return c, c.readBlobs(ctx)
}

func openChanges(ctx context.Context) (*Changes, error) {
	c := &Changes{lines: map[string][]lines{}, old: map[string]bool{}}
	out, err := c.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	c.top, err = filepath.EvalSymlinks(strings.TrimRight(string(out), "\r\n"))
	return c, err
}

// git is what git prints.
func (c *Changes) git(ctx context.Context, args ...string) ([]byte, error) {
	return c.gitInput(ctx, nil, args...)
}

func (c *Changes) gitInput(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := git.Command(ctx, c.top, os.Environ(), args...)
	cmd.Stdin = stdin
	if args[0] == "diff" {
		git.WithoutFilters(ctx, cmd)
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("git %s: %s", args[0], bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}

func (c *Changes) compare(ctx context.Context, args ...string) error {
	patch, err := c.git(ctx, append([]string{"diff", "--no-ext-diff", "--no-textconv", "--no-color", "--unified=0", "--find-renames",
		"--ignore-submodules=all", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/"}, args...)...)
	if err != nil {
		return err
	}
	if err := c.readPatch(string(patch)); err != nil {
		return err
	}
	names, err := c.git(ctx, "ls-files", "-z")
	for name := range strings.SplitSeq(string(names), "\x00") {
		c.old[name] = true
	}
	return err
}

// readPatch reads the changed lines out of a patch without context
// (https://git-scm.com/docs/diff-format#generate_patch_text_with_p).
func (c *Changes) readPatch(patch string) error {
	name, skip := "", 0
	for line := range strings.SplitSeq(patch, "\n") {
		switch {
		case strings.HasPrefix(line, `\`):
		case skip > 0:
			skip--
		case strings.HasPrefix(line, "diff --git "):
			name = ""
		case strings.HasPrefix(line, "+++ "):
			name = strings.TrimSuffix(line[len("+++ "):], "\t")
			if text, err := strconv.Unquote(name); err == nil {
				name = text
			}
			name = strings.TrimPrefix(name, "b/")
		case strings.HasPrefix(line, "@@ "):
			var removed, added lines
			fields := strings.Fields(line)
			if len(fields) < 3 || !removed.read(fields[1], "-") || !added.read(fields[2], "+") {
				return fmt.Errorf("git diff: not understood: %q", line)
			}
			skip = removed.len() + added.len()
			if added.len() > 0 {
				c.lines[name] = append(c.lines[name], added)
			}
		}
	}
	return nil
}

func (l lines) len() int { return l.last - l.first + 1 }

// read reads "+12,3", three lines from line 12 on, or "+12", that one.
func (l *lines) read(text, sign string) bool {
	text, signed := strings.CutPrefix(text, sign)
	first, count, several := strings.Cut(text, ",")
	if !several {
		count = "1"
	}
	from, err := strconv.Atoi(first)
	n, err2 := strconv.Atoi(count)
	*l = lines{from, from + n - 1}
	return signed && err == nil && err2 == nil && n >= 0
}

// readBlobs reads what is staged of the files that changed.
func (c *Changes) readBlobs(ctx context.Context) error {
	c.blobs = map[string][]byte{}
	raw, err := c.git(ctx, "diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--diff-filter=AMT", "--")
	if err != nil {
		return err
	}
	var names []string
	var ids strings.Builder
	fields := strings.Split(string(raw), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		// ":100644 100644 OLD NEW M", then the path.
		f := strings.Fields(fields[i])
		if len(f) == 5 && strings.HasPrefix(f[1], "100") {
			names = append(names, fields[i+1])
			ids.WriteString(f[3] + "\n")
		}
	}
	out, err := c.gitInput(ctx, strings.NewReader(ids.String()), "cat-file", "--batch")
	if err != nil {
		return err
	}
	for _, name := range names {
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		f := bytes.Fields(head)
		if len(f) != 3 {
			return fmt.Errorf("git cat-file: not understood: %q", head)
		}
		size, err := strconv.Atoi(string(f[2]))
		if err != nil || size < 0 || size >= len(rest) {
			return fmt.Errorf("git cat-file: not understood: %q", head)
		}
		c.blobs[name], out = rest[:size:size], rest[size+1:]
	}
	return nil
}

// name is the path of a file from the top of the repository.
func (c *Changes) name(path string) (string, bool) {
	abs, err := filepath.Abs(filepath.FromSlash(path))
	if err != nil {
		return "", false
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	rel, err := filepath.Rel(c.top, abs)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

// content is what is to be judged in place of the file's own content.
func (c *Changes) content(path string) ([]byte, bool) {
	if c == nil || !c.index {
		return nil, false
	}
	name, _ := c.name(path)
	data, ok := c.blobs[name]
	return data, ok
}

// has reports whether one of the lines changed.
func (c *Changes) has(path string, first, last int) bool {
	name, inside := c.name(path)
	if !inside || !c.old[name] {
		// The index holds nothing of files that git does not know.
		return !c.index
	}
	return slices.ContainsFunc(c.lines[name], func(l lines) bool { return l.first <= last && first <= l.last })
}

// onlyNew takes away what is not on changed lines, nor about any.
func (r *run) onlyNew(findings []rules.Finding) []rules.Finding {
	if r.opts.Changes == nil {
		return findings
	}
	kept := findings[:0]
	for _, f := range findings {
		if f.Rule.Certain || r.opts.Changes.concerns(&f) {
			kept = append(kept, f)
		} else {
			r.result.suppress(f, NotNew)
		}
	}
	return kept
}

// concerns reports whether the place of the finding, or one that decides about
// it, changed.
func (c *Changes) concerns(f *rules.Finding) bool {
	return c.has(f.Path, f.Start.Line, f.End.Line) ||
		slices.ContainsFunc(f.Related, func(r rules.Related) bool { return c.has(r.Path, r.Start.Line, r.Start.Line) })
}

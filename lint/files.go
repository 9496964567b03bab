package lint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/git"
)

// entry is a file to look at.
type entry struct {
	path  string // as reported, with "/"
	named bool   // on the command line, and so always processed
}

// Error is a file that could not be read or parsed, or a lookup that failed.
type Error struct {
	Path         string `json:"path"`
	Line, Column int    `json:"-"`
	Message      string `json:"message"`
	Hint         string `json:"-"` // what to do; may be empty
}

func (e Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// list finds the files below the paths, in the order of the paths. What can't
// be read is reported, and the rest goes on. Git's ignore rules apply to
// folders; ".git", submodules and symbolic links are not entered. A file named
// itself is always listed.
// What git refuses to list is noted, and walked.
func list(ctx context.Context, paths []string, fail, note func(Error)) []entry {
	var out []entry
	seen := map[string]bool{}
	add := func(e entry) {
		if key := path.Clean(e.path); !seen[key] {
			seen[key] = true
			out = append(out, e)
		}
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			fail(Error{Path: filepath.ToSlash(p), Message: reason(err)})
			continue
		}
		if !info.IsDir() {
			add(entry{path: filepath.ToSlash(filepath.Clean(p)), named: true})
			continue
		}
		below, err := gitFiles(ctx, p)
		if err != nil {
			if why := refusal(err); why != "" {
				note(Error{Path: filepath.ToSlash(p), Message: "listed without git, ignored files too: " + why})
			}
			below = walkFiles(p, fail)
		}
		for _, name := range below {
			add(entry{path: path.Join(filepath.ToSlash(p), name)})
		}
	}
	return out
}

// selected are the files that the options do not skip.
func (o *Options) selected(files []entry) []entry {
	if o.SkipFile == nil {
		return files
	}
	return slices.DeleteFunc(files, func(e entry) bool { return (!e.named || o.SkipNamed) && o.SkipFile(e.path) })
}

// reason is an error without the path that it repeats.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Op + ": " + p.Err.Error()
	}
	return err.Error()
}

// refusal is why git does not list the files of a repository, empty where there
// is none, or no git.
func refusal(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || bytes.Contains(exit.Stderr, []byte("not a git repository")) {
		return ""
	}
	line, _, _ := bytes.Cut(exit.Stderr, []byte("\n"))
	return string(line)
}

// gitFiles lists the tracked and the untracked, not ignored files below dir,
// relative to it.
func gitFiles(ctx context.Context, dir string) ([]string, error) {
	if os.Getenv("GIT_WORK_TREE") != "" {
		// Outside of that git would list its files as if they were here.
		inside, err := git.Command(ctx, dir, os.Environ(), "rev-parse", "--is-inside-work-tree").Output()
		if err != nil || string(inside) != "true\n" {
			return nil, errors.New("the folder is no part of the work tree")
		}
	}
	cmd := git.Command(ctx, dir, os.Environ(), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var names []string
	folders := realFolders{dir: dir, known: map[string]bool{".": true}}
	for _, name := range bytes.Split(out, []byte{0}) {
		if len(name) > 0 && folders.hold(string(name)) {
			names = append(names, string(name))
		}
	}
	if len(names) == 0 {
		// An ignored folder named on the command line is wanted all the same.
		return nil, errors.New("git lists no files")
	}
	return names, nil
}

// realFolders tells the folders below dir, which no link leads to, from those
// that only an index claims to be there: git does not look at the folders of
// what it tracks, nor at "..", when it lists an index that somebody has made up.
type realFolders struct {
	dir   string
	known map[string]bool
}

// hold reports whether the file name, relative to dir, lies below it.
func (r realFolders) hold(name string) bool {
	return git.Below(name) && r.real(path.Dir(name))
}

func (r realFolders) real(folder string) bool {
	known, ok := r.known[folder]
	if !ok {
		info, err := os.Lstat(filepath.Join(r.dir, filepath.FromSlash(folder)))
		gone := errors.Is(err, fs.ErrNotExist) // what is staged may be there even so
		known = (gone || err == nil && info.IsDir()) && r.real(path.Dir(folder))
		r.known[folder] = known
	}
	return known
}

// walkFiles lists the regular files below dir, relative to it, where there is
// no repository to ask.
func walkFiles(dir string, fail func(Error)) []string {
	var names []string
	root := dir
	if folder, err := filepath.EvalSymlinks(dir); err == nil {
		root = folder // a link that is named itself is entered, as by git
	}
	above := filepath.Clean(root) + string(filepath.Separator)
	if root == "." {
		above = "" // nor does WalkDir write it
	}
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(p, above)
		if p == root {
			rel = "."
		}
		if err != nil {
			fail(Error{Path: path.Join(filepath.ToSlash(dir), filepath.ToSlash(rel)), Message: reason(err)})
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			names = append(names, filepath.ToSlash(rel))
		}
		return nil
	})
	return names
}

// tree opens files beside the one being parsed, never outside the folder that
// the run started from: a path is refused when it climbs above what was named.
type tree struct {
	roots    []string
	contents map[string][]byte // in place of what is on disk
}

func newTree(paths []string) tree {
	var t tree
	for _, p := range paths {
		root := p
		if info, err := os.Stat(p); err != nil || !info.IsDir() {
			root = filepath.Dir(p)
		}
		t.roots = append(t.roots, path.Clean(filepath.ToSlash(root)))
	}
	return t
}

// inside is the root that the name lies below, and the rest of the name.
func (t tree) inside(name string) (root, rest string, ok bool) {
	for _, root := range t.roots {
		if root == "." {
			if !strings.HasPrefix(name, "../") && name != ".." && !path.IsAbs(name) {
				return root, name, true
			}
		} else if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(root, "/")+"/"); ok {
			return root, rest, true
		}
	}
	return "", "", false
}

// root is the innermost root that the name lies below, or else its own folder,
// and the rest of the name: what is written stays in there. All three are paths
// of the system.
func (t tree) root(name string) (root, rest string) {
	for _, r := range t.roots {
		r = filepath.FromSlash(r)
		if below, err := filepath.Rel(r, name); err == nil && filepath.IsLocal(below) && (root == "" || len(r) > len(root)) {
			root, rest = r, below
		}
	}
	if root == "" {
		return filepath.Dir(name), filepath.Base(name)
	}
	return root, rest
}

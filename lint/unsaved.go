package lint

import (
	"path/filepath"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// Unsaved is a folder as an editor shows it. The paths of such a run are
// absolute, with "/".
type Unsaved struct {
	// Folder is the one that is being worked in, absolute, with "/". Nothing
	// outside of it is read beside a file.
	Folder string
	// Contents stand, by path, in place of what the disk has, and for files
	// that it has not. They must not change, and what is found in them stays
	// valid after the run.
	Contents map[string][]byte
	// Spared reports whether something in the folder that this run does not
	// look at builds a name, or replaces it in the file; nil means that
	// nothing does.
	Spared func(path, name string) bool
}

// content is what an editor shows of a file.
func (u *Unsaved) content(path string) ([]byte, bool) {
	if u == nil {
		return nil, false
	}
	data, ok := u.Contents[path]
	return data, ok
}

// relative is the path by which the format is found: what the folders above the
// one that is worked in are called says nothing about a file.
func (u *Unsaved) relative(path string) string {
	if u == nil {
		return path
	}
	return strings.TrimPrefix(path, strings.TrimSuffix(u.Folder, "/")+"/")
}

// tree is what may be read beside the files of a run.
func (o *Options) tree() tree {
	if o.Unsaved == nil {
		return newTree(o.Paths)
	}
	return tree{roots: []string{o.Unsaved.Folder}, contents: o.Unsaved.Contents}
}

// unsaved looks at those of the paths whose contents are given, and returns the
// others.
func (r *run) unsaved(paths []string) []string {
	if r.opts.Unsaved == nil {
		return paths
	}
	var rest []string
	for _, p := range paths {
		name := filepath.ToSlash(p)
		if data, ok := r.opts.Unsaved.content(name); ok {
			r.look(&source.File{Path: name, Data: data}, true)
		} else {
			rest = append(rest, p)
		}
	}
	return rest
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/digestlint/digestlint/image"
)

// only is the flag --only: what a bulk change is limited to. Globs of one kind
// widen each other, those of the other kind narrow them.
type only struct{ images, paths []string }

func (o *only) String() string { return "" }
func (o *only) Type() string   { return "image=GLOB|path=GLOB" }

// Set adds one glob (https://pkg.go.dev/github.com/bmatcuk/doublestar/v4#Match).
func (o *only) Set(s string) error {
	kind, glob, _ := strings.Cut(s, "=")
	if glob == "" || !doublestar.ValidatePattern(glob) {
		return fmt.Errorf("%q is no glob", glob)
	}
	switch kind {
	case "image":
		o.images = append(o.images, glob)
	case "path":
		o.paths = append(o.paths, strings.TrimPrefix(glob, "./"))
	default:
		return fmt.Errorf("it is image=GLOB or path=GLOB")
	}
	return nil
}

// match is the filter that lint takes; nil where there are no globs.
func (o *only) match() func(path string, ref image.Reference) bool {
	if len(o.images) == 0 && len(o.paths) == 0 {
		return nil
	}
	return func(path string, ref image.Reference) bool {
		return matchesAny(o.paths, pathNames(path)) && matchesAny(o.images, imageNames(ref))
	}
}

// pathNames are the ways to write a path: as it is printed, and from the
// working directory.
func pathNames(path string) []string {
	path = strings.TrimPrefix(path, "./")
	names := []string{path}
	if dir, err := os.Getwd(); err == nil && filepath.IsAbs(filepath.FromSlash(path)) {
		if rel, err := filepath.Rel(dir, filepath.FromSlash(path)); err == nil {
			names = append(names, filepath.ToSlash(rel))
		}
	}
	return names
}

// imageNames are the ways to write an image: short and in full, without the
// tag and with it.
func imageNames(ref image.Reference) []string {
	if ref.Repository == "" {
		return nil
	}
	names := []string{ref.Written(), ref.Name()}
	if ref.Tag != "" {
		names = append(names, ref.Written()+":"+ref.Tag, ref.Name()+":"+ref.Tag)
	}
	return names
}

// matchesAny reports whether a glob matches a name; no globs match everything.
func matchesAny(globs, names []string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return doublestar.MatchUnvalidated(glob, name) })
	})
}

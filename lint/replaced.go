package lint

import (
	"path"
	"slices"

	"github.com/digestlint/digestlint/parsers"
)

// Replaced knows in which files kustomizations of the tree give a name another
// image: such a name is judged, and pinned, at the kustomization. One overlay
// that does so is enough, although others may leave the name as it is.
type Replaced struct {
	overlays map[string]kustomization   // by folder
	names    map[string]map[string]bool // by file; canonical
}

type kustomization struct {
	*parsers.Overlay
	path string
}

// add takes in what the kustomization at a path says of other files.
func (r *Replaced) add(name string, o *parsers.Overlay) {
	if r.overlays == nil {
		r.overlays = map[string]kustomization{}
	}
	r.overlays[path.Dir(name)] = kustomization{o, name}
}

// finish follows the overlays to their files, once all are known.
func (r *Replaced) finish() {
	r.names = map[string]map[string]bool{}
	for _, o := range r.overlays {
		r.mark(o.Images, slices.Concat(o.Resources, o.Components), map[string]bool{o.path: true})
		for _, dir := range o.Components {
			r.component(dir, o.Resources, map[string]bool{})
		}
	}
}

// component marks what a component, which works on the resources of whoever
// includes it, replaces in them.
func (r *Replaced) component(dir string, resources []string, seen map[string]bool) {
	o, ok := r.overlays[dir]
	if !ok || seen[dir] {
		return
	}
	seen[dir] = true
	r.mark(o.Images, resources, map[string]bool{o.path: true})
	for _, inner := range o.Components {
		r.component(inner, resources, seen)
	}
}

// mark says of files, and of those that the kustomizations in folders put
// together, that names are replaced in them.
func (r *Replaced) mark(names, paths []string, seen map[string]bool) {
	if len(names) == 0 {
		return
	}
	for _, p := range paths {
		o, folder := r.overlays[p]
		if folder {
			p = o.path
		}
		if seen[p] {
			continue
		}
		seen[p] = true
		if r.names[p] == nil {
			r.names[p] = map[string]bool{}
		}
		for _, n := range names {
			r.names[p][n] = true
		}
		if folder {
			r.mark(names, slices.Concat(o.Resources, o.Components), seen)
		}
	}
}

// Has reports whether a kustomization gives the canonical name another image in
// the file.
func (r *Replaced) Has(file, name string) bool { return r.names[file][name] }

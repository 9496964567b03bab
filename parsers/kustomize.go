package parsers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// Kustomize reads kustomizations and components
// (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/): the
// images that they give to the manifests of their tree, and the manifests and
// patches that they hold as texts.
var Kustomize = register(Format{
	Name:    "kustomize",
	Title:   "Kustomization",
	Files:   "`kustomization.yaml`, `kustomization.yml`, `Kustomization`, and components.",
	Places:  "`images` with `newName`, `newTag` and `digest`, patches in the file, and values of `helmCharts`.",
	Comment: "#",
	Detect:  detectKustomize,
	Parse:   parseKustomize,
})

// kustomizeGroup is the API group of kustomizations and components. Flux' kind
// of that name, which applies them, has another.
const kustomizeGroup = "kustomize.config.k8s.io"

func detectKustomize(c *Candidate) Certainty {
	switch c.base {
	case "kustomization.yaml", "kustomization.yml", "Kustomization":
		if !bytes.Contains(c.Data, []byte("apiVersion")) || bytes.Contains(c.Data, []byte(kustomizeGroup)) || !slices.Contains(c.keys(), "apiVersion") {
			return Path
		}
	}
	if c.isYAML() && startsLine(c.Data, "apiVersion: "+kustomizeGroup) {
		return Likely
	}
	return No
}

// startsLine reports whether a line starts with the text.
func startsLine(data []byte, text string) bool {
	return bytes.HasPrefix(data, []byte(text)) || bytes.Contains(data, []byte("\n"+text))
}

func parseKustomize(p *Pass) {
	for _, d := range p.documents() {
		k := &kubernetes{pass: p, doc: d, walked: map[walkKey]bool{}}
		if isObject(d.root) && !strings.HasPrefix(str(get(d.root, "apiVersion")), kustomizeGroup) {
			k.top(d.root, 0)
			continue
		}
		if isMapping(d.root) {
			k.overlay(d.root)
		}
	}
}

// Overlay is what a kustomization says of other files.
type Overlay struct {
	// Resources are the files and folders that it puts together or patches,
	// Components those of its components; as [source.File.Path] has them.
	Resources, Components []string
	// Images are the names that it gives another name, tag or digest,
	// canonical as of [image.Reference.Name].
	Images []string
}

// overlay reads a kustomization.
func (k *kubernetes) overlay(n *node) {
	var o Overlay
	dir := path.Dir(k.pass.Text.File.Path)
	local := func(list *[]string, v *node) {
		if s := strings.TrimSpace(str(v)); s != "" && !strings.ContainsAny(s, "\n:") {
			*list = append(*list, path.Join(dir, s))
		}
	}
	patched := len(k.pass.out.Uses)
	for _, key := range []string{"resources", "bases", "crds", "patchesStrategicMerge", "generators", "transformers", "validators"} {
		for i, item := range items(get(n, key)) {
			local(&o.Resources, item)
			if strings.Contains(str(item), "\n") {
				k.manifests(item, key+pointerIndex(i))
			}
		}
	}
	for _, item := range items(get(n, "components")) {
		local(&o.Components, item)
	}
	for _, key := range []string{"patches", "patchesJson6902"} {
		for i, item := range items(get(n, key)) {
			local(&o.Resources, get(item, "path"))
			if patch := get(item, "patch"); isScalar(patch) && patch != nil {
				k.manifests(patch, key+pointerIndex(i)+".patch")
			} else if isScalar(item) { // an old way to name the file of a patch
				local(&o.Resources, item)
			}
		}
	}
	for i, chart := range items(get(n, "helmCharts")) {
		k.values(get(chart, "valuesInline"), "helmCharts"+pointerIndex(i)+".valuesInline")
	}
	patches := len(k.pass.out.Uses) - patched
	for _, key := range []string{"images", "imageTags"} {
		for i, item := range items(get(n, key)) {
			if k.kustomizeImage(item, key+pointerIndex(i)) {
				if ref, err := image.Parse(str(get(item, "name"))); err == nil {
					o.Images = append(o.Images, ref.Name())
				}
			}
		}
	}
	// Images are set behind all patches, those of the same file included.
	for i := range patches {
		u := &k.pass.out.Uses[patched+i]
		u.Replaced = len(u.Values) > 0 && !slices.ContainsFunc(u.Values, func(v image.Value) bool {
			return v.Err != nil || !slices.Contains(o.Images, v.Ref.Name())
		})
	}
	k.pass.out.Overlay = &o
}

// manifests reads a text that is manifests, merged into others or not, or the
// operations of a JSON patch.
func (k *kubernetes) manifests(n *node, pointer string) {
	t, _ := k.doc.content(n)
	if t == nil || k.nestedObjects(n, pointer) {
		return
	}
	k.pass.nested(t, pointer, func(q *Pass) {
		q.quiet = true
		for _, d := range q.documents(kubernetesWords...) {
			inner := &kubernetes{pass: q, doc: d, walked: map[walkKey]bool{}}
			inner.top(d.root, 0)
			if !isObject(d.root) {
				inner.walk(get(d.root, "spec"), "spec", "spec", 0)
			}
		}
	})
}

// kustomization reads the images of Flux' Kustomization
// (https://fluxcd.io/flux/components/kustomize/kustomizations/#images) and of
// kustomizations among other objects.
func (k *kubernetes) kustomization(n *node) {
	k.kustomizeImages(get(n, "images"), "images")
	k.kustomizeImages(at(n, "spec", "images"), "spec.images")
}

func (k *kubernetes) kustomizeImages(list *node, pointer string) {
	for i, item := range items(list) {
		k.kustomizeImage(item, pointer+pointerIndex(i))
	}
}

// kustomizeImage reads an entry of "images"
// (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/).
// It reports whether the entry changes anything.
func (k *kubernetes) kustomizeImage(item *node, pointer string) bool {
	name, key := get(item, "name"), ".name"
	if v := firstScalar(item, "newName"); v != nil {
		name, key = v, ".newName"
	}
	tag := firstScalar(item, "newTag")
	digest := get(item, "digest")
	if tag == nil && str(digest) == "" && key == ".name" {
		return false
	}
	k.report(splitImage{name: name, tag: tag, digest: digest, untagged: "the tag in the resources", owner: item, digestKey: "digest"}, pointer+key)
	return true
}

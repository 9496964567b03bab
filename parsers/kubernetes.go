package parsers

import (
	"bytes"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Kubernetes reads the objects of the Kubernetes API, in YAML streams, lists
// and JSON (https://kubernetes.io/docs/reference/kubernetes-api/), custom
// resources that have pods in them, and the JSON patches that change objects.
var Kubernetes = register(Format{
	Name:    "kubernetes",
	Title:   "Kubernetes manifest",
	Comment: "#",
	Detect:  detectKubernetes,
	Parse:   parseKubernetes,
})

func detectKubernetes(name string, data []byte) Certainty {
	if !isYAMLOrJSON(name) {
		return No
	}
	if bytes.Contains(data, []byte("apiVersion")) && bytes.Contains(data, []byte("kind")) {
		if dataExt(name) == ".json" {
			if jsonHasKey(data, "apiVersion") && jsonHasKey(data, "kind") {
				return Content
			}
			return No
		}
		keys := topKeys(data)
		if slices.Contains(keys, "apiVersion") && slices.Contains(keys, "kind") ||
			jsonHasKey(data, "apiVersion") && jsonHasKey(data, "kind") {
			return Content
		}
	}
	if containsAny(data, []string{"- op:", "- op :", `"op"`}) && containsAny(data, []string{"path: /", `path: "/`, `path: '/`, `"path"`}) {
		return Content
	}
	return No
}

// kubernetesWords are in every document that names an image.
var kubernetesWords = []string{"image", "Image", "IMAGE", "oci://", "docker"}

func parseKubernetes(p *Pass) {
	for _, d := range p.documents(kubernetesWords...) {
		k := &kubernetes{pass: p, doc: d}
		k.top(d.root, 0)
	}
}

// kubernetes is one document being read.
type kubernetes struct {
	pass *Pass
	doc  *document
	head string // "Deployment/web"
	// custom is set within objects that are not Kubernetes' own, where any
	// key may hold an image.
	custom bool
}

// top reads an object, a list of objects or a JSON patch.
func (k *kubernetes) top(n *node, depth int) {
	if depth > maxAliases {
		return
	}
	switch {
	case isSequence(n):
		for _, item := range items(n) {
			if get(item, "op") != nil {
				k.patch(item)
			} else {
				k.top(item, depth+1)
			}
		}
	case str(get(n, "kind")) == "" || get(n, "apiVersion") == nil:
	case isSequence(get(n, "items")) && strings.HasSuffix(str(get(n, "kind")), "List"):
		for _, item := range items(get(n, "items")) {
			k.top(item, depth+1)
		}
	default:
		k.object(n)
	}
}

// patch reads one operation of a JSON patch (RFC 6902). What it adds below
// ".../image" is an image, or an object with one.
func (k *kubernetes) patch(op *node) {
	path := str(get(op, "path"))
	value := get(op, "value")
	k.head, k.custom = "patch "+path, true
	if isScalar(value) {
		if strings.HasSuffix(path, "/image") {
			k.image(value, found{})
		}
		return
	}
	k.walk(value, "value", path[strings.LastIndexByte(path, '/')+1:], 0)
}

func (k *kubernetes) object(n *node) {
	kind, name := str(get(n, "kind")), str(at(n, "metadata", "name"))
	k.head = kind
	if name != "" {
		k.head += "/" + name
	}
	k.custom = !builtin(str(get(n, "apiVersion")))
	switch kind {
	case "CustomResourceDefinition", "APIService", "ConstraintTemplate":
		return // schemas and policies talk about images, they name none
	case "ConfigMap", "Secret":
		k.embedded(get(n, "data"), "data")
		k.embedded(get(n, "stringData"), "stringData")
		return
	}
	if resource, ok := customResources[kind]; ok && k.custom {
		resource(k, n)
	}
	for key, v := range pairs(n) {
		switch key.Value {
		case "apiVersion", "kind", "metadata", "status":
		default:
			if key.Value == "image" && isScalar(v) {
				if k.custom && k.plausible(v) {
					k.image(v, found{pointer: "image"})
				}
				continue
			}
			k.walk(v, key.Value, key.Value, 0)
		}
	}
}

// builtin reports whether an API group is Kubernetes' own.
func builtin(apiVersion string) bool {
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return apiVersion == "v1"
	}
	switch group {
	case "apps", "batch", "extensions", "policy", "autoscaling":
		return true
	}
	return strings.HasSuffix(group, ".k8s.io") && strings.Count(group, ".") == 2
}

// embedded reads manifests that are strings of a ConfigMap.
func (k *kubernetes) embedded(data *node, pointer string) {
	for key, v := range pairs(data) {
		if !isScalar(v) || !looksLikeManifest([]byte(str(v))) {
			continue
		}
		if t, _ := k.doc.content(v); t != nil {
			k.pass.nested(t, k.head+" "+pointer+"."+key.Value, parseKubernetes)
		}
	}
}

// walk searches below a key for containers, image volumes and, in custom
// resources, for whatever has the shape of a container.
func (k *kubernetes) walk(n *node, pointer, key string, depth int) {
	if depth > maxDepth {
		return
	}
	if isSequence(n) {
		for i, item := range items(n) {
			k.walk(item, pointer+pointerIndex(i), key, depth+1)
		}
		return
	}
	if !isMapping(n) {
		return
	}
	switch key {
	case "containers", "initContainers", "ephemeralContainers":
		k.container(n, pointer)
	case "openAPIV3Schema", "schema", "annotations", "labels", "matchLabels":
		return
	default:
		k.shape(n, pointer, key)
	}
	for name, v := range pairs(n) {
		if isMerge(name) || isScalar(v) {
			continue
		}
		k.walk(v, pointer+"."+name.Value, name.Value, depth+1)
	}
}

// container reads a container of a pod
// (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container).
func (k *kubernetes) container(c *node, pointer string) {
	if n := get(c, "image"); n != nil {
		k.image(n, found{pointer: pointer + ".image"})
	}
	for i, v := range items(get(c, "env")) {
		if strings.Contains(strings.ToUpper(str(get(v, "name"))), "IMAGE") {
			k.mention(get(v, "value"), 0, pointer+".env"+pointerIndex(i)+".value")
		}
	}
	for _, key := range []string{"args", "command"} {
		list := get(c, key)
		if isSequence(list) {
			for i, a := range items(list) {
				flag, _, ok := strings.Cut(str(a), "=")
				if ok && strings.HasPrefix(flag, "-") && strings.Contains(flag, "image") {
					k.mention(a, len(flag)+1, pointer+"."+key+pointerIndex(i))
				}
			}
			q := *k.pass
			q.pointer = joinPointer(q.pointer, k.head+" "+pointer+"."+key)
			q.argv(k.doc, list)
		}
	}
}

// mention reports a text that is handed to a program and looks like an image:
// with a registry or a path, and with a tag or a digest.
func (k *kubernetes) mention(n *node, skip int, pointer string) {
	t, _ := k.doc.content(n)
	if t == nil || skip >= len(t.Data) {
		return
	}
	t = t.Slice(skip, len(t.Data))
	ref, err := image.Parse(t.String())
	if err != nil || ref.Tag == "" && ref.Digest == "" || !strings.Contains(ref.Written(), "/") || ref.Repository == "" || strings.HasPrefix(t.String(), "/") {
		return
	}
	k.pass.Use(found{text: t, pointer: joinPointer(k.head, pointer), confidence: image.Low})
}

// shape reads mappings that are no container of a pod but name an image: image
// volumes everywhere, other shapes in custom resources.
func (k *kubernetes) shape(n *node, pointer, key string) {
	v := get(n, "image")
	switch {
	case v == nil:
	case key == "volumes" && isMapping(v):
		if ref := get(v, "reference"); isScalar(ref) {
			k.image(ref, found{pointer: pointer + ".image.reference"})
		}
	case k.custom && isScalar(v) && k.plausible(v):
		k.image(v, found{pointer: pointer + ".image"})
	}
}

// plausible reports whether the value of an "image" key can be an image: it is
// no picture, no page and no sentence.
func (k *kubernetes) plausible(n *node) bool {
	s := str(n)
	if s == "" || null(n) || strings.Contains(s, "://") && !strings.HasPrefix(s, "docker://") || strings.ContainsAny(s, " \t\n,;|") ||
		strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") {
		return false
	}
	return !isPicture(s) && s != "true" && s != "false"
}

// isPicture reports whether a text is plainly the file of a picture or a disk.
func isPicture(s string) bool {
	s, _, _ = strings.Cut(strings.ToLower(s), "?")
	for _, ext := range []string{".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico", ".bmp", ".tif", ".tiff", ".avif", ".iso", ".qcow2", ".img", ".vmdk", ".raw"} {
		if strings.HasSuffix(s, ext) {
			return true
		}
	}
	return false
}

func (k *kubernetes) image(n *node, f found) {
	if k.head != "" {
		f.pointer = strings.TrimSpace(k.head + " " + f.pointer)
	}
	k.pass.image(k.doc, n, k.pass.scanner(), k.pass.look, f)
}

// customResources read kinds whose images stand in keys of their own.
var customResources = map[string]func(*kubernetes, *node){
	"OCIRepository": (*kubernetes).ociRepository,
}

// ociRepository reads Flux's source of an OCI artifact: "url" with "ref.tag" or
// "ref.digest" (https://fluxcd.io/flux/components/source/ocirepositories/).
func (k *kubernetes) ociRepository(n *node) {
	url := at(n, "spec", "url")
	t, _ := k.doc.content(url)
	if t == nil || !bytes.HasPrefix(t.Data, []byte("oci://")) {
		return
	}
	name := literal(t.Slice(len("oci://"), len(t.Data)))
	value := name
	tag, digest := at(n, "spec", "ref", "tag"), at(n, "spec", "ref", "digest")
	if tt, _ := k.doc.content(tag); tt != nil {
		value = append(append(slices.Clip(value), joiner(t, ":")), literal(tt)...)
	}
	if dt, _ := k.doc.content(digest); dt != nil {
		value = append(append(slices.Clip(value), joiner(t, "@")), literal(dt)...)
	}
	k.pass.Use(found{text: t, values: []expr{value}, pointer: k.head + " spec.url"})
}

// joiner is a piece that no byte of the file stands for: what joins the keys
// of a split reference.
func joiner(t *source.Text, s string) piece {
	span, _ := t.Span(len(t.Data), len(t.Data))
	return piece{text: s, file: t.File, span: span}
}

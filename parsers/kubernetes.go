package parsers

import (
	"bytes"
	"path"
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
	Files:   "YAML and JSON with `apiVersion` and `kind`, and patches of such objects.",
	Places:  "`image` of containers and of image volumes at any depth, custom resources (Argo, Tekton, Knative, Flux, Crossplane and more), shell in commands, and images in `env` and `args`.",
	Comment: "#",
	Detect:  detectKubernetes,
	Parse:   parseKubernetes,
})

func detectKubernetes(c *Candidate) Certainty {
	if !c.isYAMLOrJSON() {
		return No
	}
	if c.ext != ".json" && has(c.keys(), "apiVersion") && has(c.keys(), "kind") {
		return Content
	}
	if bytes.Contains(c.Data, []byte("apiVersion")) && bytes.Contains(c.Data, []byte("kind")) {
		if jsonHasKey(c.Data, "apiVersion") && jsonHasKey(c.Data, "kind") {
			return Content
		}
		if c.ext == ".json" {
			return No
		}
	}
	if isPatch(c.Data) || bytes.Contains(c.Data, []byte("containers:")) && looksLikeFragment(c.keys(), c.Data) {
		return Content
	}
	return No
}

// isPatch reports whether a text looks like the operations of a JSON patch.
func isPatch(data []byte) bool {
	return containsAny(data, []string{"- op: ", "  op: ", `"op"`, "op : ", "{op: "}) && containsAny(data, []string{"path: /", `path: "/`, `path: '/`, `"path"`})
}

// kubernetesWords are in every document that names an image.
var kubernetesWords = []string{
	"image", "Image", "IMAGE", "oci://", "docker", "podman", "kubectl", "skopeo", "crane", "cosign",
	"package", "bundle", "args", "command", "@sha256:",
}

// mayNameImages is the filter in front of the parser. Definitions of custom
// resources are the largest documents of most trees, full of properties called
// image, and name none.
func mayNameImages(data []byte) bool {
	return containsAny(data, kubernetesWords) &&
		!bytes.Contains(data, []byte("\nkind: CustomResourceDefinition\n")) && !bytes.HasPrefix(data, []byte("kind: CustomResourceDefinition\n"))
}

func parseKubernetes(p *Pass) {
	for _, d := range p.documentsWhere(mayNameImages) {
		k := &kubernetes{pass: p, doc: d, walked: map[walkKey]bool{}}
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
	// group is the API group of the object.
	group string
	// scopes declare the parameters that can be read here, outermost first.
	scopes []scope
	walked map[walkKey]bool
}

// walkKey is an aliased node and the key that it was read under: once is
// enough, and keeps aliases of aliases linear.
type walkKey struct {
	n   *node
	key string
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
			} else if k.first(item, "") {
				k.top(item, depth+1)
			}
		}
	case isFragment(n):
		k.head = "Pod"
		k.walk(get(n, "spec"), "spec", "spec", 0)
	case !isObject(n):
	case isSequence(get(n, "items")) && strings.HasSuffix(str(get(n, "kind")), "List"):
		for _, item := range items(get(n, "items")) {
			if k.first(item, "") {
				k.top(item, depth+1)
			}
		}
	default:
		k.object(n)
	}
}

// isFragment reports whether n is the part of a pod, or of what makes pods, that
// a tool completes: "metadata" and "spec" without a kind, as in the files of a
// Jenkins agent or a patch.
func isFragment(n *node) bool {
	if get(n, "kind") != nil && get(n, "apiVersion") != nil {
		return false
	}
	return isSequence(at(n, "spec", "containers")) || isSequence(at(n, "spec", "template", "spec", "containers"))
}

// looksLikeFragment is isFragment for a text.
func looksLikeFragment(keys []string, data []byte) bool {
	return slices.Contains(keys, "spec") && bytes.Contains(data, []byte("containers:")) &&
		!slices.ContainsFunc(keys, func(k string) bool { return k != "spec" && k != "metadata" && k != "kind" && k != "apiVersion" })
}

// isObject reports whether n is an object of the Kubernetes API.
func isObject(n *node) bool { return str(get(n, "kind")) != "" && str(get(n, "apiVersion")) != "" }

// first reports whether n has not been read under this key over another alias.
func (k *kubernetes) first(n *node, key string) bool {
	target := follow(n)
	if target == n || target == nil {
		return target != nil
	}
	w := walkKey{target, key}
	if k.walked[w] {
		return false
	}
	k.walked[w] = true
	return true
}

// patch reads one operation of a JSON patch (RFC 6902). What it adds below
// ".../image" is an image, or an object with one.
func (k *kubernetes) patch(op *node) {
	switch str(get(op, "op")) {
	case "add", "replace":
	default:
		return // "test" and "remove" bring nothing in
	}
	where, value := str(get(op, "path")), get(op, "value")
	for _, key := range strings.Split(where, "/") {
		if key == "labels" || key == "annotations" || key == "matchLabels" || key == "metadata" {
			return
		}
	}
	k.head, k.custom, k.group = "patch "+where, true, ""
	key, list := patchKey(where)
	switch {
	case !isScalar(value):
		k.walk(value, "value", key, 0)
	case key == "image" && !list:
		if k.plausible(value) {
			k.image(value, found{})
		}
	case (key == "args" || key == "command") && list:
		k.argument(value, nil, "value")
	default:
		k.scalar(key, value, "value")
	}
}

// patchKey is the last key in a JSON pointer that is no index, and whether an
// index follows it.
func patchKey(pointer string) (key string, list bool) {
	parts := strings.Split(pointer, "/")
	for i := len(parts) - 1; i > 0; i-- {
		if p := parts[i]; p != "-" && strings.Trim(p, "0123456789") != "" {
			return p, i < len(parts)-1
		}
	}
	return "", false
}

func (k *kubernetes) object(n *node) {
	kind, name := str(get(n, "kind")), at(n, "metadata", "name")
	k.head = kind
	if t, _ := k.doc.content(name); t != nil && !k.templated(t) {
		k.head += "/" + t.String()
	}
	version := str(get(n, "apiVersion"))
	k.custom = !builtin(version, kind)
	k.group, _, _ = strings.Cut(version, "/")
	if namesNoImages(k.group, kind) {
		return
	}
	switch kind {
	case "ConfigMap", "Secret":
		if !k.custom {
			k.embedded(get(n, "data"), "data")
			k.embedded(get(n, "stringData"), "stringData")
			return
		}
	case "Template":
		if k.group == "v1" || k.group == "template.openshift.io" {
			k.template(n)
			return
		}
	}
	if k.custom {
		k.customResource(kind, n)
	}
	for key, v := range pairs(n) {
		switch key.Value {
		case "apiVersion", "kind", "metadata", "status":
		default:
			if isScalar(v) {
				if k.custom {
					k.scalar(key.Value, v, key.Value)
				}
				continue
			}
			k.walk(v, key.Value, key.Value, 0)
		}
	}
	if k.custom && isMapping(get(n, "image")) {
		k.shape(n, "", "")
	}
}

// builtin reports whether a kind of an API group is Kubernetes' own. OpenShift
// once had its kinds in "v1" too.
func builtin(apiVersion, kind string) bool {
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		switch kind {
		case "ImageStream", "ImageStreamTag", "BuildConfig", "Build", "DeploymentConfig":
			return false
		}
		return apiVersion == "v1"
	}
	switch strings.TrimSuffix(group, ".k8s.io") {
	case "apps", "batch", "extensions", "policy", "autoscaling", "admissionregistration", "apiextensions",
		"apiregistration", "authentication", "authorization", "rbac.authorization", "certificates", "coordination",
		"discovery", "events", "flowcontrol.apiserver", "internal.apiserver", "networking", "node", "resource",
		"scheduling", "storage", "storagemigration":
		return true
	}
	return false
}

// embedded reads the strings of a ConfigMap: manifests, shell scripts, and
// values that are nothing but an image. Configurations of other programs are
// theirs.
func (k *kubernetes) embedded(data *node, pointer string) {
	for key, v := range pairs(data) {
		at := pointer + "." + key.Value
		switch {
		case !isScalar(v) || k.nestedObjects(v, at):
		case isShellFile(key.Value, str(v)):
			k.script(v, at)
		case !strings.Contains(strings.TrimSpace(str(v)), "\n"):
			k.variable(key.Value, v, at)
		}
	}
}

// nestedObjects reads a string of manifests, of a JSON patch or of a pod's spec.
func (k *kubernetes) nestedObjects(n *node, pointer string) bool {
	if !isScalar(n) {
		return false
	}
	text := []byte(str(n))
	parse := parseKubernetes
	if isPodSpec(text) {
		parse = parsePodSpec
	} else if !looksLikeManifest(text) && !looksLikeJSONManifest(text) && !(strings.HasPrefix(strings.TrimSpace(str(n)), "-") && isPatch(text)) {
		return false
	}
	if t, _ := k.doc.content(n); t != nil {
		vars := k.templates()
		k.pass.nested(t, k.head+" "+pointer, func(q *Pass) { q.vars = vars; parse(q) })
	}
	return true
}

// isPodSpec reports whether a text is the spec of a pod without an object
// around it.
func isPodSpec(data []byte) bool {
	if !bytes.Contains(data, []byte("ontainers:")) || !bytes.Contains(data, []byte("image")) {
		return false
	}
	keys := topKeys(data)
	return (slices.Contains(keys, "containers") || slices.Contains(keys, "initContainers")) && !slices.Contains(keys, "kind")
}

func parsePodSpec(p *Pass) {
	for _, d := range p.documents("image") {
		k := &kubernetes{pass: p, doc: d, walked: map[walkKey]bool{}}
		for key, v := range pairs(d.root) {
			if !isScalar(v) {
				k.walk(v, key.Value, key.Value, 0)
			}
		}
	}
}

func looksLikeJSONManifest(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) > 0 && data[0] == '{' && jsonHasKey(data, "apiVersion") && jsonHasKey(data, "kind")
}

// isShellFile reports whether a file of that name and text is a shell script.
func isShellFile(name, text string) bool {
	if first, _, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "#!") {
		return isShellLine(first)
	}
	switch path.Ext(name) {
	case ".sh", ".bash":
		return true
	}
	return false
}

// isShellLine reports whether a "#!" line starts a shell.
func isShellLine(line string) bool {
	for _, f := range strings.Fields(strings.TrimPrefix(line, "#!")) {
		if f = path.Base(f); f != "env" && !strings.HasPrefix(f, "-") {
			return isShellProgram(f)
		}
	}
	return false
}

func isShellProgram(name string) bool {
	switch name {
	case "sh", "bash", "ash", "dash", "ksh", "zsh":
		return true
	}
	return false
}

// walk searches below a key for containers, image volumes and, in custom
// resources, for whatever names an image.
func (k *kubernetes) walk(n *node, pointer, key string, depth int) {
	if depth > maxDepth || !k.first(n, key) {
		return
	}
	if isSequence(n) {
		for i, item := range items(n) {
			if isScalar(item) {
				if k.custom {
					k.element(key, item, pointer+pointerIndex(i))
				}
				continue
			}
			k.walk(item, pointer+pointerIndex(i), key, depth+1)
		}
		return
	}
	if !isMapping(n) || k.neverImages(key) {
		return
	}
	if isObject(n) && (get(n, "spec") != nil || get(n, "metadata") != nil) {
		inner := *k
		inner.pass = k.within(pointer)
		inner.object(n)
		return
	}
	declared := len(k.scopes)
	k.declare(n)
	switch key {
	case "containers", "initContainers", "ephemeralContainers":
		k.container(n, pointer)
	default:
		k.shape(n, pointer, key)
	}
	for name, v := range pairs(n) {
		switch {
		case isMerge(name):
		case !isScalar(v):
			k.walk(v, pointer+"."+name.Value, name.Value, depth+1)
		case k.custom && name.Value != "image":
			k.scalar(name.Value, v, pointer+"."+name.Value)
		}
	}
	k.scopes = k.scopes[:declared]
}

// within is the pass for what stands at a pointer of this object.
func (k *kubernetes) within(pointer string) *Pass {
	q := *k.pass
	q.pointer = joinPointer(q.pointer, strings.TrimSpace(k.head+" "+pointer))
	return &q
}

// container reads a container of a pod
// (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container),
// or the step of a custom resource that runs as one.
func (k *kubernetes) container(c *node, pointer string) {
	// "auto" is where Istio puts its proxy
	// (https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/).
	if n := get(c, "image"); isScalar(n) && str(n) != "auto" && (!k.custom || k.plausible(n)) {
		k.image(n, found{pointer: pointer + ".image"})
	}
	for i, v := range items(get(c, "env")) {
		k.variable(str(get(v, "name")), get(v, "value"), pointer+".env"+pointerIndex(i)+".value")
	}
	command, args := get(c, "command"), get(c, "args")
	for _, key := range []string{"args", "command"} {
		var before *node
		for i, a := range items(get(c, key)) {
			k.argument(a, before, pointer+"."+key+pointerIndex(i))
			before = a
		}
	}
	if isSequence(command) {
		k.argv(pointer+".command", command, args)
	} else if isSequence(args) {
		k.argv(pointer+".args", args)
	}
	if k.custom {
		k.steps(c, command, pointer)
	}
}

// argv reads a command line in which the object's own variables stand.
func (k *kubernetes) argv(pointer string, lists ...*node) {
	q := k.within(pointer)
	q.vars = templating{scan: k.scan, look: k.look}
	q.argv(k.doc, lists...)
}

// variable reads the value of an environment variable that is named after an
// image: one, or several with or without keys; or a value that can be nothing
// else.
func (k *kubernetes) variable(name string, n *node, pointer string) {
	name = strings.ToUpper(name)
	if namesOutput(name) || !strings.Contains(name, "IMAGE") && !hosted(str(n)) {
		return
	}
	k.mentions(n, 0, pointer, strings.HasSuffix(name, "IMAGE") || strings.HasPrefix(name, "RELATED_IMAGE"))
}

// argument reads an argument "--image=REF", or one behind "--image".
func (k *kubernetes) argument(n, before *node, pointer string) {
	s := str(n)
	if flag, value, ok := strings.Cut(s, "="); ok && strings.HasPrefix(flag, "-") {
		named := strings.Contains(strings.ToLower(flag), "image")
		if !namesOutput(flag) && (named || hosted(value)) {
			k.mentions(n, len(flag)+1, pointer, strings.HasSuffix(flag, "image"))
		}
		return
	}
	flag := str(before)
	if strings.HasPrefix(flag, "-") && strings.Contains(flag, "image") && !strings.Contains(flag, "=") && !namesOutput(flag) && !strings.HasPrefix(s, "-") {
		k.mentions(n, 0, pointer, strings.HasSuffix(flag, "image"))
	}
}

// namesOutput reports whether a name is one for images that are made, not used.
func namesOutput(name string) bool {
	for _, w := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
		switch w {
		case "output", "dest", "destination", "destinations", "target", "push", "tag", "tags", "result", "results":
			return true
		}
	}
	return false
}

// hosted reports whether a text can hardly be anything but an image: a registry
// host with a dot, a path, and a tag that is no port or a digest.
func hosted(s string) bool {
	ref, err := image.Parse(s)
	return err == nil && strings.Contains(ref.Registry, ".") && ref.Repository != "" &&
		(ref.Digest != "" || ref.Tag != "" && strings.Trim(ref.Tag, "0123456789") != "")
}

// mentions reports the images in a text handed to a program: it is one, or a
// list of them, with or without "key=" before each.
func (k *kubernetes) mentions(n *node, skip int, pointer string, sure bool) {
	t, _ := k.doc.content(n)
	if t == nil || skip >= len(t.Data) || len(t.Data) > maxMention {
		return
	}
	if k.templated(t) {
		return
	}
	for at := skip; at < len(t.Data); {
		end := at + len(t.Data[at:])
		if i := bytes.IndexAny(t.Data[at:], " \t\r\n,;"); i >= 0 {
			end = at + i
		}
		item := t.Slice(at, end)
		if i := bytes.IndexByte(item.Data, '='); i >= 0 {
			item = item.Slice(i+1, len(item.Data))
		}
		k.mention(cutScheme(item), pointer, sure)
		at = end + 1
	}
}

// maxMention bounds in bytes the texts in which mentions are searched.
const maxMention = 16 << 10

// mention reports a text that is handed to a program and looks like an image:
// with a tag or a digest and, unless its name makes sure that it is one, with a
// registry or a path.
func (k *kubernetes) mention(t *source.Text, pointer string, sure bool) {
	if len(t.Data) == 0 {
		return
	}
	values := expand(t, k.scan, k.look)
	for _, e := range values {
		ref, err := image.Parse(strings.TrimSpace(e.text()))
		if err != nil || len(e.missing()) > 0 || ref.Tag == "" && ref.Digest == "" || ref.Repository == "" ||
			!sure && !strings.Contains(ref.Written(), "/") || image.Placeholder(e.text()) {
			return
		}
	}
	k.pass.Use(found{text: t, values: values, pointer: strings.TrimSpace(k.head + " " + pointer), confidence: image.Low})
}

// shape reads mappings that are no container of a pod but name an image: image
// volumes everywhere, other shapes in custom resources.
func (k *kubernetes) shape(n *node, pointer, key string) {
	v := get(n, "image")
	if key == "volumes" && isMapping(v) {
		if ref := get(v, "reference"); isScalar(ref) {
			k.image(ref, found{pointer: pointer + ".image.reference"})
		}
		return
	}
	if k.custom {
		k.customShape(n, v, pointer, key)
	}
}

// plausible reports whether the value of an "image" key can be an image: it is
// no picture, no page and no sentence.
func (k *kubernetes) plausible(n *node) bool {
	s := strings.TrimSpace(str(n))
	for _, scheme := range schemes {
		s = strings.TrimPrefix(s, scheme)
	}
	if s == "" || null(n) || strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") {
		return false
	}
	if strings.Contains(s, "{{") || strings.Contains(s, "$") {
		return !strings.Contains(s, "://")
	}
	if strings.Contains(s, "://") || strings.ContainsAny(s, " \t\n,;|*?!&^()") {
		return false
	}
	return !isPicture(s) && s != "true" && s != "false"
}

// isPicture reports whether a text is plainly the file of a picture or a disk.
func isPicture(s string) bool {
	s, _, _ = strings.Cut(strings.ToLower(s), "?")
	for _, ext := range []string{".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico", ".bmp", ".tif", ".tiff", ".avif", ".iso", ".qcow2", ".img", ".vmdk", ".raw", ".vhd", ".ova"} {
		if strings.HasSuffix(s, ext) {
			return true
		}
	}
	return false
}

func (k *kubernetes) image(n *node, f found) {
	if t, _ := k.doc.content(n); t != nil && (k.templated(t) || bytes.HasPrefix(t.Data, []byte("ko://"))) {
		return // ko builds what its import paths name
	}
	if k.head != "" {
		f.pointer = strings.TrimSpace(k.head + " " + f.pointer)
	}
	k.pass.image(k.doc, n, k.scan, k.look, f)
}

// templated reports whether a text holds "{{ … }}" that nothing here fills in:
// such text is no reference until the template has run.
func (k *kubernetes) templated(t *source.Text) bool {
	if len(t.Data) == 0 {
		return false
	}
	span, _ := t.Span(0, len(t.Data))
	open := []byte("{{")
	if bytes.Count(t.File.Slice(span), open) > bytes.Count(t.Data, open) {
		return true // masked, so that YAML could be read
	}
	for at := 0; ; {
		i := bytes.Index(t.Data[at:], open)
		if i < 0 {
			return false
		}
		i += at
		v, ok := k.scan(t.Data, at)
		if !ok || v.start > i {
			return true
		}
		at = v.end
	}
}

package parsers

import (
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
)

// HelmValues reads the values of Helm charts
// (https://helm.sh/docs/chart_template_guide/values_files/). What a value
// means is up to the templates that read it, and these are not run: images are
// told by the names of their keys and the shape of their texts.
var HelmValues = register(Format{
	Name:    "helmvalues",
	Title:   "Helm values",
	Files:   "YAML with `values` in its name, or in a folder of values.",
	Places:  "`repository`, `registry`, `tag`, `version` and `digest` under any key, `image: name:tag`, and other keys that name images.",
	Comment: "#",
	Detect:  detectHelmValues,
	Parse:   parseHelmValues,
})

func detectHelmValues(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	named := strings.Contains(c.name, "values")
	if !named && !inFolder(c.Path, "values") && !inFolder(c.Path, "helm-values") {
		return No
	}
	keys := c.keys()
	if slices.Contains(keys, "apiVersion") && slices.Contains(keys, "kind") {
		return No
	}
	if named {
		return Likely
	}
	if containsAny(c.Data, []string{"image:", "Image:", "repository:"}) {
		return Content
	}
	return No
}

// valuesWords are in every text of values that names an image.
var valuesWords = []string{"image", "Image", "IMAGE", "repository", "Repository", "repo:", "registry", "tag:", "apiVersion"}

func parseHelmValues(p *Pass) {
	for _, d := range p.documents(valuesWords...) {
		k := &kubernetes{pass: p, doc: d, walked: map[walkKey]bool{}}
		k.values(d.root, "")
	}
}

// chartValues are the values of a chart being read.
type chartValues struct {
	*kubernetes
	// registry is what "global" gives the images of all charts, nil if nothing.
	registry *node
	// outer is the registry at the top of the values, for names alone.
	outer *node
	// container is set within containers that go into a pod as they are.
	container bool
}

// values reads the values of a chart.
func (k *kubernetes) values(n *node, pointer string) {
	inner := *k
	inner.custom = true
	c := &chartValues{kubernetes: &inner, registry: firstScalar(get(n, "global"), "imageRegistry", "registry", "hub")}
	if get(n, "tag") == nil && get(n, "repository") == nil {
		c.outer = firstScalar(n, "registry", "imageRegistry")
	}
	c.read(n, pointer, "", 0)
}

// valuesText reads the values of a chart in a string.
func (k *kubernetes) valuesText(n *node, pointer string) {
	t, _ := k.doc.content(n)
	if t == nil {
		return
	}
	q := k.within(pointer)
	group := k.group
	q.nested(t, "", func(q *Pass) {
		for _, d := range q.documents(valuesWords...) {
			inner := &kubernetes{pass: q, doc: d, group: group, walked: map[walkKey]bool{}}
			inner.values(d.root, "values")
		}
	})
}

// read reads what stands under a key of the values.
func (c *chartValues) read(n *node, pointer, key string, depth int) {
	if depth > maxDepth || !c.first(n, key) || neverValues(key) {
		return
	}
	var before *node
	for i, item := range items(n) {
		switch at := pointer + pointerIndex(i); {
		case !isScalar(item):
			c.read(item, at, key, depth+1)
		case strings.HasPrefix(str(item), "--") || strings.HasPrefix(str(before), "--"):
			c.argument(item, before, at)
		default:
			c.text(key, item, at, true)
		}
		before = item
	}
	if !isMapping(n) {
		return
	}
	if isObject(n) {
		c.walk(n, pointer, key, depth)
		return
	}
	if outer := c.container; !outer && namesContainers(key) {
		c.container = true
		defer func() { c.container = outer }()
	}
	taken := c.images(n, pointer, key)
	for name, v := range pairs(n) {
		switch at := joinPointer(pointer, name.Value); {
		case isMerge(name) || taken[v]:
		case !isScalar(v):
			c.read(v, at, name.Value, depth+1)
		case namesImages(key):
			c.text(key, v, at, true)
		default:
			c.text(name.Value, v, at, false)
		}
	}
	c.environment(get(n, "env"), joinPointer(pointer, "env"))
}

// neverValues reports whether no image stands below a key: what it holds are
// words that other things are found by, or told of.
func neverValues(key string) bool {
	switch key {
	case "selectors", "matchLabels", "labels", "annotations", "openAPIV3Schema":
		return true
	}
	return false
}

// namesImages reports whether a key is one for several images.
func namesImages(key string) bool { return strings.HasSuffix(strings.ToLower(key), "images") }

// environment reads the variables of a container, a list or a map.
func (c *chartValues) environment(env *node, pointer string) {
	for i, v := range items(env) {
		c.variable(str(get(v, "name")), get(v, "value"), pointer+pointerIndex(i)+".value")
	}
	for name, v := range pairs(env) {
		if isScalar(v) {
			c.variable(name.Value, v, joinPointer(pointer, name.Value))
		}
	}
}

// text reads a text that is no part of an image in several keys; listed is set
// where the key stands for several of its kind.
func (c *chartValues) text(key string, n *node, pointer string, listed bool) {
	lower := strings.ToLower(key)
	switch {
	case key == "image" && !listed:
		if c.plausible(n) {
			c.image(n, found{pointer: pointer, site: c.untagged(n)})
		}
	case strings.Contains(str(n), "\n"):
		c.block(lower, n, pointer)
	case strings.HasSuffix(lower, "image"), strings.HasSuffix(lower, "imagename"), listed && namesImages(key):
		if c.single(lower, n) {
			c.image(n, found{pointer: pointer, site: c.untagged(n)})
		}
	default:
		c.scalar(key, n, pointer)
	}
}

// untagged is the site of a name without a tag, behind which the chart may
// write one; nil for all others.
func (c *chartValues) untagged(n *node) *image.Site {
	t, _ := c.doc.content(n)
	if t == nil || c.container {
		return nil
	}
	if ref, err := image.Parse(t.String()); err != nil || ref.Tag != "" || ref.Digest != "" {
		return nil
	}
	span, exact := t.Span(0, len(t.Data))
	site := &image.Site{File: t.File, Tail: span, Safety: image.Unsafe, Reason: "the chart may write a tag behind this name"}
	if !exact || n.Kind != yaml.ScalarNode || n.Anchor != "" {
		site.Safety = image.Refused
		site.Reason += "; write tag and digest by hand"
	}
	return site
}

// single reports whether a text under a key that ends in "image" is one: it
// has a tag, a digest or a path, and the key is not one for pictures and disks.
func (c *chartValues) single(key string, n *node) bool {
	if !c.plausible(n) || namesPicture(key) {
		return false
	}
	ref, err := image.Parse(strings.TrimPrefix(str(n), "docker://"))
	return err == nil && (ref.Digest != "" || ref.Tag != "" || strings.Contains(ref.Written(), "/"))
}

// namesPicture reports whether a key in lower case is one for pictures, for the
// images of machines or for images that are made.
func namesPicture(key string) bool {
	for _, suffix := range []string{"image", "name", "images"} {
		key = strings.TrimSuffix(key, suffix)
	}
	key = strings.Trim(key, "-_.")
	for _, word := range []string{
		"background", "banner", "cover", "hero", "icon", "logo", "preview", "thumbnail", "login", "splash",
		"os", "vm", "machine", "disk", "boot", "ami", "server", "push", "output", "target",
	} {
		if key == word || word != "os" && strings.HasSuffix(key, word) {
			return true
		}
	}
	return false
}

// namesContainers reports whether a key is one for containers that the chart
// puts into its pods.
func namesContainers(key string) bool {
	key = strings.ToLower(key)
	return strings.HasSuffix(key, "containers") || strings.HasSuffix(key, "sidecars")
}

// block reads a text of several lines: manifests, containers that the chart
// puts into its pods, or images as JSON.
func (c *chartValues) block(key string, n *node, pointer string) {
	if c.nestedObjects(n, pointer) || !strings.Contains(str(n), "image") {
		return
	}
	read := func(inner *kubernetes) { inner.walk(inner.doc.root, "", key, 0) }
	switch text := strings.TrimSpace(str(n)); {
	case strings.Contains(key, "container") || strings.Contains(key, "sidecar"):
		key = "containers"
	case strings.Contains(text, "ontainers:"):
	case namesImages(key) && (text[0] == '[' || text[0] == '{'):
		read = func(inner *kubernetes) { inner.values(inner.doc.root, "") }
	default:
		read = func(inner *kubernetes) { inner.configured(inner.doc.root, "", 0) }
	}
	t, _ := c.doc.content(n)
	if t == nil {
		return
	}
	c.within(pointer).nested(t, "", func(q *Pass) {
		q.quiet = true
		for _, d := range q.documents("image") {
			read(&kubernetes{pass: q, doc: d, walked: map[walkKey]bool{}})
		}
	})
}

// configured reads the configuration of another program: what it calls an image
// is one only with a path and a tag, and then no more than probably.
func (k *kubernetes) configured(n *node, pointer string, depth int) {
	if depth > maxDepth || !k.first(n, "") {
		return
	}
	for i, item := range items(n) {
		k.configured(item, pointer+pointerIndex(i), depth+1)
	}
	for name, v := range pairs(n) {
		at := joinPointer(pointer, name.Value)
		if !isScalar(v) {
			k.configured(v, at, depth+1)
			continue
		}
		if ref, err := image.Parse(str(v)); name.Value == "image" && err == nil && ref.Tag != "" && strings.Contains(ref.Written(), "/") && k.plausible(v) {
			k.image(v, found{pointer: at, confidence: image.Low})
		}
	}
}

// imageKeys are the names that charts give the parts of an image, the usual
// one first.
var (
	tagKeys      = []string{"tag", "imageTag", "image_tag"}
	digestKeys   = []string{"digest", "imageDigest"}
	bareKeys     = []string{"sha", "sha256"} // a digest without its algorithm
	registryKeys = []string{"registry", "imageRegistry", "hub"}
	defaultKeys  = []string{"defaultRegistry", "defaultImageRegistry"}
	pullKeys     = []string{"pullPolicy", "imagePullPolicy", "pullSecrets", "useDigest"}
	// podKeys stand beside the repository of something that runs.
	podKeys = []string{"resources", "replicaCount", "replicas", "nodeSelector", "tolerations", "affinity", "containerPort"}
)

// images reads the images of a mapping whose parts have keys of their own, and
// says which of its values are thereby read.
func (c *chartValues) images(n *node, pointer, key string) map[*node]bool {
	var taken map[*node]bool
	take := func(s splitImage, name string) {
		for _, part := range []*node{s.registry, s.path, s.name, s.tag, s.digest} {
			if part != nil && part != c.registry && part != c.outer {
				if taken == nil {
					taken = map[*node]bool{}
				}
				taken[part] = true
			}
		}
		c.report(s, joinPointer(pointer, name))
	}
	if s, name, ok := c.parts(n, key); ok {
		take(s, name)
	}
	for name, v := range pairs(n) {
		if taken[v] || !isScalar(v) {
			continue
		}
		if s, ok := c.prefixed(n, name.Value, v); ok {
			take(s, name.Value)
		}
	}
	return taken
}

// parts finds the image that the mapping under a key is; name is the key of
// the image's name.
func (c *chartValues) parts(n *node, key string) (s splitImage, name string, ok bool) {
	lower := strings.ToLower(key)
	named := strings.HasSuffix(lower, "image")
	s = splitImage{tag: firstScalar(n, tagKeys...), registry: c.registryOf(n), untagged: "the tag of the chart", owner: n}
	s.digest = c.digestOf(n)
	tagged := hasKey(n, tagKeys) || hasKey(n, digestKeys) || hasKey(n, bareKeys)
	shaped := tagged || hasKey(n, registryKeys) || hasKey(n, pullKeys)
	repository := firstScalar(n, "repository", "repo")
	if repository != nil && !c.isRepository(n, repository, lower) {
		repository = nil
	}
	inner, innerKey := firstScalar(n, "image"), "image"
	if inner == nil && named {
		inner, innerKey = firstScalar(n, "name", "imageName"), "name"
		if inner == nil {
			inner, innerKey = firstScalar(n, "url", "uri", "ref", "fullName"), "url"
			if inner != nil && !tagged && !c.single(lower, inner) {
				inner = nil
			}
		}
	}
	if inner != nil && !c.plausible(inner) {
		inner = nil
	}
	if s.tag == nil && (named || shaped || repository != nil && inner != nil) {
		s.tag = firstScalar(n, "version", "imageVersion")
	}
	switch {
	case repository != nil && inner != nil && joins(str(repository), str(inner)):
		s.path, s.name, name = repository, inner, innerKey
		return s, name, named || shaped || s.tag != nil
	case repository != nil:
		s.name, name = repository, "repository"
		return s, name, named || shaped && (tagged || !isHelm(lower)) || hasAny(n, podKeys)
	case inner == nil:
		inner, innerKey = firstScalar(n, "name"), "name"
		if inner == nil || !c.plausible(inner) {
			return s, "", false
		}
		s.name = inner
		return s, innerKey, hasKey(n, registryKeys[:1]) && hasKey(n, tagKeys)
	}
	s.name, name = inner, innerKey
	if strings.HasSuffix(str(inner), "@sha256") { // the "tag" is the hash
		return s, name, s.tag != nil
	}
	ref, err := image.Parse(str(inner))
	if err != nil {
		return s, "", false
	}
	switch {
	case ref.Tag != "" || ref.Digest != "":
		s.tag = nil
		return s, name, innerKey != "image" || hasKey(n, registryKeys) && s.registry != nil
	case innerKey == "image":
		return s, name, tagged || hasKey(n, []string{"repository"}) || hasKey(n, registryKeys) && s.registry != nil || named && s.tag != nil
	}
	if s.registry == nil && !strings.Contains(str(inner), "/") {
		s.registry = c.outer
	}
	return s, name, shaped || strings.Contains(str(inner), "/")
}

// joins reports whether a repository is only the path to the image of that
// name, and not all of it.
func joins(repository, name string) bool {
	ref, err := image.Parse(name)
	if err != nil || strings.Contains(ref.Registry, ".") && strings.HasPrefix(name, ref.Registry+"/") {
		return false
	}
	return path.Base(repository) != path.Base(ref.Repository)
}

// isRepository reports whether "repository" is that of an image: no chart, no
// source, no address.
func (c *chartValues) isRepository(n, repository *node, key string) bool {
	if !c.plausible(repository) && !strings.HasPrefix(str(repository), schemeOCI) {
		return false
	}
	s := str(repository)
	if strings.Contains(s, "@") && !strings.Contains(s, "@sha256") || strings.HasSuffix(s, ".git") ||
		strings.HasSuffix(s, ".repository") { // the path of another value
		return false
	}
	if strings.HasSuffix(key, "image") {
		return true
	}
	return !strings.HasPrefix(s, schemeOCI) && !hasKey(n, []string{"chart", "branch", "revision", "targetRevision", "ref", "groupId", "artifactId", "chartName", "commit"})
}

// isHelm reports whether a key is one for charts and sources.
func isHelm(key string) bool {
	for _, word := range []string{"chart", "helm", "git", "source", "maven", "backup", "restic"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// registryOf is the registry of an image in several keys, nil if none.
func (c *chartValues) registryOf(n *node) *node {
	own := firstScalar(n, registryKeys...)
	switch {
	case c.registry != nil && (own != nil || hasKey(n, registryKeys)):
		return c.registry // as charts say of it: it wins over each image's own
	case own != nil:
		return own
	}
	return firstScalar(n, defaultKeys...)
}

// digestOf is the digest of an image in several keys. A key for the bare hash
// counts only with a text: a whole digest must not be written there.
func (c *chartValues) digestOf(n *node) *node {
	for _, key := range digestKeys {
		if v := get(n, key); isScalar(v) {
			return v
		}
	}
	return firstScalar(n, bareKeys...)
}

func hasKey(n *node, keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool {
		v := get(n, key)
		return v != nil && isScalar(v)
	})
}

func hasAny(n *node, keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return get(n, key) != nil })
}

// prefixed finds the image whose parts are keys with one prefix:
// "webImageRepository" with "webImageTag", "webImage" with "webTag".
func (c *chartValues) prefixed(n *node, key string, name *node) (splitImage, bool) {
	prefix, sure, ok := imagePrefix(key)
	if !ok || str(name) == "" || null(name) || !c.plausible(name) || strings.HasSuffix(str(name), ".git") {
		return splitImage{}, false
	}
	ref, err := image.Parse(str(name))
	if err != nil || ref.Tag != "" || ref.Digest != "" {
		return splitImage{}, false
	}
	s := splitImage{name: name, untagged: "the tag of the chart", owner: n}
	known := false
	for _, suffix := range []string{"ImageTag", "imageTag", "Tag", "tag", "_image_tag", "image_tag", "_tag", "-tag", "ImageVersion", "_image_version"} {
		if v := get(n, prefix+suffix); isScalar(v) && v != nil {
			known = true
			if !null(v) && str(v) != "" {
				s.tag = v
			}
			break
		}
	}
	for _, suffix := range []string{"ImageDigest", "imageDigest", "Digest"} {
		if v := get(n, prefix+suffix); isScalar(v) && v != nil && s.digest == nil {
			s.digest, known = v, true
		}
	}
	for _, suffix := range []string{"ImageRegistry", "imageRegistry"} {
		if v := get(n, prefix+suffix); isScalar(v) && str(v) != "" && s.registry == nil {
			s.registry = v
		}
	}
	return s, known || sure
}

// imagePrefix is what stands before the part of a key that calls it the name
// of an image; sure is set where no other key is needed to believe it.
func imagePrefix(key string) (prefix string, sure, ok bool) {
	if key == "image" || key == "repository" || key == "name" || key == "repo" {
		return "", false, false
	}
	for _, suffix := range []string{"ImageRepository", "imageRepository", "image_repository", "ImageRepo", "imageRepo", "_image_repository", "_image_repo"} {
		if p, ok := strings.CutSuffix(key, suffix); ok {
			return p, true, true
		}
	}
	for _, suffix := range []string{"ImageName", "imageName", "image_name", "_image_name", "Image", "_image", "-image", "Repository", "_repository"} {
		if p, ok := strings.CutSuffix(key, suffix); ok {
			return p, false, true
		}
	}
	return "", false, false
}

package parsers

import (
	"bytes"
	"path"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// What custom resources have beside pods. In any of them an "image" key, a key
// that ends so and holds a tag, and a map of an image's parts are read as such;
// the tables below hold what that rule does not find, and where it is wrong.

// customResource reads a kind whose images stand in keys of their own.
func (k *kubernetes) customResource(kind string, n *node) {
	switch kind {
	case "OCIRepository":
		k.ociRepository(n)
	case "HelmRelease":
		k.helmRelease(n)
	case "HelmChart", "HelmChartConfig":
		k.helmChart(n)
	case "Kustomization", "Component":
		k.kustomization(n)
	case "ImageTagTransformer":
		k.kustomizeImage(get(n, "imageTag"), "imageTag")
	case "Provider", "Function", "Configuration":
		k.crossplanePackage(n)
	case "Alertmanager", "Prometheus", "PrometheusAgent", "ThanosRuler":
		k.prometheus(n)
	case "ImageSetConfiguration":
		k.imageSet(n)
	}
}

// namesNoImages reports whether what objects of a kind say about images is a
// schema, a policy or the image of a virtual machine.
func namesNoImages(group, kind string) bool {
	switch kind {
	case "CustomResourceDefinition", "CompositeResourceDefinition", "APIService", "ConstraintTemplate":
		return true
	case "ImageRepository", "ImagePolicy", "ImageUpdateAutomation", "ClusterImagePolicy",
		"ImageContentSourcePolicy", "ImageDigestMirrorSet", "ImageTagMirrorSet":
		return true // names to watch, to verify or to mirror, without a tag
	}
	switch group {
	case "constraints.gatekeeper.sh", "policies.kyverno.io", "policy.sigstore.dev", "machine.openshift.io",
		"machine.sapcloud.io", "metal3.io", "kpack.io/builders", "machine-controller-manager":
		return true
	case "infrastructure.cluster.x-k8s.io":
		return !strings.HasPrefix(kind, "Docker") && !strings.HasPrefix(kind, "Dev")
	}
	// Crossplane's and Config Connector's groups of virtual machines.
	first, _, _ := strings.Cut(group, ".")
	return first == "compute" || first == "ec2"
}

// neverImages reports whether nothing below a key is an image that is used:
// schemas and selectors everywhere, patterns in policies and in tests.
func (k *kubernetes) neverImages(key string) bool {
	switch key {
	case "openAPIV3Schema", "schema", "metadata", "annotations", "labels", "matchLabels":
		return true
	case "validate", "verifyImages", "preconditions", "match", "exclude", "assert", "error":
		return k.group == "kyverno.io" || strings.HasSuffix(k.group, ".kyverno.io")
	}
	return false
}

// customShape reads a mapping of a custom resource whose "image" is v.
func (k *kubernetes) customShape(n, v *node, pointer, key string) {
	switch {
	case isScalar(v) && k.plausible(v):
		if k.split(n, v, pointer) {
			break
		}
		if key == "output" || key == "push" {
			k.image(v, found{pointer: pointer + ".image", role: image.Output})
			break
		}
		k.container(n, pointer)
	case isMapping(v):
		k.imageMap(v, pointer+".image")
	default:
		if key == "step" || key == "steps" || key == "stepTemplate" || key == "sidecars" || key == "container" || key == "script" {
			k.container(n, pointer)
		}
	}
	switch key {
	case "helm":
		k.argoHelm(n, pointer)
	case "kustomize":
		k.argoKustomize(n, pointer)
	case "registry":
		if u := get(n, "url"); strings.HasPrefix(str(u), "docker://") { // KubeVirt's DataVolume
			k.image(u, found{pointer: pointer + ".url"})
		}
	}
	if str(get(n, "kind")) == "DockerImage" { // OpenShift's object references
		role := image.Pull
		if key == "to" {
			role = image.Output
		}
		if name := get(n, "name"); isScalar(name) && k.plausible(name) {
			k.image(name, found{pointer: pointer + ".name", role: role})
		}
	}
	k.parameterValue(n, pointer, key)
}

// scalar reads a key of a custom resource that is no "image" by itself: keys
// that end so, texts in another format, addresses.
func (k *kubernetes) scalar(key string, n *node, pointer string) {
	lower := strings.ToLower(key)
	switch {
	case key == "image":
		if k.plausible(n) {
			k.image(n, found{pointer: pointer})
		}
		return
	case key == "dockerfile" && strings.Contains(str(n), "\n"):
		if t, _ := k.doc.content(n); t != nil {
			k.pass.nested(t, k.head+" "+pointer, parseDockerfile)
		}
		return
	case key == "jenkinsfile" && strings.Contains(str(n), "\n"):
		if t, _ := k.doc.content(n); t != nil {
			k.pass.nested(t, k.head+" "+pointer, parseJenkinsfile)
		}
		return
	case key == "bundle" && k.tekton():
		k.image(n, found{pointer: pointer})
		return
	case strings.HasSuffix(lower, "image") || strings.HasSuffix(lower, "imagename"):
		k.element(key, n, pointer)
		return
	}
	if strings.Contains(str(n), "\n") {
		k.nestedObjects(n, pointer)
	}
}

// element reads a text under a key that is named after images, if it can be
// nothing else: it has a tag, a digest or a registry host.
func (k *kubernetes) element(key string, n *node, pointer string) {
	lower := strings.ToLower(key)
	if !strings.HasSuffix(lower, "image") && !strings.HasSuffix(lower, "images") && !strings.HasSuffix(lower, "imagename") {
		if strings.Contains(str(n), "\n") {
			k.nestedObjects(n, pointer)
		}
		return
	}
	if namesOutput(strings.TrimSuffix(lower, "image")) || !k.plausible(n) {
		return
	}
	if ref, err := image.Parse(strings.TrimPrefix(str(n), "docker://")); err == nil &&
		(ref.Digest != "" || ref.Tag != "" || strings.Contains(ref.Registry, ".")) {
		k.image(n, found{pointer: pointer})
	}
}

// steps reads the shell of a step that brings its own: Tekton's and Argo's
// "script", and that of tests.
func (k *kubernetes) steps(c, command *node, pointer string) {
	for _, key := range []string{"script", "source", "content"} {
		n := get(c, key)
		if !isScalar(n) || n == nil {
			continue
		}
		text := str(n)
		if strings.HasPrefix(text, "#!") {
			first, _, _ := strings.Cut(text, "\n")
			if !isShellLine(first) {
				continue
			}
		} else if program := firstItem(command); program != "" && !isShellProgram(path.Base(program)) {
			continue
		}
		k.script(n, pointer+"."+key)
	}
}

func firstItem(list *node) string {
	for _, n := range items(list) {
		return str(n)
	}
	return str(list)
}

// parameterValue reads the value that is handed to a task or a template under
// a name that ends in "image".
func (k *kubernetes) parameterValue(n *node, pointer, key string) {
	if key != "params" && key != "parameters" {
		return
	}
	name, value := strings.ToLower(str(get(n, "name"))), get(n, "value")
	if value == nil || !isScalar(value) {
		return
	}
	if name == "bundle" && k.tekton() {
		k.mentions(value, 0, pointer+".value", true)
		return
	}
	rest, ok := strings.CutSuffix(name, "image")
	if !ok {
		return
	}
	switch rest = strings.Trim(rest, "-_."); rest {
	case "", "app", "new", "my", "final", "docker", "container", "cache":
		return // the usual names for the image that is built
	}
	if !namesOutput(rest) {
		k.mentions(value, 0, pointer+".value", true)
	}
}

// split reads an image whose tag stands beside it, or whose registry does. It
// reports whether n has such keys.
func (k *kubernetes) split(n, name *node, pointer string) bool {
	ref, err := image.Parse(str(name))
	if err != nil || ref.Tag != "" || ref.Digest != "" {
		return false
	}
	tag := firstScalar(n, "tag", "imageTag", "version")
	repository := firstScalar(n, "repository", "registry")
	if repository == nil && firstScalar(n, "tag", "imageTag") == nil {
		return false // a "version" alone belongs to the thing, not its image
	}
	if tag == nil || repository != nil && strings.Contains(str(repository), "://") {
		return false
	}
	k.report(splitImage{registry: repository, name: name, tag: tag, digest: get(n, "digest"), untagged: "the tag", owner: n}, pointer+".image")
	return true
}

// firstScalar is the first of the keys that has a text.
func firstScalar(n *node, keys ...string) *node {
	for _, key := range keys {
		if v := get(n, key); isScalar(v) && !null(v) && str(v) != "" {
			return v
		}
	}
	return nil
}

// imageMap reads the parts of an image under one key: {registry, repository,
// tag, digest}, as charts and many custom resources have them. It reports
// whether n is one.
func (k *kubernetes) imageMap(n *node, pointer string) bool {
	name, key := get(n, "repository"), "repository"
	for _, other := range []string{"name", "image", "url"} {
		if isScalar(name) && str(name) != "" {
			break
		}
		name, key = get(n, other), other
	}
	if !isScalar(name) || !k.plausible(name) {
		return false
	}
	tag, digest := firstScalar(n, "tag", "version", "imageTag"), get(n, "digest")
	if digest == nil {
		digest = get(n, "sha")
	}
	if digest != nil && !isScalar(digest) {
		digest = nil
	}
	if key != "repository" && tag == nil && get(n, "registry") == nil && str(digest) == "" {
		return false // "image: {name: ubuntu}" may be a disk
	}
	k.report(splitImage{registry: get(n, "registry"), name: name, tag: tag, digest: digest, untagged: "the tag of the chart", owner: n}, pointer+"."+key)
	return true
}

func (k *kubernetes) report(s splitImage, pointer string) {
	for _, n := range []*node{s.registry, s.name, s.tag} {
		if t, _ := k.doc.content(n); t != nil && k.templated(t) {
			return
		}
	}
	k.pass.split(k.doc, s, k.scan, k.look, found{pointer: strings.TrimSpace(k.head + " " + pointer)})
}

// helmRelease reads Flux's "values"
// (https://fluxcd.io/flux/components/helm/helmreleases/#values).
func (k *kubernetes) helmRelease(n *node) {
	k.values(at(n, "spec", "values"), "spec.values")
	for i, r := range items(at(n, "spec", "postRenderers")) {
		pointer := "spec.postRenderers" + pointerIndex(i) + ".kustomize"
		k.kustomizeImages(at(r, "kustomize", "images"), pointer+".images")
	}
}

// helmChart reads the values of k3s' HelmChart
// (https://docs.k3s.io/helm#helmchart-field-definitions).
func (k *kubernetes) helmChart(n *node) {
	k.valuesText(at(n, "spec", "valuesContent"), "spec.valuesContent")
}

// argoHelm reads the Helm source of an Argo CD application
// (https://argo-cd.readthedocs.io/en/stable/user-guide/helm/).
func (k *kubernetes) argoHelm(n *node, pointer string) {
	if v := get(n, "values"); isScalar(v) {
		k.valuesText(v, pointer+".values")
	} else if k.group != argoGroup {
		k.values(v, pointer+".values")
	}
	k.values(get(n, "valuesObject"), pointer+".valuesObject")
}

// argoKustomize reads the images that an Argo CD application gives to a
// kustomization: "name=new:tag" or "name:tag"
// (https://argo-cd.readthedocs.io/en/stable/user-guide/kustomize/).
func (k *kubernetes) argoKustomize(n *node, pointer string) {
	for i, item := range items(get(n, "images")) {
		t, _ := k.doc.content(item)
		if t == nil || k.templated(t) {
			continue
		}
		if at := bytes.IndexByte(t.Data, '='); at >= 0 {
			t = t.Slice(at+1, len(t.Data))
		}
		k.pass.Use(found{text: t, values: expand(t, k.scan, k.look), pointer: k.head + " " + pointer + ".images" + pointerIndex(i)})
	}
}

// ociRepository reads Flux's source of an OCI artifact: "url" with "ref.tag" or
// "ref.digest" (https://fluxcd.io/flux/components/source/ocirepositories/).
// A digest wins over a range of versions, and that over a tag.
func (k *kubernetes) ociRepository(n *node) {
	url, ref := at(n, "spec", "url"), at(n, "spec", "ref")
	if !strings.HasPrefix(str(url), schemeOCI) {
		return
	}
	s := splitImage{name: url, digest: get(ref, "digest"), tag: get(ref, "tag"), digestKey: "digest", owner: ref}
	switch {
	case str(get(ref, "semver")) != "" && str(s.digest) == "":
		s.tag, s.untagged = nil, "ref.semver"
	case ref == nil:
		s.owner, s.parent = at(n, "spec"), "ref"
	}
	k.report(s, "spec.url")
}

// crossplanePackage reads the image of a package
// (https://docs.crossplane.io/latest/packages/providers/).
func (k *kubernetes) crossplanePackage(n *node) {
	if v := at(n, "spec", "package"); strings.HasSuffix(k.group, "crossplane.io") && isScalar(v) && k.plausible(v) {
		k.image(v, found{pointer: "spec.package"})
	}
}

// prometheus reads the former way to name an image: "baseImage" with "tag",
// "sha" or "version"
// (https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PrometheusSpec).
func (k *kubernetes) prometheus(n *node) {
	spec := get(n, "spec")
	base := firstScalar(spec, "baseImage")
	if base == nil || firstScalar(spec, "image") != nil {
		return
	}
	k.report(splitImage{name: base, tag: firstScalar(spec, "tag", "version"), digest: firstScalar(spec, "sha"), untagged: "the operator's version", owner: spec}, "spec.baseImage")
}

// imageSet reads what oc-mirror copies
// (https://docs.openshift.com/container-platform/latest/disconnected/mirroring/installing-mirroring-disconnected.html).
func (k *kubernetes) imageSet(n *node) {
	mirror := get(n, "mirror")
	for i, item := range items(get(mirror, "additionalImages")) {
		k.image(get(item, "name"), found{pointer: "mirror.additionalImages" + pointerIndex(i) + ".name"})
	}
	for i, item := range items(get(mirror, "operators")) {
		k.image(get(item, "catalog"), found{pointer: "mirror.operators" + pointerIndex(i) + ".catalog"})
	}
}

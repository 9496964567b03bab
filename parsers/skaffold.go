package parsers

import (
	"bytes"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// Skaffold reads the configurations of Skaffold, of every version of its schema
// (https://skaffold.dev/docs/references/yaml/). What it builds are outputs.
var Skaffold = register(Format{
	Name:    "skaffold",
	Title:   "Skaffold",
	Files:   "YAML whose `apiVersion` is Skaffold's.",
	Places:  "The images of builders, of tests and of actions, commands, and `artifacts`, which are outputs.",
	Comment: "#",
	Detect:  detectSkaffold,
	Parse:   parseSkaffold,
})

func detectSkaffold(c *Candidate) Certainty {
	if !c.isYAML() || !hasSkaffoldVersion(c.Data) {
		return No
	}
	if strings.HasPrefix(c.base, "skaffold") {
		return Path
	}
	return Likely
}

// hasSkaffoldVersion reports whether the "apiVersion" of a document is
// Skaffold's.
func hasSkaffoldVersion(data []byte) bool {
	for {
		i := bytes.Index(data, []byte("skaffold/v"))
		if i < 0 {
			return false
		}
		line := bytes.TrimPrefix(data[bytes.LastIndexByte(data[:i], '\n')+1:i], []byte("\xef\xbb\xbf"))
		if string(bytes.Trim(line, ": \t'\"{")) == "apiVersion" && line[0] != ' ' && line[0] != '\t' {
			return true
		}
		data = data[i+len("skaffold/v"):]
	}
}

// skaffold is one document being read.
type skaffold struct {
	pass *Pass
	doc  *document
}

func parseSkaffold(p *Pass) {
	for _, d := range p.documents() {
		s := &skaffold{pass: p, doc: d}
		s.pipeline(d.root, "")
		for i, profile := range items(get(d.root, "profiles")) {
			pointer := "profiles" + pointerIndex(i)
			if name := str(get(profile, "name")); name != "" {
				pointer = "profile " + name
			}
			s.pipeline(profile, pointer)
			for k, patch := range items(get(profile, "patches")) {
				s.patch(patch, joinPointer(pointer, "patches"+pointerIndex(k)))
			}
		}
	}
}

// pipeline reads what the top level and each profile have.
func (s *skaffold) pipeline(n *node, pointer string) {
	build := get(n, "build")
	for i, a := range items(get(build, "artifacts")) {
		s.artifact(a, joinPointer(pointer, "build.artifacts"+pointerIndex(i)))
	}
	s.images(get(build, "googleCloudBuild"), joinPointer(pointer, "build.googleCloudBuild"), cloudBuilders...)
	s.hooks(get(build, "hooks"), joinPointer(pointer, "build.hooks"))
	for i, t := range items(get(n, "test")) {
		s.test(t, joinPointer(pointer, "test"+pointerIndex(i)))
	}
	for key, deployer := range pairs(get(n, "deploy")) {
		s.deployer(deployer, joinPointer(pointer, "deploy."+key.Value))
	}
	for key, renderer := range pairs(get(n, "manifests")) {
		s.deployer(renderer, joinPointer(pointer, "manifests."+key.Value))
	}
	for i, v := range items(get(n, "verify")) {
		s.container(get(v, "container"), joinPointer(pointer, "verify"+pointerIndex(i)+".container"))
	}
	for i, action := range items(get(n, "customActions")) {
		for k, c := range items(get(action, "containers")) {
			s.container(c, joinPointer(pointer, "customActions"+pointerIndex(i)+".containers"+pointerIndex(k)))
		}
	}
}

// cloudBuilders are the keys of googleCloudBuild that name the images which run
// the builds.
var cloudBuilders = []string{"dockerImage", "kanikoImage", "mavenImage", "gradleImage", "packImage", "koImage", "bazelImage"}

// builders are, by builder, its keys that name images to pull.
var builders = []struct {
	name string
	keys []string
}{
	{"buildpacks", []string{"builder", "runImage"}},
	{"buildpack", []string{"builder", "runImage"}}, // up to v1beta17
	{"kaniko", []string{"image", "initImage"}},
	{"ko", []string{"fromImage"}},
	{"jib", []string{"fromImage"}},
}

func (s *skaffold) artifact(n *node, pointer string) {
	s.image(get(n, "image"), image.Output, pointer+".image")
	s.image(get(n, "imageName"), image.Output, pointer+".imageName") // v1alpha1
	for _, b := range builders {
		s.images(get(n, b.name), pointer+"."+b.name, b.keys...)
	}
	for i, uri := range items(at(n, "buildpacks", "buildpacks")) {
		if t, _ := s.doc.content(uri); t != nil && bytes.HasPrefix(t.Data, []byte("docker://")) {
			s.image(uri, image.Pull, pointer+".buildpacks.buildpacks"+pointerIndex(i))
		}
	}
	custom := get(n, "custom")
	s.pass.command(s.doc, get(custom, "buildCommand"), pointer+".custom.buildCommand")
	s.pass.command(s.doc, at(custom, "dependencies", "command"), pointer+".custom.dependencies.command")
	s.hooks(get(n, "hooks"), pointer+".hooks")
}

func (s *skaffold) test(n *node, pointer string) {
	s.image(get(n, "image"), image.Output, pointer+".image")
	for i, c := range items(get(n, "custom")) {
		s.pass.command(s.doc, get(c, "command"), pointer+".custom"+pointerIndex(i)+".command")
	}
}

// deployer reads a deployer or renderer; the kpt deployer once ran a function
// image.
func (s *skaffold) deployer(n *node, pointer string) {
	s.hooks(get(n, "hooks"), pointer+".hooks")
	for i, release := range items(get(n, "releases")) {
		s.hooks(get(release, "hooks"), pointer+".releases"+pointerIndex(i)+".hooks")
	}
	s.images(get(n, "fn"), pointer+".fn", "image")
}

// hooks reads the commands that run before and behind a phase, on the host or
// in a container of the cluster.
func (s *skaffold) hooks(n *node, pointer string) {
	for _, when := range []string{"before", "after"} {
		for i, hook := range items(get(n, when)) {
			place := pointer + "." + when + pointerIndex(i)
			for _, h := range []*node{hook, get(hook, "host"), get(hook, "container")} {
				s.pass.command(s.doc, get(h, "command"), place+".command")
			}
		}
	}
}

// container reads a container of a test or an action. It may run what the
// pipeline builds.
func (s *skaffold) container(n *node, pointer string) {
	s.image(get(n, "image"), image.Pull, pointer+".image")
	q := *s.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.argv(s.doc, get(n, "command"), get(n, "args"))
}

// patch reads one operation of a profile's JSON patch.
func (s *skaffold) patch(n *node, pointer string) {
	switch str(get(n, "op")) {
	case "", "add", "replace": // the default is "replace"
	default:
		return
	}
	value := get(n, "value")
	keys := strings.Split(strings.Trim(str(get(n, "path")), "/"), "/")
	last := keys[len(keys)-1]
	pointer += ".value"
	switch {
	case len(keys) < 3 || keys[0] != "build" && keys[0] != "test":
	case keys[0] == "test":
		if len(keys) == 3 && last == "image" {
			s.image(value, image.Output, pointer)
		}
	case keys[1] == "googleCloudBuild":
		s.oneOf(value, last, cloudBuilders, pointer)
	case keys[1] != "artifacts":
	case len(keys) == 3 && isMapping(value):
		s.artifact(value, pointer)
	case len(keys) == 4 && (last == "image" || last == "imageName"):
		s.image(value, image.Output, pointer)
	case len(keys) >= 4:
		for _, b := range builders {
			switch b.name {
			case last:
				s.images(value, pointer, b.keys...)
			case keys[len(keys)-2]:
				s.oneOf(value, last, b.keys, pointer)
			}
		}
	}
}

// oneOf reports the value of a key that is one of keys.
func (s *skaffold) oneOf(value *node, key string, keys []string, pointer string) {
	for _, k := range keys {
		if k == key {
			s.image(value, image.Pull, pointer)
		}
	}
}

// images reports the values of the keys of a mapping.
func (s *skaffold) images(n *node, pointer string, keys ...string) {
	for _, key := range keys {
		s.image(get(n, key), image.Pull, pointer+"."+key)
	}
}

func (s *skaffold) image(n *node, role image.Role, pointer string) {
	if isScalar(n) {
		s.pass.image(s.doc, n, noVariables, noLookup, found{role: role, pointer: pointer})
	}
}

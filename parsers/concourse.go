package parsers

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Concourse reads pipelines (https://concourse-ci.org/pipelines.html) and tasks
// (https://concourse-ci.org/tasks.html). An image stands there as the source of
// a resource: its name and its tag under keys of their own.
var Concourse = register(Format{
	Name:    "concourse",
	Title:   "Concourse",
	Files:   "YAML with the `plan` of jobs, or a task's `platform` and `run`.",
	Places:  "The repository and tag of `registry-image` and `docker-image` resources, `image_resource`, and what tasks run.",
	Comment: "#",
	Detect:  detectConcourse,
	Parse:   parseConcourse,
})

func detectConcourse(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	keys := c.keys()
	has := func(key string) bool { return slices.Contains(keys, key) }
	switch {
	case slices.ContainsFunc([]string{"apiVersion", "kind", "services", "AWSTemplateFormatVersion", "on", "trigger", "pool", "stages", "orbs", "workflows"}, has):
	case has("platform") && (has("run") || has("image_resource")):
		return Likely
	case has("jobs") && bytes.Contains(c.Data, []byte("plan:")) && containsAny(c.Data, []string{"get: ", "put: ", "task: "}):
		return Likely
	case has("image_resource"):
		return Content
	case (has("resources") || has("resource_types")) && containsAny(c.Data, []string{"type: registry-image", "type: docker-image"}):
		return Content
	}
	return No
}

// concourse is one pipeline or task being read.
type concourse struct {
	pass *Pass
	doc  *document
	// gets and puts are the resources that jobs fetch and write.
	gets, puts map[string]bool
	// types are those of the pipeline's own resource types that hold images.
	types map[string]bool
	seen  visited
}

func parseConcourse(p *Pass) {
	for _, d := range p.documents(append([]string{"repository"}, shellWords...)...) {
		c := &concourse{pass: p, doc: d, gets: map[string]bool{}, puts: map[string]bool{}, types: map[string]bool{}, seen: visited{}}
		c.walk("", d.root, 0)
		for _, t := range items(get(d.root, "resource_types")) {
			if source := str(at(t, "source", "repository")); strings.HasSuffix(source, "registry-image-resource") || strings.HasSuffix(source, "docker-image-resource") {
				c.types[str(get(t, "name"))] = true
			}
		}
		for _, key := range []string{"resource_types", "prototypes"} {
			for i, t := range items(get(d.root, key)) {
				c.resource(c.pointer(key, i, t), t, image.Pull, c.noPlace)
			}
		}
		for i, r := range items(get(d.root, "resources")) {
			role := image.Pull
			if name := str(get(r, "name")); c.puts[name] && !c.gets[name] {
				role = image.Output
			}
			c.resource(c.pointer("resources", i, r), r, role, c.versionPlace)
		}
	}
}

func (c *concourse) pointer(list string, i int, n *node) string {
	if name := str(get(n, "name")); name != "" {
		return joinPointer(list, name)
	}
	return list + pointerIndex(i)
}

// walk searches jobs for steps and tasks.
func (c *concourse) walk(pointer string, n *node, depth int) {
	if depth > maxDepth || !c.seen.first(n) {
		return
	}
	if isMapping(n) {
		c.step(n)
		if r := get(n, "image_resource"); r != nil {
			c.resource(pointer+joinDot(pointer)+"image_resource", r, image.Pull, c.taskPlace)
		}
		c.run(pointer, n)
	}
	for key, v := range pairs(n) {
		name := key.Value
		if name == "source" || name == "version" || name == "resource_types" || isScalar(v) {
			continue
		}
		c.walk(pointer+joinDot(pointer)+name, v, depth+1)
	}
	for i, item := range items(n) {
		inner := pointer + pointerIndex(i)
		for _, key := range []string{"name", "task"} {
			if name := str(get(item, key)); name != "" {
				inner = joinPointer(pointer, name)
			}
		}
		c.walk(inner, item, depth+1)
	}
}

// joinDot is what stands between a pointer and the key behind it.
func joinDot(pointer string) string {
	if pointer == "" {
		return ""
	}
	return "."
}

// step notes the resource of a "get" or "put" step.
func (c *concourse) step(n *node) {
	resource := str(get(n, "resource"))
	for key, set := range map[string]map[string]bool{"get": c.gets, "put": c.puts} {
		name := str(get(n, key))
		if name == "" {
			continue
		}
		if resource != "" {
			name = resource
		}
		set[name] = true
	}
}

// resource reports the image of a resource, if it is of a type that holds one
// (https://github.com/concourse/registry-image-resource).
func (c *concourse) resource(pointer string, r *node, role image.Role, place func(r *node) *image.Site) {
	kind := str(get(r, "type"))
	// Pipelines call their own versions of these types "registry-image-ecr".
	if !strings.HasPrefix(kind, "registry-image") && !strings.HasPrefix(kind, "docker-image") && !c.types[kind] {
		return
	}
	src := get(r, "source")
	name := get(src, "repository")
	if !isScalar(name) {
		return
	}
	s := splitImage{
		name: name, tag: get(src, "tag"), digest: at(r, "version", "digest"), owner: r,
		place: func() *image.Site { return place(r) },
	}
	for _, key := range []string{"semver_constraint", "tag_regex", "variant"} {
		if get(src, key) != nil && s.tag == nil {
			s.untagged = key
		}
	}
	c.pass.split(c.doc, s, scanConcourse, noLookup, found{pointer: pointer + ".source.repository", role: role})
}

func (c *concourse) refused(r *node, reason string) *image.Site {
	site := &image.Site{File: c.doc.text.File, Tail: c.doc.span(), Safety: image.Refused, Reason: reason}
	if t, _ := c.doc.content(at(r, "source", "repository")); t != nil {
		site.Tail, _ = t.Span(0, len(t.Data))
	}
	return site
}

// noPlace is for resource types, which can't be held at a version.
func (c *concourse) noPlace(r *node) *image.Site {
	return c.refused(r, "a resource type has no key for a digest; use a tag that does not move")
}

// taskPlace puts the digest into the "version" of an image resource
// (https://concourse-ci.org/tasks.html#schema.anonymous_resource.version).
func (c *concourse) taskPlace(r *node) *image.Site {
	if get(r, "version") == nil {
		if site := c.doc.newKey(r, get(r, "type"), "version", "digest"); site != nil {
			return site
		}
	}
	return c.refused(r, `the place for its digest can't be told here; write "version: {digest: …}" beside "source"`)
}

// versionPlace holds a resource at a digest
// (https://concourse-ci.org/resources.html#schema.resource.version).
func (c *concourse) versionPlace(r *node) *image.Site {
	if c.puts[str(get(r, "name"))] {
		return c.refused(r, "jobs of this pipeline write the resource; a fixed version would keep them from what they built")
	}
	site := c.taskPlace(r)
	if site.Safety == image.Safe {
		site.Safety, site.Reason = image.Unsafe, "new versions of a resource with a fixed version no longer start its jobs"
	}
	return site
}

// run reads what a task runs: a program with its arguments
// (https://concourse-ci.org/tasks.html#schema.command).
func (c *concourse) run(pointer string, task *node) {
	run := get(task, "run")
	program, args := get(run, "path"), get(run, "args")
	if !isScalar(program) {
		return
	}
	look := c.doc.environment(scanConcourse, get(task, "params"))
	pointer += joinDot(pointer) + "run"
	if base := str(program); isShellProgram(base[strings.LastIndexByte(base, '/')+1:]) {
		var texts []*source.Text
		script := false
		for _, a := range items(args) {
			switch s := str(a); {
			case strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "--") && strings.HasSuffix(s, "c"):
				script = true
			case script && len(texts) == 0 && !strings.HasPrefix(s, "-"):
				texts = c.doc.texts(a)
			}
		}
		c.pass.shellAt(pointer, texts, look, templating{scan: scanConcourse, look: noLookup})
		return
	}
	q := *c.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.vars = templating{scan: scanConcourse, look: noLookup}
	words := &node{Kind: yaml.SequenceNode, Content: []*node{program}}
	q.argv(c.doc, words, args)
}

// scanConcourse finds "((name))", which is not the shell's "$((sum))"
// (https://concourse-ci.org/vars.html).
func scanConcourse(data []byte, i int) (variable, bool) {
	for i < len(data) {
		k := bytes.Index(data[i:], []byte("(("))
		if k < 0 {
			return variable{}, false
		}
		start := i + k
		n := bytes.Index(data[start:min(len(data), start+maxVariable)], []byte("))"))
		if n < 0 {
			i = start + 2
			continue
		}
		v := variable{start: start, end: start + n + 2}
		v.nameStart, v.nameEnd = trimSpan(data, start+2, start+n)
		v.name = string(data[v.nameStart:v.nameEnd])
		if start > 0 && data[start-1] == '$' || v.name == "" || strings.ContainsAny(v.name, "\n=+<>*&|;$") {
			i = start + 2
			continue
		}
		return v, true
	}
	return variable{}, false
}

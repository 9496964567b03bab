package parsers

import (
	"slices"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// Cirrus reads the tasks of Cirrus CI (https://cirrus-ci.org/guide/writing-tasks/).
// Containers may stand at any depth, since "matrix" may; so may the same key,
// which is no error there.
var Cirrus = register(Format{
	Name:    "cirrus",
	Title:   "Cirrus CI",
	Files:   "`.cirrus.yml` and other YAML of that name, or in `.cirrus`.",
	Places:  "Containers at any depth, matrices included, `additional_containers`, `pipe` steps, and scripts.",
	Comment: "#",
	Detect:  detectCirrus,
	Parse:   parseCirrus,
})

func detectCirrus(c *Candidate) Certainty {
	base := c.lower
	if c.isYAML() && (strings.HasPrefix(base, ".cirrus") || c.name == "cirrus.yml" || inFolder(c.Path, ".cirrus")) &&
		containsAny(c.Data, []string{"task", "container", "script"}) {
		return Path
	}
	return No
}

// cirrus is one file being read.
type cirrus struct {
	pass *Pass
	doc  *document
	// images are found before they are reported: a template has the values
	// of every task that merges it.
	images []*cirrusImage
	byNode map[*node]*cirrusImage
	left   int // mappings that may still be read
}

type cirrusImage struct {
	node    *node
	pointer string
	scopes  []*cirrusScope
}

// cirrusScope is a mapping with what it sets, within the one around it.
type cirrusScope struct {
	outer *cirrusScope
	envs  []*node
	known map[string]*binding
}

// maxCirrus bounds the mappings that are read: anchors of anchors multiply.
const maxCirrus = 20_000

func parseCirrus(p *Pass) {
	for _, d := range p.documents(ciWords...) {
		c := &cirrus{pass: p, doc: d, byNode: map[*node]*cirrusImage{}, left: maxCirrus}
		c.mapping("", d.root, nil, 0)
		for _, im := range c.images {
			c.report(im)
		}
	}
}

// mapping reads a task or what stands in it.
func (c *cirrus) mapping(pointer string, n *node, outer *cirrusScope, depth int) {
	if c.left--; c.left < 0 || depth > maxDepth {
		return
	}
	scope := c.scope(n, outer)
	for key, v := range c.pairs(n) {
		c.value(joinPointer(pointer, key.Value), key.Value, v, scope, depth)
	}
}

// pairs yields what a mapping has, the same key several times, and what it
// merges and does not override.
func (c *cirrus) pairs(n *node) func(yield func(*node, *node) bool) {
	return func(yield func(*node, *node) bool) {
		own := map[string]bool{}
		for k, v := range pairs(n) {
			own[k.Value] = true
			if !isMerge(k) && !yield(k, v) {
				return
			}
		}
		for _, m := range sources(n) {
			for k, v := range pairs(m) {
				if !isMerge(k) && !own[k.Value] && !yield(k, v) {
					return
				}
			}
		}
	}
}

func (c *cirrus) value(pointer, key string, v *node, scope *cirrusScope, depth int) {
	switch {
	case key == "env" || key == "environment" || isMachine(key):
	case key == "script" || strings.HasSuffix(key, "_script"):
		c.script(pointer, v, scope)
	case isContainer(key):
		c.container(pointer, v, scope, depth)
	case isSequence(v):
		for i, item := range items(v) {
			switch {
			case !isMapping(item):
			case key == "additional_containers", key == "steps" && get(item, "image") != nil:
				c.container(pointer+pointerIndex(i), item, scope, depth)
			default:
				c.mapping(pointer+pointerIndex(i), item, scope, depth+1)
			}
		}
	case isMapping(v):
		c.mapping(pointer, v, scope, depth+1)
	}
}

// isContainer reports whether a key holds a container
// (https://cirrus-ci.org/guide/supported-computing-services/).
func isContainer(key string) bool {
	return key == "container" || strings.HasSuffix(key, "_container") || key == "azure_container_instance"
}

// isMachine reports whether a key holds a virtual machine, whose "image" is a
// disk. A "docker_builder" is none: it is a task with scripts of its own
// (https://cirrus-ci.org/guide/docker-builder-vm/).
func isMachine(key string) bool {
	return strings.HasSuffix(key, "_instance") && key != "azure_container_instance" || key == "tart"
}

func (c *cirrus) container(pointer string, n *node, scope *cirrusScope, depth int) {
	if c.left--; c.left < 0 || depth > maxDepth {
		return
	}
	scope = c.scope(n, scope)
	for key, v := range c.pairs(n) {
		if key.Value != "image" {
			continue
		}
		switch {
		case isScalar(v):
			c.image(pointer+".image", v, scope)
		case isMapping(v):
			for i, item := range items(get(v, "matrix")) {
				c.image(pointer+".image.matrix"+pointerIndex(i), item, scope)
			}
		}
	}
	if m := get(n, "matrix"); depth < maxDepth && m != nil {
		if isMapping(m) {
			c.container(pointer+".matrix", m, scope, depth+1)
		}
		for i, item := range items(m) {
			c.container(pointer+".matrix"+pointerIndex(i), item, scope, depth+1)
		}
	}
	for key, v := range c.pairs(n) {
		if key.Value != "matrix" && (key.Value == "script" || !isScalar(v)) {
			c.value(pointer+"."+key.Value, key.Value, v, scope, depth+1)
		}
	}
}

func (c *cirrus) image(pointer string, n *node, scope *cirrusScope) {
	if !isScalar(n) {
		return
	}
	im := c.byNode[n]
	if im == nil {
		im = &cirrusImage{node: n, pointer: pointer}
		c.byNode[n] = im
		c.images = append(c.images, im)
	}
	if len(im.scopes) < maxValues {
		im.scopes = append(im.scopes, scope)
	}
}

// report reports an image with the values of every task that it stands in.
func (c *cirrus) report(im *cirrusImage) {
	content, links := c.doc.content(im.node)
	if content == nil || len(im.scopes) == 1 {
		c.pass.image(c.doc, im.node, scanDollar, c.lookup(im.scopes[0]), found{pointer: im.pointer})
		return
	}
	f := found{text: content.Trim(), pointer: im.pointer}
	seen := map[string]bool{}
	for _, scope := range im.scopes {
		for _, e := range expand(f.text, scanDollar, c.lookup(scope)) {
			key := e.text() + "\x00" + strings.Join(e.missing(), " ")
			if seen[key] || len(f.values) == maxValues {
				continue
			}
			seen[key] = true
			for _, l := range links {
				e = through(l, e)
			}
			f.values = append(f.values, e)
		}
	}
	// A template that nothing fills in is a value for no task.
	if known := slices.DeleteFunc(slices.Clone(f.values), func(e expr) bool { return len(e.missing()) > 0 }); len(known) > 0 {
		f.values = known
	}
	c.pass.Use(f)
}

func (c *cirrus) script(pointer string, n *node, scope *cirrusScope) {
	texts := c.doc.texts(n)
	if slices.ContainsFunc(texts, func(t *source.Text) bool { return containsAny(t.Data, shellWords) }) {
		c.pass.shellAt(pointer, texts, c.lookup(scope), templating{})
	}
}

// scope is what a mapping sets itself: in "env", by the "matrix" of that, and
// by the "env" of the entries of its own "matrix".
func (c *cirrus) scope(n *node, outer *cirrusScope) *cirrusScope {
	s := &cirrusScope{outer: outer}
	add := func(env *node) {
		if m := get(env, "matrix"); m != nil {
			if isMapping(m) {
				s.envs = append(s.envs, m)
			}
			for _, item := range items(m) {
				s.envs = append(s.envs, item)
			}
		}
		if env != nil {
			s.envs = append(s.envs, env)
		}
	}
	for _, key := range []string{"env", "environment"} {
		add(get(n, key))
		for _, item := range items(get(n, "matrix")) {
			add(get(item, key))
		}
	}
	if len(s.envs) == 0 && outer != nil {
		return outer
	}
	return s
}

func (c *cirrus) lookup(scope *cirrusScope) lookup {
	return func(name string) *binding {
		for s := scope; s != nil; s = s.outer {
			if b := c.variable(s, name); b != nil {
				return b
			}
		}
		return nil
	}
}

// variable is the binding of a name that a scope sets, or nil.
func (c *cirrus) variable(s *cirrusScope, name string) *binding {
	if b, ok := s.known[name]; ok {
		return b
	}
	if s.known == nil {
		s.known = map[string]*binding{}
	}
	s.known[name] = nil
	var set []*binding
	for _, env := range s.envs {
		if b := c.doc.setting(env, name, classEnv, scanDollar, c.lookup(s)); b != nil && len(set) < maxValues {
			set = append(set, b)
		}
	}
	if len(set) == 0 {
		return nil
	}
	b := *set[0]
	var defs []source.Span
	for _, one := range set {
		defs = append(defs, one.def)
	}
	b.definedAt(defs)
	b.eval = func() []expr {
		var out []expr
		for _, one := range set {
			out = append(out, one.texts()...)
		}
		return out
	}
	s.known[name] = &b
	return &b
}

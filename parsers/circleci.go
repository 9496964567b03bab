package parsers

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// CircleCI reads configurations of CircleCI, orbs whether inline, packed or in
// the folders of their sources, and the circle.yml of version 1
// (https://circleci.com/docs/reference/configuration-reference/).
var CircleCI = register(Format{
	Name:    "circleci",
	Title:   "CircleCI",
	Files:   "`.circleci/config.yml` and its parts, `circle.yml`, orbs, packed or in the folders of their sources.",
	Places:  "`docker` lists of executors and jobs, with parameters followed, and `run` steps; `machine` images are virtual machines.",
	Comment: "#",
	Detect:  detectCircleCI,
	Parse:   parseCircleCI,
})

func detectCircleCI(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.name
	folder := inFolder(c.Path, ".circleci")
	if folder && strings.HasPrefix(base, "config.") || base == "circle.yml" {
		return Path
	}
	keys := c.keys()
	if has(keys, "apiVersion", "on", "runs", "pool", "stages", "services") ||
		!has(keys, "jobs", "workflows", "orbs", "executors", "commands", "docker", "steps", "aliases", "references", "usage") ||
		!containsAny(c.Data, []string{"docker:", "run:", "- run", "machine:"}) {
		return No
	}
	parts := has(keys, "jobs", "workflows", "orbs", "executors", "commands")
	switch {
	case folder && (parts || has(keys, "docker", "steps", "aliases", "references")):
		return Path
	case parts && (has(keys, "workflows", "orbs") || has(keys, "version") && bytes.Contains(c.Data, []byte("docker:"))) && !has(keys, "name", "pipelines"):
		return Content
	case parts && (base == "@orb.yml" || strings.Contains(base, "orb")):
		return Likely
	case hasFolder(c.Path, "executors") && has(keys, "docker"):
		return Likely
	case hasFolder(c.Path, "jobs") && has(keys, "steps") && has(keys, "docker", "executor", "machine"):
		return Likely
	case hasFolder(c.Path, "commands") && has(keys, "steps") && !has(keys, "name", "inputs") && bytes.Contains(c.Data, []byte("- run:")):
		return Likely
	case hasFolder(c.Path, "examples") && has(keys, "usage"):
		return Likely
	}
	return No
}

// circle is one configuration, orb or part of an orb being read.
type circle struct {
	pass *Pass
	doc  *document
	// pipeline are the parameters of the whole configuration.
	pipeline *node
	// parameters are those of the executor, job or command around the place,
	// which begins and ends at component.
	parameters *node
	component  source.Span
	// calls are the arguments with which the document uses the component.
	calls []*node
	// arguments are all calls of the document, by what they call.
	arguments map[string][]*node
	// envs are the environments around the place, outermost first.
	envs []*node
	seen visited // lists of steps
}

func parseCircleCI(p *Pass) {
	for _, d := range p.documents(ciWords...) {
		c := &circle{pass: p, doc: d, arguments: map[string][]*node{}, seen: visited{}}
		c.collect(d.root, 0)
		if usage := get(d.root, "usage"); isMapping(usage) {
			q := *p
			q.pointer = joinPointer(q.pointer, "usage")
			c.pass = &q
			c.config(usage, 0)
			continue
		}
		c.config(d.root, 0)
		if !has(mappingKeys(d.root), "jobs", "workflows", "executors", "commands", "orbs") {
			c.part("", d.root, d.span())
		}
		if get(d.root, "version") == nil && get(d.root, "jobs") == nil {
			c.versionOne(d.root)
		}
	}
}

// collect finds the arguments of jobs, commands and executors: "- NAME: {…}" in
// lists, and "executor: {name: NAME, …}".
func (c *circle) collect(n *node, depth int) {
	if n == nil || depth > maxDepth || n.Kind == yaml.AliasNode {
		return
	}
	for _, item := range items(n) {
		if isMapping(item) && len(follow(item).Content) == 2 {
			for name, arguments := range pairs(item) {
				c.arguments[name.Value] = append(c.arguments[name.Value], arguments)
			}
		}
		c.collect(item, depth+1)
	}
	for key, v := range pairs(n) {
		if key.Value == "executor" && isMapping(v) {
			name := str(get(v, "name"))
			c.arguments[name] = append(c.arguments[name], v)
		}
		c.collect(v, depth+1)
	}
}

// config reads a configuration, or an orb within one.
func (c *circle) config(root *node, depth int) {
	in := *c
	if depth == 0 {
		in.pipeline = get(root, "parameters")
	}
	for _, section := range []string{"executors", "jobs", "commands"} {
		in.parts(section, get(root, section))
	}
	for name, w := range pairs(get(root, "workflows")) {
		for i, job := range items(get(w, "jobs")) {
			for _, arguments := range pairs(job) {
				in.argumentSteps("workflows."+name.Value+".jobs"+pointerIndex(i), arguments)
			}
		}
	}
	for name, orb := range pairs(get(root, "orbs")) {
		if isMapping(orb) && depth < maxNesting {
			o := in
			q := *c.pass
			q.pointer = joinPointer(q.pointer, "orbs."+name.Value)
			o.pass = &q
			o.config(orb, depth+1)
		}
	}
	// Anchors stand where they like; what uses them has been read by now.
	for _, section := range []string{"aliases", "references"} {
		for i, n := range items(get(root, section)) {
			in.alias(section+pointerIndex(i), n)
		}
		for name, n := range pairs(get(root, section)) {
			in.alias(section+"."+name.Value, n)
		}
	}
}

func (c *circle) alias(pointer string, n *node) {
	if isMapping(n) {
		c.containers(pointer+".docker", get(n, "docker"))
		return
	}
	c.containers(pointer, n)
}

// parts reads executors, jobs or commands. Each ends where the next begins.
func (c *circle) parts(section string, n *node) {
	var names, bodies []*node
	for name, body := range entries(n) {
		names, bodies = append(names, name), append(bodies, body)
	}
	for i, name := range names {
		span := c.doc.span()
		span.Start = c.doc.text.At(c.doc.offset(name))
		if i+1 < len(names) && c.doc.offset(names[i+1]) > c.doc.offset(name) {
			span.End = c.doc.text.At(c.doc.offset(names[i+1]))
		}
		in := *c
		in.calls = c.arguments[name.Value]
		in.part(section+"."+name.Value, bodies[i], span)
	}
}

// part reads an executor, a job or a command.
func (c *circle) part(pointer string, n *node, span source.Span) {
	in := *c
	in.component, in.parameters = span, get(n, "parameters")
	in.envs = append(slices.Clip(c.envs), get(n, "environment"))
	in.containers(joinPointer(pointer, "docker"), get(n, "docker"))
	if first := at(n, "docker"); isSequence(first) && len(follow(first).Content) > 0 {
		in.envs = append(in.envs, get(follow(first).Content[0], "environment"))
	}
	if e := get(n, "executor"); isMapping(e) && get(e, "docker") != nil {
		in.containers(joinPointer(pointer, "executor.docker"), get(e, "docker"))
	}
	for name, parameter := range pairs(in.parameters) {
		if str(get(parameter, "type")) == "steps" {
			in.steps(joinPointer(pointer, "parameters."+name.Value+".default"), get(parameter, "default"), 0)
		}
	}
	in.steps(joinPointer(pointer, "steps"), get(n, "steps"), 0)
}

// containers reads a list of containers.
func (c *circle) containers(pointer string, n *node) {
	for i, container := range items(n) {
		if image := get(container, "image"); isScalar(image) {
			c.image(pointer+pointerIndex(i)+".image", image)
		}
		c.command(pointer+pointerIndex(i), get(container, "entrypoint"), get(container, "command"))
	}
}

func (c *circle) command(pointer string, entrypoint, command *node) {
	q := *c.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.vars = templating{scan: scanCircle, look: c.look}
	if isSequence(entrypoint) || isSequence(command) {
		var lists []*node
		for _, n := range []*node{entrypoint, command} {
			if isSequence(n) {
				lists = append(lists, n)
			}
		}
		q.argv(c.doc, lists...)
	}
	for _, n := range []*node{entrypoint, command} {
		if isScalar(n) {
			q.command(c.doc, n, "")
		}
	}
}

// image reads an image once with the defaults of the parameters, and once with
// the arguments of each call: those of different calls don't mix.
func (c *circle) image(pointer string, n *node) {
	f := found{pointer: pointer}
	t, links := c.doc.content(n)
	if t == nil || len(links) > 0 || len(c.calls) == 0 || !bytes.Contains(t.Data, []byte("<<")) {
		c.pass.image(c.doc, n, scanCircleText, c.look, f)
		return
	}
	f.text = t.Trim()
	var undecided []expr
	for i := range len(c.calls) + 1 {
		in := *c
		in.calls = c.calls[:0]
		if i > 0 {
			in.calls = c.calls[i-1 : i]
		}
		for _, e := range expand(f.text, scanCircleText, in.look) {
			switch {
			case len(e.missing()) > 0:
				undecided = append(undecided, e)
			case len(f.values) < maxValues && !slices.ContainsFunc(f.values, e.same):
				f.values = append(f.values, e)
			}
		}
	}
	if len(f.values) == 0 {
		f.values = undecided[:1]
	}
	c.pass.Use(f)
}

// same reports whether two texts are the same and end at the same place.
func (e expr) same(o expr) bool {
	return len(e) > 0 && len(o) > 0 && e.text() == o.text() && e[len(e)-1].span == o[len(o)-1].span
}

// steps reads a list of steps, and those that steps take as arguments.
func (c *circle) steps(pointer string, n *node, depth int) {
	if depth > maxDepth || !isSequence(n) || !c.seen.first(n) {
		return
	}
	for i, step := range items(n) {
		at := pointer + pointerIndex(i)
		if isSequence(step) {
			c.steps(at, step, depth+1)
		}
		for name, body := range entries(step) {
			switch name.Value {
			case "run":
				c.run(at+".run", body)
			case "when", "unless":
				c.steps(at+"."+name.Value+".steps", get(body, "steps"), depth+1)
			default:
				for key, argument := range pairs(body) {
					c.steps(at+"."+name.Value+"."+key.Value, argument, depth+1)
				}
			}
		}
	}
}

// argumentSteps reads the steps among the arguments of a job.
func (c *circle) argumentSteps(pointer string, arguments *node) {
	for key, v := range pairs(arguments) {
		switch key.Value {
		case "requires", "filters", "context", "matrix":
		case "docker":
			c.containers(pointer+".docker", v)
		default:
			c.steps(pointer+"."+key.Value, v, 0)
		}
	}
}

// run reads a "run" step: the script, or a mapping with "command".
func (c *circle) run(pointer string, n *node) {
	in := *c
	if isMapping(n) {
		in.envs = append(slices.Clip(c.envs), get(n, "environment"))
		if shell := str(get(n, "shell")); shell != "" && !strings.Contains(shell, "sh") && !strings.Contains(shell, "<<") {
			return
		}
		n, pointer = get(n, "command"), pointer+".command"
	}
	t, _ := c.doc.content(n)
	if t == nil || !isShellScript(t.Data) {
		return
	}
	in.pass.nested(t, pointer, func(q *Pass) { q.shell(in.env, templating{scan: scanCircle, look: in.look}) })
}

// env is what a script knows a name by.
func (c *circle) env(name string) *binding {
	for i := len(c.envs) - 1; i >= 0; i-- {
		outer := *c
		outer.envs = c.envs[:i]
		if b := c.doc.setting(c.envs[i], name, classEnv, scanCircleText, outer.anything); b != nil {
			return b
		}
	}
	return nil
}

func (c *circle) anything(name string) *binding {
	if b := c.look(name); b != nil {
		return b
	}
	return c.env(name)
}

// versionOne reads the shell of the sections of a circle.yml
// (https://circleci.com/docs/1.0/configuration/).
func (c *circle) versionOne(root *node) {
	for _, section := range []string{"machine", "checkout", "dependencies", "database", "compile", "test", "deployment"} {
		for key, v := range pairs(get(root, section)) {
			switch key.Value {
			case "pre", "override", "post":
				c.list(section+"."+key.Value, v)
			default: // a deployment by name
				c.list(section+"."+key.Value+".commands", get(v, "commands"))
			}
		}
	}
}

// list reads a list of commands, some with options: "- command: {timeout: 60}".
func (c *circle) list(pointer string, n *node) {
	for i, item := range items(n) {
		t, _ := c.doc.content(item)
		for key := range pairs(item) {
			t = c.doc.scalar(key)
		}
		if t != nil {
			c.pass.nested(t, pointer+pointerIndex(i), func(q *Pass) { q.shell(nil, templating{}) })
		}
	}
}

// Parameters (https://circleci.com/docs/guides/orchestrate/pipeline-variables/,
// https://circleci.com/docs/reference/reusing-config/).

// classCircle is a parameter: callers override all of its text.
var classCircle = &class{noun: "parameter", overridable: true}

// What a parameter is given, read through classCircle.
var (
	classCircleDefault = &class{noun: "parameter default", overridable: true}
	classCircleEnum    = &class{noun: "parameter default", overridable: true, safety: image.Refused,
		why: "the parameter is an enum, and each of its texts has to be one of the list"}
	classCircleArgument = &class{noun: "argument"}
	classCircleMatrix   = &class{noun: "matrix entry", safety: image.Unsafe,
		why: "CircleCI names jobs after their matrix entries"}
)

const (
	ownParameters      = "parameters."
	pipelineParameters = "pipeline.parameters."
)

// look gives the parameters: their defaults, and the arguments that the
// document itself gives for them.
func (c *circle) look(name string) *binding {
	outer := *c
	outer.parameters = nil
	if key, ok := strings.CutPrefix(name, pipelineParameters); ok {
		outer.pipeline = nil
		return outer.parameter(name, key, get(c.pipeline, key), c.doc.span(), nil)
	}
	if key, ok := strings.CutPrefix(name, ownParameters); ok {
		return outer.parameter(name, key, get(c.parameters, key), c.component, c.calls)
	}
	return nil
}

// parameter is the binding of the parameter n that is read in the region. What
// its texts name stands around it, which is what c knows.
func (c *circle) parameter(name, key string, n *node, region source.Span, calls []*node) *binding {
	if n == nil {
		return nil
	}
	enum := str(get(n, "type")) == "enum"
	var out []expr
	add := func(class *class, n *node) {
		if enum {
			class = classCircleEnum
		}
		for _, e := range c.doc.exprs(n, scanCircleText, c.look) {
			if len(e.missing()) == 0 {
				out = append(out, through(link{binding: &binding{name: key, class: class}, file: c.doc.text.File}, e))
			}
		}
	}
	b := &binding{name: name, class: classCircle, file: c.doc.text.File, region: region}
	b.eval = func() []expr {
		for _, call := range calls {
			add(classCircleArgument, get(call, key))
			for _, v := range items(at(call, "matrix", "parameters", key)) {
				add(classCircleMatrix, v)
			}
		}
		if len(out) == 0 || len(calls) > 1 {
			add(classCircleDefault, get(n, "default"))
		}
		return out[:min(len(out), maxValues)]
	}
	return b
}

// scanCircleText is scanCircle, and the variables of projects and contexts.
func scanCircleText(data []byte, i int) (variable, bool) {
	return firstOf(scanCircle, scanDollar)(data, i)
}

// scanCircle finds "<< name >>". Anything else between such marks is shell.
func scanCircle(data []byte, i int) (variable, bool) {
	for {
		k := bytes.Index(data[i:], []byte("<<"))
		if k < 0 {
			return variable{}, false
		}
		v := variable{start: i + k}
		i = v.start + 2
		at := i
		for at < len(data) && isBlank(data[at]) && data[at] != '\n' {
			at++
		}
		if at < len(data) && strings.IndexByte("#^/", data[at]) >= 0 {
			at++ // a section
		}
		v.nameStart = at
		for at < len(data) && (isNameByte(data[at]) || data[at] == '.' || data[at] == '-') {
			at++
		}
		v.nameEnd = at
		for at < len(data) && isBlank(data[at]) && data[at] != '\n' {
			at++
		}
		if v.nameEnd == v.nameStart || !bytes.HasPrefix(data[at:], []byte(">>")) || v.start > 0 && data[v.start-1] == '\\' {
			continue
		}
		v.end, v.name = at+2, string(data[v.nameStart:v.nameEnd])
		return v, true
	}
}

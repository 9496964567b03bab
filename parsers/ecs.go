package parsers

import (
	"bytes"
	"path"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/source"
)

// ECS reads task definitions of Amazon ECS in JSON
// (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html),
// and the lists of container definitions that Terraform has in files of their
// own.
var ECS = register(Format{
	Name:   "ecs",
	Title:  "ECS task definition",
	Files:  "JSON with `containerDefinitions`, `containerProperties`, or a list of such definitions.",
	Places: "`image` of each container.",
	Detect: detectECS,
	Parse:  parseECS,
})

func detectECS(c *Candidate) Certainty {
	if c.ext != ".json" && path.Ext(c.Path) != ".json" || !bytes.Contains(c.Data, []byte(`"image"`)) {
		return No
	}
	if jsonHasKey(c.Data, "AWSTemplateFormatVersion") || jsonHasKey(c.Data, "Resources") || jsonHasKey(c.Data, "apiVersion") {
		return No
	}
	switch {
	case jsonHasKey(c.Data, "containerDefinitions"):
		return Likely
	case jsonHasKey(c.Data, "containerProperties"):
		return Likely
	case !jsonHasKey(c.Data, "detail") && (jsonHasKey(c.Data, "portMappings") || jsonHasKey(c.Data, "logConfiguration") || jsonHasKey(c.Data, "essential")):
		return Content // the definitions alone
	}
	return No
}

func parseECS(p *Pass) {
	for _, text := range splitDocuments(p.Text) {
		d := &document{text: plainJSON(text.Masked(maskNumbers(text.Data)))}
		if err := d.parse(); err != nil {
			if p.depth == 0 && !containsAny(text.Data, []string{"{{", "${", "<%"}) {
				line, message := yamlError(err)
				p.Fail(d.lineOffset(line), "%s", message)
			}
			continue
		}
		e := ecs{p, d}
		if isSequence(d.root) {
			e.containers(d.root, "")
			continue
		}
		e.task(d.root, "", 0)
	}
}

// maxMaskedNumber bounds in bytes a template that stands for a number.
const maxMaskedNumber = 256

// maskNumbers is JSON in which templates outside of strings, such as
// "cpu": ${cpu}, are digits, byte for byte.
func maskNumbers(data []byte) []byte {
	if !containsAny(data, []string{"${", "{{", "<"}) {
		return data
	}
	out := bytes.Clone(data)
	quoted := false
	for i := 0; i < len(out); i++ {
		var closing string
		switch {
		case quoted && out[i] == '\\':
			i++
			continue
		case out[i] == '"':
			quoted = !quoted
			continue
		case quoted:
			continue
		case bytes.HasPrefix(out[i:], []byte("${")), bytes.HasPrefix(out[i:], []byte("%{")):
			closing = "}"
		case bytes.HasPrefix(out[i:], []byte("{{")):
			closing = "}}"
		case out[i] == '<':
			closing = ">"
		default:
			continue
		}
		rest, _, _ := bytes.Cut(out[i:min(len(out), i+maxMaskedNumber)], []byte{'\n'})
		n := bytes.Index(rest, []byte(closing))
		if n < 0 {
			continue
		}
		fill := byte('0')
		if out[i] == '%' {
			fill = ' '
		}
		for end := i + n + len(closing); i < end; i++ {
			out[i] = fill
		}
		i--
	}
	return out
}

// plainJSON is JSON as the library for YAML takes it: with blanks for tabs, and
// "/" for its escaped form.
func plainJSON(t *source.Text) *source.Text {
	if bytes.IndexByte(t.Data, '\t') >= 0 {
		t = t.Masked(bytes.ReplaceAll(t.Data, []byte{'\t'}, []byte{' '}))
	}
	if !bytes.Contains(t.Data, []byte(`\/`)) {
		return t
	}
	b := source.NewBuilder(t)
	start := 0
	for i := 0; i+1 < len(t.Data); i++ {
		if t.Data[i] != '\\' {
			continue
		}
		if t.Data[i+1] == '/' {
			b.Copy(start, i)
			b.Put("/", i, i+2)
			start = i + 2
		}
		i++
	}
	b.Copy(start, len(t.Data))
	return b.Text()
}

// ecs is one document with task definitions.
type ecs struct {
	pass *Pass
	doc  *document
}

// task reads an object with container definitions, at any depth: what the
// command line and the API return has the task definition within.
func (e ecs) task(n *node, pointer string, depth int) {
	if depth > maxDepth {
		return
	}
	if n == nil || n.Kind == yaml.AliasNode {
		return // JSON has none
	}
	for key, v := range pairs(n) {
		here := joinPointer(pointer, key.Value)
		switch {
		case key.Value == "containerDefinitions":
			e.containers(v, here)
		case key.Value == "containerProperties" || key.Value == "container":
			e.container(v, here)
		case isMapping(v):
			e.task(v, here, depth+1)
		case isSequence(v):
			for i, item := range items(v) {
				e.task(item, here+pointerIndex(i), depth+1)
			}
		}
	}
	if pointer == "" && get(n, "containerDefinitions") == nil && get(n, "image") != nil {
		e.container(n, "")
	}
}

func (e ecs) containers(n *node, pointer string) {
	if isMapping(n) {
		e.container(n, pointer)
	}
	for i, c := range items(n) {
		e.container(c, pointer+pointerIndex(i))
	}
}

func (e ecs) container(c *node, pointer string) {
	e.image(get(c, "image"), joinPointer(pointer, "image"))
}

func (e ecs) image(n *node, pointer string) {
	if !isScalar(n) {
		return
	}
	e.pass.image(e.doc, n, e.scan, e.pass.look, found{pointer: pointer})
}

// scan finds the variables of the tools that fill such files in: "${x}" of
// Terraform and envsubst, an outer format's before them.
func (e ecs) scan(data []byte, i int) (variable, bool) {
	if e.pass.vars.scan != nil {
		return firstOf(e.pass.vars.scan, scanDollar)(data, i)
	}
	return scanDollar(data, i)
}

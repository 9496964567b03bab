package parsers

import (
	"bytes"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Bake reads the files of docker buildx bake
// (https://docs.docker.com/build/bake/reference/), in HCL and in JSON.
var Bake = register(Format{
	Name:    "bake",
	Title:   "Docker Bake",
	Files:   "`docker-bake.hcl` and `.json`, other HCL with targets of bake, and JSON with `bake` in its name.",
	Places:  "`docker-image://` contexts, inline Dockerfiles, and `tags`, which are outputs; variables, functions and matrices are followed.",
	Comment: "#",
	Detect:  detectBake,
	Parse:   parseBake,
})

func detectBake(c *Candidate) Certainty {
	base := c.name
	ext := path.Ext(base)
	if ext != ".hcl" && ext != ".json" {
		return No
	}
	if strings.HasPrefix(base, "docker-bake.") {
		return Path
	}
	stem := strings.TrimSuffix(base, ext)
	switch {
	case ext == ".hcl" && bytes.Contains(c.Data, []byte("target \"")) && containsAny(c.Data, []string{"dockerfile", "context", "tags", "platforms", "inherits", "contexts"}) && !bytes.Contains(c.Data, []byte("job \"")):
		return Content
	case ext == ".json" && strings.Contains(stem, "bake") && jsonHasKey(c.Data, "target"):
		return Likely
	}
	return No
}

// classBake is a variable of a bake file; the environment may give it another
// value.
var classBake = &class{noun: "variable", overridable: true}

func parseBake(p *Pass) {
	if t := bytes.TrimLeft(p.Text.Data, spaces+"\xef\xbb\xbf"); bytes.HasPrefix(t, []byte("{")) {
		for _, d := range p.documents("target") {
			bakeJSON{p, d}.targets()
		}
		return
	}
	if !containsAny(p.Text.Data, []string{"tags", "docker-image://", "dockerfile-inline"}) {
		return
	}
	h := p.hcl()
	if h == nil {
		return
	}
	h.lookup = h.bakeName
	for _, block := range h.body.Blocks {
		if block.Type == "target" && len(block.Labels) > 0 {
			h.bakeTarget(block)
		}
	}
}

// bakeName is what a variable stands for: one of the target's matrix, else one
// of the file, which may be declared or be a plain attribute.
func (h *hclFile) bakeName(tr hcl.Traversal, scope *hclScope) *hclName {
	name := tr.RootName()
	if n := hclScoped(h.text.File, tr, scope); n != nil {
		return n
	}
	for _, block := range h.body.Blocks {
		if block.Type != "variable" || len(block.Labels) != 1 || block.Labels[0] != name {
			continue
		}
		if e := hclAttribute(block.Body, "default"); e != nil {
			return h.local(name, classBake, h, 1, block.LabelRanges[0], e)
		}
		return nil
	}
	if a := h.body.Attributes[name]; a != nil {
		return h.local(name, classBake, h, 1, a.NameRange, a.Expr)
	}
	return nil
}

func (h *hclFile) bakeTarget(block *hclsyntax.Block) {
	pointer := "target." + h.labels(block)[0]
	var scope *hclScope
	if matrix, ok := hclAttribute(block.Body, "matrix").(*hclsyntax.ObjectConsExpr); ok {
		for _, item := range matrix.Items {
			if key, ok := hclKey(item.KeyExpr); ok {
				scope = &hclScope{parent: scope, name: key, values: hclElements([]hclValue{{h, item.ValueExpr, nil}})}
			}
		}
	}
	if e := hclAttribute(block.Body, "tags"); e != nil {
		h.bakeTags(e, scope, pointer+".tags", 0)
	}
	if e := hclAttribute(block.Body, "contexts"); e != nil {
		h.objects(e, scope, pointer+".contexts", "", func(o *hclsyntax.ObjectConsExpr, scope *hclScope, pointer, _ string) bool {
			for _, item := range o.Items {
				key, _ := hclKey(item.KeyExpr)
				if bytes.HasPrefix(h.written(item.ValueExpr).Data, []byte("docker-image://")) {
					h.image(item.ValueExpr, scope, found{pointer: joinPointer(pointer, key)})
				}
			}
			return false
		})
	}
	if e := hclAttribute(block.Body, "dockerfile-inline"); e != nil {
		if t := h.decoded(e); t != nil {
			vars := h.templating(scope)
			h.pass.nested(t, pointer+".dockerfile-inline", func(q *Pass) { q.vars = vars; parseDockerfile(q) })
		}
	}
}

// bakeTags reports the strings within an expression that gives tags.
func (h *hclFile) bakeTags(e hclsyntax.Expression, scope *hclScope, pointer string, depth int) {
	if depth > maxHCL {
		return
	}
	switch e := hclUnwrapped(e).(type) {
	case *hclsyntax.TupleConsExpr:
		for i, x := range e.Exprs {
			h.bakeTags(x, scope, pointer+pointerIndex(i), depth+1)
		}
	case *hclsyntax.ConditionalExpr:
		h.bakeTags(e.TrueResult, scope, pointer, depth+1)
		h.bakeTags(e.FalseResult, scope, pointer, depth+1)
	case *hclsyntax.FunctionCallExpr:
		switch e.Name {
		case "concat", "flatten", "compact", "distinct", "notequal", "split":
			for _, a := range e.Args {
				if _, ok := hclUnwrapped(a).(*hclsyntax.TupleConsExpr); ok {
					h.bakeTags(a, scope, pointer, depth+1)
				}
			}
			return
		}
		h.image(e, scope, found{role: image.Output, pointer: pointer})
	case *hclsyntax.ForExpr:
		inner := &hclScope{parent: scope, name: e.ValVar, values: hclElements([]hclValue{{h, e.CollExpr, scope}})}
		h.bakeTags(e.ValExpr, inner, pointer, depth+1)
	default:
		if s, ok := hclConstant(e); ok && s == "" {
			return
		}
		h.image(e, scope, found{role: image.Output, pointer: pointer})
	}
}

// bakeJSON is a bake file in JSON. Its strings are templates of HCL.
type bakeJSON struct {
	pass *Pass
	doc  *document
}

func (b bakeJSON) targets() {
	for name, target := range pairs(get(b.doc.root, "target")) {
		pointer := "target." + name.Value
		for i, n := range items(get(target, "tags")) {
			b.pass.image(b.doc, n, scanDollar, b.look, found{role: image.Output, pointer: pointer + ".tags" + pointerIndex(i)})
		}
		for key, n := range pairs(get(target, "contexts")) {
			if strings.HasPrefix(str(n), "docker-image://") {
				b.pass.image(b.doc, n, scanDollar, b.look, found{pointer: pointer + ".contexts." + key.Value})
			}
		}
		if t, _ := b.doc.content(get(target, "dockerfile-inline")); t != nil {
			b.pass.nested(t, pointer+".dockerfile-inline", parseDockerfile)
		}
	}
}

// look is the default of a variable.
func (b bakeJSON) look(name string) *binding {
	t, _ := b.doc.content(at(b.doc.root, "variable", name, "default"))
	if t == nil {
		return nil
	}
	return &binding{name: name, class: classBake, file: t.File, region: source.Span{End: len(t.File.Data)},
		eval: func() []expr { return []expr{literal(t)} }}
}

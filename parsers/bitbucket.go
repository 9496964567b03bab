package parsers

import (
	"path"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// Bitbucket reads Bitbucket Pipelines
// (https://support.atlassian.com/bitbucket-cloud/docs/bitbucket-pipelines-configuration-reference/).
var Bitbucket = register(Format{
	Name:    "bitbucket",
	Title:   "Bitbucket Pipelines",
	Files:   "YAML with `bitbucket` in its name and `pipelines`, and what looks like that elsewhere.",
	Places:  "`image` of the pipeline, of steps and of services, `pipe: docker://…`, and scripts.",
	Comment: "#",
	Detect:  detectBitbucket,
	Parse:   parseBitbucket,
})

func detectBitbucket(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.name
	base = strings.TrimSuffix(base, path.Ext(base))
	named := strings.Contains(base, "bitbucket")
	keys := c.keys()
	if !has(keys, "pipelines", "definitions") || !keysWithin(keys, "image", "pipelines", "definitions", "options", "clone", "export", "labels", "triggers") && !named {
		return No
	}
	if named && has(keys, "pipelines") {
		return Path
	}
	if containsAny(c.Data, []string{"step:"}) {
		return Content
	}
	return No
}

type bitbucket struct {
	pass *Pass
	doc  *document
	seen visited
}

func parseBitbucket(p *Pass) {
	for _, d := range p.documents(append([]string{"pipe"}, ciWords...)...) {
		b := &bitbucket{pass: p, doc: d, seen: visited{}}
		b.image("image", get(d.root, "image"))
		b.steps("pipelines", get(d.root, "pipelines"), 0)
		definitions := get(d.root, "definitions")
		for name, s := range entries(get(definitions, "services")) {
			b.image("definitions.services."+name.Value+".image", get(s, "image"))
		}
		b.steps("definitions", definitions, 0)
	}
}

// image is a string, or a mapping with "name".
func (b *bitbucket) image(pointer string, n *node) {
	if isMapping(n) {
		n, pointer = get(n, "name"), pointer+".name"
	}
	if n != nil {
		b.pass.image(b.doc, n, scanDollar, noLookup, found{pointer: pointer})
	}
}

// steps reads the steps at any depth: they stand in branches, in parallel, in
// stages, and in anchors beside the services.
func (b *bitbucket) steps(pointer string, n *node, depth int) {
	if depth > maxDepth || !b.seen.first(n) {
		return
	}
	for i, item := range items(n) {
		b.steps(pointer+pointerIndex(i), item, depth+1)
	}
	if !isMapping(n) {
		return
	}
	if has(mappingKeys(n), "script", "after-script", "image") && !has(mappingKeys(n), "type") {
		b.step(pointer, n)
		return
	}
	for key, v := range entries(n) {
		if key.Value != "services" && key.Value != "caches" && key.Value != "variables" && key.Value != "image" {
			b.steps(joinPointer(pointer, key.Value), v, depth+1)
		}
	}
}

// mappingKeys are the keys of a mapping, merged ones included.
func mappingKeys(n *node) []string {
	var keys []string
	for k := range entries(n) {
		keys = append(keys, k.Value)
	}
	return keys
}

func (b *bitbucket) step(pointer string, n *node) {
	b.image(pointer+".image", get(n, "image"))
	for _, key := range []string{"script", "after-script"} {
		list := get(n, key)
		b.script(pointer+"."+key, list)
		for i, item := range items(list) {
			if pipe := get(item, "pipe"); strings.HasPrefix(str(pipe), "docker://") {
				b.pass.image(b.doc, pipe, scanDollar, noLookup, found{pointer: pointer + "." + key + pointerIndex(i) + ".pipe"})
			}
		}
	}
}

// script reads the commands of a step, which one shell runs.
func (b *bitbucket) script(pointer string, n *node) {
	var texts []*source.Text
	texts = append(texts, b.doc.texts(n)...)
	if len(texts) == 0 {
		return
	}
	q := *b.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.shells(texts, nil, templating{})
}

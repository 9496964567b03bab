package parsers

import (
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// execForm reads a JSON or YAML list of words as one command.
func (p *Pass) execForm() {
	if !containsAny(p.Text.Data, shellWords) {
		return
	}
	d := &document{text: p.Text}
	if d.parse() != nil || !isSequence(d.root) {
		return // a shell test such as "[ -f x ]"
	}
	p.argv(d, d.root)
}

// argv reads lists of scalars as the words of one command.
func (p *Pass) argv(d *document, lists ...*node) {
	var texts []*source.Text
	var words []word
	for _, list := range lists {
		for _, n := range items(list) {
			t, _ := d.content(n)
			if t == nil {
				return
			}
			texts = append(texts, t)
			words = append(words, word{text: t.String()})
		}
	}
	if len(words) == 0 {
		return
	}
	line := readCommand(words)
	for _, o := range line.operands {
		if o.end > len(words[o.word].text) || o.skip >= o.end {
			continue
		}
		t := texts[o.word].Slice(o.skip, o.end)
		f := found{text: t, role: o.role, digestOnly: o.digestOnly, pointer: commandName(words)}
		f.values = expand(t, p.scanner(), p.look)
		if o.low {
			f.confidence = image.Low
		}
		p.Use(f)
	}
	for _, i := range line.scripts {
		p.nested(texts[i], "", func(q *Pass) { q.shell(p.look, templating{}) })
	}
}

// command reads what a container runs: a list of words, or shell text.
func (p *Pass) command(d *document, n *node, pointer string) {
	switch {
	case isSequence(n):
		q := *p
		q.pointer = joinPointer(p.pointer, pointer)
		q.argv(d, n)
	case isScalar(n):
		if t, _ := d.content(n); t != nil {
			p.nested(t, pointer, func(q *Pass) { q.shell(p.look, templating{}) })
		}
	}
}

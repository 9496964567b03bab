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
	for _, list := range lists {
		for _, n := range items(list) {
			t, _ := d.content(n)
			if t == nil {
				return
			}
			texts = append(texts, t)
		}
	}
	p.words("", texts)
}

// words reads texts as the words of one command. The program may be one that no
// text names: the entry point of an image.
func (p *Pass) words(program string, texts []*source.Text) {
	var words []word
	if program != "" {
		words = append(words, word{text: program})
	}
	first := len(words)
	for _, t := range texts {
		words = append(words, word{text: t.String()})
	}
	if len(words) == 0 {
		return
	}
	line := readCommand(words)
	for _, o := range line.operands {
		if o.end > len(words[o.word].text) || o.skip >= o.end || o.word < first {
			continue
		}
		t := texts[o.word-first].Slice(o.skip, o.end)
		f := found{text: t, role: o.role, digestOnly: o.digestOnly, pointer: commandName(words)}
		f.values = expand(t, p.scanner(), p.look)
		if o.low {
			f.confidence = image.Low
		}
		p.Use(f)
	}
	for _, i := range line.scripts {
		if i >= first {
			p.nested(texts[i-first], "", func(q *Pass) { q.shell(p.look, templating{}) })
		}
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

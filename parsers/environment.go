package parsers

import (
	"slices"

	"github.com/digestlint/digestlint/source"
)

// environment looks names up in mappings of variables, or lists of them, of
// which the first that has a name decides. Each name has one binding, so that a
// text which reads it twice is known to.
func (d *document) environment(scan scanner, envs ...*node) lookup {
	known := map[string]*binding{}
	var look lookup
	look = func(name string) *binding {
		if b, ok := known[name]; ok {
			return b
		}
		if len(known) >= maxVariables {
			return nil
		}
		known[name] = nil
		for _, env := range envs {
			if b := d.setting(env, name, classEnv, scan, look); b != nil {
				known[name] = b
				return b
			}
		}
		return nil
	}
	return look
}

// shellAt reads texts that one shell runs, under a pointer.
func (p *Pass) shellAt(pointer string, texts []*source.Text, look lookup, outer templating) {
	if len(texts) == 0 {
		return
	}
	q := *p
	q.pointer = joinPointer(q.pointer, pointer)
	q.shells(texts, look, outer)
}

// definedAt tells a binding all the places that define its name, which are no
// readers.
func (b *binding) definedAt(defs []source.Span) {
	b.uses = func() []source.Span {
		return slices.DeleteFunc(mentions(b.file, b.region, b.name), func(s source.Span) bool {
			return slices.ContainsFunc(defs, s.Overlaps)
		})
	}
}

package parsers

import (
	"bytes"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// What CI formats share: scripts in lists, environments in several shapes, and
// the containers of Drone and the systems that descend from it.

// ciWords are what a CI file without images has none of.
var ciWords = append([]string{"image", "container"}, shellWords...)

// setting is the binding of a name in an environment: a mapping, or a list of
// mappings or of "NAME=value". It is nil where the name is not set there.
func (d *document) setting(n *node, name string, c *class, scan scanner, look lookup) *binding {
	if v := get(n, name); isScalar(v) {
		b := &binding{name: name, class: c, file: d.text.File, region: d.span(), def: d.keySpan(n, name)}
		b.eval = func() []expr { return d.exprs(v, scan, look) }
		return b
	}
	for _, item := range items(n) {
		if isMapping(item) {
			if b := d.setting(item, name, c, scan, look); b != nil {
				return b
			}
			continue
		}
		t, _ := d.content(item)
		if t == nil || !bytes.HasPrefix(t.Data, []byte(name+"=")) {
			continue
		}
		value := t.Slice(len(name)+1, len(t.Data))
		b := &binding{name: name, class: c, file: d.text.File, region: d.span()}
		b.def, _ = t.Span(0, len(name))
		b.eval = func() []expr { return expand(value, scan, look) }
		return b
	}
	return nil
}

// texts are those of a script: a string, or a list of strings or lists.
func (d *document) texts(n *node) []*source.Text {
	if isScalar(n) {
		if t, _ := d.content(n); t != nil {
			return []*source.Text{t}
		}
		return nil
	}
	return d.flat(n, visited{})
}

// flat are the strings of lists within lists, which anchors of scripts make.
func (d *document) flat(n *node, seen visited) []*source.Text {
	var out []*source.Text
	if !seen.first(n) {
		return nil
	}
	for _, item := range items(n) {
		if t, _ := d.content(item); t != nil {
			out = append(out, t)
		} else {
			out = append(out, d.flat(item, seen)...)
		}
	}
	return out
}

// visited are the lists and mappings that have been read: anchors bring them
// back, and anchors of anchors without end.
type visited map[*node]bool

// first reports whether n, which an alias may stand for, has not been read yet.
func (v visited) first(n *node) bool {
	n = follow(n)
	if n == nil || v[n] {
		return false
	}
	v[n] = true
	return true
}

// undouble is t with "$" for each "$$", with which a CI system leaves a
// variable to the shell.
func undouble(t *source.Text) *source.Text {
	if !bytes.Contains(t.Data, []byte("$$")) {
		return t
	}
	b := source.NewBuilder(t)
	at := 0
	for i := 0; i+1 < len(t.Data); i++ {
		if t.Data[i] == '$' && t.Data[i+1] == '$' {
			b.Copy(at, i)
			b.Put("$", i, i+2)
			i++
			at = i + 1
		}
	}
	b.Copy(at, len(t.Data))
	return b.Text()
}

// stepper reads the containers of Drone, Woodpecker or Vela.
type stepper struct {
	pass *Pass
	doc  *document
	// look gives what is substituted in the file before it is read.
	look lookup
	// envs are the environments around the place, outermost first.
	envs []*node
	// substitutes is set where the environment is substituted in the file.
	substitutes bool
}

// containers reads containers in a list or by name; a mapping that has an image
// itself is one.
func (s *stepper) containers(pointer string, n *node) {
	if isMapping(n) && isScalar(get(n, "image")) {
		s.container(pointer, n)
		return
	}
	for name, c := range entries(n) {
		if isMapping(c) {
			s.container(joinPointer(pointer, name.Value), c)
		}
	}
	for i, c := range items(n) {
		if name := str(get(c, "name")); name != "" {
			s.container(joinPointer(pointer, name), c)
		} else {
			s.container(pointer+pointerIndex(i), c)
		}
	}
}

func (s *stepper) container(pointer string, c *node) {
	in := *s
	in.envs = append(slices.Clip(s.envs), get(c, "environment"))
	look := in.look
	if s.substitutes {
		look = in.variable
	}
	if n := get(c, "image"); n != nil {
		s.pass.image(s.doc, n, scanStep, look, found{pointer: pointer + ".image"})
	}
	in.script(pointer+".commands", get(c, "commands"))
	// Plugins that run commands elsewhere call them "script".
	in.script(pointer+".script", get(c, "script"))
	in.script(pointer+".settings.script", at(c, "settings", "script"))
	in.script(pointer+".settings.commands", at(c, "settings", "commands"))
	in.script(pointer+".parameters.script", at(c, "parameters", "script"))
	in.command(pointer+".entrypoint", get(c, "entrypoint"), get(c, "command"))
}

// scanStep is scanDollar with the defaults "${NAME=word}" and "${NAME:=word}" of
// the library that substitutes in these formats
// (https://github.com/drone/envsubst).
func scanStep(data []byte, i int) (variable, bool) {
	v, ok := scanDollar(data, i)
	if ok {
		if k := strings.IndexByte(v.op, '='); k == 0 || k == 1 && v.op[0] == ':' {
			v.word = [2]int{v.nameEnd + k + 1, v.end - 1}
			v.op = v.op[:k] + "-"
		}
	}
	return v, ok
}

// script reads commands, which one shell runs.
func (s *stepper) script(pointer string, n *node) {
	var texts []*source.Text
	for _, t := range s.doc.texts(n) {
		texts = append(texts, undouble(t))
	}
	if len(texts) == 0 || !isShellScript(texts[0].Data) {
		return
	}
	q := *s.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.shells(texts, s.variable, templating{})
}

// command reads the words that a container runs instead of commands.
func (s *stepper) command(pointer string, lists ...*node) {
	q := *s.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.vars = templating{scan: scanDollar, look: s.variable}
	var words []*node
	for _, n := range lists {
		if isSequence(n) {
			words = append(words, n)
		} else if isScalar(n) {
			q.command(s.doc, n, "")
		}
	}
	q.argv(s.doc, words...)
}

// variable is what a step knows a name by: its environment, or what is
// substituted.
func (s *stepper) variable(name string) *binding {
	for i := len(s.envs) - 1; i >= 0; i-- {
		outer := *s
		outer.envs = s.envs[:i]
		if b := s.doc.setting(s.envs[i], name, classEnv, scanDollar, outer.variable); b != nil {
			return b
		}
	}
	if s.look != nil {
		return s.look(name)
	}
	return nil
}

// classMatrixEnv is a matrix entry that steps also get as a variable.
var classMatrixEnv = &class{noun: classMatrix.noun, safety: classEnv.safety, why: classEnv.why}

// matrixLookup gives the values of a matrix: lists by name, with "include" a
// list of combinations
// (https://woodpecker-ci.org/docs/usage/matrix-workflows).
func matrixLookup(d *document, matrix *node) lookup {
	return func(name string) *binding {
		values := make([]*node, 0, 8)
		var keys []source.Span
		add := func(n *node) {
			v := get(n, name)
			if v == nil {
				return
			}
			keys = append(keys, d.keySpan(n, name))
			if isScalar(v) {
				values = append(values, v)
			}
			for _, item := range items(v) {
				values = append(values, item)
			}
		}
		add(matrix)
		for _, combination := range items(get(matrix, "include")) {
			add(combination)
		}
		if len(values) == 0 {
			return nil
		}
		f, region := d.text.File, d.span()
		return &binding{name: name, class: classMatrixEnv, file: f, region: region,
			uses: func() []source.Span {
				return slices.DeleteFunc(mentions(f, region, name), func(s source.Span) bool {
					return slices.ContainsFunc(keys, s.Overlaps)
				})
			},
			eval: func() []expr {
				var out []expr
				for _, v := range values[:min(len(values), maxValues)] {
					out = append(out, d.exprs(v, noVariables, noLookup)...)
				}
				return out
			}}
	}
}

// hasFolder reports whether one of the folders is on the path.
func hasFolder(name string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return inFolder(name, f) })
}

// has reports whether one of the words is among the keys.
func has(keys []string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(keys, w) })
}

// within reports whether all keys are among the words; elements of lists at the
// start of a line and templates between them are no keys.
func keysWithin(keys []string, words ...string) bool {
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(k string) bool {
		return !slices.Contains(words, k) && !strings.HasPrefix(k, "-") && !strings.HasPrefix(k, "$")
	})
}

package parsers

import (
	"bytes"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// Travis reads the shell of Travis CI's configuration, which names images
// nowhere else (https://docs.travis-ci.com/user/job-lifecycle/).
var Travis = register(Format{
	Name:    "travis",
	Title:   "Travis CI",
	Files:   "`.travis.yml`.",
	Places:  "The scripts of all phases; `env` and the matrix are followed.",
	Comment: "#",
	Detect:  detectTravis,
	Parse:   parseTravis,
})

func detectTravis(c *Candidate) Certainty {
	if base := c.lower; c.isYAML() && (strings.HasPrefix(base, ".travis") || c.name == "travis.yml") {
		return Path
	}
	return No
}

// travisPhases are in the order in which one shell runs them.
var travisPhases = []string{
	"before_install", "install", "before_script", "script", "before_cache", "after_success", "after_failure",
	"before_deploy", "after_deploy", "after_script",
}

func parseTravis(p *Pass) {
	for _, d := range p.documents(shellWords...) {
		t := &travis{pass: p, doc: d}
		t.job("", d.root)
		for _, key := range []string{"jobs", "matrix"} {
			for i, job := range items(at(d.root, key, "include")) {
				t.job(key+".include"+pointerIndex(i), job)
			}
		}
	}
}

// travis is one file being read.
type travis struct {
	pass *Pass
	doc  *document
}

func (t *travis) job(pointer string, job *node) {
	look := t.environment(get(job, "env"), get(t.doc.root, "env"))
	var texts []*source.Text
	for _, phase := range travisPhases {
		texts = append(texts, t.doc.texts(get(job, phase))...)
	}
	t.pass.shellAt(pointer, texts, look, templating{})
	deploy := get(job, "deploy")
	t.deploy(joinPointer(pointer, "deploy"), deploy, look)
	for i, n := range items(deploy) {
		t.deploy(joinPointer(pointer, "deploy"+pointerIndex(i)), n, look)
	}
}

// deploy reads the script of a deployment that is one.
func (t *travis) deploy(pointer string, n *node, look lookup) {
	t.pass.shellAt(pointer, t.doc.texts(get(n, "script")), look, templating{})
}

// environment looks names up in what "env" holds: lines of assignments, one or
// a list, mappings, and both of them under "global", "jobs" or "matrix"
// (https://docs.travis-ci.com/user/environment-variables/). A list of lines is
// a matrix.
func (t *travis) environment(envs ...*node) lookup {
	known := map[string]*binding{}
	var look lookup
	look = func(name string) *binding {
		if b, ok := known[name]; ok {
			return b
		}
		known[name] = nil
		for _, env := range envs {
			b := &binding{name: name, class: classEnv, file: t.doc.text.File, region: t.doc.span()}
			var values []*source.Text
			var defs []source.Span
			for _, n := range []*node{env, get(env, "jobs"), get(env, "matrix"), get(env, "global")} {
				t.assigned(n, name, func(def source.Span, v *source.Text) {
					if len(values) < maxValues {
						values, defs = append(values, v), append(defs, def)
					}
				})
			}
			if len(values) == 0 {
				continue
			}
			b.definedAt(defs)
			b.eval = func() []expr {
				var out []expr
				for _, v := range values {
					out = append(out, expand(v, scanDollar, look)...)
				}
				return out
			}
			known[name] = b
			return b
		}
		return nil
	}
	return look
}

// assigned gives the values of a name in one "env", each with the place of the
// name.
func (t *travis) assigned(env *node, name string, give func(def source.Span, v *source.Text)) {
	each := func(n *node) {
		if isMapping(n) {
			if v, _ := t.doc.content(get(n, name)); v != nil {
				give(t.doc.keySpan(n, name), v)
			}
			return
		}
		line, _ := t.doc.content(n)
		if line == nil || !bytes.Contains(line.Data, []byte(name+"=")) {
			return
		}
		for _, w := range splitWords(line) {
			if bytes.HasPrefix(w.Data, []byte(name+"=")) {
				def, _ := w.Span(0, len(name))
				give(def, w.Slice(len(name)+1, len(w.Data)))
			}
		}
	}
	each(env)
	for _, item := range items(env) {
		each(item)
	}
}

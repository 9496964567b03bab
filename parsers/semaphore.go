package parsers

import (
	"slices"

	"github.com/digestlint/digestlint/source"
)

// Semaphore reads the pipelines of Semaphore
// (https://docs.semaphore.io/reference/pipeline-yaml). The "os_image" of an
// agent is a virtual machine.
var Semaphore = register(Format{
	Name:    "semaphore",
	Title:   "Semaphore",
	Files:   "YAML in `.semaphore`, and pipelines elsewhere, by their keys.",
	Places:  "`containers` of agents, and the commands of jobs.",
	Comment: "#",
	Detect:  detectSemaphore,
	Parse:   parseSemaphore,
})

func detectSemaphore(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	if inFolder(c.Path, ".semaphore") && containsAny(c.Data, []string{"blocks:", "containers:", "commands:"}) {
		return Path
	}
	if keys := c.keys(); slices.Contains(keys, "version") && slices.Contains(keys, "blocks") && slices.Contains(keys, "agent") {
		return Content
	}
	return No
}

// semaphore is one pipeline being read.
type semaphore struct {
	pass *Pass
	doc  *document
}

func parseSemaphore(p *Pass) {
	for _, d := range p.documents(ciWords...) {
		s := &semaphore{pass: p, doc: d}
		s.agent("agent", get(d.root, "agent"))
		blocks := get(d.root, "blocks")
		if blocks == nil {
			blocks = d.root // a part from which pipelines are put together
		}
		for i, block := range items(blocks) {
			pointer := "blocks" + pointerIndex(i)
			if name := str(get(block, "name")); name != "" {
				pointer = joinPointer("blocks", name)
			}
			s.task(pointer, get(block, "task"))
		}
		s.task("after_pipeline", at(d.root, "after_pipeline", "task"))
		if get(d.root, "blocks") == nil {
			s.around("global_job_config", get(d.root, "global_job_config"))
		}
	}
}

func (s *semaphore) agent(pointer string, agent *node) {
	for i, c := range items(get(agent, "containers")) {
		if n := get(c, "image"); n != nil {
			s.pass.image(s.doc, n, scanTemplate, noLookup, found{pointer: pointer + ".containers" + pointerIndex(i) + ".image"})
		}
	}
}

// task reads a block's jobs. One shell runs the prologues, the job and the
// epilogues.
func (s *semaphore) task(pointer string, task *node) {
	s.agent(joinPointer(pointer, "agent"), get(task, "agent"))
	global := get(s.doc.root, "global_job_config")
	before := slices.Concat(s.prologue(global), s.prologue(task))
	after := slices.Concat(s.epilogue(task), s.epilogue(global))
	for i, job := range items(get(task, "jobs")) {
		texts := slices.Concat(before, s.doc.texts(get(job, "commands")), after)
		look := s.environment(get(job, "matrix"), get(job, "env_vars"), get(task, "env_vars"), get(global, "env_vars"))
		name := str(get(job, "name"))
		if name == "" {
			name = "jobs" + pointerIndex(i)
		}
		s.pass.shellAt(joinPointer(pointer, name), texts, look, templating{scan: scanTemplate, look: noLookup})
	}
}

func (s *semaphore) prologue(n *node) []*source.Text {
	return s.doc.texts(at(n, "prologue", "commands"))
}

func (s *semaphore) epilogue(n *node) []*source.Text {
	var texts []*source.Text
	for _, when := range []string{"always", "on_pass", "on_fail"} {
		texts = append(texts, s.doc.texts(at(n, "epilogue", when, "commands"))...)
	}
	return texts
}

// around reads what runs before and after jobs that stand elsewhere.
func (s *semaphore) around(pointer string, n *node) {
	s.pass.shellAt(pointer, slices.Concat(s.prologue(n), s.epilogue(n)), s.environment(get(n, "env_vars")), templating{scan: scanTemplate, look: noLookup})
}

// environment looks names up in lists of "name" and "value", of which the first
// that has a name decides. A matrix has "env_var" and "values".
func (s *semaphore) environment(envs ...*node) lookup {
	known := map[string]*binding{}
	return func(name string) *binding {
		if b, ok := known[name]; ok {
			return b
		}
		for _, env := range envs {
			for _, n := range items(env) {
				if str(get(n, "name")) == name && get(n, "value") != nil {
					known[name] = s.variable(name, get(n, "name"), get(n, "value"))
					return known[name]
				}
				if values := get(n, "values"); str(get(n, "env_var")) == name && isSequence(values) {
					known[name] = s.variable(name, get(n, "env_var"), follow(values).Content...)
					return known[name]
				}
			}
		}
		return nil
	}
}

func (s *semaphore) variable(name string, key *node, values ...*node) *binding {
	b := &binding{name: name, class: classEnv, file: s.doc.text.File, region: s.doc.span()}
	if t := s.doc.scalar(key); t != nil {
		b.def, _ = t.Span(0, len(t.Data))
	}
	b.eval = func() []expr {
		var out []expr
		for _, v := range values {
			if len(out) < maxValues {
				out = append(out, s.doc.exprs(v, noVariables, noLookup)...)
			}
		}
		return out
	}
	return b
}

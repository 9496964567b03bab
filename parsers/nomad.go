package parsers

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Nomad reads job specifications
// (https://developer.hashicorp.com/nomad/docs/job-specification), also those
// that Levant or Nomad Pack fill in first.
var Nomad = register(Format{
	Name:    "nomad",
	Title:   "Nomad job",
	Files:   "`*.nomad`, `*.nomad.hcl`, and HCL with a job.",
	Places:  "`image` in the `config` of tasks, and what their commands run; variables and locals are followed.",
	Comment: "#",
	Detect:  detectNomad,
	Parse:   parseNomad,
})

func detectNomad(c *Candidate) Certainty {
	base := c.name
	switch {
	case strings.HasSuffix(base, ".nomad"), strings.HasSuffix(base, ".nomad.hcl"):
		return Path
	case strings.HasSuffix(base, ".hcl"), strings.HasSuffix(base, ".job"), strings.HasSuffix(base, ".levant"):
		if nomadJob(c.Data) {
			return Content
		}
	}
	return No
}

// nomadJob reports whether a text has a job with tasks: a line that begins with
// `job "`.
func nomadJob(data []byte) bool {
	if !bytes.Contains(data, []byte("task ")) {
		return false
	}
	for _, start := range []string{"job \"", "job '", "job [[", "job {"} {
		if bytes.HasPrefix(data, []byte(start)) || bytes.Contains(data, []byte("\n"+start)) {
			return true
		}
	}
	return false
}

var classNomad = &class{noun: "variable", overridable: true}

func parseNomad(p *Pass) {
	if !containsAny(p.Text.Data, []string{"image", "docker", "podman"}) {
		return
	}
	h := p.hcl()
	if h == nil {
		return
	}
	h.lookup = h.nomadName
	h.nomadBlocks(h.body, "", nil, 0)
}

// nomadName is what a variable or local stands for
// (https://developer.hashicorp.com/nomad/docs/job-specification/hcl2/variables).
func (h *hclFile) nomadName(tr hcl.Traversal, scope *hclScope) *hclName {
	if n := hclScoped(h.text.File, tr, scope); n != nil {
		return n
	}
	return h.declared(h, tr, classNomad, classLocal)
}

// declared is what "var.name" or "local.name" stands for in the file in.
func (h *hclFile) declared(in *hclFile, tr hcl.Traversal, variable, local *class) *hclName {
	if len(tr) < 2 {
		return nil
	}
	name := hclStep(tr[1])
	full := tr.RootName() + "." + name
	for _, block := range in.body.Blocks {
		switch {
		case tr.RootName() == "var" && block.Type == "variable" && len(block.Labels) == 1 && block.Labels[0] == name:
			if e := hclAttribute(block.Body, "default"); e != nil {
				return h.local(full, variable, in, 2, block.LabelRanges[0], e)
			}
			return nil
		case tr.RootName() == "var" && block.Type == "variables", tr.RootName() == "local" && block.Type == "locals":
			if a := block.Body.Attributes[name]; a != nil {
				c := variable
				if block.Type == "locals" {
					c = local
				}
				return h.local(full, c, in, 2, a.NameRange, a.Expr)
			}
		}
	}
	return nil
}

// nomadBlocks reads the tasks below a body.
func (h *hclFile) nomadBlocks(body *hclsyntax.Body, pointer string, scope *hclScope, depth int) {
	if depth > maxHCL {
		return
	}
	for _, block := range body.Blocks {
		here := joinPointer(pointer, joinPointer(block.Type, strings.Join(h.labels(block), ".")))
		inner, content := h.dynamic(block, scope)
		if block.Type == "task" {
			h.nomadTask(content, here, inner)
		}
		h.nomadBlocks(content, here, inner, depth+1)
	}
}

// dynamic is the body of a block and the names that hold in it; that of a
// "dynamic" block is its "content"
// (https://developer.hashicorp.com/terraform/language/expressions/dynamic-blocks).
func (h *hclFile) dynamic(block *hclsyntax.Block, scope *hclScope) (*hclScope, *hclsyntax.Body) {
	if block.Type != "dynamic" || len(block.Labels) != 1 {
		return scope, block.Body
	}
	name := block.Labels[0]
	if e := hclAttribute(block.Body, "iterator"); e != nil {
		if word := hcl.ExprAsKeyword(e); word != "" {
			name = word
		}
	}
	inner := &hclScope{parent: scope, name: name, wrapped: true}
	if e := hclAttribute(block.Body, "for_each"); e != nil {
		inner.values = hclElements([]hclValue{{h, e, scope}})
	}
	for _, b := range block.Body.Blocks {
		if b.Type == "content" {
			return inner, b.Body
		}
	}
	return inner, &hclsyntax.Body{}
}

// nomadImages are the drivers that take an image, and are not known to take one
// of a machine, or a folder.
func nomadImages(driver string) bool {
	switch driver {
	case "exec", "raw_exec", "java", "qemu", "exec2", "firecracker-task-driver", "nspawn", "virt", "lxc", "jail-task-driver", "systemd-nspawn":
		return false
	}
	return true
}

// nomadTask reads the image of a task
// (https://developer.hashicorp.com/nomad/docs/deploy/task-driver/docker#image).
func (h *hclFile) nomadTask(task *hclsyntax.Body, pointer string, scope *hclScope) {
	driver := ""
	if e := hclAttribute(task, "driver"); e != nil {
		driver, _ = hclConstant(e)
	}
	for _, block := range task.Blocks {
		if block.Type != "config" {
			continue
		}
		if e := hclAttribute(block.Body, "image"); e != nil && nomadImages(driver) && !notRegistry(h.written(e).String()) {
			h.image(e, scope, found{pointer: pointer + ".config.image"})
		}
		h.nomadCommand(block.Body, pointer+".config")
	}
	if e := hclAttribute(task, "config"); e != nil && nomadImages(driver) {
		if o, ok := hclUnwrapped(e).(*hclsyntax.ObjectConsExpr); ok {
			if v := hclMember(o, "image"); v != nil {
				h.image(v, scope, found{pointer: pointer + ".config.image"})
			}
		}
	}
	for _, block := range task.Blocks {
		if block.Type == "template" {
			if e := hclAttribute(block.Body, "data"); e != nil {
				h.embedded(e, scope, pointer+".template.data")
			}
		}
	}
}

// notRegistry reports whether an image is a file or an archive.
func notRegistry(s string) bool {
	return isPicture(s) || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || strings.HasSuffix(s, ".tar") ||
		strings.Contains(s, "://") && !strings.HasPrefix(s, "docker://") && !strings.HasPrefix(s, "https://")
}

// nomadCommand reads the shell text that a task without a container runs.
func (h *hclFile) nomadCommand(config *hclsyntax.Body, pointer string) {
	command, ok := hclConstant(hclAttribute(config, "command"))
	if !ok || !isShellProgram(command[strings.LastIndexByte(command, '/')+1:]) {
		return
	}
	args, ok := hclAttribute(config, "args").(*hclsyntax.TupleConsExpr)
	if !ok || len(args.Exprs) < 2 {
		return
	}
	if flag, _ := hclConstant(args.Exprs[0]); strings.HasPrefix(flag, "-") && strings.HasSuffix(flag, "c") {
		h.script(args.Exprs[1], nil, pointer+".args[1]")
	}
}

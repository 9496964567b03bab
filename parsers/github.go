package parsers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// GitHub reads workflows and action metadata of GitHub, Gitea and Forgejo
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax,
// https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax).
var GitHub = register(Format{
	Name:    "githubactions",
	Title:   "GitHub Actions",
	Comment: "#",
	Detect:  detectGitHub,
	Parse:   parseGitHub,
})

func detectGitHub(name string, data []byte) Certainty {
	if !isYAML(name) {
		return No
	}
	base := path.Base(name)
	if base == "action.yml" || base == "action.yaml" {
		if slices.Contains(topKeys(data), "runs") {
			return Path
		}
		return No
	}
	for _, host := range []string{".github", ".gitea", ".forgejo"} {
		for _, folder := range []string{"workflows", "workflow-templates"} {
			if inFolder(name, host+"/"+folder) {
				return Path
			}
		}
	}
	if keys := topKeys(data); slices.Contains(keys, "on") && slices.Contains(keys, "jobs") {
		return Content
	}
	return No
}

// github is one workflow or action being read.
type github struct {
	pass *Pass
	doc  *document
	// envs are the "env" mappings around the place, outermost first.
	envs   []*node
	matrix *node
	job    *node // for the region in which a matrix is read
	inputs []*node
}

func parseGitHub(p *Pass) {
	for _, d := range p.documents("image", "container", "docker", "podman", "kubectl", "services", "crane", "skopeo", "cosign") {
		g := &github{pass: p, doc: d, inputs: []*node{
			get(d.root, "inputs"), at(d.root, "on", "workflow_call", "inputs"), at(d.root, "on", "workflow_dispatch", "inputs"),
		}}
		g.envs = []*node{get(d.root, "env")}
		for name, job := range pairs(get(d.root, "jobs")) {
			g.workflowJob("jobs."+name.Value, job)
		}
		g.action(get(d.root, "runs"))
	}
}

func (g *github) workflowJob(pointer string, job *node) {
	j := *g
	j.job, j.matrix = job, at(job, "strategy", "matrix")
	j.envs = append(slices.Clip(g.envs), get(job, "env"))
	j.container(pointer+".container", get(job, "container"))
	for name, s := range pairs(get(job, "services")) {
		j.container(pointer+".services."+name.Value, s)
	}
	j.steps(pointer, get(job, "steps"))
}

// container is a string, or a mapping with "image".
func (g *github) container(pointer string, n *node) {
	if isMapping(n) {
		n, pointer = get(n, "image"), pointer+".image"
	}
	if n != nil {
		g.image(n, found{pointer: pointer})
	}
}

func (g *github) action(runs *node) {
	if n := get(runs, "image"); strings.HasPrefix(str(n), "docker://") {
		g.image(n, found{pointer: "runs.image"})
	}
	g.steps("runs", get(runs, "steps"))
}

func (g *github) steps(pointer string, steps *node) {
	for i, s := range items(steps) {
		at := pointer + ".steps" + pointerIndex(i)
		step := *g
		step.envs = append(slices.Clip(g.envs), get(s, "env"))
		uses := get(s, "uses")
		if strings.HasPrefix(str(uses), "docker://") {
			step.image(uses, found{pointer: at + ".uses"})
		}
		if t, _ := g.doc.content(get(s, "run")); t != nil && isShell(str(get(s, "shell"))) {
			step.script(t, at+".run")
		}
		if with := get(s, "with"); with != nil {
			step.with(str(uses), with, at+".with")
		}
	}
}

// isShell reports whether a step's shell reads commands as shells do.
func isShell(shell string) bool {
	for _, other := range []string{"python", "perl", "node", "ruby"} {
		if strings.HasPrefix(shell, other) {
			return false
		}
	}
	return true
}

func (g *github) script(t *source.Text, pointer string) {
	g.pass.nested(t, pointer, func(q *Pass) {
		q.shell(func(name string) *binding { return g.look("env." + name) }, templating{scanGitHub, g.look})
	})
}

// with reads the inputs of an action: those that the table knows, and shell
// text wherever there is some.
func (g *github) with(uses string, with *node, pointer string) {
	name, _, _ := strings.Cut(strings.ToLower(uses), "@")
	inputs := actionInputs[name]
	for key, v := range pairs(with) {
		t, _ := g.doc.content(v)
		if t == nil {
			continue
		}
		at := pointer + "." + key.Value
		kind := inputs[key.Value]
		if kind == inputNone && isBuildAction(name) && (key.Value == "tags" || key.Value == "dev_tags") {
			kind = inputOutputs
		}
		switch kind {
		case inputImage:
			g.image(v, found{pointer: at})
		case inputName:
			g.named(v, get(with, strings.TrimSuffix(key.Value, "image")+"version"), at)
		case inputOutputs:
			g.list(t, at, image.Output)
		case inputOptions:
			g.options(t, at)
		default:
			if bytes.IndexByte(t.Data, '\n') >= 0 || key.Value == "script" || key.Value == "run" || key.Value == "command" {
				g.script(t, at)
			}
		}
	}
}

// isBuildAction reports whether an action that the table doesn't know builds an
// image, by its name.
func isBuildAction(name string) bool {
	return strings.Contains(name, "build") && (strings.Contains(name, "docker") || strings.Contains(name, "image") || strings.Contains(name, "push")) ||
		strings.Contains(name, "kaniko") || strings.Contains(name, "buildx")
}

// list reports each line, or each element between commas, as an image.
func (g *github) list(t *source.Text, pointer string, role image.Role) {
	at := 0
	emit := func(end int) {
		if item := t.Slice(at, end).Trim(); len(item.Data) > 0 && item.Data[0] != '#' && !bytes.Contains(item.Data, []byte("type=")) {
			g.pass.Use(found{text: item, values: expand(item, scanGitHub, g.look), role: role, pointer: pointer})
		}
		at = end + 1
	}
	for i := 0; i < len(t.Data); i++ {
		if v, ok := scanGitHub(t.Data, i); ok && v.start == i {
			i = v.end - 1
		} else if c := t.Data[i]; c == '\n' || c == ',' {
			emit(i)
		}
	}
	emit(len(t.Data))
}

// options reads "image=ref" lines among the options of a driver.
func (g *github) options(t *source.Text, pointer string) {
	for start := 0; start < len(t.Data); {
		end := start + len(t.Data[start:])
		if i := bytes.IndexAny(t.Data[start:], "\n,"); i >= 0 {
			end = start + i
		}
		item := t.Slice(start, end).Trim()
		if ref, ok := bytes.CutPrefix(item.Data, []byte("image=")); ok && len(ref) > 0 {
			item = item.Slice(len("image="), len(item.Data))
			g.pass.Use(found{text: item, values: expand(item, scanGitHub, g.look), pointer: pointer})
		}
		start = end + 1
	}
}

// named reads an image whose tag, with or without a digest, is another input.
func (g *github) named(name, version *node, pointer string) {
	v, _ := g.doc.content(version)
	t, _ := g.doc.content(name)
	if v == nil || t == nil {
		g.image(name, found{pointer: pointer})
		return
	}
	values := product(expand(t, scanGitHub, g.look), []expr{{joiner(t, ":")}})
	g.pass.Use(found{text: t, values: product(values, expand(v, scanGitHub, g.look)), pointer: pointer})
}

// input is what an action's input holds.
type input uint8

const (
	inputNone    input = iota
	inputImage         // one image that is pulled
	inputName          // one image whose tag is the input "…version"
	inputOutputs       // names under which an image is built
	inputOptions       // "image=ref" among other options
)

// actionInputs are the inputs of public actions that name images, by action
// without its version.
var actionInputs = map[string]map[string]input{
	"docker/build-push-action":     {"tags": inputOutputs},
	"docker/metadata-action":       {"images": inputOutputs},
	"docker/setup-qemu-action":     {"image": inputImage},
	"docker/setup-buildx-action":   {"driver-opts": inputOptions},
	"addnab/docker-run-action":     {"image": inputImage},
	"renovatebot/github-action":    {"renovate-image": inputName},
	"redhat-actions/buildah-build": {"image": inputOutputs},
}

func (g *github) image(n *node, f found) {
	g.pass.image(g.doc, n, scanGitHub, g.look, f)
}

// look resolves the contexts that the file itself decides: env, matrix and
// inputs.
func (g *github) look(name string) *binding {
	context, key, _ := strings.Cut(name, ".")
	switch context {
	case "env":
		for i := len(g.envs) - 1; i >= 0; i-- {
			if n := get(g.envs[i], key); n != nil {
				return g.bind(name, key, classEnv, []*node{n})
			}
		}
	case "matrix":
		if nodes := g.matrixValues(strings.Split(key, ".")); len(nodes) > 0 {
			b := g.bind(name, "matrix", classMatrix, nodes)
			return b
		}
	case "inputs":
		for _, in := range g.inputs {
			if n := at(in, key, "default"); n != nil {
				return g.bind(name, name, classInput, []*node{n})
			}
		}
	}
	return nil
}

// bind is a binding to scalars of the document; word is how readers spell it.
func (g *github) bind(name, word string, c *class, nodes []*node) *binding {
	b := &binding{name: name, word: word, class: c, file: g.pass.Text.File, region: g.doc.span()}
	if c == classMatrix {
		b.region = g.region(g.job)
	}
	b.eval = func() []expr {
		var out []expr
		for _, n := range nodes {
			if t, links := g.doc.content(n); t != nil {
				for _, e := range expand(t, scanGitHub, g.look) {
					for _, l := range links {
						e = through(l, e)
					}
					out = append(out, e)
				}
			}
		}
		return out
	}
	return b
}

// region is the bytes from a job to the end of the document: where its matrix
// can be read.
func (g *github) region(job *node) source.Span {
	s := g.doc.span()
	if job != nil {
		s.Start = g.doc.text.At(g.doc.offset(job))
	}
	return s
}

// matrixValues are the values of a matrix key, its "include" entries too. A
// path goes into entries that are mappings.
func (g *github) matrixValues(keys []string) []*node {
	var out []*node
	for _, n := range items(get(g.matrix, keys[0])) {
		if v := at(n, keys[1:]...); v != nil {
			out = append(out, v)
		}
	}
	for _, n := range items(get(g.matrix, "include")) {
		if v := at(n, keys...); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// scanGitHub finds "${{ expression }}"
// (https://docs.github.com/en/actions/reference/workflows-and-actions/expressions).
// An expression of one context and a literal default, "a || 'b'", is a variable
// with a default; any other is only a name.
func scanGitHub(data []byte, i int) (variable, bool) {
	k := bytes.Index(data[i:], []byte("${{"))
	if k < 0 {
		return variable{}, false
	}
	v := variable{start: i + k}
	end := bytes.Index(data[v.start:], []byte("}}"))
	if end < 0 {
		return variable{}, false
	}
	v.end = v.start + end + 2
	v.nameStart, v.nameEnd = trimSpan(data, v.start+3, v.end-2)
	expression := data[v.nameStart:v.nameEnd]
	if or := bytes.Index(expression, []byte("||")); or >= 0 {
		lo, hi := trimSpan(data, v.nameStart+or+2, v.nameEnd)
		if hi-lo >= 2 && data[lo] == '\'' && data[hi-1] == '\'' && bytes.Count(data[lo:hi], []byte{'\''}) == 2 {
			v.op, v.word = ":-", [2]int{lo + 1, hi - 1}
			_, v.nameEnd = trimSpan(data, v.nameStart, v.nameStart+or)
			expression = data[v.nameStart:v.nameEnd]
		}
	}
	v.name = string(expression)
	// What readers spell is the last part: "matrix.image" is read as a word.
	if context, key, ok := strings.Cut(v.name, "."); ok && context == "env" && isWord(key) {
		v.nameStart += len("env.")
	} else if ok && context == "matrix" {
		v.nameEnd = v.nameStart + len("matrix")
	}
	return v, true
}

func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// trimSpan is [start, end) of data without white space at its ends.
func trimSpan(data []byte, start, end int) (int, int) {
	for start < end && (isBlank(data[start])) {
		start++
	}
	for end > start && isBlank(data[end-1]) {
		end--
	}
	return start, end
}

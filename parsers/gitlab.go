package parsers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/source"
)

// GitLab reads pipelines and the files that they include
// (https://docs.gitlab.com/ci/yaml/).
var GitLab = register(Format{
	Name:    "gitlabci",
	Title:   "GitLab CI",
	Files:   "`.gitlab-ci.yml`, `*.gitlab-ci.yml`, YAML in `.gitlab`, and pipelines elsewhere, by their jobs.",
	Places:  "`image` and `services` of the pipeline, of `default` and of jobs, and scripts; variables, `extends`, `!reference`, local includes, and matrices are followed.",
	Comment: "#",
	Detect:  detectGitLab,
	Parse:   parseGitLab,
})

func detectGitLab(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.lower
	if strings.Contains(base, ".gitlab-ci.") || strings.HasSuffix(strings.TrimSuffix(base, path.Ext(base)), "gitlab-ci") {
		return Path
	}
	if keys := c.keys(); slices.Contains(keys, "apiVersion") && slices.Contains(keys, "kind") {
		return No // manifests lie in GitLab's folders too
	}
	if !containsAny(c.Data, []string{"script:", "image:", "services:"}) {
		return No
	}
	if slices.Contains(c.keys(), "spec") && bytes.Contains(c.Data, []byte("$[[ inputs.")) {
		return Content // a component, whose jobs may have any name
	}
	for _, folder := range []string{".gitlab", ".gitlab-ci", "gitlab-ci"} {
		if inFolder(c.Path, folder) {
			return Likely
		}
	}
	if strings.HasPrefix(base, ".gitlab-ci") { // .gitlab-ci-deploy.yml
		return Likely
	}
	if strings.Contains(base, "gitlab") && slices.ContainsFunc(c.keys(), func(k string) bool { return k == "stages" || k == "include" || k == "variables" }) {
		return Likely
	}
	if bytes.Contains(c.Data, []byte("script:")) && !strings.Contains(base, "travis") && gitlabJobs(c.Data) {
		return Content
	}
	return No
}

// gitlabJobs reports whether a text without a telling name has GitLab jobs:
// top-level keys of that dialect alone, or hidden jobs with scripts.
func gitlabJobs(data []byte) bool {
	if containsAny(data, []string{"- script:", "- stage:", "- job:"}) {
		return false // lists of steps are other dialects'
	}
	keys := topKeys(data)
	hidden := slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, ".") && len(k) > 1 })
	known := slices.ContainsFunc(keys, func(k string) bool {
		return k == "stages" || k == "before_script" || k == "default" || k == "include" || k == "workflow"
	})
	foreign := slices.ContainsFunc(keys, func(k string) bool {
		switch k {
		case "apiVersion", "kind", "jobs", "steps", "pipeline", "on", "language", "dist", "matrix", "env", "os", "addons", "name", "pipelines", "definitions", "version", "pool", "trigger", "tasks", "task", "script", "before_install", "parameters", "resources", "phases", "hosts":
			return true
		}
		return false
	})
	return !foreign && (hidden || known)
}

// gitlab is one pipeline file being read.
type gitlab struct {
	pass   *Pass
	doc    *document
	inputs located // those of the header, with their defaults
	// job is the one around the place, nil outside of jobs.
	job *node
	// children are the jobs that take over what another one has, by
	// "extends" or by a merge key.
	children map[*node][]*node
	known    map[string]*binding
	around   *gitlabAround
	// left is how many nodes of scripts may still be looked at: a few lines of
	// "!reference" can stand for any number.
	left *int
}

// maxScriptNodes bounds those of a file, unless it has more bytes than that.
const maxScriptNodes = 100_000

// gitlabAround is the other files of a pipeline, read when they are needed.
type gitlabAround struct {
	read bool
	docs []*document
}

// gitlabGlobal are the top-level keys that are no jobs.
var gitlabGlobal = []string{"stages", "include", "variables", "workflow", "spec", "cache", "types"}

// gitlabWords are in every file that names an image.
var gitlabWords = []string{"image", "services", "docker", "podman", "script", "kubectl", "crane", "skopeo", "cosign"}

func parseGitLab(p *Pass) {
	if !containsAny(p.Text.Data, gitlabWords) {
		return
	}
	around, left := &gitlabAround{}, max(maxScriptNodes, len(p.Text.Data))
	var inputs located
	for _, d := range p.documents() {
		if spec := at(d.root, "spec", "inputs"); spec != nil {
			inputs = located{doc: d, node: spec}
		}
		g := &gitlab{pass: p, doc: d, inputs: inputs, around: around, known: map[string]*binding{}, left: &left}
		g.findChildren()
		g.images("", d.root)
		g.scripts("", d.root)
		for name, job := range pairs(d.root) {
			switch {
			case isMerge(name):
			case isMapping(job) && !slices.Contains(gitlabGlobal, name.Value) && name.Value != "image":
				g.ciJob(name.Value, job)
			case isSequence(job) && strings.HasPrefix(name.Value, "."):
				g.shell(name.Value, g.lines(job, 0)) // lines for "!reference"
			}
		}
	}
}

func (g *gitlab) ciJob(name string, job *node) {
	j := *g
	j.job, j.known = follow(job), map[string]*binding{}
	j.images(name, job)
	j.scripts(name, job)
	for i, step := range items(get(job, "run")) {
		if t, _ := j.doc.content(get(step, "script")); t != nil {
			j.shell(name+".run"+pointerIndex(i), []*source.Text{t})
		}
	}
	if strings.HasPrefix(name, ".") {
		j.parts(name, job)
	}
}

// parts reads what a hidden job keeps for "!reference" under keys of its own:
// services and lines of scripts.
func (g *gitlab) parts(name string, job *node) {
	for key, v := range pairs(job) {
		switch key.Value {
		case "image", "services", "variables", "rules", "only", "except", "tags", "cache", "artifacts", "needs",
			"dependencies", "stages", "script", "before_script", "after_script", "extends", "parallel", "retry", "when":
			continue
		}
		pointer := name + "." + key.Value
		switch {
		case isMerge(key):
		case isMapping(v) && get(v, "name") != nil && (get(v, "alias") != nil || get(v, "entrypoint") != nil || get(v, "command") != nil):
			g.named(pointer, v)
		case isSequence(v):
			g.shell(pointer, g.lines(v, 0))
		}
	}
}

// findChildren notes which jobs are made from which.
func (g *gitlab) findChildren() {
	g.children = map[*node][]*node{}
	for name, job := range pairs(g.doc.root) {
		if !isMapping(job) || isMerge(name) {
			continue
		}
		for _, parent := range g.parents(job) {
			if parent.doc == g.doc {
				g.children[parent.node] = append(g.children[parent.node], follow(job))
			}
		}
	}
}

// located is a node with the document that it stands in.
type located struct {
	doc  *document
	node *node
	name source.Span // of the variable that it defines
}

// parents are the jobs that a job is made from, the one that wins last.
func (g *gitlab) parents(job *node) []located {
	var out []located
	for key, v := range pairs(job) {
		if !isMerge(key) {
			continue
		}
		if isSequence(v) {
			for _, m := range items(v) {
				out = append(out, located{doc: g.doc, node: follow(m)})
			}
		} else {
			out = append(out, located{doc: g.doc, node: follow(v)})
		}
	}
	extends := get(job, "extends")
	if isScalar(extends) {
		out = append(out, g.jobNamed(str(extends))...)
	}
	for _, name := range items(extends) {
		out = append(out, g.jobNamed(str(name))...)
	}
	return out
}

// jobNamed is the job of that name, in this document or around it.
func (g *gitlab) jobNamed(name string) []located {
	if n := get(g.doc.root, name); isMapping(n) {
		return []located{{doc: g.doc, node: follow(n)}}
	}
	for _, d := range g.others() {
		if n := get(d.root, name); isMapping(n) {
			return []located{{doc: d, node: follow(n)}}
		}
	}
	return nil
}

// images reads the "image" and "services" of a job or of the whole file: each a
// string, or a mapping with "name".
func (g *gitlab) images(pointer string, n *node) {
	g.named(joinPointer(pointer, "image"), get(n, "image"))
	for i, s := range items(g.resolve(get(n, "services"))) {
		g.named(joinPointer(pointer, "services")+pointerIndex(i), s)
	}
}

// resolve is the node that "!reference [job, key]" points to in this document,
// nil where it points elsewhere; any other node is its own.
func (g *gitlab) resolve(n *node) *node {
	target := follow(n)
	if target == nil || target.Tag != "!reference" || target.Kind != yaml.SequenceNode {
		return n
	}
	out := g.doc.root
	for _, key := range target.Content {
		if out = get(out, str(key)); out == nil {
			return nil
		}
	}
	if f := follow(out); f != nil && f.Tag == "!reference" {
		return nil
	}
	return out
}

func (g *gitlab) named(pointer string, n *node) {
	n = g.resolve(n)
	if isMapping(n) {
		n, pointer = g.resolve(get(n, "name")), pointer+".name"
	}
	if n == nil || isSequence(n) || str(n) == "_" || isMacOS(str(n)) {
		return
	}
	g.image(n, pointer)
}

// isMacOS reports whether an image is one of the virtual machines of GitLab's
// runners, "macos-14-xcode-15"
// (https://docs.gitlab.com/ci/runners/hosted_runners/macos/).
func isMacOS(image string) bool {
	return strings.HasPrefix(image, "macos-") && strings.Contains(image, "-xcode-") && !strings.ContainsAny(image, "/:@")
}

// dependencyProxy are the predefined variables for GitLab's pull-through cache
// of Docker Hub: what follows them is the image
// (https://docs.gitlab.com/user/packages/dependency_proxy/).
var dependencyProxy = []string{"CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX", "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX"}

func (g *gitlab) image(n *node, pointer string) {
	t, links := g.doc.content(n)
	if t == nil {
		g.pass.image(g.doc, n, scanGitLab, g.look, found{pointer: pointer})
		return
	}
	t = t.Trim()
	f := found{pointer: pointer, text: t}
	if n.Kind == yaml.AliasNode {
		f.text = g.doc.aliasText(n)
	}
	if v, ok := scanGitLab(t.Data, 0); ok && v.start == 0 && slices.Contains(dependencyProxy, v.name) && v.end < len(t.Data) && t.Data[v.end] == '/' {
		t = t.Slice(v.end+1, len(t.Data))
	}
	texts := map[string]bool{}
	for _, view := range g.views() {
		for _, e := range expand(t, scanGitLab, view.look) {
			key := e.text() + "\x00" + strings.Join(e.missing(), " ")
			if texts[key] || len(f.values) == maxValues {
				continue
			}
			texts[key] = true
			for _, l := range links {
				e = through(l, e)
			}
			f.values = append(f.values, e)
		}
	}
	g.pass.Use(f)
}

// scanGitLab is scanDollar, and the inputs of components, "$[[ inputs.x ]]"
// (https://docs.gitlab.com/ci/inputs/).
func scanGitLab(data []byte, i int) (variable, bool) {
	return firstOf(scanInput, scanDollar)(data, i)
}

func scanInput(data []byte, i int) (variable, bool) {
	k := bytes.Index(data[i:], []byte("$[["))
	if k < 0 {
		return variable{}, false
	}
	v := variable{start: i + k}
	end := bytes.Index(data[v.start:], []byte("]]"))
	if end < 0 {
		return variable{}, false
	}
	v.end = v.start + end + 2
	v.nameStart, v.nameEnd = trimSpan(data, v.start+3, v.end-2)
	v.name = string(data[v.nameStart:v.nameEnd])
	// "inputs.x | expand_vars" changes no text that has no variables.
	if name, function, ok := strings.Cut(v.name, "|"); ok && strings.TrimSpace(function) == "expand_vars" {
		v.name = strings.TrimSpace(name)
		v.nameEnd = v.nameStart + len(v.name)
	}
	return v, true
}

// look resolves inputs by their defaults and variables by what the pipeline's
// files say. What is used in a job that others are made from has the values
// that it gets in each of them.
func (g *gitlab) look(name string) *binding {
	if b, ok := g.known[name]; ok {
		return b
	}
	if len(g.known) >= maxVariables {
		return nil
	}
	b := g.find(name)
	g.known[name] = b
	return b
}

// maxVariables bounds the names that are looked for in a job.
const maxVariables = 10_000

func (g *gitlab) find(name string) *binding {
	if input, ok := strings.CutPrefix(name, "inputs."); ok {
		if n := at(g.inputs.node, input, "default"); n != nil {
			return g.bind(name, classInput, []located{{doc: g.inputs.doc, node: n}})
		}
		return nil
	}
	values := g.values(name)
	if len(values) == 0 {
		return nil
	}
	return g.bind(name, classEnv, values)
}

func (g *gitlab) bind(name string, c *class, values []located) *binding {
	b := &binding{name: name, class: c, file: g.pass.Text.File, region: source.Span{End: len(g.pass.Text.File.Data)}}
	for i, v := range values {
		t, _ := v.doc.content(v.node)
		if i == 0 && t != nil {
			b.file = t.File
			b.region = source.Span{End: len(t.File.Data)}
			b.def = v.name
		}
	}
	b.eval = func() []expr {
		var out []expr
		for _, v := range values {
			if t, _ := v.doc.content(v.node); t != nil && len(out) < maxValues {
				out = append(out, expand(t, scanGitLab, g.look)...)
			}
		}
		return out
	}
	return b
}

// values are the scalars that define a variable where g stands.
func (g *gitlab) values(name string) []located {
	var out []located
	add := func(more []located) {
		for _, v := range more {
			if !slices.Contains(out, v) && len(out) < maxValues {
				out = append(out, v)
			}
		}
	}
	if g.job != nil {
		missing := false
		for _, job := range g.descendants() {
			own := g.jobValues(located{doc: g.doc, node: job}, name, map[*node]bool{})
			missing = missing || len(own) == 0
			add(own)
		}
		if !missing {
			return out
		}
	}
	for _, d := range append([]*document{g.doc}, g.others()...) {
		if v := variableValue(d, get(d.root, "variables"), name); v != nil {
			add(v)
			break
		}
	}
	return out
}

// descendants are the jobs that are made from the one around the place and no
// more extended, or that job itself.
func (g *gitlab) descendants() []*node {
	seen := map[*node]bool{g.job: true}
	var out []*node
	for queue := []*node{g.job}; len(queue) > 0 && len(out) < maxValues; queue = queue[1:] {
		children := g.children[queue[0]]
		if len(children) == 0 {
			out = append(out, queue[0])
		}
		for _, child := range children {
			if !seen[child] {
				seen[child] = true
				queue = append(queue, child)
			}
		}
	}
	return out
}

// views are g as each of the descendants sees it.
func (g *gitlab) views() []*gitlab {
	if g.job == nil || len(g.children[g.job]) == 0 {
		return []*gitlab{g}
	}
	var out []*gitlab
	for _, job := range g.descendants() {
		v := *g
		v.job, v.children, v.known = job, nil, map[string]*binding{}
		out = append(out, &v)
	}
	return out
}

// jobValues are what a job, or else the jobs that it is made from, give a
// variable: by a matrix, by "variables", and by rules in their place.
func (g *gitlab) jobValues(job located, name string, seen map[*node]bool) []located {
	if job.node == nil || seen[job.node] || len(seen) > maxValues {
		return nil
	}
	seen[job.node] = true
	var out []located
	for _, entry := range items(at(job.node, "parallel", "matrix")) {
		v := get(entry, name)
		def := job.doc.keySpan(entry, name)
		if isScalar(v) {
			out = append(out, located{job.doc, v, def})
		}
		for _, item := range items(v) {
			out = append(out, located{job.doc, item, def})
		}
	}
	if len(out) > 0 {
		return out
	}
	if v := variableValue(job.doc, get(job.node, "variables"), name); v != nil {
		out = append(out, v...)
	} else if job.doc == g.doc {
		parents := g.parents(job.node)
		for i := len(parents) - 1; i >= 0 && len(out) == 0; i-- {
			out = g.jobValues(parents[i], name, seen)
		}
	}
	for _, rule := range items(get(job.node, "rules")) {
		out = append(out, variableValue(job.doc, get(rule, "variables"), name)...)
	}
	return out
}

// variableValue is the value of a variable, which may stand beside a
// description; none where the mapping doesn't have it.
func variableValue(d *document, variables *node, name string) []located {
	v := get(variables, name)
	if isMapping(v) {
		v = get(v, "value")
	}
	if !isScalar(v) {
		return nil
	}
	return []located{{d, v, d.keySpan(variables, name)}}
}

// others are the documents of the pipeline's first file, which is looked for in
// the folders above, and of those that it includes by their path.
func (g *gitlab) others() []*document {
	if g.around.read {
		return g.around.docs
	}
	g.around.read = true
	up := ""
	var docs []*document
	for i := 0; i < maxFolders && len(docs) == 0; i++ {
		docs = g.read(up + ".gitlab-ci.yml")
		if len(docs) == 0 {
			up += "../"
		}
	}
	for _, d := range docs {
		for _, name := range localIncludes(get(d.root, "include")) {
			if len(docs) < maxIncludes {
				docs = append(docs, g.read(up+strings.TrimPrefix(name, "/"))...)
			}
		}
	}
	g.around.docs = docs
	return docs
}

const (
	maxFolders  = 8
	maxIncludes = 32
)

// read gives the documents of another file.
func (g *gitlab) read(name string) []*document {
	f := g.pass.open(name)
	if f == nil {
		return nil
	}
	q := *g.pass
	q.Text, q.quiet = source.Whole(f), true
	return q.documents()
}

// localIncludes are the paths of included files of the same repository; paths
// with wildcards are left out.
func localIncludes(include *node) []string {
	var out []string
	add := func(n *node) {
		if local := get(n, "local"); local != nil {
			n = local
		}
		if name := str(n); name != "" && !strings.Contains(name, "*") && !strings.Contains(name, "://") {
			out = append(out, name)
		}
	}
	add(include)
	for _, n := range items(include) {
		add(n)
	}
	return out
}

// scripts reads the shell of a job. Its lists run in one shell, after those of
// "before_script"; "after_script" has a shell of its own.
func (g *gitlab) scripts(pointer string, n *node) {
	var texts []*source.Text
	for _, key := range []string{"before_script", "script"} {
		texts = append(texts, g.lines(get(n, key), 0)...)
	}
	g.shell(joinPointer(pointer, "script"), texts)
	g.shell(joinPointer(pointer, "after_script"), g.lines(get(n, "after_script"), 0))
	g.shell(joinPointer(pointer, "hooks"), g.lines(at(n, "hooks", "pre_get_sources_script"), 0))
}

// lines are the texts of a script: a string, or lists of strings in lists.
func (g *gitlab) lines(n *node, depth int) []*source.Text {
	if *g.left--; *g.left < 0 {
		return nil
	}
	if isScalar(n) {
		if t, _ := g.doc.content(n); t != nil {
			return []*source.Text{t}
		}
		return nil
	}
	var out []*source.Text
	n = g.resolve(n)
	if target := follow(n); target == nil || target.Tag == "!reference" || depth > maxAliases {
		return nil
	}
	if isScalar(n) {
		return g.lines(n, depth+1)
	}
	for _, item := range items(n) {
		out = append(out, g.lines(item, depth+1)...)
	}
	return out
}

func (g *gitlab) shell(pointer string, texts []*source.Text) {
	if len(texts) == 0 {
		return
	}
	q := *g.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.shells(texts, g.look, templating{scan: scanInput, look: g.look})
}

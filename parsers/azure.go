package parsers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Azure reads pipelines of Azure DevOps and their templates
// (https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/).
var Azure = register(Format{
	Name:    "azurepipelines",
	Title:   "Azure Pipelines",
	Files:   "`azure-pipelines*.yml`, YAML in folders such as `.azure-pipelines`, and pipelines and templates elsewhere, by their keys.",
	Places:  "Container resources, the `container` of jobs, parameters of templates that are containers, the inputs of Docker tasks, and the scripts of steps.",
	Comment: "#",
	Detect:  detectAzure,
	Parse:   parseAzure,
})

// azureKeys are the top-level keys of pipelines and templates.
var azureKeys = []string{
	"name", "trigger", "pr", "schedules", "resources", "variables", "parameters", "pool", "stages", "jobs", "steps", "extends",
	"lockBehavior", "appendCommitMessageToRunName", "strategy", "container", "services", "workspace", "stage", "job", "displayName",
	"dependsOn", "condition", "timeoutInMinutes", "cancelTimeoutInMinutes", "continueOnError", "isSkippable",
}

func detectAzure(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.name
	base = strings.TrimSuffix(base, path.Ext(base))
	named := strings.Contains(base, "azure") && strings.Contains(base, "pipeline")
	folder := hasFolder(c.Path, "azure-pipelines", ".azure-pipelines", ".azuredevops", ".azure-devops", ".ado", ".azdo", ".vsts-ci", "azure_pipelines")
	keys := c.keys()
	if !has(keys, "stages", "jobs", "steps", "extends", "resources", "variables", "parameters") || !keysWithin(keys, azureKeys...) {
		return No
	}
	// Every pipeline has one of them: a job runs on a pool, a template has
	// steps or parameters.
	if !containsAny(c.Data, []string{"vmImage", "- task:", "- script:", "- bash:", "- pwsh:", "- powershell:", "- template:", "containers:", "container:", "- job:", "- stage:", "steps:", "extends:"}) {
		return No
	}
	switch {
	case named:
		return Path
	case folder:
		return Likely
	case containsAny(c.Data, []string{"vmImage", "- task:", "- pwsh:", "- powershell:", "- template:", "displayName:"}) && has(keys, "stages", "jobs", "steps", "extends", "resources"):
		return Content
	case containsAny(c.Data, []string{"- script:", "- bash:"}) && has(keys, "steps", "jobs") && has(keys, "pool", "trigger", "parameters", "pr"):
		return Content
	}
	return No
}

// azure is one pipeline or template being read.
type azure struct {
	pass *Pass
	doc  *document
	// variables are the "variables" around the place, outermost first.
	variables []*node
	// matrix are the entries of the job's matrix: variables too.
	matrix []*node
	// known are the bindings that have been looked up from this place.
	known map[string]*binding
	// parameters are the file's.
	parameters *node
	// envs are the "env" mappings around the place.
	envs []*node
	// resources are the names of the containers that the file defines.
	resources []string
	// template is set where the file is part of pipelines elsewhere, which
	// may define containers.
	template bool
	seen     visited
	// conditional is set for a part of a job that stands in a condition.
	conditional bool
	// windows is set within a job on such a machine.
	windows bool
}

func parseAzure(p *Pass) {
	for _, d := range p.documents(append([]string{"docker", "Docker"}, ciWords...)...) {
		a := &azure{pass: p, doc: d, parameters: get(d.root, "parameters"), known: map[string]*binding{}, seen: visited{}}
		a.template = !has(mappingKeys(d.root), "trigger", "pr", "schedules", "pool", "resources", "name") && has(mappingKeys(d.root), "parameters", "steps", "jobs", "stages")
		a.variables = []*node{get(d.root, "variables")}
		a.containers("resources.containers", at(d.root, "resources", "containers"), visited{})
		a.walk("", d.root, 0)
	}
}

// isExpression reports whether a key is "${{ if … }}" or its like: what stands
// below it stands in its place
// (https://learn.microsoft.com/azure/devops/pipelines/process/template-expressions).
func isExpression(key *node) bool { return strings.HasPrefix(key.Value, "${{") }

// containers reads the container resources.
func (a *azure) containers(pointer string, n *node, seen visited) {
	if !seen.first(n) {
		return
	}
	for i, c := range items(n) {
		for key, v := range pairs(c) {
			if isExpression(key) {
				a.containers(pointer, v, seen)
			}
		}
		if name := str(get(c, "container")); name != "" {
			a.resources = append(a.resources, name)
		}
		if n := get(c, "image"); isScalar(n) {
			a.image(pointer+pointerIndex(i)+".image", n)
		}
	}
}

// walk reads jobs and steps at any depth: they stand in stages, in strategies,
// in conditions and in the parameters of templates.
func (a *azure) walk(pointer string, n *node, depth int) {
	if depth > maxDepth || !a.seen.first(n) {
		return
	}
	for i, item := range items(n) {
		a.walk(pointer+pointerIndex(i), item, depth+1)
	}
	if !isMapping(n) {
		return
	}
	in := *a
	keys := mappingKeys(n)
	if depth > 0 && has(keys, "variables") && has(keys, "job", "deployment", "stage", "jobs", "steps", "pool") {
		in.variables = append(slices.Clip(a.variables), get(n, "variables"))
		in.known = map[string]*binding{}
	}
	if m := at(n, "strategy", "matrix"); isMapping(m) {
		in.matrix, in.known = nil, map[string]*binding{}
		for _, entry := range entries(m) {
			in.matrix = append(in.matrix, entry)
		}
	}
	if pool := get(n, "pool"); pool != nil {
		in.windows = strings.HasPrefix(strings.ToLower(str(get(pool, "vmImage"))), "windows") || strings.HasPrefix(strings.ToLower(str(get(pool, "vmImage"))), "vs20")
	}
	isJob := has(keys, "job", "deployment", "steps", "strategy", "pool", "jobs") || a.conditional
	if in.conditional = false; isJob {
		in.job(pointer, n)
	}
	if in.step(pointer, n) {
		return
	}
	for key, v := range pairs(n) {
		switch key.Value {
		case "variables", "resources", "pool", "trigger", "pr", "container", "services":
			continue
		}
		at := joinPointer(pointer, key.Value)
		if key.Value == "containers" {
			in.named(at, v)
		}
		below := in
		if isExpression(key) {
			at, below.conditional = pointer, isJob
		}
		below.walk(at, v, depth+1)
	}
}

// job reads the containers of a job, which "steps" or "pool" or its name tell
// from other mappings.
func (a *azure) job(pointer string, n *node) {
	a.container(joinPointer(pointer, "container"), get(n, "container"), 0)
	for name, s := range pairs(get(n, "services")) {
		a.container(joinPointer(pointer, "services."+name.Value), s, 0)
	}
}

// named reads containers by name, as pipelines that extend a template of their
// organization hand them to it.
func (a *azure) named(pointer string, n *node) {
	for name, c := range pairs(n) {
		if image := get(c, "image"); isScalar(image) && strings.ContainsAny(str(image), "/:") {
			a.image(joinPointer(pointer, name.Value)+".image", image)
		}
	}
}

// container is an image, a mapping with one, or the name of a container
// resource.
func (a *azure) container(pointer string, n *node, depth int) {
	if isMapping(n) {
		for key, v := range pairs(n) {
			if isExpression(key) && depth < maxAliases {
				a.container(pointer, v, depth+1)
			}
		}
		n, pointer = get(n, "image"), pointer+".image"
		if isScalar(n) {
			a.image(pointer, n)
		}
		return
	}
	t, links := a.doc.content(n)
	if t == nil {
		return
	}
	t = t.Trim()
	all := expand(t, scanAzure, a.look)
	values := slices.DeleteFunc(slices.Clone(all), a.namesResource)
	switch {
	case len(values) == 0:
	case len(values) == len(all), len(links) > 0:
		a.image(pointer, n)
	default:
		a.pass.Use(found{text: t, values: values, pointer: pointer})
	}
}

// namesResource reports whether a text is the name of a container resource. In
// a template the pipeline that takes it in defines them, so a bare word is one
// there.
func (a *azure) namesResource(e expr) bool {
	if len(e.missing()) > 0 {
		return false
	}
	text := e.text()
	return slices.Contains(a.resources, text) || text == "" || a.template && !strings.ContainsAny(text, "/:@")
}

func (a *azure) image(pointer string, n *node) {
	a.pass.image(a.doc, n, scanAzure, a.look, found{pointer: pointer})
}

// step reads a step, and reports whether n is one.
func (a *azure) step(pointer string, n *node) bool {
	in := *a
	in.envs = append(slices.Clip(a.envs), get(n, "env"))
	for _, kind := range []string{"script", "bash", "pwsh", "powershell"} {
		if t, _ := a.doc.content(get(n, kind)); t != nil {
			in.script(pointer+"."+kind, kind, t)
			return true
		}
	}
	task := str(get(n, "task"))
	if task == "" {
		return false
	}
	name, _, _ := strings.Cut(strings.ToLower(task), "@")
	in.task(pointer, name, get(n, "inputs"))
	return true
}

func (a *azure) script(pointer, kind string, t *source.Text) {
	switch {
	case kind == "pwsh" || kind == "powershell":
		t = t.Masked(maskWindows(t.Data, '`'))
	case kind == "script" && a.windows:
		t = t.Masked(maskWindows(t.Data, '^'))
	}
	if !isShellScript(t.Data) {
		return
	}
	a.pass.nested(t, pointer, func(q *Pass) { q.shell(a.env, templating{scan: scanAzure, look: a.look}) })
}

// task reads the inputs of a task
// (https://learn.microsoft.com/azure/devops/pipelines/tasks/reference/).
func (a *azure) task(pointer, name string, inputs *node) {
	input := func(names ...string) *node {
		for key, v := range pairs(inputs) {
			for _, name := range names {
				if strings.EqualFold(key.Value, name) {
					return v
				}
			}
		}
		return nil
	}
	at := pointer + ".inputs"
	use := func(n *node, role image.Role) {
		if isScalar(n) {
			a.pass.image(a.doc, n, scanAzure, a.look, found{pointer: at, role: role})
		}
	}
	switch name {
	case "bash", "cmdline", "powershell", "azurecli", "azurepowershell", "ssh":
		kind := "bash"
		switch scriptType := strings.ToLower(str(input("scriptType"))); {
		case name == "cmdline":
			kind = "script"
		case strings.Contains(name, "powershell"), scriptType == "ps", scriptType == "pscore":
			kind = "pwsh"
		}
		if t, _ := a.doc.content(input("script", "inlineScript", "inline", "commands")); t != nil {
			a.script(at+".script", kind, t)
		}
	case "docker":
		a.docker(at, input)
	case "azurewebappcontainer":
		a.list(at+".containers", input("containers", "imageName"))
	case "azurefunctionappcontainer":
		use(input("imageName"), image.Pull)
	case "azurecontainerapps":
		use(input("imageToDeploy"), image.Pull)
		use(input("imageToBuild"), image.Output)
	case "kubernetesmanifest":
		a.list(at+".containers", input("containers"))
	}
}

// docker reads the Docker task. What it builds or pushes is an output; "run"
// and "pull" are commands of versions 0 and 1.
func (a *azure) docker(pointer string, input func(...string) *node) {
	command := strings.ToLower(str(input("command", "action")))
	role := image.Output
	name := input("repository", "imageName")
	switch {
	case strings.Contains(command, "login"), strings.Contains(command, "logout"), command == "tag", command == "tag image":
		return
	case strings.Contains(command, "run"), strings.Contains(command, "pull"):
		role = image.Pull
	}
	if !isScalar(name) {
		return
	}
	f := found{pointer: pointer + ".repository", role: role}
	tags := input("tags")
	if t, _ := a.doc.content(tags); t != nil && !bytes.ContainsAny(t.Trim().Data, "\n,") && input("repository") != nil {
		a.pass.split(a.doc, splitImage{name: name, tag: tags, owner: nil}, scanAzure, a.look, f)
		return
	}
	a.pass.image(a.doc, name, scanAzure, a.look, f)
}

// list reads images, one a line.
func (a *azure) list(pointer string, n *node) {
	t, _ := a.doc.content(n)
	if t == nil {
		return
	}
	for start := 0; start < len(t.Data); {
		end := lineEnd(t.Data, start)
		if item := t.Slice(start, end).Trim(); len(item.Data) > 0 {
			a.pass.Use(found{text: item, values: expand(item, scanAzure, a.look), pointer: pointer})
		}
		start = end + 1
	}
}

// look gives "variables.NAME" and "parameters.NAME" in lower case: Azure makes
// no difference between cases.
func (a *azure) look(name string) *binding {
	context, key, _ := strings.Cut(name, ".")
	switch context {
	case "parameters":
		return a.parameter(name, key)
	case "variables":
		return a.variable(name, key, strings.EqualFold)
	}
	return nil
}

// variable is the binding of the variable that is called key in the sense of
// same: what the matrix gives, else the innermost.
func (a *azure) variable(name, key string, same func(variable, key string) bool) *binding {
	if b, ok := a.known[name]; ok {
		return b
	}
	var values []*node
	for _, entry := range a.matrix {
		a.settings(entry, key, same, &values, visited{})
	}
	for i := len(a.variables) - 1; i >= 0 && len(values) == 0; i-- {
		a.settings(a.variables[i], key, same, &values, visited{})
	}
	var b *binding
	if len(values) > 0 {
		b = a.bind(name, key, classEnv, values)
	}
	a.known[name] = b
	return b
}

// bind is a binding to the scalars of the document that set the name.
func (a *azure) bind(name, key string, c *class, values []*node) *binding {
	b := &binding{name: name, class: c, file: a.doc.text.File, region: a.doc.span()}
	b.uses = func() []source.Span { return a.readers(key, c == classInput) }
	b.eval = func() []expr {
		var out []expr
		for _, v := range values[:min(len(values), maxValues)] {
			out = append(out, a.doc.exprs(v, scanAzure, a.look)...)
		}
		return out
	}
	return b
}

// readers are the places that read a variable, or only a parameter, in whatever
// case: "$(x)", "variables.x", "parameters['x']", "$X" in scripts.
func (a *azure) readers(key string, parameter bool) []source.Span {
	f := a.doc.text.File
	lower := &source.File{Path: f.Path, Data: bytes.ToLower(f.Data)}
	if len(lower.Data) != len(f.Data) {
		lower = f // a letter whose lower case is longer
	}
	marks := []string{"parameters.", "parameters['"}
	if !parameter {
		marks = []string{"variables.", "variables['", "$(", "$", "${", "$env:", "%"}
	}
	var found []source.Span
	for _, s := range mentions(lower, a.doc.span(), strings.ToLower(key)) {
		before := lower.Data[:s.Start]
		if slices.ContainsFunc(marks, func(m string) bool { return bytes.HasSuffix(before, []byte(m)) }) {
			found = append(found, s)
		}
	}
	return found
}

// settings collects the values of a variable: "NAME: value" in a mapping, or
// "name: NAME, value: …" in a list, in conditions too.
func (a *azure) settings(n *node, name string, same func(variable, key string) bool, values *[]*node, seen visited) {
	if !seen.first(n) {
		return
	}
	for key, v := range pairs(n) {
		if isExpression(key) {
			a.settings(v, name, same, values, seen)
		} else if same(key.Value, name) && isScalar(v) {
			*values = append(*values, v)
		}
	}
	for _, item := range items(n) {
		if v := get(item, "value"); isScalar(v) && same(str(get(item, "name")), name) {
			*values = append(*values, v)
			continue
		}
		for key, v := range pairs(item) {
			if isExpression(key) {
				a.settings(v, name, same, values, seen)
			}
		}
	}
}

// parameter is the default of a parameter: "- name: X, default: …", or
// "X: default" in templates.
func (a *azure) parameter(name, key string) *binding {
	if b, ok := a.known[name]; ok {
		return b
	}
	value := get(a.parameters, key)
	for _, item := range items(a.parameters) {
		if strings.EqualFold(str(get(item, "name")), key) {
			value = get(item, "default")
		}
	}
	var b *binding
	if isScalar(value) {
		b = a.bind(name, key, classInput, []*node{value})
	}
	a.known[name] = b
	return b
}

// env is what a script knows a name by: the "env" of its step, or a variable
// in upper case.
func (a *azure) env(name string) *binding {
	for i := len(a.envs) - 1; i >= 0; i-- {
		if b := a.doc.setting(a.envs[i], name, classEnv, scanAzure, a.look); b != nil {
			return b
		}
	}
	return a.variable("env."+name, name, func(variable, key string) bool {
		return strings.ToUpper(strings.NewReplacer(".", "_", " ", "_").Replace(variable)) == key
	})
}

// scanAzure finds "$(name)", "${{ expression }}" and "$[ expression ]"
// (https://learn.microsoft.com/azure/devops/pipelines/process/variables).
func scanAzure(data []byte, i int) (variable, bool) {
	for ; ; i++ {
		k := bytes.IndexByte(data[i:], '$')
		if k < 0 {
			return variable{}, false
		}
		i += k
		rest := data[i:]
		switch {
		case bytes.HasPrefix(rest, []byte("$(")):
			if v, ok := scanMacro(data, i); ok {
				return v, true
			}
		case bytes.HasPrefix(rest, []byte("${{")):
			if v, ok := scanExpression(data, i, 3, "}}"); ok {
				return v, true
			}
		case bytes.HasPrefix(rest, []byte("$[")) && i == 0:
			if v, ok := scanExpression(data, i, 2, "]"); ok {
				return v, true
			}
		}
	}
}

func scanMacro(data []byte, i int) (variable, bool) {
	end := i + 2
	for end < len(data) && (isNameByte(data[end]) || data[end] == '.' || data[end] == '-') {
		end++
	}
	if end == i+2 || end >= len(data) || data[end] != ')' {
		return variable{}, false
	}
	v := variable{start: i, end: end + 1, nameStart: i + 2, nameEnd: end}
	v.name = "variables." + strings.ToLower(string(data[i+2:end]))
	return v, true
}

// scanExpression reads an expression that is one variable or parameter; any
// other is only a name.
func scanExpression(data []byte, i, skip int, close string) (variable, bool) {
	window := data[i:min(len(data), i+maxVariable)]
	end := bytes.Index(window, []byte(close))
	if close == "]" { // variables['x'] has one of its own
		if k := bytes.Index(window, []byte("']")); k >= 0 && k+1 == end {
			if next := bytes.IndexByte(window[end+1:], ']'); next >= 0 {
				end += 1 + next
			}
		}
	}
	if end < 0 {
		return variable{}, false
	}
	v := variable{start: i, end: i + end + len(close)}
	v.nameStart, v.nameEnd = trimSpan(data, i+skip, i+end)
	text := string(data[v.nameStart:v.nameEnd])
	for _, context := range []string{"variables", "parameters"} {
		key, ok := strings.CutPrefix(text, context)
		if !ok || key == "" {
			continue
		}
		start := v.nameStart + len(context) + 1
		if strings.HasPrefix(key, "['") && strings.HasSuffix(key, "']") && len(key) > 4 {
			start++
			key = key[2 : len(key)-2]
		} else if strings.HasPrefix(key, ".") {
			key = key[1:]
		} else {
			continue
		}
		if key != "" && strings.IndexFunc(key, func(c rune) bool { return c >= 0x80 || !isNameByte(byte(c)) && c != '.' && c != '-' }) < 0 {
			v.name, v.nameStart, v.nameEnd = context+"."+strings.ToLower(key), start, start+len(key)
			return v, true
		}
	}
	v.name = shorten(text)
	return v, true
}

package parsers

import (
	"bytes"
	"slices"
	"strconv"
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
	Files:   "`.github/workflows`, `.gitea/workflows`, `.forgejo/workflows`, `action.yml`, and workflows elsewhere, by their keys.",
	Places:  "`container`, `services`, `uses: docker://…`, `runs.image`, the inputs of actions that build or run images, and scripts; `env`, inputs and matrices are followed.",
	Comment: "#",
	Detect:  detectGitHub,
	Parse:   parseGitHub,
})

func detectGitHub(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.base
	if base == "action.yml" || base == "action.yaml" {
		if slices.Contains(c.keys(), "runs") {
			return Path
		}
		return No
	}
	for _, host := range []string{".github", ".gitea", ".forgejo"} {
		for _, folder := range []string{"workflows", "workflow-templates"} {
			if inFolder(c.Path, host+"/"+folder) {
				return Path
			}
		}
	}
	if keys := c.keys(); slices.Contains(keys, "on") && slices.Contains(keys, "jobs") {
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
	// job is where the matrix is read.
	job    source.Span
	inputs []*node
	// shells are the "defaults.run.shell" around the place, outermost first.
	shells []string
}

func parseGitHub(p *Pass) {
	for _, d := range p.documents("image", "container", "docker", "podman", "kubectl", "services", "crane", "skopeo", "cosign") {
		g := &github{pass: p, doc: d, inputs: []*node{
			get(d.root, "inputs"), at(d.root, "on", "workflow_call", "inputs"), at(d.root, "on", "workflow_dispatch", "inputs"),
		}}
		g.envs = []*node{get(d.root, "env")}
		g.shells = []string{str(at(d.root, "defaults", "run", "shell"))}
		g.jobs(get(d.root, "jobs"))
		g.action(get(d.root, "runs"))
	}
}

// jobs reads the jobs of a workflow. Each ends where the next begins.
func (g *github) jobs(jobs *node) {
	var names []*node
	var bodies []*node
	for name, job := range pairs(jobs) {
		names, bodies = append(names, name), append(bodies, job)
	}
	for i, name := range names {
		j := *g
		j.job = g.doc.span()
		j.job.Start = g.doc.text.At(g.doc.offset(name))
		if i+1 < len(names) {
			j.job.End = g.doc.text.At(g.doc.offset(names[i+1]))
		}
		j.workflowJob("jobs."+name.Value, bodies[i])
	}
}

func (g *github) workflowJob(pointer string, job *node) {
	g.matrix = at(job, "strategy", "matrix")
	g.envs = append(slices.Clip(g.envs), get(job, "env"))
	g.shells = append(slices.Clip(g.shells), str(at(job, "defaults", "run", "shell")), runnerShell(get(job, "runs-on")))
	g.container(pointer+".container", get(job, "container"))
	for name, s := range pairs(get(job, "services")) {
		g.container(pointer+".services."+name.Value, s)
	}
	g.steps(pointer, get(job, "steps"))
}

// runnerShell is the shell of runners that have no bash by default.
func runnerShell(runsOn *node) string {
	if strings.HasPrefix(str(runsOn), "windows") {
		return "pwsh"
	}
	return ""
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
		if t, _ := g.doc.content(get(s, "run")); t != nil {
			step.run(t, str(get(s, "shell")), at+".run")
		}
		if with := get(s, "with"); with != nil {
			step.with(str(uses), with, at+".with")
		}
	}
}

// run reads the script of a step.
func (g *github) run(t *source.Text, shell, pointer string) {
	// The innermost wins; what a runner has by default comes last.
	for _, i := range []int{1, 0, 2} {
		if shell == "" && i < len(g.shells) {
			shell = g.shells[i]
		}
	}
	name, _, _ := strings.Cut(strings.TrimSpace(shell), " ")
	switch strings.ToLower(strings.TrimSuffix(name, ".exe")) {
	case "python", "python3", "perl", "node", "ruby", "rscript", "php", "deno", "julia", "cmake", "elixir", "jshell", "sage", "nix-instantiate":
		return
	case "pwsh", "powershell":
		t = t.Masked(maskWindows(t.Data, '`'))
	case "cmd":
		t = t.Masked(maskWindows(t.Data, '^'))
	}
	g.script(t, pointer)
}

// maskWindows is a script of PowerShell or cmd with what continues a line, and
// PowerShell's call operator, as the shells of other systems write them.
func maskWindows(data []byte, continues byte) []byte {
	out := bytes.Clone(data)
	start := true // only blanks since the line began
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '\n':
			start = true
			continue
		case c == continues && i+1 < len(out) && (out[i+1] == '\n' || out[i+1] == '\r'):
			out[i] = '\\'
		case c == '&' && start && i+1 < len(out) && out[i+1] == ' ':
			out[i] = ' '
		case isBlank(c):
			continue
		}
		start = false
	}
	return out
}

func (g *github) script(t *source.Text, pointer string) {
	g.pass.nested(t, pointer, func(q *Pass) {
		q.shell(func(name string) *binding { return g.look("env." + name) }, templating{scanGitHub, g.look})
	})
}

// with reads the inputs of an action: those that the table knows, and shell
// text in inputs that are named like it.
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
		if kind == inputOutputs && key.Value == "tags" && has(mappingKeys(with), "repository", "image", "image_name", "imageName") {
			continue // tags alone, as in version 1 of docker/build-push-action
		}
		switch kind {
		case inputImage:
			if !slices.Contains(noImages, t.String()) {
				g.image(v, found{pointer: at})
			}
		case inputName:
			g.named(v, get(with, strings.TrimSuffix(key.Value, "image")+"version"), at)
		case inputImages:
			g.list(t, at, image.Pull)
		case inputOutputs:
			g.list(t, at, image.Output)
		case inputOptions:
			g.options(t, at, "image=")
		case inputContexts:
			g.options(t, at, "docker-image://")
		default:
			if name != "actions/github-script" && isScriptInput(key.Value) {
				g.script(t, at)
			}
		}
	}
}

// noImages are values with which an input for an image says "none".
var noImages = []string{"auto", "off", "false", "true", "none"}

// isScriptInput reports whether an input of an action is named like shell text.
// Other inputs of several lines are texts for people, JavaScript, lists.
func isScriptInput(name string) bool {
	name = strings.ToLower(name)
	for _, word := range strings.FieldsFunc(name, func(c rune) bool { return c == '_' || c == '-' }) {
		switch word {
		case "script", "scripts", "run", "command", "commands", "cmd", "inlinescript", "install", "setup", "exec", "execute", "test", "tests":
			return true
		}
	}
	return strings.HasSuffix(name, "script") || strings.HasSuffix(name, "command")
}

// isBuildAction reports whether an action that the table doesn't know builds an
// image, by its name.
func isBuildAction(name string) bool {
	return strings.Contains(name, "build") && (strings.Contains(name, "docker") || strings.Contains(name, "image") || strings.Contains(name, "push")) ||
		strings.Contains(name, "kaniko") || strings.Contains(name, "buildx")
}

// list reports each line, or each element between commas, as an image. Of
// elements "key=value" only names are images ("name=acme/app,enable=true").
func (g *github) list(t *source.Text, pointer string, role image.Role) {
	at := 0
	emit := func(end int) {
		item := t.Slice(at, end).Trim()
		at = end + 1
		if bytes.HasPrefix(item.Data, []byte("name=")) {
			item = item.Slice(len("name="), len(item.Data))
		}
		fixed, _, _ := bytes.Cut(item.Data, []byte("${{"))
		if len(item.Data) > 0 && item.Data[0] != '#' && bytes.IndexByte(fixed, '=') < 0 {
			g.pass.Use(found{text: item, values: expand(item, scanGitHub, g.look), role: role, pointer: pointer})
		}
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

// options reads the references behind a mark, "image=" or "docker-image://",
// among options of a line or an element each.
func (g *github) options(t *source.Text, pointer, mark string) {
	for start := 0; start < len(t.Data); {
		end := len(t.Data)
		if i := bytes.IndexAny(t.Data[start:], "\n,"); i >= 0 {
			end = start + i
		}
		item := t.Slice(start, end).Trim()
		i := bytes.Index(item.Data, []byte(mark))
		if i == 0 || i > 0 && item.Data[i-1] == '=' {
			item = item.Slice(i+len(mark), len(item.Data))
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
	inputNone     input = iota
	inputImage          // one image that is pulled
	inputName           // one image whose tag is the input "…version"
	inputImages         // images that are pulled, one a line or between commas
	inputOutputs        // names under which an image is built
	inputOptions        // "image=ref" among other options
	inputContexts       // "name=docker-image://ref"
)

// actionInputs are the inputs of public actions that name images to pull, run,
// deploy, build on or build, by action without its version. Images that are
// only looked at (scanners, signers) are not among them.
var actionInputs = map[string]map[string]input{
	"addnab/docker-run-action":                      {"image": inputImage},
	"akhilerm/tag-push-action":                      {"dst": inputOutputs},
	"azure/container-apps-deploy-action":            {"imageToDeploy": inputImage, "imageToBuild": inputOutputs},
	"azure/k8s-deploy":                              {"images": inputImages},
	"azure/webapps-deploy":                          {"images": inputImages},
	"azure/webapps-container-deploy":                {"images": inputImages},
	"azure/aci-deploy":                              {"image": inputImage},
	"aws-actions/amazon-ecs-render-task-definition": {"image": inputImage},
	"container-tools/kind-action":                   {"node_image": inputImage},
	"docker/build-push-action":                      {"tags": inputOutputs, "repository": inputOutputs, "build-contexts": inputContexts},
	"docker/metadata-action":                        {"images": inputOutputs},
	"docker/setup-qemu-action":                      {"image": inputImage},
	"docker/setup-buildx-action":                    {"driver-opts": inputOptions},
	"elgohr/publish-docker-github-action":           {"name": inputOutputs},
	"engineerd/setup-kind":                          {"image": inputImage},
	"google-github-actions/deploy-cloudrun":         {"image": inputImage},
	"helm/kind-action":                              {"node_image": inputImage},
	"kohlerdominik/docker-run-action":               {"image": inputImage},
	"maus007/docker-run-action-fork":                {"image": inputImage},
	"medyagh/setup-minikube":                        {"base-image": inputImage},
	"messense/maturin-action":                       {"container": inputImage},
	"mosteo-actions/docker-run":                     {"image": inputImage},
	"pyo3/maturin-action":                           {"container": inputImage},
	"redhat-actions/buildah-build":                  {"image": inputOutputs, "base-image": inputImage},
	"redhat-actions/s2i-build":                      {"builder_image": inputImage, "image": inputOutputs},
	"renovatebot/github-action":                     {"renovate-image": inputName},
	"shrink/actions-docker-extract":                 {"image": inputImage},
	"supercharge/mongodb-github-action":             {"mongodb-image": inputName},
	"supercharge/redis-github-action":               {"redis-image": inputName},
	"tj-actions/docker-run":                         {"image": inputImage},
	"uraimo/run-on-arch-action":                     {"base_image": inputImage},
}

func (g *github) image(n *node, f found) {
	g.pass.image(g.doc, n, scanGitHub, g.look, f)
}

// look resolves the contexts that the file itself decides: env, matrix and
// inputs. What defines one of them reads only those around it.
func (g *github) look(name string) *binding {
	context, key, _ := strings.Cut(name, ".")
	switch context {
	case "env":
		for i := len(g.envs) - 1; i >= 0; i-- {
			if n := get(g.envs[i], key); n != nil {
				outer := *g
				outer.envs = g.envs[:i]
				b := outer.bind(name, key, classEnv, func() []expr { return outer.texts(n) })
				b.def = g.doc.keySpan(g.envs[i], key)
				return b
			}
		}
	case "matrix":
		outer := *g
		outer.matrix = nil
		if texts := g.matrixTexts(&outer, strings.Split(key, ".")); len(texts) > 0 {
			b := g.bind(name, name, g.matrixClass(key), func() []expr { return texts })
			b.region = g.job
			return b
		}
	case "inputs":
		for _, in := range g.inputs {
			if n := at(in, key, "default"); n != nil {
				outer := *g
				outer.inputs = nil
				return outer.bind(name, name, classInput, func() []expr { return outer.texts(n) })
			}
		}
	}
	return nil
}

// bind is a binding within the document; word is how readers spell it.
func (g *github) bind(name, word string, c *class, eval func() []expr) *binding {
	return &binding{name: name, word: word, class: c, file: g.pass.Text.File, region: g.doc.span(), eval: eval}
}

// keySpan is the place of a key that a mapping has itself.
func (d *document) keySpan(n *node, key string) source.Span {
	for k := range pairs(n) {
		if k.Value == key {
			at := d.offset(k)
			s, _ := d.text.Span(at, min(at+len(key), len(d.text.Data)))
			return s
		}
	}
	return source.Span{}
}

// texts are what a scalar of the document can stand for.
func (g *github) texts(n *node) []expr {
	t, links := g.doc.content(n)
	if t == nil {
		return nil
	}
	values := expand(t, scanGitHub, g.look)
	if target := follow(n); target.ShortTag() == "!!float" && len(values) == 1 && len(values[0]) == 1 {
		// An unquoted 3.10 is the number 3.1.
		if f, err := strconv.ParseFloat(t.String(), 64); err == nil {
			if number := strconv.FormatFloat(f, 'f', -1, 64); number != t.String() {
				values[0][0].text, values[0][0].exact = number, false
			}
		}
	}
	for _, l := range links {
		for i := range values {
			values[i] = through(l, values[i])
		}
	}
	return values
}

// matrixTexts are the values of a matrix key, its "include" entries too. A path
// goes into entries that are mappings. The matrix may be JSON within an
// expression.
func (g *github) matrixTexts(outer *github, keys []string) []expr {
	var out []expr
	list := get(g.matrix, keys[0])
	if t, _ := g.doc.content(list); t != nil && len(keys) == 1 {
		for _, item := range jsonList(t) {
			out = append(out, literal(item))
		}
	}
	for _, n := range items(list) {
		if v := at(n, keys[1:]...); v != nil {
			out = append(out, outer.texts(v)...)
		}
	}
	for _, n := range items(get(g.matrix, "include")) {
		if v := at(n, keys...); v != nil {
			out = append(out, outer.texts(v)...)
		}
	}
	return out[:min(len(out), maxValues)]
}

// jsonList is the elements of "${{ fromJSON('["a", "b"]') }}", a list of strings
// without escapes.
func jsonList(t *source.Text) []*source.Text {
	data := t.Data
	start, end := bytes.Index(data, []byte("'[")), bytes.LastIndex(data, []byte("]'"))
	if start < 0 || end < start || !bytes.Contains(bytes.ToLower(data[:start]), []byte("fromjson(")) {
		return nil
	}
	var out []*source.Text
	at := start + 2
	for at < end {
		open := bytes.IndexByte(data[at:end], '"')
		if open < 0 {
			break
		}
		open += at + 1
		shut := bytes.IndexByte(data[open:end], '"')
		if shut < 0 || bytes.IndexByte(data[open:open+shut], '\\') >= 0 || bytes.ContainsAny(data[at:open-1], "{}[]") {
			return nil
		}
		out = append(out, t.Slice(open, open+shut))
		at = open + shut + 1
	}
	return out
}

// classMatrixShared is a matrix entry with a reader that can't be seen.
var classMatrixShared = &class{noun: classMatrix.noun, safety: image.Refused,
	why: "something reads the matrix as a whole, or \"exclude\" compares with this entry"}

// matrixClass says how an entry of the matrix is read: by its name alone, or
// also in ways that don't spell it.
func (g *github) matrixClass(key string) *class {
	first, _, nested := strings.Cut(key, ".")
	for _, n := range items(get(g.matrix, "exclude")) {
		if get(n, first) != nil {
			return classMatrixShared
		}
	}
	f := g.pass.Text.File
	for _, s := range mentions(f, g.job, "matrix") {
		if s.End < len(f.Data) && strings.IndexByte("[)} ", f.Data[s.End]) >= 0 {
			return classMatrixShared
		}
	}
	if nested {
		for _, s := range mentions(f, g.job, "matrix."+first) {
			if s.End < len(f.Data) && f.Data[s.End] != '.' {
				return classMatrixShared
			}
		}
	}
	return classMatrix
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
	// A matrix may lack the key in some of its entries only.
	if or := bytes.Index(expression, []byte("||")); or >= 0 && !bytes.HasPrefix(expression, []byte("matrix.")) {
		lo, hi := trimSpan(data, v.nameStart+or+2, v.nameEnd)
		if hi-lo >= 2 && data[lo] == '\'' && data[hi-1] == '\'' && bytes.Count(data[lo:hi], []byte{'\''}) == 2 {
			v.op, v.word = ":-", [2]int{lo + 1, hi - 1}
			_, v.nameEnd = trimSpan(data, v.nameStart, v.nameStart+or)
			expression = data[v.nameStart:v.nameEnd]
		}
	}
	v.name = string(expression)
	// What readers spell of a variable is the last part.
	if context, key, ok := strings.Cut(v.name, "."); ok && context == "env" && isWord(key) {
		v.nameStart += len("env.")
	} else if !isContext(v.name) {
		v.name, v.op = shorten(v.name), ""
		lo, hi := trimSpan(data, v.start+3, v.end-2)
		v.eval = func(t *source.Text, look lookup) []expr { return evaluate(t, lo, hi, look) }
	}
	return v, true
}

// isContext reports whether an expression is just the name of a context.
func isContext(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isNameByte(s[i]) && s[i] != '.' && s[i] != '-' {
			return false
		}
	}
	return s != ""
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

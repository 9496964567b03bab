package parsers

import (
	"bytes"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Buildkite reads pipelines and their plugins
// (https://buildkite.com/docs/pipelines/configure/step-types).
var Buildkite = register(Format{
	Name:    "buildkite",
	Title:   "Buildkite",
	Files:   "YAML and JSON in `.buildkite`, `buildkite.yml`, and pipelines elsewhere that have plugins with versions.",
	Places:  "`image` of steps and agents, the images of plugins (docker, kubernetes with its pods, caches), and commands; matrices are followed.",
	Comment: "#",
	Detect:  detectBuildkite,
	Parse:   parseBuildkite,
})

func detectBuildkite(c *Candidate) Certainty {
	if !c.isYAMLOrJSON() {
		return No
	}
	base := c.name
	inside := inFolder(c.Path, ".buildkite")
	named := inside || c.isYAML() && strings.HasPrefix(strings.TrimPrefix(base, "."), "buildkite")
	switch {
	case named && !containsAny(c.Data, []string{"steps", "command"}):
		return No
	case inside && !c.isYAML():
		if jsonHasKey(c.Data, "steps") {
			return Path
		}
		return No
	case named:
		if looksLikeManifest(c.Data) {
			return No
		}
		if inside && !slices.Contains(c.keys(), "steps") {
			return Likely // what steps run lies there too, such as Compose files
		}
		return Path
	}
	// Pipelines are uploaded from anywhere; the versions of plugins tell.
	if c.isYAML() && slices.Contains(c.keys(), "steps") {
		plugins := bytes.Contains(c.Data, []byte("plugins:")) && bytes.Contains(c.Data, []byte("#v"))
		if plugins || bytes.Contains(c.Data, []byte("buildkite")) {
			return Content
		}
	}
	return No
}

// buildkite is one pipeline being read.
type buildkite struct {
	pass *Pass
	doc  *document
	// env is that of the whole pipeline: the only one that is put into the
	// text of the pipeline when it is uploaded.
	env lookup
}

func parseBuildkite(p *Pass) {
	for _, d := range p.documents(ciWords...) {
		b := &buildkite{pass: p, doc: d, env: d.environment(scanDollar, get(d.root, "env"))}
		b.image("image", get(d.root, "image"), b.env)
		b.agents("agents", get(d.root, "agents"), b.env)
		steps := get(d.root, "steps")
		if steps == nil {
			steps = d.root
		}
		b.steps("steps", steps, 0)
		// Parts of steps are kept under keys of any name, for anchors.
		for key, v := range pairs(d.root) {
			switch {
			case key.Value == "steps" || key.Value == "env" || key.Value == "notify" || isMerge(key):
			case key.Value == "plugins" || isPlugins(v):
				b.plugins(key.Value, v, b.env)
			case isMapping(v) && (get(v, "plugins") != nil || get(v, "agents") != nil || get(v, "command") != nil || get(v, "commands") != nil):
				b.step(key.Value, v)
			default:
				for name, part := range pairs(v) {
					if isPlugins(part) {
						b.plugins(key.Value+"."+name.Value, part, b.env)
					}
				}
			}
		}
	}
}

// isPlugins reports whether a list or mapping holds plugins, which have
// versions in their names.
func isPlugins(n *node) bool {
	for key, v := range pairs(n) {
		if isMapping(v) && strings.Contains(key.Value, "#v") {
			return true
		}
	}
	for _, item := range items(n) {
		for key := range pairs(item) {
			if strings.Contains(key.Value, "#v") {
				return true
			}
		}
	}
	return false
}

func (b *buildkite) steps(pointer string, n *node, depth int) {
	for i, step := range items(n) {
		name := pointer + pointerIndex(i)
		if key := str(get(step, "key")); key != "" {
			name = joinPointer(pointer, key)
		}
		if inner := get(step, "steps"); inner != nil && depth < maxAliases {
			b.steps(name+".steps", inner, depth+1)
		}
		for _, kind := range []string{"command", "script"} { // an older way to write a step
			if n := get(step, kind); isMapping(n) {
				b.step(name, n)
			}
		}
		b.step(name, step)
	}
}

func (b *buildkite) step(pointer string, step *node) {
	matrix := b.matrix(get(step, "matrix"))
	look := func(name string) *binding {
		if strings.HasPrefix(name, "matrix") {
			return matrix(name)
		}
		return b.env(name)
	}
	b.image(pointer+".image", get(step, "image"), look)
	b.agents(pointer+".agents", get(step, "agents"), look)
	b.plugins(pointer+".plugins", get(step, "plugins"), look)

	var texts []*source.Text
	for _, key := range []string{"command", "commands"} {
		for _, t := range b.doc.texts(get(step, key)) {
			texts = append(texts, undouble(t))
		}
	}
	own := b.doc.environment(scanDollar, get(step, "env"), get(b.doc.root, "env"))
	b.pass.shellAt(pointer, texts, own, templating{scan: scanMatrix, look: matrix})
}

// matrix looks "matrix" and "matrix.NAME" up
// (https://buildkite.com/docs/pipelines/configure/workflows/build-matrix).
func (b *buildkite) matrix(n *node) lookup {
	known := map[string]*binding{}
	setup := get(n, "setup")
	if setup == nil {
		setup = n
	}
	return func(name string) *binding {
		if v, ok := known[name]; ok {
			return v
		}
		key, named := strings.CutPrefix(name, "matrix.")
		values := setup
		if named {
			values = get(setup, key)
		}
		if !isSequence(values) {
			return nil
		}
		list := follow(values)
		v := &binding{name: name, class: classMatrix, file: b.doc.text.File, region: b.doc.span()}
		if named {
			v.def = b.doc.keySpan(setup, key)
		}
		v.uses = func() []source.Span { return readersOfMatrix(b.doc, name) }
		v.eval = func() []expr {
			var out []expr
			for _, item := range list.Content {
				if len(out) < maxValues {
					out = append(out, b.doc.exprs(item, scanDollar, b.env)...)
				}
			}
			// Adjustments add combinations that the lists don't have.
			for _, a := range items(get(n, "adjustments")) {
				with := get(a, "with")
				if named {
					with = get(with, key)
				}
				if isScalar(with) && len(out) < maxValues && !slices.ContainsFunc(out, func(e expr) bool { return e.text() == str(with) }) {
					out = append(out, b.doc.exprs(with, scanDollar, b.env)...)
				}
			}
			return out
		}
		known[name] = v
		return v
	}
}

// readersOfMatrix are the places that read a value of a matrix; another step
// may have a matrix of the same name, which makes the answer too long only.
func readersOfMatrix(d *document, name string) []source.Span {
	var out []source.Span
	for at := 0; ; {
		v, ok := scanMatrix(d.text.Data, at)
		if !ok {
			return out
		}
		if v.name == name {
			s, _ := d.text.Span(v.nameStart, v.nameEnd)
			out = append(out, s)
		}
		at = v.end
	}
}

// scanMatrix finds "{{matrix}}" and "{{matrix.NAME}}".
func scanMatrix(data []byte, i int) (variable, bool) {
	return scanBetween(data, i, "{{", "}}", func(name []byte) bool { return bytes.HasPrefix(name, []byte("matrix")) })
}

// scanBuildkite finds what stands for something in a pipeline's text.
func scanBuildkite(data []byte, i int) (variable, bool) {
	return firstOf(scanMatrix, scanDollar)(data, i)
}

// image reports the container of a step, as agents in Kubernetes and hosted
// agents have it. "$$" leaves a variable to the agent.
func (b *buildkite) image(pointer string, n *node, look lookup) {
	if isScalar(n) {
		b.pass.image(b.doc, n, scanBuildkite, look, found{pointer: pointer})
	}
}

// agents reports the image that an agent is asked for by a tag, unless it is
// that of a virtual machine of a cloud.
func (b *buildkite) agents(pointer string, n *node, look lookup) {
	v := get(n, "image")
	if !isScalar(v) || strings.HasPrefix(str(v), "family/") {
		return
	}
	switch provider := strings.ToLower(str(get(n, "provider"))); {
	case provider == "" || strings.Contains(provider, "k8s") || strings.Contains(provider, "kubernetes"):
	default:
		return
	}
	for _, key := range []string{"machineType", "instanceType", "imageProject", "diskType", "diskSizeGb"} {
		if get(n, key) != nil {
			return
		}
	}
	t, _ := b.doc.content(v)
	if t == nil {
		return
	}
	for _, e := range expand(t.Trim(), scanBuildkite, look) {
		if s := e.text(); strings.HasPrefix(s, "family/") || len(e.missing()) == 0 && !clearlyImage(s) {
			return // a name that an operator gave a machine or an image
		}
	}
	b.image(pointer+".image", v, look)
}

// plugins reads a list of plugins, or a mapping of them
// (https://buildkite.com/docs/pipelines/integrations/plugins/using).
func (b *buildkite) plugins(pointer string, n *node, look lookup) {
	for key, config := range pairs(n) {
		b.plugin(pointer, key.Value, config, look)
	}
	for _, item := range items(n) {
		for key, config := range pairs(item) {
			b.plugin(pointer, key.Value, config, look)
		}
	}
}

func (b *buildkite) plugin(pointer, source string, config *node, look lookup) {
	name := pluginName(source)
	pointer = joinPointer(pointer, name)
	switch {
	case name == "kubernetes":
		b.pod(pointer, config)
	case containsAny([]byte(name), []string{"anka", "tart", "-vm", "packer"}):
	case name == "docker" || name == "k8s" || name == "docker-run":
		b.image(pointer+".image", get(config, "image"), look)
		b.pass.command(b.doc, get(config, "command"), pointer+".command")
	default:
		b.otherPlugin(pointer, get(config, "image"), look)
	}
}

// otherPlugin reports the "image" of a plugin that is not known here.
func (b *buildkite) otherPlugin(pointer string, n *node, look lookup) {
	t, _ := b.doc.content(n)
	if t == nil {
		return
	}
	for _, e := range expand(t.Trim(), scanBuildkite, look) {
		if len(e.missing()) == 0 && !clearlyImage(e.text()) {
			return
		}
	}
	b.pass.image(b.doc, n, scanBuildkite, look, found{pointer: pointer + ".image", confidence: image.Medium})
}

// pluginName is the short name of a plugin: "docker" for "docker#v5.12.0" and
// for "ssh://git@example.com/docker-buildkite-plugin.git#v5.12.0".
func pluginName(s string) string {
	s, _, _ = strings.Cut(s, "#")
	s = strings.TrimSuffix(s, ".git")
	s = s[strings.LastIndexAny(s, "/:")+1:]
	return strings.TrimSuffix(s, "-buildkite-plugin")
}

// pod reads the settings of agents in Kubernetes
// (https://buildkite.com/docs/agent/v3/agent-stack-k8s/podspec).
func (b *buildkite) pod(pointer string, config *node) {
	q := *b.pass
	q.pointer = joinPointer(q.pointer, pointer)
	k := &kubernetes{pass: &q, doc: b.doc, walked: map[walkKey]bool{}}
	for _, key := range []string{"podSpec", "podSpecPatch"} {
		if n := get(config, key); isMapping(n) {
			k.walk(n, key, key, 0)
		}
	}
	for i, c := range items(get(config, "sidecars")) {
		k.container(c, "sidecars"+pointerIndex(i))
	}
}

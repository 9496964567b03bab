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
	Comment: "#",
	Detect:  detectGitLab,
	Parse:   parseGitLab,
})

func detectGitLab(name string, data []byte) Certainty {
	if !isYAML(name) {
		return No
	}
	base := strings.ToLower(path.Base(name))
	if strings.Contains(base, ".gitlab-ci.") || strings.HasSuffix(strings.TrimSuffix(base, path.Ext(base)), "gitlab-ci") {
		return Path
	}
	if !containsAny(data, []string{"script:", "image:", "services:"}) {
		return No
	}
	for _, folder := range []string{".gitlab", ".gitlab-ci", "gitlab-ci"} {
		if inFolder(name, folder) {
			return Likely
		}
	}
	if strings.Contains(base, "gitlab") && slices.ContainsFunc(topKeys(data), func(k string) bool { return k == "stages" || k == "include" || k == "variables" }) {
		return Likely
	}
	if bytes.Contains(data, []byte("script:")) && gitlabJobs(data) {
		return Content
	}
	return No
}

// gitlabJobs reports whether a text without a telling name has GitLab jobs:
// top-level keys of that dialect alone, or hidden jobs with scripts.
func gitlabJobs(data []byte) bool {
	keys := topKeys(data)
	hidden := slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, ".") && len(k) > 1 })
	known := slices.ContainsFunc(keys, func(k string) bool {
		return k == "stages" || k == "before_script" || k == "default" || k == "include" || k == "workflow"
	})
	foreign := slices.ContainsFunc(keys, func(k string) bool {
		switch k {
		case "apiVersion", "kind", "jobs", "steps", "pipeline", "on", "language", "dist", "matrix", "env", "os", "addons", "name", "pipelines", "definitions", "version", "pool", "trigger", "tasks", "task":
			return true
		}
		return false
	})
	return !foreign && (hidden || known)
}

// gitlab is one pipeline file being read.
type gitlab struct {
	pass      *Pass
	doc       *document
	variables []*node // "variables" mappings around the place, outermost first
}

// gitlabGlobal are the top-level keys that are no jobs.
var gitlabGlobal = []string{"stages", "include", "variables", "workflow", "spec", "cache", "types"}

func parseGitLab(p *Pass) {
	for _, d := range p.documents("image", "services", "docker", "podman", "script", "kubectl", "crane", "skopeo", "cosign") {
		g := &gitlab{pass: p, doc: d, variables: []*node{get(d.root, "variables")}}
		g.images("", d.root)
		g.scripts("", d.root)
		for name, job := range pairs(d.root) {
			if isMapping(job) && !slices.Contains(gitlabGlobal, name.Value) && name.Value != "image" && !isMerge(name) {
				g.ciJob(name.Value, job)
			}
		}
	}
}

func (g *gitlab) ciJob(name string, job *node) {
	j := *g
	j.variables = append(slices.Clip(g.variables), get(job, "variables"))
	j.images(name, job)
	j.scripts(name, job)
}

// images reads the "image" and "services" of a job or of the whole file: each a
// string, or a mapping with "name".
func (g *gitlab) images(pointer string, n *node) {
	g.named(joinPointer(pointer, "image"), get(n, "image"))
	for i, s := range items(get(n, "services")) {
		g.named(joinPointer(pointer, "services")+pointerIndex(i), s)
	}
}

func (g *gitlab) named(pointer string, n *node) {
	if isMapping(n) {
		n, pointer = get(n, "name"), pointer+".name"
	}
	if n == nil || isSequence(n) || str(n) == "_" {
		return // "!reference [job, image]" is counted where it points
	}
	g.image(n, pointer)
}

// dependencyProxy are the predefined variables for GitLab's pull-through cache
// of Docker Hub: what follows them is the image
// (https://docs.gitlab.com/user/packages/dependency_proxy/).
var dependencyProxy = []string{"CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX", "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX"}

func (g *gitlab) image(n *node, pointer string) {
	f := found{pointer: pointer}
	t, links := g.doc.content(n)
	if t == nil || n.Kind == yaml.AliasNode || len(links) > 0 {
		g.pass.image(g.doc, n, scanGitLab, g.look, f)
		return
	}
	t = t.Trim()
	f.text, f.values = t, expand(t, scanGitLab, g.look)
	if v, ok := scanGitLab(t.Data, 0); ok && v.start == 0 && slices.Contains(dependencyProxy, v.name) && v.end < len(t.Data) && t.Data[v.end] == '/' {
		f.values = expand(t.Slice(v.end+1, len(t.Data)), scanGitLab, g.look)
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
	return v, true
}

func (g *gitlab) look(name string) *binding {
	for i := len(g.variables) - 1; i >= 0; i-- {
		n := get(g.variables[i], name)
		if isMapping(n) {
			n = get(n, "value")
		}
		if n == nil {
			continue
		}
		t, _ := g.doc.content(n)
		if t == nil {
			continue
		}
		return &binding{name: name, class: classEnv, file: t.File, region: source.Span{End: len(t.File.Data)},
			eval: func() []expr { return expand(t, scanGitLab, g.look) }}
	}
	return nil
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
	if isScalar(n) {
		if t, _ := g.doc.content(n); t != nil {
			return []*source.Text{t}
		}
		return nil
	}
	var out []*source.Text
	if target := follow(n); target == nil || target.Tag == "!reference" || depth > maxAliases {
		return nil
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

package parsers

import (
	"bytes"
	"path"
	"strings"
)

// Vela reads pipelines of Vela and its templates
// (https://go-vela.github.io/docs/reference/yaml/).
var Vela = register(Format{
	Name:    "vela",
	Title:   "Vela",
	Files:   "`.vela.yml`, YAML in `.vela`, and templates, by their keys.",
	Places:  "`image` of steps, of services and of the origins of secrets, and commands.",
	Comment: "#",
	Detect:  detectVela,
	Parse:   parseVela,
})

func detectVela(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.name
	base = strings.TrimSuffix(base, path.Ext(base))
	switch {
	case base == ".vela":
		return Path
	}
	keys := c.keys()
	if !has(keys, "steps", "stages") || !keysWithin(keys, "version", "metadata", "environment", "secrets", "services", "stages", "steps", "templates", "worker", "deployment", "git") ||
		!containsAny(c.Data, []string{"ruleset:", "template: true", "pull: "}) || !bytes.Contains(c.Data, []byte("steps:")) {
		return No
	}
	if base == "vela" || hasFolder(c.Path, ".vela") {
		return Likely
	}
	if has(keys, "version", "metadata") && containsAny(c.Data, []string{"ruleset:", "template: true", "template: false"}) {
		return Content
	}
	return No
}

func parseVela(p *Pass) {
	for _, d := range p.documents(ciWords...) {
		s := &stepper{pass: p, doc: d, envs: []*node{get(d.root, "environment")}, substitutes: true}
		s.containers("steps", get(d.root, "steps"))
		s.containers("services", get(d.root, "services"))
		for name, stage := range entries(get(d.root, "stages")) {
			in := *s
			in.envs = append(in.envs[:1:1], get(stage, "environment"))
			in.containers("stages."+name.Value+".steps", get(stage, "steps"))
		}
		for i, secret := range items(get(d.root, "secrets")) {
			if origin := get(secret, "origin"); isMapping(origin) {
				s.container("secrets"+pointerIndex(i)+".origin", origin)
			}
		}
	}
}

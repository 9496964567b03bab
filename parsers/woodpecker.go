package parsers

import (
	"path"
	"strings"
)

// Woodpecker reads workflows of Woodpecker and Crow
// (https://woodpecker-ci.org/docs/usage/workflow-syntax).
var Woodpecker = register(Format{
	Name:    "woodpecker",
	Title:   "Woodpecker",
	Files:   "`.woodpecker.yml`, YAML in `.woodpecker` or `.crow`.",
	Places:  "`image` of steps, services and clone steps, and commands; matrices are followed.",
	Comment: "#",
	Detect:  detectWoodpecker,
	Parse:   parseWoodpecker,
})

func detectWoodpecker(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.name
	base = strings.TrimSuffix(base, path.Ext(base))
	folder := hasFolder(c.Path, ".woodpecker", ".crow")
	if !folder && !strings.Contains(base, "woodpecker") && base != ".crow" {
		return No
	}
	if keys := c.keys(); !has(keys, "steps", "pipeline", "services", "clone") || has(keys, "apiVersion", "jobs", "inputs") {
		return No
	}
	if folder || strings.HasPrefix(base, ".woodpecker") || base == ".crow" {
		return Path
	}
	return Likely
}

func parseWoodpecker(p *Pass) {
	for _, d := range p.documents(ciWords...) {
		s := &stepper{pass: p, doc: d, look: matrixLookup(d, get(d.root, "matrix"))}
		for _, section := range []string{"clone", "steps", "pipeline", "services"} {
			s.containers(section, get(d.root, section))
		}
	}
}

package parsers

import (
	"path"
	"strings"
)

// Ko reads the configuration of ko, which names the images that Go programs are
// built on (https://ko.build/configuration/).
var Ko = register(Format{
	Name:    "ko",
	Title:   "ko",
	Files:   "`.ko.yaml`, and YAML with `defaultBaseImage` or `baseImageOverrides`.",
	Places:  "Both of these.",
	Comment: "#",
	Detect:  detectKo,
	Parse:   parseKo,
})

func detectKo(c *Candidate) Certainty {
	switch {
	case !c.isYAML():
	case strings.TrimSuffix(c.name, path.Ext(c.name)) == ".ko":
		return Path
	case has(c.keys(), "defaultBaseImage", "baseImageOverrides") && !has(c.keys(), "kind"):
		return Content
	}
	return No
}

func parseKo(p *Pass) {
	for _, d := range p.documents("aseImage") {
		if n := get(d.root, "defaultBaseImage"); isScalar(n) {
			p.image(d, n, noVariables, noLookup, found{pointer: "defaultBaseImage"})
		}
		for key, n := range pairs(get(d.root, "baseImageOverrides")) {
			if isScalar(n) {
				p.image(d, n, noVariables, noLookup, found{pointer: "baseImageOverrides." + key.Value})
			}
		}
	}
}

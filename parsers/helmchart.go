package parsers

import "strings"

// HelmChart reads the list of images that a chart's Chart.yaml carries for
// Artifact Hub (https://artifacthub.io/docs/topics/annotations/helm/), which
// pulls each to scan it. Bitnami's charts have the same list as "images".
var HelmChart = register(Format{
	Name:    "helmchart",
	Title:   "Helm chart",
	Files:   "`Chart.yaml`.",
	Places:  "The annotation `artifacthub.io/images`, or `images`.",
	Comment: "#",
	Detect:  detectHelmChart,
	Parse:   parseHelmChart,
})

func detectHelmChart(c *Candidate) Certainty {
	if c.name == "chart.yaml" {
		return Path
	}
	return No
}

func parseHelmChart(p *Pass) {
	for _, d := range p.documents("images") {
		for key, v := range pairs(get(d.root, "annotations")) {
			switch key.Value {
			case "artifacthub.io/images", "images":
				if t, _ := d.content(v); t != nil {
					p.nested(t, "annotations."+key.Value, parseImageList)
				}
			}
		}
	}
}

// parseImageList reads a list of mappings with an "image".
func parseImageList(p *Pass) {
	for _, d := range p.documents("image") {
		k := &kubernetes{pass: p, doc: d}
		for i, item := range items(d.root) {
			if n := get(item, "image"); isScalar(n) && k.plausible(n) && !strings.Contains(str(n), "{{") {
				k.image(n, found{pointer: pointerIndex(i) + ".image"})
			}
		}
	}
}

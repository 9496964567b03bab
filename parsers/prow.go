package parsers

import "bytes"

// Prow reads job configurations of Prow, Kubernetes' CI: lists of jobs with pod
// specs (https://docs.prow.k8s.io/docs/jobs/).
var Prow = register(Format{
	Name:    "prow",
	Title:   "Prow job",
	Files:   "YAML with `presubmits`, `postsubmits` or `periodics`.",
	Places:  "The containers of each job's pod, and what they run.",
	Comment: "#",
	Detect:  detectProw,
	Parse:   parseProw,
})

// prowKeys are the top-level keys under which jobs stand.
var prowKeys = []string{"presubmits", "postsubmits", "periodics"}

func detectProw(c *Candidate) Certainty {
	if c.isYAML() && has(c.keys(), prowKeys...) && bytes.Contains(c.Data, []byte("containers:")) {
		return Content
	}
	return No
}

func parseProw(p *Pass) {
	for _, d := range p.documents("image") {
		k := &kubernetes{pass: p, doc: d, walked: map[walkKey]bool{}}
		for _, key := range prowKeys {
			k.walk(get(d.root, key), key, key, 0)
		}
	}
}

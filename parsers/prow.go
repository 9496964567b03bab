package parsers

import "slices"

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

func detectProw(name string, data []byte) Certainty {
	if !isYAML(name) || !containsAny(data, prowKeys) || !containsAny(data, []string{"containers:"}) {
		return No
	}
	if slices.ContainsFunc(topKeys(data), func(k string) bool { return slices.Contains(prowKeys, k) }) {
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

package parsers

import (
	"bytes"
	"path"
	"strings"
)

// Drone reads pipelines of Drone in all versions of its format
// (https://docs.drone.io/pipeline/docker/overview/): documents with "steps",
// the "pipeline" of 0.5 to 0.8, and the sections of 0.4.
var Drone = register(Format{
	Name:    "drone",
	Title:   "Drone",
	Files:   "`.drone.yml`, other `.drone.*` YAML, and documents with `kind: pipeline`.",
	Places:  "`image` of steps, services, and of the sections of all earlier versions, and commands.",
	Comment: "#",
	Detect:  detectDrone,
	Parse:   parseDrone,
})

func detectDrone(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.name
	base = strings.TrimSuffix(base, path.Ext(base))
	switch {
	case base == ".drone" || strings.HasPrefix(base, ".drone.") || strings.HasPrefix(base, ".drone-"):
		return Path
	case !has(c.keys(), "apiVersion") && bytes.Contains(c.Data, []byte("kind: pipeline")):
		if has(c.keys(), "steps", "type") {
			return Likely
		}
	case base == "drone" || hasFolder(c.Path, ".drone"):
		if keys := c.keys(); has(keys, "pipeline", "steps") && !has(keys, "apiVersion", "jobs") {
			return Likely
		}
	}
	return No
}

// droneSections are the top-level keys that hold containers.
var droneSections = []string{"steps", "services", "pipeline", "clone", "build", "compose", "publish", "deploy", "notify", "cache"}

func parseDrone(p *Pass) {
	for _, d := range p.documents(ciWords...) {
		s := &stepper{pass: p, doc: d, look: matrixLookup(d, get(d.root, "matrix")), envs: []*node{get(d.root, "environment")}}
		q := *p
		if name := str(get(d.root, "name")); name != "" {
			q.pointer = name
		}
		s.pass = &q
		for _, section := range droneSections {
			s.containers(section, get(d.root, section))
		}
	}
}

package parsers

import (
	"path"
	"strings"
)

// Molecule reads the scenarios with which Ansible roles are tested: the
// platforms of its container drivers (https://docs.ansible.com/projects/molecule/).
var Molecule = register(Format{
	Name:    "molecule",
	Title:   "Molecule scenario",
	Files:   "`molecule.yml`, and scenarios in a folder `molecule`.",
	Places:  "`image` of the platforms.",
	Comment: "#",
	Detect:  detectMolecule,
	Parse:   parseMolecule,
})

func detectMolecule(c *Candidate) Certainty {
	base := strings.TrimSuffix(c.base, path.Ext(c.Path))
	if !c.isYAML() || !containsAny(c.Data, []string{"platforms:"}) {
		return No
	}
	if base == "molecule" {
		return Path
	}
	if inFolder(c.Path, "molecule") && containsAny(c.Data, []string{"driver:", "provisioner:"}) {
		return Likely
	}
	return No
}

func parseMolecule(p *Pass) {
	for _, d := range p.documents("image") {
		switch str(at(d.root, "driver", "name")) {
		case "", "default", "delegated", "docker", "podman", "containers":
		default:
			continue // images of virtual machines
		}
		for i, platform := range items(get(d.root, "platforms")) {
			if n := get(platform, "image"); n != nil {
				p.image(d, n, p.scanner(), p.look, found{pointer: "platforms" + pointerIndex(i) + ".image"})
			}
		}
	}
}

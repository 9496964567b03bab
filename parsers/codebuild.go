package parsers

import (
	"slices"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// CodeBuild reads the build specifications of AWS CodeBuild
// (https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html).
// The image of a project is set where the project is.
var CodeBuild = register(Format{
	Name:    "codebuild",
	Title:   "AWS CodeBuild",
	Files:   "YAML and JSON with `buildspec` in its name, or with the phases of one.",
	Places:  "The images of batch builds, and the commands of phases.",
	Comment: "#",
	Detect:  detectCodeBuild,
	Parse:   parseCodeBuild,
})

func detectCodeBuild(c *Candidate) Certainty {
	if !c.isYAMLOrJSON() {
		return No
	}
	named := strings.Contains(c.name, "buildspec")
	if !c.isYAML() {
		if named && jsonHasKey(c.Data, "phases") {
			return Path
		}
		return No
	}
	keys := c.keys()
	switch {
	case !slices.Contains(keys, "phases") && !slices.Contains(keys, "batch"):
		return No
	case named:
		return Path
	case slices.Contains(keys, "version") && containsAny(c.Data, []string{"pre_build:", "post_build:", "runtime-versions:"}):
		return Content
	}
	return No
}

// codeBuildPhases are in the order in which they run.
var codeBuildPhases = []string{"install", "pre_build", "build", "post_build"}

func parseCodeBuild(p *Pass) {
	for _, d := range p.documents(ciWords...) {
		// Values are handed over as they are.
		look := d.environment(noVariables, at(d.root, "env", "variables"))
		var texts []*source.Text
		for _, phase := range codeBuildPhases {
			for _, key := range []string{"commands", "finally"} {
				texts = append(texts, d.texts(at(d.root, "phases", phase, key))...)
			}
		}
		p.shellAt("phases", texts, look, templating{})
		for _, list := range []string{"build-list", "build-graph", "build-fanout"} {
			for i, n := range items(at(d.root, "batch", list)) {
				p.batchImages(d, at(n, "env", "image"), "batch."+list+pointerIndex(i)+".env.image")
			}
		}
		for _, kind := range []string{"static", "dynamic"} {
			p.batchImages(d, at(d.root, "batch", "build-matrix", kind, "env", "image"), "batch.build-matrix."+kind+".env.image")
		}
	}
}

// curatedImages begins the names of CodeBuild's own images, which are in no
// registry and have no digest to write.
const curatedImages = "aws/codebuild/"

// batchImages reports the images, one or a list, that builds of a batch run in
// (https://docs.aws.amazon.com/codebuild/latest/userguide/batch-build-buildspec.html).
func (p *Pass) batchImages(d *document, n *node, pointer string) {
	if isScalar(n) && !strings.HasPrefix(str(n), curatedImages) {
		p.image(d, n, noVariables, noLookup, found{pointer: pointer})
	}
	for i, item := range items(n) {
		if !strings.HasPrefix(str(item), curatedImages) {
			p.image(d, item, noVariables, noLookup, found{pointer: pointer + pointerIndex(i)})
		}
	}
}

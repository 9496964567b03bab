package parsers

import (
	"strings"

	"github.com/digestlint/digestlint/source"
)

// AppVeyor reads the scripts of AppVeyor's configuration, which names container
// images nowhere else: its "image" is a virtual machine
// (https://www.appveyor.com/docs/appveyor-yml/).
var AppVeyor = register(Format{
	Name:    "appveyor",
	Title:   "AppVeyor",
	Files:   "YAML with `appveyor` in its name.",
	Places:  "The scripts; `image` is a virtual machine there.",
	Comment: "#",
	Detect:  detectAppVeyor,
	Parse:   parseAppVeyor,
})

func detectAppVeyor(c *Candidate) Certainty {
	if c.isYAML() && strings.Contains(c.name, "appveyor") {
		return Path
	}
	return No
}

var appVeyorPhases = []string{
	"init", "install", "before_build", "build_script", "after_build", "before_test", "test_script", "after_test",
	"before_package", "before_deploy", "deploy_script", "after_deploy", "on_success", "on_failure", "on_finish",
}

func parseAppVeyor(p *Pass) {
	for _, d := range p.documents(shellWords...) {
		p.appVeyor(d, "", d.root)
		for i, n := range items(get(d.root, "for")) {
			p.appVeyor(d, "for"+pointerIndex(i), n)
		}
	}
}

func (p *Pass) appVeyor(d *document, pointer string, n *node) {
	env := get(d.root, "environment")
	look := d.environment(noVariables, get(n, "environment"), get(env, "matrix"), get(env, "global"), env)
	for _, phase := range appVeyorPhases {
		script := get(n, phase)
		var texts []*source.Text
		for _, item := range items(script) {
			for _, shell := range []string{"cmd", "ps", "pwsh", "sh"} {
				texts = append(texts, d.texts(get(item, shell))...)
			}
			texts = append(texts, d.texts(item)...)
		}
		if isScalar(script) {
			texts = d.texts(script)
		}
		p.shellAt(joinPointer(pointer, phase), texts, look, templating{})
	}
}

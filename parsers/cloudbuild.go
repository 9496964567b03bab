package parsers

import (
	"bytes"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// CloudBuild reads build configurations of Google Cloud Build
// (https://cloud.google.com/build/docs/build-config-file-schema), YAML and JSON.
var CloudBuild = register(Format{
	Name:    "cloudbuild",
	Title:   "Cloud Build",
	Files:   "YAML and JSON with `cloudbuild` in its name, or with steps of cloud builders.",
	Places:  "The `name` of steps, what their arguments and scripts run, and `images`, which are outputs; substitutions are followed.",
	Comment: "#",
	Detect:  detectCloudBuild,
	Parse:   parseCloudBuild,
})

func detectCloudBuild(c *Candidate) Certainty {
	// The keys first: most files end there.
	if !c.isYAMLOrJSON() || c.isYAML() && !has(c.keys(), "steps", "build") || !bytes.Contains(c.Data, []byte("steps")) {
		return No
	}
	base := strings.NewReplacer("-", "", "_", "", ".", "").Replace(c.name)
	if strings.Contains(base, "cloudbuild") {
		if c.ext == ".json" && jsonHasKey(c.Data, "steps") || has(c.keys(), "steps", "build") {
			return Path
		}
		return No
	}
	if !containsAny(c.Data, []string{"cloud-builders/", "cloudsdktool/", "$PROJECT_ID", "${PROJECT_ID}", "gcr.io/kaniko-project/"}) {
		return No
	}
	if c.ext == ".json" {
		if jsonHasKey(c.Data, "steps") && jsonHasKey(c.Data, "name") && !jsonHasKey(c.Data, "apiVersion") {
			return Content
		}
		return No
	}
	if keys := c.keys(); slices.Contains(keys, "steps") && keysWithin(keys, cloudBuildKeys...) {
		return Content
	}
	return No
}

// cloudBuildKeys are the fields of a build.
var cloudBuildKeys = []string{
	"steps", "timeout", "queueTtl", "logsBucket", "options", "substitutions", "tags", "serviceAccount", "secrets",
	"availableSecrets", "artifacts", "images", "dependencies",
}

type cloudBuild struct {
	pass *Pass
	doc  *document
	// substitutions are the defaults of the variables of users.
	substitutions *node
	class         *class
	known         map[string]*binding
	// envs are the environments around the place, outermost first.
	envs []*node
}

// classSubstitution is a substitution that only the file reads: those who
// override it replace all of its text.
var classSubstitution = &class{noun: "substitution", overridable: true}

// classSubstitutionEnv is a substitution that the steps get as a variable too.
var classSubstitutionEnv = &class{noun: "substitution", overridable: true, safety: image.Unsafe,
	why: "automapSubstitutions gives it to every program of the build"}

func parseCloudBuild(p *Pass) {
	for _, d := range p.documents("steps") {
		root := d.root
		if !isSequence(get(root, "steps")) {
			root = get(root, "build") // an exported trigger
		}
		options := get(root, "options")
		c := &cloudBuild{pass: p, doc: d, substitutions: get(root, "substitutions"), class: classSubstitution, known: map[string]*binding{}, envs: []*node{get(options, "env")}}
		if str(get(options, "automapSubstitutions")) == "true" {
			c.class = classSubstitutionEnv
		}
		for i, step := range items(get(root, "steps")) {
			c.step("steps"+pointerIndex(i), step)
		}
		for _, list := range []*node{get(root, "images"), at(root, "artifacts", "images")} {
			for i, n := range items(list) {
				p.image(d, n, scanDollar, c.look, found{pointer: "images" + pointerIndex(i), role: image.Output})
			}
		}
	}
}

// look gives the substitutions of users. Those of Cloud Build itself are known
// only when it runs.
func (c *cloudBuild) look(name string) *binding {
	if !strings.HasPrefix(name, "_") {
		return nil
	}
	b, ok := c.known[name]
	if !ok {
		b = c.doc.setting(c.substitutions, name, c.class, scanDollar, c.look)
		c.known[name] = b
	}
	return b
}

// variable is what a script knows a name by.
func (c *cloudBuild) variable(name string) *binding {
	for i := len(c.envs) - 1; i >= 0; i-- {
		if b := c.doc.setting(c.envs[i], name, classEnv, scanDollar, c.look); b != nil {
			return b
		}
	}
	return c.look(name)
}

func (c *cloudBuild) step(pointer string, n *node) {
	name := get(n, "name")
	if name == nil {
		return
	}
	c.pass.image(c.doc, name, scanDollar, c.look, found{pointer: pointer + ".name"})
	in := *c
	in.envs = append(slices.Clip(c.envs), get(n, "env"))
	q := *c.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.vars = templating{scan: scanDollar, look: in.variable}
	if t, _ := c.doc.content(get(n, "script")); t != nil && isShellScript(t.Data) {
		q.nested(t, "script", func(q *Pass) { q.shell(in.variable, templating{}) })
	}
	args := get(n, "args")
	var texts []*source.Text
	for _, t := range c.doc.texts(args) {
		texts = append(texts, undouble(t))
	}
	if len(texts) == 0 {
		return
	}
	program := str(get(n, "entrypoint"))
	if program == "" {
		program = entryPoint(str(name))
	}
	q.pointer += ".args"
	if !isSequence(args) || program == "" {
		return
	}
	q.words(program, texts)
}

// entryPoint is the program that an image of Cloud Build's community runs: its
// name, as in "gcr.io/cloud-builders/docker", or "" where that says nothing.
func entryPoint(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	if i := strings.IndexAny(name, ":@"); i >= 0 {
		name = name[:i]
	}
	switch name {
	case "cloud-sdk", "google-cloud-cli":
		return ""
	case "executor":
		return "kaniko"
	}
	return name
}

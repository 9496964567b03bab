package parsers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Compose reads Compose and stack files
// (https://github.com/compose-spec/compose-spec/blob/main/spec.md), version 1
// files included. Variables come from the ".env" beside the file.
var Compose = register(Format{
	Name:    "compose",
	Title:   "Compose",
	Comment: "#",
	Detect:  detectCompose,
	Parse:   parseCompose,
})

func detectCompose(name string, data []byte) Certainty {
	if !isYAML(name) {
		return No
	}
	named := strings.Contains(strings.ToLower(path.Base(name)), "compose")
	if !bytes.Contains(data, []byte("services")) {
		if named && composeV1(data) {
			return Likely
		}
		return No
	}
	keys := topKeys(data)
	if !slices.Contains(keys, "services") {
		if named && (slices.Contains(keys, "include") || composeV1(data)) {
			return Likely
		}
		return No
	}
	if named {
		return Path
	}
	for _, k := range keys {
		switch k {
		case "version", "services", "volumes", "networks", "secrets", "configs", "name", "include", "models":
		default:
			if !strings.HasPrefix(k, "x-") {
				return No
			}
		}
	}
	if containsAny(data, []string{"image:", "build:", `"image"`, `"build"`}) {
		return Content
	}
	return No
}

// composeV1 reports whether a text looks like a file of services without a
// "services" key.
func composeV1(data []byte) bool {
	keys := topKeys(data)
	return len(keys) > 0 && !slices.Contains(keys, "apiVersion") && containsAny(data, []string{" image:", " build:"})
}

// compose is one Compose file being read.
type compose struct {
	pass *Pass
	doc  *document
	env  map[string]*binding
}

func parseCompose(p *Pass) {
	c := &compose{pass: p, env: p.dotEnv()}
	for _, d := range p.documents("image", "build", "docker") {
		c.doc = d
		services := get(d.root, "services")
		if services == nil {
			services = d.root
		}
		for name, service := range pairs(services) {
			if isMapping(service) {
				c.service(name.Value, service)
			}
		}
	}
}

// dotEnv is the variables of the ".env" beside the file
// (https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax).
func (p *Pass) dotEnv() map[string]*binding {
	f := p.open(".env")
	if f == nil {
		return nil
	}
	env := map[string]*binding{}
	whole := source.Whole(f)
	for n := 1; n <= f.Lines(); n++ {
		start := f.Offset(n)
		line := f.Line(n)
		eq := bytes.IndexByte(line, '=')
		if t := bytes.TrimSpace(line); eq < 0 || len(t) == 0 || t[0] == '#' {
			continue
		}
		name := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(line[:eq])), "export "))
		value := whole.Slice(start+eq+1, start+len(line)).Trim()
		scan := scanner(scanDollar)
		switch quoted := unquote(value); {
		case quoted != value:
			if value.Data[0] == '\'' {
				scan = noVariables
			}
			value = quoted
		default:
			if i := bytes.Index(value.Data, []byte(" #")); i >= 0 {
				value = value.Slice(0, i).Trim()
			}
		}
		def := source.Span{Start: start, End: start + eq}
		env[name] = &binding{name: name, class: classDotEnv, file: f, def: def, region: source.Span{End: len(f.Data)},
			eval: func() []expr { return expand(value, scan, func(n string) *binding { return env[n] }) }}
	}
	return env
}

// look is the binding of a variable: an outer script's, else the ".env" file's.
func (c *compose) look(name string) *binding {
	if b := c.pass.look(name); b != nil {
		return b
	}
	if b := c.env[name]; b != nil {
		return b
	}
	return nil
}

// image reports a scalar in which Compose interpolates.
func (c *compose) image(n *node, f found) {
	c.pass.image(c.doc, n, c.scan, c.look, f)
}

// scan is how Compose writes variables; what an operator means that has no
// place of its own is asked of Compose itself.
func (c *compose) scan(data []byte, i int) (variable, bool) {
	v, ok := c.pass.scanner()(data, i)
	if ok && v.op != "" && v.word == [2]int{} {
		v.compute = func() (string, bool) { return c.substitute(string(data[v.start:v.end])) }
	}
	return v, ok
}

// substitute interpolates as Compose does.
func (c *compose) substitute(text string) (string, bool) {
	known := true
	get := func(name string) (string, bool) {
		if b := c.look(name); b != nil {
			if texts := b.texts(); len(texts) > 0 && len(texts[0].missing()) == 0 {
				return texts[0].text(), true
			}
		}
		known = false
		return "", false
	}
	out, err := template.SubstituteWithOptions(text, get, template.WithoutLogging)
	return out, err == nil && known
}

func (c *compose) service(name string, s *node) {
	pointer := "services." + name
	build := get(s, "build")
	role := image.Pull
	if build != nil && !null(build) {
		role = image.Output
	}
	if n := get(s, "image"); n != nil {
		c.image(n, found{role: role, pointer: pointer + ".image"})
	}
	c.build(pointer+".build", build)
	for i, v := range items(get(s, "volumes")) {
		if str(get(v, "type")) == "image" {
			if n := get(v, "source"); n != nil {
				c.image(n, found{pointer: pointer + ".volumes" + pointerIndex(i) + ".source"})
			}
		}
	}
	for _, key := range []string{"command", "entrypoint"} {
		c.pass.command(c.doc, get(s, key), pointer+"."+key)
	}
}

func (c *compose) build(pointer string, build *node) {
	if n := get(build, "dockerfile_inline"); n != nil {
		if t, _ := c.doc.content(n); t != nil {
			c.pass.nested(t, pointer+".dockerfile_inline", parseDockerfile)
		}
	}
	contexts := get(build, "additional_contexts")
	for key, v := range pairs(contexts) {
		if strings.HasPrefix(str(v), "docker-image://") {
			c.image(v, found{pointer: pointer + ".additional_contexts." + key.Value})
		}
	}
	for i, n := range items(contexts) {
		t, _ := c.doc.content(n)
		if t == nil {
			continue
		}
		if at := bytes.Index(t.Data, []byte("=docker-image://")); at >= 0 {
			ref := t.Slice(at+len("=docker-image://"), len(t.Data))
			c.pass.Use(found{text: ref, values: expand(ref, c.scan, c.look), pointer: pointer + ".additional_contexts" + pointerIndex(i)})
		}
	}
}

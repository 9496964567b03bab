package parsers

import (
	"bytes"
	"path"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// Csproj reads the properties of .NET projects that say how the SDK builds a
// container (https://learn.microsoft.com/dotnet/core/containers/publish-configuration),
// and the commands that their targets run.
var Csproj = register(Format{
	Name:   "csproj",
	Title:  ".NET project",
	Files:  "`*.csproj`, `*.fsproj`, `*.vbproj`, `*.pubxml`, and `*.props` and `*.targets` of MSBuild.",
	Places: "`ContainerBaseImage`, the names that a project publishes, which are outputs, and commands of targets; properties are followed.",
	Detect: detectCsproj,
	Parse:  parseCsproj,
})

func detectCsproj(c *Candidate) Certainty {
	switch strings.ToLower(path.Ext(c.Path)) {
	case ".csproj", ".fsproj", ".vbproj", ".pubxml":
		return Path
	case ".props", ".targets":
		if bytes.Contains(c.Data, []byte("<Project")) {
			return Path
		}
	}
	return No
}

func parseCsproj(p *Pass) {
	if !containsAny(p.Text.Data, []string{"ContainerBaseImage", "ContainerRepository", "ContainerImageName"}) {
		return
	}
	v := &properties{scan: scanMSBuild, elements: map[string][]*element{}, bindings: map[string]*binding{}, class: classProperty,
		word: func(name string) string { return "$(" + name + ")" }}
	root := p.xml()
	root.each(func(e *element) {
		if e.parent != nil && e.parent.name == "PropertyGroup" {
			v.elements[e.name] = append(v.elements[e.name], e)
		}
	})
	for _, e := range v.elements["ContainerBaseImage"] {
		v.use(p, e, image.Pull, e.name)
	}
	for _, name := range []string{"ContainerRepository", "ContainerImageName"} {
		for _, e := range v.elements[name] {
			v.output(p, e)
		}
	}
}

// classProperty is a property of MSBuild: the command line overrides it, and
// whatever the project imports reads it.
var classProperty = &class{noun: "property", overridable: true, safety: image.Unsafe,
	why: "targets that the project imports may read this property"}

// output reports the name of the image that a project builds, with the registry
// and the tags that stand beside it.
func (v *properties) output(p *Pass, e *element) {
	if e.text == nil {
		return
	}
	values := expand(e.text, v.scan, v.look)
	if r := e.parent.child("ContainerRegistry"); r != nil && r.text != nil {
		host := product(expand(r.text, v.scan, v.look), []expr{{joiner(e.text, "/")}})
		values = product(host, values)
	}
	tag := e.parent.child("ContainerImageTag")
	if tag != nil && tag.text != nil {
		values = product(product(values, []expr{{joiner(e.text, ":")}}), expand(tag.text, v.scan, v.look))
	} else if tags := e.parent.child("ContainerImageTags"); tags != nil && tags.text != nil {
		values = v.tagged(e, values, tags)
	}
	p.Use(found{text: e.text, values: values, role: image.Output, pointer: e.name})
}

// tagged is each text with each of the tags of a list.
func (v *properties) tagged(e *element, values []expr, tags *element) []expr {
	var out []expr
	at := 0
	for _, tag := range bytes.Split(tags.text.Data, []byte(";")) {
		if t := tags.text.Slice(at, at+len(tag)).Trim(); len(t.Data) > 0 {
			out = append(out, product(product(values, []expr{{joiner(e.text, ":")}}), expand(t, v.scan, v.look))...)
		}
		at += len(tag) + 1
	}
	if len(out) == 0 {
		return values
	}
	return out
}

// scanMSBuild finds "$(Name)". What is a function of it is unknown.
func scanMSBuild(data []byte, i int) (variable, bool) {
	for {
		at := bytes.Index(data[i:], []byte("$("))
		if at < 0 {
			return variable{}, false
		}
		at += i
		end := at + 2
		for depth := 1; end < len(data) && end-at < maxVariable; end++ {
			if data[end] == '(' {
				depth++
			} else if data[end] == ')' {
				if depth--; depth == 0 {
					break
				}
			}
		}
		if end < len(data) && data[end] == ')' {
			return variable{start: at, end: end + 1, name: string(data[at+2 : end]), nameStart: at, nameEnd: end + 1}, true
		}
		i = at + 2
	}
}

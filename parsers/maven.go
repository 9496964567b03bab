package parsers

import (
	"bytes"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Maven reads the plugins of a pom.xml that build and run images: Spring Boot's
// (https://docs.spring.io/spring-boot/maven-plugin/build-image.html), Jib
// (https://github.com/GoogleContainerTools/jib/tree/master/jib-maven-plugin),
// docker-maven-plugin (https://fabric8io.github.io/docker-maven-plugin/) and the
// ones that share its configuration.
var Maven = register(Format{
	Name:   "maven",
	Title:  "Maven",
	Files:  "`pom.xml` and other poms.",
	Places: "The images of Jib, Spring Boot, docker-maven-plugin, kubernetes-maven-plugin and Quarkus, and commands of the exec plugin; properties are followed.",
	Detect: detectMaven,
	Parse:  parseMaven,
})

func detectMaven(c *Candidate) Certainty {
	base := c.base
	if base == "pom.xml" || strings.HasSuffix(base, ".pom") || strings.HasPrefix(base, "pom-") && strings.HasSuffix(base, ".xml") {
		if bytes.Contains(c.Data, []byte("<project")) {
			return Path
		}
	}
	return No
}

// mavenWords are in every pom that names an image.
var mavenWords = []string{
	"spring-boot-maven-plugin", "jib-maven-plugin", "docker-maven-plugin", "dockerfile-maven-plugin", "kubernetes-maven-plugin",
	"openshift-maven-plugin", "k8s-maven-plugin", "<jib.", "<spring-boot.build-image.", "<quarkus.", "<jkube.", "<executable>",
}

// mavenProperties are the properties of their own that name images.
var mavenProperties = []struct {
	name string
	role image.Role
}{
	{"jib.from.image", image.Pull},
	{"jib.to.image", image.Output},
	{"spring-boot.build-image.builder", image.Pull},
	{"spring-boot.build-image.runImage", image.Pull},
	{"spring-boot.build-image.imageName", image.Output},
	{"quarkus.jib.base-jvm-image", image.Pull},
	{"quarkus.jib.base-native-image", image.Pull},
	{"quarkus.container-image.image", image.Output},
	{"jkube.generator.from", image.Pull},
	{"jkube.generator.name", image.Output},
}

// maven is one pom being read.
type maven struct {
	*properties
	pass *Pass
}

func parseMaven(p *Pass) {
	if !containsAny(p.Text.Data, mavenWords) {
		return
	}
	m := &maven{pass: p, properties: &properties{scan: scanMaven, elements: map[string][]*element{}, bindings: map[string]*binding{},
		class: classMaven, word: func(name string) string { return "${" + name + "}" }}}
	root := p.xml()
	project := root.child("project")
	root.each(func(e *element) {
		if e.parent != nil && e.parent.name == "properties" {
			m.elements[e.name] = append(m.elements[e.name], e)
		}
	})
	m.projectProperties(project)
	for _, property := range mavenProperties {
		for _, e := range m.elements[property.name] {
			m.use(p, e, property.role, "properties."+property.name)
		}
	}
	root.each(func(e *element) {
		if e.name == "plugin" {
			m.plugin(e)
		}
	})
}

// classMaven is a property of a pom. Modules inherit it, and the command line
// overrides it.
var classMaven = &class{noun: "property", overridable: true, safety: image.Unsafe, why: "modules may inherit and read this property"}

// classCoordinate is a name or version of the project itself.
var classCoordinate = &class{noun: "coordinate", safety: image.Refused,
	why: "it names the project, not the image; write the tag and its digest in one piece"}

// projectProperties are the names that every pom has.
func (m *maven) projectProperties(project *element) {
	for _, name := range []string{"version", "artifactId", "groupId", "name"} {
		e := project.child(name)
		if e == nil && (name == "version" || name == "groupId") {
			e = project.child("parent", name)
		}
		if e != nil && e.text != nil {
			for _, prefix := range []string{"project.", "pom."} {
				m.bindings[prefix+name] = &binding{name: prefix + name, class: classCoordinate,
					eval: func() []expr { return expand(e.text, m.scan, m.look) }}
			}
		}
	}
}

func (m *maven) plugin(e *element) {
	artifact := e.child("artifactId").string()
	configurations := e.all("configuration")
	for _, x := range e.child("executions").all("execution") {
		configurations = append(configurations, x.all("configuration")...)
	}
	for _, c := range configurations {
		switch artifact {
		case "spring-boot-maven-plugin":
			m.springBoot(c.child("image"), artifact)
		case "jib-maven-plugin":
			m.jib(c, artifact)
		case "docker-maven-plugin", "fabric8-maven-plugin", "kubernetes-maven-plugin", "openshift-maven-plugin", "k8s-maven-plugin":
			m.images(c.child("images"), artifact)
			if artifact == "docker-maven-plugin" { // of Spotify
				m.at(c, artifact, image.Pull, "baseImage")
				m.at(c, artifact, image.Output, "imageName")
			}
			for _, kind := range c.child("generator", "config").allChildren() {
				m.at(kind, artifact, image.Pull, "from")
				m.at(kind, artifact, image.Output, "name")
			}
		case "dockerfile-maven-plugin":
			m.at(c, artifact, image.Output, "repository")
		case "exec-maven-plugin":
			m.exec(c)
		}
	}
}

func (e *element) allChildren() []*element {
	if e == nil {
		return nil
	}
	return e.children
}

// at reports the element along a path, if it is there.
func (m *maven) at(e *element, plugin string, role image.Role, path ...string) {
	if found := e.child(path...); found != nil {
		m.use(m.pass, found, role, plugin+" "+found.pointer("configuration"))
	}
}

func (m *maven) springBoot(n *element, plugin string) {
	m.at(n, plugin, image.Pull, "builder")
	m.at(n, plugin, image.Pull, "runImage")
	m.at(n, plugin, image.Output, "name")
	for _, tag := range n.child("tags").all("tag") {
		m.use(m.pass, tag, image.Output, plugin+" "+tag.pointer("configuration"))
	}
	for _, pack := range n.child("buildpacks").all("buildpack") {
		if strings.HasPrefix(pack.string(), "docker://") {
			m.use(m.pass, pack, image.Pull, plugin+" "+pack.pointer("configuration"))
		}
	}
}

// jib reads a base image, which may come from a registry, from Docker or from a
// file.
func (m *maven) jib(c *element, plugin string) {
	from := c.child("from", "image")
	if from == nil {
		from = c.child("from").textIfPlain()
	}
	if from != nil && from.text != nil && !strings.HasPrefix(from.string(), "tar://") {
		plain := *from
		if rest, ok := bytes.CutPrefix(from.text.Data, []byte("registry://")); ok {
			plain.text = from.text.Slice(len(from.text.Data)-len(rest), len(from.text.Data))
		}
		m.use(m.pass, &plain, image.Pull, plugin+" "+from.pointer("configuration"))
	}
	to := c.child("to", "image")
	if to == nil {
		to = c.child("to").textIfPlain()
	}
	if to != nil {
		m.use(m.pass, to, image.Output, plugin+" "+to.pointer("configuration"))
	}
}

// textIfPlain is e if it has text and no elements: the short form.
func (e *element) textIfPlain() *element {
	if e != nil && len(e.children) == 0 && e.text != nil {
		return e
	}
	return nil
}

// images reads the images of docker-maven-plugin: one with a "build" is built,
// any other is run.
func (m *maven) images(n *element, plugin string) {
	for _, e := range n.all("image") {
		build := e.child("build")
		role := image.Pull
		if build != nil {
			role = image.Output
		}
		m.at(e, plugin, role, "name")
		m.at(build, plugin, image.Pull, "from")
	}
}

// exec reads a command that exec-maven-plugin runs.
func (m *maven) exec(c *element) {
	program := c.child("executable")
	if program == nil || program.text == nil {
		return
	}
	texts := []*source.Text{program.text}
	for _, a := range c.child("arguments").allChildren() {
		if a.name == "argument" && a.text != nil {
			texts = append(texts, a.text)
		}
	}
	q := *m.pass
	q.pointer = "exec-maven-plugin"
	q.vars = templating{scan: m.scan, look: m.look}
	q.words("", texts)
}

// scanMaven finds "${name}", whose names have dots and dashes.
func scanMaven(data []byte, i int) (variable, bool) {
	v, ok := scanBetween(data, i, "${", "}", func(name []byte) bool { return !bytes.ContainsAny(name, "${ \n") })
	v.nameStart, v.nameEnd = v.start, v.end
	return v, ok
}

package parsers

import (
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Gradle reads the plugins of Gradle builds, in Groovy and Kotlin, that build
// and run images: Jib
// (https://github.com/GoogleContainerTools/jib/tree/master/jib-gradle-plugin),
// Spring Boot's bootBuildImage
// (https://docs.spring.io/spring-boot/gradle-plugin/packaging-oci-image.html)
// bmuschko's docker plugin
// (https://bmuschko.github.io/gradle-docker-plugin/current/user-guide/)
// and Eclipse JKube
// (https://eclipse.dev/jkube/docs/kubernetes-gradle-plugin/).
var Gradle = register(Format{
	Name:    "gradle",
	Title:   "Gradle",
	Files:   "`*.gradle` and `*.gradle.kts`.",
	Places:  "The images of Jib, of Spring Boot's `bootBuildImage`, of bmuschko's docker plugin and of JKube, and `commandLine`.",
	Comment: "//",
	Detect:  detectGradle,
	Parse:   parseGradle,
})

func detectGradle(c *Candidate) Certainty {
	if base := c.base; strings.HasSuffix(base, ".gradle") || strings.HasSuffix(base, ".gradle.kts") {
		return Path
	}
	return No
}

// gradleWords are in every build that names an image.
var gradleWords = []string{"jib", "ootBuildImage", "baseImage", "Docker", "docker", "podman", "jkube"}

// gradleImages are the properties that name images, with the blocks around
// them, the innermost last.
var gradleImages = []struct {
	path string
	role image.Role
}{
	{"jib.from.image", image.Pull},
	{"jib.to.image", image.Output},
	{"bootBuildImage.builder", image.Pull},
	{"bootBuildImage.runImage", image.Pull},
	{"bootBuildImage.imageName", image.Output},
	{"javaApplication.baseImage", image.Pull},
	{"springBootApplication.baseImage", image.Pull},
	{"mainBuildImage.baseImage", image.Pull},
	{"dockerfile.baseImage", image.Pull},
	{"dockerfileNative.baseImage", image.Pull},
	{"DockerPullImage.image", image.Pull},
	{"DockerCreateContainer.imageId", image.Pull},
	{"images.image.name", image.Output},
	{"images.image.build.from", image.Pull},
	{"images.image.build.buildpacksBuilderImage", image.Pull},
}

func parseGradle(p *Pass) {
	if !containsAny(p.Text.Data, gradleWords) {
		return
	}
	src := lexGroovy(p.Text)
	j := &jenkins{groovyScript: newGroovyScript(src), pass: p, functions: map[string]*groovyFunction{}, declared: map[int]bool{}}
	g := &gradle{jenkins: j, paths: make([]string, len(j.blocks))}
	j.stages, j.registries = make([]string, len(j.blocks)), make([]groovyRange, len(j.blocks))
	for i, b := range j.blocks {
		if b.parent >= 0 {
			g.paths[i] = joinKey(g.paths[b.parent], g.blockName(b))
		}
	}
	for k := range j.tokens {
		if j.kind(k) == groovyPunct && j.is(k, "=") {
			j.assignment(k, false)
		}
	}
	j.assignAll()
	for k := range j.tokens {
		g.find(k)
	}
}

// gradle is one build being read.
type gradle struct {
	*jenkins
	// paths are, by block, the names of the blocks around it and its own.
	paths []string
}

// blockName is what a block configures: its header or, for a task that is
// looked up or created, the task's type or name.
func (g *gradle) blockName(b groovyBlock) string {
	for k := b.open - 1; k >= 0 && g.kind(k) != groovyNewline && !g.is(k, "{") && !g.is(k, "}") && b.open-k < 24; k-- {
		word := g.word(k)
		if g.kind(k) == groovyString {
			word = g.literal(k).text.String()
		}
		switch word {
		case "bootBuildImage", "BootBuildImage":
			return "bootBuildImage"
		case "DockerPullImage", "DockerCreateContainer":
			return word
		}
	}
	return b.header
}

// find reads "name = value", "name value" and "name.set(value)" at token k.
func (g *gradle) find(k int) {
	if g.kind(k) != groovyName || g.is(k-1, ".") {
		return
	}
	if word := g.word(k); word == "commandLine" {
		g.commandLine(k)
		return
	}
	name := joinKey(g.paths[g.block[k]], g.word(k))
	end := k + 1
	for g.is(end, ".") && g.kind(end+1) == groovyName && !g.is(end+1, "set") {
		name = joinKey(name, g.word(end+1))
		end += 2
	}
	for _, i := range gradleImages {
		if name != i.path && !strings.HasSuffix(name, "."+i.path) {
			continue
		}
		if x, ok := g.given(end); ok {
			g.image(x, k, i.path, i.role)
		}
	}
}

// given is the value that stands behind a property at token k.
func (g *gradle) given(k int) (groovyRange, bool) {
	switch {
	case g.is(k, "="):
		return g.expression(k + 1), true
	case g.is(k, ".") && g.is(k+1, "set"):
		args, _, ok := g.call(k + 1)
		x, found := argument(args, "", 0)
		return x, ok && found
	case g.kind(k) == groovyString:
		return groovyRange{src: g.groovySource, from: k, to: k + 1, at: k}, true
	}
	return groovyRange{}, false
}

func (g *gradle) image(x groovyRange, k int, pointer string, role image.Role) {
	text := x.text()
	if strings.HasPrefix(text.String(), "tar://") || text.String() == "scratch" {
		return // no image
	}
	if rest := cutScheme(text); len(rest.Data) < len(text.Data) && x.isString() && !strings.Contains(text.String(), "$") {
		g.pass.Use(found{text: rest, role: role, pointer: pointer})
		return
	}
	g.use(x, k, pointer, role)
}

// commandLine reads the words of an Exec task.
func (g *gradle) commandLine(k int) {
	args, _, ok := g.call(k)
	if !ok {
		return
	}
	var words []*source.Text
	for _, a := range args {
		if !a.isString() {
			break
		}
		words = append(words, a.text())
	}
	q := *g.pass
	q.pointer = "commandLine"
	q.words("", words)
}

package parsers

import (
	"path"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// Tiltfile reads the Starlark of Tilt (https://docs.tilt.dev/api.html): the
// images that it builds, the commands that it runs, and the manifests and
// Dockerfiles in its strings.
var Tiltfile = register(Format{
	Name:    "tiltfile",
	Title:   "Tiltfile",
	Files:   "`Tiltfile` and its like.",
	Places:  "`docker_build` and `custom_build`, which give outputs, Dockerfiles and manifests in strings, and commands.",
	Comment: "#",
	Detect:  detectTiltfile,
	Parse:   parseTiltfile,
})

func detectTiltfile(c *Candidate) Certainty {
	base := c.lower
	if base == "tiltfile" || strings.HasPrefix(base, "tiltfile.") && path.Ext(base) != ".md" || strings.HasSuffix(base, ".tiltfile") {
		return Path
	}
	return No
}

// tilt is one file being read.
type tilt struct {
	*starlark
	pass *Pass
}

func parseTiltfile(p *Pass) {
	t := &tilt{starlark: readStarlark(p.Text, classLoadable), pass: p}
	for k := range t.tokens {
		switch t.kind(k) {
		case starName:
			t.find(k)
		case starString:
			t.manifest(k)
		}
	}
}

// find reads the call at token k.
func (t *tilt) find(k int) {
	args, ok := t.call(k)
	if !ok || t.is(k-1, ".") {
		return
	}
	name := t.word(k)
	switch name {
	case "docker_build", "docker_build_with_restart", "docker_build_sub", "podman_build", "nerdctl_build", "buildkit_build":
		t.output(t.argument(args, "ref", 0), name)
		t.extraTags(args, name)
		t.dockerfile(args, name)
	case "custom_build", "custom_build_with_restart":
		t.output(t.argument(args, "ref", 0), name)
		t.commands(args, name, 1, "command")
	case "pack":
		t.output(t.argument(args, "name", 0), name)
		t.image(t.argument(args, "builder", -1), image.Pull, name+".builder")
	case "ko_build":
		t.output(t.argument(args, "ref", 0), name)
	case "local":
		t.commands(args, name, 0, "command")
	case "local_resource":
		t.commands(args, name, 1, "cmd", "serve_cmd")
	case "test":
		t.commands(args, name, 1, "cmd")
	case "deployment_create", "job_create":
		t.image(t.argument(args, "image", -1), image.Pull, name+".image")
	}
}

func (t *tilt) output(x *starArg, pointer string) { t.image(x, image.Output, pointer) }

func (t *tilt) image(x *starArg, role image.Role, pointer string) {
	if x != nil && !t.none(x.starRange) {
		t.pass.Use(found{text: t.textOf(x.starRange), values: t.eval(x.starRange), role: role, pointer: pointer})
	}
}

// extraTags reads the further names of a built image, one or a list.
func (t *tilt) extraTags(args []starArg, name string) {
	x := t.argument(args, "extra_tag", -1)
	if x == nil {
		return
	}
	items, ok := t.list(x.starRange)
	if !ok {
		t.output(x, name+".extra_tag")
		return
	}
	for i := range items {
		t.output(&items[i], name+".extra_tag"+pointerIndex(i))
	}
}

// dockerfile reads a Dockerfile in a string.
func (t *tilt) dockerfile(args []starArg, name string) {
	x := t.argument(args, "dockerfile_contents", -1)
	if x == nil {
		return
	}
	if at := t.follow(x.starRange); at.to == at.from+1 && t.kind(at.from) == starString && !t.tokens[at.from].formatted {
		t.pass.nested(t.tokens[at.from].content, name, func(q *Pass) { q.quiet = true; parseDockerfile(q) })
	}
}

// commands reads what is run: text for a shell, or a list of words. first is
// the position of the first name.
func (t *tilt) commands(args []starArg, name string, first int, names ...string) {
	for i, n := range names {
		index := -1
		if i == 0 {
			index = first
		}
		x := t.argument(args, n, index)
		if x == nil {
			continue
		}
		at := t.follow(x.starRange)
		if words := t.strings(at); len(words) > 0 {
			q := *t.pass
			q.pointer = joinPointer(q.pointer, name)
			q.words("", words)
			continue
		}
		if at.to > at.from && t.kind(at.from) == starString && !t.tokens[at.from].formatted {
			vars := t.embedded(at)
			t.pass.nested(t.tokens[at.from].content, name, func(q *Pass) { q.shell(noLookup, vars) })
		}
	}
}

// embedded is how "%s" and "{name}", which the string at x is formatted with,
// stand in the shell: as text that nothing here decides.
func (t *tilt) embedded(x starRange) templating {
	if x.to == x.from+1 {
		return templating{}
	}
	return templating{scan: scanStarFormat, look: noLookup}
}

// scanStarFormat finds the places that Starlark's formatting fills in.
func scanStarFormat(data []byte, i int) (variable, bool) {
	for ; i+1 < len(data); i++ {
		switch {
		case data[i] == '%' && (data[i+1] == 's' || data[i+1] == 'd' || data[i+1] == 'r'):
			return variable{start: i, end: i + 2, name: string(data[i : i+2]), nameStart: i, nameEnd: i + 2}, true
		case data[i] == '{' && (i == 0 || data[i-1] != '$'):
			end := i + 1
			for end < len(data) && isNameByte(data[end]) {
				end++
			}
			if end < len(data) && data[end] == '}' {
				return variable{start: i, end: end + 1, name: string(data[i : end+1]), nameStart: i, nameEnd: end + 1}, true
			}
		}
	}
	return variable{}, false
}

// manifest reads a string that is a Kubernetes object.
func (t *tilt) manifest(k int) {
	token := t.tokens[k]
	if !looksLikeManifest(token.content.Data) {
		return
	}
	var vars templating
	if token.formatted || t.is(k+1, "%") || t.is(k+1, ".") {
		vars = templating{scan: scanStarFormat, look: noLookup}
	}
	t.pass.nested(token.content, "", func(q *Pass) { q.quiet, q.vars = true, vars; parseKubernetes(q) })
}

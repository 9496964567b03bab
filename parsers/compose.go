package parsers

import (
	"bytes"
	"fmt"
	"iter"
	"path"
	"slices"
	"sort"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Compose reads Compose and stack files
// (https://github.com/compose-spec/compose-spec/blob/main/spec.md), version 1
// files included. Variables come from the ".env" beside the file.
var Compose = register(Format{
	Name:    "compose",
	Title:   "Compose",
	Files:   "Files with `compose` in their name, `fig.yml`, and stack files by their keys.",
	Places:  "`image` of services (an output beside `build`), inline Dockerfiles, `docker-image://` contexts, volumes of type `image`, and the shell of commands; `.env`, anchors, `extends`, and defaults of variables are followed.",
	Comment: "#",
	Detect:  detectCompose,
	Parse:   parseCompose,
})

func detectCompose(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	base := c.lower
	named := strings.Contains(base, "compose") || base == "fig.yml" || base == "fig.yaml" // Compose's first name
	keys := c.keys()
	switch {
	case slices.Contains(keys, "apiVersion"):
		return No // a manifest of "docker-compose" as a package or a chart
	case named && (slices.Contains(keys, "services") || slices.Contains(keys, "jobs") || flowServices(c.Data)):
		return Path
	case named && (slices.Contains(keys, "include") || composeV1(c.Data)):
		return Likely
	case stackFile(keys) && composeServices(c.Data):
		return Content
	}
	return No
}

// flowServices reports whether a text is a flow mapping, JSON maybe, with the
// key "services".
func flowServices(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n\xef\xbb\xbf")
	return bytes.HasPrefix(data, []byte{'{'}) && !bytes.HasPrefix(data, []byte("{{")) && containsAny(data, []string{"services:", `services"`})
}

// composeKeys are the top-level elements
// (https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json).
var composeKeys = []string{"version", "name", "include", "services", "models", "networks", "volumes", "secrets", "configs", "jobs"}

// stackFile reports whether a file has the top-level keys of a Compose file,
// "services" among them, and no other.
func stackFile(keys []string) bool {
	return slices.Contains(keys, "services") && !slices.ContainsFunc(keys, func(k string) bool {
		return !slices.Contains(composeKeys, k) && !strings.HasPrefix(k, "x-")
	})
}

// composeServices reports whether what stands below "services" looks like
// Compose, as against the lists of CI services and the definitions of dependency
// injection.
func composeServices(data []byte) bool {
	below, ok := behindKey(data, "services")
	return ok && hasServices(below)
}

// hasServices reports whether a block mapping looks like one of services: an
// "image" or "build" stands in a mapping of a service's own.
func hasServices(data []byte) bool {
	var depth []int // the indentations of the lines around
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		text := bytes.TrimLeft(line, " \t")
		indent := len(line) - len(text)
		if len(bytes.TrimSpace(text)) == 0 || text[0] == '#' {
			continue
		}
		for len(depth) > 0 && depth[len(depth)-1] >= indent {
			depth = depth[:len(depth)-1]
		}
		depth = append(depth, indent)
		switch key := lineKey(text); {
		case len(depth) == 2 && (key == "image" || key == "build"):
			return true
		case len(depth) <= 2 && bytes.IndexByte(text, '{') >= 0 && containsAny(text, []string{"image:", "build:", `image"`, `build"`}):
			return true // a flow mapping
		case indent == 0 && text[0] == '-':
			return false // a list, of tasks maybe
		}
	}
	return false
}

// behindKey is what a top-level key of a text holds, with the rest of its line.
func behindKey(data []byte, key string) (value []byte, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for at := 0; at < len(data); {
		end := lineEnd(data, at)
		if line := data[at:end]; lineKey(line) == key {
			value = data[at+bytes.IndexByte(line, ':')+1:]
			break
		}
		at = end + 1
	}
	for at := lineEnd(value, 0) + 1; at < len(value); at = lineEnd(value, at) + 1 {
		if c := value[at]; c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '#' {
			return value[:at], true // the next key
		}
	}
	return value, value != nil
}

// composeV1 reports whether a text looks like a file of services without a
// "services" key.
func composeV1(data []byte) bool {
	return containsAny(data, []string{"image", "build"}) && hasServices(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
}

// compose is one Compose file being read.
type compose struct {
	pass *Pass
	doc  *document
	env  func(name string) *binding
	// builds are the image nodes of services that are built here: they name
	// the result.
	builds map[*node]bool
	// partner is the file that Compose merges with this one unasked, and
	// override is set when this is the one that overrides.
	partner  *source.File
	override bool
	others   map[string]*node // services of other files, by path
}

func parseCompose(p *Pass) {
	c := &compose{pass: p, env: p.dotEnv(), builds: map[*node]bool{}, others: map[string]*node{}}
	c.partner, c.override = p.composePartner()
	for _, d := range p.documents("image", "build", "docker") {
		c.doc = d
		for at, services := range workloads(d.root) {
			for key, service := range entries(services) {
				if isMapping(service) && c.built(key.Value, service, services, 0) {
					c.builds[c.imageOf(service, services, 0)] = true
				}
			}
			for key, service := range entries(services) {
				if isMapping(service) {
					c.service(at+"."+d.keyText(key), key.Value, service)
				}
			}
		}
	}
	c.guardDotEnv()
}

// workloads yields the mappings of services in a file with their keys:
// "services" and "jobs", or the whole of a version 1 file.
func workloads(root *node) iter.Seq2[string, *node] {
	return func(yield func(string, *node) bool) {
		services, jobs := get(root, "services"), get(root, "jobs")
		switch {
		case !isMapping(services) && !isMapping(jobs):
			yield("services", root)
		case yield("services", services):
			yield("jobs", jobs)
		}
	}
}

// attribute is an attribute of a service, or nil where there is none, it is
// null or an override file takes it back with "!reset"
// (https://github.com/compose-spec/compose-spec/blob/main/13-merge.md#reset-value).
func attribute(service *node, key string) *node {
	n := get(service, key)
	if n == nil || n.Tag == "!reset" || null(n) {
		return nil
	}
	return n
}

// imageOf is the node that names the image of a service: its own, or the one of
// a service that it extends in the same file.
func (c *compose) imageOf(service, services *node, depth int) *node {
	if n := attribute(service, "image"); n != nil || depth > maxAliases {
		return n
	}
	name, file := extended(service)
	base := get(services, name)
	if file != "" || !isMapping(base) {
		return nil
	}
	return c.imageOf(base, services, depth+1)
}

// built reports whether a service is built: it says so itself, or one that it
// extends, or the file that overrides does.
func (c *compose) built(name string, service, services *node, depth int) bool {
	if attribute(service, "build") != nil {
		return true
	}
	if get(service, "build") != nil || depth > maxAliases {
		return false // taken back
	}
	if c.override && depth == 0 && attribute(get(c.servicesOf(c.partner), name), "build") != nil {
		return true
	}
	base, file := extended(service)
	if base == "" {
		return false
	}
	if file != "" {
		services = c.servicesOf(c.pass.open(file))
	}
	extends := get(services, base)
	return isMapping(extends) && c.built(base, extends, services, depth+1)
}

// extended is the service that a service extends, and the file that it stands
// in, empty for the same
// (https://github.com/compose-spec/compose-spec/blob/main/05-services.md#extends).
func extended(service *node) (name, file string) {
	n := attribute(service, "extends")
	if isScalar(n) {
		return str(n), ""
	}
	return str(get(n, "service")), str(get(n, "file"))
}

// servicesOf is the services of another file, or nil.
func (c *compose) servicesOf(f *source.File) *node {
	if f == nil {
		return nil
	}
	services, ok := c.others[f.Path]
	if !ok {
		q := Pass{Text: source.Whole(f), format: c.pass.format, out: &Result{}, seen: map[useKey]bool{}}
		for _, d := range q.documents("build") {
			if services == nil {
				services = get(d.root, "services")
			}
		}
		c.others[f.Path] = services
	}
	return services
}

// composePartner is the file that Compose merges with this one unless it is
// told otherwise: "compose.override.yaml" for "compose.yaml" and the reverse
// (https://docs.docker.com/compose/how-tos/multiple-compose-files/merge/).
func (p *Pass) composePartner() (f *source.File, override bool) {
	if p.depth > 0 {
		return nil, false
	}
	base := path.Base(p.Text.File.Path)
	stem, ok := strings.CutSuffix(base, ".yaml")
	if !ok {
		stem, ok = strings.CutSuffix(base, ".yml")
	}
	stem, override = strings.CutSuffix(stem, ".override")
	if !ok || stem != "compose" && stem != "docker-compose" {
		return nil, false
	}
	if !override {
		stem += ".override"
	}
	for _, ext := range []string{".yaml", ".yml"} {
		if f := p.open(stem + ext); f != nil {
			return f, override
		}
	}
	return nil, override
}

// look is the binding of a variable: an outer script's, else the ".env" file's.
func (c *compose) look(name string) *binding {
	if b := c.pass.look(name); b != nil {
		return b
	}
	return c.env(name)
}

// scan finds the variables of Compose, behind those of an outer format.
func (c *compose) scan(data []byte, i int) (variable, bool) {
	if c.pass.vars.scan != nil {
		return firstOf(c.pass.vars.scan, scanCompose)(data, i)
	}
	return scanCompose(data, i)
}

// image reports a scalar in which Compose interpolates.
func (c *compose) image(n *node, f found) {
	c.pass.image(c.doc, n, c.scan, c.look, f)
}

func (c *compose) service(pointer, name string, s *node) {
	build := attribute(s, "build")
	if n := attribute(s, "image"); n != nil {
		f := found{pointer: pointer + ".image"}
		switch {
		case c.builds[n]:
			f.role = image.Output
		case !c.override && attribute(get(c.servicesOf(c.partner), name), "build") != nil:
			f.site = &image.Site{Safety: image.Refused,
				Reason: path.Base(c.partner.Path) + " builds this service, and a build can't be given a name with a digest"}
		}
		c.image(n, f)
	}
	c.build(pointer+".build", build)
	c.volumes(pointer, s)
	for i, hook := range items(attribute(s, "pre_start")) {
		hookPointer := pointer + ".pre_start" + pointerIndex(i)
		if n := attribute(hook, "image"); n != nil {
			c.image(n, found{pointer: hookPointer + ".image"})
		}
		c.volumes(hookPointer, hook)
		c.pass.command(c.doc, get(hook, "command"), hookPointer+".command")
	}
	for _, key := range []string{"command", "entrypoint"} {
		c.pass.command(c.doc, get(s, key), pointer+"."+key)
	}
}

// volumes reads the images that a container mounts
// (https://github.com/compose-spec/compose-spec/blob/main/05-services.md#volumes).
func (c *compose) volumes(pointer string, s *node) {
	for i, v := range items(attribute(s, "volumes")) {
		if str(get(v, "type")) != "image" {
			continue
		}
		if n := get(v, "source"); n != nil {
			c.image(n, found{pointer: pointer + ".volumes" + pointerIndex(i) + ".source"})
		}
	}
}

// guardDotEnv refuses to edit the lines of the .env file whose variables the
// Compose file reads in other places than images: a digest would reach them.
func (c *compose) guardDotEnv() {
	var images []source.Span
	file := c.pass.Text.File
	for _, u := range c.pass.out.Uses {
		images = append(images, u.Span)
	}
	slices.SortFunc(images, func(a, b source.Span) int { return a.Start - b.Start })
	elsewhere := map[string]int{} // the line, or zero, by name
	for i := range c.pass.out.Uses {
		u := &c.pass.out.Uses[i]
		for k := range u.Values {
			s := &u.Values[k].Site
			if s.File == file || s.Safety == image.Refused {
				continue
			}
			for _, name := range u.Variables {
				line, ok := elsewhere[name]
				if !ok {
					line = firstOutside(file, name, images)
					elsewhere[name] = line
				}
				if line > 0 {
					s.Safety = image.Refused
					s.Reason = fmt.Sprintf("%s is also read at line %d of %s, where a digest may not fit; give the image a variable of its own", name, line, path.Base(file.Path))
					break
				}
			}
		}
	}
}

// firstOutside is the first line on which a word stands outside the spans, which
// are in order; zero if there is none.
func firstOutside(f *source.File, word string, spans []source.Span) int {
	for _, m := range mentions(f, source.Span{End: len(f.Data)}, word) {
		i := sort.Search(len(spans), func(i int) bool { return spans[i].Start > m.Start })
		if i == 0 || !spans[i-1].Contains(m) {
			return f.Position(m.Start).Line
		}
	}
	return 0
}

// build reads what a build is based on and the names that it gives
// (https://github.com/compose-spec/compose-spec/blob/main/build.md).
func (c *compose) build(pointer string, build *node) {
	contexts := get(build, "additional_contexts")
	if n := get(build, "dockerfile_inline"); n != nil {
		if t, _ := c.doc.content(n); t != nil {
			before := len(c.pass.out.Uses)
			c.pass.nested(unescapeDollars(t), pointer+".dockerfile_inline", parseDockerfile)
			c.pass.out.Uses = append(c.pass.out.Uses[:before], withoutContexts(c.pass.out.Uses[before:], contexts)...)
		}
	}
	for i, n := range items(get(build, "tags")) {
		c.image(n, found{role: image.Output, pointer: pointer + ".tags" + pointerIndex(i)})
	}
	for key, v := range entries(contexts) {
		if strings.HasPrefix(str(v), imageScheme) {
			c.image(v, found{pointer: pointer + ".additional_contexts." + key.Value})
		}
	}
	for i, n := range items(contexts) {
		t, links := c.doc.content(n)
		if t == nil {
			continue
		}
		_, context, _ := bytes.Cut(t.Data, []byte{'='})
		if !bytes.HasPrefix(context, []byte(imageScheme)) {
			continue
		}
		ref := t.Slice(len(t.Data)-len(context)+len(imageScheme), len(t.Data))
		f := found{text: ref, values: readThrough(links, expand(ref, c.scan, c.look)), pointer: pointer + ".additional_contexts" + pointerIndex(i)}
		if n.Kind == yaml.AliasNode {
			f.text = c.doc.aliasText(n)
		}
		c.pass.Use(f)
	}
}

// withoutContexts is uses without those whose name a build context takes over
// (https://docs.docker.com/reference/compose-file/build/#additional_contexts).
func withoutContexts(uses []image.Use, contexts *node) []image.Use {
	var names []string
	add := func(name string) {
		if r, err := image.Parse(name); err == nil {
			names = append(names, r.Canonical())
		}
	}
	for key := range entries(contexts) {
		add(key.Value)
	}
	for _, n := range items(contexts) {
		name, _, _ := strings.Cut(str(n), "=")
		add(name)
	}
	return slices.DeleteFunc(uses, func(u image.Use) bool {
		return slices.ContainsFunc(u.Values, func(v image.Value) bool { return v.Err == nil && slices.Contains(names, v.Ref.Canonical()) })
	})
}

// imageScheme starts a build context that is an image.
const imageScheme = "docker-image://"

// unescapeDollars is a text as Compose hands it on: "$$" is "$".
func unescapeDollars(t *source.Text) *source.Text {
	if !bytes.Contains(t.Data, []byte("$$")) {
		return t
	}
	b := source.NewBuilder(t)
	at := 0
	for {
		i := bytes.Index(t.Data[at:], []byte("$$"))
		if i < 0 {
			break
		}
		b.Copy(at, at+i)
		b.Put("$", at+i, at+i+2)
		at += i + 2
	}
	b.Copy(at, len(t.Data))
	return b.Text()
}

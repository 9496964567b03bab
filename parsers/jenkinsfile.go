package parsers

import (
	"bytes"
	"net/url"
	"path"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Jenkinsfile reads Jenkins pipelines, declarative and scripted, and the
// Groovy of shared libraries (https://www.jenkins.io/doc/book/pipeline/syntax/,
// https://www.jenkins.io/doc/book/pipeline/docker/,
// https://plugins.jenkins.io/kubernetes/). Nothing is run: the calls that name
// images are found wherever they stand.
var Jenkinsfile = register(Format{
	Name:    "jenkinsfile",
	Title:   "Jenkinsfile",
	Files:   "`Jenkinsfile*`, `*.jenkinsfile`, and `*.groovy` with a pipeline, or in the folder `vars` of a shared library.",
	Places:  "`agent { docker … }`, `docker.image(…)`, `containerTemplate`, the YAML of pods, and the shell of `sh` and `bat`; variables are followed.",
	Comment: "//",
	Detect:  detectJenkinsfile,
	Parse:   parseJenkinsfile,
})

func detectJenkinsfile(c *Candidate) Certainty {
	base := c.lower
	switch {
	case base == "jenkinsfile", strings.HasSuffix(base, ".jenkinsfile"):
		return Path
	case strings.HasPrefix(base, "jenkinsfile"):
		switch path.Ext(base) {
		case ".md", ".txt", ".rst", ".adoc", ".html", ".go", ".py", ".sh", ".js", ".ts", ".rb", ".java", ".yaml", ".yml", ".json", ".xml":
			return No
		}
		return Path
	case !strings.HasSuffix(base, ".groovy"):
		return No
	case hasPipeline(c.Data), inFolder(c.Path, "vars") && containsAny(c.Data, shellWords):
		return Likely
	}
	return No
}

// hasPipeline reports whether Groovy has a call that only pipelines have.
func hasPipeline(data []byte) bool {
	if bytes.Contains(data, []byte("docker.image(")) || bytes.Contains(data, []byte("docker.build(")) {
		return true
	}
	for _, c := range []struct{ word, next string }{
		{"pipeline", "{"}, {"node", "{("}, {"podTemplate", "{("}, {"agent", "{"}, {"withDockerContainer", "("}, {"containerTemplate", "("},
	} {
		for at := 0; ; {
			i := bytes.Index(data[at:], []byte(c.word))
			if i < 0 {
				break
			}
			at += i + len(c.word)
			rest := bytes.TrimLeft(data[at:min(at+16, len(data))], " \t\r\n")
			if len(rest) > 0 && strings.IndexByte(c.next, rest[0]) >= 0 && !wordByteAt(data, at-len(c.word)-1) {
				return true
			}
		}
	}
	return false
}

// jenkins is one pipeline being read.
type jenkins struct {
	*groovyScript
	pass *Pass
	// stages is, by block, the innermost stage around it; registries the
	// registry that images without one of their own are pulled from.
	stages     []string
	registries []groovyRange
	functions  map[string]*groovyFunction
	declared   map[int]bool // tokens that are the names of functions
	parameters int          // the token that ends the last list of parameters
	pending    []groovyAssignment
	ran        map[*groovyVariable]bool // what shell steps run, read once
	// taken is the token up to which strings have been read as something.
	taken int
}

// groovyFunction is a function of the file with the calls of it.
type groovyFunction struct {
	params []*groovyVariable
	calls  [][]groovyArg
}

// groovyAssignment is an assignment to a name that it doesn't declare.
type groovyAssignment struct {
	name   int // token
	value  groovyRange
	opaque bool
}

func parseJenkinsfile(p *Pass) {
	src := lexGroovy(p.Text)
	j := &jenkins{groovyScript: newGroovyScript(src), pass: p, functions: map[string]*groovyFunction{}, declared: map[int]bool{}, ran: map[*groovyVariable]bool{}}
	j.problems()
	j.contexts()
	for k := range j.tokens {
		j.declare(k)
	}
	j.assignAll()
	j.passArguments()
	for k := range j.tokens {
		j.find(k)
	}
}

// problems reports the first string or block without an end.
func (j *jenkins) problems() {
	for k, t := range j.tokens {
		if t.kind == groovyString && !t.closed {
			j.pass.Fail(t.start, "this string has no end")
			return
		}
		if t.mate < 0 && j.is(k, "{") {
			j.pass.Fail(t.start, `this "{" has no "}"`)
			return
		}
	}
}

// contexts finds the stage and the registry of each block.
func (j *jenkins) contexts() {
	j.stages = make([]string, len(j.blocks))
	j.registries = make([]groovyRange, len(j.blocks))
	for i, b := range j.blocks {
		if b.parent >= 0 {
			j.stages[i], j.registries[i] = j.stages[b.parent], j.registries[b.parent]
		}
		switch b.header {
		case "stage":
			if name, ok := argument(b.args.args(), "name", 0); ok {
				j.stages[i] = "stage " + shorten(name.text().String())
			}
		case "withRegistry", "withDockerRegistry":
			args := b.args
			if args.src.is(args.from, "[") { // withDockerRegistry([url: '…'])
				args.from, args.to = args.from+1, args.to-1
			}
			if address, ok := argument(args.args(), "url", 0); ok {
				j.registries[i] = address
			}
		}
	}
	for k := range j.tokens {
		if !j.is(k, "registryUrl") {
			continue
		}
		if args, _, ok := j.call(k); ok {
			if address, ok := argument(args, "", 0); ok {
				j.registries[j.block[k]] = address
			}
		}
	}
}

// declare reads what token k says about names.
func (j *jenkins) declare(k int) {
	if j.kind(k) == groovyPunct {
		switch j.word(k) {
		case "=":
			j.assignment(k, false)
		case "+=", "-=", "<<", "<<=", "++", "--":
			j.assignment(k, true)
		case "{":
			j.closure(k)
		}
		return
	}
	if j.kind(k) != groovyName || j.is(k-1, ".") {
		return
	}
	switch word := j.word(k); word {
	case "def", "var", "String", "GString", "Object", "final":
		if j.kind(k+1) == groovyName && (j.kind(k+2) == groovyNewline || j.is(k+2, ";")) {
			j.local(k+1, j.block[k], classLocal)
		}
	case "for":
		j.loop(k)
	case "string", "text", "choice":
		j.parameter(k, word)
	case "withEnv":
		j.withEnv(k)
	case "axis":
		j.axis(k)
	default:
		j.function(k)
	}
}

// local declares the name that is token k in a block.
func (j *jenkins) local(k, block int, c *class) *groovyVariable {
	return j.define(j.locals, j.word(k), block, c, j.span(k))
}

// span is the place of token k in the file.
func (g *groovyScript) span(k int) source.Span {
	s, _ := g.text.Span(g.tokens[k].start, g.tokens[k].end)
	return s
}

// assignment reads the operator k. Names that it doesn't declare wait until all
// declarations are known.
func (j *jenkins) assignment(k int, opaque bool) {
	if k < j.parameters {
		return
	}
	name := k - 1
	for j.is(name, "]") && j.tokens[name].mate > 0 { // an item of a map
		name, opaque = j.tokens[name].mate-1, true
	}
	if j.kind(name) != groovyName || name < 0 {
		return
	}
	value := j.expression(k + 1)
	switch block := j.blocks[j.block[k]]; {
	case j.is(name-1, ".") && j.is(name-2, "env"):
		v := j.define(j.environment, j.word(name), 0, classEnv, j.span(name))
		v.opaque = v.opaque || opaque
		v.assign(value)
	case j.is(name-1, "."):
		for j.is(name-1, ".") && j.kind(name-2) == groovyName {
			name -= 2
		}
		j.pending = append(j.pending, groovyAssignment{name: name, opaque: true})
	case block.header == "environment":
		j.define(j.environment, j.word(name), block.parent, classEnv, j.span(name)).assign(value)
	case j.declares(name - 1):
		j.local(name, j.block[name], classLocal).assign(value)
	default:
		j.pending = append(j.pending, groovyAssignment{name: name, value: value, opaque: opaque})
	}
}

// declares reports whether token k ends the type of a declaration.
func (j *jenkins) declares(k int) bool {
	switch j.word(k) {
	case "else", "return", "do", "in", "new", "throw", "assert", "case":
		return false
	case "]", ">":
		return true
	}
	return k >= 0 && j.kind(k) == groovyName
}

func (j *jenkins) assignAll() {
	for _, a := range j.pending {
		name := j.word(a.name)
		v := innermost(j.locals, name, a.name)
		if v == nil {
			v = j.local(a.name, 0, classLocal)
		}
		if len(v.exprs) == 0 && v.binding.class == classLocal && v.binding.def != j.span(a.name) {
			// "def x" alone is no reader of what is assigned later.
			v.binding.region.Start = v.binding.def.End
			v.binding.def = j.span(a.name)
		}
		if a.opaque {
			v.opaque = true
			continue
		}
		v.assign(a.value)
	}
}

// closure declares the parameters of the closure that token k opens. One that
// goes through a list gets its items: as the only parameter, which is called
// "it" where none is written, or as the second behind the keys of a map.
func (j *jenkins) closure(k int) {
	if j.tokens[k].mate < 0 {
		return
	}
	block := j.block[k+1]
	list, each := j.receiver(k)
	params := j.closureParams(k)
	if len(params) == 0 && each {
		v := j.define(j.locals, "it", block, classLoop, source.Span{})
		v.items = true
		v.assign(list)
	}
	for i, at := range params {
		v := j.local(at, block, classLoop)
		v.items, v.opaque = true, true
		if each && i == len(params)-1 {
			v.opaque = false
			v.assign(list)
		}
	}
}

// closureParams are the names in front of the "->" of a closure.
func (j *jenkins) closureParams(k int) []int {
	end := k + 1
	for j.kind(end) == groovyName || j.is(end, ",") {
		end++
	}
	if !j.is(end, "->") {
		return nil
	}
	var names []int
	for at := k + 1; at < end; at++ {
		if j.kind(at) == groovyName && (at+1 == end || j.is(at+1, ",")) {
			names = append(names, at)
		}
	}
	return names
}

// receiver is the list whose method gets the closure at token k.
func (j *jenkins) receiver(k int) (groovyRange, bool) {
	if !j.is(k-1, "each") && !j.is(k-1, "collect") || !j.is(k-2, ".") {
		return groovyRange{}, false
	}
	x := groovyRange{src: j.groovySource, from: k - 3, to: k - 2, at: k}
	if j.is(k-3, "]") && j.tokens[k-3].mate >= 0 {
		x.from = j.tokens[k-3].mate
	}
	return x, x.from >= 0 && !j.is(x.from-1, ".")
}

// loop declares the variable of "for (x in list) {".
func (j *jenkins) loop(k int) {
	if !j.is(k+1, "(") || j.tokens[k+1].mate < 0 || !j.is(j.tokens[k+1].mate+1, "{") {
		return
	}
	end := j.tokens[k+1].mate
	for at := k + 2; at < end && j.kind(at) == groovyName; at++ {
		if j.is(at+1, "in") || j.is(at+1, ":") {
			v := j.local(at, j.block[min(end+2, len(j.tokens)-1)], classLoop)
			v.items = true
			v.assign(groovyRange{src: j.groovySource, from: at + 2, to: end, at: at})
			return
		}
	}
}

// parameter reads a parameter of the job: string, text or choice. Who starts
// the job may give another value.
func (j *jenkins) parameter(k int, kind string) {
	args, _, ok := j.call(k)
	if !ok {
		return
	}
	name, ok := argument(args, "name", -1)
	if !ok || !name.isString() {
		return
	}
	key := "defaultValue"
	if kind == "choice" {
		key = "choices"
	}
	value, ok := argument(args, key, -1)
	if !ok {
		return // string(name: …, value: …) hands a value to another job
	}
	t := name.text()
	def, _ := t.Span(0, len(t.Data))
	v := j.define(j.params, t.String(), 0, classInput, def)
	v.items = kind == "choice"
	v.opaque = v.items && !value.src.is(value.from, "[")
	v.assign(value)
}

// withEnv reads "withEnv(['NAME=value']) {".
func (j *jenkins) withEnv(k int) {
	args, after, ok := j.call(k)
	list, found := argument(args, "", 0)
	if !ok || !found || !j.is(after, "{") || j.tokens[after].mate < 0 || !list.src.is(list.from, "[") {
		return
	}
	block := j.block[after+1]
	for _, a := range (groovyRange{src: list.src, from: list.from + 1, to: list.to - 1, at: list.at}).args() {
		if !a.isString() {
			continue
		}
		t := a.text()
		name, _, ok := strings.Cut(t.String(), "=")
		if !ok || !isWord(name) {
			continue
		}
		def, _ := t.Span(0, len(name))
		v := j.define(j.environment, name, block, classEnv, def)
		v.cut = len(name) + 1
		v.assign(a.groovyRange)
	}
}

// axis reads "axis { name 'X'; values 'a', 'b' }" of a matrix.
func (j *jenkins) axis(k int) {
	if !j.is(k+1, "{") || j.tokens[k+1].mate < 0 {
		return
	}
	var name, values []groovyArg
	for at := k + 2; at < j.tokens[k+1].mate; at = j.step(at) {
		switch j.word(at) {
		case "name":
			name, _, _ = j.call(at)
		case "values":
			values, _, _ = j.call(at)
		}
	}
	x, ok := argument(name, "", 0)
	if !ok || !x.isString() {
		return
	}
	// The variable is seen by the whole matrix: axis within axes within it.
	block := j.block[k]
	if parent := j.blocks[block].parent; parent >= 0 {
		block = parent
	}
	def, _ := x.text().Span(0, len(x.text().Data))
	v := j.define(j.environment, x.text().String(), block, classMatrix, def)
	for _, a := range values {
		v.assign(a.groovyRange)
	}
}

// function reads "def name(parameters) {", and the calls of functions.
func (j *jenkins) function(k int) {
	if !j.is(k+1, "(") || j.tokens[k+1].mate < 0 {
		return
	}
	end := j.tokens[k+1].mate
	brace := end + 1
	if j.kind(brace) == groovyNewline {
		brace++
	}
	if !j.is(brace, "{") || j.tokens[brace].mate < 0 || !j.declares(k-1) {
		return
	}
	j.parameters, j.declared[k] = end, true
	f := &groovyFunction{}
	if _, twice := j.functions[j.word(k)]; twice {
		f.calls = append(f.calls, nil) // overloaded: which is called is not known
	}
	j.functions[j.word(k)] = f
	block := j.block[brace+1]
	params := groovyRange{src: j.groovySource, from: k + 2, to: end, at: k}
	for _, a := range params.args() {
		name := a.to - 1
		value := groovyRange{}
		for at := a.from; at < a.to; at = j.step(at) {
			if j.is(at, "=") {
				name = at - 1
				value = groovyRange{src: j.groovySource, from: at + 1, to: a.to, at: at}
				break
			}
		}
		if name < a.from || j.kind(name) != groovyName {
			continue
		}
		v := j.local(name, block, classGroovyParam)
		v.complete = true
		if value.src != nil {
			// A default, which unseen callers may rely on or replace.
			v.binding.class = classInput
			v.assign(value)
		}
		f.params = append(f.params, v)
	}
}

// passArguments gives the parameters of functions what the calls in the file
// pass to them.
func (j *jenkins) passArguments() {
	for k := range j.tokens {
		if j.kind(k) != groovyName || j.declared[k] {
			continue
		}
		f := j.functions[j.word(k)]
		if f == nil || len(f.calls) > maxGroovyNames {
			continue
		}
		if args, _, ok := j.call(k); ok {
			f.calls = append(f.calls, args)
		}
	}
	unseen := j.library()
	for _, f := range j.functions {
		for i, v := range f.params {
			hasDefault := v.binding.class == classInput
			v.opaque = !hasDefault && (unseen || len(f.calls) == 0)
			for _, args := range f.calls {
				if x, ok := argument(args, "", i); ok {
					v.assign(x)
				} else if !hasDefault {
					v.opaque = true
				}
			}
		}
	}
}

// library reports whether other files call the functions of this one: it is a
// global variable of a shared library, or returns itself to "load".
func (j *jenkins) library() bool {
	if inFolder(j.text.File.Path, "vars") {
		return true
	}
	for k := range j.tokens {
		if j.is(k, "return") && j.is(k+1, "this") {
			return true
		}
	}
	return false
}

// find reports the images that token k names, and reads the inner texts.
func (j *jenkins) find(k int) {
	if j.kind(k) == groovyString {
		j.manifest(k)
		return
	}
	if j.kind(k) != groovyName {
		return
	}
	header := j.blocks[j.block[k]].header
	switch word := j.word(k); word {
	case "docker":
		switch {
		case j.is(k+1, ".") && (j.is(k+2, "image") || j.is(k+2, "build")):
			j.dockerObject(k + 2)
		case header == "agent":
			j.callImage(k, "agent.docker", "image", 0)
		}
	case "dockerContainer":
		if header == "agent" {
			j.callImage(k, "agent.dockerContainer", "image", 0)
		}
	case "image":
		switch header {
		case "docker", "dockerContainer", "containerTemplate":
			if !j.is(k-1, ".") {
				j.callImage(k, header+".image", "", 0)
			}
		}
	case "withDockerContainer", "dockerNode":
		j.callImage(k, word, "image", 0)
	case "containerTemplate", "dockerTemplateBase":
		j.callImage(k, word, "image", -1)
	case "sh", "bat", "powershell", "pwsh":
		j.script(k, word)
	case "yaml":
		j.pod(k, header)
	}
}

// callImage reports the argument of the call at token k that is an image.
func (j *jenkins) callImage(k int, pointer, name string, index int) {
	args, _, ok := j.call(k)
	if !ok {
		return
	}
	if x, ok := argument(args, name, index); ok {
		j.use(x, k, pointer, image.Pull)
	}
}

// dockerObject reads docker.image("…") and docker.build("…"). An image that is
// only tagged or pushed is an output, as with the commands of that name.
func (j *jenkins) dockerObject(k int) {
	args, after, ok := j.call(k)
	x, found := argument(args, "", 0)
	if !ok || !found {
		return
	}
	role := image.Pull
	if j.is(k, "build") || j.is(after, ".") && (j.is(after+1, "push") || j.is(after+1, "tag")) {
		role = image.Output
	}
	j.use(x, k, "docker."+j.word(k), role)
}

// maxGroovyImage bounds the expression of an image in bytes.
const maxGroovyImage = 4096

func (j *jenkins) use(x groovyRange, k int, pointer string, role image.Role) {
	if x.bytes() > maxGroovyImage {
		return
	}
	values := j.eval(x)
	if role == image.Pull {
		values = j.registry(values, j.registries[j.block[k]])
	}
	j.pass.Use(found{text: x.text(), values: values, role: role, pointer: joinPointer(j.stages[j.block[k]], pointer)})
}

// registry puts the host of a registry's URL in front of images, as Jenkins
// does unless they begin with it.
func (j *jenkins) registry(values []expr, at groovyRange) []expr {
	if at.src == nil {
		return values
	}
	var out []expr
	for _, host := range j.eval(at) {
		if len(host.missing()) == 0 {
			u, err := url.Parse(host.text())
			if err != nil || u.Host == "" {
				out = union(out, values) // an empty URL is Docker Hub
				continue
			}
			host = expr{{text: u.Host, file: host[0].file, span: host[0].span, chain: host[0].chain}}
		}
		for _, e := range values {
			if !strings.HasPrefix(e.text(), host.text()) || host.text() == "" {
				e = product(product([]expr{host}, []expr{{joiner(at.text(), "/")}}), []expr{e})[0]
			}
			out = union(out, []expr{e})
		}
	}
	return out
}

// script reads a shell step: "sh '…'", "sh(script: '…', returnStdout: true)".
func (j *jenkins) script(k int, shell string) {
	args, after, ok := j.call(k)
	if !ok {
		return
	}
	x, ok := argument(args, "script", 0)
	if !ok {
		return
	}
	j.taken = max(j.taken, after)
	j.commands(x, k, shell)
	// def cmd = "docker pull ${image}"; sh cmd
	if v, ok := j.named(x); ok && v.cut == 0 && len(v.exprs) <= maxValues && !j.ran[v] {
		j.ran[v] = true
		for _, value := range v.exprs {
			if value.src.kind(value.from) == groovyString {
				j.commands(value, k, shell)
			}
		}
	}
}

// commands reads the text x, which the shell step at token k runs.
func (j *jenkins) commands(x groovyRange, k int, shell string) {
	text, outer := j.embed(x, "\x01", "\x02")
	look := func(name string) *binding {
		if v := j.exported(name, k); v != nil {
			return v.binding
		}
		return nil
	}
	pointer := joinPointer(j.stages[j.block[k]], shell)
	if shell == "sh" {
		j.pass.nested(text, pointer, func(q *Pass) { q.shell(look, outer) })
		return
	}
	j.windows(text, pointer, shell, look, outer)
}

// maxBatchLine is the length in bytes that cmd.exe takes
// (https://learn.microsoft.com/en-us/troubleshoot/windows-client/shell-experience/command-line-string-limitation).
const maxBatchLine = 8191

// windows reads lines of a batch file or of PowerShell that call a container
// engine and nothing else.
func (j *jenkins) windows(text *source.Text, pointer, shell string, look lookup, outer templating) {
	inner := templating{scan: scanPercent, look: look}
	if shell != "bat" {
		inner.scan = scanPowerShell
	}
	if outer.scan != nil {
		inner.scan = firstOf(outer.scan, inner.scan)
		inner.look = func(name string) *binding {
			if b := outer.look(name); b != nil {
				return b
			}
			return look(name)
		}
	}
	for start := 0; start < len(text.Data); {
		end := groovyLineEnd(text.Data, start)
		if end-start > maxBatchLine {
			start = end + 1
			continue
		}
		line := text.Slice(start, end).Trim()
		line = line.Slice(len(line.Data)-len(bytes.TrimLeft(line.Data, "@&")), len(line.Data)).Trim()
		program, _, _ := strings.Cut(line.String(), " ")
		switch strings.TrimSuffix(strings.ToLower(program), ".exe") {
		case "docker", "podman", "nerdctl":
			j.pass.nested(line, pointer, func(q *Pass) { q.shell(look, inner) })
		}
		start = end + 1
	}
}

// scanPercent finds "%NAME%" of batch files.
func scanPercent(data []byte, i int) (variable, bool) {
	for ; i < len(data); i++ {
		if data[i] != '%' {
			continue
		}
		end := i + 1
		for end < len(data) && isNameByte(data[end]) {
			end++
		}
		if end > i+1 && end < len(data) && data[end] == '%' {
			return variable{start: i, end: end + 1, name: string(data[i+1 : end]), nameStart: i + 1, nameEnd: end}, true
		}
	}
	return variable{}, false
}

// scanPowerShell finds "$env:NAME".
func scanPowerShell(data []byte, i int) (variable, bool) {
	const mark = "$env:"
	for ; i+len(mark) < len(data); i++ {
		if data[i] != '$' || !strings.EqualFold(string(data[i:i+len(mark)]), mark) {
			continue
		}
		end := i + len(mark)
		for end < len(data) && isNameByte(data[end]) {
			end++
		}
		if end > i+len(mark) {
			return variable{start: i, end: end, name: string(data[i+len(mark) : end]), nameStart: i + len(mark), nameEnd: end}, true
		}
	}
	return variable{}, false
}

// manifest reads a string that is a Kubernetes manifest, whatever it is for:
// podTemplate(yaml: …), a variable that a pod template gets, writeFile.
func (j *jenkins) manifest(k int) {
	t := j.tokens[k]
	raw := j.text.Data[t.start:t.end]
	if k < j.taken || !bytes.Contains(raw, []byte("apiVersion")) || !bytes.Contains(raw, []byte("kind")) {
		return
	}
	x := groovyRange{src: j.groovySource, from: k, to: k + 1, at: k}
	if looksLikeManifest(x.text().Data) {
		j.yaml(x, k, "yaml", parseKubernetes)
	}
}

// pod reads the string of "yaml" in a pod template, where apiVersion and kind
// may be left out.
func (j *jenkins) pod(k int, header string) {
	var x groovyRange
	switch {
	case j.is(k+1, ":"):
		x = groovyRange{src: j.groovySource, from: k + 2, to: j.ends[min(k+2, len(j.tokens))], at: k}
	case header == "kubernetes":
		args, _, _ := j.call(k)
		x, _ = argument(args, "", 0)
	}
	if x.from >= x.to || j.kind(x.from) != groovyString {
		return
	}
	x.to = x.from + 1
	if data := x.text().Data; bytes.Contains(data, []byte("containers:")) && !looksLikeManifest(data) {
		j.taken = max(j.taken, x.to)
		j.yaml(x, k, "yaml", parsePodTemplate)
	}
}

func (j *jenkins) yaml(x groovyRange, k int, pointer string, parse func(*Pass)) {
	text, vars := j.embed(x, "${", "}")
	j.pass.nested(text, joinPointer(j.stages[j.block[k]], pointer), func(q *Pass) {
		q.vars = vars
		parse(q)
	})
}

// parsePodTemplate reads a pod without apiVersion and kind.
func parsePodTemplate(p *Pass) {
	for _, d := range p.documents(kubernetesWords...) {
		k := &kubernetes{pass: p, doc: d, head: "Pod"}
		k.walk(get(d.root, "spec"), "spec", "spec", 0)
	}
}

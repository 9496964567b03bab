package parsers

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/digestlint/digestlint/source"
)

// Dockerfile reads what BuildKit builds from
// (https://docs.docker.com/reference/dockerfile/). BuildKit's parser gives the
// instructions with their lines; each instruction is joined over its
// continuations once more, with the place of every byte.
var Dockerfile = register(Format{
	Name:    "dockerfile",
	Title:   "Dockerfile",
	Comment: "#",
	Detect:  detectDockerfile,
	Parse:   parseDockerfile,
})

// detectDockerfile knows the names that people give Dockerfiles, in any case.
// The content has to have a FROM: "Dockerfile.md" is prose.
func detectDockerfile(name string, data []byte) Certainty {
	base := strings.ToLower(path.Base(name))
	var named bool
	for _, kind := range []string{"dockerfile", "containerfile"} {
		switch {
		case base == kind, strings.HasSuffix(base, "."+kind):
			return Path
		case strings.HasPrefix(base, kind), strings.HasSuffix(base, "-"+kind), strings.HasSuffix(base, "_"+kind):
			named = true
		}
	}
	if !named {
		return No
	}
	switch path.Ext(base) {
	case ".md", ".txt", ".rst", ".adoc", ".html", ".go", ".py", ".sh", ".js", ".ts", ".rb", ".yaml", ".yml", ".json", ".dockerignore", ".lock":
		return No
	}
	if hasInstruction(data) {
		return Path
	}
	return No
}

// hasInstruction reports whether a line starts with FROM, in any case.
func hasInstruction(data []byte) bool {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		line = bytes.TrimLeft(line, " \t\xef\xbb\xbf")
		if len(line) > 5 && strings.EqualFold(string(line[:4]), "from") && (line[4] == ' ' || line[4] == '\t') {
			return true
		}
	}
	return false
}

// dockerfile is one Dockerfile being read.
type dockerfile struct {
	pass   *Pass
	data   []byte
	file   *source.File
	lines  []int // inner offset of each line
	escape byte
	lex    *shell.Lex

	stages []string            // lower-case names of all stages of the file
	global map[string]*binding // ARGs before the first FROM
	local  map[string]*binding // ARG and ENV of the stage
	stage  string              // for pointers; "" before the first FROM
	from   int                 // FROMs so far
}

func parseDockerfile(p *Pass) {
	f := &dockerfile{pass: p, data: p.Text.Data, file: p.Text.File, escape: '\\', global: map[string]*binding{}}
	f.lines = []int{0}
	for i, c := range f.data {
		if c == '\n' && i+1 < len(f.data) {
			f.lines = append(f.lines, i+1)
		}
	}
	f.syntax()
	instructions, err := f.instructions()
	if err != nil {
		line := 1
		var at *parser.LocationError
		if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
			line = at.Locations[0][0].Start.Line
		}
		p.Fail(f.lines[min(max(line, 1), len(f.lines))-1], "%s", strings.TrimPrefix(err.Error(), "dockerfile parse error "))
	}
	f.lex = shell.NewLex(rune(f.escape))
	for _, in := range instructions {
		if in.keyword() == "from" {
			if name := in.stageName(); name != "" {
				f.stages = append(f.stages, strings.ToLower(name))
			}
		}
	}
	for _, in := range instructions {
		f.instruction(in)
	}
}

// instruction is one logical line, and the lines of here-documents behind it.
type instruction struct {
	text *source.Text
	body *source.Text // the lines of the here-documents; nil without
}

// maxLine is the length in bytes that BuildKit's scanner stops at.
const maxLine = 64*1024 - 1

// instructions lets BuildKit cut the file; where it gives up, the lines are
// read one by one, so that one bad line does not hide the rest.
func (f *dockerfile) instructions() ([]instruction, error) {
	res, err := parser.Parse(bytes.NewReader(shortLines(f.data)))
	if err != nil {
		if len(bytes.TrimSpace(f.data)) == 0 || strings.Contains(err.Error(), "file with no instructions") {
			return nil, nil
		}
		return f.lineByLine(), err
	}
	f.escape = byte(res.EscapeToken)
	var out []instruction
	for _, n := range res.AST.Children {
		if n.StartLine < 1 || n.StartLine > len(f.lines) {
			continue
		}
		text, next := f.logical(n.StartLine)
		in := instruction{text: text}
		if len(n.Heredocs) > 0 {
			in.body = f.pass.Text.Slice(f.line(next), f.line(n.EndLine+1))
		}
		out = append(out, in)
	}
	return out, nil
}

func (f *dockerfile) lineByLine() []instruction {
	var out []instruction
	for n := 1; n <= len(f.lines); {
		text, next := f.logical(n)
		if len(text.Data) > 0 && text.Data[0] != '#' {
			out = append(out, instruction{text: text})
		}
		n = next
	}
	return out
}

// shortLines is data with lines cut to what BuildKit's scanner takes. Only the
// line numbers are read from the result.
func shortLines(data []byte) []byte {
	long := false
	for rest := data; len(rest) > maxLine; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			i = len(rest) - 1
		}
		long = long || i >= maxLine
		rest = rest[i+1:]
	}
	if !long {
		return data
	}
	var out []byte
	for len(data) > 0 {
		line := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line = data[:i+1]
		}
		data = data[len(line):]
		if len(line) > maxLine {
			line = append(append([]byte{}, line[:maxLine/2]...), '\n')
		}
		out = append(out, line...)
	}
	return out
}

// line is the inner offset at which a line (from one) starts.
func (f *dockerfile) line(n int) int {
	if n > len(f.lines) {
		return len(f.data)
	}
	return f.lines[n-1]
}

// logical joins the line n with those that continue it, as BuildKit does:
// comments and blank lines in between are left out. next is the line behind.
func (f *dockerfile) logical(n int) (text *source.Text, next int) {
	b := source.NewBuilder(f.pass.Text)
	for first := true; n <= len(f.lines); n++ {
		start, end := f.line(n), f.line(n+1)
		end = start + len(bytes.TrimRight(f.data[start:end], "\r\n"))
		if first {
			if start == 0 && bytes.HasPrefix(f.data, []byte("\xef\xbb\xbf")) {
				start = 3
			}
			start += len(f.data[start:end]) - len(bytes.TrimLeft(f.data[start:end], " \t\v\f\u0085\u00a0"))
		} else if t := bytes.TrimSpace(f.data[start:end]); len(t) == 0 || t[0] == '#' {
			continue
		}
		cut, more := f.continues(f.data[start:end])
		b.Copy(start, start+cut)
		first = false
		if !more {
			n++
			break
		}
	}
	b.Copy(0, 0)
	return b.Text(), n
}

// continues reports whether a line goes on, and how many of its bytes stand
// before the escape character. A doubled escape does not continue.
func (f *dockerfile) continues(line []byte) (int, bool) {
	t := bytes.TrimRight(line, " \t")
	n := len(t)
	if n == 0 || t[n-1] != f.escape || n > 1 && t[n-2] == f.escape {
		return len(line), false
	}
	return n - 1, true
}

// keyword is the instruction in lower case.
func (in instruction) keyword() string {
	return strings.ToLower(string(in.text.Data[:wordEnd(in.text.Data, 0)]))
}

// wordEnd is the end of the word at i, in which quoted blanks count as text.
func wordEnd(data []byte, i int) int {
	var quote byte
	for ; i < len(data); i++ {
		switch c := data[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			if bytes.IndexByte(data[i+1:], c) >= 0 {
				quote = c
			}
		case isBlank(c):
			return i
		}
	}
	return i
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\n' || c == '\r'
}

// words are the words behind the keyword; flags come first.
func (in instruction) words() (flags, args []*source.Text) {
	data := in.text.Data
	for i := wordEnd(data, 0); ; {
		for i < len(data) && isBlank(data[i]) {
			i++
		}
		if i == len(data) {
			return flags, args
		}
		end := wordEnd(data, i)
		w := in.text.Slice(i, end)
		if len(args) == 0 && bytes.HasPrefix(w.Data, []byte("--")) {
			flags = append(flags, w)
		} else {
			args = append(args, w)
		}
		i = end
	}
}

func (in instruction) stageName() string {
	if _, args := in.words(); len(args) >= 3 && strings.EqualFold(args[1].String(), "as") {
		return args[2].String()
	}
	return ""
}

func (f *dockerfile) instruction(in instruction) {
	switch in.keyword() {
	case "from":
		f.fromImage(in)
	case "arg":
		f.arg(in)
	case "env":
		f.env(in)
	case "copy", "add":
		f.copyFrom(in)
	case "run":
		f.mounts(in)
		f.run(in)
	case "onbuild":
		data := in.text.Data
		i := wordEnd(data, 0)
		for i < len(data) && isBlank(data[i]) {
			i++
		}
		in.text = in.text.Slice(i, len(data))
		if k := in.keyword(); k != "onbuild" && k != "arg" && k != "env" {
			f.instruction(in)
		}
	}
}

// syntax reports the frontend image of the "# syntax=" directive.
func (f *dockerfile) syntax() {
	name, _, loc, ok := parser.DetectSyntax(f.data)
	if !ok || len(loc) == 0 {
		return
	}
	n := loc[0].Start.Line
	start, end := f.line(n), f.line(n+1)
	eq := bytes.IndexByte(f.data[start:end], '=')
	if eq < 0 { // the JSON form: {"syntax": "…"}
		eq = bytes.IndexByte(f.data[start:end], ':')
	}
	at := bytes.Index(f.data[start+max(eq, 0):end], []byte(name))
	if eq < 0 || at < 0 {
		return
	}
	at += start + eq
	f.pass.Use(found{text: f.pass.Text.Slice(at, at+len(name)), pointer: "syntax"})
}

// fromImage reports the base of a stage, unless it is another stage.
func (f *dockerfile) fromImage(in instruction) {
	_, args := in.words()
	f.local = map[string]*binding{}
	f.stage = in.stageName()
	if f.stage == "" {
		f.stage = strconv.Itoa(f.from)
	}
	f.from++
	if len(args) == 0 {
		return
	}
	f.use(args[0], "FROM", f.globalArg)
}

// use reports an image of the file unless it names a stage, or nothing.
func (f *dockerfile) use(t *source.Text, what string, look lookup) {
	t = unquote(t)
	values := f.expand(t, look)
	values = slices.DeleteFunc(values, f.isStage)
	if len(values) == 0 {
		return
	}
	f.pass.Use(found{text: t, values: values, pointer: f.pointer(what)})
}

func (f *dockerfile) pointer(what string) string {
	if f.stage == "" {
		return what
	}
	return what + ", stage " + f.stage
}

// unquote is t without quotes around it.
func unquote(t *source.Text) *source.Text {
	if n := len(t.Data); n >= 2 && (t.Data[0] == '"' || t.Data[0] == '\'') && t.Data[n-1] == t.Data[0] {
		return t.Slice(1, n-1)
	}
	return t
}

// isStage reports whether a value is the name of a stage (in any case), its
// number, or "scratch". Where a part of the value is unknown the rest of it has
// to fit: "base-${TARGETARCH}" chooses among the stages base-amd64, base-arm64.
func (f *dockerfile) isStage(e expr) bool {
	text := strings.ToLower(e.text())
	if len(e.missing()) == 0 {
		if _, err := strconv.Atoi(text); err == nil || text == "scratch" {
			return true
		}
		return slices.Contains(f.stages, text)
	}
	if text == "" {
		return false
	}
	return slices.ContainsFunc(f.stages, func(stage string) bool { return fits(stage, e) })
}

// fits reports whether s can be e with something for its unknown pieces.
func fits(s string, e expr) bool {
	for i, p := range e {
		if p.missing != "" {
			continue
		}
		want := strings.ToLower(p.text)
		at := strings.Index(s, want)
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		if i == len(e)-1 && !strings.HasSuffix(s, want) {
			return false
		}
		s = s[at+len(want):]
	}
	return true
}

// expand reads variables as BuildKit does; an operator that has no place of its
// own in the text (${X%-*}) is computed by BuildKit's lexer.
func (f *dockerfile) expand(t *source.Text, look lookup) []expr {
	scan := func(data []byte, i int) (variable, bool) {
		v, ok := scanDollar(data, i)
		if ok && v.op != "" && v.word == [2]int{} {
			v.compute = func() (string, bool) {
				res, err := f.lex.ProcessWordWithMatches(string(data[v.start:v.end]), environ{look})
				return res.Result, err == nil && len(res.Unmatched) == 0
			}
		}
		return v, ok
	}
	return expand(t, scan, look)
}

// environ gives BuildKit's lexer the first value of each variable.
type environ struct{ look lookup }

func (e environ) Get(name string) (string, bool) {
	if b := e.look(name); b != nil {
		if texts := b.texts(); len(texts) > 0 && len(texts[0].missing()) == 0 {
			return texts[0].text(), true
		}
	}
	return "", false
}

func (e environ) Keys() []string { return nil }

func (f *dockerfile) globalArg(name string) *binding { return f.global[name] }

// variable is what RUN sees: the stage's own ARG and ENV.
func (f *dockerfile) variable(name string) *binding { return f.local[name] }

// arg defines build arguments. Before the first FROM they are for FROM lines;
// in a stage one without a default takes over the global one.
func (f *dockerfile) arg(in instruction) {
	_, args := in.words()
	for _, a := range args {
		name, value := assignment(a)
		look, into := f.globalArg, f.global
		if f.stage != "" {
			look, into = f.variable, f.local
		}
		if value != nil {
			into[name] = f.define(a, name, value, classArg, look)
		} else if f.stage != "" && f.global[name] != nil {
			into[name] = f.global[name]
		}
	}
}

// env defines the environment of a stage: "ENV a=1 b=2", or "ENV a 1".
func (f *dockerfile) env(in instruction) {
	_, args := in.words()
	if f.stage == "" || len(args) == 0 {
		return
	}
	if bytes.IndexByte(args[0].Data, '=') < 0 {
		if len(args) == 2 {
			f.local[args[0].String()] = f.define(args[0], args[0].String(), unquote(args[1]), classShell, f.variable)
		}
		return
	}
	for _, a := range args {
		if name, value := assignment(a); value != nil {
			f.local[name] = f.define(a, name, value, classShell, f.variable)
		}
	}
}

// assignment cuts "name=value"; value is nil where there is no "=".
func assignment(t *source.Text) (name string, value *source.Text) {
	i := bytes.IndexByte(t.Data, '=')
	if i < 0 {
		return t.String(), nil
	}
	return string(t.Data[:i]), unquote(t.Slice(i+1, len(t.Data)))
}

func (f *dockerfile) define(at *source.Text, name string, value *source.Text, c *class, look lookup) *binding {
	// The value is read now: later lines don't change what it was made of.
	values := f.expand(value, look)
	if len(value.Data) == 0 {
		values = nil
	}
	def, _ := at.Span(0, len(name))
	region, _ := f.pass.Text.Span(0, len(f.data))
	return &binding{name: name, class: c, file: f.file, def: def, region: region, eval: func() []expr { return values }}
}

// copyFrom reports the image that COPY --from copies out of.
func (f *dockerfile) copyFrom(in instruction) {
	flags, _ := in.words()
	for _, flag := range flags {
		if value, ok := bytes.CutPrefix(flag.Data, []byte("--from=")); ok && len(value) > 0 {
			f.use(flag.Slice(len("--from="), len(flag.Data)), strings.ToUpper(in.keyword())+" --from", f.globalArg)
		}
	}
}

// mounts reports the images that RUN --mount mounts, whichever of several
// mounts and fields names them.
func (f *dockerfile) mounts(in instruction) {
	flags, _ := in.words()
	for _, flag := range flags {
		if !bytes.HasPrefix(flag.Data, []byte("--mount=")) {
			continue
		}
		t := unquote(flag.Slice(len("--mount="), len(flag.Data)))
		for start := 0; start <= len(t.Data); {
			end := len(t.Data)
			if i := bytes.IndexByte(t.Data[start:], ','); i >= 0 {
				end = start + i
			}
			field := unquote(t.Slice(start, end))
			if bytes.HasPrefix(bytes.ToLower(field.Data), []byte("from=")) && len(field.Data) > len("from=") {
				f.use(field.Slice(len("from="), len(field.Data)), "RUN --mount from", f.globalArg)
			}
			start = end + 1
		}
	}
}

// run reads the shell of a RUN instruction, here-documents included.
func (f *dockerfile) run(in instruction) {
	data := in.text.Data
	start := wordEnd(data, 0)
	flags, args := in.words()
	if len(args) == 0 {
		return
	}
	for range flags {
		for start < len(data) && isBlank(data[start]) {
			start++
		}
		start = wordEnd(data, start)
	}
	script := in.text.Slice(start, len(data)).Trim()
	if bytes.HasPrefix(script.Data, []byte("[")) {
		f.pass.nested(script, f.pointer("RUN"), func(q *Pass) { q.execForm() })
		return
	}
	if in.body != nil {
		script = source.Join("\n", script, in.body)
	}
	f.pass.nested(script, f.pointer("RUN"), func(q *Pass) { q.shell(f.variable, templating{}) })
}

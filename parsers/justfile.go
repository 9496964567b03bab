package parsers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Justfile reads the recipes of just (https://just.systems/man/en/): shell
// text, in which "{{expressions}}" stand.
var Justfile = register(Format{
	Name:    "justfile",
	Title:   "Justfile",
	Files:   "`justfile` and `*.just`.",
	Places:  "The shell of recipes; variables and parameters are followed.",
	Comment: "#",
	Detect:  detectJustfile,
	Parse:   parseJustfile,
})

func detectJustfile(c *Candidate) Certainty {
	base := c.lower
	switch {
	case base == "justfile" || base == ".justfile" || strings.HasSuffix(base, ".justfile"):
	case path.Ext(dataName(base)) == ".just":
	case interpreter(c.Data) == "just":
	default:
		return No
	}
	return Path
}

var (
	// classJust is a variable that only the justfile reads; the command line
	// may give another text for all of it.
	classJust         = &class{noun: "just variable", overridable: true}
	classJustExported = &class{noun: "just variable", overridable: true, safety: image.Unsafe,
		why: "just exports it, and programs that the recipes start may read it"}
	classJustShared = &class{noun: "just variable", overridable: true, safety: image.Unsafe,
		why: "justfiles that import this one, or that it imports, may read it"}
	classJustParameter = &class{noun: "parameter default", overridable: true}
)

// justfile is one justfile being read.
type justfile struct {
	pass      *Pass
	text      *source.Text
	variables map[string]*justVariable
	recipes   []*justRecipe
	exportAll bool
	shared    bool
	commands  []*source.Text // texts between backticks, and command lines in strings
}

// justVariable is an assignment, or a parameter of a recipe.
type justVariable struct {
	count    int
	exported bool
	class    *class
	name     source.Span
	value    *source.Text // the expression; nil where there is none
	region   source.Span
	binding  *binding
}

// justRecipe is a recipe with the lines of its body, without line endings.
type justRecipe struct {
	name       string
	parameters map[string]*justVariable
	lines      []source.Span
}

func parseJustfile(p *Pass) {
	if !containsAny(p.Text.Data, shellWords) {
		return
	}
	j := &justfile{pass: p, text: p.Text, variables: map[string]*justVariable{}}
	base := strings.ToLower(path.Base(p.Text.File.Path))
	j.shared = base != "justfile" && base != ".justfile"
	j.read()
	for _, t := range j.commands {
		p.nested(t, "", func(q *Pass) { q.shell(nil, j.templating(nil)) })
	}
	for _, r := range j.recipes {
		j.recipe(r)
	}
}

// read sorts the lines of the file into assignments, settings and recipes.
func (j *justfile) read() {
	data := j.text.Data
	var recipe *justRecipe
	for at := 0; at < len(data); {
		l := makeLineAt(data, at)
		line := data[l.start:l.end]
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			at = l.next
			if recipe != nil {
				recipe.lines = append(recipe.lines, source.Span{Start: l.start, End: l.end})
			}
			continue
		}
		at = l.next
		if len(bytes.TrimSpace(line)) == 0 {
			if recipe != nil {
				recipe.lines = append(recipe.lines, source.Span{Start: l.start, End: l.end})
			}
			continue
		}
		if line[0] == '#' || line[0] == '[' {
			continue
		}
		recipe = nil
		switch word := firstWord(line); word {
		case "set":
			setting := strings.Join(strings.Fields(string(line)), " ")
			j.exportAll = j.exportAll || setting == "set export" || strings.HasPrefix(setting, "set export := true")
			continue
		case "import", "import?", "mod", "mod?":
			j.shared = true
			continue
		case "alias", "unexport":
			continue
		}
		if end, ok := j.assignment(l.start, l.end); ok {
			at = max(at, end)
			continue
		}
		recipe = j.header(l.start, l.end)
		if recipe != nil {
			j.recipes = append(j.recipes, recipe)
		}
	}
}

// assignment reads "NAME := expression", and gives the offset behind it, which
// a string of several lines may move.
func (j *justfile) assignment(start, end int) (int, bool) {
	data := j.text.Data
	exported := false
	for _, word := range []string{"export", "eager", "lazy"} {
		if rest, ok := bytes.CutPrefix(data[start:end], []byte(word)); ok && len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			exported = exported || word == "export"
			start = end - len(bytes.TrimLeft(rest, " \t"))
		}
	}
	nameEnd := justName(data, start, end)
	rest := bytes.TrimLeft(data[nameEnd:end], " \t")
	if nameEnd == start || !bytes.HasPrefix(rest, []byte(":=")) {
		return 0, false
	}
	v := j.variables[string(data[start:nameEnd])]
	if v == nil {
		v = &justVariable{class: classJust, region: source.Span{End: len(j.text.File.Data)}}
		j.variables[string(data[start:nameEnd])] = v
	}
	v.count++
	v.exported = v.exported || exported
	v.name, _ = j.text.Span(start, nameEnd)
	valueStart := end - len(rest) + len(":=")
	valueEnd := justExpressionEnd(data, valueStart)
	v.value = j.text.Slice(valueStart, valueEnd).Trim()
	j.inner(v.value)
	return min(lineEnd(data, valueEnd)+1, len(data)), true
}

// justName is the end of the name at start.
func justName(data []byte, start, end int) int {
	at := start
	for at < end && (isNameByte(data[at]) || data[at] == '-' && at > start) {
		at++
	}
	return at
}

// justExpressionEnd is where an expression ends: at a newline, or a comment,
// outside quotes and brackets.
func justExpressionEnd(data []byte, at int) int {
	depth := 0
	for at < len(data) {
		switch c := data[at]; c {
		case '\n':
			if depth <= 0 {
				return at
			}
		case '#':
			return at
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth--
		case '\'', '"', '`':
			_, _, next := justString(data, at)
			at = next
			continue
		}
		at++
	}
	return at
}

// justString is the content of the string, or the command between backticks,
// at data[at], and the offset behind it.
func justString(data []byte, at int) (start, end, next int) {
	quote, mark := data[at], data[at:at+1]
	if end := at + 3; end <= len(data) && data[at+1] == quote && data[at+2] == quote {
		mark = data[at:end]
	}
	start = at + len(mark)
	for i := start; i < len(data); i++ {
		switch {
		case data[i] == '\\' && quote == '"':
			i++
		case bytes.HasPrefix(data[i:], mark):
			return start, i, i + len(mark)
		case data[i] == '\n' && len(mark) == 1 && i-start > maxVariable: // a stray quote
			return start, start, start
		}
	}
	return start, start, start
}

// inner notes the command lines in an expression: those between backticks, and
// strings that recipes begin their lines with.
func (j *justfile) inner(t *source.Text) {
	for at := 0; at < len(t.Data); at++ {
		c := t.Data[at]
		if c != '\'' && c != '"' && c != '`' {
			continue
		}
		start, end, next := justString(t.Data, at)
		if text := t.Slice(start, max(start, end)); containsAny(text.Data, shellWords) && (c == '`' || bytes.IndexByte(text.Data, ' ') > 0) {
			j.commands = append(j.commands, text)
		}
		at = max(at, next-1)
	}
}

// header reads "name parameters: dependencies".
func (j *justfile) header(start, end int) *justRecipe {
	data := j.text.Data
	if start < end && data[start] == '@' {
		start++
	}
	at := justName(data, start, end)
	if at == start {
		return nil
	}
	r := &justRecipe{name: string(data[start:at]), parameters: map[string]*justVariable{}}
	for at < end && data[at] != ':' {
		exported := false
		for at < end && bytes.IndexByte([]byte(" \t$+*"), data[at]) >= 0 {
			exported = exported || data[at] == '$'
			at++
		}
		nameEnd := justName(data, at, end)
		if nameEnd == at {
			break
		}
		v := &justVariable{count: 1, exported: exported, class: classJustParameter}
		v.name, _ = j.text.Span(at, nameEnd)
		r.parameters[string(data[at:nameEnd])] = v
		at = nameEnd
		if at < end && data[at] == '=' {
			stop := justDefaultEnd(data, at+1, end)
			// An empty default waits for somebody to give the text.
			if value := string(data[at+1 : stop]); value != `""` && value != "''" {
				v.value = j.text.Slice(at+1, stop)
			}
			at = stop
		}
	}
	if at >= end || data[at] != ':' {
		return nil
	}
	return r
}

// justDefaultEnd is the end of the default of a parameter: one value, or an
// expression in parentheses.
func justDefaultEnd(data []byte, at, end int) int {
	depth := 0
	for at < end {
		switch c := data[at]; {
		case c == '\'' || c == '"' || c == '`':
			_, _, next := justString(data[:end], at)
			at = next
			continue
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth <= 0 && (c == ' ' || c == '\t' || c == ':'):
			return at
		}
		at++
	}
	return at
}

// recipe reads the body of a recipe: a script where it begins with "#!", else
// each line for a shell of its own.
func (j *justfile) recipe(r *justRecipe) {
	for len(r.lines) > 0 && r.lines[len(r.lines)-1].Empty() {
		r.lines = r.lines[:len(r.lines)-1]
	}
	if len(r.lines) == 0 {
		return
	}
	region, _ := j.text.Span(r.lines[0].Start, r.lines[len(r.lines)-1].End)
	for _, v := range r.parameters {
		v.region = region
	}
	outer := j.templating(r)
	env := func(name string) *binding { return j.environment(r, name) }
	data := j.text.Data
	first := r.lines[0]
	if body := bytes.TrimLeft(data[first.Start:first.End], " \t"); bytes.HasPrefix(body, []byte("#!")) {
		if isShellInterpreter(interpreter(body)) {
			j.shell(r, first.Start, r.lines[len(r.lines)-1].End, env, outer)
		}
		return
	}
	for _, l := range r.lines {
		start := l.Start
		for start < l.End && bytes.IndexByte([]byte(" \t@-"), data[start]) >= 0 {
			start++
		}
		j.shell(r, start, l.End, env, outer)
	}
}

// shell reads the lines from start to end, in which variables that hold the
// beginning of a command line are replaced by it.
func (j *justfile) shell(r *justRecipe, start, end int, env lookup, outer templating) {
	part := j.text.Slice(start, end)
	if !containsAny(part.Data, shellWords) && !bytes.Contains(part.Data, []byte("{{")) {
		return
	}
	b := source.NewBuilder(part)
	var expanded []source.Span
	plain := 0
	for at := 0; at < len(part.Data); {
		v, ok := scanJust(part.Data, at)
		if !ok {
			break
		}
		if command := j.command(r, v.name); command != "" {
			b.Copy(plain, v.start)
			b.Put(command, v.start, v.end)
			span, _ := part.Span(v.start, v.end)
			expanded = append(expanded, span)
			plain = v.end
		}
		at = v.end
	}
	b.Copy(plain, len(part.Data))
	before := len(j.pass.out.Uses)
	j.pass.nested(b.Text(), r.name, func(q *Pass) { q.shell(env, outer) })
	out := j.pass.out
	kept := slices.DeleteFunc(out.Uses[before:], func(u image.Use) bool { return slices.Contains(expanded, u.Span) })
	out.Uses = out.Uses[:before+len(kept)]
}

// command is the text of a variable that holds the beginning of a command
// line, or "".
func (j *justfile) command(r *justRecipe, name string) string {
	b := j.find(r, name)
	if b == nil {
		return ""
	}
	values := b.texts()
	if len(values) != 1 || len(values[0].missing()) > 0 {
		return ""
	}
	text := values[0].text()
	if i := strings.IndexByte(text, ' '); i < 0 || len(text) > maxVariable || strings.IndexByte(text, '\n') >= 0 || findProgram(word{text: text[:i]}) == nil {
		return ""
	}
	return text
}

func (j *justfile) templating(r *justRecipe) templating {
	return templating{scan: scanJust, look: func(name string) *binding { return j.find(r, name) }}
}

// find is the binding of a name in a recipe, or outside of all for nil.
func (j *justfile) find(r *justRecipe, name string) *binding {
	if r != nil {
		if v := r.parameters[name]; v != nil {
			return j.bind(name, v)
		}
	}
	return j.bind(name, j.variables[name])
}

func (j *justfile) bind(name string, v *justVariable) *binding {
	if v == nil || v.count != 1 || v.value == nil {
		return nil
	}
	if v.binding == nil {
		c := v.class
		switch {
		case v.exported || j.exportAll:
			c = classJustExported
		case j.shared && c == classJust:
			c = classJustShared
		}
		v.binding = &binding{name: name, class: c, file: j.text.File, def: v.name, region: v.region, eval: func() []expr {
			return (&justExpression{text: v.value, look: func(n string) *binding { return j.find(nil, n) }}).values()
		}}
	}
	return v.binding
}

// environment is the binding of a shell variable that just exports.
func (j *justfile) environment(r *justRecipe, name string) *binding {
	v := r.parameters[name]
	if v == nil {
		v = j.variables[name]
	}
	if v == nil || !v.exported && !j.exportAll {
		return nil
	}
	return j.bind(name, v)
}

// scanJust finds "{{expression}}"; "{{{{" stands for two braces.
func scanJust(data []byte, i int) (variable, bool) {
	for i < len(data) {
		k := bytes.Index(data[i:], []byte("{{"))
		if k < 0 {
			break
		}
		start := i + k
		if bytes.HasPrefix(data[start:], []byte("{{{{")) {
			i = start + 4
			continue
		}
		n := bytes.Index(data[start:min(len(data), start+maxVariable)], []byte("}}"))
		if n < 0 {
			i = start + 2
			continue
		}
		v := variable{start: start, end: start + n + 2}
		v.nameStart, v.nameEnd = trimSpan(data, start+2, start+n)
		v.name = string(data[v.nameStart:v.nameEnd])
		if justName(data, v.nameStart, v.nameEnd) != v.nameEnd {
			v.name = shorten(v.name)
			v.eval = func(t *source.Text, look lookup) []expr {
				return (&justExpression{text: t.Slice(v.nameStart, v.nameEnd), look: look}).values()
			}
		}
		return v, true
	}
	return variable{}, false
}

// justExpression evaluates strings, names, "+", "/", env() and parentheses
// (https://just.systems/man/en/grammar.html).
type justExpression struct {
	text  *source.Text
	look  lookup
	at    int
	depth int
}

// values are the texts of the whole expression; what can't be evaluated is
// unknown.
func (e *justExpression) values() []expr {
	out, ok := e.sum()
	if e.blanks(); !ok || e.at < len(e.text.Data) {
		return []expr{unknown(e.text, shorten(e.text.String()))}
	}
	return out
}

func (e *justExpression) blanks() {
	for e.at < len(e.text.Data) && strings.IndexByte(spaces, e.text.Data[e.at]) >= 0 {
		e.at++
	}
}

func (e *justExpression) sum() ([]expr, bool) {
	if e.depth++; e.depth > maxExpansion {
		return nil, false
	}
	defer func() { e.depth-- }()
	out, ok := e.term()
	for ok {
		e.blanks()
		if e.at >= len(e.text.Data) || e.text.Data[e.at] != '+' && e.text.Data[e.at] != '/' {
			break
		}
		operator := e.text.Slice(e.at, e.at+1)
		e.at++
		var next []expr
		if next, ok = e.term(); ok {
			if operator.String() == "/" {
				out = product(out, []expr{{joiner(operator, "/")}})
			}
			out = product(out, next)
		}
	}
	return out, ok
}

func (e *justExpression) term() ([]expr, bool) {
	e.blanks()
	data := e.text.Data
	if e.at >= len(data) {
		return nil, false
	}
	switch c := data[e.at]; {
	case c == '(':
		e.at++
		out, ok := e.sum()
		return out, ok && e.take(')')
	case c == '\'' || c == '"':
		t, ok := e.quoted()
		if !ok {
			return nil, false
		}
		return []expr{literal(t)}, true
	}
	start := e.at
	e.at = justName(data, start, len(data))
	name := string(data[start:e.at])
	switch {
	case name == "" || name == "if" || name == "assert":
		return nil, false
	case e.at < len(data) && data[e.at] == '(':
		return e.call(name)
	case e.at < len(data) && (data[e.at] == '\'' || data[e.at] == '"'): // x"…", f"…"
		return nil, false
	}
	v := variable{start: start, end: e.at, name: name, nameStart: start, nameEnd: e.at}
	return expandVariable(e.text, v, noVariables, e.look, 0), true
}

func (e *justExpression) take(c byte) bool {
	if e.blanks(); e.at < len(e.text.Data) && e.text.Data[e.at] == c {
		e.at++
		return true
	}
	return false
}

// quoted is the string at the place reached. One with escapes, or one of
// several lines, is none that an edit could fit in.
func (e *justExpression) quoted() (*source.Text, bool) {
	quote := e.text.Data[e.at]
	start, end, next := justString(e.text.Data, e.at)
	if next == start { // not closed
		return nil, false
	}
	e.at = next
	t := e.text.Slice(start, end)
	if quote == '"' && bytes.IndexByte(t.Data, '\\') >= 0 || bytes.IndexByte(t.Data, '\n') >= 0 {
		return nil, false
	}
	return t, true
}

// call reads the arguments of a function. That of the environment gives its
// default.
func (e *justExpression) call(name string) ([]expr, bool) {
	e.at++
	var arguments [][]expr
	for !e.take(')') {
		a, ok := e.sum()
		if !ok {
			return nil, false
		}
		arguments = append(arguments, a)
		if !e.take(',') {
			if e.take(')') {
				break
			}
			return nil, false
		}
	}
	switch name {
	case "env", "env_var_or_default":
		if len(arguments) == 2 && len(arguments[0]) == 1 {
			variable := arguments[0][0].text()
			var out []expr
			for _, v := range arguments[1] {
				l := link{binding: &binding{name: variable, class: classDefault}, file: e.text.File}
				if len(v) > 0 {
					l.at = v[0].span
				}
				out = append(out, through(l, v))
			}
			return out, true
		}
	}
	return nil, false
}

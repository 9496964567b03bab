package parsers

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// templating is how an outer format writes its own expressions into the text
// of an inner one, such as "${{ env.X }}" within a shell script.
type templating struct {
	scan scanner // nil where the outer format has none
	look lookup
}

// shellWords are the programs that name images; a script without any of them
// is not parsed.
var shellWords = []string{
	"docker", "podman", "nerdctl", "finch", "buildah", "crane", "skopeo", "cosign", "regctl", "oras",
	"kubectl", "oc ", "kind ", "k3d ", "minikube", "ctr ", "crictl",
	"DOCKER", "PODMAN", "ENGINE", "CONTAINER", "RUNTIME",
}

// shell reports the images in a shell script. env gives the variables that the
// outer format sets for it.
func (p *Pass) shell(env lookup, outer templating) {
	p.shells([]*source.Text{p.Text}, env, outer)
}

// shells reports the images in texts that one shell runs one after the other:
// what one of them assigns, all of them know.
func (p *Pass) shells(texts []*source.Text, env lookup, outer templating) {
	if !slices.ContainsFunc(texts, func(t *source.Text) bool { return containsAny(t.Data, shellWords) }) {
		return
	}
	assigned := &assignments{
		bindings: map[string]*binding{}, counts: map[string]int{},
		defaults: map[string]*binding{}, arrays: map[string][]*syntax.Word{}, texts: map[string][]assignedText{}, commands: map[string][]shellWord{},
		runners: map[string]bool{},
	}
	var scripts []*script
	for _, t := range parseTexts(texts, outer.scan) {
		s := &script{pass: p, text: t.text, file: t.file, env: env, outer: outer, assigned: assigned}
		s.collect()
		scripts = append(scripts, s)
	}
	for _, s := range scripts {
		s.walk()
	}
}

// parsedText is a script, or as much of one as can be parsed on its own.
type parsedText struct {
	text *source.Text
	file *syntax.File
}

// parseTexts parses texts that one shell reads one after the other. A loop may
// begin in one of them and end in the next, so they are read as one, if that
// works.
func parseTexts(texts []*source.Text, scan scanner) []parsedText {
	parser := syntax.NewParser(syntax.Variant(syntax.LangBash))
	if len(texts) > 1 {
		joined := source.Join("\n", texts...)
		if file, err := parseScript(parser, maskScript(joined.Data, scan)); err == nil {
			return []parsedText{{joined, file}}
		}
	}
	lenient := syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.RecoverErrors(16))
	var out []parsedText
	for _, t := range texts {
		masked := maskScript(t.Data, scan)
		file, err := parseScript(parser, masked)
		if err == nil {
			out = append(out, parsedText{t, file})
			continue
		}
		// Scripts are written for many shells and templating tools: from the
		// command that does not parse on they are read line by line, and this
		// is no finding.
		start := 0
		if file != nil && len(file.Stmts) > 0 {
			last := len(file.Stmts) - 1
			start = min(int(file.Stmts[last].Pos().Offset()), len(masked))
			file.Stmts = file.Stmts[:last]
			out = append(out, parsedText{t, file})
		}
		eachCommandLine(masked[start:], func(from, to int) {
			line := masked[start+from : start+to]
			if !containsAny(line, shellWords) && bytes.IndexByte(line, '=') < 0 {
				return
			}
			if file, _ := parseScript(lenient, line); file != nil {
				out = append(out, parsedText{t.Slice(start+from, start+to), file})
			}
		})
	}
	return out
}

// parseScript is the tree of a script, or as much of it as stands before an
// error. The parser panics where it recovers from an error in front of "[".
func parseScript(parser *syntax.Parser, data []byte) (file *syntax.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, fmt.Errorf("parse script: %v", r)
		}
	}()
	return parser.Parse(bytes.NewReader(data), "")
}

// eachCommandLine gives the bounds of the lines of a script, a line that a
// backslash continues together with the next, and a here-document with the
// line that begins it.
func eachCommandLine(data []byte, give func(start, end int)) {
	unclosed := map[string]bool{}
	for start := 0; start < len(data); {
		end := lineEnd(data, start)
		for end < len(data) && end > 0 && data[end-1] == '\\' {
			end = lineEnd(data, end+1)
		}
		if word := hereDocWord(data[start:end]); word != "" && !unclosed[word] {
			if stop := closeHereDoc(data, end+1, word); stop >= 0 {
				end = stop
			} else {
				unclosed[word] = true
			}
		}
		give(start, min(end, len(data)))
		start = end + 1
	}
}

// lineEnd is the offset of the newline that ends the line at start, or of the
// end of the data.
func lineEnd(data []byte, start int) int {
	if start >= len(data) {
		return len(data)
	}
	if i := bytes.IndexByte(data[start:], '\n'); i >= 0 {
		return start + i
	}
	return len(data)
}

// hereDocWord is the word that ends the here-document that a line begins.
func hereDocWord(line []byte) string {
	i := bytes.Index(line, []byte("<<"))
	if i < 0 || bytes.HasPrefix(line[i:], []byte("<<<")) {
		return ""
	}
	rest := bytes.TrimLeft(bytes.TrimPrefix(line[i+2:], []byte("-")), " \t\\'\"")
	n := 0
	for n < len(rest) && isNameByte(rest[n]) {
		n++
	}
	return string(rest[:n])
}

// closeHereDoc is the end of the line, at start or behind, that is word alone,
// or -1.
func closeHereDoc(data []byte, start int, word string) int {
	for start < len(data) {
		end := lineEnd(data, start)
		if string(bytes.TrimSpace(data[start:end])) == word {
			return end
		}
		start = end + 1
	}
	return -1
}

// maskScript is a script with what the shell's parser can't read replaced by
// letters, byte for byte: expressions of the outer format, and the carriage
// returns of CR LF line ends.
func maskScript(data []byte, scan scanner) []byte {
	out := bytes.Clone(data)
	if scan != nil {
		for at := 0; ; {
			v, ok := scan(data, at)
			if !ok {
				break
			}
			for i := v.start; i < v.end; i++ {
				if out[i] != '\n' {
					out[i] = 'x'
				}
			}
			at = v.end
		}
	}
	for i := 0; i+1 < len(out); i++ {
		if out[i] == '\r' && out[i+1] == '\n' {
			if out[i] = ' '; i > 0 && out[i-1] == '\\' {
				out[i-1], out[i] = ' ', '\\'
			}
		}
	}
	return out
}

// script is one shell text being read.
type script struct {
	pass     *Pass
	text     *source.Text // as it stands, unmasked
	file     *syntax.File
	env      lookup
	outer    templating
	assigned *assignments
}

// assignments are the variables that scripts running in one shell set.
type assignments struct {
	bindings map[string]*binding
	counts   map[string]int // how often each is set
	// defaults are what "${NAME:=word}" sets, which ends nothing that is set.
	defaults map[string]*binding
	arrays   map[string][]*syntax.Word
	texts    map[string][]assignedText
	commands map[string][]shellWord // found so far, by the variable that holds them
	runners  map[string]bool        // the functions that run the command which they are given
}

// part is a stretch of a word: static text, or what is known of an expansion.
type part struct {
	text   *source.Text // static: decoded; else as written
	opaque bool
	exprs  []expr
	name   string // of the variable, if it is just one
}

// collect finds the variables that the script gives one value.
func (s *script) collect() {
	counts := s.assigned.counts
	assign := func(a *syntax.Assign) {
		if a.Name == nil || a.Index != nil {
			return
		}
		name := a.Name.Value
		if a.Array != nil {
			counts[name]++
			s.array(name, a)
			return
		}
		counts[name]++
		if a.Append || a.Value == nil {
			counts[name]++ // appended to, or set by something unseen
			s.assigned.texts[name] = append(s.assigned.texts[name], assignedText{from: s})
			return
		}
		value := a.Value
		s.assigned.texts[name] = append(s.assigned.texts[name], assignedText{s, value})
		s.define(name, classShell, a.Name, func() []expr { return s.values(value) })
	}
	syntax.Walk(s.file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			if len(n.Args) == 0 {
				for _, a := range n.Assigns {
					assign(a)
				}
				return true
			}
			if name := n.Args[0].Lit(); name == "read" || name == "unset" || name == "mapfile" || name == "getopts" {
				for _, w := range n.Args[1:] {
					counts[w.Lit()] += 2
				}
			}
		case *syntax.DeclClause:
			for _, a := range n.Args {
				if a.Name != nil && (a.Value != nil || a.Array != nil) {
					assign(a)
				}
			}
		case *syntax.FuncDecl:
			if n.Name != nil && runsArguments(n.Body) {
				s.assigned.runners[n.Name.Value] = true
			}
		case *syntax.ParamExp:
			s.assigningDefault(n)
		case *syntax.ForClause:
			if w, ok := n.Loop.(*syntax.WordIter); ok {
				counts[w.Name.Value]++
				items := w.Items
				s.define(w.Name.Value, classLoop, w.Name, func() []expr {
					var all []expr
					for _, item := range items {
						all = append(all, s.fields(item)...)
					}
					return all
				})
			}
		}
		return true
	})
}

// array notes the elements of "name=(a b c)".
func (s *script) array(name string, a *syntax.Assign) {
	if a.Append {
		s.assigned.counts[name]++
		return
	}
	var elements []*syntax.Word
	for _, e := range a.Array.Elems {
		if e.Index != nil || e.Value == nil {
			return // by key
		}
		elements = append(elements, e.Value)
	}
	s.assigned.arrays[name] = elements
	s.define(name, classLoop, a.Name, func() []expr {
		var all []expr
		for _, e := range elements {
			all = append(all, s.values(e)...)
		}
		return all
	})
}

// classScriptDefault is what "${NAME:=word}" sets.
var classScriptDefault = &class{noun: "default", overridable: true, safety: image.Unsafe,
	why: "programs that the script starts may read this variable"}

// assigningDefault notes what "${NAME:=word}" gives a name that is not set.
func (s *script) assigningDefault(e *syntax.ParamExp) {
	if e.Param == nil || e.Exp == nil || e.Exp.Word == nil || e.Index != nil ||
		e.Exp.Op != syntax.AssignUnset && e.Exp.Op != syntax.AssignUnsetOrNull {
		return
	}
	name, word := e.Param.Value, e.Exp.Word
	if s.assigned.defaults[name] != nil {
		s.assigned.counts[name] += 2 // two words
		return
	}
	s.assigned.defaults[name] = s.binding(name, classScriptDefault, e.Param, func() []expr { return s.values(word) })
}

func (s *script) define(name string, c *class, at *syntax.Lit, eval func() []expr) {
	s.assigned.bindings[name] = s.binding(name, c, at, eval)
}

func (s *script) binding(name string, c *class, at *syntax.Lit, eval func() []expr) *binding {
	def, _ := s.text.Span(s.span(at))
	region := source.Span{End: len(s.text.File.Data)}
	return &binding{name: name, class: c, file: s.text.File, eval: eval, def: def, region: region}
}

// look is the binding of a name: set once here, or by the outer format. A name
// that is set several times here has no one value.
func (s *script) look(name string) *binding {
	switch n := s.assigned.counts[name]; {
	case n == 1 && s.assigned.arrays[name] != nil:
		return nil // $ARRAY is its first element, if anything
	case n == 1:
		return s.assigned.bindings[name]
	case n > 1:
		return nil
	}
	if s.env != nil {
		if b := s.env(name); b != nil {
			return b
		}
	}
	return s.assigned.defaults[name]
}

// elements are the values of "${NAME[@]}", or of the one element that a number
// names.
func (s *script) elements(name string, index syntax.ArithmExpr) *binding {
	w, ok := index.(*syntax.Word)
	if s.assigned.counts[name] != 1 || !ok {
		return nil
	}
	b := s.assigned.bindings[name]
	if at := w.Lit(); at != "@" && at != "*" {
		i, err := strconv.Atoi(at)
		elements := s.assigned.arrays[name]
		if err != nil || i < 0 || i >= len(elements) {
			return nil
		}
		b = &binding{name: b.name, class: b.class, file: b.file, region: b.region, def: b.def,
			eval: func() []expr { return s.values(elements[i]) }}
	}
	return b
}

// span is the inner bytes of a node.
func (s *script) span(n syntax.Node) (start, end int) {
	return int(n.Pos().Offset()), min(int(n.End().Offset()), len(s.text.Data))
}

func (s *script) slice(n syntax.Node) *source.Text {
	start, end := s.span(n)
	return s.text.Slice(start, max(start, end))
}

// values are the texts that a word can stand for.
func (s *script) values(w *syntax.Word) []expr {
	out := []expr{{}}
	for _, p := range s.parts(w.Parts, false) {
		if p.opaque {
			out = product(out, p.exprs)
		} else {
			out = product(out, []expr{literal(p.text)})
		}
	}
	return out
}

// fields are the texts that a word gives after the shell has split it at the
// blanks of its expansions.
func (s *script) fields(w *syntax.Word) []expr {
	values := s.values(w)
	if len(w.Parts) != 1 {
		return values
	}
	if _, quoted := w.Parts[0].(*syntax.DblQuoted); quoted {
		return values
	}
	var out []expr
	for _, e := range values {
		if len(e) != 1 || len(e[0].chain) == 0 || !strings.ContainsAny(e[0].text, spaces) {
			out = append(out, e)
			continue
		}
		for _, at := range fieldSpans(e[0].text) {
			field := e[0]
			field.text = field.text[at[0]:at[1]]
			if field.exact {
				field.span = source.Span{Start: field.span.Start + at[0], End: field.span.Start + at[1]}
			}
			out = append(out, expr{field})
		}
	}
	return out
}

// fieldSpans are the bounds of the words of a text.
func fieldSpans(text string) [][2]int {
	var out [][2]int
	for at := 0; at < len(text); {
		start := at + len(text[at:]) - len(strings.TrimLeft(text[at:], spaces))
		end := start
		for end < len(text) && strings.IndexByte(spaces, text[end]) < 0 {
			end++
		}
		if end > start {
			out = append(out, [2]int{start, end})
		}
		at = end
	}
	return out
}

// parts takes a word apart.
func (s *script) parts(in []syntax.WordPart, quoted bool) []part {
	var out []part
	for _, wp := range in {
		switch wp := wp.(type) {
		case *syntax.Lit:
			out = append(out, s.literal(s.slice(wp), quoted)...)
		case *syntax.SglQuoted:
			start, end := s.span(wp)
			if wp.Dollar {
				start++
			}
			if end-start < 2 {
				continue
			}
			out = append(out, s.templates(s.text.Slice(start+1, end-1))...)
		case *syntax.DblQuoted:
			out = append(out, s.parts(wp.Parts, true)...)
		case *syntax.ParamExp:
			out = append(out, s.param(wp))
		default:
			t := s.slice(wp)
			out = append(out, part{text: t, opaque: true, exprs: []expr{unknown(t, shorten(t.String()))}})
		}
	}
	return out
}

// shorten is a name for people of an expression.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}

// templates splits t at the expressions of the outer format.
func (s *script) templates(t *source.Text) []part {
	if s.outer.scan == nil {
		return []part{{text: t}}
	}
	var out []part
	at := 0
	for at < len(t.Data) {
		v, ok := s.outer.scan(t.Data, at)
		if !ok {
			break
		}
		if v.start > at {
			out = append(out, part{text: t.Slice(at, v.start)})
		}
		whole := t.Slice(v.start, v.end)
		out = append(out, part{text: whole, opaque: true, exprs: expand(whole, s.outer.scan, s.outer.look), name: v.name})
		at = v.end
	}
	if at < len(t.Data) {
		out = append(out, part{text: t.Slice(at, len(t.Data))})
	}
	return out
}

// literal is unquoted text, or the text between double quotes, without its
// backslashes.
func (s *script) literal(t *source.Text, quoted bool) []part {
	var out []part
	for _, p := range s.templates(t) {
		if !p.opaque && bytes.IndexByte(p.text.Data, '\\') >= 0 {
			p.text = unescape(p.text, quoted)
		}
		switch {
		case p.opaque:
			out = append(out, p)
		case len(p.text.Data) > 0:
			out = append(out, undecided(p.text, quoted)...)
		}
	}
	return out
}

// maxBraces bounds, in bytes, how far the end of "{a,b}" is looked for.
const maxBraces = 256

// undecided splits static text at what is not what it seems: "{a,b}" and
// "{1..3}", from which the shell makes several words, and the "%NAME%" of
// Windows' command interpreter.
func undecided(t *source.Text, quoted bool) []part {
	var out []part
	at := 0
	for i := 0; i < len(t.Data); i++ {
		end := -1
		switch c := t.Data[i]; {
		case c == '{' && !quoted:
			near := t.Data[i:min(i+maxBraces, len(t.Data))]
			if k := bytes.IndexByte(near, '}'); k > 0 && containsAny(t.Data[i:i+k], []string{",", ".."}) {
				end = i + k + 1
			}
		case c == '%':
			near := t.Data[i+1 : min(i+maxBraces, len(t.Data))]
			if k := bytes.IndexByte(near, '%'); k > 0 && isWord(string(t.Data[i+1:i+1+k])) {
				end = i + k + 2
			}
		}
		if end < 0 {
			continue
		}
		if i > at {
			out = append(out, part{text: t.Slice(at, i)})
		}
		whole := t.Slice(i, end)
		out = append(out, part{text: whole, opaque: true, exprs: []expr{unknown(whole, whole.String())}})
		at, i = end, end-1
	}
	if at < len(t.Data) {
		out = append(out, part{text: t.Slice(at, len(t.Data))})
	}
	return out
}

func unescape(t *source.Text, quoted bool) *source.Text {
	b := source.NewBuilder(t)
	data, at := t.Data, 0
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		next := data[i+1]
		if quoted && strings.IndexByte("$`\"\\\n\r", next) < 0 {
			continue
		}
		b.Copy(at, i)
		at = i + 2
		switch next {
		case '\n':
		case '\r':
			if i+2 < len(data) && data[i+2] == '\n' {
				at++
			}
		default:
			b.Put(string(next), i, i+2)
		}
		i = at - 1
	}
	b.Copy(at, len(data))
	return b.Text()
}

// param is an expansion of a variable.
func (s *script) param(e *syntax.ParamExp) part {
	t := s.slice(e)
	p := part{text: t, opaque: true}
	simple := e.Param != nil && !e.Excl && !e.Length && !e.Width && e.Index == nil && e.Slice == nil && e.Repl == nil && e.Names == 0
	name := ""
	if e.Param != nil {
		name = e.Param.Value
	}
	if !simple {
		if e.Index != nil {
			p.name = strings.Trim(strings.TrimPrefix(t.String(), "$"), "{}")
			if b := s.elements(name, e.Index); b != nil && e.Exp == nil && !e.Excl && !e.Length && e.Slice == nil && e.Repl == nil {
				p.exprs = s.through(e, b)
				return p
			}
		}
		p.exprs = []expr{unknown(t, name)}
		return p
	}
	p.name = name
	v := variable{name: name}
	v.start, v.end = 0, len(t.Data)
	base, _ := s.span(e)
	start, end := s.span(e.Param)
	v.nameStart, v.nameEnd = start-base, end-base
	if e.Exp == nil {
		p.exprs = expandVariable(t, v, noVariables, s.look, 0)
		return p
	}
	var operand func() []expr
	switch op := e.Exp.Op; op {
	case syntax.DefaultUnset, syntax.AssignUnset:
		v.op = "-"
	case syntax.DefaultUnsetOrNull, syntax.AssignUnsetOrNull:
		v.op = ":-"
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		v.op = "?"
	default:
		p.exprs = []expr{unknown(t, name)}
		return p
	}
	if v.op == "-" || v.op == ":-" {
		operand = func() []expr {
			if e.Exp.Word == nil {
				return nil
			}
			return s.values(e.Exp.Word)
		}
	}
	p.exprs = withDefault(t, v, s.look, operand)
	return p
}

// through is the values of b as read by the expansion e.
func (s *script) through(e *syntax.ParamExp, b *binding) []expr {
	at, _ := s.text.Span(s.span(e.Param))
	var out []expr
	for _, value := range b.texts() {
		out = append(out, through(link{binding: b, file: s.text.File, at: at}, value))
	}
	if len(out) == 0 {
		return []expr{unknown(s.slice(e), b.name)}
	}
	return out
}

// withDefault is a variable whose operand the shell's own parser has read.
func withDefault(t *source.Text, v variable, look lookup, operand func() []expr) []expr {
	plain := v
	plain.op = ""
	known := expandVariable(t, plain, noVariables, look, 0)
	if operand == nil || len(known) > 0 && len(known[0].missing()) == 0 {
		return known
	}
	nameSpan, _ := t.Span(v.nameStart, v.nameEnd)
	l := link{binding: &binding{name: v.name, class: classDefault}, file: t.File, at: nameSpan}
	var out []expr
	for _, e := range operand() {
		if len(e) > 0 {
			out = append(out, through(l, e))
		}
	}
	if len(out) == 0 {
		return known
	}
	return out
}

// walk reads every command.
func (s *script) walk() {
	syntax.Walk(s.file, func(n syntax.Node) bool {
		if stmt, ok := n.(*syntax.Stmt); ok {
			s.statement(stmt, stdinNone)
		}
		if b, ok := n.(*syntax.BinaryCmd); ok && (b.Op == syntax.Pipe || b.Op == syntax.PipeAll) {
			if call, ok := b.Y.Cmd.(*syntax.CallExpr); ok {
				s.hereDocs(b.X.Redirs, s.command(call, false).stdin)
			}
		}
		return true
	})
}

func (s *script) statement(stmt *syntax.Stmt, stdin stdinKind) {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if ok && len(call.Args) > 0 {
		stdin = s.command(call, true).stdin
	} else if stmt.Cmd == nil {
		stdin = stdinShell // RUN <<EOF in a Dockerfile: the shell itself reads it
	}
	s.hereDocs(stmt.Redirs, stdin)
}

// hereDocs reads here-documents as what their command takes them for. One that
// is a Kubernetes manifest is read as such whoever gets it: it is written to a
// file or piped on.
func (s *script) hereDocs(redirs []*syntax.Redirect, stdin stdinKind) {
	for _, r := range redirs {
		if r.Hdoc == nil {
			continue
		}
		body := s.hereDoc(r)
		switch {
		case stdin == stdinShell:
			s.pass.nested(body, "", func(q *Pass) { q.shell(s.look, s.outer) })
		case stdin == stdinDockerfile:
			s.pass.nested(body, "", func(q *Pass) { q.quiet, q.vars = true, s.variables(); parseDockerfile(q) })
		case stdin == stdinCompose:
			s.pass.nested(body, "", func(q *Pass) { q.quiet, q.vars = true, s.variables(); parseCompose(q) })
		case stdin == stdinManifest || looksLikeManifest(body.Data):
			s.pass.nested(body, "", func(q *Pass) { q.quiet, q.vars = true, s.variables(); parseKubernetes(q) })
		}
	}
}

// hereDoc is the text of a here-document as its reader gets it: without the
// line that ends it and, behind "<<-", without leading tabs.
func (s *script) hereDoc(r *syntax.Redirect) *source.Text {
	body := s.slice(r.Hdoc)
	data := body.Data
	last := bytes.LastIndexByte(data, '\n') + 1
	if word := s.slice(r.Word).String(); len(data) > last && strings.Trim(string(data[last:]), "\t\r") == strings.Trim(strings.TrimPrefix(word, "\\"), `'"`) {
		body = body.Slice(0, last)
	}
	if r.Op != syntax.DashHdoc || !bytes.Contains(body.Data, []byte{'\t'}) {
		return body
	}
	b := source.NewBuilder(body)
	for start := 0; start < len(body.Data); {
		end := min(lineEnd(body.Data, start)+1, len(body.Data))
		for start < end && body.Data[start] == '\t' {
			start++
		}
		b.Copy(start, end)
		start = end
	}
	return b.Text()
}

// variables is how text within the script names what the script knows.
func (s *script) variables() templating {
	scan := scanner(scanDollar)
	if s.outer.scan != nil {
		scan = firstOf(s.outer.scan, scanDollar)
	}
	return templating{scan: scan, look: func(name string) *binding {
		if b := s.look(name); b != nil {
			return b
		}
		if s.outer.look != nil {
			return s.outer.look(name)
		}
		return nil
	}}
}

// firstOf finds the earlier variable of two scanners; at the same place the
// first wins.
func firstOf(a, b scanner) scanner {
	return func(data []byte, i int) (variable, bool) {
		x, okX := a(data, i)
		y, okY := b(data, i)
		if okX && (!okY || x.start <= y.start) {
			return x, true
		}
		return y, okY
	}
}

// shellWord is a word with the parts that it is made of.
type shellWord struct {
	from  *script
	node  *syntax.Word
	parts []part
	word
	starts []int // for each part its first byte in word.text
}

func (s *script) word(w *syntax.Word) shellWord {
	out := shellWord{from: s, node: w, parts: s.parts(w.Parts, false)}
	var b strings.Builder
	for _, p := range out.parts {
		out.starts = append(out.starts, b.Len())
		if p.opaque {
			b.WriteByte(opaque)
		} else {
			b.Write(p.text.Data)
		}
	}
	out.text = b.String()
	if len(out.parts) == 1 {
		out.name = out.parts[0].name
		out.holds = holds(out.parts[0], w)
	}
	out.transport = len(out.parts) > 0 && out.parts[0].opaque && len(out.parts[0].exprs) > 0 &&
		!slices.ContainsFunc(out.parts[0].exprs, func(e expr) bool { return !e.startsWith(registryTransport) })
	if len(w.Parts) == 1 {
		_, double := w.Parts[0].(*syntax.DblQuoted)
		out.quoted = double && out.name != "@" && !strings.HasSuffix(out.name, "[@]")
	}
	return out
}

// holds is what the one expansion that a word consists of gives.
func holds(p part, w *syntax.Word) holdKind {
	if !p.opaque {
		return holdsAnything
	}
	if len(w.Parts) == 1 {
		if e, ok := w.Parts[0].(*syntax.ParamExp); ok && e.Exp != nil && (e.Exp.Op == syntax.AlternateUnset || e.Exp.Op == syntax.AlternateUnsetOrNull) {
			if startsOption(e.Exp.Word) {
				return holdsOptions
			}
			return holdsAnything
		}
	}
	operands, options := 0, 0
	for _, e := range p.exprs {
		switch text := e.text(); {
		case e.startsWith("-"): // whatever follows in it
			options++
		case len(e.missing()) > 0 || text == "" || strings.ContainsAny(text, spaces):
			return holdsAnything
		default:
			operands++
		}
	}
	switch {
	case operands > 0 && options == 0:
		return holdsOperand
	case options > 0 && operands == 0:
		return holdsOptions
	}
	return holdsAnything
}

// startsOption reports whether a word begins with "-", quoted or not.
func startsOption(w *syntax.Word) bool {
	if w == nil || len(w.Parts) == 0 {
		return false
	}
	first := w.Parts[0]
	if q, ok := first.(*syntax.DblQuoted); ok && len(q.Parts) > 0 {
		first = q.Parts[0]
	}
	switch first := first.(type) {
	case *syntax.Lit:
		return strings.HasPrefix(first.Value, "-")
	case *syntax.SglQuoted:
		return strings.HasPrefix(first.Value, "-")
	}
	return false
}

// command reads one call; report is false for a second look at it.
func (s *script) command(call *syntax.CallExpr, report bool) commandLine {
	if len(call.Args) == 0 {
		return commandLine{}
	}
	words := s.handed(s.expandCommand(s.words(call.Args)))
	plain := make([]word, len(words))
	for i, w := range words {
		plain[i] = w.word
	}
	read := readCommand
	if s.engine(words[0]) {
		read = readEngine
	}
	line := read(plain)
	if !report {
		return line
	}
	name := commandName(plain)
	for _, o := range line.operands {
		s.use(words[o.word], o, name)
	}
	for _, i := range line.scripts {
		if inner := words[i].from.inner(words[i].node); inner != nil {
			s.pass.nested(inner, "", func(q *Pass) { q.shell(s.look, s.outer) })
		}
	}
	return line
}

// engine reports whether a word is a variable that holds a container engine,
// by its value or else by its name.
func (s *script) engine(w shellWord) bool {
	if w.text != string(opaque) {
		return false
	}
	for _, e := range w.parts[0].exprs {
		text := e.text()
		if i := strings.LastIndexByte(text, '/'); i >= 0 {
			text = text[i+1:]
		}
		if text == "docker" || text == "podman" || text == "nerdctl" {
			return true
		}
		for _, name := range e.missing() {
			if programNamed(name) == programs()["docker"] {
				return true
			}
		}
	}
	return false
}

// commandName is the program and subcommand, for pointers: that of the command
// behind sudo and the like.
func commandName(words []word) string {
	for i, w := range words {
		c := findProgram(w)
		if c == nil || len(c.commands) == 0 {
			continue
		}
		name := w.text[strings.LastIndexAny(w.text, "/\\")+1:]
		if strings.IndexByte(name, opaque) >= 0 {
			name, _, _ = strings.Cut(c.names, " ")
		}
		for _, next := range words[i+1:] {
			if c.find(next.text) != nil {
				return name + " " + next.text
			}
		}
		return name
	}
	if len(words) == 0 || strings.IndexByte(words[0].text, opaque) >= 0 {
		return ""
	}
	return words[0].text[strings.LastIndexByte(words[0].text, '/')+1:]
}

// use reports the operand o of the word w.
func (s *script) use(w shellWord, o operand, name string) {
	if o.skip >= o.end || o.end > len(w.text) {
		return
	}
	values := []expr{{}}
	start, end := -1, -1
	for i, p := range w.parts {
		lo, hi := w.starts[i], len(w.text)
		if i+1 < len(w.parts) {
			hi = w.starts[i+1]
		}
		if hi <= o.skip || lo >= o.end {
			continue
		}
		cut := p.text
		if p.opaque {
			exprs := p.exprs
			if i == 0 && w.transport {
				exprs = withoutTransport(exprs)
			}
			values = product(values, exprs)
		} else {
			cut = p.text.Slice(max(o.skip-lo, 0), min(o.end, hi)-lo)
			values = product(values, []expr{literal(cut)})
		}
		if start < 0 {
			start = cut.At(0)
		}
		span, _ := cut.Span(0, len(cut.Data))
		end = span.End
	}
	if start < 0 || !canName(values) {
		return
	}
	f := found{role: o.role, values: values, pointer: name, digestOnly: o.digestOnly, text: s.raw(start, end)}
	if o.low {
		f.confidence = image.Low
	}
	s.pass.Use(f)
}

// withoutTransport is texts that begin with registryTransport, without it.
func withoutTransport(texts []expr) []expr {
	var out []expr
	for _, e := range texts {
		e = slices.Clone(e)
		e[0].text = e[0].text[len(registryTransport):]
		if e[0].exact {
			e[0].span.Start += len(registryTransport)
		}
		out = append(out, e)
	}
	return out
}

// raw is the operand as written between two file offsets: quotes around it are
// left out, a quote that opens or closes within it stays.
func (s *script) raw(start, end int) *source.Text {
	data := s.text.File.Data
	for _, quote := range []byte{'"', '\''} {
		if bytes.Count(data[start:end], []byte{quote})%2 == 1 {
			if start > 0 && data[start-1] == quote {
				start--
			} else if end < len(data) && data[end] == quote {
				end++
			}
		}
	}
	return source.Part(s.text.File, source.Span{Start: start, End: end})
}

// inner is the shell text that a quoted word holds: the word without its quotes
// and their escapes, its variables as written.
func (s *script) inner(w *syntax.Word) *source.Text {
	if len(w.Parts) != 1 {
		return nil
	}
	t := s.slice(w)
	switch q := w.Parts[0].(type) {
	case *syntax.SglQuoted:
		if q.Dollar || len(t.Data) < 2 {
			return nil
		}
		return t.Slice(1, len(t.Data)-1)
	case *syntax.DblQuoted:
		if q.Dollar || len(t.Data) < 2 {
			return nil
		}
		t = t.Slice(1, len(t.Data)-1)
		if bytes.IndexByte(t.Data, '\\') >= 0 {
			t = unescape(t, true)
		}
		return t
	}
	return nil
}

// looksLikeManifest reports whether a text is a Kubernetes object.
func looksLikeManifest(data []byte) bool {
	return hasTopKey(data, "apiVersion") && hasTopKey(data, "kind")
}

// hasTopKey reports whether a line of the text is "key:" with whatever
// indentation the first line has.
func hasTopKey(data []byte, key string) bool {
	return slices.Contains(topKeys(data), key)
}

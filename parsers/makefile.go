package parsers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Makefile reads the recipes of GNU make and of those that share its syntax
// (https://www.gnu.org/software/make/manual/make.html): shell text, in which
// make puts its own variables first.
var Makefile = register(Format{
	Name:    "makefile",
	Title:   "Makefile",
	Files:   "`Makefile`, `GNUmakefile`, `*.mk` and their like.",
	Places:  "The shell of recipes; make's variables are followed.",
	Comment: "#",
	Detect:  detectMakefile,
	Parse:   parseMakefile,
})

func detectMakefile(c *Candidate) Certainty {
	base := c.lower
	switch {
	case isMakefileName(base), interpreter(c.Data) == "make":
		return Path
	}
	return No
}

// isMakefileName knows "Makefile", "GNUmakefile", "x.mk" and "Makefile.x",
// where x is no other language: Makefile.PL is Perl.
func isMakefileName(base string) bool {
	first, rest, more := strings.Cut(base, ".")
	switch first {
	case "makefile", "gnumakefile", "bsdmakefile":
		if !more {
			return true
		}
		switch rest[strings.LastIndexByte(rest, '.')+1:] {
		case "pl", "py", "md", "txt", "rst", "html", "adoc", "go", "js", "ts", "rb", "lua", "sh", "yml", "yaml", "json", "toml", "xml", "lock", "log", "bat", "ps1":
			return false
		}
		return true
	}
	switch path.Ext(dataName(base)) {
	case ".mk", ".mak", ".make", ".makefile":
		return true
	}
	return false
}

// classMake is a variable that only the makefile reads: what the command line
// or the environment may give instead is a whole text of its own.
var classMake = &class{noun: "make variable", overridable: true}

var (
	classMakeExported = &class{noun: "make variable", overridable: true, safety: image.Unsafe,
		why: "make exports it, and programs that the recipes start may read it"}
	classMakeShared = &class{noun: "make variable", overridable: true, safety: image.Unsafe,
		why: "makefiles that include this one, or that it includes, may read it"}
)

// makefile is one makefile being read.
type makefile struct {
	pass     *Pass
	text     *source.Text
	vars     map[string]*makeVariable
	shells   []makeText // shell texts in the order of the file
	exported map[string]bool
	// exportAll is set by "export" alone and by .EXPORT_ALL_VARIABLES, shared
	// when other makefiles may read the variables, oneShell when a recipe is
	// one script.
	exportAll, shared, oneShell bool
	// conditions are those around the line being read.
	conditions []makeCondition
}

// makeCondition is a conditional around a line.
type makeCondition struct {
	// unset is the variable that has no value yet where the lines count:
	// that of "ifndef X" and "ifeq ($(X),)".
	unset string
	// guard is set once that variable is assigned: then the lines are but a
	// default, or a file that is included once.
	guard bool
}

// makeVariable is what the file assigns to one name.
type makeVariable struct {
	count   int  // how often it is assigned
	unclear bool // appended to, computed, or for some targets only
	name    source.Span
	value   *source.Text
	// others are the values before the last: a command line may begin with
	// any of them.
	others  []*source.Text
	binding *binding
	// start is the value that begins a command line and command its text, once
	// they have been asked for.
	start           *source.Text
	command         string
	tried, expanded bool
}

// makeText is shell text for make to expand, with what it is for people.
type makeText struct {
	lines   []source.Span // physical lines, without the recipe prefix
	pointer string
	recipe  bool // "@", "-" and "+" may stand in front
	define  bool // each line may be a command, or text for something else
}

func parseMakefile(p *Pass) {
	m := &makefile{pass: p, text: p.Text, vars: map[string]*makeVariable{}, exported: map[string]bool{}}
	data := p.Text.Data
	if !containsAny(data, shellWords) {
		return
	}
	m.shared = !strings.HasPrefix(strings.ToLower(path.Base(p.Text.File.Path)), "makefile") &&
		!strings.HasPrefix(strings.ToLower(path.Base(p.Text.File.Path)), "gnumakefile")
	m.read()
	for _, s := range m.shells {
		m.shell(s)
	}
}

// makeLine is a logical line: physical lines that backslashes join.
type makeLine struct {
	start, end int // without the line ending
	next       int
}

func makeLineAt(data []byte, start int) makeLine {
	end := lineEnd(data, start)
	for end < len(data) && continues(data[start:end]) {
		end = lineEnd(data, end+1)
	}
	l := makeLine{start: start, end: end, next: end + 1}
	if l.end > start && data[l.end-1] == '\r' {
		l.end--
	}
	return l
}

// continues reports whether a line ends with an odd number of backslashes.
func continues(line []byte) bool {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	n := len(line) - len(bytes.TrimRight(line, `\`))
	return n%2 == 1
}

// read sorts the lines of the file into rules, recipes and assignments.
func (m *makefile) read() {
	data := m.text.Data
	prefix := byte('\t')
	target := ""
	inRule := false
	var recipe []source.Span
	flush := func() {
		if len(recipe) == 0 {
			return
		}
		if m.oneShell {
			m.shells = append(m.shells, makeText{lines: recipe, pointer: target, recipe: true})
		} else {
			for _, l := range recipe {
				m.shells = append(m.shells, makeText{lines: []source.Span{l}, pointer: target, recipe: true})
			}
		}
		recipe = nil
	}
	m.oneShell = bytes.Contains(data, []byte("\n.ONESHELL:")) || bytes.HasPrefix(data, []byte(".ONESHELL:"))
	for at := 0; at < len(data); {
		l := makeLineAt(data, at)
		at = l.next
		if inRule && data[l.start] == prefix {
			recipe = append(recipe, source.Span{Start: l.start + 1, End: l.end})
			continue
		}
		line := data[l.start:l.end]
		start := l.start + len(line) - len(bytes.TrimLeft(line, " \t\ufeff"))
		if start >= l.end || data[start] == '#' {
			continue
		}
		word := firstWord(data[start:l.end])
		switch word {
		case "ifeq", "ifneq", "ifdef", "ifndef", "else", "endif":
			m.condition(word, string(data[start:l.end])) // within a recipe, too
			continue
		case "include", "-include", "sinclude", ".include":
			m.shared = true
			flush()
			inRule = false
			continue
		}
		flush()
		inRule = false
		if a, ok := m.assignment(start, l.end); ok {
			if a.define {
				at = m.define(a, l.next)
				continue
			}
			if a.name == ".RECIPEPREFIX" && len(a.value) > 0 {
				prefix = a.value[0]
			}
			continue
		}
		if name, body, ok := m.rule(start, l.end); ok {
			inRule, target = true, name
			if body >= 0 {
				recipe = append(recipe, source.Span{Start: body, End: l.end})
			}
		}
	}
	flush()
}

// condition reads a line that begins, changes or ends a conditional.
func (m *makefile) condition(word, line string) {
	top := len(m.conditions) - 1
	if word == "else" && top >= 0 {
		m.conditions[top] = makeCondition{}
		return
	}
	if word == "endif" && top >= 0 {
		m.conditions = m.conditions[:top]
	}
	c := makeCondition{}
	switch rest := strings.TrimSpace(strings.TrimPrefix(line, word)); word {
	case "ifndef":
		c.unset = rest
	case "ifeq":
		rest = strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t(){}\"',", r) {
				return -1
			}
			return r
		}, strings.Replace(rest, "$(strip ", "", 1))
		c.unset, _ = strings.CutPrefix(rest, "$")
	}
	if strings.HasPrefix(word, "if") {
		m.conditions = append(m.conditions, c)
	}
}

// conditional reports whether an assignment of the name at this place may not
// count.
func (m *makefile) conditional(name string) bool {
	for i := range m.conditions {
		c := &m.conditions[i]
		if c.unset == name {
			c.guard = true
		}
		if !c.guard {
			return true
		}
	}
	return false
}

func firstWord(line []byte) string {
	n := 0
	for n < len(line) && line[n] != ' ' && line[n] != '\t' && line[n] != '(' {
		n++
	}
	return string(line[:n])
}

// firstValueWord is the first word of a value, in which references stand.
func firstValueWord(value []byte) string {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case ' ', '\t':
			return string(value[:i])
		case '$':
			i = max(i, skipReference(value, i, len(value))-1)
		}
	}
	return string(value)
}

// makeAssignment is the head of an assignment.
type makeAssignment struct {
	name   string
	value  []byte
	define bool
}

// assignment reads the line from start to end as an assignment, with its
// modifiers.
func (m *makefile) assignment(start, end int) (makeAssignment, bool) {
	data := m.text.Data
	var a makeAssignment
	export := false
	for {
		word := firstWord(data[start:end])
		switch word {
		case "export", "override", "private", "define", "unexport", "undefine":
		default:
			word = ""
		}
		rest := bytes.TrimLeft(data[start+len(word):end], " \t")
		// "export = x" assigns to a variable of that name.
		if word == "" || len(rest) > 0 && (rest[0] == '=' || bytes.HasPrefix(rest, []byte(":="))) {
			break
		}
		start = end - len(rest)
		switch word {
		case "define":
			a.define = true
		case "export":
			export = true
			if len(rest) == 0 {
				m.exportAll = true
				return a, true
			}
		case "undefine":
			m.variable(strings.TrimSpace(string(rest))).unclear = true
			return a, true
		case "unexport":
			return a, true
		}
	}
	nameEnd, op, valueStart := makeOperator(data, start, end)
	switch {
	case a.define && op == "":
		nameEnd, valueStart = end, end
	case op == "" && export:
		for _, name := range strings.Fields(string(data[start:end])) {
			m.exported[name] = true
		}
		return a, true
	case op == "":
		return a, false
	}
	nameStart, nameEnd := trimSpan(data, start, nameEnd)
	a.name = string(data[nameStart:nameEnd])
	valueStart, valueEnd := trimSpan(data, valueStart, stripComment(data, valueStart, end))
	a.value = data[valueStart:valueEnd]
	if export {
		m.exported[a.name] = true
	}
	v := m.variable(a.name)
	v.count++
	v.name, _ = m.text.Span(nameStart, nameEnd)
	if m.conditional(a.name) || op == "+=" || op == "!=" || a.define || strings.ContainsAny(a.name, "$%") {
		v.unclear = true
	}
	if !a.define {
		if v.value != nil {
			v.others = append(v.others, v.value)
		}
		v.value = m.joined(valueStart, valueEnd)
		if op == "!=" {
			m.shells = append(m.shells, makeText{lines: []source.Span{{Start: valueStart, End: valueEnd}}, pointer: a.name})
		} else if containsAny(a.value, shellWords) || bytes.HasPrefix(bytes.TrimLeft(a.value, `"`), []byte("$")) && bytes.IndexByte(a.value, ' ') > 0 {
			m.shells = append(m.shells, makeText{lines: []source.Span{{Start: valueStart, End: valueEnd}}, pointer: a.name, define: true})
		}
	}
	return a, true
}

func (m *makefile) variable(name string) *makeVariable {
	v := m.vars[name]
	if v == nil {
		v = &makeVariable{}
		m.vars[name] = v
	}
	return v
}

// makeOperator finds the operator of an assignment between start and end. The
// name is one word, in which references to variables may stand.
func makeOperator(data []byte, start, end int) (nameEnd int, op string, valueStart int) {
	for i := start; i < end; i++ {
		switch c := data[i]; c {
		case '$':
			i = max(i, skipReference(data, i, end)-1)
		case '=':
			return operatorName(data, start, i, "=", i+1)
		case '?', '+', '!':
			if i+1 < end && data[i+1] == '=' {
				return operatorName(data, start, i, string(data[i:i+2]), i+2)
			}
		case ':':
			for n := i + 1; n < end && n <= i+3; n++ {
				if data[n] == '=' {
					return operatorName(data, start, i, string(data[i:n+1]), n+1)
				} else if data[n] != ':' {
					break
				}
			}
			return 0, "", 0
		case ' ', '\t':
			rest := bytes.TrimLeft(data[i:end], " \t")
			if len(rest) == 0 || bytes.IndexByte([]byte("=:?+!"), rest[0]) < 0 {
				return 0, "", 0
			}
			i = end - len(rest) - 1
		case '#':
			return 0, "", 0
		}
	}
	return 0, "", 0
}

func operatorName(data []byte, start, nameEnd int, op string, valueStart int) (int, string, int) {
	if len(bytes.TrimSpace(data[start:nameEnd])) == 0 {
		return 0, "", 0
	}
	return nameEnd, op, valueStart
}

// stripComment is the end of the text from start before a comment.
func stripComment(data []byte, start, end int) int {
	for i := start; i < end; i++ {
		switch data[i] {
		case '\\':
			i++
		case '$':
			i = max(i, skipReference(data, i, end)-1)
		case '#':
			return i
		}
	}
	return end
}

// skipReference is the end of the "$x", "$(x)" or "${x}" at i.
func skipReference(data []byte, i, end int) int {
	if i+1 >= end {
		return i + 1
	}
	open := data[i+1]
	shut := byte(')')
	switch open {
	case '(':
	case '{':
		shut = '}'
	default:
		return i + 2
	}
	depth := 0
	for j := i + 1; j < min(end, i+maxVariable); j++ {
		switch data[j] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return j + 1
			}
		}
	}
	return i + 2
}

// joined is a value as make reads it: a continued line becomes one blank.
func (m *makefile) joined(start, end int) *source.Text {
	if bytes.IndexByte(m.text.Data[start:end], '\n') < 0 {
		return m.text.Slice(start, end)
	}
	b := source.NewBuilder(m.text)
	data := m.text.Data
	for at := start; at < end; {
		stop := min(lineEnd(data, at), end)
		if stop == end {
			b.Copy(at, end)
			break
		}
		text := at + len(bytes.TrimRight(data[at:stop], "\\\r \t"))
		next := min(end, stop+1)
		for next < end && (data[next] == ' ' || data[next] == '\t') {
			next++
		}
		b.Copy(at, text)
		b.Put(" ", text, next)
		at = next
	}
	return b.Text()
}

// define reads the lines of a "define" from at on, and gives the offset behind
// its "endef".
func (m *makefile) define(a makeAssignment, at int) int {
	data := m.text.Data
	depth := 1
	t := makeText{pointer: a.name, recipe: true, define: true}
	for at < len(data) {
		l := makeLineAt(data, at)
		at = l.next
		switch firstWord(bytes.TrimLeft(data[l.start:l.end], " \t")) {
		case "define":
			depth++
		case "endef":
			depth--
		}
		if depth == 0 {
			break
		}
		t.lines = append(t.lines, source.Span{Start: l.start, End: l.end})
	}
	m.shells = append(m.shells, t)
	return at
}

// rule reads "targets: prerequisites ; recipe". Behind the colon a variable for
// those targets alone may be set.
func (m *makefile) rule(start, end int) (target string, body int, ok bool) {
	data := m.text.Data
	colon := -1
	for i := start; i < end && colon < 0; i++ {
		switch data[i] {
		case '$':
			i = max(i, skipReference(data, i, end)-1)
		case ':':
			colon = i
		case '#':
			return "", -1, false
		}
	}
	if colon < 0 {
		return "", -1, false
	}
	target = strings.TrimSpace(string(data[start:colon]))
	if fields := strings.Fields(target); len(fields) > 1 {
		target = fields[0]
	}
	if target == ".EXPORT_ALL_VARIABLES" {
		m.exportAll = true
	}
	rest, _ := trimSpan(data, colon+1, end)
	if rest < end && data[rest] == ':' {
		rest++
	}
	if a, ok := m.assignment(rest, end); ok && a.name != "" {
		m.variable(a.name).unclear = true
		return target, -1, false
	}
	for i := rest; i < end; i++ {
		switch data[i] {
		case '$':
			i = max(i, skipReference(data, i, end)-1)
		case '#':
			return target, -1, true
		case ';':
			return target, i + 1, true
		}
	}
	return target, -1, true
}

// shell reads a text that make expands and hands to a shell.
func (m *makefile) shell(s makeText) {
	groups := [][]source.Span{s.lines}
	if s.define && len(s.lines) > 1 {
		if m.manifest(s) {
			return
		}
		groups = groups[:0]
		for _, l := range s.lines {
			groups = append(groups, []source.Span{l})
		}
	}
	for _, lines := range groups {
		raw := 0
		for _, l := range lines {
			raw += l.Len()
		}
		d := &makeDecoder{makefile: m, b: source.NewBuilder(m.text)}
		for i, l := range lines {
			start := l.Start
			if s.recipe {
				for start < l.End && bytes.IndexByte([]byte(" \t@-+"), m.text.Data[start]) >= 0 {
					start++
				}
			}
			if i > 0 {
				d.b.Put("\n", l.Start, l.Start)
			}
			d.text(start, l.End)
		}
		text := d.b.Text()
		before := len(m.pass.out.Uses)
		m.pass.nested(text, s.pointer, func(q *Pass) { q.shell(nil, templating{scan: scanMade, look: m.look}) })
		m.dropExpanded(before, d.expanded)
		if !s.recipe {
			m.dropOptions(before)
		}
		for _, f := range d.functions {
			m.shell(makeText{lines: []source.Span{f}, pointer: s.pointer, recipe: true})
		}
	}
}

// manifest reads a "define" that holds a Kubernetes object, and reports whether
// it is one.
func (m *makefile) manifest(s makeText) bool {
	t := m.text.Slice(s.lines[0].Start, s.lines[len(s.lines)-1].End)
	if !looksLikeManifest(t.Data) {
		return false
	}
	m.pass.nested(t, s.pointer, func(q *Pass) {
		q.quiet, q.vars = true, templating{scan: scanMake, look: m.look}
		parseKubernetes(q)
	})
	return true
}

// dropExpanded takes back the uses that stand in the text of a variable: they
// are reported where the variable is set.
func (m *makefile) dropExpanded(from int, expanded []source.Span) {
	if len(expanded) == 0 {
		return
	}
	out := m.pass.out
	kept := slices.DeleteFunc(out.Uses[from:], func(u image.Use) bool { return slices.Contains(expanded, u.Span) })
	out.Uses = out.Uses[:from+len(kept)]
}

// dropOptions takes back the uses that are one unknown variable, unless it is
// named like an image: the value of a variable often is the beginning of a
// command line, which ends with options.
func (m *makefile) dropOptions(from int) {
	out := m.pass.out
	kept := slices.DeleteFunc(out.Uses[from:], func(u image.Use) bool {
		data := []byte(u.Raw)
		return !u.Resolved() && len(u.Variables) > 0 && data[0] == '$' && skipReference(data, 0, len(data)) == len(data) && hint(u.Variables[0]) != hintImage
	})
	out.Uses = out.Uses[:from+len(kept)]
}

// Between these two bytes stands what make expands, in the text that the shell
// parser gets: there "$(x)" is a command again.
const (
	madeStart = '\x01'
	madeEnd   = '\x02'
)

// makeDecoder makes the text that a shell gets out of the text that make reads.
type makeDecoder struct {
	*makefile
	b *source.Builder
	// expanded are the references that are replaced by the beginning of a
	// command line.
	expanded []source.Span
	// functions are the arguments of $(shell …).
	functions []source.Span
}

// text adds the bytes of the makefile from start to end.
func (d *makeDecoder) text(start, end int) {
	data := d.makefile.text.Data
	plain := start
	for i := start; i < end; i++ {
		switch {
		case data[i] == '\n': // a continued line: its recipe prefix is make's
			next := i + 1
			if next < end && data[next] == '\t' {
				d.b.Copy(plain, next)
				plain = next + 1
			}
		case data[i] == '\r' && i+1 < end && data[i+1] == '\n':
			d.b.Copy(plain, i)
			plain = i + 1
		case data[i] == '$' && i+1 < end && data[i+1] == '$':
			// A use begins with both, as it is written.
			d.b.Copy(plain, i)
			d.b.Put("$", i, i+2)
			plain = i + 2
			i++
		case data[i] == '$' && i+1 < end:
			d.b.Copy(plain, i)
			plain = skipReference(data, i, end)
			d.reference(i, plain)
			i = plain - 1
		}
	}
	d.b.Copy(plain, end)
}

// reference adds the reference to a variable or function.
func (d *makeDecoder) reference(start, end int) {
	inner, close := start+1, end
	if end-start > 3 && (d.makefile.text.Data[start+1] == '(' || d.makefile.text.Data[start+1] == '{') {
		inner, close = start+2, end-1
	}
	if inner >= close {
		return
	}
	name := string(d.makefile.text.Data[inner:close])
	if command := d.command(name); command != "" {
		span, _ := d.makefile.text.Span(start, end)
		d.expanded = append(d.expanded, span)
		d.b.Put(command, start, end)
		return
	}
	d.shellFunctions(start, end)
	d.b.Put(string(madeStart), start, inner)
	d.b.Copy(inner, close)
	if close < end {
		d.b.Put(string(madeEnd), close, end)
	} else {
		d.b.Put(string(madeEnd), close-1, close)
	}
}

// commandArguments are the arguments of functions that are, or become, shell
// text, counted from one.
var commandArguments = map[string][]int{"shell": {1}, "foreach": {3}, "if": {2, 3}, "or": {1, 2}, "and": {1, 2}, "eval": {1}}

// shellFunctions notes the command lines in the reference to a function.
func (d *makeDecoder) shellFunctions(start, end int) {
	data := d.makefile.text.Data
	if end-start < 4 || data[start+1] != '(' && data[start+1] != '{' || !containsAny(data[start:end], shellWords) {
		return
	}
	name := firstWord(data[start+2 : end-1])
	numbers := commandArguments[name]
	at := start + 2 + len(name)
	if at >= end-1 || data[at] != ' ' && data[at] != '\t' {
		return
	}
	number := 1
	from := at + 1
	for i := from; i < end; i++ {
		switch {
		case data[i] == '$' && i < end-1:
			next := skipReference(data, i, end-1)
			if numbers == nil { // $(strip $(shell …))
				d.shellFunctions(i, next)
			}
			i = max(i, next-1)
			continue
		case i == end-1:
		case data[i] != ',' || name == "shell" || name == "eval":
			continue
		}
		if slices.Contains(numbers, number) && from < i {
			d.functions = append(d.functions, source.Span{Start: from, End: i})
		}
		number++
		from = i + 1
	}
}

// command is the text of a variable that holds the beginning of a command
// line, such as "docker run --rm", or "". Which of several engines it is makes
// no difference.
func (d *makeDecoder) command(name string) string {
	v := d.vars[name]
	if v == nil || v.value == nil || hint(name) == hintImage {
		return ""
	}
	if !v.expanded {
		v.expanded = true // nothing while it is expanded: it may add to itself
		if value := d.commandValue(v); value != nil {
			v.command = d.expandText(value.Data)
		}
	}
	return v.command
}

// commandValue is the first value of a variable that a command line can begin
// with, or nil.
func (d *makeDecoder) commandValue(v *makeVariable) *source.Text {
	if !v.tried {
		v.tried = true
		for _, value := range append([]*source.Text{v.value}, v.others...) {
			if len(value.Data) < maxVariable && d.startsCommand(value.Data) {
				v.start = value
				break
			}
		}
	}
	return v.start
}

// startsCommand reports whether the first word of a value, behind assignments,
// is a program that is known, or a variable that stands for one.
func (d *makeDecoder) startsCommand(value []byte) bool {
	if i := bytes.LastIndex(value, []byte("&& ")); i >= 0 { // mkdir -p x && docker run
		value = bytes.TrimLeft(value[i+len("&& "):], " \t")
	}
	first := firstValueWord(value)
	for isAssignment(first) {
		value = bytes.TrimLeft(value[len(first):], " \t")
		first = firstValueWord(value)
	}
	alone := len(first) == len(value)
	first = strings.Trim(first, `"'`)
	inner, ok := strings.CutPrefix(first, "$")
	if !ok {
		return findProgram(word{text: first}) != nil
	}
	inner = strings.Trim(inner, "(){}")
	if alone {
		return false // another name for the same
	}
	if v := d.vars[inner]; v != nil && v.value != nil {
		return d.commandValue(v) != nil
	}
	return findProgram(word{text: string(opaque), name: inner}) != nil
}

// expandText is a value with its references as [scanMade] finds them, or "" if
// it is too long.
func (d *makeDecoder) expandText(data []byte) string {
	var b strings.Builder
	for i := 0; i < len(data); i++ {
		if b.Len() > maxVariable {
			return ""
		}
		if data[i] != '$' || i+1 >= len(data) {
			b.WriteByte(data[i])
			continue
		}
		end := skipReference(data, i, len(data))
		if data[i+1] == '$' {
			b.WriteByte('$')
			i++
			continue
		}
		name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimLeft(string(data[i+1:end]), "({"), ")"), "}")
		if command := d.command(name); command != "" {
			b.WriteString(command)
		} else {
			b.WriteByte(madeStart)
			b.WriteString(name)
			b.WriteByte(madeEnd)
		}
		i = end - 1
	}
	return b.String()
}

// scanMade finds the references in a text that went through a [makeDecoder].
func scanMade(data []byte, i int) (variable, bool) {
	k := bytes.IndexByte(data[min(i, len(data)):], madeStart)
	if k < 0 {
		return variable{}, false
	}
	start := i + k
	n := bytes.IndexByte(data[start:], madeEnd)
	if n < 0 {
		return variable{}, false
	}
	return makeReference(data, start, start+1, start+n, start+n+1), true
}

// scanMake finds the references in a text as it stands in the makefile. "$$"
// is a "$" that the shell reads, and unknown.
func scanMake(data []byte, i int) (variable, bool) {
	for ; i+1 < len(data); i++ {
		if data[i] != '$' {
			continue
		}
		end := skipReference(data, i, len(data))
		if data[i+1] == '$' {
			v := variable{start: i, end: min(i+2, len(data)), nameStart: i, nameEnd: i}
			for v.end < len(data) && (isNameByte(data[v.end]) || strings.IndexByte("(){}", data[v.end]) >= 0) {
				v.end++
			}
			v.name = string(data[i+1 : v.end])
			v.eval = nothing
			return v, true
		}
		if end-i > 3 && (data[i+1] == '(' || data[i+1] == '{') {
			return makeReference(data, i, i+2, end-1, end), true
		}
		return makeReference(data, i, i+1, end, end), true
	}
	return variable{}, false
}

// nothing is what no file here decides.
func nothing(*source.Text, lookup) []expr { return nil }

func makeReference(data []byte, start, nameStart, nameEnd, end int) variable {
	v := variable{start: start, end: end}
	v.nameStart, v.nameEnd = trimSpan(data, nameStart, nameEnd)
	v.name = string(data[v.nameStart:v.nameEnd])
	if strings.ContainsAny(v.name, " \t\n$:") {
		if rest, ok := strings.CutPrefix(v.name, "strip $"); ok { // $(strip $(X))
			v.name = strings.Trim(rest, "(){}")
			if !strings.ContainsAny(v.name, " \t\n$:") {
				return v
			}
		}
		v.name = "$(" + shorten(v.name) + ")"
		v.eval = nothing
	}
	return v
}

// look is the binding of a variable that the file sets once.
func (m *makefile) look(name string) *binding {
	v := m.vars[name]
	if v == nil || v.count != 1 || v.unclear || v.value == nil {
		return nil
	}
	if v.binding == nil {
		c := classMake
		switch {
		case m.exportAll || m.exported[name]:
			c = classMakeExported
		case m.shared:
			c = classMakeShared
		}
		value := unquoted(v.value)
		v.binding = &binding{name: name, class: c, file: value.File, def: v.name, region: source.Span{End: len(value.File.Data)},
			eval: func() []expr { return expand(value, scanMake, m.look) }}
		v.binding.uses = func() []source.Span { return m.readers(v.binding) }
	}
	return v.binding
}

// readers are the places that may read a variable: those that spell its name,
// but for a test whether it has a value and for "NAME=" of another program.
func (m *makefile) readers(b *binding) []source.Span {
	data := b.file.Data
	return slices.DeleteFunc(mentions(b.file, b.region, b.name), func(s source.Span) bool {
		if s.Overlaps(b.def) || s.End < len(data) && data[s.End] == '=' && s.Start > 0 && data[s.Start-1] == ' ' {
			return true
		}
		switch firstWord(bytes.TrimLeft(b.file.Line(b.file.Position(s.Start).Line), " \t")) {
		case "ifdef", "ifndef":
			return true
		}
		return false
	})
}

// unquoted is a text without the quotes around it, which the shell takes off.
func unquoted(t *source.Text) *source.Text {
	if n := len(t.Data); n >= 2 && (t.Data[0] == '"' || t.Data[0] == '\'') && t.Data[n-1] == t.Data[0] {
		return t.Slice(1, n-1)
	}
	return t
}

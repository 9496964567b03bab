package parsers

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// What names stand for in Groovy. No code is run: a name has the texts that
// are assigned to it in its scope, whatever the order, and anything else than
// literals, names, maps, lists, "+", "?:" and "? :" is unknown.

// groovyScript is Groovy with its blocks and what its names stand for.
type groovyScript struct {
	*groovySource
	// ends is, by token, where an expression that begins there ends at the
	// latest: at a newline, a comma, a semicolon or a closing bracket of its
	// own level. operandEnds also stop at a block that follows an operand.
	ends, operandEnds []int
	// block is, by token, the index in blocks of the innermost block around it.
	block  []int
	blocks []groovyBlock // in order; the first is the script

	locals, environment, params map[string][]*groovyVariable

	depth int // of eval
}

// groovyBlock is the tokens between braces.
type groovyBlock struct {
	open, close int // tokens; -1 and the number of tokens for the script
	parent      int
	// header is the name in front of the block: "agent" of "agent {",
	// "stage" of "stage('x') {".
	header string
	// args are the tokens between parentheses behind the header.
	args groovyRange
}

// groovyRange is an expression: the tokens [from, to) of a source.
type groovyRange struct {
	src      *groovySource
	from, to int
	// at is the token of the script where the expression is read, which
	// decides the scopes.
	at int
}

// groovyVariable is a name in a scope.
type groovyVariable struct {
	name     string
	from, to int // tokens of the scope
	// exprs are the expressions that the variable gets.
	exprs []groovyRange
	// cut is the number of bytes in front of the values that are no part of
	// them ("NAME=" of withEnv).
	cut int
	// items is set where the variable gets each item of the expressions.
	items bool
	// opaque is set where it also gets what nobody sees here.
	opaque bool
	// complete is set where nothing is known unless all is.
	complete bool
	binding  *binding
}

// Bounds that ordinary files don't reach.
const (
	maxGroovyArgs   = 64   // of a call
	maxGroovyNames  = 64   // variables of one name, and assignments to one
	maxGroovyPieces = 32   // of one value
	maxGroovyTokens = 4096 // of one expression
	maxGroovyMarks  = 1024 // interpolations of one inner text
)

// classes of what Groovy's names stand for, beside those of other formats.
var (
	classGroovyEntry = &class{noun: "map entry"}
	classGroovyParam = &class{noun: "parameter"}
	classGroovyExpr  = &class{noun: "expression", inline: true}
)

func newGroovyScript(src *groovySource) *groovyScript {
	g := &groovyScript{groovySource: src, locals: map[string][]*groovyVariable{},
		environment: map[string][]*groovyVariable{}, params: map[string][]*groovyVariable{}}
	g.findEnds()
	g.findBlocks()
	return g
}

func (g *groovyScript) findEnds() {
	n := len(g.tokens)
	g.ends, g.operandEnds = make([]int, n+1), make([]int, n+1)
	g.ends[n], g.operandEnds[n] = n, n
	for k := n - 1; k >= 0; k-- {
		next := k + 1
		if mate := g.tokens[k].mate; mate > k {
			next = mate + 1
		}
		switch {
		case g.kind(k) == groovyNewline || g.kind(k) == groovyPunct && strings.Contains(",;)]}", g.word(k)):
			g.ends[k], g.operandEnds[k] = k, k
		case g.is(k, "{") && g.operand(k-1):
			g.ends[k], g.operandEnds[k] = g.ends[next], k
		default:
			g.ends[k], g.operandEnds[k] = g.ends[next], g.operandEnds[next]
		}
	}
}

// operand reports whether token k ends an operand.
func (g *groovyScript) operand(k int) bool {
	switch g.kind(k) {
	case groovyName, groovyNumber, groovyString:
		return true
	case groovyPunct:
		return g.is(k, ")") || g.is(k, "]") || g.is(k, "}")
	}
	return false
}

func (g *groovyScript) findBlocks() {
	g.block = make([]int, len(g.tokens))
	g.blocks = []groovyBlock{{open: -1, close: len(g.tokens), parent: -1}}
	current := 0
	for k, t := range g.tokens {
		// A closing brace belongs to the block that it closes.
		g.block[k] = current
		switch {
		case g.is(k, "{"):
			b := groovyBlock{open: k, close: len(g.tokens), parent: current}
			if t.mate > k {
				b.close = t.mate
			}
			b.header, b.args = g.header(k)
			current = len(g.blocks)
			g.blocks = append(g.blocks, b)
		case g.is(k, "}") && t.mate >= 0:
			for current > 0 && g.blocks[current].open != t.mate {
				current = g.blocks[current].parent
			}
			current = g.blocks[current].parent
		}
	}
}

// header is the name in front of the block that token k opens.
func (g *groovyScript) header(k int) (string, groovyRange) {
	j := k - 1
	if g.kind(j) == groovyNewline {
		j--
	}
	args := groovyRange{src: g.groovySource, at: k}
	if g.is(j, ")") && g.tokens[j].mate > 0 {
		args.from, args.to = g.tokens[j].mate+1, j
		j = g.tokens[j].mate - 1
	}
	if g.kind(j) == groovyName && j >= 0 {
		return g.word(j), args
	}
	return "", args
}

// expression is the range that begins at token k.
func (g *groovyScript) expression(k int) groovyRange {
	return groovyRange{src: g.groovySource, from: k, to: g.ends[min(k, len(g.tokens))], at: k}
}

// groovyArg is an argument of a call, or an entry of a map or list.
type groovyArg struct {
	name string // of a named one, or of a map's entry
	key  int    // token of the name
	groovyRange
}

// args are the arguments that token from begins, up to token end.
func (x groovyRange) args() []groovyArg {
	var out []groovyArg
	for k := x.from; k < x.to && len(out) < maxGroovyArgs; {
		if x.src.kind(k) == groovyNewline || x.src.is(k, ",") {
			k++
			continue
		}
		a := groovyArg{groovyRange: groovyRange{src: x.src, from: k, at: x.at}}
		if x.src.is(k+1, ":") {
			switch x.src.kind(k) {
			case groovyName, groovyNumber:
				a.name = x.src.word(k)
			case groovyString:
				a.name = x.src.literal(k).text.String()
			}
			a.key, a.from = k, k+2
		} else if x.src.is(k, "(") && x.src.tokens[k].mate > k && x.src.is(x.src.tokens[k].mate+1, ":") {
			a.from = x.src.tokens[k].mate + 2 // a computed key has no name
		}
		for k = a.from; k < x.to && !x.src.is(k, ","); k = x.src.step(k) {
		}
		k = min(k, x.to)
		a.to = max(k, a.from)
		for a.to > a.from && x.src.kind(a.to-1) == groovyNewline {
			a.to--
		}
		out = append(out, a)
	}
	return out
}

// step is the token behind k, or behind the bracket that k opens.
func (g *groovySource) step(k int) int {
	if mate := g.tokens[k].mate; mate > k {
		return mate + 1
	}
	return k + 1
}

// call is the arguments of the call whose name is token k, with parentheses or
// as a command, and the token behind them.
func (g *groovyScript) call(k int) (args []groovyArg, after int, ok bool) {
	x := groovyRange{src: g.groovySource, at: k}
	switch {
	case g.is(k+1, "(") && g.tokens[k+1].mate > 0:
		x.from, x.to = k+2, g.tokens[k+1].mate
		return x.args(), x.to + 1, true
	case g.kind(k+1) == groovyString, g.kind(k+1) == groovyName && k+1 < len(g.tokens) && !isGroovyOperator(g.word(k+1)):
		x.from, x.to = k+1, k+1
		for x.to < len(g.tokens) && x.to-x.from < maxGroovyTokens {
			x.to = g.operandEnds[x.to]
			if !g.is(x.to, ",") {
				break
			}
			x.to++
		}
		return x.args(), x.to, true
	}
	return nil, k + 1, false
}

// isGroovyOperator reports whether a name is an operator between two operands.
func isGroovyOperator(word string) bool {
	switch word {
	case "in", "as", "instanceof":
		return true
	}
	return false
}

// argument is the argument of that name, else the positional one of that index
// (none if it is negative).
func argument(args []groovyArg, name string, index int) (groovyRange, bool) {
	for _, a := range args {
		if name != "" && a.name == name && a.to > a.from {
			return a.groovyRange, true
		}
	}
	for i, a := range args {
		if i == index && a.name == "" && a.to > a.from {
			return a.groovyRange, true
		}
	}
	return groovyRange{}, false
}

// text is the bytes of an expression; of one string alone, its content.
func (x groovyRange) text() *source.Text {
	if x.from >= x.to {
		return x.src.text.Slice(0, 0)
	}
	if x.isString() {
		return x.src.literal(x.from).text
	}
	return x.src.text.Slice(x.src.tokens[x.from].start, x.src.tokens[x.to-1].end)
}

// bytes is the length of an expression in bytes of the source.
func (x groovyRange) bytes() int {
	if x.from >= x.to {
		return 0
	}
	return x.src.tokens[x.to-1].end - x.src.tokens[x.from].start
}

func (x groovyRange) isString() bool {
	return x.to == x.from+1 && x.src.kind(x.from) == groovyString
}

// unwrap is x without parentheses around it.
func (x groovyRange) unwrap() groovyRange {
	for x.from < x.to-1 && x.src.is(x.from, "(") && x.src.tokens[x.from].mate == x.to-1 {
		x.from++
		x.to--
	}
	return x
}

// define is the variable of that name in a namespace whose scope are the tokens
// of a block: a new one, unless the block has it already.
func (g *groovyScript) define(space map[string][]*groovyVariable, name string, block int, c *class, def source.Span) *groovyVariable {
	b := g.blocks[block]
	if known := space[name]; len(known) <= maxGroovyNames {
		for _, v := range known {
			if v.from == b.open && v.to == b.close {
				return v
			}
		}
	}
	v := &groovyVariable{name: name, from: b.open, to: b.close}
	v.binding = &binding{name: name, class: c, file: g.text.File, def: def, region: g.region(b)}
	v.binding.eval = func() []expr { return g.values(v) }
	if len(space[name]) <= maxGroovyNames {
		space[name] = append(space[name], v)
	}
	return v
}

// region is the bytes of a block in the file.
func (g *groovyScript) region(b groovyBlock) source.Span {
	start, end := 0, len(g.text.Data)
	if b.open >= 0 {
		start = g.tokens[b.open].start
	}
	if b.close < len(g.tokens) {
		end = g.tokens[b.close].end
	}
	s, _ := g.text.Span(start, end)
	return s
}

// innermost is the variable of the innermost scope that token at lies in.
func innermost(space map[string][]*groovyVariable, name string, at int) *groovyVariable {
	all := space[name]
	if len(all) > maxGroovyNames {
		return nil
	}
	var best *groovyVariable
	for _, v := range all {
		if v.from <= at && at <= v.to && (best == nil || v.from > best.from) {
			best = v
		}
	}
	return best
}

// assign adds an expression to what v can be.
func (v *groovyVariable) assign(x groovyRange) {
	if v.exprs = append(v.exprs, x); len(v.exprs) > maxGroovyNames {
		v.opaque = true
		v.exprs = v.exprs[:maxGroovyNames]
	}
	if x.src.is(x.from, "[") && v.binding.class == classLocal {
		v.binding.class = classGroovyEntry
	}
}

// values are the texts that v can have.
func (g *groovyScript) values(v *groovyVariable) []expr {
	if v.opaque {
		return nil
	}
	var out []expr
	for _, x := range v.exprs {
		if v.items {
			out = union(out, g.items(x))
		} else {
			out = union(out, g.eval(x))
		}
	}
	for i := range out {
		out[i] = cutFront(out[i], v.cut)
	}
	if v.complete && slices.ContainsFunc(out, func(e expr) bool { return len(e.missing()) > 0 }) {
		return nil
	}
	return slices.DeleteFunc(out, expr.empty)
}

// items are the texts of the items of a literal list or map, or of a variable
// that is one.
func (g *groovyScript) items(x groovyRange) []expr {
	lists, l := []groovyRange{x}, link{}
	if v, ok := g.named(x); ok && !v.opaque {
		at, _ := x.src.text.Span(x.src.tokens[x.to-1].start, x.src.tokens[x.to-1].end)
		lists, l = v.exprs, link{binding: v.binding, file: g.text.File, at: at}
	}
	found, ok := g.member(lists, nil)
	if !ok {
		return nil
	}
	var out []expr
	for _, item := range found {
		out = union(out, g.eval(item))
	}
	if l.binding != nil {
		for i := range out {
			out[i] = through(l, out[i])
		}
	}
	return out
}

// cutFront is e without its first n bytes, which are literal.
func cutFront(e expr, n int) expr {
	if n == 0 || len(e) == 0 {
		return e
	}
	e = slices.Clone(e)
	e[0].text = e[0].text[min(n, len(e[0].text)):]
	if e[0].exact {
		e[0].span.Start += n
	}
	if e[0].text == "" && e[0].missing == "" {
		return e[1:]
	}
	return e
}

// union is a and what of b is not in a: the same text from the same place.
func union(a, b []expr) []expr {
	for _, e := range b {
		same := func(o expr) bool {
			return len(o) == len(e) && o.text() == e.text() && (len(e) == 0 || o[len(o)-1].span == e[len(e)-1].span)
		}
		if len(a) < maxValues && !slices.ContainsFunc(a, same) {
			a = append(a, e)
		}
	}
	return a
}

// eval are the texts that an expression can have.
func (g *groovyScript) eval(x groovyRange) []expr {
	x = x.unwrap()
	if g.depth >= maxExpansion || x.to-x.from > maxGroovyTokens {
		return x.unknown()
	}
	g.depth++
	defer func() { g.depth-- }()
	out := g.operators(x)
	for _, e := range out {
		if len(e) > maxGroovyPieces {
			return x.unknown()
		}
	}
	return out
}

func (x groovyRange) unknown() []expr {
	t := x.text()
	name := dottedName(t.String())
	if name == "" {
		name = shorten(t.String())
	}
	return []expr{unknown(t, name)}
}

// operators splits x at its operator of the lowest precedence.
func (g *groovyScript) operators(x groovyRange) []expr {
	question, colon, elvis, nested := -1, -1, -1, 0
	var plus []int
	for k := x.from; k < x.to; k = x.src.step(k) {
		if x.src.kind(k) != groovyPunct {
			continue
		}
		switch x.src.word(k) {
		case "?":
			if question < 0 {
				question = k
			}
			nested++
		case ":":
			if nested--; nested == 0 && colon < 0 {
				colon = k
			}
		case "?:":
			if elvis < 0 {
				elvis = k
			}
		case "+":
			plus = append(plus, k)
		}
	}
	part := func(from, to int) groovyRange { return groovyRange{src: x.src, from: from, to: to, at: x.at} }
	switch {
	case question >= 0 && colon >= 0:
		return union(slices.Clone(g.eval(part(question+1, colon))), g.eval(part(colon+1, x.to)))
	case elvis >= 0:
		return g.elvis(part(x.from, elvis), part(elvis+1, x.to))
	case len(plus) > 0:
		out, from := []expr{{}}, x.from
		for _, k := range append(plus, x.to) {
			out = product(out, g.eval(part(from, k)))
			from = k + 1
		}
		return out
	}
	return g.term(x)
}

// elvis is "a ?: b": b, where a is not decided here.
func (g *groovyScript) elvis(a, b groovyRange) []expr {
	known := g.eval(a)
	if len(known) > 0 && !slices.ContainsFunc(known, func(e expr) bool { return len(e.missing()) > 0 || e.empty() }) {
		return known
	}
	at, _ := a.text().Span(0, len(a.text().Data))
	l := link{binding: &binding{name: a.unknown()[0][0].missing, class: classDefault}, file: g.text.File, at: at}
	var out []expr
	for _, e := range g.eval(b) {
		out = append(out, through(l, e))
	}
	return out
}

// term is a string or a path of names, perhaps with a call behind it that
// leaves an image as it is.
func (g *groovyScript) term(x groovyRange) []expr {
	if x.from >= x.to {
		return x.unknown()
	}
	for x.to-x.from > 4 && x.src.is(x.to-1, ")") && x.src.tokens[x.to-1].mate == x.to-2 && x.src.is(x.to-4, ".") && isTrim(x.src.word(x.to-3)) {
		x.to -= 4
	}
	if x.isString() {
		return g.interpolated(x)
	}
	if x.src.kind(x.from) == groovyName {
		return g.path(x)
	}
	return x.unknown()
}

// isTrim reports whether a method changes at most the white space of a string.
func isTrim(name string) bool {
	switch name {
	case "trim", "toString", "strip", "stripIndent":
		return true
	}
	return false
}

// interpolated are the texts of a string.
func (g *groovyScript) interpolated(x groovyRange) []expr {
	lit := x.src.literal(x.from)
	out, at := []expr{{}}, 0
	for _, i := range lit.interpolations {
		out = product(out, []expr{literal(lit.text.Slice(at, i.start))})
		out = product(out, g.eval(x.inner(i)))
		at = i.end
	}
	return product(out, []expr{literal(lit.text.Slice(at, len(lit.text.Data)))})
}

// inner is the expression of an interpolation within x.
func (x groovyRange) inner(i groovyInterpolation) groovyRange {
	src := lexGroovy(x.src.text.Slice(i.exprStart, i.exprEnd))
	return groovyRange{src: src, to: len(src.tokens), at: x.at}
}

// groovyAccess is one step of a path: ".name" or "[key]".
type groovyAccess struct {
	name string
	key  groovyRange // where name is empty
}

// path are the texts of "name", "env.NAME", "params.NAME", "map.key",
// "map[key]" and "map.get(key)".
func (g *groovyScript) path(x groovyRange) []expr {
	steps, ok := x.steps()
	if !ok {
		return x.unknown()
	}
	v, name, rest := g.resolve(x, steps)
	if v == nil {
		return x.unknown()
	}
	var out []expr
	if len(rest) == 0 {
		out = v.binding.texts()
	} else if !v.opaque && v.cut == 0 {
		out = g.descend(v, rest)
	}
	if len(out) == 0 {
		return x.unknown()
	}
	at, _ := x.src.text.Span(x.src.tokens[name].start, x.src.tokens[name].end)
	l := link{binding: v.binding, file: g.text.File, at: at}
	read := make([]expr, len(out))
	for i, e := range out {
		read[i] = through(l, e)
	}
	return read
}

// steps takes a path apart behind its first name.
func (x groovyRange) steps() ([]groovyAccess, bool) {
	var out []groovyAccess
	key := func(from, to int) groovyRange { return groovyRange{src: x.src, from: from, to: to, at: x.at} }
	for k := x.from + 1; k < x.to; {
		mate := x.src.tokens[k].mate
		switch {
		case x.src.is(k, "?"):
			k++ // of "?["
		case x.src.is(k, "[") && mate > k+1:
			out = append(out, groovyAccess{key: key(k+1, mate)})
			k = mate + 1
		case (x.src.is(k, ".") || x.src.is(k, "?.")) && x.src.is(k+1, "get") && x.src.is(k+2, "(") && x.src.tokens[k+2].mate > k+3:
			out = append(out, groovyAccess{key: key(k+3, x.src.tokens[k+2].mate)})
			k = x.src.tokens[k+2].mate + 1
		case (x.src.is(k, ".") || x.src.is(k, "?.")) && k+1 < x.to && x.src.kind(k+1) == groovyName:
			out = append(out, groovyAccess{name: x.src.word(k + 1)})
			k += 2
		default:
			return nil, false
		}
	}
	return out, len(out) <= maxGroovyDepth
}

// resolve is the variable that a path begins with, the token that spells its
// name, and the steps behind it.
func (g *groovyScript) resolve(x groovyRange, steps []groovyAccess) (v *groovyVariable, name int, rest []groovyAccess) {
	root := x.src.word(x.from)
	if space := g.space(root); space != nil && len(steps) > 0 && innermost(g.locals, root, x.at) == nil {
		key := steps[0].name
		name = x.from + 2
		if key == "" && steps[0].key.isString() {
			key, name = steps[0].key.text().String(), steps[0].key.from
		}
		if v = innermost(space, key, x.at); v == nil && root == "env" {
			v = innermost(g.params, key, x.at) // parameters are environment variables too
		}
		return v, name, steps[1:]
	}
	return g.lookup(root, x.at), x.from, steps
}

// space is the namespace that a qualifier stands for, or nil.
func (g *groovyScript) space(qualifier string) map[string][]*groovyVariable {
	switch qualifier {
	case "env":
		return g.environment
	case "params":
		return g.params
	}
	return nil
}

// lookup is the variable that a bare name stands for at a token.
func (g *groovyScript) lookup(name string, at int) *groovyVariable {
	if v := innermost(g.locals, name, at); v != nil {
		return v
	}
	return g.exported(name, at)
}

// exported is the environment variable of that name.
func (g *groovyScript) exported(name string, at int) *groovyVariable {
	if v := innermost(g.environment, name, at); v != nil {
		return v
	}
	return innermost(g.params, name, at)
}

// descend are the texts of a member of a map or list.
func (g *groovyScript) descend(v *groovyVariable, steps []groovyAccess) []expr {
	found := v.exprs
	for i := range steps {
		var ok bool
		if found, ok = g.member(found, &steps[i]); !ok {
			return nil
		}
	}
	var out []expr
	for _, x := range found {
		out = union(out, g.eval(x))
	}
	return out
}

// member are the members of literal maps and lists that a step names: all of
// them where the key is not known, or step is nil. It reports false for what is
// neither map nor list.
func (g *groovyScript) member(in []groovyRange, step *groovyAccess) ([]groovyRange, bool) {
	keys, known := g.keys(step)
	var out []groovyRange
	for _, x := range in {
		x = x.unwrap()
		if !x.src.is(x.from, "[") || x.src.tokens[x.from].mate != x.to-1 {
			return nil, false
		}
		for i, a := range (groovyRange{src: x.src, from: x.from + 1, to: x.to - 1, at: x.at}).args() {
			name := a.name
			if name == "" {
				name = strconv.Itoa(i)
			}
			if (!known || slices.Contains(keys, name)) && a.to > a.from && len(out) < maxValues {
				out = append(out, a.groovyRange)
			}
		}
	}
	return out, true
}

// keys are the texts of a key, and whether they are known.
func (g *groovyScript) keys(step *groovyAccess) ([]string, bool) {
	if step == nil {
		return nil, false
	}
	if step.name != "" {
		return []string{step.name}, true
	}
	if step.key.to == step.key.from+1 && step.key.src.kind(step.key.from) == groovyNumber {
		return []string{step.key.src.word(step.key.from)}, true
	}
	var keys []string
	for _, e := range g.eval(step.key) {
		if len(e.missing()) > 0 {
			return nil, false
		}
		keys = append(keys, e.text())
	}
	return keys, true
}

// embed is the text that an expression of strings stands for, for the parser of
// an inner format. What Groovy substitutes stands in it between the marks open
// and close, where the templating finds it again: as the name, or as a number
// where it is more than a name. The templating is empty where nothing is
// substituted; the text is empty where more is than people write.
func (g *groovyScript) embed(x groovyRange, open, close string) (*source.Text, templating) {
	x = x.unwrap()
	m := groovyEmbedding{script: g, at: x.at, out: source.NewBuilder(x.src.text), open: open, close: close}
	for k := x.from; k < x.to; {
		end := k
		for end < x.to && !x.src.is(end, "+") {
			end = x.src.step(end)
		}
		end = min(end, x.to)
		m.add(groovyRange{src: x.src, from: k, to: end, at: x.at}.unwrap())
		k = end + 1
	}
	m.out.Copy(0, 0)
	if m.marks == 0 {
		return m.out.Text(), templating{}
	}
	if m.marks > maxGroovyMarks {
		return x.src.text.Slice(0, 0), templating{}
	}
	return m.out.Text(), templating{scan: scanMarks(open, close), look: m.look}
}

// groovyEmbedding is the making of an inner text.
type groovyEmbedding struct {
	script      *groovyScript
	at          int
	out         *source.Builder
	open, close string
	marks       int // interpolations so far
	expressions []groovyRange
}

// add is one operand of "+".
func (m *groovyEmbedding) add(x groovyRange) {
	if x.from >= x.to {
		return
	}
	if x.src.kind(x.from) != groovyString {
		first, last := x.src.tokens[x.from].start, x.src.tokens[x.to-1].end
		m.mark(x, x.src.text.Data, groovyPart{start: first, exprStart: first, exprEnd: last, end: last})
		return
	}
	// A method behind the string (stripIndent, trim) changes no image.
	x.src.content(x.from, func(p groovyPart) {
		switch {
		case p.interpolation && m.alone(x.src.text.Data, p):
			m.out.Put("#", p.start, p.end)
		case p.interpolation:
			src := lexGroovy(x.src.text.Slice(p.exprStart, p.exprEnd))
			m.mark(groovyRange{src: src, to: len(src.tokens), at: x.at}, x.src.text.Data, p)
		case p.escape:
			m.out.Put(p.put, p.start, p.end)
		default:
			m.out.Copy(p.start, p.end)
		}
	})
}

// alone reports whether an interpolation is all of a line: what YAML reads as a
// comment must stand there, for it is lines of YAML that are put in.
func (m *groovyEmbedding) alone(data []byte, p groovyPart) bool {
	if m.open != "${" {
		return false
	}
	line := bytes.LastIndexByte(data[:p.start], '\n') + 1
	return len(bytes.Trim(data[line:p.start], " \t")) == 0 &&
		len(bytes.Trim(data[p.end:groovyLineEnd(data, p.end)], " \t\r")) == 0
}

// mark adds the expression x, which stands at p in data.
func (m *groovyEmbedding) mark(x groovyRange, data []byte, p groovyPart) {
	if m.marks++; m.marks > maxGroovyMarks {
		return
	}
	m.out.Put(m.open, p.start, p.exprStart)
	if _, ok := m.script.named(x); ok && x.text().String() == string(data[p.exprStart:p.exprEnd]) {
		m.out.Copy(p.exprStart, p.exprEnd)
	} else {
		m.out.Put(strconv.Itoa(len(m.expressions)), p.exprStart, p.exprEnd)
		m.expressions = append(m.expressions, x)
	}
	m.out.Put(m.close, p.exprEnd, p.end)
}

// named is the variable that x is, with nothing taken from within it.
func (g *groovyScript) named(x groovyRange) (*groovyVariable, bool) {
	if x.from >= x.to || x.src.kind(x.from) != groovyName || dottedName(x.text().String()) == "" {
		return nil, false
	}
	steps, ok := x.steps()
	if !ok {
		return nil, false
	}
	v, _, rest := g.resolve(x, steps)
	return v, v != nil && len(rest) == 0
}

func (m *groovyEmbedding) look(name string) *binding {
	if i, err := strconv.Atoi(name); err == nil {
		if i >= len(m.expressions) {
			return nil
		}
		x := m.expressions[i]
		return &binding{name: shorten(x.text().String()), class: classGroovyExpr, eval: func() []expr { return m.script.eval(x) }}
	}
	src := lexGroovy(source.Whole(&source.File{Data: []byte(name)}))
	if v, ok := m.script.named(groovyRange{src: src, to: len(src.tokens), at: m.at}); ok {
		return v.binding
	}
	return nil
}

// scanMarks finds names between two marks. Readers spell the last part of a
// qualified one.
func scanMarks(open, close string) scanner {
	return func(data []byte, i int) (variable, bool) {
		k := bytes.Index(data[i:], []byte(open))
		if k < 0 {
			return variable{}, false
		}
		v := variable{start: i + k}
		v.nameStart = v.start + len(open)
		end := bytes.Index(data[v.nameStart:], []byte(close))
		if end < 0 {
			return variable{}, false
		}
		v.nameEnd = v.nameStart + end
		v.end = v.nameEnd + len(close)
		v.name = string(data[v.nameStart:v.nameEnd])
		v.nameStart += strings.LastIndexByte(v.name, '.') + 1
		return v, true
	}
}

package parsers

import (
	"strings"
	"unicode/utf8"

	"github.com/digestlint/digestlint/source"
)

// groovyKind is what a token of Groovy is.
type groovyKind uint8

const (
	// groovyName is an identifier or a keyword; dots are tokens of their own.
	groovyName groovyKind = iota
	groovyNumber
	groovyString
	groovyPunct
	// groovyNewline ends a statement. Where Groovy reads on (within
	// parentheses and square brackets, after a comma or an operator, before a
	// dot) there is no such token.
	groovyNewline
)

// groovyToken is the bytes [start, end) of a text of Groovy. Strings are not
// decoded until somebody asks for them: see [groovySource.literal].
type groovyToken struct {
	kind  groovyKind
	style groovyStyle // of a string
	// closed is whether a string has its closing delimiter.
	closed     bool
	start, end int
	// mate is the index of the other bracket of a pair, -1 where there is
	// none.
	mate int
}

// groovyStyle is one of the ways to write a string
// (https://groovy-lang.org/syntax.html#all-strings).
type groovyStyle uint8

const (
	groovySingle groovyStyle = iota
	groovyDouble
	groovyTripleSingle
	groovyTripleDouble
	groovySlashy
	groovyDollarSlashy
)

// groovyStyles are the properties of each style, by its constant.
var groovyStyles = [...]struct {
	open, close   string
	interpolates  bool
	multiline     bool
	slashyEscapes bool
}{
	groovySingle:       {open: "'", close: "'"},
	groovyDouble:       {open: `"`, close: `"`, interpolates: true},
	groovyTripleSingle: {open: "'''", close: "'''", multiline: true},
	groovyTripleDouble: {open: `"""`, close: `"""`, interpolates: true, multiline: true},
	groovySlashy:       {open: "/", close: "/", interpolates: true, multiline: true, slashyEscapes: true},
	groovyDollarSlashy: {open: "$/", close: "/$", interpolates: true, multiline: true, slashyEscapes: true},
}

// maxGroovyDepth is how deep strings within interpolations within strings are
// followed. Deeper quotes count as plain bytes.
const maxGroovyDepth = 64

// groovySource is a text of Groovy with its tokens.
type groovySource struct {
	text   *source.Text
	tokens []groovyToken
}

// groovyLiteral is a string literal with its escapes decoded.
type groovyLiteral struct {
	// text is the content. Interpolations stand in it verbatim.
	text           *source.Text
	interpolations []groovyInterpolation // in order
	// start and end are the content without delimiters, in the source.
	start, end int
}

// groovyInterpolation is one "${expression}" or "$name.name" of a literal.
type groovyInterpolation struct {
	// start and end are the whole of it, in the bytes of the decoded text.
	start, end int
	// exprStart and exprEnd are the expression, in the bytes of the source.
	exprStart, exprEnd int
	expr               string
	// name is the dotted name that the expression is, empty where it is
	// anything else.
	name string
}

// lexGroovy takes t apart. It accepts everything: what is not Groovy becomes
// tokens too, and a string without an end goes on to the end of its line, or of
// the text where its style has more lines than one.
func lexGroovy(t *source.Text) *groovySource {
	lx := &groovyLexer{data: t.Data}
	for lx.at < len(lx.data) {
		lx.next()
	}
	return &groovySource{text: t, tokens: lx.tokens}
}

type groovyLexer struct {
	data   []byte
	at     int
	tokens []groovyToken
	open   []int // indexes of the brackets that are open now
	curly  int   // how many of them are "{"
	// slashless is set once a slash had no partner: no later one has.
	slashless bool
}

func (lx *groovyLexer) next() {
	i, c := lx.at, lx.data[lx.at]
	switch {
	case c == '\n':
		lx.newline()
	case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == 0:
		lx.at++
	case c == '\\' && groovyBreak(lx.data[i+1:]) > 0:
		lx.at += 1 + groovyBreak(lx.data[i+1:])
	case lx.has("//") || i == 0 && lx.has("#!"):
		lx.at = groovyLineEnd(lx.data, i)
	case lx.has("/*"):
		lx.at = groovyCommentEnd(lx.data, i)
	case c == '\'' || c == '"':
		style, _ := groovyQuote(lx.data, i)
		lx.str(style)
	case c == '/' && lx.slashMayOpen():
		lx.slashy(groovySlashy)
	case lx.has("$/"):
		lx.slashy(groovyDollarSlashy)
	case isGroovyStart(c):
		for lx.at++; lx.at < len(lx.data) && isGroovyPart(lx.data[lx.at]); lx.at++ {
		}
		lx.add(groovyName, i)
	case c >= '0' && c <= '9':
		lx.at = groovyNumberEnd(lx.data, i)
		lx.add(groovyNumber, i)
	default:
		lx.at += groovyOperator(lx.data[i:])
		lx.punct(i)
	}
}

func (lx *groovyLexer) has(s string) bool { return startsAt(lx.data, lx.at, s) }

func (lx *groovyLexer) add(kind groovyKind, start int) {
	lx.tokens = append(lx.tokens, groovyToken{kind: kind, start: start, end: lx.at, mate: -1})
}

// last is the text of the last token, and whether it is punctuation.
func (lx *groovyLexer) last() (string, groovyKind) {
	if len(lx.tokens) == 0 {
		return "", groovyNewline
	}
	t := lx.tokens[len(lx.tokens)-1]
	return string(lx.data[t.start:t.end]), t.kind
}

func (lx *groovyLexer) newline() {
	start := lx.at
	lx.at++
	if n := len(lx.open); n > 0 && lx.data[lx.tokens[lx.open[n-1]].start] != '{' {
		return
	}
	last, kind := lx.last()
	if kind == groovyNewline {
		return
	}
	if kind == groovyPunct {
		switch last {
		case ",", "+", "=", "?", ":", "?:", "&&", "||", ".", "?.":
			return
		}
	}
	lx.add(groovyNewline, start)
}

func (lx *groovyLexer) punct(start int) {
	n, mate := len(lx.tokens), -1
	switch string(lx.data[start:lx.at]) {
	case ".", "?.":
		// A chain of calls goes on in the next line.
		if n > 0 && lx.tokens[n-1].kind == groovyNewline {
			lx.tokens = lx.tokens[:n-1]
		}
	case "{":
		lx.curly++
		lx.open = append(lx.open, n)
	case "(", "[":
		lx.open = append(lx.open, n)
	case ")":
		mate = lx.close('(')
	case "]":
		mate = lx.close('[')
	case "}":
		mate = lx.closeBlock()
	}
	lx.add(groovyPunct, start)
	if mate >= 0 {
		lx.tokens[mate].mate = len(lx.tokens) - 1
		lx.tokens[len(lx.tokens)-1].mate = mate
	}
}

// close takes the last open bracket off, if it is of the kind open, and gives
// its index, else -1: a bracket that doesn't fit stays alone.
func (lx *groovyLexer) close(open byte) int {
	n := len(lx.open)
	if n == 0 || lx.data[lx.tokens[lx.open[n-1]].start] != open {
		return -1
	}
	mate := lx.open[n-1]
	lx.open = lx.open[:n-1]
	return mate
}

// closeBlock is close for "}", which also ends what was left open within the
// block: a missing parenthesis must not swallow the rest of the file.
func (lx *groovyLexer) closeBlock() int {
	if lx.curly == 0 {
		return -1
	}
	n := len(lx.open)
	for lx.data[lx.tokens[lx.open[n-1]].start] != '{' {
		n--
	}
	lx.open = lx.open[:n]
	lx.curly--
	return lx.close('{')
}

func (lx *groovyLexer) str(style groovyStyle) {
	start := lx.at
	end, closed := scanGroovyString(lx.data, start+len(groovyStyles[style].open), style, 0, nil)
	lx.at = end
	if closed {
		lx.at += len(groovyStyles[style].close)
	}
	lx.add(groovyString, start)
	t := &lx.tokens[len(lx.tokens)-1]
	t.style, t.closed = style, closed
}

// slashy reads a string between slashes. Without a second slash the first one
// is an operator.
func (lx *groovyLexer) slashy(style groovyStyle) {
	start := lx.at
	if !lx.slashless {
		lx.str(style)
		if lx.tokens[len(lx.tokens)-1].closed {
			return
		}
		lx.tokens = lx.tokens[:len(lx.tokens)-1]
		lx.slashless = true
	}
	lx.at = start + 1
	lx.add(groovyPunct, start)
}

// slashMayOpen reports whether a slash here begins a string: after an operand
// it divides.
func (lx *groovyLexer) slashMayOpen() bool {
	last, kind := lx.last()
	switch kind {
	case groovyNumber, groovyString:
		return false
	case groovyName:
		switch last {
		case "return", "in", "case", "assert", "throw", "else", "instanceof":
			return true
		}
		return false
	case groovyPunct:
		switch last {
		case ")", "]", "}", "++", "--":
			return false
		}
	}
	return true
}

// groovyQuote is the style of the string whose quote stands at i.
func groovyQuote(data []byte, i int) (groovyStyle, bool) {
	switch {
	case startsAt(data, i, "'''"):
		return groovyTripleSingle, true
	case startsAt(data, i, `"""`):
		return groovyTripleDouble, true
	case data[i] == '\'':
		return groovySingle, true
	case data[i] == '"':
		return groovyDouble, true
	}
	return 0, false
}

// groovyPart is a piece of the content of a string: bytes that stand for
// themselves, an escape that stands for put, or an interpolation with its
// expression.
type groovyPart struct {
	start, end         int
	escape             bool
	put                string
	interpolation      bool
	exprStart, exprEnd int
}

// scanGroovyString reads the content of a string from i and gives its end and
// whether the closing delimiter stands there. It calls on, unless that is nil,
// for each part in order. Each byte is read once at whatever depth, so that the
// time is linear in the length.
func scanGroovyString(data []byte, i int, style groovyStyle, depth int, on func(groovyPart)) (end int, closed bool) {
	s := &groovyStyles[style]
	plain := i
	emit := func(p groovyPart) {
		if on == nil {
			return
		}
		if plain < p.start {
			on(groovyPart{start: plain, end: p.start})
		}
		on(p)
	}
	for i < len(data) {
		p := groovyPart{start: i}
		c := data[i]
		switch {
		case (c == '\\' || c == '$') && style.escape(data, &p):
		case c == '$' && s.interpolates && depth < maxGroovyDepth && scanGroovyInterpolation(data, depth, &p):
		case c == s.close[0] && startsAt(data, i, s.close):
			emit(groovyPart{start: i, end: i})
			return i, true
		case c == '\n' && !s.multiline:
			emit(groovyPart{start: i, end: i})
			return i, false
		default:
			i++
			continue
		}
		emit(p)
		i = p.end
		plain = i
	}
	emit(groovyPart{start: i, end: i})
	return i, false
}

// escape fills in p if an escape of the style stands at its start
// (https://groovy-lang.org/syntax.html#_escaping_special_characters).
func (style groovyStyle) escape(data []byte, p *groovyPart) bool {
	rest := data[p.start:]
	switch {
	case style == groovyDollarSlashy:
		// "$/" and "$$"; the closing "/$" begins with the slash.
		if len(rest) < 2 || rest[0] != '$' || rest[1] != '$' && rest[1] != '/' {
			return false
		}
		p.put, p.end = string(rest[1:2]), p.start+2
	case rest[0] != '\\':
		return false
	case style == groovySlashy:
		if len(rest) < 2 || rest[1] != '/' {
			return false
		}
		p.put, p.end = "/", p.start+2
	default:
		put, n := groovyEscape(rest)
		p.put, p.end = put, p.start+n
	}
	p.escape = true
	return true
}

// groovyEscape is what the escape at the start of s stands for, and its
// number of bytes. An escape that Groovy doesn't know stands for itself.
func groovyEscape(s []byte) (string, int) {
	if n := groovyBreak(s[1:]); n > 0 {
		return "", 1 + n
	}
	if len(s) < 2 {
		return `\`, 1
	}
	switch c := s[1]; c {
	case 'n':
		return "\n", 2
	case 't':
		return "\t", 2
	case 'r':
		return "\r", 2
	case 'b':
		return "\b", 2
	case 'f':
		return "\f", 2
	case 's':
		return " ", 2
	case '\\', '\'', '"', '$':
		return string(s[1:2]), 2
	case 'u':
		return groovyUnicode(s)
	}
	if s[1] >= '0' && s[1] <= '7' {
		n, v := 1, 0
		// Three digits at most, and no more than \377.
		for n < len(s) && n < 4 && s[n] >= '0' && s[n] <= '7' && v*8+int(s[n]-'0') < 256 {
			v = v*8 + int(s[n]-'0')
			n++
		}
		return string(rune(v)), n
	}
	return string(s[:1]), 1
}

// groovyUnicode reads "\uXXXX", where any number of "u" may stand.
func groovyUnicode(s []byte) (string, int) {
	n := 1
	for n < len(s) && s[n] == 'u' {
		n++
	}
	if len(s) < n+4 {
		return string(s[:1]), 1
	}
	v := rune(0)
	for _, c := range s[n : n+4] {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 || c < '0' {
			return string(s[:1]), 1
		}
		v = v<<4 | rune(d)
	}
	if !utf8.ValidRune(v) {
		v = utf8.RuneError
	}
	return string(v), n + 4
}

// scanGroovyInterpolation fills in p if an interpolation stands at its start.
func scanGroovyInterpolation(data []byte, depth int, p *groovyPart) bool {
	i := p.start + 1
	if i >= len(data) {
		return false
	}
	if data[i] == '{' {
		p.exprStart = i + 1
		p.exprEnd = scanGroovyBraces(data, i+1, depth+1)
		p.end = min(p.exprEnd+1, len(data))
		p.interpolation = true
		return true
	}
	end := i
	for end < len(data) && isGroovyLetter(data[end]) {
		for end++; end < len(data) && isGroovyWord(data[end]); end++ {
		}
		p.end = end
		if end+1 >= len(data) || data[end] != '.' || !isGroovyLetter(data[end+1]) {
			break
		}
		end++
	}
	p.exprStart, p.exprEnd = i, p.end
	p.interpolation = p.end > i
	return p.interpolation
}

// scanGroovyBraces is the place of the "}" that ends the expression at i, or the end
// of data.
func scanGroovyBraces(data []byte, i, depth int) int {
	braces := 0
	operand := false // whether the last thing read was one: a slash divides
	for i < len(data) {
		c := data[i]
		switch {
		case c == '}' && braces == 0:
			return i
		case c == '}':
			braces--
			operand = true
		case c == '{':
			braces++
			operand = false
		case (c == '\'' || c == '"') && depth < maxGroovyDepth:
			style, _ := groovyQuote(data, i)
			end, closed := scanGroovyString(data, i+len(groovyStyles[style].open), style, depth+1, nil)
			if closed {
				end += len(groovyStyles[style].close)
			}
			i, operand = end, true
			continue
		case c == '/' && !operand:
			i = groovySlashyEnd(data, i)
			operand = true
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		default:
			operand = isGroovyPart(c) || c == ')' || c == ']' || c == '\\'
		}
		i++
	}
	return i
}

// groovySlashyEnd is the end of the slashy string at i if it ends in its line, else
// the byte after the slash.
func groovySlashyEnd(data []byte, i int) int {
	for j := i + 1; j < len(data) && data[j] != '\n'; j++ {
		switch {
		case data[j] == '\\' && j+1 < len(data) && data[j+1] == '/':
			j++
		case data[j] == '/':
			return j + 1
		}
	}
	return i + 1
}

// content calls on for the parts of the string that is token k, in order, and
// gives its content without delimiters, in bytes of the source.
func (g *groovySource) content(k int, on func(groovyPart)) (start, end int) {
	t := g.tokens[k]
	start, end = t.start+len(groovyStyles[t.style].open), t.end
	if t.closed {
		end -= len(groovyStyles[t.style].close)
	}
	scanGroovyString(g.text.Data[:end], start, t.style, 0, on)
	return start, end
}

// literal decodes the string that is token k.
func (g *groovySource) literal(k int) groovyLiteral {
	var lit groovyLiteral
	b := source.NewBuilder(g.text)
	lit.start, lit.end = g.content(k, func(p groovyPart) {
		switch {
		case p.interpolation:
			expr := string(g.text.Data[p.exprStart:p.exprEnd])
			lit.interpolations = append(lit.interpolations, groovyInterpolation{
				start: b.Len(), end: b.Len() + p.end - p.start,
				exprStart: p.exprStart, exprEnd: p.exprEnd,
				expr: expr, name: dottedName(expr),
			})
			b.Copy(p.start, p.end)
		case p.escape:
			b.Put(p.put, p.start, p.end)
		default:
			b.Copy(p.start, p.end)
		}
	})
	b.Copy(lit.start, lit.start) // an empty string has a place too
	lit.text = b.Text()
	return lit
}

// word is the source text of token k, empty beyond the last one.
func (g *groovySource) word(k int) string {
	if k < 0 || k >= len(g.tokens) {
		return ""
	}
	return string(g.text.Data[g.tokens[k].start:g.tokens[k].end])
}

// is reports whether token k is the punctuation or the name s.
func (g *groovySource) is(k int, s string) bool {
	if k < 0 || k >= len(g.tokens) {
		return false
	}
	t := g.tokens[k]
	return (t.kind == groovyPunct || t.kind == groovyName) && string(g.text.Data[t.start:t.end]) == s
}

// kind is the kind of token k; beyond the last one all is newline.
func (g *groovySource) kind(k int) groovyKind {
	if k < 0 || k >= len(g.tokens) {
		return groovyNewline
	}
	return g.tokens[k].kind
}

// dottedName is expr without white space if it is a name or a path of names
// ("a.b", "a?.b" as "a.b"), else empty.
func dottedName(expr string) string {
	expr = strings.TrimSpace(expr)
	if strings.Contains(expr, "?.") {
		expr = strings.ReplaceAll(expr, "?.", ".")
	}
	start := true
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case start && isGroovyStart(c):
			start = false
		case !start && c == '.':
			start = true
		case start || !isGroovyPart(c):
			return ""
		}
	}
	if start {
		return ""
	}
	return expr
}

func startsAt(data []byte, i int, s string) bool {
	return len(data)-i >= len(s) && string(data[i:i+len(s)]) == s
}

// groovyBreak is the number of bytes of the line ending at the start of s, zero
// where there is none.
func groovyBreak(s []byte) int {
	switch {
	case len(s) > 0 && s[0] == '\n':
		return 1
	case len(s) > 1 && s[0] == '\r' && s[1] == '\n':
		return 2
	}
	return 0
}

// groovyLineEnd is the place of the newline that ends the line of i.
func groovyLineEnd(data []byte, i int) int {
	for i < len(data) && data[i] != '\n' {
		i++
	}
	return i
}

// groovyCommentEnd is the end of the comment that begins at i.
func groovyCommentEnd(data []byte, i int) int {
	for j := i + 2; j+1 < len(data); j++ {
		if data[j] == '*' && data[j+1] == '/' {
			return j + 2
		}
	}
	return len(data)
}

func groovyNumberEnd(data []byte, i int) int {
	for ; i < len(data); i++ {
		// "1..5" is a range and "1.times" a call.
		dot := data[i] == '.' && i+1 < len(data) && data[i+1] >= '0' && data[i+1] <= '9'
		if !dot && !isGroovyWord(data[i]) {
			break
		}
	}
	return i
}

// groovyOperator is the number of bytes of the operator at the start of s.
// Brackets are always one byte ("?[" is two operators), so that they pair.
func groovyOperator(s []byte) int {
	if len(s) >= 3 {
		switch string(s[:3]) {
		case "==~", "===", "!==", "<=>", "...", "..<", ">>>", "**=", "<<=", ">>=", "?.@", "*.@":
			return 3
		}
	}
	if len(s) >= 2 {
		switch string(s[:2]) {
		case "->", "?.", "?:", "*.", "::", "..", "==", "=~", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=",
			"++", "--", "&&", "||", "**", "<<":
			return 2
		}
	}
	return 1
}

// isGroovyStart reports whether c begins an identifier. All that is not ASCII
// counts as a letter.
func isGroovyStart(c byte) bool { return c == '$' || isGroovyLetter(c) }

func isGroovyPart(c byte) bool { return c == '$' || isGroovyWord(c) }

// isGroovyLetter is isGroovyStart within a string, where "$" is no letter.
func isGroovyLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func isGroovyWord(c byte) bool { return isGroovyLetter(c) || c >= '0' && c <= '9' }

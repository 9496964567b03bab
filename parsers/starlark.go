package parsers

import (
	"bytes"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Starlark, as far as it takes to find calls and what their arguments are:
// strings, names that are assigned one such value at the top level, "+", lists
// and dictionaries (https://github.com/bazelbuild/starlark/blob/master/spec.md).
// Nothing is run.

// starToken is a token of Starlark, or an end of line outside brackets.
type starToken struct {
	kind       starKind
	start, end int // bytes of the text
	// mate is the token of the other bracket, or -1.
	mate int
	// content is the decoded text of a string.
	content *source.Text
	// formatted is set for strings that are no constant ("f" of Python).
	formatted bool
}

type starKind uint8

const (
	starName starKind = iota
	starString
	starNumber
	starPunct
	starNewline
)

// starlark is a text of Starlark being read.
type starlark struct {
	text   *source.Text
	tokens []starToken
	// variables are the names of the top level and what they get.
	variables map[string]*starVariable
	// depth is how many names are being resolved.
	depth int
}

// starVariable is a name of the top level.
type starVariable struct {
	value    starRange
	assigned int // times, at any level
	binding  *binding
}

// starRange is an expression: the tokens [from, to).
type starRange struct{ from, to int }

// classes of Starlark's names.
var (
	classStarlark = &class{noun: "variable"}
	classLoadable = &class{noun: "variable", safety: image.Unsafe, why: "other files may load this variable"}
)

// maxStarDepth bounds variables of variables, maxStarArgs the items of a call
// or list.
const (
	maxStarDepth = 16
	maxStarArgs  = 256
)

// readStarlark lexes a text and finds its variables. Those of class c may be
// read by nothing but this file.
func readStarlark(t *source.Text, c *class) *starlark {
	s := &starlark{text: t, variables: map[string]*starVariable{}}
	s.lex()
	s.assignments(c)
	return s
}

func (s *starlark) lex() {
	data := s.text.Data
	var open []int
	for i := 0; i < len(data); {
		c := data[i]
		start := i
		switch {
		case c == '#':
			i = lineEnd(data, i)
		case c == '\n':
			i++
			if len(open) == 0 {
				s.add(starNewline, start, i)
			}
		case c == ' ' || c == '\t' || c == '\r' || c == '\\':
			i++
			if c == '\\' && i < len(data) { // a continued line
				if data[i] == '\r' {
					i++
				}
				i = min(i+1, len(data))
			}
		case c == '"' || c == '\'':
			i = s.str(start, start)
		case isNameByte(c) && (c < '0' || c > '9'):
			for i < len(data) && isNameByte(data[i]) {
				i++
			}
			if i < len(data) && (data[i] == '"' || data[i] == '\'') && i-start <= 2 && isStarPrefix(string(data[start:i])) {
				i = s.str(start, i)
			} else {
				s.add(starName, start, i)
			}
		case c >= '0' && c <= '9':
			for i < len(data) && (isNameByte(data[i]) || data[i] == '.') {
				i++
			}
			s.add(starNumber, start, i)
		default:
			i++
			if i < len(data) && data[i] == '=' && strings.IndexByte("=!<>+-*/%", c) >= 0 {
				i++
			}
			s.add(starPunct, start, i)
			k := len(s.tokens) - 1
			switch c {
			case '(', '[', '{':
				open = append(open, k)
			case ')', ']', '}':
				if n := len(open); n > 0 && data[s.tokens[open[n-1]].start] == starOpening(c) {
					s.tokens[k].mate, s.tokens[open[n-1]].mate = open[n-1], k
					open = open[:n-1]
				}
			}
		}
	}
}

func starOpening(c byte) byte {
	switch c {
	case ')':
		return '('
	case ']':
		return '['
	}
	return '{'
}

func isStarPrefix(s string) bool {
	switch strings.ToLower(s) {
	case "r", "b", "f", "rb", "br", "fr", "rf", "u":
		return true
	}
	return false
}

func (s *starlark) add(kind starKind, start, end int) {
	s.tokens = append(s.tokens, starToken{kind: kind, start: start, end: end, mate: -1})
}

// str reads the string literal whose quote is at i and whose prefix begins at
// start, and gives the byte behind it.
func (s *starlark) str(start, i int) int {
	data := s.text.Data
	prefix := strings.ToLower(string(data[start:i]))
	raw := strings.Contains(prefix, "r")
	quote := data[i : i+1]
	if bytes.HasPrefix(data[i:], bytes.Repeat(quote, 3)) {
		quote = bytes.Repeat(quote, 3)
	}
	from := i + len(quote)
	b := source.NewBuilder(s.text)
	copied := from
	at := from
	for ; at < len(data); at++ {
		if bytes.HasPrefix(data[at:], quote) || len(quote) == 1 && data[at] == '\n' {
			break
		}
		if data[at] != '\\' || at+1 >= len(data) {
			continue
		}
		if !raw {
			if text, n := starEscape(data[at:]); n > 0 {
				b.Copy(copied, at)
				b.Put(text, at, at+n)
				copied = at + n
				at += n - 1
				continue
			}
		}
		at++
	}
	at = min(at, len(data))
	b.Copy(copied, at)
	end := at
	if bytes.HasPrefix(data[at:], quote) {
		end = at + len(quote)
	}
	s.add(starString, start, end)
	last := &s.tokens[len(s.tokens)-1]
	last.content, last.formatted = b.Text(), strings.Contains(prefix, "f")
	return end
}

// starEscape is what the escape sequence at the start of data stands for, and
// its length; none for a backslash that is only itself.
func starEscape(data []byte) (text string, n int) {
	switch data[1] {
	case '\n':
		return "", 2
	case '\r':
		if len(data) > 2 && data[2] == '\n' {
			return "", 3
		}
	case 'n':
		return "\n", 2
	case 't':
		return "\t", 2
	case 'r':
		return "\r", 2
	case '\\', '\'', '"':
		return string(data[1]), 2
	}
	return "", 0
}

func (s *starlark) kind(k int) starKind {
	if k < 0 || k >= len(s.tokens) {
		return starNewline
	}
	return s.tokens[k].kind
}

func (s *starlark) word(k int) string {
	if k < 0 || k >= len(s.tokens) {
		return ""
	}
	return string(s.text.Data[s.tokens[k].start:s.tokens[k].end])
}

// is reports whether token k is this name or punctuation.
func (s *starlark) is(k int, word string) bool {
	return k >= 0 && k < len(s.tokens) && s.tokens[k].kind != starString && s.tokens[k].end-s.tokens[k].start == len(word) && s.word(k) == word
}

// step is the token behind k, or behind the bracket that k opens.
func (s *starlark) step(k int) int {
	if mate := s.tokens[k].mate; mate > k {
		return mate + 1
	}
	return k + 1
}

// assignments finds the names that are assigned, and the value of those of the
// top level.
func (s *starlark) assignments(c *class) {
	for k := range s.tokens {
		if !s.is(k, "=") && !s.is(k, "+=") || s.kind(k-1) != starName || s.inBrackets(k) {
			continue
		}
		v := s.variables[s.word(k-1)]
		if v == nil {
			v = &starVariable{}
			s.variables[s.word(k-1)] = v
		}
		v.assigned++
		t := s.tokens[k-1]
		if s.is(k, "+=") || s.kind(k-2) != starNewline || t.start > 0 && s.text.Data[t.start-1] != '\n' && !bytes.HasSuffix(s.text.Data[:t.start], []byte("\xef\xbb\xbf")) {
			v.assigned++ // of a function, or computed
			continue
		}
		v.value = starRange{k + 1, k + 1}
		for v.value.to < len(s.tokens) && s.kind(v.value.to) != starNewline && !s.is(v.value.to, ";") {
			v.value.to = s.step(v.value.to)
		}
		v.value.to = min(v.value.to, len(s.tokens))
		def, _ := s.text.Span(t.start, t.end)
		name, own := s.word(k-1), c
		if strings.HasPrefix(name, "_") {
			own = classStarlark // private to the file
		}
		region, _ := s.text.Span(0, len(s.text.Data))
		v.binding = &binding{name: name, class: own, file: s.text.File, region: region, def: def,
			eval: func() []expr { return s.eval(v.value) }}
	}
}

// inBrackets reports whether token k names an argument: "(a, k = …".
func (s *starlark) inBrackets(k int) bool {
	switch {
	case k < 2:
		return false
	case s.is(k-2, "("), s.is(k-2, ","):
		return true
	}
	return false
}

// starArg is an argument of a call, or an item of a list or dictionary.
type starArg struct {
	// name is that of a keyword argument, key its token; key is -1 of others.
	name string
	key  int
	// entry is the key of a dictionary's entry.
	entry starRange
	starRange
}

// args are what stands between the bracket at token k and its mate.
func (s *starlark) args(k int) []starArg {
	end := s.tokens[k].mate
	var out []starArg
	for at := k + 1; at < end && len(out) < maxStarArgs; {
		if s.is(at, ",") {
			at++
			continue
		}
		a := starArg{key: -1, starRange: starRange{from: at}}
		if s.is(at+1, "=") && s.kind(at) == starName {
			a.name, a.key, a.from = s.word(at), at, at+2
		}
		for at = a.from; at < end && !s.is(at, ","); at = s.step(at) {
			if s.is(at, ":") && a.entry == (starRange{}) && s.is(k, "{") {
				a.entry, a.from = starRange{a.from, at}, at+1
			}
		}
		a.to = min(at, end)
		if a.to > a.from {
			out = append(out, a)
		}
	}
	return out
}

// call is the arguments of the call whose name is token k.
func (s *starlark) call(k int) ([]starArg, bool) {
	if s.kind(k) != starName || !s.is(k+1, "(") || s.tokens[k+1].mate < 0 || s.is(k-1, "def") {
		return nil, false
	}
	return s.args(k + 1), true
}

// argument is the keyword argument of that name, else the positional one of
// that index, none if it is negative.
func (s *starlark) argument(args []starArg, name string, index int) *starArg {
	for i := range args {
		if args[i].name == name || i == index && args[i].key < 0 {
			return &args[i]
		}
	}
	return nil
}

// list is the items of a list or tuple, through variables.
func (s *starlark) list(x starRange) ([]starArg, bool) {
	x = s.follow(x)
	if (s.is(x.from, "[") || s.is(x.from, "(")) && s.tokens[x.from].mate == x.to-1 && x.to > x.from {
		return s.args(x.from), true
	}
	return nil, false
}

// follow is the value of a variable if x is nothing but its name.
func (s *starlark) follow(x starRange) starRange {
	for range maxStarDepth {
		v := s.variable(x)
		if v == nil {
			break
		}
		x = v.value
	}
	return x
}

// variable is the variable of the top level whose name x is, if it has one
// value.
func (s *starlark) variable(x starRange) *starVariable {
	if x.to != x.from+1 || s.kind(x.from) != starName {
		return nil
	}
	if v := s.variables[s.word(x.from)]; v != nil && v.assigned == 1 && v.binding != nil {
		return v
	}
	return nil
}

// none reports whether x says that there is no value.
func (s *starlark) none(x starRange) bool {
	return x.to == x.from+1 && (s.is(x.from, "None") || s.kind(x.from) == starString && len(s.tokens[x.from].content.Data) == 0)
}

// textOf is the bytes of an expression; of one string alone, its content.
func (s *starlark) textOf(x starRange) *source.Text {
	if x.to <= x.from {
		return s.text.Slice(0, 0)
	}
	if x.to == x.from+1 && s.kind(x.from) == starString {
		return s.tokens[x.from].content
	}
	return s.text.Slice(s.tokens[x.from].start, s.tokens[x.to-1].end)
}

// eval is the texts that an expression can have.
func (s *starlark) eval(x starRange) []expr {
	for x.to > x.from+1 && s.is(x.from, "(") && s.tokens[x.from].mate == x.to-1 {
		x.from, x.to = x.from+1, x.to-1
	}
	if x.to <= x.from || s.depth >= maxStarDepth {
		return []expr{unknown(s.textOf(x), shorten(s.textOf(x).String()))}
	}
	s.depth++
	defer func() { s.depth-- }()
	var out []expr
	from := x.from
	for k := x.from; k <= x.to; {
		if k < x.to && !s.is(k, "+") {
			k = min(s.step(k), x.to)
			continue
		}
		term := s.term(starRange{from, k})
		if out == nil {
			out = term
		} else {
			out = product(out, term)
		}
		k++
		from = k
	}
	return out
}

// term is an operand of "+".
func (s *starlark) term(x starRange) []expr {
	if x.to == x.from+1 {
		t := s.tokens[x.from]
		if t.kind == starString && !t.formatted {
			return []expr{literal(t.content)}
		}
		if v := s.variable(x); v != nil {
			at, _ := s.text.Span(t.start, t.end)
			var out []expr
			for _, e := range v.binding.texts() {
				out = append(out, through(link{binding: v.binding, file: s.text.File, at: at}, e))
			}
			if len(out) > 0 {
				return out
			}
		}
	}
	if out := s.format(x); out != nil {
		return out
	}
	return []expr{unknown(s.textOf(x), shorten(s.textOf(x).String()))}
}

// format is a literal behind "%" or ".format" with all that it fills in: known
// only where each place is "%s" or "{}" and each value is known.
func (s *starlark) format(x starRange) []expr {
	if s.kind(x.from) != starString || s.tokens[x.from].formatted {
		return nil
	}
	var values []starArg
	hole := "%s"
	switch {
	case s.is(x.from+1, "%") && s.is(x.from+2, "(") && s.tokens[x.from+2].mate == x.to-1:
		values = s.args(x.from + 2)
	case s.is(x.from+1, "%"):
		values = []starArg{{key: -1, starRange: starRange{x.from + 2, x.to}}}
	case s.is(x.from+1, ".") && s.is(x.from+2, "format") && s.is(x.from+3, "(") && s.tokens[x.from+3].mate == x.to-1:
		values, hole = s.args(x.from+3), "{}"
	default:
		return nil
	}
	t := s.tokens[x.from].content
	out := []expr{{}}
	at := 0
	for _, v := range values {
		i := bytes.Index(t.Data[at:], []byte(hole))
		if i < 0 || v.key >= 0 {
			return nil
		}
		out = product(out, []expr{literal(t.Slice(at, at+i))})
		out = product(out, s.eval(v.starRange))
		at += i + len(hole)
	}
	if bytes.ContainsAny(t.Data[at:], "%{") {
		return nil
	}
	return product(out, []expr{literal(t.Slice(at, len(t.Data)))})
}

// strings is the literal strings of a list, as words of a command; of one
// string, none. A word that is no literal ends them.
func (s *starlark) strings(x starRange) []*source.Text {
	items, _ := s.list(x)
	var out []*source.Text
	for _, item := range items {
		if item.to != item.from+1 || s.kind(item.from) != starString || s.tokens[item.from].formatted {
			break
		}
		out = append(out, s.tokens[item.from].content)
	}
	return out
}

package parsers

import (
	"bytes"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// Expressions of GitHub Actions
// (https://docs.github.com/en/actions/reference/workflows-and-actions/expressions).
// Only what can choose between texts is evaluated: literals, contexts, "&&",
// "||" and format(). Whatever decides which text it will be is not known here,
// so an expression stands for all of them.

// outcome is one text that an expression can give.
type outcome struct {
	text  expr
	falsy bool // "", false, 0 or null: "||" goes on behind it
	// computed is set for what is no text of its own: a comparison.
	computed bool
}

// expression reads one expression, the bytes start to end of t.
type expression struct {
	t     *source.Text
	at    int
	end   int
	look  lookup
	depth int
	bad   bool // it is no expression
}

// fail ends the reading of what is no expression.
func (x *expression) fail() []outcome {
	x.at, x.bad = x.end, true
	return nil
}

// evaluate gives the texts of the expression in t.Data[start:end], none where
// it has a part that only the run decides.
func evaluate(t *source.Text, start, end int, look lookup) []expr {
	x := &expression{t: t, at: start, end: end, look: look}
	outcomes := x.or()
	x.space()
	if x.bad || x.at != end {
		return nil
	}
	var out []expr
	for _, o := range outcomes {
		switch {
		case o.falsy:
			out = append(out, expr{})
		case o.computed || len(o.text.missing()) > 0:
			return nil
		default:
			out = append(out, o.text)
		}
	}
	return out[:min(len(out), maxValues)]
}

func (x *expression) space() {
	for x.at < x.end && (isBlank(x.t.Data[x.at]) || x.t.Data[x.at] == '\n') {
		x.at++
	}
}

// accept steps over op if it comes next.
func (x *expression) accept(op string) bool {
	x.space()
	if !bytes.HasPrefix(x.t.Data[x.at:x.end], []byte(op)) {
		return false
	}
	x.at += len(op)
	return true
}

func (x *expression) or() []outcome {
	out := x.and()
	for x.accept("||") {
		right := x.and()
		left := slices.DeleteFunc(slices.Clone(out), func(o outcome) bool {
			return o.falsy || o.computed || len(o.text.missing()) > 0
		})
		if len(left) == len(out) && len(out) > 0 && !x.optional(out) {
			continue // it is never empty
		}
		out = append(left, right...)
		out = out[:min(len(out), maxValues)]
	}
	return out
}

// optional reports whether texts come from a matrix, some of whose entries may
// not have the key.
func (x *expression) optional(outcomes []outcome) bool {
	return slices.ContainsFunc(outcomes, func(o outcome) bool {
		return len(o.text) > 0 && len(o.text[0].chain) > 0 && o.text[0].chain[0].class.noun == classMatrix.noun
	})
}

func (x *expression) and() []outcome {
	out := x.comparison()
	for x.accept("&&") {
		right := x.comparison()
		var falsy []outcome
		for _, o := range out {
			if o.falsy || o.computed || len(o.text.missing()) > 0 {
				falsy = []outcome{{falsy: true}}
			}
		}
		out = append(slices.Clone(right), falsy...)
	}
	return out
}

var comparisons = []string{"==", "!=", "<=", ">=", "<", ">"}

func (x *expression) comparison() []outcome {
	out := x.unary()
	for _, op := range comparisons {
		if x.accept(op) {
			x.unary()
			return []outcome{{computed: true}}
		}
	}
	return out
}

func (x *expression) unary() []outcome {
	x.space()
	if x.at < x.end && x.t.Data[x.at] == '!' && !bytes.HasPrefix(x.t.Data[x.at:], []byte("!=")) {
		x.at++
		if x.depth++; x.depth < maxExpansion {
			x.unary()
		}
		x.depth--
		return []outcome{{computed: true}}
	}
	return x.primary()
}

func (x *expression) primary() []outcome {
	x.space()
	if x.at >= x.end || x.depth > maxExpansion {
		return x.fail()
	}
	x.depth++
	defer func() { x.depth-- }()
	switch c := x.t.Data[x.at]; {
	case c == '(':
		x.at++
		out := x.or()
		if !x.accept(")") {
			return x.fail()
		}
		return out
	case c == '\'':
		return x.literal()
	case isNameByte(c) || c == '-':
		return x.named()
	}
	return x.fail()
}

// literal is a string between single quotes, in which two of them are one.
func (x *expression) literal() []outcome {
	start := x.at + 1
	for i := start; i < x.end; i++ {
		if x.t.Data[i] != '\'' {
			continue
		}
		if i+1 < x.end && x.t.Data[i+1] == '\'' {
			i++
			continue
		}
		x.at = i + 1
		text := x.t.Slice(start, i)
		e := literal(text)
		if bytes.IndexByte(text.Data, '\'') >= 0 {
			e[0].text, e[0].exact = strings.ReplaceAll(e[0].text, "''", "'"), false
		}
		return []outcome{{text: e, falsy: start == i}}
	}
	return x.fail()
}

// named is a context, a function call, a number or a constant.
func (x *expression) named() []outcome {
	start := x.at
	x.name()
	end := x.at
	name := string(x.t.Data[start:end])
	if x.accept("(") {
		return x.call(name, start)
	}
	if x.at < x.end && x.t.Data[x.at] == '[' { // contexts by computed keys
		for x.at < x.end && x.t.Data[x.at] == '[' {
			for x.at < x.end && x.t.Data[x.at] != ']' {
				x.at++
			}
			x.at = min(x.at+1, x.end)
			x.name()
		}
		return x.unknown(start)
	}
	switch {
	case name == "false" || name == "null" || name == "0":
		return []outcome{{falsy: true}}
	case name == "true" || name[0] >= '0' && name[0] <= '9' || name[0] == '-':
		return []outcome{{text: literal(x.t.Slice(start, end))}}
	}
	text := x.t.Slice(start, end)
	v := variable{end: len(text.Data), name: name, nameEnd: len(text.Data)}
	if context, key, ok := strings.Cut(name, "."); ok && context == "env" && isWord(key) {
		v.nameStart = len("env.")
	}
	var out []outcome
	for _, e := range expandVariable(text, v, noVariables, x.look, 0) {
		out = append(out, outcome{text: e, falsy: e.text() == "" && len(e.missing()) == 0})
	}
	return out
}

// call reads the arguments of a function. Only format() makes a text that can
// be told.
func (x *expression) call(name string, start int) []outcome {
	var args [][]outcome
	for !x.accept(")") {
		if len(args) > 0 && !x.accept(",") || x.at >= x.end {
			return x.fail()
		}
		args = append(args, x.or())
	}
	if strings.EqualFold(name, "format") && len(args) > 0 && len(args[0]) == 1 && !args[0][0].falsy && len(args[0][0].text) == 1 {
		if e := format(args); e != nil {
			return e
		}
	}
	return x.unknown(start)
}

// name steps over a name with its dots.
func (x *expression) name() {
	for x.at < x.end && (isNameByte(x.t.Data[x.at]) || strings.IndexByte("-.*", x.t.Data[x.at]) >= 0) {
		x.at++
	}
}

// unknown is what has been read from start on, as something that nothing here
// decides.
func (x *expression) unknown(start int) []outcome {
	t := x.t.Slice(start, x.at)
	return []outcome{{text: unknown(t, shorten(t.String()))}}
}

// format fills "{0}" and so on in the first argument. The pieces of the pattern
// have places of their own; a pattern with escapes is not read.
func format(args [][]outcome) []outcome {
	pattern := args[0][0].text[0]
	if !pattern.exact || strings.Contains(pattern.text, "{{") || strings.Contains(pattern.text, "}}") {
		return nil
	}
	out := []expr{{}}
	text := func(from, to int) {
		if from < to {
			p := pattern
			p.text, p.span = pattern.text[from:to], source.Span{Start: pattern.span.Start + from, End: pattern.span.Start + to}
			out = product(out, []expr{{p}})
		}
	}
	at := 0
	for at < len(pattern.text) {
		open := strings.IndexByte(pattern.text[at:], '{')
		if open < 0 {
			break
		}
		open += at
		if open+2 >= len(pattern.text) || pattern.text[open+2] != '}' {
			return nil
		}
		n := int(pattern.text[open+1] - '0')
		if n < 0 || n+1 >= len(args) {
			return nil
		}
		text(at, open)
		var values []expr
		for _, o := range args[n+1] {
			if o.computed {
				return nil
			}
			values = append(values, o.text)
		}
		if len(values) == 0 {
			return nil
		}
		out = product(out, values)
		at = open + 3
	}
	text(at, len(pattern.text))
	var outcomes []outcome
	for _, e := range out {
		outcomes = append(outcomes, outcome{text: e})
	}
	return outcomes
}

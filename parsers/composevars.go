package parsers

import (
	"bytes"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Interpolation and the ".env" file, as Compose has them: neither is quite what
// a shell does.

// scanCompose finds the variables of Compose: $NAME, ${NAME}, ${NAME:-word} and
// the like with words that may hold variables, and "$$", which stands for "$"
// (https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md).
// What Compose refuses, such as "${NAME%x}", is a variable that nothing decides.
func scanCompose(data []byte, i int) (variable, bool) {
	for {
		k := bytes.IndexByte(data[i:], '$')
		if k < 0 || i+k+1 >= len(data) {
			return variable{}, false
		}
		i += k
		switch c := data[i+1]; {
		case c == '$':
			return variable{start: i, end: i + 2, nameStart: i, nameEnd: i, op: "$",
				compute: func() (string, bool) { return "$", true }}, true
		case c == '{':
			if v, ok := scanComposeBraces(data, i); ok {
				return v, true
			}
		case isNameByte(c):
			end := composeName(data, i+1)
			if end == i+1 {
				end++ // a digit, which Compose refuses
			}
			return variable{start: i, end: end, name: string(data[i+1 : end]), nameStart: i + 1, nameEnd: end}, true
		}
		i++
	}
}

// composeName is the end of the name that starts at i: no digit comes first.
func composeName(data []byte, i int) int {
	end := i
	for end < len(data) && isNameByte(data[end]) && (end > i || data[end] > '9') {
		end++
	}
	return end
}

// scanComposeBraces reads the "${…}" at i. Any "{" within opens, and the
// character behind it counts for nothing.
func scanComposeBraces(data []byte, i int) (variable, bool) {
	v := variable{start: i, nameStart: i + 2}
	v.nameEnd = composeName(data, v.nameStart)
	v.name = string(data[v.nameStart:v.nameEnd])
	end := -1
	for j, depth := i+1, 0; j < min(len(data), i+maxVariable) && end < 0; j++ {
		switch data[j] {
		case '{':
			depth++
			j++
		case '}':
			if depth--; depth == 0 {
				end = j
			}
		}
	}
	if end < 0 || v.name == "" {
		return variable{}, false
	}
	v.end = end + 1
	rest := string(data[v.nameEnd:end])
	for _, op := range []string{":-", ":+", ":?", "-", "+", "?"} {
		if strings.HasPrefix(rest, op) {
			v.op, v.word = op, [2]int{v.nameEnd + len(op), end}
			return v, true
		}
	}
	v.op = rest // empty, or an operator that Compose refuses
	return v, true
}

// classDotEnvTwice is a variable that an .env file sets twice.
var classDotEnvTwice = &class{noun: ".env line", overridable: true, safety: image.Refused,
	why: "the file sets it twice; leave one line of them"}

// envLine is one assignment of an .env file.
type envLine struct {
	key   source.Span
	value *source.Text
	scan  scanner
}

// maxEnvDepth bounds how many lines of an .env file a value may come through.
const maxEnvDepth = 64

// dotEnv gives the variables of the ".env" beside the file; of several lines
// for a name the last counts
// (https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax).
func (p *Pass) dotEnv() func(name string) *binding {
	f := p.open(".env")
	if f == nil {
		return noLookup
	}
	defined := map[string][]*binding{} // in the order of the file
	order := map[*binding]int{}
	depth := 0
	// before is the value that a name has at a line.
	before := func(name string, line int) *binding {
		all := defined[name]
		if i := sort.Search(len(all), func(i int) bool { return order[all[i]] >= line }); i > 0 {
			return all[i-1]
		}
		return nil
	}
	for i, line := range parseDotEnv(source.Whole(f)) {
		name := string(f.Slice(line.key))
		b := &binding{name: name, class: classDotEnv, file: f, def: line.key, region: source.Span{End: len(f.Data)},
			eval: func() []expr {
				if depth++; depth > maxEnvDepth {
					depth--
					return nil
				}
				defer func() { depth-- }()
				return expand(line.value, line.scan, func(n string) *binding { return before(n, i) })
			}}
		order[b] = i
		if all := defined[name]; len(all) > 0 {
			all[0].class, b.class = classDotEnvTwice, classDotEnvTwice
		}
		defined[name] = append(defined[name], b)
	}
	return func(name string) *binding { return before(name, len(order)) }
}

// parseDotEnv reads the assignments of an .env file: "NAME=value" and
// "NAME: value", with "export" before the name, in quotes over several lines.
// A line that Compose refuses is left out.
func parseDotEnv(t *source.Text) []envLine {
	var lines []envLine
	data := t.Data
	at := 0
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		at = 3
	}
	for {
		at += len(data[at:]) - len(bytes.TrimLeftFunc(data[at:], unicode.IsSpace))
		if at >= len(data) {
			return lines
		}
		end := lineEnd(data, at)
		if data[at] == '#' {
			at = end
			continue
		}
		if rest, ok := bytes.CutPrefix(data[at:end], []byte("export")); ok && len(bytes.TrimLeftFunc(rest, isEnvBlank)) < len(rest) {
			at = end - len(bytes.TrimLeftFunc(rest, isEnvBlank))
		}
		sep := bytes.IndexAny(data[at:end], "=:")
		if sep < 0 {
			at = end // the environment gives the value
			continue
		}
		key := bytes.TrimRightFunc(data[at:at+sep], unicode.IsSpace)
		if !envName(key) {
			at = end
			continue
		}
		keySpan, _ := t.Span(at, at+len(key))
		at += sep + 1
		at += len(data[at:end]) - len(bytes.TrimLeftFunc(data[at:end], isEnvBlank))
		line := envLine{key: keySpan, scan: scanCompose}
		if at < end && (data[at] == '"' || data[at] == '\'') {
			quote := data[at]
			closing := closingQuote(data, at)
			if closing < 0 {
				at = end
				continue
			}
			line.value = unescapeEnv(t.Slice(at+1, closing), quote)
			if quote == '\'' {
				line.scan = noVariables
			}
			at = closing + 1
		} else {
			value, _, _ := bytes.Cut(data[at:end], []byte(" #"))
			line.value = t.Slice(at, at+len(bytes.TrimRightFunc(value, unicode.IsSpace)))
			at = end
		}
		lines = append(lines, line)
	}
}

// isEnvBlank reports whether r is white space within a line of an .env file.
func isEnvBlank(r rune) bool { return strings.ContainsRune("\t\v\f\r \u0085\u00a0", r) }

// envName reports whether Compose takes a text for the name of a variable.
func envName(key []byte) bool {
	for at := 0; at < len(key); {
		r, size := utf8.DecodeRune(key[at:])
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("_.-[]", r) {
			return false
		}
		at += size
	}
	return len(key) > 0
}

// closingQuote is the offset of the quote that closes the one at at, or -1.
func closingQuote(data []byte, at int) int {
	for i := at + 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case data[at]:
			return i
		}
	}
	return -1
}

// envEscape are the escapes of a value in double quotes.
var envEscape = regexp.MustCompile(`^\\(?:[abcfnrtv$"\\]|0\d{0,3})`)

// unescapeEnv is the inside of a quoted value: single quotes know only their
// own escape.
func unescapeEnv(t *source.Text, quote byte) *source.Text {
	if !bytes.Contains(t.Data, []byte{'\\'}) {
		return t
	}
	b := source.NewBuilder(t)
	at := 0
	for i := 0; i+1 < len(t.Data); i++ {
		if t.Data[i] != '\\' {
			continue
		}
		text, n := "", 2
		switch {
		case t.Data[i+1] == quote:
			text = string(quote)
		case quote == '"':
			escape := envEscape.Find(t.Data[i:])
			text, n = envCharacter(string(escape)), len(escape)
		}
		if text != "" {
			b.Copy(at, i)
			b.Put(text, i, i+n)
			at = i + n
		}
		i += max(n, 1) - 1
	}
	b.Copy(at, len(t.Data))
	return b.Text()
}

// envCharacter is what an escape stands for, or "" for itself. An escaped
// dollar is a dollar for the interpolation that follows.
func envCharacter(escape string) string {
	switch {
	case escape == "":
		return ""
	case escape == `\$`:
		return "$$"
	case strings.HasPrefix(escape, `\0`):
		escape = `\` + escape[2:]
	}
	r, _, _, err := strconv.UnquoteChar(escape, '"')
	if err != nil {
		return ""
	}
	return string(r)
}

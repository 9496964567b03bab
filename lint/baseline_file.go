package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/digestlint/digestlint/rules"
)

// MaxBaseline is the size in bytes of the largest baseline that is read: some
// four hundred thousand entries.
const MaxBaseline = 64 << 20

// baselineVersion is the version of the file.
const baselineVersion = 1

// BaselineError is a mistake in a baseline. It quotes nothing of the file, which
// a configuration that comes with a pull request may name.
type BaselineError struct {
	Path         string
	Line, Column int // from one; the column counts characters
	Message      string
}

func (e *BaselineError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// Hint says what to do.
func (e *BaselineError) Hint() string {
	return "correct the line, or make the file anew with `digestlint baseline create --force`"
}

// ParseBaseline reads data, the content of the file name. It is strict: what is
// no baseline is a [*BaselineError], not one that lacks something. An empty file
// is an empty baseline.
func ParseBaseline(name string, data []byte) (*Baseline, error) {
	b := emptyBaseline(name)
	if len(data) > MaxBaseline {
		return nil, &BaselineError{name, 1, 1, fmt.Sprintf("the file has more than %d bytes", MaxBaseline)}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	number, headed := 0, false
	for content := range bytes.SplitSeq(data, []byte("\n")) {
		number++
		l := baselineLine{name: name, number: number, text: bytes.TrimSuffix(content, []byte("\r"))}
		if len(bytes.TrimSpace(l.text)) == 0 {
			continue
		}
		if a, ok := l.plain(); ok && headed {
			b.add(a)
			continue
		}
		if err := l.read(); err != nil {
			return nil, err
		}
		header, err := l.header()
		if err != nil {
			return nil, err
		}
		// A union merge may leave a second header anywhere.
		headed = headed || header
		if !headed {
			return nil, l.errorf(0, "the first line of a baseline has to hold its version")
		}
		if header {
			continue
		}
		a, err := l.accepted()
		if err != nil {
			return nil, err
		}
		b.add(a)
	}
	return b, nil
}

// add takes the larger count of entries that stand in several lines.
func (b *Baseline) add(a Accepted) {
	b.counts[a.key()] = max(b.counts[a.key()], a.Count)
}

// baselineLine is a line that holds one JSON object of texts and numbers.
type baselineLine struct {
	name   string // of the file
	number int    // of the line
	text   []byte
	fields map[string]baselineField
}

// plain reads an entry written as [Baseline.Marshal] does without an escape, in
// a fraction of the time that a JSON parser takes. It is for entries only that
// have no mistake; all other lines are left to read.
func (l *baselineLine) plain() (a Accepted, ok bool) {
	if !utf8.Valid(l.text) || bytes.ContainsFunc(l.text, func(c rune) bool { return c == '\\' || c < ' ' }) {
		return a, false
	}
	rest, ok := string(l.text), true
	text := func(key string) string {
		behind, found := strings.CutPrefix(rest, key)
		value, next, ended := strings.Cut(behind, `"`)
		rest, ok = next, ok && found && ended && value != ""
		return value
	}
	a.Rule = text(`{"rule":"`)
	a.Path = text(`,"path":"`)
	if strings.HasPrefix(rest, `,"reference":"`) {
		a.Reference = canonical(text(`,"reference":"`))
	} else {
		a.Message = text(`,"message":"`)
	}
	number, found := strings.CutPrefix(rest, `,"count":`)
	number, ended := strings.CutSuffix(number, "}")
	n, err := strconv.ParseInt(number, 10, 32)
	a.Count = int(n)
	rule := rules.Lookup(a.Rule)
	return a, ok && found && ended && err == nil && n > 0 && strconv.Itoa(a.Count) == number &&
		(rule == nil || !rule.Certain) && a.Path == path.Clean(a.Path)
}

// baselineField is the value of a key.
type baselineField struct {
	value   json.Token
	key, at int // the offsets of the key and of the value in the line
}

func (l *baselineLine) errorf(at int, format string, args ...any) error {
	return &BaselineError{l.name, l.number, 1 + utf8.RuneCount(l.text[:at]), fmt.Sprintf(format, args...)}
}

// read reads the object.
func (l *baselineLine) read() error {
	for i := 0; i < len(l.text); {
		c, n := utf8.DecodeRune(l.text[i:])
		if c == utf8.RuneError && n == 1 {
			return l.errorf(i, "the file has to be UTF-8")
		}
		i += n
	}
	dec := json.NewDecoder(bytes.NewReader(l.text))
	dec.UseNumber()
	open, at, err := l.token(dec)
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return l.errorf(at, "a line of a baseline has to be a JSON object")
	}
	l.fields = map[string]baselineField{}
	for {
		key, keyAt, err := l.token(dec)
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			break // the end of the object
		}
		value, at, err := l.token(dec)
		if err != nil {
			return err
		}
		if err := l.add(name, baselineField{value, keyAt, at}); err != nil {
			return err
		}
	}
	end := int(dec.InputOffset())
	if rest := bytes.TrimLeft(l.text[end:], " \t"); len(rest) > 0 {
		return l.errorf(len(l.text)-len(rest), "something stands behind the object of the line")
	}
	return nil
}

// token is the next token and its offset.
func (l *baselineLine) token(dec *json.Decoder) (json.Token, int, error) {
	before := l.text[dec.InputOffset():]
	at := len(l.text) - len(bytes.TrimLeft(before, " \t,:"))
	tok, err := dec.Token()
	switch {
	case err == io.EOF:
		return nil, at, l.errorf(len(l.text), "the JSON object of the line has no end")
	case err != nil:
		return nil, at, l.errorf(at, "this is not JSON")
	}
	return tok, at, nil
}

func (l *baselineLine) add(name string, f baselineField) error {
	switch name {
	case "version", "about", "rule", "path", "reference", "message", "count":
	default:
		return l.errorf(f.key, "this is no key of a baseline; the keys are rule, path, reference, message, count")
	}
	if _, ok := l.fields[name]; ok {
		return l.errorf(f.key, "%s stands twice", name)
	}
	switch f.value.(type) {
	case string:
		if name != "version" && name != "count" {
			l.fields[name] = f
			return nil
		}
	case json.Number:
		if name == "version" || name == "count" {
			l.fields[name] = f
			return nil
		}
	}
	return l.errorf(f.at, "%s can't have such a value", name)
}

// header reports whether the line is the head of a baseline that this version of
// the program reads.
func (l *baselineLine) header() (bool, error) {
	version, ok := l.fields["version"]
	if !ok {
		return false, nil
	}
	if version.value != json.Number(strconv.Itoa(baselineVersion)) {
		return false, l.errorf(version.at, "this version of baselines is not known; a newer digestlint has made it")
	}
	for _, name := range []string{"rule", "path", "reference", "message", "count"} {
		if f, ok := l.fields[name]; ok {
			return false, l.errorf(f.key, "%s has no place beside the version", name)
		}
	}
	return true, nil
}

// accepted is the entry that the line holds.
func (l *baselineLine) accepted() (a Accepted, err error) {
	if f, ok := l.fields["about"]; ok {
		return a, l.errorf(f.key, "about belongs to the version")
	}
	count, ok := l.fields["count"]
	if !ok {
		return a, l.errorf(0, "the entry has no count")
	}
	number, _ := count.value.(json.Number)
	n, err := strconv.ParseInt(string(number), 10, 32)
	if err != nil || n < 1 {
		return a, l.errorf(count.at, "a count is a whole number above zero")
	}
	a = Accepted{Rule: l.string("rule"), Path: l.string("path"), Message: l.string("message"), Count: int(n)}
	if ref := l.string("reference"); ref != "" {
		a.Reference = canonical(ref)
	}
	rule := rules.Lookup(a.Rule)
	switch {
	case a.Rule == "":
		return a, l.errorf(0, "the entry names no rule")
	case rule != nil && rule.Certain:
		return a, l.errorf(l.fields["rule"].at, "no baseline hides %s", rule.Name)
	case a.Path == "":
		return a, l.errorf(0, "the entry names no path")
	case a.Path != path.Clean(a.Path):
		return a, l.errorf(l.fields["path"].at, "the path is not written in the shortest way, relative to the folder of the baseline")
	case (a.Reference == "") == (a.Message == ""):
		return a, l.errorf(0, "the entry has to have either a reference or a message")
	}
	return a, nil
}

// string is the text of a key, empty where it is not there.
func (l *baselineLine) string(name string) string {
	s, _ := l.fields[name].value.(string)
	return s
}

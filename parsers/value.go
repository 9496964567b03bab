package parsers

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// A value is put together from pieces, each with the place where its text
// stands. That is all the rewriter needs: the digest goes to the end of the
// last piece, if that place may be edited.

// piece is a stretch of a value.
type piece struct {
	text string
	file *source.File
	span source.Span
	// exact is set when just these bytes stand at span.
	exact bool
	// chain are the variables that the text came through, from the one that
	// the use names to the one whose text this is; empty at the use itself.
	chain []link
	// computed is set for what an operator makes of a text elsewhere.
	computed bool
	// missing names what no file here decides; text is then unknown.
	missing string
}

// link is one reading of a variable.
type link struct {
	*binding
	file *source.File
	at   source.Span // the name, where it is read
}

// expr is the pieces of one text in order.
type expr []piece

// binding is what a name stands for.
type binding struct {
	name  string
	class *class
	file  *source.File
	// eval gives the texts that the name can have; none when undecided.
	eval func() []expr
	// region is where readers of the name can stand in file, def the name in
	// its definition, which is no reader.
	region, def source.Span
	// word is how readers spell the name; the same as name if empty.
	word string
	// uses gives the readers where the format knows them; else whatever
	// spells the name in the region is taken for one.
	uses func() []source.Span

	busy, done bool
	values     []expr
}

// class is a kind of binding, with what an edit of its text would mean.
type class struct {
	noun string
	// overridable is set when somebody outside the file can give another
	// value.
	overridable bool
	// inline is set when the text stands at the use itself.
	inline bool
	safety image.Safety
	// why says what speaks against an edit that is not safe.
	why string
}

var (
	classArg     = &class{noun: "ARG", overridable: true}
	classDefault = &class{noun: "default", overridable: true, inline: true}
	classAnchor  = &class{noun: "anchor"}
	// classAnchored is a scalar that carries an anchor, read at its own place.
	classAnchored = &class{noun: "anchor", inline: true}
	classMatrix   = &class{noun: "matrix entry"}
	classDotEnv   = &class{noun: ".env line", overridable: true, safety: image.Unsafe,
		why: "other programs may read this .env file"}
	classEnv = &class{noun: "CI variable", overridable: true, safety: image.Unsafe,
		why: "programs that the job starts may read this variable"}
	classInput = &class{noun: "input default", overridable: true, safety: image.Unsafe,
		why: "callers may read or override this default"}
	classShell = &class{noun: "shell variable", safety: image.Unsafe,
		why: "programs that the script starts may read this variable"}
	classLocal = &class{noun: "variable"}
	classLoop  = &class{noun: "loop item", safety: image.Unsafe,
		why: "the loop may use its items for more than this image"}
)

// maxValues bounds the texts of one use: matrices multiply.
const maxValues = 64

func (b *binding) texts() []expr {
	if b.done || b.busy || b.eval == nil {
		return b.values // none while the name is defined by itself
	}
	b.busy = true
	b.values = b.eval()
	b.busy, b.done = false, true
	return b.values
}

// readers are the places in the region that spell the name, apart from its
// definition.
func (b *binding) readers() []source.Span {
	if b.file == nil {
		return nil
	}
	if b.uses != nil {
		return b.uses()
	}
	word := b.word
	if word == "" {
		word = b.name
	}
	all := mentions(b.file, b.region, word)
	return slices.DeleteFunc(all, func(s source.Span) bool { return s.Overlaps(b.def) })
}

// mentions are the places in a region of f where word stands as a whole word,
// outside lines that are comments.
func mentions(f *source.File, region source.Span, word string) []source.Span {
	var found []source.Span
	data := f.Slice(region)
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte(word))
		if i < 0 {
			return found
		}
		at += i
		s := source.Span{Start: region.Start + at, End: region.Start + at + len(word)}
		at += len(word)
		if wordByteAt(f.Data, s.Start-1) && wordByteAt(f.Data, s.Start) || wordByteAt(f.Data, s.End) && wordByteAt(f.Data, s.End-1) {
			continue
		}
		line := f.Line(f.Position(s.Start).Line)
		if t := bytes.TrimLeft(line, " \t"); bytes.HasPrefix(t, []byte("#")) || bytes.HasPrefix(t, []byte("//")) {
			continue
		}
		found = append(found, s)
	}
}

func wordByteAt(data []byte, i int) bool {
	return i >= 0 && i < len(data) && isNameByte(data[i])
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// literal is t as an expression without variables.
func literal(t *source.Text) expr {
	if len(t.Data) == 0 {
		return expr{}
	}
	span, exact := t.Span(0, len(t.Data))
	return expr{{text: string(t.Data), file: t.File, span: span, exact: exact}}
}

// unknown is an expression of one piece that nothing decides.
func unknown(t *source.Text, name string) expr {
	span, _ := t.Span(0, len(t.Data))
	return expr{{file: t.File, span: span, missing: name}}
}

// variable is one mention of a variable in a text, in inner byte offsets.
type variable struct {
	start, end         int // all of "${NAME:-word}"
	name               string
	nameStart, nameEnd int
	op                 string // "", ":-", "-", ":+", "+", ":?", "?", or something only the format knows
	word               [2]int // the operand of op
	// operand reads the operand instead, where the format's own grammar has
	// taken it apart.
	operand func() []expr
	// eval gives all texts where the format has expressions of its own; none
	// if nothing here decides them.
	eval func(t *source.Text, look lookup) []expr
	// compute gives the text of an operator that only the format knows.
	compute func() (string, bool)
}

// scanner finds the next variable at or behind i, or reports that there is
// none.
type scanner func(data []byte, i int) (variable, bool)

// lookup gives the binding of a name, or nil.
type lookup func(name string) *binding

// expand reads a text in which variables stand.
func expand(t *source.Text, scan scanner, look lookup) []expr {
	return expandDepth(t, scan, look, 0)
}

const (
	maxExpansion = 20
	// maxText is the length in bytes of a text in which variables are looked
	// for; a reference has some hundreds.
	maxText = 16 << 10
)

func expandDepth(t *source.Text, scan scanner, look lookup, depth int) []expr {
	out := []expr{{}}
	at := 0
	for at < len(t.Data) && depth < maxExpansion && len(t.Data) <= maxText {
		v, ok := scan(t.Data, at)
		if !ok {
			break
		}
		out = product(out, []expr{literal(t.Slice(at, v.start))})
		out = product(out, expandVariable(t, v, scan, look, depth))
		at = v.end
	}
	return product(out, []expr{literal(t.Slice(at, len(t.Data)))})
}

func expandVariable(t *source.Text, v variable, scan scanner, look lookup, depth int) []expr {
	nameSpan, _ := t.Span(v.nameStart, v.nameEnd)
	whole := t.Slice(v.start, v.end)
	if v.eval != nil {
		if out := v.eval(t, look); len(out) > 0 {
			return out
		}
		return []expr{unknown(whole, v.name)}
	}
	var known []expr
	b := look(v.name)
	if b != nil {
		l := link{binding: b, file: t.File, at: nameSpan}
		for _, e := range b.texts() {
			known = append(known, through(l, e))
		}
	}
	operand := func() []expr {
		d := &binding{name: v.name, class: classDefault}
		l := link{binding: d, file: t.File, at: nameSpan}
		read := v.operand
		if read == nil {
			read = func() []expr { return expandDepth(t.Slice(v.word[0], v.word[1]), scan, look, depth+1) }
		}
		var out []expr
		for _, e := range read() {
			out = append(out, through(l, e))
		}
		return out
	}
	switch v.op {
	case "", ":?", "?":
	case ":-", "-":
		if len(known) == 0 || v.op == ":-" && !slices.ContainsFunc(known, func(e expr) bool { return !e.empty() }) {
			if out := operand(); len(out) > 0 {
				return out
			}
		}
	case ":+", "+":
		if len(known) == 0 || v.op == ":+" && !slices.ContainsFunc(known, func(e expr) bool { return !e.empty() }) {
			d := &binding{name: v.name, class: classDefault}
			return []expr{through(link{binding: d, file: t.File, at: nameSpan}, expr{})}
		}
		if out := operand(); len(out) > 0 {
			return out
		}
		return []expr{{}}
	default:
		// The result of any other operator has no place of its own.
		operands := known
		known = nil
		if v.compute != nil {
			if text, ok := v.compute(); ok {
				e := literal(whole)
				e[0].text, e[0].exact, e[0].computed = text, false, true
				if len(operands) > 0 && len(operands[0]) > 0 {
					from := operands[0][len(operands[0])-1]
					e[0].file, e[0].span = from.file, from.span
				}
				if b != nil {
					e = through(link{binding: b, file: t.File, at: nameSpan}, e)
				}
				known = []expr{e}
			}
		}
	}
	if len(known) == 0 {
		return []expr{unknown(whole, v.name)}
	}
	return known
}

// through is e as read through one more variable. Of an empty text a piece
// stays: another value of the variable would stand there.
func through(l link, e expr) expr {
	if len(e) == 0 {
		e = expr{{file: l.file, span: l.at}}
	}
	out := make(expr, len(e))
	for i, p := range e {
		p.chain = append([]link{l}, p.chain...)
		out[i] = p
	}
	return out
}

// product is every text of a followed by every text of b.
func product(a, b []expr) []expr {
	if len(b) == 1 {
		if len(b[0]) == 0 {
			return a
		}
		out := make([]expr, len(a))
		for i := range a {
			out[i] = join(a[i], b[0])
		}
		return out
	}
	var out []expr
	for _, x := range a {
		for _, y := range b {
			if len(out) == maxValues {
				return out
			}
			out = append(out, join(x, y))
		}
	}
	return out
}

// maxPieces bounds a text: no reference has so many, and each is copied.
const maxPieces = 256

// join is a followed by b.
func join(a, b expr) expr {
	if len(a) > maxPieces {
		return a
	}
	out := append(slices.Clip(a), b...)
	if len(out) > maxPieces {
		last := out[len(out)-1]
		out = append(out, piece{file: last.file, span: last.span, missing: "the rest of a long text"})
	}
	return out
}

func (e expr) text() string {
	if len(e) == 1 {
		return e[0].text
	}
	var b strings.Builder
	for _, p := range e {
		b.WriteString(p.text)
	}
	return b.String()
}

// startsWith reports whether e begins with prefix, all of it in one piece.
func (e expr) startsWith(prefix string) bool {
	return len(e) > 0 && strings.HasPrefix(e[0].text, prefix)
}

// empty reports whether e is known to be no text at all.
func (e expr) empty() bool {
	return !slices.ContainsFunc(e, func(p piece) bool { return p.text != "" || p.missing != "" })
}

func (e expr) missing() []string {
	var out []string
	for _, p := range e {
		if p.missing != "" && !slices.Contains(out, p.missing) {
			out = append(out, p.missing)
		}
	}
	return out
}

// found is what a parser knows of one use.
type found struct {
	// text is the reference as written, without quotes or "docker://".
	text *source.Text
	// values are what the text stands for; nil means literally itself.
	values     []expr
	role       image.Role
	pointer    string
	confidence image.Confidence
	digestOnly bool
	// site is where the digest goes, where that is not the end of the text.
	site *image.Site
}

// Use reports a use. An empty text is none.
func (p *Pass) Use(f found) {
	t := f.text.Trim()
	if len(t.Data) == 0 {
		return
	}
	span, _ := t.Span(0, len(t.Data))
	key := useKey{span, f.role}
	if p.seen[key] {
		return
	}
	p.seen[key] = true
	u := image.Use{
		File: t.File, Format: p.format.Name, Span: span, Raw: string(t.File.Slice(span)), Role: f.role,
		Pointer: joinPointer(p.pointer, f.pointer), Confidence: f.confidence, DigestOnly: f.digestOnly,
	}
	values := f.values
	if values == nil {
		values = []expr{literal(t)}
	}
	// A template that was masked so that the file could be read at all.
	masked := strings.Contains(u.Raw, "{{") && !bytes.Contains(t.Data, []byte("{{"))
	for _, e := range values {
		e = trimExpr(e)
		for _, piece := range e {
			for _, l := range piece.chain {
				addName(&u.Variables, l.name)
				if l.class.overridable {
					u.Confidence = max(u.Confidence, image.Medium)
				}
			}
			if piece.missing != "" {
				addName(&u.Variables, piece.missing)
				addName(&u.Missing, piece.missing)
			}
		}
		text := e.text()
		switch {
		case len(e.missing()) > 0:
		case image.Placeholder(text), masked:
			u.Placeholder = true
		case text != "":
			v := makeValue(text, e, f.digestOnly)
			if f.site != nil {
				site := *f.site
				if site.File == nil {
					site.File, site.Tail = v.Site.File, v.Site.Tail
				}
				v.Site = site
			}
			u.Values = append(u.Values, v)
		}
	}
	if len(u.Values) == 0 && !u.Placeholder {
		if len(u.Missing) == 0 { // variables that are empty wait for somebody to set them
			u.Missing = slices.Clone(u.Variables)
		}
		u.Confidence = image.Low
	}
	p.out.Uses = append(p.out.Uses, u)
}

func addName(names *[]string, name string) {
	if !slices.Contains(*names, name) {
		*names = append(*names, name)
	}
}

// trimExpr is e without white space at its ends; block scalars end with a
// newline that no reader of the reference sees. Pieces that become empty go,
// but for those that a variable may fill.
func trimExpr(e expr) expr {
	out := slices.Clone(e)
	for i := 0; i < len(out) && out[i].missing == ""; i++ {
		p := &out[i]
		text := strings.TrimLeft(p.text, spaces)
		if p.exact {
			p.span.Start += len(p.text) - len(text)
		}
		if p.text = text; text != "" {
			break
		}
	}
	for i := len(out) - 1; i >= 0 && out[i].missing == ""; i-- {
		p := &out[i]
		text := strings.TrimRight(p.text, spaces)
		if p.exact {
			p.span.End -= len(p.text) - len(text)
		}
		if p.text = text; text != "" {
			break
		}
	}
	return slices.DeleteFunc(out, func(p piece) bool { return p.text == "" && p.missing == "" && len(p.chain) == 0 })
}

// spaces are the characters around a reference that are no part of it.
const spaces = " \t\r\n"

func makeValue(text string, e expr, digestOnly bool) image.Value {
	v := image.Value{Text: text}
	v.Ref, v.Err = image.Parse(text)
	for _, p := range e {
		for _, l := range p.chain {
			if !slices.Contains(v.Reads, l.at) {
				v.Reads = append(v.Reads, l.at)
			}
		}
	}
	v.Definition = definition(e)
	v.Site = site(e)
	return v
}

// definition is where the last text stands that the use takes from elsewhere.
func definition(e expr) *image.Definition {
	for i := len(e) - 1; i >= 0; i-- {
		p := e[i]
		if len(p.chain) == 0 || p.text == "" {
			continue
		}
		// The name to tell people is the innermost that is no inline default.
		for j := len(p.chain) - 1; j >= 0; j-- {
			if l := p.chain[j]; !l.class.inline {
				return &image.Definition{File: p.file, Span: p.span, Name: l.name, Kind: l.class.noun}
			}
		}
	}
	return nil
}

// site decides where the digest of a value would go, and whether it may.
func site(e expr) image.Site {
	last := e[len(e)-1]
	s := image.Site{File: last.file, Tail: last.span}
	refuse := func(format string, args ...any) image.Site {
		s.Safety, s.Reason = image.Refused, fmt.Sprintf(format, args...)
		return s
	}
	if last.text == "" {
		l := last.chain[0]
		return refuse("a digest would stand before the %s %q, which is empty here, and another value of it would no longer fit; put the whole reference into one variable", l.class.noun, l.name)
	}
	if last.computed && len(last.chain) > 0 {
		l := last.chain[0]
		return refuse("only a part of the %s %q goes into it; write the reference in one piece", l.class.noun, l.name)
	}
	if !last.exact {
		return refuse("its text is put together from escapes or continued lines; write it in one piece")
	}
	for _, p := range e[:len(e)-1] {
		for _, l := range p.chain {
			if !slices.ContainsFunc(last.chain, func(t link) bool { return t.binding == l.binding || l.class.inline && t.at == l.at }) {
				return refuse("a digest would stand behind the %s %q, and another value of it would no longer fit; put the whole reference into one variable", l.class.noun, l.name)
			}
		}
	}
	for _, l := range last.chain {
		if l.class.safety > s.Safety {
			s.Safety = l.class.safety
			s.Reason = fmt.Sprintf("%s %q: %s", l.class.noun, l.name, l.class.why)
		}
	}
	if links := last.chain; slices.ContainsFunc(links, func(l link) bool { return l.binding.file != nil }) {
		s.Readers = func() []source.Span {
			var all []source.Span
			for _, l := range links {
				for _, m := range l.readers() {
					// The text itself may spell its name ("kics: checkmarx/kics").
					if !m.Overlaps(last.span) {
						all = append(all, m)
					}
				}
			}
			return all
		}
	}
	return s
}

// scanDollar finds variables as POSIX shells, Dockerfiles and Compose write
// them: $NAME and ${NAME}, with an operator behind the name
// (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_06_02).
// "$$" and "\$" are no variables.
func scanDollar(data []byte, i int) (variable, bool) {
	for ; i < len(data); i++ {
		switch {
		case data[i] == '\\':
			i++
		case data[i] != '$' || i+1 >= len(data):
		case data[i+1] == '$':
			i++
		case data[i+1] == '{':
			if v, ok := scanBraced(data, i); ok {
				return v, true
			}
		case isNameByte(data[i+1]):
			end := i + 1
			if c := data[end]; c >= '0' && c <= '9' {
				end++ // a positional parameter is one digit
			} else {
				for end < len(data) && isNameByte(data[end]) {
					end++
				}
			}
			return variable{start: i, end: end, name: string(data[i+1 : end]), nameStart: i + 1, nameEnd: end}, true
		}
	}
	return variable{}, false
}

// maxVariable bounds a "${…}" in bytes, so that a file of open braces costs
// linear time.
const maxVariable = 1024

// scanBraced reads the "${…}" at i.
func scanBraced(data []byte, i int) (variable, bool) {
	v := variable{start: i, nameStart: i + 2}
	v.nameEnd = v.nameStart
	for v.nameEnd < len(data) && isNameByte(data[v.nameEnd]) {
		v.nameEnd++
	}
	v.name = string(data[v.nameStart:v.nameEnd])
	depth := 1
	j := v.nameEnd
	end := min(len(data), i+maxVariable)
	for ; j < end; j++ {
		switch {
		case data[j] == '\\':
			j++
		case data[j] == '{' && data[j-1] == '$':
			depth++
		case data[j] == '}':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	if j >= end || v.name == "" {
		return variable{}, false
	}
	v.end = j + 1
	rest := string(data[v.nameEnd:j])
	for _, op := range []string{":-", ":+", ":?", "-", "+", "?"} {
		if strings.HasPrefix(rest, op) {
			v.op = op
			v.word = [2]int{v.nameEnd + len(op), j}
			return v, true
		}
	}
	v.op = rest // empty, or something that only the format knows
	return v, true
}

// noVariables is a scanner for texts in which nothing is expanded.
func noVariables([]byte, int) (variable, bool) { return variable{}, false }

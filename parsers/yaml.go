package parsers

import (
	"bytes"
	"iter"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// YAML is only ever read here, never written. The library gives a tree whose
// nodes know their line and column; locating the bytes of a scalar, and
// decoding it once more with the place of every byte, is done below. A scalar
// whose decoding does not come out as the library's value is not located, and
// so never edited (https://yaml.org/spec/1.2.2/).

// node is a node of the YAML tree.
type node = yaml.Node

// document is one document of a YAML stream.
type document struct {
	text *source.Text // its bytes, with the "---" line that starts it
	root *node        // its content; nil where it is empty or broken

	lines []int // byte offset of each line as YAML counts them
	// columns holds, for long lines, the byte offset of every columnStep-th
	// column.
	columns map[int][]int
}

// documents parses the documents that contain one of the words; without words,
// all. A document that is no YAML is a problem of its own and costs none of the
// others.
func (p *Pass) documents(words ...string) []*document {
	return p.documentsWhere(func(data []byte) bool { return containsAny(data, words) })
}

// documentsWhere parses the documents whose text the filter wants: parsing is
// what a run costs.
func (p *Pass) documentsWhere(wanted func([]byte) bool) []*document {
	var docs []*document
	for _, text := range splitDocuments(p.Text) {
		if !wanted(text.Data) {
			continue
		}
		if d := p.document(text); d != nil && d.root != nil {
			docs = append(docs, d)
		}
	}
	return docs
}

func containsAny(data []byte, words []string) bool {
	for _, w := range words {
		if bytes.Contains(data, []byte(w)) {
			return true
		}
	}
	return len(words) == 0
}

// document parses one document, a second time repaired or with its templates
// masked when the first fails.
func (p *Pass) document(text *source.Text) *document {
	d := &document{text: text}
	templates := containsAny(text.Data, templateOpenings)
	err := d.parse()
	if err == nil && !(templates && startsWithTemplate(d.root)) {
		return d
	}
	if repaired := repairEscapes(text); repaired != nil {
		if d = (&document{text: repaired}); d.parse() == nil {
			return d
		}
	}
	if templates {
		d = &document{text: text.Masked(maskTemplates(text.Data))}
		if d.parse() == nil {
			return d
		}
		return nil // a template, not a broken file
	}
	if p.depth > 0 {
		return nil // a string of another file, which need not be YAML yet
	}
	q := *p
	q.Text = text
	d = &document{text: text}
	at, message := d.failure(err)
	q.Fail(at, "%s", message)
	return nil
}

// startsWithTemplate reports whether the root is a "{{ … }}" on the first line:
// to YAML a mapping whose key is a mapping, behind which the rest is not read.
func startsWithTemplate(root *node) bool {
	return root != nil && root.Kind == yaml.MappingNode && root.Style&yaml.FlowStyle != 0 &&
		len(root.Content) > 0 && root.Content[0].Kind == yaml.MappingNode
}

func (d *document) parse() error {
	if d.root = parseBlockYAML(d.text.Data); d.root != nil {
		return nil
	}
	var n node
	if err := yaml.Unmarshal(d.text.Data, &n); err != nil {
		return err
	}
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		if err := checkAliases(n.Content[0], d.text.Data); err != nil {
			return err
		}
		d.root = n.Content[0]
	}
	return nil
}

// repairEscapes is a text without the escapes that JSON and YAML 1.2 have and
// the library, which reads YAML 1.1, has not: "\/", and characters beyond the
// basic plane written as two "\uXXXX". It is nil where there are none.
func repairEscapes(t *source.Text) *source.Text {
	data := t.Data
	if !bytes.Contains(data, []byte(`\/`)) && !bytes.Contains(bytes.ToLower(data), []byte(`\ud`)) {
		return nil
	}
	b := source.NewBuilder(t)
	at := 0
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		if data[i+1] == '/' {
			b.Copy(at, i)
			b.Put("/", i, i+2)
			at = i + 2
		} else if r := utf16.DecodeRune(escapedUnit(data[i:]), escapedUnit(data[min(i+6, len(data)):])); r != utf8.RuneError {
			b.Copy(at, i)
			b.Put(string(r), i, i+12)
			at = i + 12
			i += 10
		}
		i++ // the character behind a backslash starts no escape
	}
	b.Copy(at, len(data))
	return b.Text()
}

// escapedUnit is the UTF-16 unit of the "\uXXXX" that data starts with, or
// U+FFFD.
func escapedUnit(data []byte) rune {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// failure is the inner offset and the words of an error of the library.
func (d *document) failure(err error) (at int, message string) {
	line, message := yamlError(err)
	switch {
	case strings.Contains(message, "octet") && !strings.Contains(message, "escaped"), strings.HasPrefix(message, "control characters"):
		return firstUnreadable(d.text.Data), message
	case slices.ContainsFunc(parserErrors, func(e string) bool { return strings.HasPrefix(message, e) }):
		line = d.failingLine(message, line)
	}
	return d.lineOffset(line), message
}

// yamlError takes the line out of an error of the library ("yaml: line 3: …").
func yamlError(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if n, m, ok := strings.Cut(rest, ": "); ok {
			if k, err := strconv.Atoi(n); err == nil {
				return k, m
			}
		}
	}
	return 1, message
}

// parserErrors are how those errors start that the library reports at the start
// of the collection around the bad place, and one line too early.
var parserErrors = []string{
	"did not find expected key", "did not find expected node content", "did not find expected '-' indicator",
	"did not find expected ',' or", "did not find expected <document start>", "found undefined tag handle",
}

// maxBisected bounds, in bytes, the documents that are parsed again to find the
// line of an error.
const maxBisected = 1 << 20

// failingLine is the last line of the shortest beginning of the document that
// fails with the message.
func (d *document) failingLine(message string, otherwise int) int {
	if len(d.text.Data) > maxBisected {
		return otherwise
	}
	lines := d.lineTable()
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		var n node
		err := yaml.Unmarshal(d.text.Data[:lines[i+1]], &n)
		if err == nil {
			return false
		}
		_, m := yamlError(err)
		return m == message
	})
}

// firstUnreadable is the offset of the first character that YAML does not allow
// (https://yaml.org/spec/1.2.2/#51-character-set).
func firstUnreadable(data []byte) int {
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			return at
		}
		at += size
	}
	return 0
}

// splitDocuments cuts a stream at its document markers
// (https://yaml.org/spec/1.2.2/#92-streams): within a document no line starts
// with "---" or "..." but inside a scalar that may not have such lines either.
// A byte-order mark and pieces of directives and comments alone are left out;
// the directives that name tags stay with the document that they are for.
func splitDocuments(t *source.Text) []*source.Text {
	data := t.Data
	start := 0
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		start = 3
	}
	var docs []*source.Text
	tagged := false
	cut := func(end int) {
		switch piece := t.Slice(start, end); {
		case !hasContent(piece.Data):
			if tagged = bytes.Contains(piece.Data, []byte("%TAG")); tagged {
				return
			}
		case tagged:
			docs, tagged = append(docs, maskVersion(piece)), false
		default:
			docs = append(docs, piece)
		}
		start = end
	}
	for at := start; at < len(data); {
		end := at + bytes.IndexAny(data[at:], "\n\r") + 1
		if end == at {
			end = len(data)
		}
		switch line := data[at:end]; {
		case isMarker(line, "---"):
			cut(at)
		case isMarker(line, "..."):
			cut(end)
		}
		at = end
	}
	cut(len(data))
	return docs
}

// maskVersion is a document whose "%YAML" directive is a comment: the library
// refuses version 1.2.
func maskVersion(t *source.Text) *source.Text {
	for at := 0; at < len(t.Data) && t.Data[at] != '-'; {
		if bytes.HasPrefix(t.Data[at:], []byte("%YAML")) {
			out := bytes.Clone(t.Data)
			out[at] = '#'
			return t.Masked(out)
		}
		next := bytes.IndexByte(t.Data[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	return t
}

func isMarker(line []byte, marker string) bool {
	return bytes.HasPrefix(line, []byte(marker)) && (len(line) == len(marker) || strings.IndexByte(" \t\r\n", line[len(marker)]) >= 0)
}

// hasContent reports whether a piece of a stream has a line that is no blank,
// comment, directive or bare marker.
func hasContent(piece []byte) bool {
	for len(piece) > 0 {
		var line []byte
		line, piece, _ = bytes.Cut(piece, []byte{'\n'})
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' && string(line) != "---" && string(line) != "..." {
			return true
		}
	}
	return false
}

// templateOpenings and templateClosings are what templates stand between: those
// of Go and Jinja, and of ERB.
var (
	templateOpenings = []string{"{{", "{%", "<%"}
	templateClosings = []string{"}}", "%}", "%>"}
)

// nextTemplate is the start and the end of the first template at or behind at.
func nextTemplate(data []byte, at int) (start, end int, ok bool) {
	closing := ""
	for i := at; i+1 < len(data); i++ {
		if data[i] != '{' && data[i] != '<' {
			continue
		}
		if k := slices.Index(templateOpenings, string(data[i:i+2])); k >= 0 {
			start, closing = i, templateClosings[k]
			break
		}
	}
	if closing == "" {
		return 0, 0, false
	}
	n := bytes.Index(data[start:], []byte(closing))
	if n < 0 {
		return 0, 0, false
	}
	return start, start + n + 2, true
}

// maskTemplates is data in which "{{ … }}" is text that YAML can read, byte for
// byte of the same length: a line of templates alone becomes a comment, one
// within other text a word.
func maskTemplates(data []byte) []byte {
	out := bytes.Clone(data)
	line := 0 // where the line starts that only templates have been seen on
	for at := 0; at < len(out); {
		start, end, ok := nextTemplate(out, at)
		if !ok {
			break
		}
		broken := false // the template goes on on a new line
		for k := start; k < end; k++ {
			switch {
			case out[k] == '\n' || out[k] == '\r':
				broken = true
				continue
			case broken:
				out[k] = '#'
			default:
				out[k] = 'x'
			}
			broken = false
		}
		if k := bytes.LastIndexByte(data[at:start], '\n'); k >= 0 {
			line = at + k + 1
		}
		if line >= 0 {
			if len(bytes.Trim(data[line:start], " \t")) == 0 && onlyTemplates(data[start:]) {
				out[start] = '#'
			}
			line = -1 // one answer a line
		}
		at = end
	}
	return out
}

// onlyTemplates reports whether there are only templates and blanks up to the
// end of the line.
func onlyTemplates(data []byte) bool {
	for {
		data = bytes.TrimLeft(data, " \t\r")
		if len(data) == 0 || data[0] == '\n' {
			return true
		}
		k := slices.IndexFunc(templateOpenings, func(open string) bool { return bytes.HasPrefix(data, []byte(open)) })
		if k < 0 {
			return false
		}
		end := bytes.Index(data, []byte(templateClosings[k]))
		if end < 0 {
			return true
		}
		data = data[end+2:]
	}
}

// lineTable finds the line starts as YAML 1.1, and so the library, counts them:
// after LF, CR, CR LF, NEL, LS and PS.
func (d *document) lineTable() []int {
	if d.lines != nil {
		return d.lines
	}
	data := d.text.Data
	d.lines = append(make([]int, 0, 1+bytes.Count(data, []byte{'\n'})), 0)
	plain := !bytes.Contains(data, []byte{'\r'}) && !bytes.Contains(data, []byte("\xc2\x85")) && !bytes.Contains(data, []byte("\xe2\x80"))
	for i := 0; i < len(data); i++ {
		if plain {
			k := bytes.IndexByte(data[i:], '\n')
			if k < 0 {
				break
			}
			i += k
		}
		if n := breakLength(data[i:]); n > 0 {
			d.lines = append(d.lines, i+n)
			i += n - 1
		}
	}
	return d.lines
}

// breakLength is the number of bytes of the line break that data starts with,
// or zero.
func breakLength(data []byte) int {
	switch {
	case len(data) == 0:
	case data[0] == '\n':
		return 1
	case data[0] == '\r':
		if len(data) > 1 && data[1] == '\n' {
			return 2
		}
		return 1
	case bytes.HasPrefix(data, []byte("\xc2\x85")):
		return 2
	case bytes.HasPrefix(data, []byte("\xe2\x80\xa8")), bytes.HasPrefix(data, []byte("\xe2\x80\xa9")):
		return 3
	}
	return 0
}

func (d *document) lineOffset(line int) int {
	lines := d.lineTable()
	return lines[min(max(line, 1), len(lines))-1]
}

// columnStep is how many columns of a line lie between two that are
// remembered: nodes of a line of megabytes are not looked up in order.
const columnStep = 256

// offset is the inner byte offset of a node; columns count characters.
func (d *document) offset(n *node) int {
	lines := d.lineTable()
	if n.Line < 1 || n.Line > len(lines) {
		return len(d.text.Data)
	}
	at, steps := lines[n.Line-1], max(n.Column-1, 0)
	if steps >= columnStep {
		marks := d.columnMarks(n.Line)
		k := min(steps/columnStep, len(marks)-1)
		at, steps = marks[k], steps-k*columnStep
	}
	return skipRunes(d.text.Data, at, steps)
}

// columnMarks are the byte offsets of the columns 1, 1+columnStep, … of a line.
func (d *document) columnMarks(line int) []int {
	if marks, ok := d.columns[line]; ok {
		return marks
	}
	if d.columns == nil {
		d.columns = map[int][]int{}
	}
	end := len(d.text.Data)
	if line < len(d.lines) {
		end = d.lines[line]
	}
	var marks []int
	for at := d.lines[line-1]; at < end || marks == nil; at = skipRunes(d.text.Data, at, columnStep) {
		marks = append(marks, at)
	}
	d.columns[line] = marks
	return marks
}

// skipRunes is the offset n characters behind at, or the end of the data.
func skipRunes(data []byte, at, n int) int {
	for ; n > 0 && at < len(data); n-- {
		if data[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, size := utf8.DecodeRune(data[at:])
		at += size
	}
	return at
}

// scalar is the decoded text of a scalar node, each byte with its place; nil
// where the bytes could not be found.
func (d *document) scalar(n *node) *source.Text {
	if n == nil || n.Kind != yaml.ScalarNode {
		return nil
	}
	at := d.skipProperties(n)
	s := scalarReader{text: d.text, data: d.text.Data, value: n.Value, at: at, out: source.NewBuilder(d.text)}
	var ok bool
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		ok = s.block(false)
	case n.Style&yaml.FoldedStyle != 0:
		ok = s.block(true)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		ok = s.quoted('"')
	case n.Style&yaml.SingleQuotedStyle != 0:
		ok = s.quoted('\'')
	default:
		ok = s.plain()
	}
	if !ok {
		return nil
	}
	s.out.Copy(s.at, s.at)
	return s.out.Text()
}

// skipProperties is the offset of a scalar's first byte behind its tag and
// anchor, which may stand on lines of their own with comments between.
func (d *document) skipProperties(n *node) int {
	data, at := d.text.Data, d.offset(n)
	if n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return at
	}
	for at < len(data) {
		switch c := data[at]; {
		case bytes.HasPrefix(data[at:], []byte("!<")):
			for at < len(data) && data[at] != '>' && data[at] != '\n' {
				at++
			}
			at++
		case c == '&' || c == '!':
			for at < len(data) && strings.IndexByte(" \t\r\n,[]{}", data[at]) < 0 {
				at++
			}
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			at++
		case c == '#':
			for at < len(data) && data[at] != '\n' {
				at++
			}
		default:
			return at
		}
	}
	return min(at, len(data))
}

// scalarReader decodes one scalar, led by the value that it must come out as:
// each byte it copies has been compared, so what it returns is the value.
type scalarReader struct {
	text  *source.Text
	data  []byte
	value string // what is still to come
	at    int
	out   *source.Builder
}

// take copies n bytes if they are what comes next in the value.
func (s *scalarReader) take(n int) bool {
	if n > len(s.value) || s.at+n > len(s.data) || string(s.data[s.at:s.at+n]) != s.value[:n] {
		return false
	}
	s.out.Copy(s.at, s.at+n)
	s.at += n
	s.value = s.value[n:]
	return true
}

// put adds what n bytes of the file stand for.
func (s *scalarReader) put(text string, n int) bool {
	if !strings.HasPrefix(s.value, text) {
		return false
	}
	s.out.Put(text, s.at, s.at+n)
	s.at += n
	s.value = s.value[len(text):]
	return true
}

// plain reads a plain scalar; its end is the end of the value.
func (s *scalarReader) plain() bool {
	if s.take(len(s.value)) {
		return true
	}
	for s.value != "" {
		n := 0
		for s.at+n < len(s.data) && n < len(s.value) && s.data[s.at+n] == s.value[n] && breakLength(s.data[s.at+n:]) == 0 {
			n++
		}
		// Blanks before a break belong to the break.
		if s.breakFollows(s.at + n) {
			for n > 0 && (s.data[s.at+n-1] == ' ' || s.data[s.at+n-1] == '\t') {
				n--
			}
		}
		if n > 0 && !s.take(n) {
			return false
		}
		if s.value == "" {
			return true
		}
		if !s.fold() {
			return false
		}
	}
	return true
}

func (s *scalarReader) breakFollows(at int) bool {
	for at < len(s.data) && (s.data[at] == ' ' || s.data[at] == '\t') {
		at++
	}
	return at < len(s.data) && breakLength(s.data[at:]) > 0
}

// fold reads a line break in a flow scalar with the blanks around it: a space,
// or the empty lines that follow. Only a break that YAML reads as a newline is
// folded; a line or paragraph separator stays.
func (s *scalarReader) fold() bool {
	end := s.at
	var first string
	var more strings.Builder
	for end < len(s.data) {
		n := breakLength(s.data[end:])
		switch {
		case n > 0 && first == "":
			first = breakText(s.data[end : end+n])
		case n > 0:
			more.WriteString(breakText(s.data[end : end+n]))
		case s.data[end] == ' ' || s.data[end] == '\t':
			n = 1
		}
		if n == 0 {
			break
		}
		end += n
	}
	switch {
	case first == "":
		return false
	case first != "\n":
		return s.put(first+more.String(), end-s.at)
	case more.Len() == 0:
		return s.put(" ", end-s.at)
	}
	return s.put(more.String(), end-s.at)
}

// breakText is what a line break is read as.
func breakText(b []byte) string {
	if len(b) == 3 {
		return string(b) // a line or paragraph separator
	}
	return "\n"
}

// quoted reads a single- or double-quoted scalar.
func (s *scalarReader) quoted(quote byte) bool {
	if s.at >= len(s.data) || s.data[s.at] != quote {
		return false
	}
	s.at++
	for s.at < len(s.data) {
		n := 0
		for s.at+n < len(s.data) && s.data[s.at+n] != quote && breakLength(s.data[s.at+n:]) == 0 &&
			(quote == '\'' || s.data[s.at+n] != '\\') {
			n++
		}
		if s.breakFollows(s.at + n) {
			for n > 0 && (s.data[s.at+n-1] == ' ' || s.data[s.at+n-1] == '\t') {
				n--
			}
		}
		if n > 0 && !s.take(n) {
			return false
		}
		if s.at >= len(s.data) {
			return false
		}
		switch {
		case s.data[s.at] == quote:
			if quote == '\'' && s.at+1 < len(s.data) && s.data[s.at+1] == quote {
				if !s.put("'", 2) {
					return false
				}
				continue
			}
			return s.value == ""
		case quote == '"' && s.data[s.at] == '\\':
			if !s.escape() {
				return false
			}
		default:
			if !s.fold() {
				return false
			}
		}
	}
	return false
}

// escape reads one escape of a double-quoted scalar; what it stands for is
// taken from the value.
func (s *scalarReader) escape() bool {
	if s.at+1 >= len(s.data) {
		return false
	}
	if k := breakLength(s.data[s.at+1:]); k > 0 { // an escaped break joins two lines
		end := s.at + 1 + k
		for end < len(s.data) && (s.data[end] == ' ' || s.data[end] == '\t') {
			end++
		}
		s.at = end
		// Empty lines behind it are kept.
		for s.at < len(s.data) && breakLength(s.data[s.at:]) > 0 {
			if !s.emptyLine() {
				return false
			}
		}
		return true
	}
	n := 2
	switch s.data[s.at+1] {
	case 'x':
		n = 4
	case 'u':
		n = 6
	case 'U':
		n = 10
	}
	_, size := utf8.DecodeRuneInString(s.value)
	if size == 0 {
		return false
	}
	return s.put(s.value[:size], min(n, len(s.data)-s.at))
}

// emptyLine reads the break at s.at and the blanks behind it.
func (s *scalarReader) emptyLine() bool {
	k := breakLength(s.data[s.at:])
	text := breakText(s.data[s.at : s.at+k])
	for s.at+k < len(s.data) && (s.data[s.at+k] == ' ' || s.data[s.at+k] == '\t') {
		k++
	}
	return s.put(text, k)
}

// line is the end of the line at at without its break, and the start of the
// next.
func (s *scalarReader) line(at int) (end, next int) {
	for end = at; end < len(s.data); end++ {
		if n := breakLength(s.data[end:]); n > 0 {
			return end, end + n
		}
	}
	return end, end
}

// spaces is the number of spaces at the start of a line.
func (s *scalarReader) spaces(at, end int) int {
	n := at
	for n < end && s.data[n] == ' ' {
		n++
	}
	return n - at
}

// lineBreak is the place of a break in a block scalar.
type lineBreak struct{ start, end int }

// emit adds a break as YAML reads it.
func (s *scalarReader) emit(b lineBreak) bool {
	s.at = b.start
	text := breakText(s.data[b.start:b.end])
	if len(text) == b.end-b.start {
		return s.take(len(text))
	}
	return s.put(text, b.end-b.start)
}

// block reads a "|" or ">" scalar line by line. In a folded one the break
// between two lines that start with no blank is a space, or nothing where empty
// lines follow it (https://yaml.org/spec/1.2.2/#813-folded-style).
func (s *scalarReader) block(folded bool) bool {
	if s.at >= len(s.data) || s.data[s.at] != '|' && s.data[s.at] != '>' {
		return false
	}
	_, s.at = s.line(s.at) // the header
	indent := -1
	var pending []lineBreak // the break of the last line and the empty ones
	lastBlank := true       // the last line starts with a blank, or is none
	for {
		if atBreak(s.value) && indent < 0 {
			// Empty lines before the first: as many as the value starts with.
			end, next := s.line(s.at)
			if s.spaces(s.at, end) != end-s.at || next == end || !s.emit(lineBreak{end, next}) {
				return false
			}
			s.at = next
			continue
		}
		if onlyBreaks(s.value) {
			break
		}
		end, next := s.line(s.at)
		spaces := s.spaces(s.at, end)
		if indent < 0 {
			// More spaces than the value has are the indentation; an
			// indicator may leave some to the value.
			indent = spaces - (len(s.value) - len(strings.TrimLeft(s.value, " ")))
		}
		if indent < 0 || spaces < indent || s.at+indent >= end {
			return false
		}
		first := s.data[s.at+indent]
		blank := first == ' ' || first == '\t'
		start := s.at + indent
		if !s.join(pending, folded && !lastBlank && !blank) {
			return false
		}
		s.at = start
		if !s.take(end - start) {
			return false
		}
		lastBlank = blank
		pending = append(pending[:0], lineBreak{end, next})
		for s.at = next; s.at < len(s.data); s.at = next {
			if end, next = s.line(s.at); next == end || end-s.at > indent || s.spaces(s.at, end) != end-s.at {
				break
			}
			pending = append(pending, lineBreak{end, next})
		}
	}
	// The chomping indicator says how many of the last breaks count.
	for _, b := range pending {
		if s.value == "" {
			break
		}
		if !s.emit(b) {
			return false
		}
	}
	return s.value == ""
}

// join adds the breaks between two lines of a block scalar.
func (s *scalarReader) join(pending []lineBreak, folded bool) bool {
	if len(pending) == 0 {
		return true
	}
	if b := pending[0]; folded && breakText(s.data[b.start:b.end]) == "\n" {
		pending = pending[1:]
		if len(pending) == 0 {
			s.at = b.start
			return s.put(" ", b.end-b.start)
		}
	}
	for _, b := range pending {
		if !s.emit(b) {
			return false
		}
	}
	return true
}

// atBreak reports whether a value starts with a line break.
func atBreak(value string) bool {
	return value != "" && (value[0] == '\n' || strings.HasPrefix(value, "\u2028") || strings.HasPrefix(value, "\u2029"))
}

// onlyBreaks reports whether a value has line breaks alone, or nothing.
func onlyBreaks(value string) bool { return strings.TrimLeft(value, "\n\u2028\u2029") == "" }

// Reading the tree. Aliases are followed and merge keys are looked through
// (https://yaml.org/type/merge.html); a cycle of aliases ends the search.

// follow is the node that an alias stands for, or n itself.
func follow(n *node) *node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode; i++ {
		if i == maxAliases {
			return nil
		}
		n = n.Alias
	}
	return n
}

const (
	maxAliases = 32
	maxDepth   = 200 // of a search through a tree
)

// get is the value of a key in a mapping, or nil: its own, else a merged one.
// An alias is returned as such, so that its place is known.
func get(n *node, key string) *node {
	for k, v := range pairs(n) {
		if k.Value == key && k.Kind == yaml.ScalarNode {
			return v
		}
	}
	for _, m := range sources(n) {
		for k, v := range pairs(m) {
			if k.Value == key && k.Kind == yaml.ScalarNode {
				return v
			}
		}
	}
	return nil
}

// sources are the mappings that merge keys bring into n, nearest first, each
// once: a mapping of mappings that merge each other is not worth its square.
func sources(n *node) []*node {
	var all []*node
	var seen map[*node]bool
	var add func(n *node, depth int)
	add = func(n *node, depth int) {
		for k, v := range pairs(n) {
			if !isMerge(k) || depth > maxAliases {
				continue
			}
			merged := []*node{follow(v)}
			if isSequence(v) {
				merged = follow(v).Content
			}
			for _, m := range merged {
				if m = follow(m); m == nil || m.Kind != yaml.MappingNode || seen[m] {
					continue
				}
				if seen == nil {
					seen = map[*node]bool{}
				}
				seen[m] = true
				all = append(all, m)
				add(m, depth+1)
			}
		}
	}
	add(n, 0)
	return all
}

func isMerge(key *node) bool { return key.Value == "<<" && key.Kind == yaml.ScalarNode }

// at is get along a path of keys.
func at(n *node, keys ...string) *node {
	for _, k := range keys {
		if n = get(n, k); n == nil {
			return nil
		}
	}
	return n
}

// pairs yields the keys and values that a mapping has itself.
func pairs(n *node) iter.Seq2[*node, *node] {
	return func(yield func(*node, *node) bool) {
		n = follow(n)
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// entries yields the keys and values that a mapping has itself, and then those
// that it merges and does not override.
func entries(n *node) iter.Seq2[*node, *node] {
	return func(yield func(*node, *node) bool) {
		seen := map[string]bool{}
		for _, m := range append([]*node{follow(n)}, sources(n)...) {
			for k, v := range pairs(m) {
				if isMerge(k) || seen[k.Value] {
					continue
				}
				seen[k.Value] = true
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// items yields the elements of a sequence.
func items(n *node) iter.Seq2[int, *node] {
	return func(yield func(int, *node) bool) {
		n = follow(n)
		if n == nil || n.Kind != yaml.SequenceNode {
			return
		}
		for i, c := range n.Content {
			if !yield(i, c) {
				return
			}
		}
	}
}

func isMapping(n *node) bool  { n = follow(n); return n != nil && n.Kind == yaml.MappingNode }
func isSequence(n *node) bool { n = follow(n); return n != nil && n.Kind == yaml.SequenceNode }
func isScalar(n *node) bool   { n = follow(n); return n != nil && n.Kind == yaml.ScalarNode }

// str is the string that a scalar holds, or "".
func str(n *node) string {
	n = follow(n)
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// null reports whether a scalar is YAML's null.
func null(n *node) bool {
	n = follow(n)
	return n != nil && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// content is the decoded text of a scalar that may stand behind an alias, with
// the link to read it through; nil where it can't be located or is no scalar.
func (d *document) content(n *node) (*source.Text, []link) {
	target := follow(n)
	if target == nil || target.Kind != yaml.ScalarNode || null(target) {
		return nil, nil
	}
	t := d.scalar(target)
	if t == nil {
		return nil, nil
	}
	if target.Anchor == "" {
		return t, nil
	}
	b := &binding{name: target.Anchor, class: classAnchored, file: t.File, word: "*" + target.Anchor, region: d.span()}
	if n.Kind != yaml.AliasNode {
		return t, []link{{binding: b, file: t.File}}
	}
	b.class = classAnchor
	return t, []link{{binding: b, file: t.File, at: d.alias(n)}}
}

// span is the bytes of the document in the file.
func (d *document) span() source.Span {
	s, _ := d.text.Span(0, len(d.text.Data))
	return s
}

// alias is the place of an alias in the file.
func (d *document) alias(n *node) source.Span {
	s, _ := d.aliasText(n).Span(0, len(n.Value)+1)
	return s
}

func (d *document) aliasText(n *node) *source.Text {
	at := d.offset(n)
	return d.text.Slice(at, min(at+1+len(n.Value), len(d.text.Data)))
}

// image reports the scalar n as an image in which variables stand as scan finds
// them. An alias is used where it stands and defined at its anchor.
func (p *Pass) image(d *document, n *node, scan scanner, look lookup, f found) {
	content, links := d.content(n)
	if content == nil {
		if target := follow(n); target != nil && target.Kind == yaml.ScalarNode && !null(target) && target.Value != "" {
			p.unlocated(d, n, target, f)
		}
		return
	}
	content = cutScheme(unmasked(content.Trim()))
	f.values = readThrough(links, expand(content, scan, look))
	f.text = content
	if n.Kind == yaml.AliasNode {
		f.text = d.aliasText(n)
	}
	p.Use(f)
}

// keyText is a key for pointers: as it stands in the file where it is a
// template.
func (d *document) keyText(key *node) string {
	if t := d.scalar(key); t != nil {
		return unmasked(t).String()
	}
	return key.Value
}

// readThrough is values as read through the links of an anchor.
func readThrough(links []link, values []expr) []expr {
	for _, l := range links {
		for k := range values {
			values[k] = through(l, values[k])
		}
	}
	return values
}

// unmasked is a text as it stands in the file where templates in it were
// masked: what they make of it is not known.
func unmasked(t *source.Text) *source.Text {
	if span, exact := t.Span(0, len(t.Data)); !exact && containsAny(t.File.Slice(span), templateOpenings) && !containsAny(t.Data, templateOpenings) {
		return source.Part(t.File, span)
	}
	return t
}

// unlocated reports an image whose bytes could not be told from the decoded
// value: it is judged, and never edited.
func (p *Pass) unlocated(d *document, n, target *node, f found) {
	at := d.offset(n)
	end := at + 1
	for end < len(d.text.Data) && breakLength(d.text.Data[end:]) == 0 {
		end++
	}
	f.text = d.text.Slice(at, end)
	span, _ := f.text.Span(0, len(f.text.Data))
	f.values = []expr{{{text: target.Value, file: f.text.File, span: span}}}
	p.Use(f)
}

// schemes are prefixes that say "this is an image" and are no part of it.
var schemes = []string{"docker://", "docker-image://"}

// cutScheme is t without such a prefix.
func cutScheme(t *source.Text) *source.Text {
	for _, s := range schemes {
		if bytes.HasPrefix(t.Data, []byte(s)) {
			return t.Slice(len(s), len(t.Data))
		}
	}
	return t
}

// pointerIndex is the pointer of an element of a list.
func pointerIndex(i int) string { return "[" + strconv.Itoa(i) + "]" }

// notVariable is the lookup of formats without variables.
func noLookup(string) *binding { return nil }

var _ = image.High

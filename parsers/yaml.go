package parsers

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
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
	last  struct{ line, column, offset int }
}

// documents parses the documents that contain one of the words; without words,
// all. A document that is no YAML is a problem of its own and costs none of the
// others.
func (p *Pass) documents(words ...string) []*document {
	var docs []*document
	for _, text := range splitDocuments(p.Text) {
		if !containsAny(text.Data, words) {
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

// document parses one document, a second time with its templates masked when
// the first fails.
func (p *Pass) document(text *source.Text) *document {
	d := &document{text: text}
	templates := bytes.Contains(text.Data, []byte("{{"))
	err := d.parse()
	if err == nil && !(templates && startsWithTemplate(d.root)) {
		return d
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
	line, message := yamlError(err)
	q := *p
	q.Text = text
	q.Fail(d.lineOffset(line), "%s", message)
	return nil
}

// startsWithTemplate reports whether the root is a "{{ … }}" on the first line:
// to YAML a mapping whose key is a mapping, behind which the rest is not read.
func startsWithTemplate(root *node) bool {
	return root != nil && root.Kind == yaml.MappingNode && root.Style&yaml.FlowStyle != 0 &&
		len(root.Content) > 0 && root.Content[0].Kind == yaml.MappingNode
}

func (d *document) parse() error {
	var n node
	if err := yaml.Unmarshal(d.text.Data, &n); err != nil {
		return err
	}
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		d.root = n.Content[0]
	}
	return nil
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

// splitDocuments cuts a stream at its document markers
// (https://yaml.org/spec/1.2.2/#92-streams): within a document no line starts
// with "---" or "..." but inside a scalar that may not have such lines either.
// A byte-order mark and pieces of directives and comments alone are left out.
func splitDocuments(t *source.Text) []*source.Text {
	data := t.Data
	start := 0
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		start = 3
	}
	var docs []*source.Text
	cut := func(end int) {
		if hasContent(data[start:end]) {
			docs = append(docs, t.Slice(start, end))
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

// maskTemplates is data in which "{{ … }}" is text that YAML can read, byte for
// byte of the same length: a line of templates alone becomes a comment, one
// within other text a word.
func maskTemplates(data []byte) []byte {
	out := bytes.Clone(data)
	for at := 0; at < len(out); {
		i := bytes.Index(out[at:], []byte("{{"))
		if i < 0 {
			break
		}
		start := at + i
		end := bytes.Index(out[start:], []byte("}}"))
		if end < 0 {
			break
		}
		end += start + 2
		for k := start; k < end; k++ {
			if out[k] != '\n' && out[k] != '\r' {
				out[k] = 'x'
			} else if k+1 < end {
				out[k+1] = '#' // a template over several lines
			}
		}
		lineStart := bytes.LastIndexByte(out[:start], '\n') + 1
		lineEnd := end
		for lineEnd < len(out) && out[lineEnd] != '\n' {
			lineEnd++
		}
		if len(bytes.Trim(data[lineStart:start], " \t")) == 0 && onlyTemplates(data[start:lineEnd]) {
			out[start] = '#'
		}
		at = end
	}
	return out
}

// onlyTemplates reports whether the rest of a line is templates and blanks.
func onlyTemplates(line []byte) bool {
	for {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return true
		}
		if !bytes.HasPrefix(line, []byte("{{")) {
			return false
		}
		end := bytes.Index(line, []byte("}}"))
		if end < 0 {
			return true
		}
		line = line[end+2:]
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

// offset is the inner byte offset of a node; columns count characters.
func (d *document) offset(n *node) int {
	lines := d.lineTable()
	if n.Line < 1 || n.Line > len(lines) {
		return len(d.text.Data)
	}
	at, column := lines[n.Line-1], 1
	// Nodes come mostly in order: on a line of megabytes go on from the last.
	if d.last.line == n.Line && d.last.column <= n.Column {
		at, column = d.last.offset, d.last.column
	}
	for ; column < n.Column && at < len(d.text.Data); column++ {
		if d.text.Data[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, size := utf8.DecodeRune(d.text.Data[at:])
		at += size
	}
	d.last.line, d.last.column, d.last.offset = n.Line, n.Column, at
	return at
}

// place is the span of inner bytes from a node to the end of its last line, for
// messages about nodes that are no scalars.
func (d *document) place(n *node) int { return d.offset(n) }

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
		ok = s.literal()
	case n.Style&yaml.FoldedStyle != 0:
		ok = s.folded()
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
	return at
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
// or as many newlines as there are empty lines.
func (s *scalarReader) fold() bool {
	end, breaks := s.at, 0
	for end < len(s.data) {
		if n := breakLength(s.data[end:]); n > 0 {
			breaks++
			end += n
		} else if s.data[end] == ' ' || s.data[end] == '\t' {
			end++
		} else {
			break
		}
	}
	switch breaks {
	case 0:
		return false
	case 1:
		return s.put(" ", end-s.at)
	}
	return s.put(strings.Repeat("\n", breaks-1), end-s.at)
}

// quoted reads a single- or double-quoted scalar.
func (s *scalarReader) quoted(quote byte) bool {
	if s.at >= len(s.data) || s.data[s.at] != quote {
		return false
	}
	s.at++
	for s.at < len(s.data) {
		n := 0
		for s.at+n < len(s.data) && s.data[s.at+n] != quote && s.data[s.at+n] != '\n' && s.data[s.at+n] != '\r' &&
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
	n := 2
	switch s.data[s.at+1] {
	case 'x':
		n = 4
	case 'u':
		n = 6
	case 'U':
		n = 10
	case '\n', '\r': // an escaped break joins two lines
		end := s.at + 1 + breakLength(s.data[s.at+1:])
		for end < len(s.data) && (s.data[end] == ' ' || s.data[end] == '\t') {
			end++
		}
		s.at = end
		return true
	}
	_, size := utf8.DecodeRuneInString(s.value)
	if size == 0 {
		return false
	}
	return s.put(s.value[:size], min(n, len(s.data)-s.at))
}

// header steps over the first line of a block scalar.
func (s *scalarReader) header() bool {
	if s.at >= len(s.data) || s.data[s.at] != '|' && s.data[s.at] != '>' {
		return false
	}
	i := bytes.IndexByte(s.data[s.at:], '\n')
	if i < 0 {
		s.at = len(s.data)
	} else {
		s.at += i + 1
	}
	return true
}

// line is the end of the line at s.at without its break, and the start of the
// next.
func (s *scalarReader) line() (end, next int) {
	i := bytes.IndexByte(s.data[s.at:], '\n')
	if i < 0 {
		return len(s.data), len(s.data)
	}
	end, next = s.at+i, s.at+i+1
	if end > s.at && s.data[end-1] == '\r' {
		end--
	}
	return end, next
}

// literal reads a "|" scalar line by line.
func (s *scalarReader) literal() bool {
	if !s.header() {
		return false
	}
	indent := -1
	for s.value != "" {
		if s.at >= len(s.data) {
			return false
		}
		end, next := s.line()
		want, _, _ := strings.Cut(s.value, "\n")
		if want != "" {
			if indent < 0 {
				indent = end - s.at - len(want)
			}
			if indent < 0 || s.at+indent > end || len(bytes.Trim(s.data[s.at:s.at+indent], " ")) != 0 {
				return false
			}
			s.at += indent
			if end-s.at != len(want) || !s.take(len(want)) {
				return false
			}
		} else if len(bytes.Trim(s.data[s.at:end], " ")) != 0 {
			return false
		} else {
			s.at = end
		}
		if s.value == "" {
			return true
		}
		if next-end == 1 {
			if !s.take(1) {
				return false
			}
		} else if !s.put("\n", next-end) {
			return false
		}
		s.at = next
	}
	return true
}

// folded reads a ">" scalar: lines of equal indentation are joined by a space.
func (s *scalarReader) folded() bool {
	if !s.header() {
		return false
	}
	indent := -1
	for s.value != "" {
		if s.at >= len(s.data) {
			return false
		}
		end, next := s.line()
		if len(bytes.TrimLeft(s.data[s.at:end], " ")) == 0 && (indent < 0 || end-s.at <= indent) {
			// An empty line stands for a newline of its own or ends a fold;
			// either way the value says.
			if !s.put("\n", next-s.at) {
				s.at = next
			}
			continue
		}
		if indent < 0 {
			for indent = 0; s.at+indent < end && s.data[s.at+indent] == ' '; indent++ {
			}
			// A first line that keeps leading blanks has an explicit indicator.
			indent -= len(s.value) - len(strings.TrimLeft(s.value, " "))
		}
		if indent < 0 || s.at+indent > end {
			return false
		}
		s.at += indent
		if !s.take(end - s.at) {
			return false
		}
		switch {
		case s.value == "":
			return true
		case s.value[0] == ' ':
			if !s.put(" ", next-s.at) {
				return false
			}
		case s.value[0] == '\n':
			// The break of a kept line, or the first of the empty lines that
			// follow a folded one: their breaks are fewer by one.
			blank := s.blankLines(next)
			if newlines := len(s.value) - len(strings.TrimLeft(s.value, "\n")); newlines > blank || s.value == "\n" || blank == 0 {
				if !s.put("\n", next-s.at) {
					return false
				}
			} else {
				s.at = next
			}
		default:
			return false
		}
		s.at = next
	}
	return true
}

// blankLines counts the empty lines from at on.
func (s *scalarReader) blankLines(at int) int {
	n := 0
	for at < len(s.data) {
		i := bytes.IndexByte(s.data[at:], '\n')
		if i < 0 {
			i = len(s.data) - at - 1
		}
		if len(bytes.TrimSpace(s.data[at:at+i+1])) != 0 {
			break
		}
		n++
		at += i + 1
	}
	return n
}

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
	return getDepth(n, key, 0)
}

func getDepth(n *node, key string, depth int) *node {
	n = follow(n)
	if n == nil || n.Kind != yaml.MappingNode || depth > maxAliases {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i].Kind == yaml.ScalarNode {
			return n.Content[i+1]
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isMerge(n.Content[i]) {
			continue
		}
		merged := follow(n.Content[i+1])
		if merged != nil && merged.Kind == yaml.SequenceNode {
			for _, m := range merged.Content {
				if v := getDepth(m, key, depth+1); v != nil {
					return v
				}
			}
		} else if v := getDepth(merged, key, depth+1); v != nil {
			return v
		}
	}
	return nil
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
	content = cutScheme(content.Trim())
	f.values = expand(content, scan, look)
	for i := range links {
		for k := range f.values {
			f.values[k] = through(links[i], f.values[k])
		}
	}
	f.text = content
	if n.Kind == yaml.AliasNode {
		f.text = d.aliasText(n)
	}
	p.Use(f)
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

package parsers

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Most documents of a tree are written in a small part of YAML: block mappings
// and sequences of scalars that end with their line, block scalars, and flow
// collections, JSON among them. blockYAML reads that part, and nothing else, to the very
// tree that the library makes of it but for comments and the tags of plain
// scalars, which [yaml.Node.ShortTag] finds when asked; it takes about a tenth
// of the time. Whatever it does not know for certain (anchors, tags, tabs, a
// scalar over several lines, any error) it leaves to the
// library. FuzzBlockYAML holds the two against each other.
type blockYAML struct {
	data []byte
	wide bool // holds characters of more than a byte

	line int // of at, from 1
	bol  int // where the line starts
	eol  int // where it ends, without its break
	at   int // the next byte to read
	done bool

	// counted is a byte of the line, and runes the characters before it: a
	// long line is counted once.
	counted, runes int

	slab  []node  // nodes to hand out
	open  []*node // the children of the collections being read
	depth int
	text  []byte // scratch for values
}

const (
	// blockDepth bounds the recursion, far below the library's own limit.
	blockDepth = 200
	// blockKey is the length in bytes up to which a key is surely one to the
	// library, which stops at 1024 characters.
	blockKey = 1000
)

// parseBlockYAML is the root of a document, or nil where it has to be left to
// the library.
func parseBlockYAML(data []byte) *node {
	b := &blockYAML{data: data, eol: -1}
	if !b.readable() || !b.content() {
		return nil
	}
	if b.at == b.bol && isMarker(data[b.at:b.eol], "---") {
		if b.at += len("---"); !b.rest() || !b.content() {
			return nil
		}
	}
	root := b.node(-1)
	if root == nil || !b.done || root.Kind == yaml.ScalarNode {
		return nil
	}
	return root
}

// readable reports whether all characters are ones that need no thought: no
// control characters but LF and tab, no other line breaks, no byte-order marks.
func (b *blockYAML) readable() bool {
	for i := 0; i < len(b.data); {
		c := b.data[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		b.wide = true
		r, size := utf8.DecodeRune(b.data[i:])
		if r == utf8.RuneError || r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			return false
		}
		i += size
	}
	return true
}

// nextLine goes to the start of the next line.
func (b *blockYAML) nextLine() bool {
	b.bol = b.eol + 1
	if b.bol >= len(b.data) {
		b.at, b.eol, b.done = len(b.data), len(b.data), true
		return false
	}
	b.line++
	b.at, b.eol = b.bol, len(b.data)
	if n := bytes.IndexByte(b.data[b.bol:], '\n'); n >= 0 {
		b.eol = b.bol + n
	}
	return true
}

// content goes to the first character of the next line that has some.
func (b *blockYAML) content() bool {
	for b.nextLine() {
		b.spaces()
		if b.at < b.eol && b.data[b.at] != '#' {
			return true
		}
	}
	return false
}

func (b *blockYAML) spaces() {
	for b.at < b.eol && b.data[b.at] == ' ' {
		b.at++
	}
}

// rest reports whether nothing but a comment follows on the line.
func (b *blockYAML) rest() bool {
	from := b.at
	b.spaces()
	return b.at == b.eol || b.data[b.at] == '#' && b.at > from
}

// end is rest, and goes to the next line with content.
func (b *blockYAML) end(n *node) *node {
	if n == nil || !b.rest() {
		return nil
	}
	b.content()
	return n
}

// column is that of at, in bytes from 0. Indentation is ASCII, so bytes do for
// comparing.
func (b *blockYAML) column() int { return b.at - b.bol }

// is reports whether at is this character with a blank or the end of the line
// behind it: an indicator.
func (b *blockYAML) is(c byte) bool { return b.data[b.at] == c && b.ends(b.at+1) }

// ends reports whether a blank or the end of the line is at i.
func (b *blockYAML) ends(i int) bool { return i >= b.eol || b.data[i] == ' ' }

// make is a new node that starts at the byte at.
func (b *blockYAML) make(kind yaml.Kind, tag string, at int) *node {
	if len(b.slab) == 0 {
		b.slab = make([]node, 64)
	}
	n := &b.slab[0]
	b.slab = b.slab[1:]
	n.Kind, n.Tag, n.Line, n.Column = kind, tag, b.line, at-b.bol+1
	if b.wide {
		if b.counted < b.bol || b.counted > at {
			b.counted, b.runes = b.bol, 0
		}
		b.runes += utf8.RuneCount(b.data[b.counted:at])
		b.counted = at
		n.Column = b.runes + 1
	}
	return n
}

func (b *blockYAML) scalar(style yaml.Style, value string, at int) *node {
	tag := ""
	switch {
	case style != 0:
		tag = yaml.NodeTagString
	case value == "":
		tag = yaml.NodeTagNull
	case value == "<<":
		tag = yaml.MergeTag
	}
	n := b.make(yaml.ScalarNode, tag, at)
	n.Style, n.Value = style, value
	return n
}

// close ends a collection whose children start at from in open.
func (b *blockYAML) close(n *node, from int) *node {
	n.Content = append([]*node(nil), b.open[from:]...)
	b.open = b.open[:from]
	return n
}

// node reads what starts at the cursor, within a collection of the column
// parent, and goes to the next line with content behind it. It is nil where the
// library has to be asked, as are all the methods below.
func (b *blockYAML) node(parent int) *node {
	if b.depth++; b.depth > blockDepth {
		return nil
	}
	defer func() { b.depth-- }()
	if b.is('-') {
		return b.sequence(b.column())
	}
	line := b.bol
	start := b.at
	if key := b.key(); key != nil {
		return b.mapping(start-line, key, start)
	}
	b.at = start
	return b.value(parent)
}

// value reads a value that is no block collection.
func (b *blockYAML) value(parent int) *node {
	switch b.data[b.at] {
	case '|', '>':
		return b.block(parent)
	case '[', '{':
		return b.end(b.flow())
	case '"', '\'':
		return b.end(b.quoted())
	}
	start := b.at
	stop := b.plain()
	if stop <= start || b.at < b.eol && b.data[b.at] == ':' {
		return nil
	}
	return b.end(b.scalar(0, string(b.data[start:stop]), start))
}

// key reads a key and its colon. It is nil where no key is.
func (b *blockYAML) key() *node {
	start := b.at
	var n *node
	switch b.data[b.at] {
	case '"', '\'':
		if n = b.quoted(); n == nil {
			return nil
		}
		b.spaces()
	default:
		stop := b.plain()
		if stop <= start {
			return nil
		}
		n = b.scalar(0, string(b.data[start:stop]), start)
	}
	if b.at >= b.eol || !b.is(':') || b.at-start > blockKey {
		return nil
	}
	b.at++
	return n
}

// plain goes to the end of the plain scalar at the cursor, or to the colon
// behind it, and returns where its text ends: where it starts if there is none.
func (b *blockYAML) plain() int {
	start := b.at
	switch c := b.data[b.at]; {
	case strings.IndexByte("?:,[]{}#&*!|>'\"%@`\t", c) >= 0, c == '-' && b.ends(b.at+1):
		return start
	case start == b.bol && (isMarker(b.data[start:b.eol], "---") || isMarker(b.data[start:b.eol], "...")):
		return start
	}
	for i := start; ; i++ {
		if i < b.eol {
			switch b.data[i] {
			default:
				continue
			case '\t':
				return start
			case ':':
				if !b.ends(i + 1) {
					continue
				}
			case '#':
				if b.data[i-1] != ' ' {
					continue
				}
			}
		}
		end := i
		for end > start && b.data[end-1] == ' ' {
			end--
		}
		if b.at = end; i < b.eol && b.data[i] == ':' {
			b.at = i
		}
		return end
	}
}

// mapping reads a block mapping of the column whose first key, colon included,
// has been read.
func (b *blockYAML) mapping(column int, key *node, start int) *node {
	m := b.make(yaml.MappingNode, yaml.NodeTagMap, start)
	m.Line, m.Column = key.Line, key.Column
	from := len(b.open)
	for {
		value := b.mapped(column)
		if value == nil {
			return nil
		}
		b.open = append(b.open, key, value)
		if b.done || b.column() < column {
			return b.close(m, from)
		}
		if b.column() > column {
			return nil
		}
		if key = b.key(); key == nil {
			return nil
		}
	}
}

// mapped reads the value behind the colon of a key.
func (b *blockYAML) mapped(column int) *node {
	colon := b.at
	if !b.rest() {
		if b.at == colon || b.is('-') {
			return nil
		}
		return b.value(column)
	}
	null := b.scalar(0, "", colon)
	switch b.content(); {
	case b.done || b.column() < column:
		return null
	case b.column() > column:
		return b.node(column)
	case b.is('-'):
		return b.sequence(column)
	}
	return null
}

// sequence reads a block sequence of the column.
func (b *blockYAML) sequence(column int) *node {
	s := b.make(yaml.SequenceNode, yaml.NodeTagSeq, b.at)
	from := len(b.open)
	for {
		item := b.item(column)
		if item == nil {
			return nil
		}
		b.open = append(b.open, item)
		if b.done || b.column() < column || b.column() == column && !b.is('-') {
			return b.close(s, from)
		}
		if b.column() > column {
			return nil
		}
	}
}

// item reads the dash at the cursor and what is behind it.
func (b *blockYAML) item(column int) *node {
	b.at++
	dash := b.at
	if !b.rest() {
		return b.node(column)
	}
	null := b.scalar(0, "", dash)
	if b.content(); !b.done && b.column() > column {
		return b.node(column)
	}
	return null
}

// quoted reads a quoted scalar that ends on its line.
func (b *blockYAML) quoted() *node {
	start := b.at
	line := b.data[:b.eol]
	b.at++
	if line[start] == '"' {
		return b.doubleQuoted(line, start)
	}
	text := b.text[:0]
	for {
		n := bytes.IndexByte(line[b.at:], '\'')
		if n < 0 {
			return nil
		}
		text = append(text, line[b.at:b.at+n]...)
		if b.at += n + 1; b.at == b.eol || line[b.at] != '\'' {
			break
		}
		text = append(text, '\'') // "''" is a quote
		b.at++
	}
	b.text = text
	return b.quotedScalar(yaml.SingleQuotedStyle, start)
}

// doubleQuoted reads the scalar of the line whose opening quote is at start.
func (b *blockYAML) doubleQuoted(line []byte, start int) *node {
	text := b.text[:0]
	for {
		n := bytes.IndexAny(line[b.at:], "\"\\")
		if n < 0 {
			return nil
		}
		text = append(text, line[b.at:b.at+n]...)
		b.at += n + 1
		if line[b.at-1] == '"' {
			break
		}
		if b.at == b.eol {
			return nil
		}
		switch c := line[b.at]; c {
		case '\\', '"':
			text = append(text, c)
		case 'n':
			text = append(text, '\n')
		case 't':
			text = append(text, '\t')
		case 'u':
			r := escapedUnit(line[b.at-1:])
			if utf16.IsSurrogate(r) || r == utf8.RuneError {
				return nil
			}
			text = utf8.AppendRune(text, r)
			b.at += len("XXXX")
		default: // rare, and the library knows which there are
			return nil
		}
		b.at++
	}
	b.text = text
	return b.quotedScalar(yaml.DoubleQuotedStyle, start)
}

// quotedScalar is the scalar whose value is in text.
func (b *blockYAML) quotedScalar(style yaml.Style, start int) *node {
	if bytes.IndexByte(b.data[start:b.at], '\t') >= 0 {
		return nil
	}
	return b.scalar(style, string(b.text), start)
}

// flow reads a flow collection or a scalar of one.
func (b *blockYAML) flow() *node {
	if b.depth++; b.depth > blockDepth {
		return nil
	}
	defer func() { b.depth-- }()
	switch b.data[b.at] {
	case '[':
		return b.flowCollection(yaml.SequenceNode, yaml.NodeTagSeq, ']')
	case '{':
		return b.flowCollection(yaml.MappingNode, yaml.NodeTagMap, '}')
	case '"', '\'':
		return b.quoted()
	}
	return b.flowPlain()
}

// flowSpace goes to the next character that is no white space, over lines. It
// reports false where there is none, or a document may end.
func (b *blockYAML) flowSpace() bool {
	for {
		for ; b.at < b.eol; b.at++ {
			if c := b.data[b.at]; c != ' ' && c != '\t' {
				return true
			}
		}
		if !b.nextLine() || isMarker(b.data[b.bol:b.eol], "---") || isMarker(b.data[b.bol:b.eol], "...") {
			return false
		}
	}
}

func (b *blockYAML) flowCollection(kind yaml.Kind, tag string, closing byte) *node {
	n := b.make(kind, tag, b.at)
	n.Style = yaml.FlowStyle
	from := len(b.open)
	b.at++
	for {
		if !b.flowSpace() {
			return nil
		}
		if b.data[b.at] == closing {
			b.at++
			return b.close(n, from)
		}
		if kind == yaml.MappingNode {
			key := b.flowKey()
			if key == nil || !b.flowSpace() {
				return nil
			}
			b.open = append(b.open, key)
		}
		item := b.flow()
		if item == nil || !b.flowSpace() {
			return nil
		}
		b.open = append(b.open, item)
		switch b.data[b.at] {
		case ',':
			b.at++
		case closing:
		default:
			return nil
		}
	}
}

// flowKey reads a scalar and the colon behind it.
func (b *blockYAML) flowKey() *node {
	start := b.at
	var key *node
	switch c := b.data[b.at]; c {
	case '"', '\'':
		key = b.quoted()
	default:
		key = b.flowPlain()
	}
	if key == nil || b.at >= b.eol || b.data[b.at] != ':' || b.at-start > blockKey {
		return nil
	}
	if key.Style == 0 && !b.ends(b.at+1) {
		return nil
	}
	b.at++
	return key
}

// flowPlain reads a plain scalar within a flow collection.
func (b *blockYAML) flowPlain() *node {
	start := b.at
	if c := b.data[start]; strings.IndexByte("?:,[]{}#&*!|>'\"%@`\t-", c) >= 0 && (c != '-' || start+1 == b.eol || strings.IndexByte(" ,[]{}", b.data[start+1]) >= 0) {
		return nil
	}
	i := start
	for ; i < b.eol; i++ {
		switch c := b.data[i]; c {
		default:
			continue
		case ',', '[', ']', '{', '}':
		case ':':
			if !b.ends(i+1) && strings.IndexByte(",[]{}", b.data[i+1]) < 0 {
				continue
			}
			if i+1 < b.eol && b.data[i+1] != ' ' {
				return nil
			}
		case '?', '\t', '#':
			return nil
		}
		break
	}
	b.at = i
	for b.data[i-1] == ' ' {
		i--
	}
	return b.scalar(0, string(b.data[start:i]), start)
}

// block reads a literal or folded scalar
// (https://yaml.org/spec/1.2.2/#81-block-scalar-styles).
func (b *blockYAML) block(parent int) *node {
	style, start := yaml.LiteralStyle, b.at
	if b.data[b.at] == '>' {
		style = yaml.FoldedStyle
	}
	n := b.scalar(style, "", start)
	b.at++
	var chomp byte
	if b.at < b.eol && (b.data[b.at] == '-' || b.data[b.at] == '+') {
		chomp = b.data[b.at]
		b.at++
	}
	if !b.rest() { // an indentation indicator among others
		return nil
	}
	indent := b.blockIndent(parent)
	if indent == 0 {
		return nil
	}
	text := b.text[:0]
	at := b.eol + 1       // where the next line starts
	broken := false       // a line break is due before the next text
	leading := false      // the last text starts with a blank
	breaks, lines := 0, 0 // the empty lines since that text, and all lines read
	for at < len(b.data) {
		i, stop := at, len(b.data)
		for i < len(b.data) && i-at < indent && b.data[i] == ' ' {
			i++
		}
		if n := bytes.IndexByte(b.data[i:], '\n'); n >= 0 {
			stop = i + n
		}
		if i == len(b.data) {
			break
		}
		if i == stop {
			breaks++
		} else {
			if i-at < indent {
				if b.data[i] == '\t' {
					return nil
				}
				break
			}
			blank := b.data[i] == ' ' || b.data[i] == '\t'
			switch {
			case !broken:
			case style == yaml.LiteralStyle || leading || blank:
				text = append(text, '\n')
			case breaks == 0:
				text = append(text, ' ')
			}
			for ; breaks > 0; breaks-- {
				text = append(text, '\n')
			}
			text = append(text, b.data[i:stop]...)
			leading, broken = blank, stop < len(b.data)
		}
		at = stop + 1
		lines++
	}
	if broken && chomp != '-' {
		text = append(text, '\n')
	}
	for ; breaks > 0 && chomp == '+'; breaks-- {
		text = append(text, '\n')
	}
	n.Value, b.text = string(text), text
	b.eol = at - 1
	b.line += lines
	b.content()
	return n
}

// blockIndent is the column of the text of a block scalar: that of its first
// line which is not empty. It is 0 where an empty line is wider, or a tab
// indents.
func (b *blockYAML) blockIndent(parent int) int {
	widest := 0
	for at := b.eol + 1; ; {
		i := at
		for i < len(b.data) && b.data[i] == ' ' {
			i++
		}
		width := i - at
		if i < len(b.data) && b.data[i] == '\n' {
			widest = max(widest, width)
			at = i + 1
			continue
		}
		if i < len(b.data) && b.data[i] == '\t' || width < widest {
			return 0
		}
		return max(width, parent+1, 1)
	}
}

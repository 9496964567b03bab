package parsers

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// XML, with the place of every text (https://www.w3.org/TR/xml/).

// element is an element of an XML file.
type element struct {
	name     string
	parent   *element
	children []*element
	// text is what stands between its tags, its own text alone, decoded and
	// without white space around it; nil for an element with others in it.
	text *source.Text
	// start is the first byte of the element in the text.
	start int
	// attributes are those of the tag.
	attributes map[string]string
}

// maxElements and maxXMLDepth bound a tree.
const (
	maxElements = 200_000
	maxXMLDepth = 1000
)

// xml reads a text as XML. A broken rest is a problem, and what stands before it
// counts.
func (p *Pass) xml() *element {
	root := &element{}
	d := xml.NewDecoder(bytes.NewReader(asUTF8(p.Text.Data)))
	d.Strict = false
	d.CharsetReader = nil
	at := root
	depth, count := 0, 0
	for depth < maxXMLDepth && count < maxElements {
		start := int(d.InputOffset())
		token, err := d.RawToken()
		if err != nil {
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) {
				p.Fail(int(d.InputOffset()), "%s", syntax.Msg)
			}
			break
		}
		end := int(d.InputOffset())
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, parent: at, start: start}
			for _, a := range token.Attr {
				if e.attributes == nil {
					e.attributes = map[string]string{}
				}
				e.attributes[a.Name.Local] = a.Value
			}
			at.children = append(at.children, e)
			at, depth, count = e, depth+1, count+1
		case xml.EndElement:
			if at.parent != nil && at.name == token.Name.Local {
				at, depth = at.parent, depth-1
			}
		case xml.CharData:
			if t := p.charData(start, end); len(t.Data) > 0 && at.text == nil {
				at.text = t
			}
		}
	}
	return root
}

// asUTF8 is XML of which the decoder takes every byte for a character of its
// own: declarations of another encoding, and bytes outside ASCII where the text
// is no UTF-8, are masked. Bytes keep their places.
func asUTF8(data []byte) []byte {
	declared := bytes.HasPrefix(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte("<?xml"))
	if utf8.Valid(data) && !declared {
		return data
	}
	out := bytes.Clone(data)
	if declared {
		if i := bytes.Index(out, []byte("?>")); i >= 0 {
			for k := bytes.IndexByte(out, '<'); k < i+2; k++ {
				out[k] = ' '
			}
		}
	}
	if !utf8.Valid(out) {
		for i, c := range out {
			if c >= utf8.RuneSelf {
				out[i] = 'x'
			}
		}
	}
	return out
}

// charData is the text between two tags, with its references to characters
// decoded.
func (p *Pass) charData(start, end int) *source.Text {
	t := p.Text.Slice(start, end)
	if inner, ok := bytes.CutPrefix(t.Data, []byte("<![CDATA[")); ok && bytes.HasSuffix(inner, []byte("]]>")) {
		return t.Slice(len("<![CDATA["), len(t.Data)-len("]]>")).Trim()
	}
	t = t.Trim()
	if bytes.IndexByte(t.Data, '&') < 0 {
		return t
	}
	b := source.NewBuilder(t)
	for at := 0; at < len(t.Data); {
		i := bytes.IndexByte(t.Data[at:], '&')
		if i < 0 {
			b.Copy(at, len(t.Data))
			break
		}
		b.Copy(at, at+i)
		at += i
		text, n := entity(t.Data[at:])
		if n == 0 {
			b.Copy(at, at+1)
			at++
			continue
		}
		b.Put(text, at, at+n)
		at += n
	}
	return b.Text()
}

// entity is what the reference at the start of data stands for, and its length.
func entity(data []byte) (string, int) {
	for name, text := range map[string]string{"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": `"`, "&apos;": "'"} {
		if bytes.HasPrefix(data, []byte(name)) {
			return text, len(name)
		}
	}
	return "", 0
}

// child is the first child of that name along a path, or nil.
func (e *element) child(path ...string) *element {
	for _, name := range path {
		var next *element
		if e == nil {
			return nil
		}
		for _, c := range e.children {
			if c.name == name {
				next = c
				break
			}
		}
		e = next
	}
	return e
}

// all are the children of that name.
func (e *element) all(name string) []*element {
	var out []*element
	if e != nil {
		for _, c := range e.children {
			if c.name == name {
				out = append(out, c)
			}
		}
	}
	return out
}

// each yields e and all elements below it in order.
func (e *element) each(yield func(*element)) {
	yield(e)
	for _, c := range e.children {
		c.each(yield)
	}
}

// string is the text of e, or "".
func (e *element) string() string {
	if e == nil || e.text == nil {
		return ""
	}
	return e.text.String()
}

// pointer is the names of the elements around e and its own, from the one
// called from.
func (e *element) pointer(from string) string {
	var names []string
	for ; e != nil && e.name != ""; e = e.parent {
		names = append([]string{e.name}, names...)
		if e.name == from {
			break
		}
	}
	return strings.Join(names, ".")
}

// properties are the elements that the format takes for variables, by name.
type properties struct {
	scan     scanner
	elements map[string][]*element
	bindings map[string]*binding
	class    *class
	// word is how readers write a name.
	word func(name string) string
}

// look is the binding of a property: to the texts of all that define it.
func (v *properties) look(name string) *binding {
	if b := v.bindings[name]; b != nil {
		return b
	}
	var defined []*element
	for _, e := range v.elements[name] {
		if e.text != nil {
			defined = append(defined, e)
		}
	}
	if len(defined) == 0 {
		return nil
	}
	first := defined[0].text
	b := &binding{name: name, class: v.class, file: first.File, word: v.word(name), region: source.Span{End: len(first.File.Data)}}
	b.eval = func() []expr {
		var out []expr
		for _, e := range defined {
			out = append(out, expand(e.text, v.scan, v.look)...)
		}
		return out
	}
	v.bindings[name] = b
	return b
}

// use reports the text of an element.
func (v *properties) use(p *Pass, e *element, role image.Role, pointer string) {
	if e == nil || e.text == nil {
		return
	}
	t := cutScheme(e.text)
	if t.String() == "scratch" {
		return // no image, but none to build on
	}
	p.Use(found{text: t, values: expand(t, v.scan, v.look), role: role, pointer: pointer})
}

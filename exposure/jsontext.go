package exposure

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxValue bounds one object of a listing, in bytes. etcd, which keeps those of a
// cluster, takes 1.5 MB at most.
const maxValue = 16 << 20

// jsonText reads text that holds JSON documents, lines, or some of each: people
// append the output of one command to that of another. It gives the elements of
// a list one by one, so that a list may be larger than the memory.
//
// encoding/json's decoder reads ahead, which would lose what stands behind a
// document, and does not know lines.
type jsonText struct {
	r    *bufio.Reader
	line int    // of the next byte, from one
	err  error  // that ended the text; io.EOF at its end
	buf  []byte // the last value
}

func newJSONText(r io.Reader) *jsonText {
	t := &jsonText{r: bufio.NewReaderSize(r, maxLine), line: 1}
	const mark = "\ufeff" // a byte order mark
	if head, _ := t.r.Peek(len(mark)); string(head) == mark {
		t.r.Discard(len(mark)) //nolint:errcheck // they are buffered
	}
	return t
}

// listedItem is a JSON object of a listing.
type listedItem struct {
	line int
	// list is the member that holds the list that it is an element of, if
	// there is one: "items". kind is that of the list: "PodList".
	list, kind string
	raw        []byte // until the next item
	err        error  // in place of raw
}

var (
	errSyntax = errors.New("malformed JSON")
	errEnd    = errors.New("the JSON that begins here does not end")
	errLong   = fmt.Errorf("an object of more than %d bytes was left unread", maxValue)
)

// peek is the next byte that is no blank, which is not taken. It is false at the
// end of the text.
func (t *jsonText) peek() (byte, bool) {
	for t.err == nil {
		c, err := t.r.ReadByte()
		switch {
		case err != nil:
			t.err = err
		case c == '\n':
			t.line++
		case c != ' ' && c != '\t' && c != '\r':
			t.r.UnreadByte() //nolint:errcheck // a byte was just read
			return c, true
		}
	}
	return 0, false
}

// take takes the byte that peek has shown.
func (t *jsonText) take() { t.r.Discard(1) } //nolint:errcheck // it is buffered

// startsJSON reports whether the bracket c that comes next begins a document,
// and not a line such as a shell's prompt "[root@host ~]#".
func (t *jsonText) startsJSON(c byte) bool {
	if c != '{' && c != '[' {
		return false
	}
	ahead, _ := t.r.Peek(maxLine / 2) // an error comes again with the next read
	for _, next := range ahead[1:] {
		switch next {
		case ' ', '\t', '\r', '\n':
		case '"':
			return true
		case '{', '[', ']':
			return c == '['
		case '}':
			return c == '{'
		default:
			return false
		}
	}
	return true
}

// readLine takes the rest of a line, at most maxLine bytes of it.
func (t *jsonText) readLine() string {
	part, err := t.r.ReadSlice('\n')
	line := string(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = t.r.ReadSlice('\n')
	}
	if err != nil {
		t.err = err
	}
	t.line++
	return strings.TrimRight(line, "\r\n")
}

// lists are the members of a document that hold what it lists, in kubectl's,
// crictl's and Docker's output.
var lists = []string{"items", "images", "containers", "Images", "Containers"}

// document takes one JSON document and gives its objects to each: the elements
// of an array, those of a list in an object, or the object itself. After an
// error the rest of the line is still there.
func (t *jsonText) document(each func(listedItem)) error {
	c, _ := t.peek()
	if c == '[' {
		return t.elements("", "", each)
	}
	item := listedItem{line: t.line}
	t.take()
	whole, list := []byte{'{'}, false
	for {
		c, ok := t.peek()
		switch {
		case !ok:
			return errSyntax
		case c == '}':
			t.take()
			if !list {
				item.raw = append(bytes.TrimSuffix(whole, []byte{','}), '}')
				each(item)
			}
			return nil
		case c == ',':
			t.take()
			continue
		case c != '"':
			return errSyntax
		}
		key, value, err := t.member(item.kind, each)
		switch {
		case errors.Is(err, errLong) || len(whole)+len(value) > maxValue:
			each(listedItem{line: item.line, err: errLong})
			list = true // the object is told
		case err != nil:
			return err
		case value == nil:
			list = true
		case !list:
			if string(key) == `"kind"` {
				item.kind = unquoteJSON(value)
			}
			whole = slices.Concat(whole, key, []byte{':'}, value, []byte{','})
		}
	}
}

// member takes a member of an object. Its value is nil where it was a list whose
// elements each was given.
func (t *jsonText) member(kind string, each func(listedItem)) (key, value []byte, err error) {
	key, err = t.value()
	if err != nil {
		return nil, nil, err
	}
	key = bytes.Clone(key)
	if c, _ := t.peek(); c != ':' {
		return nil, nil, errSyntax
	}
	t.take()
	c, _ := t.peek()
	if name := unquoteJSON(key); c == '[' && slices.Contains(lists, name) {
		return key, nil, t.elements(name, kind, each)
	}
	value, err = t.value()
	return key, value, err
}

// elements takes an array and gives its elements to each.
func (t *jsonText) elements(list, kind string, each func(listedItem)) error {
	t.take()
	for {
		c, ok := t.peek()
		switch {
		case !ok:
			return errSyntax
		case c == ']':
			t.take()
			return nil
		case c == ',':
			t.take()
			continue
		}
		item := listedItem{line: t.line, list: list, kind: kind}
		item.raw, item.err = t.value()
		if item.err != nil && !errors.Is(item.err, errLong) {
			return item.err
		}
		each(item)
	}
}

// value takes a JSON value whole. What it returns has the brackets and quotes of
// one, and is valid until the next call; more is encoding/json's to check.
func (t *jsonText) value() ([]byte, error) {
	t.buf = t.buf[:0]
	var s valueScanner
	long := false
	for !s.done {
		if _, err := t.r.Peek(1); err != nil {
			t.err = err
			return nil, errSyntax
		}
		chunk, _ := t.r.Peek(t.r.Buffered())
		n, ok := s.scan(chunk)
		if !ok {
			t.r.Discard(n) //nolint:errcheck // they are buffered
			return nil, errSyntax
		}
		if long = long || len(t.buf)+n > maxValue; !long {
			t.buf = append(t.buf, chunk[:n]...)
		}
		t.line += bytes.Count(chunk[:n], []byte{'\n'})
		t.r.Discard(n) //nolint:errcheck // they are buffered
	}
	switch {
	case long:
		return nil, errLong
	case len(t.buf) == 0:
		return nil, errSyntax
	}
	return t.buf, nil
}

// valueScanner finds the end of a JSON value by its brackets and quotes.
type valueScanner struct {
	depth    int
	started  bool
	inString bool
	escaped  bool
	done     bool
}

// scan is how many bytes of chunk belong to the value. It is false where a line
// ends within a string, which JSON does not allow: the value was cut there, and
// the next line may be another one.
func (s *valueScanner) scan(chunk []byte) (int, bool) {
	for i := 0; i < len(chunk); i++ {
		c := chunk[i]
		switch {
		case s.escaped:
			s.escaped = false
		case s.inString:
			switch c {
			case '\\':
				s.escaped = true
			case '\n':
				return i, false
			case '"':
				s.inString = false
				s.done = s.depth == 0
			}
		case c == '"':
			s.inString, s.started = true, true
		case c == '{' || c == '[':
			s.depth++
			s.started = true
		case s.depth == 0 && (c <= ' ' || c == ',' || c == '}' || c == ']' || c == ':'):
			s.done = true // a number, true, false or null ended
			return i, true
		case c == '}' || c == ']':
			s.depth--
			s.done = s.depth == 0
		}
		if s.done {
			return i + 1, true
		}
	}
	return len(chunk), true
}

// unquoteJSON is the text of a JSON string, empty for anything else.
func unquoteJSON(raw []byte) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

package lint

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/digestlint/digestlint/parsers"
)

// isBinary reports whether content is no text: as for git, one with a NUL byte
// near its start, unless it is UTF-16.
func isBinary(data []byte) bool {
	head := data[:min(len(data), 8000)]
	return utf16Order(head) == nil && bytes.IndexByte(head, 0) >= 0
}

// claimed reports whether the path of a file, or its first line, says what it
// is, whatever bytes it holds: builders and shells skip a NUL byte in a comment, so that it must not
// hide the file from the rules.
func (r *run) claimed(path string, data []byte) bool {
	if r.opts.Assign != nil {
		if name := r.opts.Assign(path); name != "" {
			return parsers.Lookup(name) != nil
		}
	}
	return parsers.Claims(r.opts.Unsaved.relative(path), data)
}

// utf16Problem is what is said of files in UTF-16. Some tools read them; what
// they name is neither judged nor pinned, as the places of edits are bytes of
// UTF-8.
const utf16Problem = "the text is UTF-16; save it as UTF-8"

// utf16Order is the order of the bytes of UTF-16 text that starts with a
// byte-order mark, nil of all other content
// (https://www.unicode.org/faq/utf_bom.html#bom4).
func utf16Order(data []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return binary.BigEndian
	}
	return nil
}

// fromUTF16 is text as UTF-8, the byte-order mark included. Half a character
// becomes U+FFFD, and half a code unit at the end nothing.
func fromUTF16(text []byte, order binary.ByteOrder) []byte {
	out := make([]byte, 0, len(text)/2+len(text)/8)
	for ; len(text) >= 2; text = text[2:] {
		r := rune(order.Uint16(text))
		if utf16.IsSurrogate(r) && len(text) >= 4 {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(text[2:]))); pair != utf8.RuneError {
				r, text = pair, text[2:]
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

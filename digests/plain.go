package digests

import (
	"strings"
	"unicode/utf8"

	"github.com/digestlint/digestlint/image"
)

// split cuts data into lines that YAML and everybody else count alike: YAML 1.1
// knows line breaks that no editor shows as such.
func (p *parser) split(data []byte) error {
	p.lines = strings.Split(string(data), "\n")
	p.list.crlf = strings.HasSuffix(p.lines[0], "\r")
	for i, line := range p.lines {
		if i < len(p.lines)-1 {
			line = strings.TrimSuffix(line, "\r")
		}
		p.lines[i] = line
		if !utf8.ValidString(line) {
			return p.errorf(i+1, 1, "not UTF-8 text")
		}
		if at := strings.IndexFunc(line, control); at >= 0 {
			return p.errorf(i+1, 1+utf8.RuneCountInString(line[:at]), "a control character")
		}
		if strings.HasPrefix(line, "<<<<<<< ") || strings.HasPrefix(line, ">>>>>>> ") {
			return p.errorf(i+1, 1, `an unresolved merge conflict; "merge=union" in .gitattributes avoids them`)
		}
	}
	return nil
}

// control reports whether r is no text: a control character, or a line break
// that only some know.
func control(r rune) bool {
	return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
}

// firstWord is the first word of the file that stands in no comment.
func (p *parser) firstWord() string {
	for _, line := range p.lines {
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(fields[0], "#") {
			return fields[0]
		}
	}
	return ""
}

// plain reads lines REFERENCE DIGEST. Blank lines, and lines that start with
// "#", are left out.
func (p *parser) plain() error {
	for i, line := range p.lines {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		e := &Entry{line: i + 1, column: column(line, fields[0])}
		if len(fields) != 2 {
			return p.errorf(e.line, e.column, "a line is REFERENCE DIGEST, not %q", strings.TrimSpace(line))
		}
		ref, err := image.Parse(fields[0])
		if err == nil {
			e.Image, err = canonical(ref)
		}
		if err != nil {
			return p.errorf(e.line, e.column, "%q is not a reference: %v", fields[0], err)
		}
		e.Digest = fields[1]
		at := 1 + utf8.RuneCountInString(line[:strings.LastIndex(line, fields[1])])
		if err := p.checkDigest(e, e.line, at); err != nil {
			return err
		}
		if err := p.add(e); err != nil {
			return err
		}
	}
	return nil
}

// column is where word first stands in line.
func column(line, word string) int {
	return 1 + utf8.RuneCountInString(line[:strings.Index(line, word)])
}

// checkDigest checks the digest of e, which stands at line and column.
func (p *parser) checkDigest(e *Entry, line, column int) error {
	if !image.ValidDigest(e.Digest) {
		return p.errorf(line, column, "%q is not a digest", e.Digest)
	}
	if e.Image.Digest != "" && e.Image.Digest != e.Digest {
		return p.errorf(line, column, "%s can't have the digest %s", e.Image, e.Digest)
	}
	return nil
}

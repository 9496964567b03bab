package advisories

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bundle is advisories that are published together.
type Bundle struct {
	Name string // an identifier
	// Made tells which of two bundles is the later one; UTC, to the second.
	Made       time.Time
	Advisories []*Advisory // in the order of their IDs, no two with the same
}

// ParseBundle reads a bundle: a stanza that names it, and then the advisories,
// each as [Parse] documents them.
//
//	bundle: NAME        first in the file, once
//	  made              a UTC time
//
// An error is a [*SyntaxError] at the first thing that is wrong, which may be
// that one advisory calls a digest good that another one lists.
func ParseBundle(name string, data []byte) (*Bundle, error) {
	stanzas, err := split(data)
	if err == nil {
		var b *Bundle
		if b, err = parseBundle(stanzas); err == nil {
			return b, nil
		}
	}
	err.Name = name
	return nil, err
}

// ParseAll reads a file that is either an advisory or a bundle.
func ParseAll(name string, data []byte) ([]*Advisory, error) {
	stanzas, err := split(data)
	if err == nil && stanzas[0][0].key == "bundle" {
		b, err := ParseBundle(name, data)
		if err != nil {
			return nil, err
		}
		return b.Advisories, nil
	}
	a, parseErr := Parse(name, data)
	if parseErr != nil {
		return nil, parseErr
	}
	return []*Advisory{a}, nil
}

func parseBundle(stanzas [][]field) (*Bundle, *SyntaxError) {
	b := &Bundle{}
	if err := b.header(stanzas[0]); err != nil {
		return nil, err
	}
	stanzas = stanzas[1:]
	if len(stanzas) == 0 {
		return nil, &SyntaxError{Line: 1, Column: 1, Message: "no advisory in the bundle"}
	}
	heads := map[string]field{} // by ID
	for len(stanzas) > 0 {
		n := 1
		for n < len(stanzas) && stanzas[n][0].key != "advisory" {
			n++
		}
		head := stanzas[0][0]
		p := parser{a: &Advisory{}}
		if err := p.advisory(stanzas[:n]); err != nil {
			return nil, err
		}
		if _, again := heads[p.a.ID]; again {
			return nil, head.errorf("advisory %q twice", p.a.ID)
		}
		heads[p.a.ID] = head
		b.Advisories = append(b.Advisories, p.a)
		stanzas = stanzas[n:]
	}
	slices.SortFunc(b.Advisories, func(a, b *Advisory) int { return strings.Compare(a.ID, b.ID) })
	if all := NewSet(b.Advisories).Contradictions(); len(all) > 0 {
		return nil, heads[all[0].Good.ID].errorf("%s", all[0])
	}
	return b, nil
}

func (b *Bundle) header(s []field) *SyntaxError {
	if s[0].key != "bundle" {
		return s[0].badKey("a bundle starts with the stanza that names it")
	}
	err := each(s, func(f field) *SyntaxError {
		switch f.key {
		case "bundle":
			return identifier(f, &b.Name)
		case "made":
			t, u, err := moment(f, f.value)
			if err == nil && (u != Second || t.IsZero()) {
				err = f.errorf("%q is not a UTC time", f.value)
			}
			b.Made = t
			return err
		}
		return errUnknownKey
	})
	if err != nil {
		return err
	}
	return require(s, "made")
}

// WriteBundle makes the text of a bundle of advisory files, given by their
// names and contents. It has been read with [ParseBundle]; errors are of that,
// or name the file that is no advisory.
func WriteBundle(name string, made time.Time, files []File) ([]byte, error) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "bundle: %s\nmade: %s\n", name, made.UTC().Format(layouts[Second]))
	for _, f := range files {
		if _, err := Parse(f.Name, f.Data); err != nil {
			return nil, err
		}
		text.WriteByte('\n')
		text.Write(bytes.TrimRight(f.Data, "\r\n"))
		text.WriteByte('\n')
	}
	if _, err := ParseBundle("the bundle", text.Bytes()); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// File is a file as it was read.
type File struct {
	Name string
	Data []byte
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// parser reads the nodes of one file.
type parser struct {
	name    string   // as errors show it
	root    string   // the folder that files have to lie in; empty: any
	formats []string // the names that a format may have
	data    []byte
}

// document is the one document of the file; nil where there is nothing in it.
func (p *parser) document() (*yaml.Node, error) {
	if at := invalidUTF8(p.data); at >= 0 {
		before := p.data[:at]
		line := 1 + bytes.Count(before, []byte("\n"))
		column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
		return nil, p.errorAt(line, column, "the file has to be UTF-8")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(p.data))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, p.syntax(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, p.errorf(&second, "a second document; all settings have to stand in one")
	case !errors.Is(err, io.EOF):
		return nil, p.syntax(err)
	}
	if len(first.Content) == 0 || first.Content[0].ShortTag() == "!!null" {
		return nil, nil
	}
	return first.Content[0], nil
}

// invalidUTF8 is the offset of the first byte that is no part of UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func (p *parser) errorf(n *yaml.Node, format string, args ...any) *Error {
	return p.errorAt(n.Line, n.Column, format, args...)
}

// lineBreak is what ends a line in YAML 1.1, which the library reads
// (https://yaml.org/spec/1.1/#id871136).
var lineBreak = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

// errorAt is an error at a place that is moved into the file where it is not:
// the library puts what is missing behind the end.
func (p *parser) errorAt(line, column int, format string, args ...any) *Error {
	lines := lineBreak.Split(string(p.data), -1)
	line = min(max(line, 1), len(lines))
	column = min(max(column, 1), 1+utf8.RuneCountInString(lines[line-1]))
	return &Error{Path: p.name, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

// syntax is an error of the YAML library with its line as a field.
func (p *parser) syntax(err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if n, m, ok := strings.Cut(rest, ": "); ok {
			if k, err := strconv.Atoi(n); err == nil {
				line, message = k, m
			}
		}
	}
	if lines := lineBreak.Split(string(p.data), -1); line <= len(lines) && strings.HasPrefix(strings.TrimLeft(lines[max(line, 1)-1], " "), "\t") {
		message = "YAML is indented by spaces, and this line by a tab"
	}
	return p.errorAt(line, 1, "%s", message)
}

// mapping calls each for the keys of a mapping, which may stand once.
func (p *parser) mapping(n *yaml.Node, what string, each func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return p.errorf(n, "%s has to be a mapping%s", what, not(n))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return p.errorf(key, "a key of %s has to be a text", what)
		}
		if seen[key.Value] {
			return p.errorf(key, "%q stands twice in %s", key.Value, what)
		}
		seen[key.Value] = true
		if err := each(key, value); err != nil {
			return err
		}
	}
	return nil
}

// not says what n is where that may surprise.
func not(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		return ", written here: aliases are not followed"
	case n.ShortTag() == "!!null":
		return ", and is empty"
	}
	return ""
}

// A kind is a sort of value: what it is called, how it is read, and what a JSON
// Schema says of it.
type kind[V any] struct {
	name   string // with an article, as "a duration"
	read   func(p *parser, n *yaml.Node) (V, error)
	schema object
}

// with is the kind with more in its schema.
func (k kind[V]) with(key string, value any) kind[V] {
	k.schema = maps.Clone(k.schema)
	k.schema[key] = value
	return k
}

// scalar is a kind that is written as one text of one of the YAML types tags.
func scalar[V any](name string, parse func(text string) (V, error), tags ...string) kind[V] {
	return kind[V]{name, func(p *parser, n *yaml.Node) (V, error) {
		var none V
		if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.ShortTag()) {
			return none, p.errorf(n, "this has to be %s%s", name, not(n))
		}
		v, err := parse(n.Value)
		if err != nil {
			return none, p.errorf(n, "%v", err)
		}
		return v, nil
	}, object{"type": jsonTypes[tags[len(tags)-1]]}}
}

// list is a list of a kind, called name.
func list[V any](name string, of kind[V]) kind[[]V] {
	return kind[[]V]{name, func(p *parser, n *yaml.Node) ([]V, error) {
		if n.Kind != yaml.SequenceNode {
			return nil, p.errorf(n, "this has to be %s%s", name, not(n))
		}
		all := []V{} // an empty list is not the same as none
		for _, item := range n.Content {
			v, err := of.read(p, item)
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		return all, nil
	}, object{"type": "array", "items": of.schema}}
}

// setting is one key of a mapping that fills a T.
type setting[T any] struct {
	Setting
	below  []Setting // those in it, where the value holds settings
	read   func(p *parser, value *yaml.Node, into *T) error
	schema func(formats []string) object
}

// or is the setting with what holds where it is not set.
func (s setting[T]) or(value string) setting[T] {
	s.Default = value
	return s
}

// field is a setting of one value, which belongs where place says.
func field[T, V any](key string, k kind[V], doc string, place func(*T) *V) setting[T] {
	return setting[T]{
		Setting: Setting{Key: key, Type: k.name, Doc: doc},
		read: func(p *parser, value *yaml.Node, into *T) error {
			v, err := k.read(p, value)
			if err == nil {
				*place(into) = v
			}
			return err
		},
		schema: func([]string) object { return k.schema },
	}
}

// section is a setting with settings of its own.
func section[T, S any](key string, settings []setting[S], place func(*T) *S) setting[T] {
	return setting[T]{
		Setting: Setting{Key: key},
		below:   below(key, settings),
		read: func(p *parser, value *yaml.Node, into *T) error {
			return read(p, value, key, settings, place(into))
		},
		schema: func(formats []string) object { return mappingSchema(settings, formats) },
	}
}

// entries is a setting that is a list of mappings. An entry is complete when
// check says so; n is where it stands. Required are the keys that all have.
func entries[T, S any](key string, settings []setting[S], required []string, place func(*T) *[]S,
	check func(p *parser, n *yaml.Node, entry *S, before []S) error) setting[T] {
	return setting[T]{
		Setting: Setting{Key: key},
		below:   below(key+"[]", settings),
		read: func(p *parser, value *yaml.Node, into *T) error {
			if value.Kind != yaml.SequenceNode {
				return p.errorf(value, "%s has to be a list%s", key, not(value))
			}
			all := place(into)
			for _, n := range value.Content {
				var entry S
				if n.Kind != yaml.MappingNode {
					return p.errorf(n, "an entry of %s has to be a mapping, as in `- %s: …`%s", key, settings[0].Key, not(n))
				}
				if err := read(p, n, "an entry of "+key, settings, &entry); err != nil {
					return err
				}
				for _, k := range required {
					if !has(n, k) {
						return p.errorf(n, "this entry of %s has no %s", key, k)
					}
				}
				if err := check(p, n, &entry, *all); err != nil {
					return err
				}
				*all = append(*all, entry)
			}
			return nil
		},
		schema: func(formats []string) object {
			item := mappingSchema(settings, formats)
			if len(required) > 0 {
				item["required"] = required
			}
			return object{"type": "array", "items": item}
		},
	}
}

// has reports whether a mapping has the key.
func has(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// read fills into from the mapping n, which messages call what.
func read[T any](p *parser, n *yaml.Node, what string, settings []setting[T], into *T) error {
	return p.mapping(n, what, func(key, value *yaml.Node) error {
		var known []string
		for _, s := range settings {
			if s.Key == key.Value {
				return s.read(p, value, into)
			}
			known = append(known, s.Key)
		}
		return p.errorf(key, "%q is no setting of %s; the settings are %s", key.Value, what, strings.Join(known, ", "))
	})
}

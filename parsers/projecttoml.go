package parsers

import (
	"bytes"
	"strings"

	"github.com/digestlint/digestlint/source"
)

// ProjectTOML reads the project descriptors of Cloud Native Buildpacks
// (https://buildpacks.io/docs/reference/config/project-descriptor/) and the
// configurations of builders and buildpack packages
// (https://buildpacks.io/docs/reference/config/builder-config/).
var ProjectTOML = register(Format{
	Name:    "projecttoml",
	Title:   "Buildpacks project.toml",
	Files:   "`project.toml`, `builder.toml` and `package.toml` with the tables of buildpacks.",
	Places:  "The builder, build and run images, and `docker://` buildpacks.",
	Comment: "#",
	Detect:  detectProjectTOML,
	Parse:   parseProjectTOML,
})

func detectProjectTOML(c *Candidate) Certainty {
	switch c.lower {
	case "project.toml": // Julia's packages have one too
		if containsAny(c.Data, []string{"[io.buildpacks", "[_]", "[build]", "[[build."}) {
			return Path
		}
	case "builder.toml":
		if containsAny(c.Data, []string{"[stack]", "[[run.images]]", "[[buildpacks]]", "[[order]]"}) {
			return Path
		}
	case "package.toml":
		if containsAny(c.Data, []string{"[buildpack]", "[[dependencies]]", "[extension]"}) {
			return Path
		}
	}
	return No
}

func parseProjectTOML(p *Pass) {
	readTOML(p.Text, func(key string, value *source.Text) {
		last := key[strings.LastIndexByte(key, '.')+1:]
		switch {
		case last == "uri":
			if !bytes.HasPrefix(value.Data, []byte("docker://")) {
				return
			}
		case key == "io.buildpacks.builder", key == "build.builder":
		case key == "stack.build-image", key == "stack.run-image", key == "stack.run-image-mirrors",
			key == "run.images.image", key == "run.images.mirrors", key == "build.image",
			key == "dependencies.image", key == "buildpacks.image":
		default:
			return
		}
		p.Use(found{text: cutScheme(value), pointer: key})
	})
}

// readTOML gives every string of a TOML text with its key, tables and inline
// tables included; the items of a list have the list's key. It reads what holds
// strings, not the values of other types, and no multi-line strings
// (https://toml.io/en/v1.0.0).
func readTOML(t *source.Text, give func(key string, value *source.Text)) {
	r := &tomlReader{text: t, data: t.Data, give: give}
	for r.at < len(r.data) {
		r.skip(" \t\r\n")
		switch {
		case r.at >= len(r.data):
		case r.data[r.at] == '#':
			r.at = lineEnd(r.data, r.at)
		case r.data[r.at] == '[':
			r.skip("[ \t")
			r.table = r.key()
			r.at = lineEnd(r.data, r.at)
		default:
			r.pair(r.table, 0)
			r.at = lineEnd(r.data, r.at)
		}
	}
}

// tomlReader is where a TOML text is being read.
type tomlReader struct {
	text  *source.Text
	data  []byte
	at    int
	table string
	give  func(key string, value *source.Text)
}

// maxTOMLDepth bounds lists and tables within each other.
const maxTOMLDepth = 32

func (r *tomlReader) skip(chars string) {
	for r.at < len(r.data) && strings.IndexByte(chars, r.data[r.at]) >= 0 {
		r.at++
	}
}

// blank skips white space, line ends and comments.
func (r *tomlReader) blank() {
	for r.skip(" \t\r\n"); r.at < len(r.data) && r.data[r.at] == '#'; r.skip(" \t\r\n") {
		r.at = lineEnd(r.data, r.at)
	}
}

// key reads a key, dotted or not.
func (r *tomlReader) key() string {
	var parts []string
	for r.at < len(r.data) {
		r.skip(" \t")
		if s := r.str(); s != nil {
			parts = append(parts, s.String())
		} else {
			start := r.at
			for r.at < len(r.data) && (isNameByte(r.data[r.at]) || r.data[r.at] == '-') {
				r.at++
			}
			parts = append(parts, string(r.data[start:r.at]))
		}
		r.skip(" \t")
		if r.at >= len(r.data) || r.data[r.at] != '.' {
			break
		}
		r.at++
	}
	return strings.Join(parts, ".")
}

// pair reads "key = value" within a table.
func (r *tomlReader) pair(table string, depth int) {
	key := joinKey(table, r.key())
	if r.at < len(r.data) && r.data[r.at] == '=' {
		r.at++
		r.skip(" \t")
		r.value(key, depth)
	}
}

func joinKey(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

func (r *tomlReader) value(key string, depth int) {
	if r.at >= len(r.data) || depth > maxTOMLDepth {
		return
	}
	switch c := r.data[r.at]; c {
	case '"', '\'':
		if quote := bytes.Repeat([]byte{c}, 3); bytes.HasPrefix(r.data[r.at:], quote) {
			r.at += 3
			if i := bytes.Index(r.data[r.at:], quote); i >= 0 {
				r.at += i + 3
			} else {
				r.at = len(r.data)
			}
			return
		}
		if s := r.str(); s != nil {
			r.give(key, s)
		}
	case '[', '{':
		r.at++
		for r.blank(); r.at < len(r.data) && r.data[r.at] != ']' && r.data[r.at] != '}'; r.blank() {
			start := r.at
			if c == '[' {
				r.value(key, depth+1)
			} else {
				r.pair(key, depth+1)
			}
			r.blank()
			r.skip(",")
			if r.at == start {
				return // broken
			}
		}
		r.at = min(r.at+1, len(r.data))
	default:
		for r.at < len(r.data) && strings.IndexByte(",]}#\n", r.data[r.at]) < 0 {
			r.at++
		}
	}
}

// str reads a string on one line, or gives nil where none begins or it has no
// end. What is escaped stays as it is written: no reference has anything to
// escape.
func (r *tomlReader) str() *source.Text {
	if r.at >= len(r.data) || r.data[r.at] != '"' && r.data[r.at] != '\'' {
		return nil
	}
	quote := r.data[r.at]
	for i := r.at + 1; i < len(r.data) && r.data[i] != '\n'; i++ {
		switch {
		case r.data[i] == '\\' && quote == '"':
			i++
		case r.data[i] == quote:
			s := r.text.Slice(r.at+1, i)
			r.at = i + 1
			return s
		}
	}
	r.at = lineEnd(r.data, r.at)
	return nil
}

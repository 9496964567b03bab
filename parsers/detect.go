package parsers

import (
	"bytes"
	"path"
	"strings"
)

// What Detect functions share. They read lines, not structure: they run on
// every file of a tree.

// Candidate is a file whose format is sought, and what several formats ask of
// it, computed once.
type Candidate struct {
	Path string // with "/"
	Data []byte // the whole content

	base  string // the last element of the path
	lower string // base in lower case
	name  string // as dataName has it
	ext   string // as dataExt has it

	top  []string // see keys
	read bool
}

func newCandidate(name string, data []byte) *Candidate {
	base := path.Base(name)
	c := &Candidate{Path: name, Data: data, base: base, lower: strings.ToLower(base), name: dataName(base)}
	c.ext = path.Ext(c.name)
	return c
}

func (c *Candidate) isYAML() bool { return c.ext == ".yaml" || c.ext == ".yml" }

func (c *Candidate) isYAMLOrJSON() bool { return c.isYAML() || c.ext == ".json" }

// keys are the different ones of topKeys. The answer is shared.
func (c *Candidate) keys() []string {
	if !c.read {
		c.top, c.read = topKeys(c.Data), true
	}
	return c.top
}

// isYAML reports whether a path is YAML's, a template of it included.
func isYAML(name string) bool {
	switch dataExt(name) {
	case ".yaml", ".yml":
		return true
	}
	return false
}

// dataExt is the extension of a path under those that templates and samples
// add: ".yaml" for "pod.yaml.tmpl".
func dataExt(name string) string { return path.Ext(dataName(name)) }

// dataName is the base name of a path, in lower case, without the extensions
// that templates and samples add.
func dataName(name string) string {
	base := strings.ToLower(path.Base(name))
	for {
		ext := path.Ext(base)
		switch ext {
		case ".tmpl", ".tpl", ".template", ".j2", ".jinja", ".jinja2", ".in", ".dist", ".example", ".sample", ".orig", ".erb", ".gotmpl", ".m4":
			base = strings.TrimSuffix(base, ext)
			continue
		}
		return base
	}
}

// topKeys are the different keys of the lines with the least indentation, in
// order, of a YAML text; of JSON, those of its first level as far as lines tell.
func topKeys(data []byte) []string {
	var keys []string
	seen := map[string]bool{}
	indent := -1
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		if indent == 0 && len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			continue // most lines, and this runs on every YAML file of a tree
		}
		t := bytes.TrimLeft(line, " \t")
		if len(t) == 0 || t[0] == '#' || t[0] == '-' && !bytes.HasPrefix(t, []byte("- ")) || t[0] == '%' {
			continue
		}
		if n := len(line) - len(t); indent < 0 {
			indent = n
		} else if n > indent {
			continue
		}
		if key := lineKeyBytes(t); len(key) > 0 && !seen[string(key)] {
			k := string(key)
			seen[k] = true
			keys = append(keys, k)
		}
	}
	return keys
}

// lineKey is the key of a line "key: …", quoted or not, or "".
func lineKey(line []byte) string { return string(lineKeyBytes(line)) }

// lineKeyBytes is lineKey as a part of the line.
func lineKeyBytes(line []byte) []byte {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || i+1 < len(line) && strings.IndexByte(" \t\r", line[i+1]) < 0 {
		return nil
	}
	key := bytes.TrimSpace(line[:i])
	if n := len(key); n >= 2 && (key[0] == '"' || key[0] == '\'') && key[n-1] == key[0] {
		key = key[1 : n-1]
	}
	if len(key) > 100 {
		return nil
	}
	return key
}

// jsonHasKey reports whether JSON text has the key at some level.
func jsonHasKey(data []byte, key string) bool {
	quoted := `"` + key + `"`
	for {
		i := bytes.Index(data, []byte(quoted))
		if i < 0 {
			return false
		}
		data = data[i+len(quoted):]
		if t := bytes.TrimLeft(data, " \t\r\n"); len(t) > 0 && t[0] == ':' {
			return true
		}
	}
}

// inFolder reports whether a folder of that name is on the path.
func inFolder(name, folder string) bool {
	return strings.HasPrefix(name, folder+"/") || strings.Contains(name, "/"+folder+"/")
}

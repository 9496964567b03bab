package parsers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// HelmTemplate reads the templates of Helm charts
// (https://helm.sh/docs/chart_template_guide/) and manifests that are Jinja's
// templates. These are no YAML before they have been filled in: what can be
// read as Kubernetes objects with the templates masked is, and in all of it
// the lines "image: …" of containers are looked for. Only references without
// a template count.
var HelmTemplate = register(Format{
	Name:    "helmtemplate",
	Title:   "Helm template",
	Files:   "YAML and text with templates in a chart's folder `templates`, and manifests that are templates of Jinja.",
	Places:  "`image` of containers, where no template is in it.",
	Comment: "#",
	Detect:  detectHelmTemplate,
	Parse:   parseHelmTemplate,
})

// helmMarks are what the templates of charts have and other files in a folder
// "templates" have not.
var helmMarks = []string{"{{-", "-}}", ".Values", ".Release.", ".Chart.", "{{ include ", "{{ template ", "{{template ", "{{ define ", "{{/*"}

func detectHelmTemplate(c *Candidate) Certainty {
	jinja := isJinja(c.Path)
	switch ext := strings.ToLower(path.Ext(c.Path)); {
	case c.base == "NOTES.txt": // prose for people
		return No
	case ext == ".yaml", ext == ".yml", ext == ".tpl", ext == ".txt", jinja:
	default:
		return No
	}
	if !bytes.Contains(c.Data, []byte("{{")) && !(jinja && bytes.Contains(c.Data, []byte("{%"))) {
		return No
	}
	switch {
	case inFolder(c.Path, "templates") && containsAny(c.Data, helmMarks) && (!jinja || bytes.Contains(c.Data, []byte(".Values"))):
		return Likely
	case jinja && startsLine(c.Data, "apiVersion:") && startsLine(c.Data, "kind:"):
		return Content
	}
	return No
}

// isJinja reports whether a path is that of a YAML file that Jinja fills in.
func isJinja(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".j2", ".jinja", ".jinja2":
		return isYAML(name)
	}
	return false
}

func parseHelmTemplate(p *Pass) {
	text := p.Text
	if bytes.Contains(text.Data, []byte("{%")) || bytes.Contains(text.Data, []byte("{#")) {
		text = text.Masked(maskJinja(text.Data))
	}
	for _, piece := range splitDocuments(text) {
		if !containsAny(piece.Data, kubernetesWords) {
			continue
		}
		q := *p
		q.quiet = true
		if d := q.document(piece); d != nil && d.root != nil {
			k := &kubernetes{pass: &q, doc: d, walked: map[walkKey]bool{}}
			k.top(d.root, 0)
		}
	}
	s := templateScanner{pass: p, text: text, data: maskTemplates(text.Data)}
	s.scan()
}

// maskJinja is data of the same length in which statements and comments of
// Jinja are comments of YAML, or where other text stands on their line, marks
// that no reference has.
func maskJinja(data []byte) []byte {
	out := bytes.Clone(data)
	for at := 0; at < len(out); {
		i := bytes.IndexByte(out[at:], '{')
		if i < 0 || at+i+1 >= len(out) {
			break
		}
		start := at + i
		var shut string
		switch out[start+1] {
		case '%':
			shut = "%}"
		case '#':
			shut = "#}"
		default:
			at = start + 2
			continue
		}
		n := bytes.Index(out[start:], []byte(shut))
		if n < 0 {
			break
		}
		end := start + n + len(shut)
		for k := start; k < end; k++ {
			switch {
			case out[k] == '\n' || out[k] == '\r':
			case k > start && out[k-1] == '\n':
				out[k] = '#'
			default:
				out[k] = '?'
			}
		}
		if lineStart := bytes.LastIndexByte(out[:start], '\n') + 1; len(bytes.TrimSpace(out[lineStart:start])) == 0 {
			out[start] = '#'
		}
		at = end
	}
	return out
}

// templateScanner finds the lines "image: …" of containers in a text that is
// no YAML as a whole.
type templateScanner struct {
	pass *Pass
	text *source.Text // as it is in the file
	data []byte       // the same with templates masked
	// above are the keys under which the current line stands.
	above []lineAbove
}

// lineAbove is a key of a line with less indentation.
type lineAbove struct {
	column int
	key    string
}

func (s *templateScanner) scan() {
	if !bytes.Contains(s.data, []byte("image")) {
		return
	}
	for start := 0; start < len(s.data); {
		end := len(s.data)
		if i := bytes.IndexByte(s.data[start:], '\n'); i >= 0 {
			end = start + i
		}
		s.line(start, end)
		start = end + 1
	}
}

// line reads one line: its key goes to those above, and is looked at if it is
// "image".
func (s *templateScanner) line(start, end int) {
	at := start
	for at < end && s.data[at] == ' ' {
		at++
	}
	if at == end || s.data[at] == '#' || s.data[at] == '\r' || s.data[at] == '\t' {
		return
	}
	if isMarker(s.data[at:end], "---") {
		s.above = nil
		return
	}
	column := at - start
	s.drop(func(a lineAbove) bool { return a.column > column })
	item := false
	for at+1 < end && s.data[at] == '-' && s.data[at+1] == ' ' {
		item = true
		for at++; at < end && s.data[at] == ' '; at++ {
		}
	}
	if !item { // a list may stand as far left as its key
		s.drop(func(a lineAbove) bool { return a.column >= column })
	} else {
		column = at - start
		s.drop(func(a lineAbove) bool { return a.column >= column })
	}
	key := lineKey(s.data[at:end])
	if key == "" {
		return
	}
	if key == "image" {
		s.image(start, at, end, column)
	}
	s.above = append(s.above, lineAbove{column, key})
}

func (s *templateScanner) drop(outside func(lineAbove) bool) {
	for len(s.above) > 0 && outside(s.above[len(s.above)-1]) {
		s.above = s.above[:len(s.above)-1]
	}
}

// image reports the value of the key at, if it is a plain reference and the
// key that of a container.
func (s *templateScanner) image(start, at, end, column int) {
	at += bytes.IndexByte(s.data[at:end], ':') + 1
	from, to := trimSpan(s.data, at, end)
	if from < to && (s.data[from] == '"' || s.data[from] == '\'') {
		n := bytes.IndexByte(s.data[from+1:to], s.data[from])
		if n < 0 {
			return
		}
		from, to = from+1, from+1+n
	} else if i := bytes.Index(s.data[from:to], []byte(" #")); i >= 0 {
		from, to = trimSpan(s.data, from, from+i)
	}
	t := s.text.Slice(from, to)
	if len(t.Data) == 0 || !bytes.Equal(t.Data, s.data[from:to]) {
		return // a template fills it in
	}
	if span, exact := t.Span(0, len(t.Data)); !exact || !bytes.Equal(t.File.Slice(span), t.Data) {
		return
	}
	text := t.String()
	k := kubernetes{}
	if !k.plausible(&node{Kind: yaml.ScalarNode, Value: text}) {
		return
	}
	if _, err := image.Parse(text); err != nil {
		return
	}
	if !s.inContainer(start, end, column) {
		return
	}
	var keys []string
	for _, a := range s.above {
		keys = append(keys, a.key)
	}
	s.pass.Use(found{text: t, pointer: strings.Join(append(keys, "image"), ".")})
}

// inContainer reports whether the key on a line and in a column is one of a
// container: it stands in a list of containers, or beside other keys of one.
func (s *templateScanner) inContainer(start, end, column int) bool {
	if n := len(s.above); n > 0 {
		switch s.above[n-1].key {
		case "containers", "initContainers", "ephemeralContainers":
			return true
		}
	}
	return s.beside(s.data[:start], column, true) || s.beside(s.data[min(end+1, len(s.data)):], column, false)
}

// maxBeside bounds the lines in which the other keys of a container are looked
// for.
const maxBeside = 60

// containerKeys are those that nothing but a container has beside "image".
var containerKeys = []string{
	"imagePullPolicy", "command", "args", "volumeMounts", "env", "envFrom", "ports", "resources", "securityContext",
	"livenessProbe", "readinessProbe", "workingDir", "lifecycle",
}

// beside looks for such keys in a column, in the lines behind a line, or from
// the last back in those before it.
func (s *templateScanner) beside(lines []byte, column int, back bool) bool {
	for range maxBeside {
		if len(lines) == 0 {
			return false
		}
		var line []byte
		if back {
			lines = bytes.TrimSuffix(lines, []byte{'\n'})
			i := bytes.LastIndexByte(lines, '\n')
			line, lines = lines[i+1:], lines[:i+1]
		} else {
			line, lines, _ = bytes.Cut(lines, []byte{'\n'})
		}
		t := bytes.TrimLeft(line, " ")
		if len(t) == 0 || t[0] == '#' || t[0] == '\r' {
			continue
		}
		at := len(line) - len(t)
		first := bytes.HasPrefix(t, []byte("- "))
		if first {
			t = bytes.TrimLeft(t[1:], " ")
		}
		switch in := len(line) - len(t); {
		case in == column && slices.Contains(containerKeys, lineKey(t)):
			return !(first && !back)
		case at < column && !(first && back && in == column):
			return false
		case first && at < column:
			return false
		}
	}
	return false
}

package parsers

import (
	"bytes"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// PreCommit reads the hooks of pre-commit: those that a repository runs, and
// those that it offers to others (https://pre-commit.com/#docker_image).
var PreCommit = register(Format{
	Name:    "precommit",
	Title:   "pre-commit",
	Files:   "YAML with `pre-commit-config` or `pre-commit-hooks` in its name.",
	Places:  "The `entry` of hooks whose language is `docker_image`, and what other entries run.",
	Comment: "#",
	Detect:  detectPreCommit,
	Parse:   parsePreCommit,
})

func detectPreCommit(c *Candidate) Certainty {
	base := c.name
	if c.isYAML() && (strings.Contains(base, "pre-commit-config") || strings.Contains(base, "pre-commit-hooks")) &&
		containsAny(c.Data, []string{"repo", "language", "hooks"}) {
		return Path
	}
	return No
}

func parsePreCommit(p *Pass) {
	for _, d := range p.documents("entry") {
		repos := get(d.root, "repos")
		if repos == nil {
			repos = d.root // hooks offered, or a file older than "repos"
		}
		for i, n := range items(repos) {
			hooks := get(n, "hooks")
			if hooks == nil {
				p.hook(d, n, hookPointer("", i, n), false)
			}
			repo := str(get(n, "repo"))
			for k, hook := range items(hooks) {
				p.hook(d, hook, hookPointer("repos"+pointerIndex(i)+".hooks", k, hook), repo != "local" && repo != "meta")
			}
		}
	}
}

// hookPointer names a hook by its identifier, which people know it by.
func hookPointer(list string, i int, hook *node) string {
	if id := str(get(hook, "id")); id != "" {
		return joinPointer(list, id)
	}
	return list + pointerIndex(i)
}

// hook reads one hook. What stands in "entry" runs without a shell: behind
// "docker run" where the language is docker_image, else as a command of its
// own. The language of a hook from elsewhere is written there.
func (p *Pass) hook(d *document, hook *node, pointer string, elsewhere bool) {
	n := get(hook, "entry")
	entry, _ := d.content(n)
	if entry == nil {
		return
	}
	line := hookLine{pass: p, doc: d, pointer: pointer + ".entry"}
	switch language := str(get(hook, "language")); {
	case language == "docker_image":
		line.add("docker")
		line.add("run")
	case language == "" && elsewhere:
		if !strings.Contains(str(get(hook, "id")), "docker") && !overridesImage(entry) {
			return
		}
		line.add("docker")
		line.add("run")
		line.confidence = image.Medium
	case language != "docker":
	default:
		return // a command of the image that is built for it
	}
	for _, t := range splitWords(entry) {
		line.add(t.String(), hookWord{t, n})
	}
	for _, arg := range items(get(hook, "args")) {
		if t, _ := d.content(arg); t != nil {
			line.add(t.String(), hookWord{t, arg})
		}
	}
	line.report()
}

// overridesImage reports whether an entry whose language is unknown here is
// clearly an image rather than a program.
func overridesImage(entry *source.Text) bool {
	words := splitWords(entry)
	return len(words) > 0 && clearlyImage(words[0].String()) && words[0].Data[0] != '.' && words[0].Data[0] != '/'
}

// hookLine is a command line without a shell.
type hookLine struct {
	pass       *Pass
	doc        *document
	pointer    string
	confidence image.Confidence
	words      []word
	from       []hookWord
}

// hookWord is a word with the scalar that it stands in; both are nil for what
// pre-commit puts in front.
type hookWord struct {
	text *source.Text
	node *node
}

func (h *hookLine) add(s string, from ...hookWord) {
	h.words = append(h.words, word{text: s, quoted: true})
	h.from = append(h.from, append(from, hookWord{})[0])
}

func (h *hookLine) report() {
	line := readCommand(h.words)
	for _, o := range line.operands {
		from := h.from[o.word]
		if from.text == nil || o.end > len(from.text.Data) || o.skip >= o.end {
			continue
		}
		t := from.text.Slice(o.skip, o.end)
		f := found{text: t, role: o.role, digestOnly: o.digestOnly, pointer: h.pointer, confidence: h.confidence}
		e := literal(t)
		_, links := h.doc.content(from.node)
		for _, l := range links {
			e = through(l, e)
		}
		f.values = []expr{e}
		if from.node.Kind == yaml.AliasNode {
			f.text = h.doc.aliasText(from.node)
		}
		if o.low {
			f.confidence = image.Low
		}
		h.pass.Use(f)
	}
	for _, i := range line.scripts {
		if t := h.from[i].text; t != nil {
			h.pass.nested(t, h.pointer, func(q *Pass) { q.shell(nil, templating{}) })
		}
	}
}

// splitWords splits a command line as Python's shlex.split does: blanks
// separate outside quotes, and nothing is expanded
// (https://docs.python.org/3/library/shlex.html#parsing-rules).
func splitWords(t *source.Text) []*source.Text {
	var words []*source.Text
	data := t.Data
	for at := skipBlanks(data, 0); at < len(data); at = skipBlanks(data, at) {
		b := source.NewBuilder(t)
		start := at
		var quote byte
		for ; at < len(data) && (quote != 0 || !isBlank(data[at])); at++ {
			c := data[at]
			switch {
			case quote == 0 && (c == '\'' || c == '"'):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			case c == '\\' && at+1 < len(data) && (quote == 0 || quote == '"' && bytes.IndexByte([]byte(`"\`), data[at+1]) >= 0):
				b.Copy(start, at)
				at++
				start = at
				continue
			default:
				continue
			}
			b.Copy(start, at)
			start = at + 1
		}
		b.Copy(min(start, at), at)
		if w := b.Text(); len(w.Data) > 0 {
			words = append(words, w)
		}
	}
	return words
}

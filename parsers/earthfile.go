package parsers

import (
	"bytes"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Earthfile reads the build files of Earthly
// (https://docs.earthly.dev/docs/earthfile). They are written as Dockerfiles
// are, in targets instead of stages.
var Earthfile = register(Format{
	Name:    "earthfile",
	Title:   "Earthfile",
	Files:   "`Earthfile` and `*.earth`.",
	Places:  "`FROM`, `WITH DOCKER --pull`, the shell of `RUN`, and `SAVE IMAGE` and `--load`, which are outputs; `ARG` is followed.",
	Comment: "#",
	Detect:  detectEarthfile,
	Parse:   parseEarthfile,
})

func detectEarthfile(c *Candidate) Certainty {
	base := c.lower
	switch {
	case c.name == "earthfile", strings.HasSuffix(base, ".earth"):
		return Path
	case strings.HasPrefix(base, "earthfile.") && startsWithVersion(c.Data):
		return Likely
	}
	return No
}

// startsWithVersion reports whether the first line that is no comment has the
// instruction that every Earthfile begins with.
func startsWithVersion(data []byte) bool {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return bytes.HasPrefix(line, []byte("VERSION "))
		}
	}
	return false
}

// earthfile is one Earthfile being read. What the grammar has of Dockerfiles is
// read as there.
type earthfile struct {
	*dockerfile
	base map[string]*binding // of the recipe above the first target
}

func parseEarthfile(p *Pass) {
	q := *p
	q.Text = maskTrailing(p.Text)
	p = &q
	f := &dockerfile{
		pass: p, data: p.Text.Data, file: p.Text.File, escape: '\\',
		global: map[string]*binding{}, local: map[string]*binding{}, reads: map[*binding][]source.Span{},
	}
	f.lines = []int{0}
	for i, c := range f.data {
		if c == '\n' && i+1 < len(f.data) {
			f.lines = append(f.lines, i+1)
		}
	}
	f.lex = shell.NewLex('\\')
	e := &earthfile{dockerfile: f, base: f.local}
	for _, in := range f.cut() {
		if name := targetName(in); name != "" {
			f.stage = name
			f.local = map[string]*binding{}
			continue
		}
		e.instruction(in)
	}
}

// maskTrailing is t without the comments that may stand behind the backslash of
// a continued line, byte for byte.
func maskTrailing(t *source.Text) *source.Text {
	var out []byte
	for start := 0; start < len(t.Data); {
		end := lineEnd(t.Data, start)
		line := bytes.TrimSuffix(t.Data[start:end], []byte{'\r'})
		if i := bytes.LastIndex(line, []byte(" \\ ")); i >= 0 {
			if rest := bytes.TrimLeft(line[i+2:], " \t"); len(rest) > 0 && rest[0] == '#' {
				if out == nil {
					out = bytes.Clone(t.Data)
				}
				for k := start + i + 2; k < start+len(line); k++ {
					out[k] = ' '
				}
			}
		}
		start = end + 1
	}
	if out == nil {
		return t
	}
	return t.Masked(out)
}

// targetName is the name of the target that a line "name:" begins, or "".
func targetName(in instruction) string {
	line := bytes.TrimSpace(in.text.Data)
	if i := bytes.Index(line, []byte(" #")); i >= 0 {
		line = bytes.TrimSpace(line[:i])
	}
	name, ok := bytes.CutSuffix(line, []byte(":"))
	if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t=\"'$") {
		return ""
	}
	return string(name)
}

func (e *earthfile) instruction(in instruction) {
	switch in.keyword() {
	case "from":
		e.from(in)
	case "arg", "let", "set":
		e.assign(in)
	case "env":
		e.env(in)
	case "for":
		e.loop(in)
	case "with":
		e.withDocker(in)
	case "save":
		e.save(in)
	case "run":
		e.run(in)
	case "if", "else":
		e.condition(in)
	}
}

func (e *earthfile) env(in instruction) {
	// The base recipe has variables too.
	stage := e.stage
	if stage == "" {
		e.stage = "base"
	}
	e.dockerfile.env(in)
	e.stage = stage
}

// look is what a line of a target sees: what the target sets, then what the
// base recipe does.
func (e *earthfile) look(name string) *binding {
	if b := e.local[name]; b != nil {
		return b
	}
	return e.base[name]
}

// value reads a word. What a command prints nothing here knows.
func (e *earthfile) value(t *source.Text) []expr {
	if bytes.Contains(t.Data, []byte("$(")) {
		return []expr{unknown(t, shorten(t.String()))}
	}
	return e.word(t, e.look)
}

// assign reads ARG, LET and SET. A name that is set again has no one value.
func (e *earthfile) assign(in instruction) {
	words := e.words(in)
	if len(words) == 0 {
		return
	}
	name, value := assignment(words[0])
	at := words[0]
	if value == nil && len(words) > 2 && words[1].String() == "=" { // "LET a = b"
		value = words[2]
	}
	if name == "" {
		return
	}
	if value == nil {
		if in.keyword() == "arg" && e.stage != "" && e.base[name] == nil {
			e.local[name] = nil // an argument without a default
		}
		return
	}
	class := classStageArg
	if in.keyword() != "arg" {
		class = classShell
	}
	def, _ := at.Span(0, len(name))
	region, _ := e.pass.Text.Span(0, len(e.data))
	values := e.value(value)
	if in.keyword() == "set" {
		values = []expr{unknown(value, name)}
	}
	e.local[name] = &binding{name: name, class: class, file: e.file, def: def, region: region, eval: func() []expr { return values }}
}

// loop reads "FOR name IN words".
func (e *earthfile) loop(in instruction) {
	_, args := e.fields(in)
	if len(args) < 3 || !strings.EqualFold(args[1].String(), "in") {
		return
	}
	var values []expr
	for _, t := range args[2:] {
		if bytes.Contains(t.Data, []byte("$(")) {
			values = nil // the rest is a command
			break
		}
		values = append(values, e.value(t)...)
	}
	name := args[0].String()
	def, _ := args[0].Span(0, len(name))
	region, _ := e.pass.Text.Span(0, len(e.data))
	e.local[name] = &binding{name: name, class: classLoop, file: e.file, def: def, region: region, eval: func() []expr { return values }}
}

func (e *earthfile) from(in instruction) {
	if _, args := e.fields(in); len(args) > 0 && args[0].String() != "DOCKERFILE" {
		e.image(args[0], "FROM", image.Pull)
	}
}

// image reports an image, unless it is a target: no image has a "+"
// (https://docs.earthly.dev/docs/guides/importing#target-reference).
func (e *earthfile) image(t *source.Text, what string, role image.Role) {
	if bytes.ContainsAny(t.Data, "+()") && !bytes.Contains(t.Data, []byte("$(")) {
		return
	}
	values := slices.DeleteFunc(e.value(t), func(x expr) bool { return isStage(x, nil) || strings.Contains(x.text(), "+") })
	if len(values) == 0 {
		return
	}
	f := found{text: unquote(t), values: values, role: role, pointer: e.place(what)}
	if x := trimExpr(values[0]); what == withPull && len(values) == 1 && x.text() != "" && len(x.missing()) == 0 {
		s := site(x)
		if s.Safety == image.Safe {
			s.Safety, s.Reason = image.Unsafe, "the daemon gets the image under this name, and the commands below may call it so"
		}
		f.site = &s
	}
	e.pass.Use(f)
}

// place is a pointer within the target.
func (e *earthfile) place(what string) string {
	if e.stage == "" {
		return what
	}
	return what + ", target " + e.stage
}

const withPull = "WITH DOCKER --pull"

// withDocker reads the images that a Docker daemon gets: those that it pulls,
// and the names under which it gets targets.
func (e *earthfile) withDocker(in instruction) {
	_, args := e.fields(in)
	for i := 0; i < len(args); i++ {
		option, value := assignment(args[i])
		switch option {
		case "--pull", "--load":
		default:
			continue
		}
		if value == nil {
			if i++; i == len(args) {
				return
			}
			value = args[i]
		}
		value = unquote(value)
		if option == "--pull" {
			e.image(value, withPull, image.Pull)
		} else if name, target := assignment(value); target != nil {
			e.image(value.Slice(0, len(name)), "WITH DOCKER --load", image.Output)
		}
	}
}

// save reports the names that SAVE IMAGE gives.
func (e *earthfile) save(in instruction) {
	_, args := e.fields(in)
	if len(args) == 0 || args[0].String() != "IMAGE" {
		return
	}
	for i := 1; i < len(args); i++ {
		switch t := args[i]; {
		case t.Data[0] == '#':
			return
		case t.String() == "--cache-from" || t.String() == "--platform":
			i++
		case t.Data[0] != '-':
			e.image(t, "SAVE IMAGE", image.Output)
		}
	}
}

// run reads the shell of a RUN.
func (e *earthfile) run(in instruction) {
	_, start := e.flags(in)
	e.script(in.text.Slice(start, len(in.text.Data)).Trim(), "RUN")
}

// condition reads the command of an IF or ELSE IF.
func (e *earthfile) condition(in instruction) {
	if in.keyword() == "else" {
		in.text = in.text.Slice(in.restStart(), len(in.text.Data))
		if in.keyword() != "if" {
			return
		}
	}
	_, start := e.flags(in)
	e.script(in.text.Slice(start, len(in.text.Data)).Trim(), "IF")
}

func (e *earthfile) script(script *source.Text, what string) {
	if isJSONWords(script.Data) {
		e.pass.nested(script, e.place(what), func(q *Pass) { q.execForm() })
		return
	}
	e.pass.nested(script, e.place(what), func(q *Pass) { q.shell(e.look, templating{}) })
}

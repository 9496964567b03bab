package parsers

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Dockerfile reads what BuildKit builds from
// (https://docs.docker.com/reference/dockerfile/). BuildKit's parser knows no
// columns and stops at the first line that it can't read, so its grammar is
// followed here with the place of every byte; it only says what it refuses.
var Dockerfile = register(Format{
	Name:    "dockerfile",
	Title:   "Dockerfile",
	Files:   "`Dockerfile`, `Containerfile`, and names with one of them in it whose content looks like one.",
	Places:  "`FROM`, `COPY --from`, `RUN --mount=from=`, the `# syntax=` line, `ONBUILD` of these, and the shell of `RUN`, here-documents included; `ARG` and its expansions are followed.",
	Comment: "#",
	Detect:  detectDockerfile,
	Parse:   parseDockerfile,
})

// detectDockerfile knows the names that people give Dockerfiles, in any case:
// "Dockerfile", "api.Dockerfile", "Dockerfile-alpine", "Dockerfile.j2". Only
// the plain names need no look at the content: "Dockerfile.md" is prose and
// "dockerfile.go" a program.
func detectDockerfile(c *Candidate) Certainty {
	base := c.name
	plain := len(base) == len(c.base) // no ".in", no ".tmpl"
	named := path.Ext(base) == ".docker"
	for _, kind := range []string{"dockerfile", "containerfile"} {
		switch {
		case plain && (base == kind || strings.HasSuffix(base, "."+kind)):
			return Path
		case strings.HasPrefix(base, kind), slices.Contains(strings.FieldsFunc(base, isSeparator), kind):
			named = true
		}
	}
	if !named {
		return No
	}
	switch path.Ext(base) {
	case ".earth", ".md", ".mdx", ".txt", ".rst", ".adoc", ".html", ".dockerignore", ".containerignore", ".lock", ".patch", ".diff", ".log":
		return No
	case ".go", ".py", ".sh", ".js", ".ts", ".rb", ".rs", ".java", ".cs", ".php", ".c", ".h", ".cpp", ".yaml", ".yml", ".json", ".toml", ".xml", ".docker":
		// "Dockerfile.go" may as well be what builds a Go program.
		if !startsAsDockerfile(c.Data) {
			return No
		}
	default:
		if !hasFrom(c.Data) {
			return No
		}
	}
	return Path
}

func isSeparator(r rune) bool { return strings.ContainsRune(".-_ ", r) }

// startsAsDockerfile reports whether the first line that is no comment is one
// that a Dockerfile starts with.
func startsAsDockerfile(data []byte) bool {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		line = bytes.Trim(line, " \t\r\xef\xbb\xbf")
		if len(line) > 0 && line[0] != '#' {
			return isFromLine(line) || len(line) > 4 && strings.EqualFold(string(line[:3]), "arg") && isBlank(line[3])
		}
	}
	return false
}

// hasFrom reports whether a line is a FROM instruction.
func hasFrom(data []byte) bool {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		if isFromLine(bytes.Trim(line, " \t\r\xef\xbb\xbf")) {
			return true
		}
	}
	return false
}

// isFromLine tells "FROM image AS name" from prose and programs that start a
// line with "from".
func isFromLine(line []byte) bool {
	if len(line) < 6 || !strings.EqualFold(string(line[:4]), "from") || !isBlank(line[4]) {
		return false
	}
	if isTemplated(line) {
		return true
	}
	words := bytes.Fields(line[4:])
	for len(words) > 0 && bytes.HasPrefix(words[0], []byte("--")) {
		words = words[1:]
	}
	return len(words) == 1 || len(words) > 1 && (words[1][0] == '#' || len(words) > 2 && strings.EqualFold(string(words[1]), "as"))
}

// dockerfile is one Dockerfile being read.
type dockerfile struct {
	pass   *Pass
	data   []byte
	file   *source.File
	lines  []int // inner offset of each line
	escape byte
	lex    *shell.Lex
	// templated is set for a text that some program makes a Dockerfile of.
	templated bool

	stages map[string]bool                // lower-case names of all stages of the file
	done   map[string]bool                // those of them that stand before the instruction being read
	scopes map[string]map[string]*binding // ARG and ENV of each stage
	global map[string]*binding            // ARGs before the first FROM
	local  map[string]*binding            // ARG and ENV of the stage
	reads  map[*binding][]source.Span     // where each ARG is read
	stage  string                         // for pointers; "" before the first FROM
	from   int                            // FROMs so far
}

func parseDockerfile(p *Pass) {
	f := &dockerfile{
		pass: p, data: p.Text.Data, file: p.Text.File, escape: '\\', stages: map[string]bool{}, done: map[string]bool{},
		scopes: map[string]map[string]*binding{}, global: map[string]*binding{}, reads: map[*binding][]source.Span{},
	}
	f.lines = []int{0}
	for i, c := range f.data {
		if c == '\n' && i+1 < len(f.data) {
			f.lines = append(f.lines, i+1)
		}
	}
	if bytes.HasPrefix(f.data, []byte("\xff\xfe")) || bytes.HasPrefix(f.data, []byte("\xfe\xff")) {
		p.Fail(0, "the file is UTF-16; builders read UTF-8")
		return
	}
	res, err := parser.Parse(bytes.NewReader(readable(f.data)))
	if err == nil {
		f.escape = byte(res.EscapeToken)
	} else if value, _, _, _ := parser.ParseDirective("escape", f.data); value == "`" {
		f.escape = '`'
	}
	f.lex = shell.NewLex(rune(f.escape))
	f.platforms()
	f.syntax()
	instructions := f.cut()
	f.templated = dataName(f.file.Path) != strings.ToLower(path.Base(f.file.Path)) ||
		slices.ContainsFunc(instructions, func(in instruction) bool { return in.templated })
	f.refused(err)
	for _, in := range instructions {
		if name := f.stageName(in); name != nil {
			f.stages[strings.ToLower(name.String())] = true
		}
	}
	for _, in := range instructions {
		f.instruction(in)
	}
}

// platforms sets the arguments that every builder gives a value that no file
// knows
// (https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope).
// The variants may be empty and stay unset here.
func (f *dockerfile) platforms() {
	for _, name := range []string{"TARGETPLATFORM", "TARGETOS", "TARGETARCH", "BUILDPLATFORM", "BUILDOS", "BUILDARCH"} {
		f.global[name] = &binding{name: name, class: classArg, eval: func() []expr { return []expr{{{file: f.file, missing: name}}} }}
	}
}

// refused says what BuildKit's parser did not take. Templates are no
// Dockerfiles yet.
func (f *dockerfile) refused(err error) {
	if err == nil || f.templated || strings.Contains(err.Error(), "file with no instructions") {
		return
	}
	line := 1
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
		line = min(max(at.Locations[0][0].Start.Line, 1), len(f.lines))
	}
	if text, _ := f.logical(line); isTemplated(text.Data) {
		return
	}
	f.pass.Fail(f.line(line), "%s", strings.TrimPrefix(err.Error(), "dockerfile parse error "))
}

// isTemplated reports whether a text holds a mark of Go and Jinja templates, of
// ERB or of m4.
func isTemplated(data []byte) bool {
	for _, mark := range []string{"{{", "{%", "{#", "<%", "m4_"} {
		if bytes.Contains(data, []byte(mark)) {
			return true
		}
	}
	return false
}

// maxLine is the length in bytes that BuildKit's scanner stops at.
const maxLine = 64*1024 - 1

// readable is data as BuildKit's parser can take it: its scanner stops at long
// lines, and its lexer writes to the standard error on what is no text. The
// lines stay the same.
func readable(data []byte) []byte {
	long := false
	for rest := data; len(rest) > maxLine; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			i = len(rest) - 1
		}
		long = long || i >= maxLine
		rest = rest[i+1:]
	}
	if !long {
		return plainText(data)
	}
	var out []byte
	for len(data) > 0 {
		line := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line = data[:i+1]
		}
		data = data[len(line):]
		if len(line) > maxLine {
			line = append(append([]byte{}, line[:maxLine/2]...), '\n')
		}
		out = append(out, line...)
	}
	return plainText(out)
}

// plainText is data without NUL bytes and invalid UTF-8.
func plainText(data []byte) []byte {
	if bytes.IndexByte(data, 0) < 0 && utf8.Valid(data) {
		return data
	}
	return bytes.ReplaceAll(bytes.ToValidUTF8(data, []byte("x")), []byte{0}, []byte("x"))
}

// instruction is one logical line, and the lines of here-documents behind it.
type instruction struct {
	text *source.Text
	body *source.Text // the lines of the here-documents; nil without
	// trigger is set for what runs in the builds that start from this one.
	trigger bool
	// templated is set where a mark of a template stands first.
	templated bool
}

// cut takes the file apart as BuildKit does.
func (f *dockerfile) cut() []instruction {
	var out []instruction
	endless := map[heredoc]bool{} // here-documents without an end
	for n := 1; n <= len(f.lines); {
		if t := bytes.TrimSpace(f.data[f.line(n):f.line(n+1)]); len(t) == 0 || t[0] == '#' {
			n++
			continue
		}
		text, next := f.logical(n)
		n = next
		if len(text.Data) == 0 {
			continue
		}
		in := instruction{text: text}
		in.skipMarks()
		if docs := in.heredocs(); len(docs) > 0 {
			if end, ok := f.heredocEnd(next, docs, endless); ok {
				in.body = f.pass.Text.Slice(f.line(next), f.line(end))
				n = end
			}
		}
		out = append(out, in)
	}
	return out
}

// skipMarks leaves out the marks of a template in front of the instruction:
// "{{ if .X }}FROM a", or the end of a block that starts above.
func (in *instruction) skipMarks() {
	data := in.text.Data
	in.templated = isTemplated(data[:in.keywordEnd()]) || isBlockEnd(data)
	start := 0
	for at := 0; at < len(data); {
		start = at
		if end := templateEnd(data, at); end > at {
			at = end
		} else if isBlockEnd(data[at:]) {
			at += 2
		} else {
			break
		}
		at = skipBlanks(data, at)
	}
	if start > 0 {
		in.text = in.text.Slice(start, len(data))
	}
}

func isBlockEnd(data []byte) bool {
	return bytes.HasPrefix(data, []byte("}}")) || bytes.HasPrefix(data, []byte("%}")) || bytes.HasPrefix(data, []byte("%>"))
}

// line is the inner offset at which a line (from one) starts.
func (f *dockerfile) line(n int) int {
	if n > len(f.lines) {
		return len(f.data)
	}
	return f.lines[n-1]
}

// logical joins the line n with those that continue it, as BuildKit does:
// comments and blank lines in between are left out. next is the line behind.
func (f *dockerfile) logical(n int) (text *source.Text, next int) {
	b := source.NewBuilder(f.pass.Text)
	for first := true; n <= len(f.lines); n++ {
		start, end := f.line(n), f.line(n+1)
		end = start + len(bytes.TrimRight(f.data[start:end], "\r\n"))
		if first {
			if start == 0 && bytes.HasPrefix(f.data, []byte("\xef\xbb\xbf")) {
				start = 3
			}
			start = end - len(bytes.TrimLeftFunc(f.data[start:end], unicode.IsSpace))
		} else if t := bytes.TrimSpace(f.data[start:end]); len(t) == 0 || t[0] == '#' {
			continue
		}
		cut, more := f.continues(f.data[start:end])
		b.Copy(start, start+cut)
		first = false
		if !more {
			n++
			break
		}
	}
	b.Copy(0, 0)
	return b.Text(), n
}

// continues reports whether a line goes on, and how many of its bytes stand
// before the escape character. A doubled escape does not continue.
func (f *dockerfile) continues(line []byte) (int, bool) {
	t := bytes.TrimRight(line, " \t")
	n := len(t)
	if n == 0 || t[n-1] != f.escape || n > 1 && t[n-2] == f.escape {
		return len(line), false
	}
	return n - 1, true
}

// heredoc is the end of a here-document.
type heredoc struct {
	name string
	tabs bool // it may be indented with tabs
}

// heredocs are the here-documents that the instruction opens
// (https://docs.docker.com/reference/dockerfile/#here-documents).
func (in instruction) heredocs() []heredoc {
	if !bytes.Contains(in.text.Data, []byte("<<")) {
		return nil
	}
	inner := in
	if in.keyword() == "onbuild" {
		inner.text = in.text.Slice(in.restStart(), len(in.text.Data))
	}
	switch inner.keyword() {
	case "run", "copy", "add":
	default:
		return nil
	}
	if isJSONWords(inner.text.Data[inner.restStart():]) {
		return nil
	}
	lex := shell.NewLex('\\')
	lex.RawQuotes, lex.RawEscapes, lex.SkipUnsetEnv = true, true, true
	// A line that the lexer does not take has no here-documents.
	words, _ := lex.ProcessWords(string(plainText(in.text.Data)), environ{})
	var docs []heredoc
	for _, w := range words {
		if d := parser.MustParseHeredoc(w); d != nil {
			docs = append(docs, heredoc{d.Name, d.Chomp})
		}
	}
	return docs
}

// isJSONWords reports whether the rest of an instruction is its exec form.
func isJSONWords(data []byte) bool {
	data = bytes.TrimSpace(data)
	var words []string
	return bytes.HasPrefix(data, []byte("[")) && json.Unmarshal(data, &words) == nil
}

// heredocEnd is the line behind here-documents that start at line n. It fails
// where one of them is not ended; endless remembers which.
func (f *dockerfile) heredocEnd(n int, docs []heredoc, endless map[heredoc]bool) (int, bool) {
	for _, d := range docs {
		if endless[d] {
			return 0, false
		}
	}
	for _, d := range docs {
		for {
			if n > len(f.lines) {
				endless[d] = true
				return 0, false
			}
			line := bytes.TrimRight(f.data[f.line(n):f.line(n+1)], "\r\n")
			if d.tabs {
				line = bytes.TrimLeft(line, "\t")
			}
			n++
			if string(plainText(line)) == d.name {
				break
			}
		}
	}
	return n, true
}

func (in instruction) keywordEnd() int {
	if i := bytes.IndexFunc(in.text.Data, func(r rune) bool { return r < 0x80 && isBlank(byte(r)) }); i >= 0 {
		return i
	}
	return len(in.text.Data)
}

// keyword is the instruction in lower case.
func (in instruction) keyword() string {
	return strings.ToLower(string(in.text.Data[:in.keywordEnd()]))
}

// restStart is the offset of what follows the keyword.
func (in instruction) restStart() int {
	return skipBlanks(in.text.Data, in.keywordEnd())
}

func skipBlanks(data []byte, i int) int {
	for i < len(data) && isBlank(data[i]) {
		i++
	}
	return i
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\n' || c == '\r'
}

// templateEnd is the end of the template expression at i, or i. Its blanks
// separate no words.
func templateEnd(data []byte, i int) int {
	for _, marks := range [][2]string{{"{{", "}}"}, {"{%", "%}"}, {"<%", "%>"}} {
		if bytes.HasPrefix(data[i:], []byte(marks[0])) {
			if n := bytes.Index(data[i:min(len(data), i+maxVariable)], []byte(marks[1])); n >= 0 {
				return i + n + 2
			}
		}
	}
	return i
}

// flags are the words behind the keyword that start with "--", without their
// quotes and escapes; rest is where the others start.
func (f *dockerfile) flags(in instruction) (flags []*source.Text, rest int) {
	data := in.text.Data
	at := in.restStart()
	for bytes.HasPrefix(data[at:], []byte("--")) {
		b := source.NewBuilder(in.text)
		start := at
		var quote byte
		for at < len(data) && (quote != 0 || !isBlank(data[at])) {
			switch c := data[at]; {
			case c == f.escape, quote != 0 && c == quote, quote == 0 && (c == '\'' || c == '"'):
				b.Copy(start, at)
				start = at + 1
				switch {
				case c == f.escape:
					at++ // what is escaped stands for itself
				case quote != 0:
					quote = 0
				default:
					quote = c
				}
				at++
			default:
				at = max(at+1, templateEnd(data, at))
			}
		}
		at = min(at, len(data))
		b.Copy(min(start, at), at)
		word := b.Text()
		at = skipBlanks(data, at)
		if string(word.Data) == "--" {
			break
		}
		flags = append(flags, word)
	}
	return flags, at
}

// fields are the words of a FROM: blanks separate, whatever the quotes.
func (f *dockerfile) fields(in instruction) (flags, args []*source.Text) {
	flags, at := f.flags(in)
	for data := in.text.Data; at < len(data); at = skipBlanks(data, at) {
		start := at
		for at < len(data) && !isBlank(data[at]) {
			at = max(at+1, templateEnd(data, at))
		}
		args = append(args, in.text.Slice(start, at))
	}
	return flags, args
}

// words are those of ARG and ENV, with their quotes: blanks within quotes and
// escaped ones separate nothing.
func (f *dockerfile) words(in instruction) []*source.Text {
	var words []*source.Text
	_, at := f.flags(in)
	for data := in.text.Data; at < len(data); at = skipBlanks(data, at) {
		start := at
		var quote byte
		for at < len(data) && (quote != 0 || !isBlank(data[at])) {
			switch c := data[at]; {
			case c == f.escape && quote != '\'':
				at += 2
			case quote != 0:
				if c == quote {
					quote = 0
				}
				at++
			case c == '\'' || c == '"':
				quote = c
				at++
			default:
				at = max(at+1, templateEnd(data, at))
			}
		}
		at = min(at, len(data))
		words = append(words, in.text.Slice(start, at))
	}
	return words
}

// stageName is the name that a FROM gives its stage, or nil.
func (f *dockerfile) stageName(in instruction) *source.Text {
	if in.keyword() != "from" {
		return nil
	}
	_, args := f.fields(in)
	if len(args) < 3 || !strings.EqualFold(args[1].String(), "as") {
		return nil
	}
	name := args[2]
	for i := range name.Data {
		if i > 0 && isTemplated(name.Data[i:min(i+2, len(name.Data))]) {
			return name.Slice(0, i) // a block of a template starts
		}
	}
	return name
}

func (f *dockerfile) instruction(in instruction) {
	switch in.keyword() {
	case "from":
		f.fromImage(in)
	case "arg":
		f.arg(in)
	case "env":
		f.env(in)
	case "copy", "add":
		f.copyFrom(in)
	case "run":
		f.mounts(in)
		f.run(in)
	case "onbuild":
		in.text, in.trigger = in.text.Slice(in.restStart(), len(in.text.Data)), true
		switch in.keyword() {
		case "copy", "add", "run":
			f.instruction(in)
		}
	}
}

// syntax reports the frontend image that the first lines name
// (https://docs.docker.com/build/buildkit/frontend/#dockerfile-frontend).
func (f *dockerfile) syntax() {
	name, _, loc, ok := parser.DetectSyntax(f.data)
	if !ok || name == "" {
		return
	}
	at := 0
	if t := bytes.TrimLeft(f.data, " \t\r\n\xef\xbb\xbf"); len(t) > 0 && t[0] == '{' { // {"syntax": "…"}
		at = bytes.Index(f.data, []byte(`"syntax"`)) + len(`"syntax"`)
		at += bytes.IndexByte(f.data[at:], '"') + 1
	} else if n := loc[0].Start.Line; n >= 1 {
		at = f.line(n)
		at += bytes.IndexByte(f.data[at:], '=') + 1
		at = skipBlanks(f.data, at)
	}
	if bytes.HasPrefix(f.data[at:], []byte(name)) { // no escapes of JSON
		f.pass.Use(found{text: f.pass.Text.Slice(at, at+len(name)), pointer: "syntax"})
	}
}

// fromImage reports the base of a stage, unless it is another stage.
func (f *dockerfile) fromImage(in instruction) {
	flags, args := f.fields(in)
	name := f.stageName(in)
	f.stage = strconv.Itoa(f.from)
	if name != nil {
		f.stage = name.String()
	}
	f.from++
	f.local = map[string]*binding{}
	if len(args) > 0 {
		for _, flag := range flags {
			f.word(flag, f.globalArg) // --platform reads variables too
		}
		values := f.word(args[0], f.globalArg)
		for _, e := range values {
			// A stage has what the stage that it starts from has set.
			maps.Copy(f.local, f.scopes[strings.ToLower(e.text())])
		}
		f.use(in, args[0], values, "FROM", f.done)
	}
	if name == nil {
		return
	}
	for _, e := range f.word(name, f.globalArg) { // BuildKit takes no variables here, others do
		text := strings.ToLower(e.text())
		f.done[text], f.stages[text] = true, true
		f.scopes[text] = f.local
	}
}

// use reports an image of the file unless it names one of the stages, or
// nothing.
func (f *dockerfile) use(in instruction, t *source.Text, values []expr, what string, stages map[string]bool) {
	values = slices.DeleteFunc(values, func(e expr) bool { return isStage(e, stages) })
	if len(values) == 0 {
		return
	}
	u := found{text: unquote(t), values: values, pointer: f.pointer(what)}
	if (f.templated || isTemplated(t.Data)) && !image.Placeholder(t.String()) && !slices.ContainsFunc(values, mayBeReference) {
		u.values = []expr{unknown(t, shorten(t.String()))} // "##BASE##", "ifelse(…"
	}
	if (in.trigger || f.templated && strings.HasSuffix(what, "from")) && !bytes.ContainsAny(t.Data, ":/@${<") {
		u.confidence = image.Low // a stage that stands elsewhere, rather
	}
	f.pass.Use(u)
}

// mayBeReference reports whether a value is a reference, as far as it is known.
func mayBeReference(e expr) bool {
	if len(e.missing()) > 0 {
		return true
	}
	_, err := image.Parse(e.text())
	return err == nil
}

func (f *dockerfile) pointer(what string) string {
	if f.stage == "" {
		return what
	}
	return what + ", stage " + f.stage
}

// unquote is t without quotes around it.
func unquote(t *source.Text) *source.Text {
	if n := len(t.Data); n >= 2 && (t.Data[0] == '"' || t.Data[0] == '\'') && bytes.IndexByte(t.Data[1:], t.Data[0]) == n-2 {
		return t.Slice(1, n-1)
	}
	return t
}

// isStage reports whether a value is the name of a stage (in any case) or
// "scratch". Where a part of the value is unknown the rest of it has to fit:
// "base-${TARGETARCH}" chooses among the stages base-amd64, base-arm64.
func isStage(e expr, stages map[string]bool) bool {
	text := strings.ToLower(e.text())
	switch {
	case len(e.missing()) == 0:
		return text == "scratch" || stages[text]
	case text == "":
		return false
	}
	for stage := range stages {
		if fits(stage, e) {
			return true
		}
	}
	return false
}

// fits reports whether s can be e with something for its unknown pieces.
func fits(s string, e expr) bool {
	for i, p := range e {
		if p.missing != "" {
			continue
		}
		want := strings.ToLower(p.text)
		at := strings.Index(s, want)
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		if i == len(e)-1 && !strings.HasSuffix(s, want) {
			return false
		}
		s = s[at+len(want):]
	}
	return true
}

// word reads a word as BuildKit's lexer does, which removes quotes and escapes
// and puts in what variables stand for
// (https://docs.docker.com/reference/dockerfile/#environment-replacement).
func (f *dockerfile) word(t *source.Text, look lookup) []expr {
	r := wordReader{file: f, text: t, look: look}
	out := r.until(0)
	if r.bad {
		return []expr{unknown(t, shorten(t.String()))}
	}
	return out
}

// wordReader is on its way through a word.
type wordReader struct {
	file  *dockerfile
	text  *source.Text
	look  lookup
	at    int
	depth int
	bad   bool // BuildKit refuses the word
}

// until reads up to the byte stop and passes it; 0 is the end of the word.
func (r *wordReader) until(stop byte) []expr {
	data := r.text.Data
	out := []expr{{}}
	start := r.at
	add := func(more []expr) {
		out = product(out, more)
		start = r.at
	}
	literally := func(skip int) { // and leave skip bytes out
		t := r.text.Slice(start, r.at)
		r.at += skip
		add([]expr{literal(t)})
	}
	for r.at < len(data) && !r.bad {
		switch c := data[r.at]; {
		case stop != 0 && c == stop:
			literally(1)
			return out
		case c == '\'' && stop != '"':
			literally(1)
			n := bytes.IndexByte(data[r.at:], '\'')
			if n < 0 {
				r.bad = true
				return out
			}
			r.at += n
			literally(1)
		case c == '"': // never within a quoted text: that stops there
			literally(1)
			add(r.until('"'))
		case c == '$':
			literally(0)
			add(r.dollar())
		case c == r.file.escape && (stop != '"' || r.at+1 < len(data) && bytes.IndexByte([]byte{'"', '$', c}, data[r.at+1]) >= 0):
			literally(1)
			_, n := utf8.DecodeRune(data[r.at:])
			r.at += n
		default:
			r.at++
		}
	}
	literally(0)
	r.bad = r.bad || stop != 0
	return out
}

// dollar reads a variable.
func (r *wordReader) dollar() []expr {
	data := r.text.Data
	v := variable{start: r.at}
	r.at++
	braced := r.at < len(data) && data[r.at] == '{'
	if braced {
		r.at++
	}
	v.nameStart = r.at
	r.name()
	v.nameEnd = r.at
	v.name = string(data[v.nameStart:v.nameEnd])
	switch {
	case braced && (v.name == "" || r.depth == maxExpansion):
		r.bad = true
	case braced:
		r.depth++
		r.operator(&v)
		r.depth--
	case v.name == "":
		return []expr{literal(r.text.Slice(v.start, r.at))}
	}
	if r.bad {
		return []expr{{}}
	}
	v.end = r.at
	if b := r.look(v.name); b != nil {
		span, _ := r.text.Span(v.nameStart, v.nameEnd)
		r.file.reads[b] = append(r.file.reads[b], span)
	}
	return expandVariable(r.text, v, noVariables, r.look, 0)
}

// name passes the name of a variable or of a special parameter.
func (r *wordReader) name() {
	rest := r.text.Data[r.at:]
	if len(rest) > 0 && (rest[0] >= '1' && rest[0] <= '9' || strings.IndexByte("@*#?-$!0", rest[0]) >= 0) {
		r.at++
		for rest[0] >= '0' && rest[0] <= '9' && r.at < len(r.text.Data) && r.text.Data[r.at] >= '0' && r.text.Data[r.at] <= '9' {
			r.at++
		}
		return
	}
	for r.at < len(r.text.Data) {
		c, n := utf8.DecodeRune(r.text.Data[r.at:])
		if c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return
		}
		r.at += n
	}
}

// operator reads what stands between the name of a braced variable and the
// brace that closes it. What cuts or replaces parts of the value has no place
// of its own in the file; BuildKit's lexer computes it.
func (r *wordReader) operator(v *variable) {
	rest := r.text.Data[r.at:]
	for _, op := range []string{":-", ":+", ":?", "-", "+", "?"} {
		if bytes.HasPrefix(rest, []byte(op)) {
			r.at += len(op)
			operand := r.until('}')
			v.op, v.operand = op, func() []expr { return operand }
			return
		}
	}
	if len(rest) == 0 {
		r.bad = true
		return
	}
	r.at++
	switch rest[0] {
	case '}':
		return
	case '/':
		if bytes.HasPrefix(rest, []byte("//")) {
			r.at++
		}
		r.until('/')
		r.until('}')
	case '#', '%':
		r.until('}')
	default:
		r.bad = true
	}
	v.op = string(rest[0])
	text := r.text.Data[v.start:r.at]
	v.compute = func() (string, bool) {
		if !bytes.Equal(plainText(text), text) {
			return "", false
		}
		res, err := r.file.lex.ProcessWordWithMatches(string(text), environ{r.look})
		return res.Result, err == nil && len(res.Unmatched) == 0
	}
}

// environ gives BuildKit's lexer the first value of each variable.
type environ struct{ look lookup }

// Get implements [shell.EnvGetter].
func (e environ) Get(name string) (string, bool) {
	if e.look == nil {
		return "", false
	}
	if b := e.look(name); b != nil {
		if texts := b.texts(); len(texts) > 0 && len(texts[0].missing()) == 0 {
			return texts[0].text(), true
		}
	}
	return "", false
}

// Keys implements [shell.EnvGetter].
func (e environ) Keys() []string { return nil }

// globalArg is what FROM sees; behind it stands what surrounds the Dockerfile.
func (f *dockerfile) globalArg(name string) *binding {
	if b := f.global[name]; b != nil {
		return b
	}
	return f.pass.look(name)
}

// variable is what RUN sees: the stage's own ARG and ENV.
func (f *dockerfile) variable(name string) *binding { return f.local[name] }

// anyArg is for the "--from" of COPY and RUN, which BuildKit does not expand;
// other builders read the arguments of the stage there.
func (f *dockerfile) anyArg(name string) *binding {
	if b := f.local[name]; b != nil {
		return b
	}
	return f.globalArg(name)
}

// classStageArg is an ARG in a stage, where it is an environment variable.
var classStageArg = &class{noun: "ARG", overridable: true, safety: image.Unsafe,
	why: "programs that RUN starts may read this argument"}

// arg defines build arguments. Before the first FROM they are for FROM lines;
// in a stage one without a default takes over the global one
// (https://docs.docker.com/reference/dockerfile/#understand-how-arg-and-from-interact).
func (f *dockerfile) arg(in instruction) {
	for _, a := range f.words(in) {
		name, value := assignment(a)
		global := f.global[name]
		switch {
		case value != nil && f.stage == "":
			f.global[name] = f.define(a, name, value, classArg, f.globalArg)
		case value != nil:
			f.local[name] = f.define(a, name, value, classStageArg, f.variable)
		case f.stage != "" && global != nil:
			f.local[name] = global
			span, _ := a.Span(0, len(name))
			f.reads[global] = append(f.reads[global], span)
		}
	}
}

// env defines the environment of a stage: "ENV a=1 b=2", or "ENV a 1".
func (f *dockerfile) env(in instruction) {
	words := f.words(in)
	if f.stage == "" || len(words) == 0 {
		return
	}
	set := map[string]*binding{}
	if bytes.IndexByte(words[0].Data, '=') < 0 {
		name := words[0].String()
		end := skipBlanks(in.text.Data, in.restStart()+len(name))
		value := in.text.Slice(end, len(in.text.Data)).Trim()
		set[name] = f.define(words[0], name, value, classShell, f.variable)
	} else {
		for _, w := range words {
			if name, value := assignment(w); value != nil {
				set[name] = f.define(w, name, value, classShell, f.variable)
			}
		}
	}
	maps.Copy(f.local, set) // the values see what was set before the line
}

// assignment cuts "name=value"; value is nil where there is no "=".
func assignment(t *source.Text) (name string, value *source.Text) {
	i := bytes.IndexByte(t.Data, '=')
	if i < 0 {
		return t.String(), nil
	}
	return string(t.Data[:i]), t.Slice(i+1, len(t.Data))
}

func (f *dockerfile) define(at *source.Text, name string, value *source.Text, c *class, look lookup) *binding {
	// The value is read now: later lines don't change what it was made of.
	values := f.word(value, look)
	for i, e := range values {
		// "A=$A$A" over and over would take time that no reference is worth.
		if len(e) > maxExpansion || slices.ContainsFunc(e, func(p piece) bool { return len(p.chain) > maxExpansion }) {
			values[i] = unknown(value, name)
		}
	}
	def, _ := at.Span(0, len(name))
	region, _ := f.pass.Text.Span(0, len(f.data))
	b := &binding{name: name, class: c, file: f.file, def: def, region: region, eval: func() []expr { return values }}
	switch {
	case c != classArg:
		b.region.Start = def.Start // nothing above reads it
	case !f.templated:
		// A global ARG is read where the grammar says so and nowhere else: the
		// same name in a stage is another variable.
		b.uses = func() []source.Span { return f.reads[b] }
	}
	return b
}

// copyFrom reports the image that COPY --from copies out of.
func (f *dockerfile) copyFrom(in instruction) {
	flags, _ := f.flags(in)
	for _, flag := range flags {
		f.source(in, flag, "--from=", strings.ToUpper(in.keyword())+" --from")
	}
}

// source reports the image behind the prefix of an option, unless it is a
// stage or its number.
func (f *dockerfile) source(in instruction, t *source.Text, prefix, what string) {
	if len(t.Data) <= len(prefix) || !strings.EqualFold(string(t.Data[:len(prefix)]), prefix) {
		return
	}
	t = t.Slice(len(prefix), len(t.Data))
	if _, err := strconv.Atoi(t.String()); err != nil {
		f.use(in, t, f.word(t, f.anyArg), what, f.stages)
	}
}

// mounts reports the images that RUN --mount mounts, whichever of several
// mounts and fields names them.
func (f *dockerfile) mounts(in instruction) {
	flags, _ := f.flags(in)
	for _, flag := range flags {
		if !bytes.HasPrefix(flag.Data, []byte("--mount=")) {
			continue
		}
		for _, field := range csvFields(flag.Slice(len("--mount="), len(flag.Data))) {
			f.source(in, field, "from=", "RUN --mount from")
		}
	}
}

// csvFields are the fields of one line of CSV, without the quotes around them.
func csvFields(t *source.Text) []*source.Text {
	var fields []*source.Text
	for at := 0; at <= len(t.Data); at++ {
		start, quoted := at, false
		for ; at < len(t.Data) && (quoted || t.Data[at] != ','); at++ {
			if t.Data[at] == '"' && (quoted || at == start) {
				quoted = !quoted
			}
		}
		fields = append(fields, unquote(t.Slice(start, at)))
	}
	return fields
}

// run reads the shell of a RUN instruction, here-documents included.
func (f *dockerfile) run(in instruction) {
	_, start := f.flags(in)
	script := in.text.Slice(start, len(in.text.Data)).Trim()
	if isJSONWords(script.Data) {
		f.pass.nested(script, f.pointer("RUN"), func(q *Pass) { q.execForm() })
		return
	}
	if in.body != nil {
		if parser.MustParseHeredoc(string(plainText(script.Data))) != nil && !isShellScript(in.body.Data) {
			return
		}
		script = source.Join("\n", script, withoutCR(in.body))
	}
	outer := templating{}
	if f.templated {
		outer = templating{scan: scanTemplate, look: noLookup}
	}
	f.pass.nested(script, f.pointer("RUN"), func(q *Pass) { q.shell(f.variable, outer) })
}

// scanTemplate finds the expressions of a template, which nothing here decides.
func scanTemplate(data []byte, i int) (variable, bool) {
	for ; i < len(data); i++ {
		if end := templateEnd(data, i); end > i {
			return variable{start: i, end: end, name: shorten(string(data[i:end])), nameStart: i, nameEnd: end}, true
		}
	}
	return variable{}, false
}

// withoutCR is t with plain line ends: with others the shell's parser would not
// find the end of a here-document.
func withoutCR(t *source.Text) *source.Text {
	b := source.NewBuilder(t)
	start := 0
	for i := 0; i+1 < len(t.Data); i++ {
		if t.Data[i] == '\r' && t.Data[i+1] == '\n' {
			b.Copy(start, i)
			start = i + 1
		}
	}
	b.Copy(start, len(t.Data))
	return b.Text()
}

// isShellScript reports whether the first line of a script leaves it to a
// shell: there is no "#!", or it names one.
func isShellScript(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte{'\n'})
	line, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		return true
	}
	for _, word := range strings.Fields(string(line)) {
		switch path.Base(word) {
		case "sh", "bash", "dash", "ash", "zsh", "ksh":
			return true
		}
	}
	return false
}

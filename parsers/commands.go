package parsers

import (
	"strings"

	"github.com/digestlint/digestlint/image"
)

// opaque stands in the text of a [word] for each part that only the shell
// knows at run time.
const opaque = '\x00'

// word is one word of a command line as the shell hands it over.
type word struct {
	// text is the static text, in which each part that only the shell knows
	// at run time ($VAR, $(cmd), ${{ expr }}) stands as one byte opaque.
	text string
	// name is the name of the variable, where one variable is all of the
	// word: "IMAGE" for $IMAGE, "env.IMAGE" for ${{ env.IMAGE }}, "opts[@]"
	// for ${opts[@]}, "@" for $@. It may be left empty.
	name string
	// quoted is set where the word stays one word whatever the value:
	// "$IMAGE", but neither $IMAGE nor "$@" nor "${opts[@]}".
	quoted bool
	// holds is what the value is known to be, where one expansion is all of
	// the word.
	holds holdKind
	// transport is set where the value is known to begin with
	// registryTransport.
	transport bool
}

// holdKind is what an expansion gives.
type holdKind uint8

const (
	holdsAnything holdKind = iota
	holdsOperand           // a word that is no option
	holdsOptions           // options, if anything: ${X:+-v "$X"}
)

// operand is a word, or a part of one, that names an image.
type operand struct {
	word       int        // index in the words given
	skip       int        // bytes of word.text before the image ("--image=", "docker://")
	end        int        // byte of word.text behind the image
	role       image.Role // Pull or Output
	digestOnly bool       // the tool takes a tag or a digest, not both
	low        bool       // only looks like an image
}

// stdinKind is what a here-document given to a command is.
type stdinKind uint8

const (
	stdinNone stdinKind = iota
	stdinShell
	stdinManifest
	stdinDockerfile
	stdinCompose
)

// commandLine is what the words of a command line are.
type commandLine struct {
	operands []operand
	scripts  []int // words that hold shell text of their own
	stdin    stdinKind
}

// readCommand finds the images in a command line, words[0] being the program.
// A command within it (behind sudo, xargs, docker run IMAGE, ssh HOST) is read
// too. The operands are in the order in which they are found, which is that of
// the words for options and operands each.
func readCommand(words []word) commandLine {
	r := commandReader{words: words}
	r.command(0, 0)
	return r.line
}

// readEngine is readCommand for a line whose first word stands for a container
// engine with the command line of docker, such as $DOCKER or
// ${CONTAINER_ENGINE}.
func readEngine(words []word) commandLine {
	r := commandReader{words: words}
	if len(words) > 0 {
		r.arguments(&invocation{command: programs()["docker"]}, 1, 0)
	}
	return r.line
}

// maxCommands bounds the commands within commands of one line.
const maxCommands = 32

type commandReader struct {
	words []word
	line  commandLine
	// placeholder is the text that xargs -I replaces by what it reads.
	placeholder string
}

// invocation is a command with the options met so far; those of the commands
// around it ("docker" of "docker image pull") are known to it too.
type invocation struct {
	*command
	outer *invocation
	flags uint32 // one bit for each boolean optionKind met
	entry string // program of the entrypoint option
}

// command reads the command line that begins at words[at] and goes to the end.
func (r *commandReader) command(at, depth int) {
	for at < len(r.words) && isAssignment(r.words[at].text) {
		at++
	}
	if at >= len(r.words) || depth > maxCommands {
		return
	}
	if c := findProgram(r.words[at]); c != nil {
		r.arguments(&invocation{command: c}, at+1, depth)
		return
	}
	// $SUDO docker pull x: a variable in front of a program that is known
	// holds a wrapper or nothing.
	if r.words[at].text == string(opaque) && at+1 < len(r.words) && findProgram(r.words[at+1]) != nil {
		r.command(at+1, depth+1)
	}
	if r.wraps(at) {
		r.command(at+1, depth+1)
	}
}

// wraps reports whether words[at] is a script of its own that gets a shell with
// options to run: "./runner.sh bash -c '…'".
func (r *commandReader) wraps(at int) bool {
	return at+2 < len(r.words) && strings.HasSuffix(r.words[at].text, ".sh") && strings.HasPrefix(r.words[at+2].text, "-") &&
		findProgram(r.words[at+1]) == programs()["sh"]
}

// isAssignment reports whether s is NAME=value, as in front of a command.
func isAssignment(s string) bool {
	name, _, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return false
	}
	for i := 0; i < len(name); i++ {
		if !isWordByte(name[i]) {
			return false
		}
	}
	return name[0] < '0' || name[0] > '9'
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// findProgram is the command that w runs: by the name of the file, of whatever
// directory, or by the name of the variable that holds it ($KUBECTL,
// $(CONTAINER_ENGINE)). It is nil for a program that is not in the table.
func findProgram(w word) *command {
	if w.text == string(opaque) {
		return programNamed(w.name)
	}
	base := strings.TrimRight(w.text, string(opaque)) // docker$EXE
	base = base[strings.LastIndexAny(base, "/\\\x00")+1:]
	return programs()[strings.TrimSuffix(base, ".exe")]
}

func programNamed(variable string) *command {
	name := strings.ToLower(variable[strings.LastIndexByte(variable, '.')+1:])
	base := strings.TrimSuffix(strings.TrimSuffix(name, "_bin"), "_cmd")
	if c := programs()[strings.ReplaceAll(base, "_", "-")]; c != nil {
		return c
	}
	for _, part := range strings.FieldsFunc(name, func(c rune) bool { return c == '_' || c == '-' }) {
		switch part {
		case "compose", "run", "image", "host", "opts", "args": // DOCKER_RUN is no engine alone
			return nil
		}
	}
	if hint(variable) == hintOptions {
		return nil
	}
	for _, engine := range []string{"docker", "podman", "nerdctl", "engine", "container_tool", "container_cli", "container_runtime", "container_cmd", "oci_bin"} {
		if strings.Contains(name, engine) {
			return programs()["docker"]
		}
	}
	return nil
}

// arguments reads the options and operands of call from words[at] on.
func (r *commandReader) arguments(call *invocation, at, depth int) {
	p := call.pattern()
	if p.tail == tailExec {
		r.tail(call, p, nil, at, depth)
		return
	}
	var found []int // the operands of the command itself
	for i := at; i < len(r.words); i++ {
		text := r.words[i].text
		switch {
		case p.tail == tailCommand && len(p.fixed) > 0 && len(found) == len(p.fixed):
			r.tail(call, p, found, i, depth)
			return
		case text == "--" && len(call.commands) > 0: // minikube kubectl -- run
		case text == "--":
			if p.dashed {
				r.operands(call, p, found)
				r.line.stdin = stdinNone
				r.command(i+1, depth+1)
				return
			}
			r.behindDashes(call, p, found, i+1, depth)
			return
		case isOption(text):
			i = r.option(call, i)
		case r.words[i].holds == holdsOptions:
		case p.plus && len(text) > 1 && text[0] == '+': // bash +e
		case len(call.commands) > 0:
			if sub := call.find(text); sub != nil {
				r.arguments(&invocation{command: sub, outer: call}, i+1, depth)
				return
			}
			if text != string(opaque) { // docker $OPTS pull x
				r.operands(call, p, nil)
				return
			}
		case r.holdsOptions(call, p, len(found), i):
		case p.tail != tailNone && len(found) == len(p.fixed):
			r.tail(call, p, found, i, depth)
			return
		default:
			found = append(found, i)
		}
	}
	r.operands(call, p, found)
}

// behindDashes reads what follows the "--" that ends the options.
func (r *commandReader) behindDashes(call *invocation, p *pattern, found []int, at, depth int) {
	for i := at; i < len(r.words); i++ {
		if p.tail != tailNone && len(found) == len(p.fixed) {
			r.tail(call, p, found, i, depth)
			return
		}
		found = append(found, i)
	}
	r.operands(call, p, found)
}

// isOption reports whether a word is an option: "-" alone is a file name.
func isOption(text string) bool { return len(text) > 1 && text[0] == '-' }

// option reads the option at words[i] and gives the index of its last word.
func (r *commandReader) option(call *invocation, i int) int {
	text := r.words[i].text
	if long, ok := strings.CutPrefix(text, "--"); ok {
		return r.longOption(call, i, long, 2)
	}
	// Some tools, and docker before 1.0, write long options with one dash.
	if call.singleDash(text[1:]) {
		return r.longOption(call, i, text[1:], 1)
	}
	for at := 1; at < len(text); at++ {
		kind, ok := call.lookup(text[at : at+1])
		switch {
		case !ok && at == len(text)-1:
			return r.unknownOption(call, i)
		case !ok:
		case !kind.takesValue():
			call.set(kind)
		case at < len(text)-1: // -tname, -t=name
			rest := at + 1
			if text[rest] == '=' {
				rest++
			}
			r.value(call, kind, i, rest)
			return i
		default:
			return r.nextValue(call, kind, i)
		}
	}
	return i
}

// singleDash reports whether text behind one dash is the name of a long option
// (-link, -rm) and not a cluster of short ones (-ip 80:80).
func (call *invocation) singleDash(text string) bool {
	name, _, _ := strings.Cut(text, "=")
	if len(name) < 2 {
		return false
	}
	_, long := call.lookup(name)
	_, short := call.option(name[:1])
	return long && (!short || len(name) > 2)
}

// longOption reads the option at words[i], whose name starts at byte dashes.
func (r *commandReader) longOption(call *invocation, i int, text string, dashes int) int {
	name, _, inline := strings.Cut(text, "=")
	kind, ok := call.lookup(name)
	switch {
	case inline:
		if kind.takesValue() {
			r.value(call, kind, i, dashes+len(name)+1)
		} else if !strings.HasSuffix(text, "=false") {
			call.set(kind)
		}
		return i
	case !ok:
		return r.unknownOption(call, i)
	case !kind.takesValue():
		call.set(kind)
		return i
	}
	return r.nextValue(call, kind, i)
}

func (r *commandReader) nextValue(call *invocation, kind optionKind, i int) int {
	if i+1 < len(r.words) {
		r.value(call, kind, i+1, 0)
	}
	return i + 1
}

// unknownOption is the last word of an option that is not in the table. It is
// taken for a boolean one, since a word taken for a value would hide an image,
// unless the next word fits worse in its place than the one behind does:
// "--new-thing /a/b alpine", "--new-thing fast ghcr.io/a/b:1", and for a
// command group the name of a subcommand.
func (r *commandReader) unknownOption(call *invocation, i int) int {
	if i+2 >= len(r.words) {
		return i
	}
	next, behind := r.words[i+1].text, r.words[i+2].text
	if isOption(next) {
		return i
	}
	var value bool
	switch {
	case len(call.commands) > 0:
		value = call.find(next) == nil && call.find(behind) != nil
	case !namesImage(next):
		value = namesImage(behind)
	default:
		value = !clearlyImage(next) && clearlyImage(behind)
	}
	if value {
		return i + 1
	}
	return i
}

// value reads the value of an option: the bytes of words[i] from skip on.
func (r *commandReader) value(call *invocation, kind optionKind, i, skip int) {
	text := r.words[i].text[skip:]
	switch kind {
	case optionPull, optionOutput, optionLow:
		// Options that repeat may also list: kubectl create --image=a,b.
		eachPart(text, func(start, end int) { r.add(kind.use(), i, skip+start, skip+end) })
	case optionSet:
		eachPart(text, func(start, end int) { r.set(i, skip+start, skip+end) })
	case optionContext:
		if name, ref, ok := strings.Cut(text, "="); ok && strings.HasPrefix(ref, "docker-image://") {
			r.add(use{}, i, skip+len(name)+1+len("docker-image://"), skip+len(text))
		}
	case optionMount:
		if start, end := field(text, "type"); text[start:end] == "image" {
			r.field(use{}, i, skip, "source", "src")
		}
	case optionDriver:
		r.field(use{}, i, skip, "image")
	case optionExport:
		r.field(use{role: image.Output}, i, skip, "name")
	case optionScript:
		call.set(kind)
		r.script(i, skip)
	case optionManifest, optionDockerfile, optionCompose:
		if text == "-" || text == "/dev/stdin" {
			r.line.stdin = kind.stdin()
		}
	case optionEntrypoint:
		call.entry = text
	case optionLocal:
		call.set(flagLocal)
	case optionSync:
		if text == "docker" {
			call.set(kind)
		}
	case optionReplace:
		r.placeholder = text
	}
}

// eachPart gives the bounds of the parts of a list with commas.
func eachPart(text string, give func(start, end int)) {
	for start := 0; start <= len(text); {
		end := start + len(text[start:])
		if comma := strings.IndexByte(text[start:], ','); comma >= 0 {
			end = start + comma
		}
		give(start, end)
		start = end + 1
	}
}

// field is the bounds of the value of key in "a=b,key=value", and empty bounds
// where it is not there.
func field(text, key string) (start, end int) {
	eachPart(text, func(s, e int) {
		if strings.HasPrefix(text[s:e], key+"=") {
			start, end = s+len(key)+1, e
		}
	})
	return start, end
}

// field adds the image that one of keys holds in the option value at skip.
func (r *commandReader) field(u use, i, skip int, keys ...string) {
	for _, key := range keys {
		if start, end := field(r.words[i].text[skip:], key); end > start {
			r.add(u, i, skip+start, skip+end)
			return
		}
	}
}

// set adds the image of name=image in the bytes start to end of words[i].
func (r *commandReader) set(i, start, end int) {
	if eq := strings.IndexByte(r.words[i].text[start:end], '='); eq >= 0 {
		r.add(use{}, i, start+eq+1, end)
	}
}

// operands sorts the operands found by the pattern of the command.
func (r *commandReader) operands(call *invocation, p *pattern, found []int) {
	switch {
	case p.tail == tailShell && !call.flag(flagScript), // bash <<EOF
		p.tail == tailRemote && len(found) == len(p.fixed), // ssh host <<EOF
		p.login && !call.flag(optionScript):                // su - user <<EOF
		r.line.stdin = stdinShell
	}
	for n, i := range found {
		if u, ok := p.at(n, len(found)); ok {
			r.operand(call, u, i)
		}
	}
}

func (r *commandReader) operand(call *invocation, u use, i int) {
	w := r.words[i]
	switch {
	case u.kind == useScript:
		r.script(i, 0)
	case u.kind == useContext:
		if w.text == "-" {
			r.line.stdin = stdinDockerfile
		}
	case u.kind == useManifest:
		if w.text == "-" {
			r.line.stdin = stdinManifest
		}
	case u.kind == useSet:
		r.set(i, 0, len(w.text))
	case u.kind == useNothing || call.flag(flagLocal) || u.kind == useSync && !call.flag(optionSync):
	case isList(w) && hint(w.name) != hintImage:
	default:
		r.add(u, i, 0, len(w.text))
	}
}

// script notes that words[i] from skip on is shell text. Text that follows an
// option in the same word has no word of its own and is left out.
func (r *commandReader) script(i, skip int) {
	if skip == 0 && r.words[i].text != "" {
		r.line.scripts = append(r.line.scripts, i)
	}
}

// tail reads the rest of the words, from at on, which is a command of its own.
func (r *commandReader) tail(call *invocation, p *pattern, found []int, at, depth int) {
	for n, i := range found {
		r.operand(call, p.fixed[n], i)
	}
	switch p.tail {
	case tailCommand:
		if call.entry != "" {
			r.entrypoint(call.entry, at, depth)
			return
		}
		r.command(at, depth+1)
		if p.piped { // xargs reads the input itself
			r.line.stdin = stdinNone
		}
	case tailRemote:
		if at == len(r.words)-1 {
			r.script(at, 0)
			r.line.stdin = remoteStdin(r.words[at].text)
			return
		}
		r.command(at, depth+1)
	case tailEval:
		if strings.ContainsAny(r.words[at].text, " \t\n;") {
			r.script(at, 0)
			return
		}
		r.command(at, depth+1)
	case tailShell:
		if call.flag(flagScript) {
			r.script(at, 0)
		}
		if call.flag(flagStdin) {
			r.line.stdin = stdinShell
		}
	case tailExec:
		for i := at; i < len(r.words); i++ {
			switch r.words[i].text {
			case "-exec", "-execdir", "-ok", "-okdir":
				r.placeholder = "{}"
				r.command(i+1, depth+1)
				return
			}
		}
	}
}

// entrypoint reads the words from at on as the arguments of the program that
// "docker run --entrypoint" names.
func (r *commandReader) entrypoint(program string, at, depth int) {
	if c := findProgram(word{text: program}); c != nil && depth < maxCommands {
		r.arguments(&invocation{command: c}, at, depth+1)
	}
}

// remoteStdin is what a here-document is for "ssh host 'bash -s'".
func remoteStdin(script string) stdinKind {
	var words []word
	for _, text := range strings.Fields(script) {
		words = append(words, word{text: text})
	}
	r := commandReader{words: words}
	r.command(0, 0)
	return r.line.stdin
}

// add notes that the bytes start to end of words[i] name an image, unless they
// can't.
func (r *commandReader) add(u use, i, start, end int) {
	text := r.words[i].text
	ref := text[start:end]
	switch {
	case u.transport: // skopeo: anything else is a directory, an archive, a daemon
		if r.words[i].transport {
			break
		}
		if !strings.HasPrefix(ref, registryTransport) {
			return
		}
		start += len(registryTransport)
	case strings.HasPrefix(ref, registryTransport): // podman pull docker://x
		start += len(registryTransport)
	}
	ref = text[start:end]
	if !namesImage(ref) || r.placeholder != "" && strings.Contains(ref, r.placeholder) {
		return
	}
	r.line.operands = append(r.line.operands, operand{word: i, skip: start, end: end, role: u.role, digestOnly: u.transport, low: u.low})
}

// registryTransport is the prefix with which skopeo and podman name an image in
// a registry
// (https://github.com/containers/image/blob/main/docs/containers-transports.5.md).
const registryTransport = "docker://"

// elsewhere are the transports of images that are in no registry.
var elsewhere = [...]string{"docker-archive:", "docker-daemon:", "oci-archive:", "containers-storage:", "ostree:", "tarball:", "dir:/", "dir:.", "dir:\x00", "oci:/", "oci:.", "oci:\x00", "ocidir:", "sha256:"}

// namesImage reports whether s can name an image at all, be it misspelt. Paths,
// URLs, image IDs, the "+v1.31" of k3d and the "{}" of find and xargs can't.
func namesImage(s string) bool {
	if s == "" || strings.IndexByte("/.~-+", s[0]) >= 0 || strings.ContainsAny(s, " \t\r\n\\=") ||
		strings.Contains(s, "://") || strings.Contains(s, "{}") {
		return false
	}
	for _, prefix := range elsewhere {
		if strings.HasPrefix(s, prefix) {
			return false
		}
	}
	for _, suffix := range [...]string{".tar", ".tgz", ".tar.gz"} { // k3d image import takes both
		if strings.HasSuffix(s, suffix) {
			return false
		}
	}
	return strings.IndexFunc(s, func(c rune) bool { return c == opaque || c < 0x80 && isWordByte(byte(c)) && c != '_' }) >= 0
}

// clearlyImage reports whether s can be taken for an image without knowing
// where it stands: it has a tag, a digest or a path, and is neither a file nor
// a host with its port.
func clearlyImage(s string) bool {
	if !namesImage(s) {
		return false
	}
	filled := strings.ReplaceAll(s, string(opaque), "x")
	if _, err := image.Parse(filled); err != nil {
		return false
	}
	slash := strings.LastIndexByte(s, '/')
	last := s[slash+1:]
	_, tag, tagged := strings.Cut(last, ":")
	switch {
	case tagged && slash < 0:
		return !isPort(tag)
	case tagged:
		return true
	case slash < 0 || s[0] == opaque: // a bare word; $PWD/dir
		return false
	}
	return !strings.Contains(last, ".") // src/main.py
}

// isPort reports whether s is a number that ports have and tags hardly do.
func isPort(s string) bool {
	return len(s) >= 4 && strings.Trim(s, "0123456789") == ""
}

// holdsOptions reports whether words[i], which stands where the image of "run"
// is expected, holds options instead. Only a word that is one variable or
// substitution without quotes can.
//
// In public scripts a single such word is as often options as an image, so what
// stands around it decides, in this order:
//
//   - the name: "docker run --rm $ARGS $IMG", "$DOCKER_OPTS", "${VOLUMES}"
//     (options), "$IMAGE_NAME" (an image); "$@" and "${a[@]}" are never one
//     image;
//   - an option of the same command behind it, and an operand behind that:
//     "docker run $1 --name login -p 80:80 login". Options of the program in
//     the container end the line or are not in the table:
//     "docker run $X --version";
//   - a word behind it that is an image beyond doubt, or is named like one or
//     quoted alone: "docker run -d $x team/server:1", "docker run $x $img". A
//     bare word is the command: "docker run $1 cat /etc/passwd".
func (r *commandReader) holdsOptions(call *invocation, p *pattern, found, i int) bool {
	w := r.words[i]
	if w.holds == holdsOperand {
		return false
	}
	if p.tail != tailCommand || found >= len(p.fixed) || p.fixed[found].kind != useImage {
		return hint(w.name) == hintOptions && wholly(w) && (i+1 < len(r.words) || found > 0) && p.takesImages
	}
	if !wholly(w) || w.quoted {
		return false
	}
	switch {
	case hint(w.name) == hintOptions || isList(w):
		return true
	case hint(w.name) == hintImage:
		return false
	}
	for next := i + 1; next < min(len(r.words), i+maxLook); next++ {
		switch v := r.words[next]; {
		case isOption(v.text):
			return r.optionsBehind(call, next)
		case wholly(v) && (v.quoted || hint(v.name) == hintImage):
			return true
		case !wholly(v):
			return clearlyImage(v.text)
		}
	}
	return false
}

// maxLook bounds how many words ahead decide about one.
const maxLook = 128

func wholly(w word) bool { return w.text == string(opaque) }

// isList reports whether w stands for any number of words: "$@", "${a[@]}".
func isList(w word) bool {
	return wholly(w) && (w.name == "@" || w.name == "*" || strings.HasSuffix(w.name, "[@]") || strings.HasSuffix(w.name, "[*]"))
}

// optionsBehind reports whether the words from at on are options of call with
// an operand behind them.
func (r *commandReader) optionsBehind(call *invocation, at int) bool {
	probe := commandReader{words: r.words}
	scratch := &invocation{command: call.command, outer: call.outer}
	for i := at; i < min(len(r.words), at+maxLook); i++ {
		text := r.words[i].text
		if !isOption(text) {
			return namesImage(text)
		}
		if !call.knows(text) {
			return false
		}
		i = probe.option(scratch, i)
	}
	return false
}

// knows reports whether text is an option of the command itself, or a cluster
// of them.
func (call *invocation) knows(text string) bool {
	if long, ok := strings.CutPrefix(text, "--"); ok {
		name, _, _ := strings.Cut(long, "=")
		_, ok := call.option(name)
		return ok
	}
	for at := 1; at < len(text); at++ {
		kind, ok := call.option(text[at : at+1])
		if !ok || kind.takesValue() {
			return ok
		}
	}
	return true
}

// hints that the name of a variable gives about its value.
type hintKind uint8

const (
	hintNone hintKind = iota
	hintImage
	hintOptions
)

// hint reads the name of a variable. Its last part is the head of a noun
// phrase: IMAGE_OPTS are options, OPTS_IMAGE is an image, and ARG_OVPN, which
// may hold options with the image behind them, is neither.
func hint(name string) hintKind {
	name = strings.ToLower(name[strings.LastIndexByte(name, '.')+1:]) // env.IMAGE
	name = strings.TrimSuffix(strings.TrimSuffix(name, "[@]"), "[*]")
	last := name[strings.LastIndexAny(name, "_-")+1:]
	for _, noun := range optionNouns {
		if strings.HasSuffix(last, noun) || strings.HasSuffix(last, noun+"s") {
			return hintOptions
		}
	}
	if strings.Contains(name, "image") || strings.Contains(name, "img") {
		return hintImage
	}
	return hintNone
}

// optionNouns are the words with which scripts name variables of options.
var optionNouns = [...]string{"opt", "option", "arg", "argument", "flag", "param", "parameter", "volume", "mount", "env", "port", "publish", "mapping", "network", "gpu", "label", "limit", "platform"}

// lookup finds an option of the command or of one around it.
func (call *invocation) lookup(name string) (optionKind, bool) {
	for ; call != nil; call = call.outer {
		if kind, ok := call.option(name); ok {
			return kind, true
		}
	}
	return optionNone, false
}

func (call *invocation) set(kind optionKind) { call.flags |= 1 << kind }

func (call *invocation) flag(kind optionKind) bool { return call.flags&(1<<kind) != 0 }

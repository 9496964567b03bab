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

// Ansible reads playbooks, and the tasks, handlers and variables of roles
// (https://docs.ansible.com/ansible/latest/reference_appendices/playbooks_keywords.html).
var Ansible = register(Format{
	Name:    "ansible",
	Title:   "Ansible",
	Files:   "YAML that begins with a play, tasks in a role or a folder of playbooks, and variables of roles, groups and hosts.",
	Places:  "The images of docker, podman and Kubernetes modules, the variables that they are made of, and `shell` and `command` tasks.",
	Comment: "#",
	Detect:  detectAnsible,
	Parse:   parseAnsible,
})

func detectAnsible(c *Candidate) Certainty {
	if !c.isYAML() {
		return No
	}
	if ansibleVariables(c.Path) {
		if bytes.Contains(c.Data, []byte("image")) && !bytes.Contains(c.Data, []byte("apiVersion:")) {
			return Content
		}
		return No
	}
	if c.name == "molecule.yml" && bytes.Contains(c.Data, []byte("platforms")) {
		return Likely
	}
	if !startsWithItem(c.Data) {
		return No
	}
	role := false
	for _, folder := range []string{"tasks", "handlers", "playbooks", "pre_tasks", "post_tasks"} {
		role = role || inFolder(c.Path, folder)
	}
	play := hasItemKey(c.Data, "hosts") || hasItemKey(c.Data, "import_playbook") || hasItemKey(c.Data, "ansible.builtin.import_playbook")
	module := containsAny(c.Data, ansibleModules)
	switch {
	case play, role && module:
		return Likely
	case module && (hasItemKey(c.Data, "name") || hasItemKey(c.Data, "block")):
		return Content
	}
	return No
}

// ansibleModules are the beginnings of tasks with an image.
var ansibleModules = []string{
	"docker_container:", "docker_image:", "docker_image_pull:", "docker_image_build:", "docker_image_push:", "docker_image_tag:",
	"docker_swarm_service:", "docker_compose", "podman_container:", "podman_containers:", "podman_image:", "podman_pod:", "kubernetes.core.k8s:", "\n  k8s:", " k8s:",
	"command:", "shell:", "ansible.builtin.", "include_tasks:", "import_tasks:", "set_fact:",
}

// startsWithItem reports whether the first line with content begins an item of
// a list.
func startsWithItem(data []byte) bool {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		t := bytes.TrimLeft(line, " \t\xef\xbb\xbf")
		t = bytes.TrimRight(t, " \r")
		if len(t) == 0 || t[0] == '#' || t[0] == '%' || bytes.HasPrefix(t, []byte("---")) {
			continue
		}
		return bytes.HasPrefix(t, []byte("- ")) || len(t) == 1 && t[0] == '-'
	}
	return false
}

// hasItemKey reports whether a line is "- key:" or "  key:".
func hasItemKey(data []byte, key string) bool {
	for _, start := range []string{"- ", "  "} {
		s := []byte(start + key + ":")
		if bytes.HasPrefix(data, s) || bytes.Contains(data, append([]byte{'\n'}, s...)) {
			return true
		}
	}
	return false
}

// ansibleVariables reports whether a path is that of a role's variables, or of
// a group's or host's.
func ansibleVariables(name string) bool {
	for _, folder := range []string{"group_vars", "host_vars"} {
		if inFolder(name, folder) {
			return true
		}
	}
	dir := path.Dir(name)
	switch path.Base(dir) {
	case "main":
		dir = path.Dir(dir)
	}
	switch path.Base(dir) {
	case "defaults", "vars":
		return path.Dir(dir) == "." || inFolder(name, "roles") || path.Base(name) == "main.yml" || path.Base(name) == "main.yaml"
	}
	return false
}

var classAnsible = &class{noun: "variable", overridable: true, safety: image.Unsafe,
	why: "templates and other files of the role or inventory may read this variable"}

// ansible is one file being read.
type ansible struct {
	pass *Pass
	doc  *document
	// vars are the mappings of variables around the place, outermost first.
	vars []*node
	// loop is the list that a task goes through, itemName the name of its
	// items.
	loop     *node
	itemName string
	// outside are the documents with variables of other files, nearest first;
	// nil until one is asked for.
	outside *[]*document
	// read holds the lists of tasks that were read: aliases of aliases are
	// not worth their number.
	read map[*node]bool
}

func parseAnsible(p *Pass) {
	if !containsAny(p.Text.Data, append([]string{"image", "docker", "podman", "definition"}, shellWords...)) {
		return
	}
	outside := new([]*document)
	for _, d := range p.documents() {
		a := ansible{pass: p, doc: d, outside: outside, itemName: "item", read: map[*node]bool{}}
		switch {
		case isSequence(d.root):
			a.tasks(d.root, "", 0)
		case dataName(p.Text.File.Path) == "molecule.yml":
			a.molecule(d.root)
		case isMapping(d.root):
			a.defaults(d.root)
		}
	}
}

// taskKeys are the keys of a task that are no module
// (https://docs.ansible.com/ansible/latest/reference_appendices/playbooks_keywords.html#task).
func taskKey(key string) bool {
	switch key {
	case "name", "when", "register", "tags", "vars", "loop", "loop_control", "notify", "become", "become_user", "become_method", "environment",
		"delegate_to", "run_once", "until", "retries", "delay", "changed_when", "failed_when", "ignore_errors", "no_log", "args", "check_mode",
		"listen", "async", "poll", "any_errors_fatal", "delegate_facts", "diff", "throttle", "timeout", "debugger", "collections", "module_defaults",
		"connection", "port", "remote_user", "ignore_unreachable", "hosts", "roles", "gather_facts", "vars_files", "vars_prompt", "serial", "strategy":
		return true
	}
	return strings.HasPrefix(key, "with_")
}

// tasks reads a list of plays, blocks and tasks.
func (a ansible) tasks(list *node, pointer string, depth int) {
	if target := follow(list); depth > maxAliases || target == nil || a.read[target] {
		return
	} else {
		a.read[target] = true
	}
	for i, item := range items(list) {
		here := pointer + pointerIndex(i)
		if !isMapping(item) {
			continue
		}
		inner := a
		if v := get(item, "vars"); isMapping(v) {
			inner.vars = append(slices.Clip(a.vars), v)
		}
		inner.loopOver(item)
		for _, key := range []string{"pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always"} {
			if n := get(item, key); isSequence(n) {
				inner.tasks(n, joinPointer(here, key), depth+1)
			}
		}
		if get(item, "hosts") != nil && get(item, "tasks") == nil && get(item, "roles") != nil {
			continue
		}
		inner.task(item, here)
	}
}

// loopOver notes what a task goes through.
func (a *ansible) loopOver(task *node) {
	for key, v := range pairs(task) {
		switch key.Value {
		case "loop", "with_items", "with_list", "with_flattened", "with_dict":
			a.loop = v
		}
	}
	if name := str(at(task, "loop_control", "loop_var")); name != "" {
		a.itemName = name
	}
}

func (a ansible) task(task *node, pointer string) {
	for key, args := range pairs(task) {
		if taskKey(key.Value) {
			continue
		}
		module := key.Value[strings.LastIndexByte(key.Value, '.')+1:]
		if module == "action" || module == "local_action" {
			if isMapping(args) {
				module = str(get(args, "module"))
				module = module[strings.LastIndexByte(module, '.')+1:]
			} else if word, _, ok := strings.Cut(str(args), " "); ok {
				module = word
			}
		}
		a.module(module, args, task, joinPointer(pointer, key.Value))
	}
}

// module reads the arguments of a task.
func (a ansible) module(module string, args, task *node, pointer string) {
	if isScalar(args) {
		switch module {
		case "command", "shell", "raw", "win_shell", "win_command", "expect":
			a.shell(args, pointer)
		default:
			a.inline(module, args, pointer)
		}
		return
	}
	absent := str(get(args, "state")) == "absent"
	switch module {
	case "docker_container", "docker_swarm_service", "podman_container", "docker_service":
		a.image(get(args, "image"), image.Pull, pointer+".image")
		if module == "docker_service" {
			a.compose(get(args, "definition"), pointer+".definition")
		}
	case "podman_containers":
		for i, c := range items(get(args, "containers")) {
			a.image(get(c, "image"), image.Pull, pointer+".containers"+pointerIndex(i)+".image")
		}
	case "podman_pod":
		a.image(get(args, "infra_image"), image.Pull, pointer+".infra_image")
	case "docker_image", "podman_image":
		if !absent {
			a.built(args, pointer)
		}
	case "docker_image_pull":
		a.named(args, image.Pull, pointer)
	case "docker_image_build", "docker_image_push":
		a.named(args, image.Output, pointer)
	case "docker_image_tag":
		for i, n := range items(get(args, "repository")) {
			a.image(n, image.Output, pointer+".repository"+pointerIndex(i))
		}
		a.image(get(args, "repository"), image.Output, pointer+".repository")
	case "docker_compose", "docker_compose_v2":
		a.compose(get(args, "definition"), pointer+".definition")
	case "k8s", "openshift_raw", "k8s_raw":
		for _, key := range []string{"definition", "resource_definition", "inline"} {
			a.manifest(get(args, key), pointer+"."+key)
		}
	case "ecs_taskdefinition", "azure_rm_containerinstance":
		for i, c := range items(get(args, "containers")) {
			a.image(get(c, "image"), image.Pull, pointer+".containers"+pointerIndex(i)+".image")
		}
	case "lambda":
		a.image(get(args, "image_uri"), image.Pull, pointer+".image_uri")
	case "command", "shell", "raw", "win_shell", "win_command", "expect":
		a.shell(get(args, "cmd"), pointer+".cmd")
		a.shell(get(args, "_raw_params"), pointer)
		a.shell(get(args, "command"), pointer+".command")
		if argv := get(args, "argv"); isSequence(argv) {
			q := *a.pass
			q.pointer, q.vars = joinPointer(q.pointer, pointer+".argv"), a.templating()
			q.argv(a.doc, argv)
		}
	case "copy", "blockinfile", "template":
		for _, key := range []string{"content", "block"} {
			a.content(get(args, key), pointer+"."+key)
		}
	case "set_fact", "include_vars":
	}
	_ = task
}

// inline reads the arguments of a module written as "key=value …".
func (a ansible) inline(module string, args *node, pointer string) {
	var key string
	role := image.Pull
	switch module {
	case "docker_container", "podman_container", "docker_swarm_service", "docker":
		key = "image="
	case "docker_image", "podman_image", "docker_image_pull":
		key = "name="
		if s := str(args); strings.Contains(s, "state=absent") {
			return
		} else if strings.Contains(s, "path=") || strings.Contains(s, "source=build") || strings.Contains(s, "push=") {
			role = image.Output
		}
	default:
		return
	}
	t, _ := a.doc.content(args)
	if t == nil {
		return
	}
	i := bytes.Index(t.Data, []byte(key))
	if i < 0 || i > 0 && t.Data[i-1] != ' ' && t.Data[i-1] != '\n' {
		return
	}
	i += len(key)
	end := i
	for depth := 0; end < len(t.Data) && (depth > 0 || strings.IndexByte(" \t\r\n", t.Data[end]) < 0); end++ {
		switch t.Data[end] {
		case '{':
			depth++
		case '}':
			depth--
		}
	}
	ref := unquote(t.Slice(i, end))
	a.pass.Use(found{text: ref, role: role, values: expand(ref, scanJinja, a.look), pointer: pointer})
}

// built reads docker_image and podman_image: their name is what is built where
// they build, and what is pulled otherwise
// (https://docs.ansible.com/ansible/latest/collections/community/docker/docker_image_module.html).
func (a ansible) built(args *node, pointer string) {
	role := image.Pull
	build := get(args, "build")
	switch {
	case str(get(args, "source")) == "build", get(args, "path") != nil, isMapping(build) && str(get(args, "source")) == "",
		get(args, "push") != nil && truth(get(args, "push")), get(args, "dockerfile") != nil:
		role = image.Output
	case str(get(args, "source")) == "load", str(get(args, "state")) == "build":
		role = image.Output
	}
	a.named(args, role, pointer)
	a.image(get(args, "repository"), image.Output, pointer+".repository")
}

// truth reports whether a scalar is one of YAML 1.1's words for true.
func truth(n *node) bool {
	switch strings.ToLower(str(n)) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

// named reads an image whose tag may stand in a key of its own.
func (a ansible) named(args *node, role image.Role, pointer string) {
	name, tag := get(args, "name"), get(args, "tag")
	if isSequence(name) {
		for i, n := range items(name) {
			a.image(n, role, pointer+".name"+pointerIndex(i))
		}
		return
	}
	if tag == nil || null(tag) {
		a.image(name, role, pointer+".name")
		return
	}
	a.pass.split(a.doc, splitImage{name: name, tag: tag, owner: args}, scanJinja, a.look, found{role: role, pointer: pointer + ".name"})
}

func (a ansible) image(n *node, role image.Role, pointer string) {
	if !isScalar(n) {
		return
	}
	if s := str(n); strings.HasPrefix(s, "/") || strings.HasPrefix(s, "sha256:") {
		return
	}
	a.pass.image(a.doc, n, scanJinja, a.look, found{role: role, pointer: pointer})
}

// templating is how Jinja's variables stand in the texts of other formats.
func (a ansible) templating() templating { return templating{scan: scanJinja, look: a.look} }

func (a ansible) shell(n *node, pointer string) {
	if t, _ := a.doc.content(n); t != nil {
		a.pass.nested(t, pointer, func(q *Pass) { q.shell(noLookup, a.templating()) })
	}
}

// content reads a file that a task writes: a manifest or a script.
func (a ansible) content(n *node, pointer string) {
	t, _ := a.doc.content(n)
	if t == nil {
		return
	}
	data := bytes.TrimLeft(t.Data, spaces)
	switch {
	case looksLikeManifest(data):
		a.manifest(n, pointer)
	case bytes.HasPrefix(data, []byte("#!")) && isShellLine(string(data[:lineEnd(data, 0)])):
		a.shell(n, pointer)
	}
}

// manifest reads an object of Kubernetes: a mapping, or text.
func (a ansible) manifest(n *node, pointer string) {
	if isScalar(n) {
		if t, _ := a.doc.content(n); t != nil && looksLikeManifest(t.Data) {
			a.pass.nested(t, pointer, func(q *Pass) { q.vars = a.templating(); parseKubernetes(q) })
		}
		return
	}
	q := *a.pass
	q.vars, q.pointer = a.templating(), joinPointer(q.pointer, pointer)
	k := &kubernetes{pass: &q, doc: a.doc, walked: map[walkKey]bool{}}
	k.top(n, 0)
}

// compose reads a Compose project in a mapping.
func (a ansible) compose(n *node, pointer string) {
	services := get(n, "services")
	for name, service := range pairs(services) {
		role := image.Pull
		if b := get(service, "build"); b != nil {
			role = image.Output
		}
		a.image(get(service, "image"), role, pointer+".services."+name.Value+".image")
	}
}

// molecule reads the platforms of a Molecule scenario that are containers
// (https://ansible.readthedocs.io/projects/molecule/).
func (a ansible) molecule(root *node) {
	switch str(at(root, "driver", "name")) {
	case "docker", "podman", "containers", "":
	default:
		return
	}
	for i, platform := range items(get(root, "platforms")) {
		if n := get(platform, "image"); isScalar(n) {
			a.pass.image(a.doc, n, scanDollar, noLookup, found{pointer: "platforms" + pointerIndex(i) + ".image"})
		}
	}
}

// defaults reads pairs of variables that are the name and the tag of an image.
// A variable with a whole reference is counted where it is read.
func (a ansible) defaults(root *node) {
	for key, name := range pairs(root) {
		stem, ok := strings.CutSuffix(key.Value, "_image_name")
		if !ok {
			continue
		}
		for _, suffix := range []string{"_image_version", "_image_tag"} {
			tag := get(root, stem+suffix)
			if !isScalar(tag) || !isScalar(name) || str(name) == "" || str(tag) == "" ||
				strings.Contains(str(name)+str(tag), "{{") {
				continue
			}
			a.pass.split(a.doc, splitImage{name: name, tag: tag, owner: root}, noVariables, noLookup,
				found{pointer: key.Value, confidence: image.Low})
			break
		}
	}
}

// scanJinja finds "{{ name }}", with "| default('text')" as an operator
// (https://jinja.palletsprojects.com/en/stable/templates/). Anything else
// within the braces is a name that nothing defines.
func scanJinja(data []byte, i int) (variable, bool) {
	k := bytes.Index(data[i:], []byte("{{"))
	if k < 0 {
		return variable{}, false
	}
	v := variable{start: i + k}
	n := bytes.Index(data[v.start:], []byte("}}"))
	if n < 0 {
		return variable{}, false
	}
	v.end = v.start + n + 2
	v.nameStart, v.nameEnd = trimSpan(data, v.start+2, v.end-2)
	if v.nameEnd > v.nameStart && data[v.nameStart] == '-' {
		v.nameStart++
	}
	v.nameStart, v.nameEnd = trimSpan(data, v.nameStart, v.nameEnd)
	if bar := bytes.IndexByte(data[v.nameStart:v.nameEnd], '|'); bar > 0 {
		filter := bytes.TrimSpace(data[v.nameStart+bar+1 : v.nameEnd])
		rest := v.nameStart + bar + 1
		switch {
		case bytes.HasPrefix(filter, []byte("default(")), bytes.HasPrefix(filter, []byte("d(")):
			open := rest + bytes.IndexByte(data[rest:v.nameEnd], '(') + 1
			start, end := trimSpan(data, open, v.nameEnd)
			if end-start > 2 && (data[start] == '\'' || data[start] == '"') {
				if close := bytes.IndexByte(data[start+1:end], data[start]); close >= 0 {
					after := bytes.TrimSpace(data[start+1+close+1 : end])
					if len(after) > 0 && (after[0] == ')' || after[0] == ',') && !bytes.Contains(after, []byte("|")) {
						v.op, v.word = ":-", [2]int{start + 1, start + 1 + close}
					}
				}
			}
			if v.op == "" {
				v.op = "|"
			}
		case string(filter) == "string", string(filter) == "trim":
		default:
			v.op = "|"
		}
		v.nameStart, v.nameEnd = trimSpan(data, v.nameStart, v.nameStart+bar)
	}
	v.name = string(data[v.nameStart:v.nameEnd])
	return v, true
}

// look is what a name in Jinja stands for: the item of a loop, a variable
// around the task, or one of the role.
func (a ansible) look(name string) *binding {
	words := jinjaPath(name)
	if len(words) == 0 {
		return nil
	}
	if words[0] == a.itemName && a.loop != nil {
		return a.item(name, words[1:])
	}
	for i := len(a.vars) - 1; i >= 0; i-- {
		if n := at(a.vars[i], words...); isScalar(n) {
			return a.variable(name, a.doc, n, words[0], a)
		}
	}
	if isMapping(a.doc.root) {
		if n := at(a.doc.root, words...); isScalar(n) {
			return a.variable(name, a.doc, n, words[0], a)
		}
	}
	for _, d := range a.beside() {
		if n := at(d.root, words...); isScalar(n) {
			inner := ansible{pass: a.pass, doc: d, outside: a.outside, itemName: "item"}
			return a.variable(name, d, n, words[0], inner)
		}
	}
	return nil
}

// jinjaPath is a name with its attributes: "a.b" and "a['b']"; nil for an
// expression.
func jinjaPath(name string) []string {
	name = strings.NewReplacer("['", ".", "']", "", "[\"", ".", "\"]", "").Replace(name)
	words := strings.Split(name, ".")
	for _, w := range words {
		if w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			return nil
		}
	}
	return words
}

func (a ansible) variable(name string, d *document, n *node, word string, scope ansible) *binding {
	t, _ := d.content(n)
	if t == nil {
		return nil
	}
	b := &binding{name: name, word: word, class: classAnsible, file: t.File, region: d.span(),
		eval: func() []expr { return expand(t, scanJinja, scope.look) }}
	// A key stands before its value: where it begins is a name, not a reading.
	start := t.At(0)
	line := t.File.Offset(t.File.Position(start).Line)
	if i := bytes.Index(t.File.Data[line:start], []byte(word)); i >= 0 {
		b.def = source.Span{Start: line + i, End: line + i + len(word)}
	}
	return b
}

// item are the elements of a loop, or what is below a key of each.
func (a ansible) item(name string, keys []string) *binding {
	loop := follow(a.loop)
	if loop == nil || loop.Kind != yaml.SequenceNode {
		return nil
	}
	outer := a
	outer.loop = nil
	b := &binding{name: name, class: classLoop, file: a.doc.text.File, region: a.doc.span()}
	b.eval = func() []expr {
		var out []expr
		for _, item := range items(loop) {
			n := item
			if len(keys) > 0 {
				n = at(item, keys...)
			}
			t, _ := a.doc.content(n)
			if t == nil || len(out) >= maxValues {
				return nil
			}
			out = append(out, expand(t, scanJinja, outer.look)...)
		}
		return out
	}
	return b
}

// beside are the documents with the variables of the same role or inventory,
// the nearest first
// (https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_variables.html#understanding-variable-precedence).
func (a ansible) beside() []*document {
	if *a.outside != nil {
		return *a.outside
	}
	*a.outside = []*document{}
	var names []string
	dir := path.Base(path.Dir(a.pass.Text.File.Path))
	switch dir {
	case "tasks", "handlers":
		names = []string{"../vars/main.yml", "../vars/main.yaml", "../defaults/main.yml", "../defaults/main.yaml"}
	case "defaults", "vars":
		names = []string{"../defaults/main.yml"}
	default:
		names = []string{"group_vars/all.yml", "group_vars/all/main.yml", "vars/main.yml", "vars.yml"}
	}
	for _, name := range names {
		f := a.pass.open(name)
		if f == nil || f.Path == a.pass.Text.File.Path {
			continue
		}
		q := *a.pass
		q.Text, q.quiet = source.Whole(f), true
		for _, d := range q.documents() {
			if isMapping(d.root) {
				*a.outside = append(*a.outside, d)
			}
		}
	}
	return *a.outside
}

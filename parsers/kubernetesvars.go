package parsers

import (
	"bytes"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// Parameters of custom resources: Tekton's "$(params.x)"
// (https://tekton.dev/docs/pipelines/variables/), Argo Workflows'
// "{{inputs.parameters.x}}" (https://argo-workflows.readthedocs.io/en/latest/variables/)
// and the "${X}" of OpenShift templates
// (https://docs.openshift.com/container-platform/latest/openshift_images/using-templates.html).

// argoGroup is the API group of the Argo projects.
const argoGroup = "argoproj.io"

var classParameter = &class{noun: "parameter", overridable: true}

// classAmbiguous is a parameter that can be read in ways which are not found by
// its name.
var classAmbiguous = &class{noun: "parameter", overridable: true, safety: image.Unsafe,
	why: "it is also read as params[\"…\"] here"}

// scope is a list of parameters, each a mapping with a "name".
type scope struct {
	// prefix is what stands before the name where it is read: "params.".
	prefix string
	list   *node
}

// find is the text that a scope gives a parameter: what is passed on, else the
// default.
func (s scope) find(name string) (text, key *node, passed bool) {
	for _, p := range items(s.list) {
		if str(get(p, "name")) != name {
			continue
		}
		if v := get(p, "value"); v != nil {
			return v, get(p, "name"), true
		}
		return get(p, "default"), get(p, "name"), false
	}
	return nil, nil, false
}

// declare adds the parameters that a mapping declares for what is below it.
func (k *kubernetes) declare(n *node) {
	add := func(prefix string, list *node) {
		if isSequence(list) {
			k.scopes = append(slices.Clip(k.scopes), scope{prefix, list})
		}
	}
	switch {
	case k.tekton():
		add("params.", get(n, "params"))
		add("params.", at(n, "inputs", "params"))
	case k.group == argoGroup:
		add("inputs.parameters.", at(n, "inputs", "parameters"))
		if get(n, "templates") != nil || get(n, "entrypoint") != nil || get(n, "workflowTemplateRef") != nil {
			add("workflow.parameters.", at(n, "arguments", "parameters"))
		}
	}
}

func (k *kubernetes) tekton() bool {
	return k.group == "tekton.dev" || strings.HasSuffix(k.group, ".tekton.dev")
}

// look is the binding of a variable: an outer format's, else a parameter.
func (k *kubernetes) look(name string) *binding {
	if b := k.pass.look(name); b != nil {
		return b
	}
	return k.lookIn(name, len(k.scopes))
}

// lookIn is look among the first n scopes.
func (k *kubernetes) lookIn(name string, n int) *binding {
	for i := n - 1; i >= 0; i-- {
		s := k.scopes[i]
		param, ok := strings.CutPrefix(name, s.prefix)
		if !ok {
			continue
		}
		text, key, passed := s.find(param)
		if !passed && i > 0 && k.scopes[i-1].prefix == s.prefix {
			// What the caller of an embedded task passes wins over its default.
			if v, outerKey, given := k.scopes[i-1].find(param); given {
				text, key, i = v, outerKey, i-1
			}
		}
		if text != nil {
			return k.parameter(name, text, key, i)
		}
	}
	return nil
}

// parameter is the binding to a text in the scope with that index; it may name
// parameters of the scopes outside.
func (k *kubernetes) parameter(name string, text, key *node, index int) *binding {
	t, links := k.doc.content(text)
	if t == nil || k.templated(t) {
		return nil
	}
	b := &binding{name: name, class: classParameter, file: t.File, region: k.doc.span()}
	if bytes.Contains(k.doc.text.Data, []byte("params[")) {
		b.class = classAmbiguous
	}
	if c, _ := k.doc.content(key); c != nil {
		b.def, _ = c.Span(0, len(c.Data))
	}
	b.eval = func() []expr {
		values := expand(t, k.scan, func(inner string) *binding {
			if inner == name && index == 0 {
				return nil
			}
			return k.lookIn(inner, index)
		})
		for _, l := range links {
			for i := range values {
				values[i] = through(l, values[i])
			}
		}
		return values
	}
	return b
}

// scan finds the variables of the outer format, of the tools that fill in
// manifests, and of the object's own kind.
func (k *kubernetes) scan(data []byte, i int) (variable, bool) {
	v, ok := k.ownScanner()(data, i)
	// Flux substitutes as a shell does, ":=" as ":-"
	// (https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution).
	if ok && v.word == [2]int{} && strings.HasPrefix(v.op, ":=") {
		v.word = [2]int{v.nameEnd + len(":="), v.end - 1}
		v.op = ":-"
	}
	return v, ok
}

func (k *kubernetes) ownScanner() scanner {
	outer := k.pass.scanner()
	switch {
	case k.group == argoGroup:
		return firstOf(scanArgo, outer)
	case k.tekton():
		outer = firstOf(scanPipelinesAsCode, outer)
	}
	return firstOf(scanParenthesis, outer)
}

// templates is how the variables of the object's kind stand in the texts of
// other formats that it holds.
func (k *kubernetes) templates() templating {
	t := templating{look: k.look}
	switch {
	case k.group == argoGroup:
		t.scan = scanArgo
	case k.tekton():
		t.scan = firstOf(scanTekton, scanPipelinesAsCode)
	}
	if outer := k.pass.vars.scan; outer != nil {
		if t.scan == nil {
			t.scan = outer
		} else {
			t.scan = firstOf(t.scan, outer)
		}
	}
	return t
}

// scanArgo finds the "{{name}}" that are those of workflows, and no template's.
func scanArgo(data []byte, i int) (variable, bool) {
	return scanBetween(data, i, "{{", "}}", func(name []byte) bool {
		root, _, _ := bytes.Cut(name, []byte{'.'})
		switch string(root) {
		case "inputs", "outputs", "workflow", "steps", "tasks", "item", "pod", "node", "retries":
			return true
		}
		return bytes.HasPrefix(root, []byte{'='})
	})
}

// scanParenthesis finds "$(name)".
func scanParenthesis(data []byte, i int) (variable, bool) {
	return scanBetween(data, i, "$(", ")", func(name []byte) bool {
		return !bytes.ContainsAny(name, " \t\n")
	})
}

// scanTekton finds the "$(name)" that are Tekton's and no command of a shell.
func scanTekton(data []byte, i int) (variable, bool) {
	return scanBetween(data, i, "$(", ")", func(name []byte) bool {
		context, _, ok := bytes.Cut(name, []byte{'.'})
		if !ok {
			return bytes.HasPrefix(name, []byte("params["))
		}
		switch string(context) {
		case "params", "inputs", "outputs", "workspaces", "resources", "results", "context", "tasks", "steps", "step", "tt", "credentials":
			return !bytes.ContainsAny(name, " \t\n")
		}
		return bytes.HasPrefix(name, []byte("params["))
	})
}

// scanPipelinesAsCode finds the "{{name}}" that Pipelines as Code fills in
// (https://docs.redhat.com/en/documentation/red_hat_openshift_pipelines/1.18/html/pipelines_as_code/creating-pipeline-runs-pac).
func scanPipelinesAsCode(data []byte, i int) (variable, bool) {
	return scanBetween(data, i, "{{", "}}", func(name []byte) bool {
		switch string(name) {
		case "repo_owner", "repo_name", "repo_url", "revision", "sender", "source_branch", "target_branch",
			"pull_request_number", "git_auth_secret":
			return true
		}
		return false
	})
}

// scanBetween finds a name between two brackets, and brings the several ways
// to write it into one.
func scanBetween(data []byte, i int, open, shut string, valid func(name []byte) bool) (variable, bool) {
	for i < len(data) {
		k := bytes.Index(data[i:], []byte(open))
		if k < 0 {
			break
		}
		v := variable{start: i + k}
		inner := v.start + len(open)
		n := bytes.Index(data[inner:min(len(data), inner+maxVariable)], []byte(shut))
		if n < 0 {
			i = inner
			continue
		}
		v.end = inner + n + len(shut)
		v.nameStart, v.nameEnd = trimSpan(data, inner, inner+n)
		if name := data[v.nameStart:v.nameEnd]; len(name) > 0 && valid(name) {
			for _, prefix := range []string{"inputs.params", "tt.params"} {
				if bytes.HasPrefix(name, []byte(prefix)) {
					v.nameStart += len(prefix) - len("params")
				}
			}
			v.name = string(data[v.nameStart:v.nameEnd])
			if rest, ok := strings.CutPrefix(v.name, "params["); ok {
				v.name = "params." + strings.Trim(rest, `]"'`)
			}
			return v, true
		}
		i = inner
	}
	return variable{}, false
}

// template reads the objects of an OpenShift template, in which its parameters
// stand as "${NAME}".
func (k *kubernetes) template(n *node) {
	inner := *k
	inner.scopes = []scope{{list: get(n, "parameters")}}
	inner.pass = k.within("objects")
	for _, o := range items(get(n, "objects")) {
		if k.first(o, "objects") {
			object := inner
			object.top(o, 1)
		}
	}
}

// script reads shell text of the object.
func (k *kubernetes) script(n *node, pointer string) {
	t, _ := k.doc.content(n)
	if t == nil {
		return
	}
	vars := k.templates()
	k.pass.nested(t, k.head+" "+pointer, func(q *Pass) { q.shell(k.pass.look, vars) })
}

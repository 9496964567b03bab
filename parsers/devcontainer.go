package parsers

import (
	"bytes"
	"path"
	"strings"

	"github.com/tailscale/hujson"
)

// DevContainer reads the configuration of development containers
// (https://containers.dev/implementors/json_reference/): JSON with comments.
var DevContainer = register(Format{
	Name:    "devcontainer",
	Title:   "Development container",
	Files:   "`devcontainer.json`, and `*.jsonc` in `.devcontainer`.",
	Places:  "`image`, and the commands of the life cycle.",
	Comment: "//",
	Detect:  detectDevContainer,
	Parse:   parseDevContainer,
})

func detectDevContainer(c *Candidate) Certainty {
	switch c.name {
	case "devcontainer.json", ".devcontainer.json":
		return Path
	}
	if c.ext == ".jsonc" && path.Base(path.Dir(c.Path)) == ".devcontainer" {
		return Path
	}
	return No
}

func parseDevContainer(p *Pass) {
	if !containsAny(p.Text.Data, append([]string{`"image"`}, shellWords...)) {
		return
	}
	d := p.jsonc()
	if d == nil {
		return
	}
	if n := get(d.root, "image"); isScalar(n) {
		p.image(d, n, scanDevContainer, noLookup, found{pointer: "image"})
	}
	for _, key := range []string{"initializeCommand", "onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand"} {
		n := get(d.root, key)
		p.command(d, n, key)
		for name, command := range pairs(n) {
			p.command(d, command, key+"."+name.Value)
		}
	}
}

// jsonc parses JSON with comments and trailing commas, as YAML once these are
// blank.
func (p *Pass) jsonc() *document {
	t := p.Text
	if bytes.HasPrefix(t.Data, []byte("\xef\xbb\xbf")) {
		t = t.Slice(3, len(t.Data))
	}
	plain, err := hujson.Standardize(bytes.Clone(t.Data))
	if err == nil && len(plain) == len(t.Data) {
		t = plainJSON(t.Masked(plain))
	} else if err != nil {
		p.Fail(0, "%v", err)
		return nil
	}
	d := &document{text: t}
	if err := d.parse(); err != nil {
		line, message := yamlError(err)
		p.Fail(d.lineOffset(line), "%s", message)
		return nil
	}
	return d
}

// scanDevContainer finds "${localEnv:NAME:default}" and its like
// (https://containers.dev/implementors/json_reference/#variables-in-devcontainerjson).
func scanDevContainer(data []byte, i int) (variable, bool) {
	v, ok := scanDollar(data, i)
	if !ok || !strings.HasPrefix(v.op, ":") || v.name != "localEnv" {
		return v, ok
	}
	name, def, found := strings.Cut(v.op[1:], ":")
	v.nameStart = v.nameEnd + 1
	v.nameEnd = v.nameStart + len(name)
	v.name, v.op = name, ""
	if found {
		v.op, v.word = ":-", [2]int{v.end - 1 - len(def), v.end - 1}
	}
	return v, true
}

package parsers

import (
	"bytes"
	"path"
	"strings"
)

// Shell reads scripts of the POSIX shell and of those that descend from it
// (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html):
// the image operands of the commands in them.
var Shell = register(Format{
	Name:    "shell",
	Title:   "Shell script",
	Files:   "`*.sh`, `*.bash` and their like, files that start with `#!` and a shell, and shells' own files such as `.envrc`.",
	Places:  "The image operands of docker, podman, nerdctl, buildah, skopeo, crane, cosign, kubectl, kind, k3d and more, manifests and Dockerfiles in here-documents; variables are followed.",
	Comment: "#",
	Detect:  detectShell,
	Parse:   parseShell,
})

func detectShell(c *Candidate) Certainty {
	base := c.name
	program := interpreter(c.Data)
	switch path.Ext(base) {
	case ".sh", ".bash", ".zsh", ".ksh", ".bats":
		if otherLanguage(program) {
			return No
		}
		return Path
	}
	switch base {
	case ".envrc", ".profile", ".bashrc", ".bash_profile", ".bash_aliases", ".bash_functions", ".zshrc", ".zshenv", ".zprofile", ".aliases":
		return Path
	}
	switch {
	case !isShellInterpreter(program):
		return No
	case path.Ext(base) == "":
		return Path
	}
	return Likely
}

func isShellInterpreter(name string) bool {
	switch name {
	case "mksh", "rbash", "bats":
		return true
	}
	return isShellProgram(name)
}

// otherLanguage reports whether an interpreter is that of another language,
// whatever the file is called.
func otherLanguage(interpreter string) bool {
	for _, name := range []string{"python", "perl", "ruby", "node", "php", "expect", "tclsh", "lua", "pwsh", "groovy", "awk", "gawk", "make"} {
		if strings.HasPrefix(interpreter, name) {
			return true
		}
	}
	return false
}

// interpreter is the name of the program that the first line "#!…" of a script
// names, behind env and the like, or "".
func interpreter(data []byte) string {
	line, ok := bytes.CutPrefix(data[:lineEnd(data, 0)], []byte("#!"))
	if !ok || len(line) > 500 {
		return ""
	}
	for _, word := range strings.Fields(string(line)) {
		base := path.Base(word)
		switch {
		case base == "env" || base == "with-contenv" || base == "busybox" || base == "sudo":
		case strings.HasPrefix(word, "-") || strings.Contains(word, "="): // env -S, env VAR=x
		case base == "nix-shell":
			return nixInterpreter(data)
		default:
			return base
		}
	}
	return ""
}

// nixInterpreter is what the second line of a nix-shell script names:
// "#! nix-shell -i bash -p jq"
// (https://nix.dev/manual/nix/latest/command-ref/nix-shell#use-as-a--interpreter).
func nixInterpreter(data []byte) string {
	for _, line := range bytes.SplitN(data, []byte{'\n'}, 6) {
		rest, ok := bytes.CutPrefix(line, []byte("#!"))
		if !ok {
			return ""
		}
		words := strings.Fields(string(rest))
		for i, w := range words {
			if w == "-i" && i+1 < len(words) {
				return path.Base(words[i+1])
			}
		}
	}
	return ""
}

// parseShell reads a script. In one that a template engine fills in first, the
// engine's expressions are unknown.
func parseShell(p *Pass) {
	var outer templating
	if name := p.Text.File.Path; dataName(name) != strings.ToLower(path.Base(name)) {
		outer = templating{scan: scanTemplate, look: noLookup}
	}
	p.shell(nil, outer)
}

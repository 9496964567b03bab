package parsers

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/digestlint/digestlint/image"
)

// Command lines that scripts keep in variables: RUN="docker run --rm";
// $RUN alpine.

// assignedText is a text that a script gives a variable; without a word it is
// one that the script appends.
type assignedText struct {
	from *script
	word *syntax.Word
}

func (s *script) words(args []*syntax.Word) []shellWord {
	words := make([]shellWord, len(args))
	for i, w := range args {
		words[i] = s.word(w)
	}
	return words
}

// expandCommand replaces a variable that the line begins with, by the command
// line that it holds.
func (s *script) expandCommand(words []shellWord) []shellWord {
	if len(words) > 1 && words[0].text == "eval" && words[1].text == string(opaque) {
		words = words[1:]
	}
	if len(words) == 0 || words[0].text != string(opaque) || words[0].name == "" {
		return words
	}
	if held := s.held(words[0].name); held != nil {
		return append(slices.Clip(held), words[1:]...)
	}
	return words
}

// held is the command line that a variable holds, the first of several, or
// nil.
func (s *script) held(name string) []shellWord {
	if held, done := s.assigned.commands[name]; done {
		return held
	}
	s.assigned.commands[name] = nil // none while it is defined by itself
	for _, line := range s.commandLines(name) {
		line = s.expandCommand(line)
		if len(line) > 1 && len(line) < maxPieces && (findProgram(line[0].word) != nil || s.engine(line[0])) {
			s.assigned.commands[name] = line
			return line
		}
	}
	return nil
}

// commandLines are the words of the texts that a variable is given.
func (s *script) commandLines(name string) [][]shellWord {
	if array, ok := strings.CutSuffix(name, "[@]"); ok {
		if elements := s.assigned.arrays[array]; s.assigned.counts[array] == 1 && len(elements) > 0 {
			return [][]shellWord{s.words(elements)}
		}
		return nil
	}
	var lines [][]shellWord
	for _, a := range s.assigned.texts[name] {
		if a.word == nil {
			return nil // what is appended may hold the image
		}
		text := a.from.inner(a.word)
		if text != nil && (strings.Contains(text.String(), "$"+name) || strings.Contains(text.String(), "${"+name)) {
			return nil
		}
		if text == nil || !strings.ContainsAny(text.String(), spaces) || len(text.Data) > maxVariable {
			continue
		}
		file, err := parseScript(syntax.NewParser(syntax.Variant(syntax.LangBash)), maskScript(text.Data, s.outer.scan))
		if err != nil || len(file.Stmts) == 0 {
			continue
		}
		inner := &script{pass: s.pass, text: text, file: file, env: s.env, outer: s.outer, assigned: s.assigned}
		if call, ok := file.Stmts[len(file.Stmts)-1].Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 {
			lines = append(lines, inner.words(call.Args))
		}
	}
	return lines
}

// runsArguments reports whether a function runs its arguments as a command, as
// in retry() { until "$@"; do sleep 1; done; }.
func runsArguments(body *syntax.Stmt) bool {
	found := false
	syntax.Walk(body, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return !found
		}
		args := call.Args
		switch args[0].Lit() {
		case "eval", "exec", "command", "sudo", "time":
			args = args[1:]
		}
		found = found || len(args) > 0 && isArguments(args[0])
		return !found
	})
	return found
}

// isArguments reports whether a word is all the arguments: $@ or $*, quoted or
// not.
func isArguments(w *syntax.Word) bool {
	parts := w.Parts
	if len(parts) == 1 {
		if quoted, ok := parts[0].(*syntax.DblQuoted); ok {
			parts = quoted.Parts
		}
	}
	if len(parts) != 1 {
		return false
	}
	e, ok := parts[0].(*syntax.ParamExp)
	return ok && e.Param != nil && (e.Param.Value == "@" || e.Param.Value == "*")
}

// handed is the command that a function of the script is given to run, behind
// the arguments of its own: retry 3 docker pull alpine.
func (s *script) handed(words []shellWord) []shellWord {
	if len(words) == 0 || !s.assigned.runners[words[0].text] {
		return words
	}
	for i := 1; i < len(words); i++ {
		if findProgram(words[i].word) != nil || s.engine(words[i]) {
			return words[i:]
		}
	}
	return words
}

// canName reports whether one of the texts may be an image: a variable may
// hold a path, or what only the tool understands.
func canName(values []expr) bool {
	return slices.ContainsFunc(values, func(e expr) bool {
		text := e.text()
		return text == "" || len(e.missing()) > 0 || namesImage(strings.TrimSpace(text)) || image.Placeholder(text)
	})
}

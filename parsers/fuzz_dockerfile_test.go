package parsers

import (
	"bytes"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

func FuzzDockerfile(f *testing.F) { fuzzFormat(f, Dockerfile) }

// FuzzDockerfileOracle holds what the parser finds against BuildKit.
func FuzzDockerfileOracle(f *testing.F) {
	fixtureFiles(f, func(folder, _ string, data []byte) {
		if filepath.Base(folder) == Dockerfile.Name && len(data) < 8<<10 {
			f.Add(data)
		}
	})
	f.Fuzz(func(t *testing.T, data []byte) { compareWithBuildKit(t, "Dockerfile", data) })
}

// TestDockerfileOracle compares each fixture that BuildKit takes with what
// BuildKit finds in it, so that a rule misunderstood in the parser and in its
// goldens alike does not pass.
func TestDockerfileOracle(t *testing.T) {
	compared := 0
	fixtureFiles(t, func(folder, name string, data []byte) {
		if filepath.Base(folder) != Dockerfile.Name {
			return
		}
		t.Run(name, func(t *testing.T) {
			if compareWithBuildKit(t, name, data) {
				compared++
			}
		})
	})
	if compared < 30 {
		t.Errorf("BuildKit took only %d of the fixtures", compared)
	}
}

// named is an image and the instruction that names it. It is certain unless it
// is a placeholder or a variable without a value goes into it.
type named struct {
	what, value string
	certain     bool
}

// compareWithBuildKit reports whether BuildKit takes the file.
func compareWithBuildKit(t *testing.T, name string, data []byte) bool {
	t.Helper()
	if !bytes.Equal(readable(data), data) {
		return false // BuildKit does not, or writes to the standard error
	}
	images, ok := buildKitImages(data)
	if !ok {
		return false
	}
	var certain, possible, known []string
	unknown := 0
	for _, i := range images {
		if possible = append(possible, i.what+" "+i.value); i.certain {
			certain = append(certain, i.what+" "+i.value)
		}
	}
	for _, u := range Parse(&source.File{Path: name, Data: data}, Dockerfile, nil).Uses {
		what, _, _ := strings.Cut(u.Pointer, ",")
		switch {
		case what != "FROM" && what != "COPY --from" && what != "RUN --mount from":
		case len(u.Values) == 1:
			known = append(known, what+" "+u.Values[0].Text)
		default:
			unknown++
		}
	}
	if missed := without(certain, known); len(missed) > 0 {
		t.Errorf("only BuildKit finds %q in\n%s", missed, data)
	}
	if wrong := without(known, possible); len(wrong) > 0 {
		t.Errorf("BuildKit does not find %q in\n%s", wrong, data)
	}
	if unknown > len(possible)-len(certain) {
		t.Errorf("%d images are not known, for BuildKit %d of %q in\n%s", unknown, len(possible)-len(certain), possible, data)
	}
	return true
}

// without is a without what is in b, each as often as it is there.
func without(a, b []string) []string {
	b = slices.Clone(b)
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool {
		i := slices.Index(b, s)
		if i >= 0 {
			b = slices.Delete(b, i, i+1)
		}
		return i >= 0
	})
}

// buildKitImages are the images that BuildKit's instructions name. It fails on
// what BuildKit refuses.
func buildKitImages(data []byte) (images []named, ok bool) {
	res, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, false
	}
	// Without a linter the package panics on some comments.
	stages, args, err := instructions.Parse(res.AST, linter.New(&linter.Config{}))
	if err != nil {
		return nil, false
	}
	env := &buildArgs{lex: shell.NewLex(res.EscapeToken), values: map[string]string{}, doubtful: map[string]bool{}}
	for _, name := range []string{"TARGETPLATFORM", "TARGETOS", "TARGETARCH", "BUILDPLATFORM", "BUILDOS", "BUILDARCH"} {
		env.values[name], env.doubtful[name] = "any", true
	}
	for _, cmd := range args {
		for _, a := range cmd.Args {
			if a.Value == nil {
				continue
			}
			value, certain, err := env.expand(*a.Value)
			if err != nil {
				return nil, false
			}
			env.values[a.Key], env.doubtful[a.Key] = value, !certain
		}
	}
	var all, before []string
	for _, s := range stages {
		if s.Name != "" {
			all = append(all, s.Name)
		}
	}
	add := func(what, value string, certain bool, stages []string) {
		if strings.TrimSpace(value) != "" && !strings.EqualFold(value, "scratch") && !slices.Contains(stages, strings.ToLower(value)) {
			images = append(images, named{what, strings.TrimSpace(value), certain && !image.Placeholder(value)})
		}
	}
	// from adds the source of a COPY or of a mount; BuildKit refuses in a later
	// step what its lexer would change.
	from := func(what, value string) bool {
		if _, err := strconv.Atoi(value); err == nil {
			return true
		}
		plain, _, err := env.expand(value)
		add(what, value, true, all)
		return err == nil && plain == value
	}
	for _, s := range stages {
		value, certain, err := env.expand(s.BaseName)
		if err != nil || value == "" && certain {
			return nil, false
		}
		if value == "" {
			value = "?" // for the count
		}
		add("FROM", value, certain, before)
		if s.Name != "" {
			before = append(before, s.Name)
		}
		for _, cmd := range s.Commands {
			if !eachSource(cmd, from) {
				return nil, false
			}
		}
	}
	return images, true
}

// eachSource calls from for the source of a COPY and of the mounts of a RUN, and
// of those that an ONBUILD holds, as long as it returns true.
func eachSource(cmd instructions.Command, from func(what, value string) bool) bool {
	switch c := cmd.(type) {
	case *instructions.CopyCommand:
		return c.From == "" || from("COPY --from", c.From)
	case *instructions.RunCommand:
		for _, m := range instructions.GetMounts(c) {
			if m.From != "" && !from("RUN --mount from", m.From) {
				return false
			}
		}
	case *instructions.OnbuildCommand:
		res, err := parser.Parse(strings.NewReader(c.Expression))
		if err != nil || len(res.AST.Children) != 1 {
			return false
		}
		trigger, err := instructions.ParseInstructionWithLinter(res.AST.Children[0], linter.New(&linter.Config{}))
		inner, ok := trigger.(instructions.Command)
		return err == nil && ok && eachSource(inner, from)
	}
	return true
}

// buildArgs are the global arguments of a Dockerfile, as BuildKit sets them.
type buildArgs struct {
	lex    *shell.Lex
	values map[string]string
	// doubtful are the arguments that a variable without a value goes into.
	doubtful map[string]bool
}

// Get implements [shell.EnvGetter].
func (a *buildArgs) Get(name string) (string, bool) {
	v, ok := a.values[name]
	return v, ok
}

// Keys implements [shell.EnvGetter].
func (a *buildArgs) Keys() []string { return nil }

func (a *buildArgs) expand(word string) (value string, certain bool, err error) {
	res, err := a.lex.ProcessWordWithMatches(word, a)
	certain = len(res.Unmatched) == 0
	for name := range res.Matched {
		certain = certain && !a.doubtful[name]
	}
	return res.Result, certain, err
}

// TestDockerfileHostile has inputs that a parser which copies or searches, for
// each line or mark, all that it has seen does not come back from before the
// test's time is up.
func TestDockerfileHostile(t *testing.T) {
	if raceEnabled {
		t.Skip("this is about time, of which the race detector takes its own share")
	}
	for what, text := range map[string]string{
		"an ARG doubled for ever":        "ARG A=$A$A\nARG A=x\n" + strings.Repeat("ARG A=$A$A\n", 50_000) + "FROM $A\n",
		"an ARG read by the next":        "ARG " + strings.Repeat("a=$a ", 200_000) + "\nFROM $a\n",
		"many stages":                    strings.Repeat("FROM a AS b\nCOPY --from=c /d /e\n", 50_000),
		"marks of templates":             strings.Repeat("{{x}}\\\n", 200_000),
		"variables in variables":         "FROM " + strings.Repeat("${a:-", 200_000),
		"here-documents without end":     "FROM a\n" + strings.Repeat("RUN <<A <<B\n", 20_000) + "A\n",
		"a mount with many fields":       "FROM a\nRUN --mount=" + strings.Repeat("from=a,\\\n", 50_000) + " x\n",
		"quotes that open within quotes": "FROM " + strings.Repeat(`'"`, 200_000),
	} {
		t.Run(what, func(*testing.T) {
			Parse(&source.File{Path: "Dockerfile", Data: []byte(text)}, Dockerfile, nil)
		})
	}
}

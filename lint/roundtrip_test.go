package lint

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// TestRoundTrip pins everything in a copy of a tree with invented digests, and
// holds that no byte outside the reported edits changed, that the tools which
// read the files see the same but for the digests, that a second run has
// nothing to do and that check is then content with all that was pinned.
//
// DIGESTLINT_TREE names the folder to try it on; without it, it is the fixtures.
// DIGESTLINT_UNSAFE=1 makes the edits too that have to be asked for.
func TestRoundTrip(t *testing.T) {
	tree := os.Getenv("DIGESTLINT_TREE")
	if tree == "" {
		tree = "../testdata"
	}
	unsafe := os.Getenv("DIGESTLINT_UNSAFE") != ""
	root := t.TempDir()
	before := copyTree(t, tree, root)
	opts := PinOptions{Options: Options{Paths: []string{root}}, Resolve: invented, Unsafe: unsafe}

	first, err := Pin(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range first.Errors {
		t.Errorf("%v", e)
	}
	edited := map[string][]rewrite.Edit{}
	for _, c := range first.Changes {
		edited[c.Path] = c.Edits
	}
	pinned := 0
	stayed := map[string]string{}
	for _, o := range first.Outcomes {
		if o.Digest != "" {
			pinned++
			continue
		}
		if o.Kind == Already {
			continue
		}
		stayed[o.Path+" "+o.Pointer] = o.Reason // pinning moves lines and columns
		if o.Kind == Failed {
			t.Errorf("%s:%d: %s was given up: %s", o.Path, o.At.Line, o.Image, o.Reason)
		}
	}
	t.Logf("%s: %d files, %d pinned in %d files, %d stayed, %d had a digest", tree, len(before), pinned, len(first.Changes), len(stayed), first.Count(Already))
	if pinned == 0 {
		t.Error("nothing was pinned")
	}
	for name, old := range before {
		p := filepath.ToSlash(filepath.Join(root, name))
		now, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := rewrite.Verify(old, now, edited[p]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(edited[p]) > 0 && !replacesTags(edited[p]) {
			sameButForDigests(t, name, old, now)
		}
	}

	second, err := Pin(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range second.Changes {
		t.Errorf("a second run changes %s: %v", c.Path, c.Edits)
	}
	res, err := Run(context.Background(), Options{Paths: []string{root}, Rules: rules.All()})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range res.Findings {
		if f.Rule == rules.UnpinnedImage || f.Rule == rules.FloatingTag {
			if _, ok := stayed[f.Path+" "+f.Pointer]; !ok {
				t.Errorf("%s:%d:%d: %s, after all was pinned", f.Path, f.Start.Line, f.Start.Column, f.Message)
			}
		}
	}
}

// copyTree copies the regular files of a tree, .git left out.
func copyTree(t *testing.T, from, to string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if parsers.Detect(filepath.ToSlash(rel), data) != nil || strings.HasPrefix(d.Name(), ".env") {
			files[rel] = data
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// replacesTags reports whether a digest was written in the place of a tag, for
// a tool that does not take both.
func replacesTags(edits []rewrite.Edit) bool {
	return slices.ContainsFunc(edits, func(e rewrite.Edit) bool { return !e.Empty() && strings.HasPrefix(e.New, "@") })
}

// Digests stand behind references, or in keys of their own: in a tree that was
// read, and in texts within it.
var (
	digestText = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)
	digestLine = regexp.MustCompile(`(\\n|\n|,)?[ \t]*(\\")?digest(\\")?: *(\\")?sha256:[0-9a-f]{64}(\\")?`)
)

// strip takes the digests out of a text.
func strip(s string) string {
	s = strings.ReplaceAll(s, "\\n\"", "\"") // a digest behind the last line of a text ends it with a newline
	return digestText.ReplaceAllString(digestLine.ReplaceAllString(s, ""), "")
}

// isDigestPair reports whether a key holds a digest, or is empty and for one.
func isDigestPair(key, value *yaml.Node) bool {
	if value.Kind == yaml.MappingNode && len(value.Content) == 2 {
		return isDigestPair(value.Content[0], value.Content[1]) // "ref: {digest: …}" was added
	}
	return strings.Contains(strings.ToLower(key.Value), "digest") && value.Kind == yaml.ScalarNode &&
		(value.Value == "" || value.Tag == "!!null" || strings.HasPrefix(value.Value, "sha256:"))
}

// sameButForDigests asks the tools that read the file.
func sameButForDigests(t *testing.T, name string, old, now []byte) {
	t.Helper()
	compare := func(what string, read func([]byte) (string, error)) {
		t.Helper()
		a, err := read(old)
		if err != nil {
			return // it could not be read before, either
		}
		b, err := read(now)
		if err != nil {
			t.Errorf("%s: %s reads it no more: %v", name, what, err)
			return
		}
		if d := cmp.Diff(strip(a), strip(b)); d != "" {
			t.Errorf("%s: %s reads something else (-before +after):\n%s", name, what, d)
		}
	}
	format := parsers.Detect(filepath.ToSlash(name), old)
	switch {
	case format == parsers.Dockerfile:
		compare("BuildKit", readDockerfile)
	case format == parsers.Compose:
		compare("compose-go", readCompose)
	}
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		compare("YAML", readYAML)
	case ".tf", ".tofu", ".hcl", ".nomad":
		compare("HCL", readHCL)
	}
	if got := parsers.Detect(filepath.ToSlash(name), now); got != format {
		t.Errorf("%s is no longer recognised as the format that it was", name)
	}
	if format == nil {
		return
	}
	count := func(data []byte) int {
		return len(parsers.Parse(&source.File{Path: filepath.ToSlash(name), Data: data}, format, nil).Uses)
	}
	if a, b := count(old), count(now); a != b {
		t.Errorf("%s named %d images, and names %d now", name, a, b)
	}
}

func readDockerfile(data []byte) (string, error) {
	res, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	return res.AST.Dump(), nil
}

// readHCL is the tokens of a file that has no mistake.
func readHCL(data []byte) (string, error) {
	if _, diags := hclsyntax.ParseConfig(data, "", hcl.InitialPos); diags.HasErrors() {
		return "", diags
	}
	tokens, diags := hclsyntax.LexConfig(data, "", hcl.InitialPos)
	if diags.HasErrors() {
		return "", diags
	}
	var b strings.Builder
	for _, t := range tokens {
		fmt.Fprintf(&b, "%s %s\n", t.Type, t.Bytes)
	}
	return b.String(), nil
}

func readYAML(data []byte) (string, error) {
	var b strings.Builder
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			if err.Error() == "EOF" {
				return b.String(), nil
			}
			return "", err
		}
		dump(&b, &n, 0)
	}
}

func dump(b *strings.Builder, n *yaml.Node, depth int) {
	tag := n.Tag
	if n.Kind == yaml.ScalarNode && n.Style == 0 {
		tag = "" // a tag 3.9 becomes a string when a digest is put behind it
	}
	fmt.Fprintf(b, "%*s%d %s %d %q %q\n", depth, "", n.Kind, tag, n.Style, n.Anchor, n.Value)
	if n.Kind == yaml.AliasNode || depth > 200 {
		return
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && isDigestPair(n.Content[i&^1], n.Content[i|1]) {
			continue
		}
		dump(b, c, depth+1)
	}
}

func readCompose(data []byte) (string, error) {
	model, err := loader.LoadModelWithContext(context.Background(), types.ConfigDetails{
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: data}},
		Environment: types.Mapping{},
	}, func(o *loader.Options) {
		o.SkipValidation, o.SkipConsistencyCheck, o.SkipExtends, o.SkipInclude = true, true, true, true
		o.SkipNormalization, o.SkipResolveEnvironment, o.SkipInterpolation = true, true, true
		o.SetProjectName("x", true)
	})
	if err != nil {
		return "", err
	}
	out, err := yaml.Marshal(model)
	return string(out), err
}

// Package digestlint_test holds the structure of the module: who may import
// whom. The tables are the documentation, too.
package digestlint_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/digestlint/digestlint/"

// mayImport says for each package of the module which others it may import.
var mayImport = map[string][]string{
	"source":         {},
	"image":          {"source"},
	"advisories":     {"image", "source"},
	"parsers":        {"source", "image"},
	"rewrite":        {"source", "image"},
	"rules":          {"source", "image", "rewrite", "advisories"},
	"report":         {"source", "image", "rules"},
	"git":            {},
	"registry":       {"image"},
	"cache":          {},
	"digests":        {"image"},
	"resolve":        {"image", "advisories", "registry", "cache", "digests", "lint", "rules"},
	"config":         {"image", "rules"},
	"exposure":       {"source", "image", "advisories", "parsers", "rewrite", "rules", "report", "registry", "cache", "digests", "resolve", "config", "lint", "git"},
	"lint":           {"source", "image", "advisories", "parsers", "rewrite", "rules", "git"},
	"lsp":            {"source", "image", "advisories", "parsers", "rewrite", "rules", "report", "config", "lint"},
	"cmd/digestlint": {"source", "image", "advisories", "parsers", "rewrite", "rules", "report", "registry", "cache", "digests", "resolve", "lint", "config", "exposure", "lsp"},

	// What has to be found in it is known by itself.
	"cmd/digestlint/internal/organisation": {},

	// It runs the program that is measured.
	"cmd/digestlint/internal/bench": {},
}

// doors are the only packages that may import a library: whatever it does
// wrong, it does in one place.
var doors = map[string][]string{
	"github.com/moby/buildkit":               {"parsers"},
	"github.com/compose-spec/compose-go":     {"parsers"},
	"sigs.k8s.io/kustomize/kyaml":            {"parsers", "config", "digests", "exposure"},
	"mvdan.cc/sh":                            {"parsers"},
	"github.com/hashicorp/hcl":               {"parsers"},
	"github.com/tailscale/hujson":            {"parsers"},
	"github.com/google/go-containerregistry": {"registry"},
	"github.com/bmatcuk/doublestar":          {"config", "cmd/digestlint"},
	"github.com/spf13/cobra":                 {"cmd/digestlint"},
	"github.com/spf13/pflag":                 {"cmd/digestlint"}, // the flags of cobra
	"golang.org/x/term":                      {"cmd/digestlint"},
}

// offline are the packages behind check and refs, and behind lsp until a user
// chooses to pin: nothing that they import, however far away, opens connections.
var offline = []string{"source", "image", "advisories", "parsers", "rewrite", "rules", "report", "lint", "config", "lsp", "git"}

// noFiles are the packages that see bytes only.
var noFiles = []string{"source", "image", "parsers", "rules", "advisories"}

type goPackage struct {
	ImportPath string
	Doc        string
	Imports    []string
	Deps       []string
}

func load(t *testing.T, flags ...string) map[string]goPackage {
	t.Helper()
	args := append([]string{"list", "-json=ImportPath,Doc,Imports,Deps"}, flags...)
	cmd := exec.Command("go", append(args, "./...")...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	all := map[string]goPackage{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(p.ImportPath, module)] = p
	}
}

func TestImports(t *testing.T) {
	packages := load(t)
	for name, p := range packages {
		if name == strings.TrimSuffix(module, "/") {
			continue // this test
		}
		allowed, ok := mayImport[name]
		if !ok {
			t.Errorf("package %s is not in the table", name)
			continue
		}
		for _, path := range p.Imports {
			if own, ok := strings.CutPrefix(path, module); ok {
				if !slices.Contains(allowed, own) {
					t.Errorf("%s imports %s", name, own)
				}
				continue
			}
			if !strings.Contains(strings.Split(path, "/")[0], ".") {
				continue // the standard library
			}
			library := ""
			for prefix, users := range doors {
				if strings.HasPrefix(path, prefix) {
					library = prefix
					if !slices.Contains(users, name) {
						t.Errorf("%s imports %s, whose door is %v", name, path, users)
					}
				}
			}
			if library == "" {
				t.Errorf("%s imports %s, which has no door", name, path)
			}
		}
	}
	for name := range mayImport {
		if _, ok := packages[name]; !ok {
			t.Errorf("the table names a package %s that does not exist", name)
		}
	}
}

// TestPage holds that docs/architecture.md has a table of the packages, with the
// first sentence of each one's documentation and what it may import.
func TestPage(t *testing.T) {
	data, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	packages := load(t)
	var table strings.Builder
	table.WriteString("| package | | may import |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(mayImport)) {
		if strings.Contains(name, "internal") {
			continue
		}
		_, doc, _ := strings.Cut(packages[name].Doc, " ") // "Package name …", "Command name …"
		_, doc, _ = strings.Cut(doc, " ")
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", name, doc, strings.Join(mayImport[name], ", "))
	}
	if !strings.Contains(string(data), table.String()) {
		t.Errorf("docs/architecture.md does not have this table:\n%s", table.String())
	}
}

// kyaml is the one library behind check whose package for YAML nodes brings an
// HTTP client along, for its OpenAPI schemas. Only these names of it are used,
// none of which reaches that.
const kyaml = "sigs.k8s.io/kustomize/kyaml/yaml"

var kyamlNames = []string{
	"Node", "Kind", "Style", "Unmarshal", "NewDecoder", "DocumentNode", "MappingNode", "SequenceNode", "ScalarNode", "AliasNode",
	"NodeTagString", "NodeTagNull", "NodeTagMap", "NodeTagSeq", "MergeTag",
	"LiteralStyle", "FoldedStyle", "DoubleQuotedStyle", "SingleQuotedStyle", "TaggedStyle", "FlowStyle",
	"NodeTagString", "NodeTagNull", "NodeTagMap", "NodeTagSeq", "MergeTag",
}

func TestOffline(t *testing.T) {
	packages := load(t, "-deps")
	seen := map[string]bool{}
	var visit func(path []string, name string)
	visit = func(path []string, name string) {
		if seen[name] || name == kyaml {
			return
		}
		seen[name] = true
		path = append(slices.Clip(path), name)
		if name == "net" || strings.HasPrefix(name, "net/http") || name == "crypto/tls" {
			t.Errorf("check can reach the network: %s", strings.Join(path, " → "))
			return
		}
		for _, next := range packages[name].Imports {
			visit(path, strings.TrimPrefix(next, module))
		}
	}
	for _, name := range offline {
		visit(nil, name)
	}
	if !seen["lint"] || !seen["mvdan.cc/sh/v3/syntax"] {
		t.Error("the packages behind check were not visited")
	}
}

func TestKyamlIsOnlyRead(t *testing.T) {
	files, err := filepath.Glob("[pcde]*/*.go") // parsers, config, digests, exposure
	if err != nil || len(files) == 0 {
		t.Fatalf("no parsers: %v", err)
	}
	used := 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		imported := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(kyaml) })
		if !imported {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "yaml" && x.Obj == nil {
					used++
					if !slices.Contains(kyamlNames, sel.Sel.Name) {
						t.Errorf("%s uses yaml.%s", name, sel.Sel.Name)
					}
				}
			}
			return true
		})
	}
	if used == 0 {
		t.Error("no use of the library was seen")
	}
}

func TestBytesOnly(t *testing.T) {
	packages := load(t)
	for _, name := range noFiles {
		for _, path := range packages[name].Imports {
			if path == "os" || path == "io/ioutil" || path == "os/exec" || path == "net" {
				t.Errorf("%s imports %s; it is given bytes", name, path)
			}
		}
	}
}

// TestNoYAMLWriter holds that nothing can print a YAML tree: the rewriter knows
// bytes alone.
func TestNoYAMLWriter(t *testing.T) {
	for _, dep := range load(t)["rewrite"].Deps {
		if strings.Contains(dep, "yaml") {
			t.Errorf("rewrite depends on %s", dep)
		}
	}
}

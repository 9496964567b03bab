package parsers

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// mapTree is a tree of files in memory.
type mapTree map[string]string

func (t mapTree) Open(name string) (*source.File, error) {
	data, ok := t[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return &source.File{Path: name, Data: []byte(data)}, nil
}

// composeVariables is the environment of the interpolation tests.
const composeVariables = "SET=value\nEMPTY=\nNESTED=${SET}-x\nDOLLAR=$$SET\n_U1=under\n"

func TestComposeInterpolation(t *testing.T) {
	quiet(t)
	env, err := dotenv.Parse(strings.NewReader(composeVariables))
	if err != nil {
		t.Fatal(err)
	}
	tests := []string{
		"plain", "$SET", "${SET}", "a${SET}b", "a$SET", "$SET/b", "$SET.b", "${SET}${SET}", "$_U1", "${_U1}",
		"${UNSET:-default}", "${UNSET-default}", "${EMPTY:-default}", "${EMPTY-default}", "${SET:-default}", "${SET-default}",
		"${UNSET:-}", "${UNSET-}", "${UNSET:-a b}", "${UNSET:-a:b-c+d?e}", "${UNSET-a:-b}",
		"${SET:+plus}", "${SET+plus}", "${EMPTY:+plus}", "${EMPTY+plus}", "${UNSET:+plus}", "${UNSET+plus}",
		"${SET:?no}", "${SET?no}", "${EMPTY?no}",
		"${UNSET:-${SET}}", "${UNSET:-$SET}", "${UNSET:-${OTHER:-deep}}", "${UNSET:-a${OTHER:-b}c}d", "${UNSET-${OTHER-${THIRD-x}}}",
		"${SET:+a${SET}b}", "${UNSET:-{x}}", "${UNSET:-{x}}}", "${UNSET:-a}${UNSET:-b}", "${UNSET:-a}-${SET:+b}/${EMPTY-c}",
		"$$", "$$SET", "$${SET}", "$$$SET", "$$$$", "a$$b", "${UNSET:-$$x}", "${UNSET:-a$$}",
		"${NESTED}", "${DOLLAR}", `\$SET`, `\\${SET}`, "é${SET}é", "${UNSET:-é}",
	}
	look := (&Pass{Text: source.Whole(&source.File{Path: "compose.yaml"}), tree: mapTree{".env": composeVariables}}).dotEnv()
	for _, text := range tests {
		t.Run(text, func(t *testing.T) {
			want, err := template.SubstituteWithOptions(text, func(name string) (string, bool) {
				v, ok := env[name]
				return v, ok
			}, template.WithoutLogging)
			if err != nil {
				t.Fatal(err)
			}
			f := &source.File{Path: "compose.yaml", Data: []byte(text)}
			values := expand(source.Whole(f), scanCompose, look)
			if len(values) != 1 || len(values[0].missing()) > 0 {
				t.Fatalf("%d values, missing %v", len(values), values[0].missing())
			}
			if got := values[0].text(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// TestComposeUndecided holds which texts Compose refuses or leaves to the
// environment: nothing may be made of them.
func TestComposeUndecided(t *testing.T) {
	for _, text := range []string{"$UNSET", "${UNSET}", "nginx:${UNSET}", "${UNSET:?no}", "${UNSET?no}", "${SET%x}", "${SET/a/b}", "${SET:2}", "$1", "${UNSET:-$OTHER}"} {
		f := &source.File{Path: "compose.yaml", Data: []byte(text)}
		values := expand(source.Whole(f), scanCompose, noLookup)
		if len(values) != 1 || len(values[0].missing()) == 0 {
			t.Errorf("%s is taken for %v", text, values)
		}
	}
}

func TestDotEnv(t *testing.T) {
	quiet(t)
	tests := []struct{ name, text string }{
		{"plain", "A=1\nB=two\n"},
		{"no last newline", "A=1\nB=two"},
		{"CR LF", "A=1\r\nB=\"two\"\r\n# c\r\nC='3'\r\n"},
		{"byte-order mark", "\xef\xbb\xbfA=1\n"},
		{"comments", "# A=0\n  # x\nA=1 # why\nB=2#no\nC=\"3\" # why\nD='4'# why\nE=a #b #c\n"},
		{"export", "export A=1\nexport\tB=2\n export  C=3\nexportD=4\n"},
		{"blanks", "  A =  1  \nB\t=\t2\t\n\n\nC=\n"},
		{"colons", "A: 1\nB:2\nC=x:y\nD: \"4\"\n"},
		{"single quotes", "A='$B'\nC='a\"b'\nD='it\\'s'\nE='a\\nb'\n"},
		{"double quotes", "A=\"a b\"\nB=\"$A/c\"\nC=\"a\\\"b\"\nD=\"a\\nb\\tc\\\\d\"\nE=\"\\$A\"\nF=\"\\x\\q\"\nG=\"\\0101\"\n"},
		{"quotes over lines", "A=\"one\ntwo\"\nB='x\ny'\nC=1\n"},
		{"empty quotes", "A=\"\"\nB=''\n"},
		{"quotes inside", "A=a\"b\"\nB=it's\n"},
		{"variables", "A=1\nB=${A}2\nC=$A$B\nD=${X:-${A}}\nE=${A:+y}\nF=$$A\n"},
		{"duplicates", "A=1\nB=$A\nA=2\nC=$A\n"},
		{"before its definition", "B=${A:-none}\nA=1\n"},
		{"of itself", "A=1\nA=${A}2\n"},
		{"names", "a.b=1\nC-D=2\n_E=3\nF1=4\nG[0]=5\nÄ=6\n"},
		{"inherited", "A\nB=1\n"},
		{"equals signs", "A=b=c\nB=\"d=e\"\n"},
		{"two on a line", "A=\"1\" B=2\n"},
		{"empty", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, err := dotenv.Parse(strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			look := (&Pass{Text: source.Whole(&source.File{Path: "compose.yaml"}), tree: mapTree{".env": tt.text}}).dotEnv()
			got := map[string]string{}
			for _, line := range parseDotEnv(source.Whole(&source.File{Data: []byte(tt.text)})) {
				name := tt.text[line.key.Start:line.key.End]
				if texts := look(name).texts(); len(texts) == 1 {
					got[name] = texts[0].text()
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("variables (-want +got):\n%s", d)
			}
		})
	}
}

// TestDotEnvRefused holds that a line that Compose refuses costs itself alone.
func TestDotEnvRefused(t *testing.T) {
	for _, line := range []string{"A B=1", "a?=1", "=1", "X=\"open", "X='open"} {
		lines := parseDotEnv(source.Whole(&source.File{Data: []byte(line + "\nB=2\n")}))
		if len(lines) != 1 || lines[0].value.String() != "2" {
			t.Errorf("%s: %d lines", line, len(lines))
		}
	}
}

func TestDotEnvLinear(t *testing.T) {
	var b strings.Builder
	for range 200_000 {
		b.WriteString("A=$A\n")
	}
	for i := range 100_000 {
		fmt.Fprintf(&b, "B%d=$B%d\n", i, i-1)
	}
	res := Parse(&source.File{Path: "compose.yaml", Data: []byte("services: {a: {image: \"$A\"}, b: {image: \"$B99999\"}}\n")}, Compose, mapTree{".env": b.String()})
	if len(res.Uses) != 2 {
		t.Errorf("%d uses", len(res.Uses))
	}
}

// quiet keeps Compose's warnings about unset variables from the output.
func quiet(t *testing.T) {
	t.Helper()
	old := logrus.StandardLogger().Out
	logrus.SetOutput(io.Discard)
	t.Cleanup(func() { logrus.SetOutput(old) })
}

// TestComposeOracle holds the images of each fixture that Compose loads against
// what Compose makes of it.
func TestComposeOracle(t *testing.T) {
	quiet(t)
	loaded := 0
	fixtureFiles(t, func(folder, name string, data []byte) {
		if filepath.Base(folder) != Compose.Name {
			return
		}
		want, err := composeImages(filepath.Join(folder, filepath.FromSlash(name)), data)
		if err != nil {
			return
		}
		loaded++
		t.Run(name, func(t *testing.T) {
			res := Parse(&source.File{Path: name, Data: data}, Compose, folderTree(folder))
			got := map[string]bool{}
			for _, u := range res.Uses {
				service, attribute := composePointer(u)
				for _, v := range u.Values {
					if attribute == "image" && service != "" {
						got[v.Text] = true
					}
				}
			}
			for _, text := range want {
				if !got[text] {
					t.Errorf("Compose runs %s, which is not found", text)
				}
				delete(got, text)
			}
			for text := range got {
				t.Errorf("%s is found, which Compose does not run", text)
			}
		})
	})
	if loaded < 25 {
		t.Errorf("Compose loads only %d fixtures", loaded)
	}
}

// composePointer is the service and the attribute of a use, where it is an
// attribute of the service itself.
func composePointer(u image.Use) (service, attribute string) {
	rest, ok := strings.CutPrefix(u.Pointer, "services.")
	if !ok {
		return "", ""
	}
	i := strings.LastIndexByte(rest, '.')
	if i < 0 || strings.Contains(rest[:i], ".build") || strings.Contains(rest[:i], ".pre_start") {
		return "", ""
	}
	return rest[:i], rest[i+1:]
}

// composeImages is the images of the services that Compose itself loads. What
// the environment has to decide is left out.
func composeImages(name string, data []byte) ([]string, error) {
	if strings.Contains(string(data), "\ninclude:") {
		return nil, fs.ErrInvalid // services of other files are theirs
	}
	env := types.Mapping{}
	if f, err := os.Open(filepath.Join(filepath.Dir(name), ".env")); err == nil {
		defer f.Close()
		if env, err = dotenv.Parse(f); err != nil {
			return nil, err
		}
	}
	model, err := loader.LoadModelWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  filepath.Dir(name),
		ConfigFiles: []types.ConfigFile{{Filename: name, Content: data}},
		Environment: env,
	}, func(o *loader.Options) {
		o.SkipValidation, o.SkipConsistencyCheck, o.SkipNormalization = true, true, true
		o.SkipInclude, o.SkipResolveEnvironment, o.SkipDefaultValues, o.SkipExtends = true, true, true, true
		o.SetProjectName("fixture", true)
	})
	if err != nil {
		return nil, err
	}
	var images []string
	services, ok := model["services"].(map[string]any)
	if !ok {
		return nil, fs.ErrInvalid // version 1, which it no longer reads
	}
	for _, s := range services {
		service, _ := s.(map[string]any)
		if service["image"] == nil {
			continue
		}
		if _, list := service["image"].([]any); list {
			continue
		}
		text := fmt.Sprint(service["image"])
		if text = strings.TrimSpace(text); text != "" && !strings.HasSuffix(text, ":") && !image.Placeholder(text) {
			images = append(images, text)
		}
	}
	slices.Sort(images)
	return slices.Compact(images), nil
}

func TestDetectCompose(t *testing.T) {
	const service = "services:\n  web:\n    image: nginx\n"
	tests := []struct {
		name, path, text string
		want             Certainty
	}{
		{"by name", "compose.yaml", service, Path},
		{"by part of a name", "deploy/my-compose.prod.yml", service, Path},
		{"template", "docker-compose.yml.j2", "{% if x %}\nservices:\n  web:\n    image: {{ image }}\n", Path},
		{"version 1", "docker-compose.yml", "web:\n  image: nginx\n", Likely},
		{"include alone", "compose.yaml", "include:\n  - a.yaml\n", Likely},
		{"stack", "stack.yml", "version: '3'\n" + service, Content},
		{"stack with extensions", "swarm/app.yaml", "x-a: &a\n  b: c\n" + service + "networks: {}\n", Content},
		{"build alone", "app.yml", "services:\n  web:\n    build: .\n", Content},
		{"flow", "stack.yaml", "services: {web: {image: nginx}}\n", Content},
		{"byte-order mark and CR LF", "stack.yaml", "\xef\xbb\xbf" + strings.ReplaceAll(service, "\n", "\r\n"), Content},
		{"no YAML", "compose.txt", service, No},
		{"Symfony", "config/services.yaml", "parameters:\n  a: b\nservices:\n  _defaults:\n    autowire: true\n", No},
		{"Symfony without parameters", "config/services.yaml", "services:\n  App\\Image:\n    arguments: [1]\n  thumb:\n    class: X\n    arguments:\n      image: a.png\n", No},
		{"GitLab", "ci.yml", "services:\n  - name: docker:dind\nbuild:\n  image: a\n  script: make\n", No},
		{"GitLab's services as a list", "ci.yml", "services:\n  - docker:dind\n", No},
		{"Ansible", "tasks.yml", "- name: x\n  docker_container:\n    image: a\n", No},
		{"OpenAPI", "api.yaml", "openapi: 3.0.0\nservices:\n  a:\n    image: b\n", No},
		{"manifest", "docker-compose-chart.yaml", "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: a\n", No},
		{"other keys", "site.yml", service + "plugins: []\n", No},
		{"services without images", "services.yaml", "services:\n  web:\n    port: 80\n", No},
		{"documentation of its commands", "docker_compose_push.yaml", "command: docker compose push\nlong: |-\n  text\n  services:\n    web:\n      image: a\n", No},
		{"tasks named for it", "install-docker-compose.yml", "- name: x\n  image: a\n  build: b\n", No},
		{"version 1 in flow", "docker-compose.yml", "web: {image: nginx}\n", Likely},
		{"named for it and empty", "compose.yaml", "", No},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := detectCompose(newCandidate(tt.path, []byte(tt.text))); got != tt.want {
				t.Errorf("certainty %d, want %d", got, tt.want)
			}
		})
	}
}

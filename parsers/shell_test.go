package parsers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/digestlint/digestlint/source"
)

// shellUses are the uses in a script, "raw" or "raw=value|value", those that are
// outputs with a ">" in front.
func shellUses(script string, outer templating) []string {
	format := &Format{Name: "script", Parse: func(p *Pass) { p.shell(nil, outer) }}
	var out []string
	for _, u := range Parse(&source.File{Path: "script", Data: []byte(script)}, format, nil).Uses {
		text := u.Raw
		var values []string
		for _, v := range u.Values {
			values = append(values, v.Text)
		}
		if joined := strings.Join(values, "|"); joined != u.Raw {
			text += "=" + joined
		}
		if u.Role.String() == "output" {
			text = ">" + text
		}
		out = append(out, text)
	}
	return out
}

func TestShell(t *testing.T) {
	cases := []struct{ what, script, want string }{
		{"literal", "docker pull nginx:1.25", "nginx:1.25"},
		{"comment", "# docker pull a\ntrue # docker pull b", ""},
		{"printed", "echo docker pull a; echo \"docker run b\"; printf 'docker run c\\n'", ""},
		{"assigned once", "X=a:1\ndocker pull $X", "$X=a:1"},
		{"assigned twice", "X=a:1\nX=b:2\ndocker pull $X", "$X="},
		{"appended to", "X=a\nX+=:1\ndocker pull $X", "$X="},
		{"exported", "export X=a:1\ndocker pull \"${X}\"", "${X}=a:1"},
		{"read", "X=a\nread X\ndocker pull $X", "$X="},
		{"default", "docker pull ${X:-a:1}", "${X:-a:1}=a:1"},
		{"assigning default", ": ${X:=a:1}\ndocker pull $X", "$X=a:1"},
		{"two assigning defaults", ": ${X:=a:1}\n: ${X:=b:1}\ndocker pull $X", "$X="},
		{"own default", "X=${X:-a:1}\ndocker pull $X", "$X=a:1"},
		{"array", "A=(a:1 b:2)\nfor i in \"${A[@]}\"; do docker pull \"$i\"; done\ndocker pull ${A[1]}", "$i=a:1|b:2 ${A[1]}=b:2"},
		{"an array is no word", "A=(a:1 b:2)\ndocker pull $A", "$A="},
		{"loop", "for i in a:1 b:2; do docker pull $i; done", "$i=a:1|b:2"},
		{"function", "f() { docker pull \"$1\"; }\nf a:1", "$1="},
		{"substitution", "docker run $(cat id)", "$(cat id)="},
		{"braces", "docker pull a:{1,2}", "a:{1,2}="},
		{"quoted braces", "docker pull 'a:{1,2}'", "a:{1,2}"},
		{"prefixed", "DOCKER_BUILDKIT=1 docker build -t a:1 .", ">a:1"},
		{"shell text", "bash -c 'docker pull a:1'; sh -c \"docker pull $X\"", "a:1 $X="},
		{"continued", "docker run \\\n  --rm \\\n  a:1 true", "a:1"},
		{"carriage returns", "docker run \\\r\n  a:1\r\ndocker pull b:1\r\n", "a:1 b:1"},
		{"condition", "if docker inspect a; then docker pull b; fi\ncase $1 in x) docker pull c;; esac", "b c"},
		{"filtered", "docker images | grep a; docker ps", ""},
		{"compose", "docker compose up; docker-compose pull web", ""},
		{"here-document of a shell", "ssh host bash -s <<EOF\ndocker pull a:1\nEOF", "a:1"},
		{"here-document of nobody", "cat > run.sh <<EOF\ndocker pull a:1\nEOF", ""},
		{"manifest piped on", "cat <<EOF | kubectl apply -f -\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: a:1}]}\nEOF", "a:1"},
		{"manifest behind tabs", "kubectl apply -f - <<-EOF\n\tapiVersion: v1\n\tkind: Pod\n\tspec:\n\t  containers:\n\t  - image: a:1\n\tEOF", "a:1"},
		{"manifest with a variable", "T=1\nkubectl apply -f - <<EOF\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: \"a:$T\"}]}\nEOF", "a:$T=a:1"},
		{"Dockerfile", "docker build - <<'EOF'\nFROM a:1\nEOF", "a:1"},
		{"engine", "DOCKER=podman\n$DOCKER pull a:1", "a:1"},
		{"broken", "docker pull a:1\nif (\ndocker pull b:1\ncat <<EOF\ndocker pull c:1\nEOF\ndocker run \\\n  d:1", "a:1 b:1 d:1"},
		{"Windows variable", "docker pull a/%NAME%", "a/%NAME%="},
	}
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			got := strings.Join(shellUses(c.script, templating{}), " ")
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s\n%s", c.script, d)
			}
		})
	}
}

func TestShellTemplates(t *testing.T) {
	outer := templating{scan: scanGitHub, look: noLookup}
	script := "docker pull ${{ inputs.x || 'a:1' }}\ndocker pull b:${{ inputs.tag }}\nkubectl run x --image \"${{ matrix.image }}\""
	want := []string{"${{ inputs.x || 'a:1' }}=a:1", "b:${{ inputs.tag }}=", "${{ matrix.image }}="}
	if d := cmp.Diff(want, shellUses(script, outer)); d != "" {
		t.Error(d)
	}
}

// FuzzShellTemplates reads scripts with another format's expressions in them.
func FuzzShellTemplates(f *testing.F) {
	f.Add([]byte("docker pull ${{ inputs.x || 'a:1' }}\ncat <<EOF\n${{ x }}\nEOF\n"))
	f.Add([]byte("if (\ndocker run \\\n  \"a:${{ b }}\"\n"))
	format := &Format{Name: "script", Parse: func(p *Pass) { p.shell(nil, templating{scan: scanGitHub, look: noLookup}) }}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 16<<10 {
			t.Skip("longer inputs find nothing that shorter ones don't")
		}
		file := &source.File{Path: "script", Data: data}
		checkResult(t, file, Parse(file, format, nil))
	})
}

// A script that never parses must not be read over and over.
func TestShellIsLinear(t *testing.T) {
	format := &Format{Name: "script", Parse: func(p *Pass) { p.shell(nil, templating{}) }}
	for what, line := range map[string]string{
		"broken lines":           "if ( docker pull a\n",
		"here-documents":         "docker pull a <<EOF (\n",
		"different words":        "docker pull a=b {,{,{, %x\n",
		"open braces":            "docker pull {{{{{{{{{{{{{{{{{{{{{{{{{{\n",
		"continued":              "docker pull a \\\n",
		"unclosed substitutions": "docker pull $(\n",
	} {
		t.Run(what, func(t *testing.T) {
			Parse(&source.File{Path: "script", Data: []byte(strings.Repeat(line, 20_000))}, format, nil)
		})
	}
}

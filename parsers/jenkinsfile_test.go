package parsers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

func parseJenkins(path string, data []byte) Result {
	return Parse(&source.File{Path: path, Data: data}, Jenkinsfile, nil)
}

func TestDetectJenkinsfile(t *testing.T) {
	for _, c := range []struct {
		path, data string
		want       Certainty
	}{
		{"Jenkinsfile", "", Path},
		{"ci/Jenkinsfile.release", "node {}", Path},
		{"JenkinsfileNightly", "", Path},
		{"jenkinsfile", "", Path},
		{"build.jenkinsfile", "", Path},
		{"build.Jenkinsfile", "", Path},
		{"Jenkinsfile.md", "pipeline { }", No},
		{"jenkinsfile_runner.go", "", No},
		{"ci/main.groovy", "pipeline {\n agent any }", Likely},
		{"ci/main.groovy", "node('x') {", Likely},
		{"ci/main.groovy", "def f() { docker.image('x') }", Likely},
		{"ci/main.groovy", "podTemplate (yaml: y)", Likely},
		{"ci/main.groovy", "mynode('x')\npipelines {}", No},
		{"ci/main.groovy", "println 'docker'", No},
		{"vars/step.groovy", "def call() { sh 'docker pull x' }", Likely},
		{"vars/step.groovy", "def call() { echo 'x' }", No},
		{"build.gradle", "pipeline {", No},
		{"Dockerfile", "FROM x", No},
	} {
		if got := detectJenkinsfile(newCandidate(c.path, []byte(c.data))); got != c.want {
			t.Errorf("detect %s with %q is %d, want %d", c.path, c.data, got, c.want)
		}
	}
}

// TestJenkinsfileEdits proves that what the model says of an edit holds: the
// text at its end is the end of the value.
func TestJenkinsfileEdits(t *testing.T) {
	for _, src := range []string{
		`node { docker.image('a:1').pull() }`,
		`def x = "a:1"` + "\n" + `node { docker.image("b/${x}").pull() }`,
		`pipeline { agent { docker { image 'a:1'; registryUrl 'https://b.example.com' } } }`,
		`def m = [k: 'a:1']` + "\n" + `pipeline { agent { docker { image m.k } } }`,
		`podTemplate(yaml: """` + "\napiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: \"a:1\"\n" + `""")`,
		`node { sh "docker run \"a:1\" b" }`,
	} {
		res := parseJenkins("Jenkinsfile", []byte(src))
		if len(res.Uses) != 1 || len(res.Uses[0].Values) != 1 {
			t.Errorf("%s: %d uses, want 1 with one value", src, len(res.Uses))
			continue
		}
		v := res.Uses[0].Values[0]
		tail := src[v.Site.Tail.Start:v.Site.Tail.End]
		if v.Site.Safety == image.Refused || tail != "a:1" || !strings.HasSuffix(v.Text, tail) {
			t.Errorf("%s: %s edit of %q for %q", src, v.Site.Safety, tail, v.Text)
		}
	}
}

// hostilePipelines are shapes that cost a careless parser quadratic time or
// more.
func hostilePipelines(n int) map[string]string {
	var doubling, chain strings.Builder
	doubling.WriteString("a0 = 'x'\n")
	for i := 1; i < min(n, 200); i++ {
		fmt.Fprintf(&doubling, "a%d = \"${a%d}${a%d}\" + a%d\n", i, i-1, i-1, i-1)
	}
	fmt.Fprintf(&doubling, "docker.image(a%d)\n", min(n, 200)-1)
	chain.WriteString("c0 = 'x'\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&chain, "c%d = c%d\n", i, i-1)
	}
	fmt.Fprintf(&chain, "docker.image(c%d)\n", n-1)
	return map[string]string{
		"doubling":               doubling.String(),
		"chain":                  chain.String(),
		"assignments in a row":   strings.Repeat("a=", n) + "1",
		"assignments of a name":  strings.Repeat("a='x'\n", n) + strings.Repeat("docker.image(a)\n", n),
		"declarations":           strings.Repeat("def a='x'\n", n) + strings.Repeat("docker.image(a)\n", n),
		"nested images":          strings.Repeat("docker.image(", n),
		"nested closed images":   strings.Repeat("docker.image(", n) + strings.Repeat(")", n),
		"shells in a row":        strings.Repeat("sh ", n),
		"shells with commas":     strings.Repeat("sh a, ", n),
		"open blocks":            strings.Repeat("stage('a') { docker.withRegistry('b') {", n),
		"nested stages":          strings.Repeat("stage('a') {", n) + strings.Repeat("}", n),
		"functions":              strings.Repeat("def f(a, b) { f(a, b) }\n", n),
		"nested functions":       strings.Repeat("def f(a = ", n) + strings.Repeat(") {}", n),
		"parentheses":            "docker.image(" + strings.Repeat("(", n) + "'a'" + strings.Repeat(")", n) + ")",
		"conditions":             "docker.image(" + strings.Repeat("a ? b : ", n) + "'a')",
		"sums":                   "docker.image('a'" + strings.Repeat("+ 'a'", n) + ")",
		"sums of a shell":        "sh 'docker run '" + strings.Repeat("+ a", n),
		"steps":                  "m = [:]\ndocker.image(m" + strings.Repeat(".a", n) + ")",
		"interpolations":         `docker.image("` + strings.Repeat(`${"`, n),
		"interpolated shell":     `sh "docker run ` + strings.Repeat(`${a} `, n) + `"`,
		"interpolated batch":     `bat "docker run ` + strings.Repeat(`%a%`, n) + `"`,
		"pods":                   strings.Repeat("yaml: 'containers:'\n", n),
		"manifests":              strings.Repeat("'''apiVersion: v1\nkind: a\nimage: x\n'''\n", min(n, 2000)),
		"closures":               strings.Repeat("{ a -> ", n),
		"maps":                   "m = " + strings.Repeat("[a: ", n) + strings.Repeat("]", n) + "\ndocker.image(m.a)",
		"a map read many times":  "m = [" + strings.Repeat("a: 'x', ", n) + "]\n" + strings.Repeat("docker.image(m[x])\n", n),
		"parameters of the job":  strings.Repeat("string(name: 'A', defaultValue: 'x')\n", n) + strings.Repeat("docker.image(params.A)\n", n),
		"matrix":                 strings.Repeat("axis { name 'A'; values 'x'", n),
		"commands with no value": strings.Repeat("image ", n),
	}
}

// TestJenkinsfileHostile would take hours if any of the shapes cost quadratic
// time, and gigabytes if values grew without bound.
func TestJenkinsfileHostile(t *testing.T) {
	for name, src := range hostilePipelines(10_000) {
		t.Run(name, func(t *testing.T) { parseJenkins("Jenkinsfile", []byte(src)) })
	}
}

func FuzzJenkinsfile(f *testing.F) {
	for _, src := range hostilePipelines(3) {
		f.Add([]byte(src))
	}
	fuzzFormat(f, Jenkinsfile)
}

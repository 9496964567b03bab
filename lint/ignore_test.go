package lint

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/rules"
)

// judged are the findings in a file of that name, "line rule: message", but
// for the rules that have an expected finding each: the images that stay.
func judged(t *testing.T, name, content string, opts Options) string {
	t.Helper()
	opts.Paths, opts.Stdin, opts.StdinName = []string{"-"}, strings.NewReader(content), name
	res := check(t, opts)
	var b strings.Builder
	for _, f := range res.Findings {
		if f.Rule.AboutIgnores {
			fmt.Fprintf(&b, "%d %s: %s\n", f.Start.Line, f.Rule.Name, f.Message)
		} else {
			fmt.Fprintf(&b, "%d %s\n", f.Start.Line, f.Rule.Name)
		}
	}
	return b.String()
}

const whole = "# digestlint:ignore-file[unpinned-image] a demonstration\n"

func TestIgnore(t *testing.T) {
	const service = "services:\n  web:\n"
	for _, test := range []struct{ name, file, content, want string }{
		{"the line above", "Dockerfile", "# digestlint:ignore[unpinned-image] why\nFROM a:1\nFROM b:1\n", "3 unpinned-image\n"},
		{"blanks and comments between", "Dockerfile", "# digestlint:ignore[unpinned-image] why\n\n# more\nFROM a:1\n", ""},
		{"CRLF", "Dockerfile", "# digestlint:ignore[unpinned-image] why\r\n\r\nFROM a:1\r\nFROM b:1\r\n", "4 unpinned-image\n"},
		{"a byte-order mark", "Dockerfile", "\ufeff# digestlint:ignore[unpinned-image] why\nFROM a:1\n", ""},
		{"two above", "Dockerfile", "# digestlint:ignore[unpinned-image] why\n# digestlint:ignore[compromised-tag] why\nFROM checkmarx/kics:v2.1.21\n", ""},
		{"several rules", "Dockerfile", "#digestlint:ignore[unpinned-image, compromised-tag] why\nFROM checkmarx/kics:v2.1.21\n", ""},
		{"another rule", "Dockerfile", "# digestlint:ignore[floating-tag] why\nFROM a:1\n",
			"1 unused-ignore: this ignore comment hides nothing: there is no floating-tag here\n2 unpinned-image\n"},
		{"one rule too many", "Dockerfile", "# digestlint:ignore[unpinned-image,floating-tag] why\nFROM a:1\n",
			"1 unused-ignore: this ignore comment hides nothing: there is no floating-tag here\n"},
		{"a rule of another run", "Dockerfile", "# digestlint:ignore[tag-drift,unapproved-digest,conflicting-digests] why\nFROM scratch\n", ""},
		{"a Dockerfile has no comments behind", "Dockerfile", "FROM scratch\nRUN docker pull a:1 # digestlint:ignore[unpinned-image] why\n", "2 unpinned-image\n"},
		{"a continued instruction", "Dockerfile", "FROM scratch\nRUN true && \\\n  # digestlint:ignore[unpinned-image] why\n  docker pull a:1\n", ""},

		{"the same line", "compose.yaml", service + "    image: a:1 # digestlint:ignore[unpinned-image] why\n", ""},
		{"quotes before", "compose.yaml", service + "    image: \"a:1\" # digestlint:ignore[unpinned-image] it's \"why\"\n", ""},
		{"behind another comment", "compose.yaml", service + "    image: a:1 # don't touch # digestlint:ignore[unpinned-image] why\n", ""},
		{"in a string", "compose.yaml", service + "    image: a:1\n    command: \"x # digestlint:ignore[unpinned-image] why\"\n", "3 unpinned-image\n"},
		{"in the middle of a comment", "compose.yaml", service + "    # see digestlint:ignore[unpinned-image] why\n    image: a:1\n", "4 unpinned-image\n"},
		{"no space before", "compose.yaml", service + "    image: a:1#digestlint:ignore[unpinned-image] why\n", "3 invalid-reference\n"},
		{"shell in YAML", ".gitlab-ci.yml", "job:\n  script:\n    - |\n      # digestlint:ignore[unpinned-image] why\n      docker run a:1\n      docker run b:1 # digestlint:ignore[unpinned-image] why\n", ""},
		{"JSON has no comments", ".devcontainer.json", "{\n\"name\": \"# digestlint:ignore[unpinned-image] why\",\n\"image\": \"a:1\"}\n", "3 unpinned-image\n"},

		{"slashes", "Jenkinsfile", "pipeline { agent none\n// digestlint:ignore[unpinned-image] why\nagent { docker { image 'a:1' } }\n}\n", ""},
		{"slashes behind", "Jenkinsfile", "pipeline {\nagent { docker { image 'a:1' } } // digestlint:ignore[unpinned-image] why\n}\n", ""},
		{"a block", "Jenkinsfile", "pipeline {\n/*\n * digestlint:ignore[unpinned-image] why\n */\nagent { docker { image 'a:1' } }\n}\n", ""},
		{"a block before", "Jenkinsfile", "pipeline {\n/* digestlint:ignore[unpinned-image] why */ agent { docker { image 'a:1' } }\nstages { stage('x') { agent { docker { image 'b:1' } } } } }\n", "3 unpinned-image\n"},
		{"a block of one line that has ended", "Jenkinsfile", "pipeline { /* x */\n digestlint:ignore[unpinned-image] why\nagent { docker { image 'a:1' } }\n}\n", "3 unpinned-image\n"},
		{"shell in Groovy", "Jenkinsfile", "node {\nsh '''\n# digestlint:ignore[unpinned-image] why\ndocker run a:1\n'''\n}\n", ""},
		{"HCL", "main.tf", "resource \"docker_image\" \"a\" {\n  // digestlint:ignore[unpinned-image] why\n  name = \"a:1\"\n}\n", ""},
		{"a template", "templates/a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}}\nspec:\n  containers:\n  - name: a\n    {{- /* digestlint:ignore[unpinned-image] why */ -}}\n    image: a:1\n", ""},

		{"the file", "Dockerfile", "# syntax\n\n" + whole + "FROM a:1\nFROM b:1\n", ""},
		{"the file, from behind", "Dockerfile", "FROM a:1\n" + whole, "1 unpinned-image\n2 unexplained-ignore: an ignore comment for the whole file stands behind its first lines, and hides nothing\n"},
		{"the file, for nothing", "Dockerfile", whole + "FROM scratch\n", "1 unused-ignore: this ignore comment hides nothing: there is no unpinned-image here\n"},
		{"the file, behind a document's start", "compose.yaml", "---\n" + whole + service + "    image: a:1\n", ""},

		{"until the last day", "Dockerfile", "# digestlint:ignore[unpinned-image] until=2026-11-24 why\nFROM a:1\n", ""},
		{"until the day before", "Dockerfile", "# digestlint:ignore[unpinned-image] until=2026-11-23 why\nFROM a:1\n",
			"1 unused-ignore: this ignore comment ended on 2026-11-23, and hides nothing\n2 unpinned-image\n"},
		{"until some day", "Dockerfile", "# digestlint:ignore[unpinned-image] until=soon why\nFROM a:1\n",
			"1 unexplained-ignore: this ignore comment has an expiry date \"soon\" that is no date, and hides nothing\n2 unpinned-image\n"},
		{"until two days", "Dockerfile", "# digestlint:ignore[unpinned-image] until=2999-01-01 until=2020-01-01 why\nFROM a:1\n",
			"1 unexplained-ignore: this ignore comment has two expiry dates, and hides nothing\n2 unpinned-image\n"},

		{"no reason", "Dockerfile", "# digestlint:ignore[unpinned-image]\nFROM a:1\n", "1 unexplained-ignore: this ignore comment gives no reason\n"},
		{"a date is no reason", "Dockerfile", "# digestlint:ignore[unpinned-image] until=2999-01-01\nFROM a:1\n", "1 unexplained-ignore: this ignore comment gives no reason\n"},
		{"the end of a block is no reason", "Jenkinsfile", "pipeline {\n/* digestlint:ignore[unpinned-image] */\nagent { docker { image 'a:1' } }\n}\n", "2 unexplained-ignore: this ignore comment gives no reason\n"},
		{"no rules", "Dockerfile", "# digestlint:ignore why\nFROM a:1\n", "1 unexplained-ignore: this ignore comment names no rule, and hides nothing\n2 unpinned-image\n"},
		{"empty rules", "Dockerfile", "# digestlint:ignore[] why\nFROM a:1\n", "1 unexplained-ignore: this ignore comment has an empty name among its rules\n2 unpinned-image\n"},
		{"open rules", "Dockerfile", "# digestlint:ignore[unpinned-image why\nFROM a:1\n", "1 unexplained-ignore: the rules of this ignore comment end with no \"]\", and it hides nothing\n2 unpinned-image\n"},
		{"unknown rules", "Dockerfile", "# digestlint:ignore[*,unpinned-image] why\nFROM a:1\n", "1 unexplained-ignore: this ignore comment names \"*\", which is no rule\n"},
		{"malicious", "Dockerfile", "# digestlint:ignore[malicious-digest] why\nFROM a@" + malicious + "\n",
			"1 unexplained-ignore: this ignore comment names malicious-digest, which no comment hides\n2 malicious-digest\n"},
		{"of comments", "Dockerfile", "# digestlint:ignore-file[unexplained-ignore,unused-ignore] why\n# digestlint:ignore[unpinned-image]\nFROM scratch\n",
			"1 unexplained-ignore: this ignore comment names unexplained-ignore, which no comment hides\n" +
				"1 unexplained-ignore: this ignore comment names unused-ignore, which no comment hides\n" +
				"2 unexplained-ignore: this ignore comment gives no reason\n" +
				"2 unused-ignore: this ignore comment hides nothing: there is no unpinned-image here\n"},
		{"a broken file", "compose.yaml", "# digestlint:ignore-file[unpinned-image] why\nservices:\n  web: {image: \"a:1\n", "3 syntax-error\n"},
		{"an unknown format", "NOTES.md", "# digestlint:ignore\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Date(2026, 11, 24, 23, 59, 59, 0, time.UTC)
			if got := judged(t, test.file, test.content, Options{Now: now}); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestNoIgnores(t *testing.T) {
	content := "# digestlint:ignore[unpinned-image]\nFROM a:1\n"
	if got, want := judged(t, "Dockerfile", content, Options{NoIgnores: true}), "2 unpinned-image\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSuppressed(t *testing.T) {
	root := write(t, map[string]string{"Dockerfile": "# digestlint:ignore[unpinned-image] why\nFROM a:1\nFROM b:1\n"})
	res := check(t, Options{Paths: []string{root}})
	if len(res.Suppressed) != 1 || res.Suppressed[0].Cause != Ignored || res.Suppressed[0].Finding.Start.Line != 2 {
		t.Errorf("suppressed: %+v", res.Suppressed)
	}
}

// TestIgnoresAreBounded holds that comments are judged in linear time: with
// many on one line, and below many comments. With quadratic time it would not
// end.
func TestIgnoresAreBounded(t *testing.T) {
	for _, content := range []string{
		strings.Repeat("# digestlint:ignore[unpinned-image] why ", 1<<15),
		strings.Repeat("# digestlint:ignore[unpinned-image] why\n", 1<<12),
		strings.Repeat("/* digestlint:ignore[unpinned-image] ", 1<<12),
		strings.Repeat("/* digestlint:ignore-file[unpinned-image] */ ", 1<<14),
	} {
		judged(t, "Dockerfile", content, Options{})
		judged(t, "Jenkinsfile", "pipeline {}\n"+content, Options{})
	}
}

func FuzzIgnore(f *testing.F) {
	for _, name := range []string{"Dockerfile", "compose.yaml", "Jenkinsfile", "pom.xml", "main.tf"} {
		f.Add(name, "# digestlint:ignore-file[unpinned-image]\n/* digestlint:ignore[x,] until=2 */ <!--digestlint:ignore[]-->'\"", "a:1")
	}
	f.Fuzz(func(t *testing.T, name, before, ref string) {
		opts := Options{Paths: []string{"-"}, Stdin: strings.NewReader(before + "\nFROM " + ref + "@" + malicious + "\n"), StdinName: name}
		res := check(t, opts)
		for _, s := range res.Suppressed {
			if s.Finding.Rule.Certain || s.Finding.Rule == rules.UnexplainedIgnore {
				t.Errorf("a comment hides %s", s.Finding.Rule.Name)
			}
		}
	})
}

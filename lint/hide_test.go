package lint

import (
	"context"
	"testing"

	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
)

func TestIgnoreEdit(t *testing.T) {
	for _, test := range []struct{ name, path, before, after string }{
		{"a line above", "/w/Dockerfile", "FROM a:1\n", "# digestlint:ignore[unpinned-image] \nFROM a:1\n"},
		{"with the indentation", "/w/compose.yaml", "services:\n  a:\n    image: a:1\n", "services:\n  a:\n    # digestlint:ignore[unpinned-image] \n    image: a:1\n"},
		{"with the line ending", "/w/Dockerfile", "ARG X\r\nFROM a:1\r\n", "ARG X\r\n# digestlint:ignore[unpinned-image] \r\nFROM a:1\r\n"},
		{"behind a command of several lines", "/w/x.sh", "docker run \\\n  a:1\n", "docker run \\\n  a:1 # digestlint:ignore[unpinned-image] \n"},
		{"no comments", "/w/task-definition.json", `{"family": "x", "containerDefinitions": [{"name": "a", "image": "a:1"}]}`, ""},
		{"a certain finding", "/w/Dockerfile", "FROM a@sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d\n", ""},
	} {
		opts := Options{Paths: []string{test.path}, Rules: rules.All(),
			Unsaved: &Unsaved{Folder: "/w", Contents: map[string][]byte{test.path: []byte(test.before)}}}
		res, err := Run(context.Background(), opts)
		if err != nil || len(res.Findings) != 1 {
			t.Errorf("%s: %v, %v", test.name, res.Findings, err)
			continue
		}
		edit, ok, err := IgnoreEdit(context.Background(), opts, res.Findings[0])
		if err != nil || ok != (test.after != "") {
			t.Errorf("%s: %v, %v, %v", test.name, edit, ok, err)
			continue
		}
		if !ok {
			continue
		}
		if after, err := rewrite.Apply([]byte(test.before), []rewrite.Edit{edit}); err != nil || string(after) != test.after {
			t.Errorf("%s: %q, %v; want %q", test.name, after, err, test.after)
		}
	}
}

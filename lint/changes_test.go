package lint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadPatch(t *testing.T) {
	for _, test := range []struct {
		name, patch string
		want        map[string][]lines
	}{
		{"lines", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@ f\n-a\n+b\n@@ -4,0 +5,2 @@\n+c\n+d\n\\ No newline at end of file\n", map[string][]lines{"x": {{1, 1}, {5, 6}}}},
		{"only removed", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -3,2 +2,0 @@\n-a\n-b\n", map[string][]lines{}},
		{"content like a header", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n--- a/y\n+++ b/y\n+@@ -1 +9 @@\n", map[string][]lines{"x": {{1, 2}}}},
		{"a name with a space", "diff --git a/a b b/a b\n--- /dev/null\n+++ b/a b\t\n@@ -0,0 +1 @@\n+a\n", map[string][]lines{"a b": {{1, 1}}}},
		{"a quoted name", "+++ \"b/\\303\\274\\n\\\"\"\n@@ -0,0 +1 @@\n+a\n", map[string][]lines{"ü\n\"": {{1, 1}}}},
	} {
		c := &Changes{lines: map[string][]lines{}}
		if err := c.readPatch(test.patch); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, c.lines, cmp.AllowUnexported(lines{})); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	for _, patch := range []string{"@@ what @@", "@@ -1 +x @@", "@@ 1 +1 @@", "@@ -1 +1,-5 @@"} {
		if err := (&Changes{}).readPatch(patch); err == nil {
			t.Errorf("%q is understood", patch)
		}
	}
}

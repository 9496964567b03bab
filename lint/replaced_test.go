package lint

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func pod(images ...string) string {
	s := "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n"
	for _, i := range images {
		s += "  - image: " + i + "\n"
	}
	return s
}

// replacedTree has an overlay over a base, a component, and files that no
// kustomization names.
var replacedTree = map[string]string{
	"base/kustomization.yaml": "resources:\n- pod.yaml\nimages:\n- name: sidecar\n  newName: example/sidecar\n  newTag: v1\n",
	"base/pod.yaml":           pod("app", "nginx:1", "redis:7", "sidecar:dev", "haproxy:3"),
	"base/apart.yaml":         pod("app"),
	"prod/kustomization.yaml": "resources:\n- ../base\n- more.yaml\ncomponents:\n- ../part\nimages:\n- name: app\n  newName: registry.example.org/app\n  newTag: v2\n" +
		"- name: nginx\n  digest: " + malicious + "\n- name: example/sidecar\n  newTag: v2\n",
	"prod/more.yaml":          pod("nginx:1", "redis:7", "other:1"),
	"part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n- name: redis\n  newTag: '8'\n",
	"loop/kustomization.yaml": "resources:\n- .\n- ../loop\nimages:\n- name: loop\n  newTag: v1\n",
}

func TestReplaced(t *testing.T) {
	root := write(t, replacedTree)
	want := []string{
		"base/apart.yaml:5 floating-tag",
		"base/pod.yaml:9 unpinned-image",           // haproxy
		"loop/kustomization.yaml:5 unpinned-image", // itself is no resource of its own
		"part/kustomization.yaml:4 unpinned-image",
		"prod/kustomization.yaml:10 malicious-digest",
		"prod/kustomization.yaml:12 unpinned-image",
		"prod/kustomization.yaml:8 unpinned-image",
		"prod/more.yaml:7 unpinned-image", // other
	}
	got := found(check(t, Options{Paths: []string{root}}), root)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestPinLeavesReplaced(t *testing.T) {
	root := write(t, replacedTree)
	if _, err := Pin(context.Background(), PinOptions{Options: Options{Paths: []string{root}}, Resolve: invented}); err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string]string{"base/pod.yaml": "haproxy:3", "prod/more.yaml": "other:1"} {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(data), "\n") {
			if _, ref, ok := strings.Cut(line, "image: "); ok && strings.Contains(ref, "@") != strings.HasPrefix(ref, lines+"@") {
				t.Errorf("%s: %s", name, ref)
			}
		}
		if !strings.Contains(string(data), lines+"@sha256:") {
			t.Errorf("%s: %s is not pinned", name, lines)
		}
	}
}

package exposure

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// purgeTraces are places where an image was found, by name.
var purgeTraces = []struct {
	name string
	t    Trace
}{
	{"docker", Trace{Event: Event{Kind: Present, Place: Place{Store: "docker"}, Ref: image.Reference{Repository: "checkmarx/kics", Tag: "latest"}}, Listed: listed}},
	{"docker, ID known", Trace{Event: Event{Kind: Present, Place: Place{Store: "docker"}, Ref: image.Reference{Repository: "checkmarx/kics", Tag: "latest"}, ImageID: other}, Listed: listed}},
	{"docker, ID listed", Trace{Event: Event{Kind: Present, Place: Place{Store: "docker"}, ImageID: other}, Listed: other, Digest: &advisories.Digest{Kind: advisories.Config}}},
	{"docker, digest alone", Trace{Event: Event{Kind: Present, Place: Place{Store: "docker"}}, Listed: listed}},
	{"podman", Trace{Event: Event{Kind: Present, Place: Place{Store: "podman"}, Ref: image.Reference{Registry: "quay.io", Repository: "a/b", Tag: "1"}}, Listed: listed}},
	{"podman, digest alone", Trace{Event: Event{Kind: Present, Place: Place{Store: "podman"}}, Listed: listed}},
	{"containerd", Trace{Event: Event{Kind: Present, Place: Place{Store: "containerd", Node: "node-1.example"}, Ref: image.Reference{Repository: "checkmarx/kics", Tag: "latest"}}, Listed: listed}},
	{"containerd, digest alone", Trace{Event: Event{Kind: Present, Place: Place{Store: "containerd"}}, Listed: listed}},
	{"a pod", Trace{Event: Event{Kind: Running, Place: Place{Node: "node-1", Namespace: "ci", Pod: "scan-x7", Container: "kics"}, Ref: image.Reference{Repository: "checkmarx/kics", Tag: "latest"}}, Listed: listed}},
	{"a job", Trace{Event: Event{Kind: Running, Place: Place{Namespace: "ci", Pod: "Job/scan"}, Ref: image.Reference{Repository: "checkmarx/kics", Tag: "latest"}}}},
	{"a pod with a name of its own", Trace{Event: Event{Kind: Running, Place: Place{Namespace: "ci; reboot", Pod: "$(reboot)", Node: "`reboot`"}, Ref: image.Reference{Repository: "checkmarx/kics", Tag: "latest"}}, Listed: listed}},
	{"a log, tag alone", Trace{Event: Event{Kind: Pulled, Place: Place{Job: "scan"}, Ref: image.Reference{Repository: "checkmarx/kics", Tag: "latest"}}}},
	{"a log, digest", Trace{Event: Event{Kind: Pulled, Place: Place{Job: "scan"}, Ref: image.Reference{Repository: "checkmarx/kics", Digest: listed}}, Listed: listed}},
	{"a file", Trace{Event: Event{Kind: Named, Ref: image.Reference{Repository: "checkmarx/kics", Digest: listed}}, Listed: listed}},
	{"nothing known", Trace{Event: Event{Kind: Present, Place: Place{Store: "docker"}}}},
	{"a name that is none", Trace{Event: Event{Kind: Present, Place: Place{Store: "docker"}, Ref: image.Reference{Repository: "x$(reboot)", Tag: "1"}}, Listed: listed}},
	{"a digest that is none", Trace{Event: Event{Kind: Present, Place: Place{Store: "docker"}, ImageID: "'; reboot"}, Listed: "sha256:\"; reboot"}},

	{"Docker's registry", cached("registry.example:5000", "checkmarx/kics", "")},
	{"a registry on this machine", cached("127.0.0.1:5000", "checkmarx/kics", "")},
	{"Docker Hub", cached("", "me/kics", "")},
	{"Harbor", cached("harbor.example", "dockerhub-proxy/checkmarx/kics", productHarbor)},
	{"Harbor, no project", cached("harbor.example", "kics", productHarbor)},
	{"Artifactory", cached("company.jfrog.example", "docker-remote/checkmarx/kics", productArtifactory)},
	{"Artifactory, subdomain", cached("docker.jfrog.example", "kics", productArtifactory)},
	{"Nexus", cached("nexus.example:8082", "checkmarx/kics", productNexus)},
	{"Quay", cached("quay.io", "me/kics", productQuay)},
	{"GitLab", cached("registry.gitlab.com", "group/kics", productGitLab)},
	{"GitLab's dependency proxy", cached("gitlab.example", "group/sub/dependency_proxy/containers/checkmarx/kics", "")},
	{"ECR", cached("123456789012.dkr.ecr.eu-central-1.amazonaws.com", "docker-hub/checkmarx/kics", "")},
	{"ECR in China", cached("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "kics", "")},
	{"not ECR", cached("123456789012.dkr.ecr.eu-central-1.amazonaws.com.example", "kics", "")},
	{"public ECR", cached("public.ecr.aws", "alias/checkmarx/kics", "")},
	{"Artifact Registry", cached("europe-west3-docker.pkg.dev", "project/hub/checkmarx/kics", "")},
	{"gcr.io", cached("eu.gcr.io", "project/kics", "")},
	{"mirror.gcr.io", cached("mirror.gcr.io", "checkmarx/kics", "")},
	{"ACR", cached("company.azurecr.io", "docker.io/checkmarx/kics", "")},
	{"GHCR", cached("ghcr.io", "company/mirror/kics", "")},
	{"a configuration", Trace{Event: Event{Kind: Cached, Place: Place{Store: "registry"}, Ref: image.Reference{Registry: "registry.example", Repository: "checkmarx/kics"}, ImageID: other}, Listed: other, Digest: &advisories.Digest{Kind: advisories.Config}}},
}

func cached(host, repository, product string) Trace {
	return Trace{
		Event: Event{
			Kind:  Cached,
			Place: Place{Store: "registry", Path: repository, Product: product},
			Ref:   image.Reference{Registry: host, Repository: repository, Digest: listed},
		},
		Listed: listed,
	}
}

func TestPurgeCommands(t *testing.T) {
	var b strings.Builder
	for _, test := range purgeTraces {
		b.WriteString("== " + test.name + "\n")
		for _, c := range PurgeCommands(&test.t) {
			b.WriteString("# " + c.What + "\n")
			if c.Note != "" {
				b.WriteString("#   " + c.Note + "\n")
			}
			if c.Line != "" {
				b.WriteString(c.Line + "\n")
			}
		}
	}
	golden := filepath.Join("testdata", "purge-commands.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the commands differ from %s (-update writes them anew):\n%s", golden, b.String())
	}
}

// Every line is one that a shell can read, and none does what a name in the
// evidence says.
func TestPurgeCommandsAreForAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	for _, test := range purgeTraces {
		for _, c := range PurgeCommands(&test.t) {
			if strings.Contains(c.Line, "\n") || strings.Contains(c.Line+c.What+c.Note, "reboot") || c.What == "" {
				t.Errorf("%s: %+v", test.name, c)
			}
			if out, err := exec.Command(sh, "-n", "-c", c.Line).CombinedOutput(); err != nil {
				t.Errorf("%s: %s: %v\n%s", test.name, c.Line, err, out)
			}
		}
	}
}

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// TestReleaseConfiguration holds that what the release builds is what the action
// downloads, and what is built twice to compare.
func TestReleaseConfiguration(t *testing.T) {
	var c struct {
		Builds []struct {
			GOOS, GOARCH, Flags, LDFlags, Env []string
		}
		Archives []struct {
			NameTemplate    string `yaml:"name_template"`
			Formats         []string
			FormatOverrides []struct {
				GOOS    string
				Formats []string
			} `yaml:"format_overrides"`
		}
		Checksum struct {
			NameTemplate string `yaml:"name_template"`
		}
		Digests struct {
			NameTemplate string `yaml:"name_template"`
		} `yaml:"docker_digest"`
	}
	if err := yaml.Unmarshal([]byte(readRoot(t, ".goreleaser.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Builds) != 1 || len(c.Archives) != 1 {
		t.Fatalf("%d builds, %d archives", len(c.Builds), len(c.Archives))
	}
	build, archive := c.Builds[0], c.Archives[0]
	install := readRoot(t, "action/install.sh")
	for _, os := range []string{"linux", "darwin", "windows"} {
		if !slices.Contains(build.GOOS, os) || !strings.Contains(install, "os="+os+" ") {
			t.Errorf("%s is not built and installed", os)
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if !slices.Contains(build.GOARCH, arch) || !strings.Contains(install, "arch="+arch+" ") {
			t.Errorf("%s is not built and installed", arch)
		}
	}
	name := strings.NewReplacer("{{ .ProjectName }}", "digestlint", "{{ .Version }}", "${version}", "{{ .Os }}", "${os}", "{{ .Arch }}", "${arch}").Replace(archive.NameTemplate)
	if !strings.Contains(install, "archive="+name+".tar.gz\n") {
		t.Errorf("install.sh does not download %s.tar.gz", name)
	}
	for _, o := range append(archive.FormatOverrides, struct {
		GOOS    string
		Formats []string
	}{"the rest", archive.Formats}) {
		if !slices.Contains(o.Formats, "tar.gz") {
			t.Errorf("there is no tar.gz for %s", o.GOOS)
		}
	}
	if !strings.Contains(install, "download "+c.Checksum.NameTemplate+"\n") {
		t.Errorf("install.sh does not download %s", c.Checksum.NameTemplate)
	}
	workflow := readRoot(t, ".github/workflows/release.yml")
	for _, subject := range []string{c.Checksum.NameTemplate, c.Digests.NameTemplate} {
		if !strings.Contains(workflow, "subject-checksums: dist/"+subject+"\n") {
			t.Errorf("%s is not attested", subject)
		}
	}
	flags := append(append(slices.Clone(build.Env), "go build"), build.Flags...)
	flags = append(flags, "-buildvcs=false", "-ldflags '"+strings.ReplaceAll(strings.Join(build.LDFlags, " "), "{{ .Version }}", "0.0.0")+"'")
	if want := strings.Join(flags, " "); !strings.Contains(readRoot(t, "release/reproducible.sh"), want) {
		t.Errorf("reproducible.sh does not run %s", want)
	}
}

func readRoot(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestReleaseNotes holds that a tag makes a release only with a section of its
// own, and as the version that the action installs.
func TestReleaseNotes(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	const changelog = "# Changelog\n\n## [Unreleased]\n\n- soon\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n- `that`\n\n## [0.1.0] - 2026-11-30\n\n- this\n\n[0.1.0]: https://example.com\n"
	for _, c := range []struct{ tag, version, want string }{
		{"v0.2.0", "0.2.0", "\n### Added\n\n- `that`\n"},
		{"v0.1.0", "0.1.0", "\n- this\n"},
		{"v0.2.0", "0.1.0", ""}, // the action would install another
		{"v0.3.0", "0.3.0", ""}, // no section
		{"v0x2.0", "0x2.0", ""},
	} {
		root := t.TempDir()
		for name, text := range map[string]string{"release/notes.sh": readRoot(t, "release/notes.sh"), "action/version": c.version + "\n", "CHANGELOG.md": changelog} {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("bash", filepath.Join(root, "release/notes.sh"), c.tag)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if string(out) != c.want || (err != nil) != (c.want == "") || (err != nil) != (stderr.Len() > 0) {
			t.Errorf("%s: %q, %v, %s; want %q", c.tag, out, err, stderr.String(), c.want)
		}
	}
	if !strings.Contains(readRoot(t, "CHANGELOG.md"), "\n## [Unreleased]\n") {
		t.Error("CHANGELOG.md has no place for what is to be released")
	}
}

package resolve

import (
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/registry"
)

// index is the children of an index, from "platform digest" pairs.
func index(pairs ...string) []registry.Child {
	var out []registry.Child
	for _, pair := range pairs {
		platform, digest, _ := strings.Cut(pair, " ")
		parts := append(strings.Split(platform, "/"), "", "")
		out = append(out, registry.Child{Digest: digest, Platform: registry.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}})
	}
	return out
}

func TestPlatforms(t *testing.T) {
	children := append(index("linux/amd64 a", "unknown/unknown b", "windows/amd64 c", "windows/amd64 d", " e"),
		registry.Child{Kind: registry.ChildConfig, Digest: "f"})
	if got, want := Platforms(children), []string{"linux/amd64", "windows/amd64"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestForPlatform(t *testing.T) {
	children := index("unknown/unknown att", "linux/amd64 amd", "linux/arm/v6 six", "linux/arm/v7 seven", "linux/arm64/v8 arm", "windows/amd64 win")
	for platform, want := range map[string]string{
		"linux/amd64":     "amd",
		"linux/amd64/v1":  "amd",
		"Linux/AMD64":     "amd",
		"linux/amd64/v3":  "",
		"linux/arm":       "seven",
		"linux/arm/v6":    "six",
		"linux/arm64":     "arm",
		"linux/arm64/v8":  "arm",
		"windows/amd64":   "win",
		"unknown/unknown": "",
		"linux/riscv64":   "",
		"linux":           "",
	} {
		if got, ok := forPlatform(children, platform); got.Digest != want || ok != (want != "") {
			t.Errorf("%s: got %q, want %q", platform, got.Digest, want)
		}
	}
}

func TestSameManifests(t *testing.T) {
	old := index("linux/amd64 a", "linux/arm64 b", "unknown/unknown x")
	for _, test := range []struct {
		name string
		now  []registry.Child
		run  []string
		want bool
	}{
		{"attestations only", index("linux/amd64 a", "linux/arm64 b", "unknown/unknown y"), nil, true},
		{"a platform more", index("linux/s390x c", "linux/amd64 a", "linux/arm64 b"), nil, true},
		{"a platform less", index("linux/amd64 a"), nil, false},
		{"a platform rebuilt", index("linux/amd64 a", "linux/arm64 c"), nil, false},
		{"another platform rebuilt", index("linux/amd64 a", "linux/arm64 c"), []string{"linux/amd64"}, true},
		{"one that is run rebuilt", index("linux/amd64 c", "linux/arm64 b"), []string{"linux/amd64", "linux/arm64/v8"}, false},
		{"one that is run gone", index("linux/arm64 b"), []string{"linux/amd64", "linux/arm64"}, false},
		{"none that is run before", index("linux/amd64 a", "linux/arm64 b"), []string{"linux/riscv64"}, false},
		{"nothing now", nil, nil, false},
	} {
		if got := sameManifests(old, test.now, test.run); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
	if sameManifests(nil, nil, nil) {
		t.Error("two single images are the same index")
	}
	windows := index("windows/amd64 a", "windows/amd64 b")
	if sameManifests(windows, index("windows/amd64 a", "windows/amd64 c"), []string{"windows/amd64"}) {
		t.Error("a rebuilt version of Windows went unseen")
	}
}

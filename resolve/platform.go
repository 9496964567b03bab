package resolve

import (
	"slices"
	"strings"

	"github.com/digestlint/digestlint/registry"
)

// Platforms are the platforms of an index, in its order, each once. Manifests
// that are made for none, such as attestations
// (https://docs.docker.com/build/metadata/attestations/attestation-storage/),
// are left out.
func Platforms(children []registry.Child) []string {
	var out []string
	for _, c := range children {
		if p := c.Platform.String(); made(c) && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// unknownOS is the system of manifests that are made for no platform.
const unknownOS = "unknown"

// made reports whether a child is a manifest for a platform.
func made(c registry.Child) bool {
	return c.Kind == registry.ChildManifest && c.Platform.OS != "" && c.Platform.OS != unknownOS
}

// forPlatform is the first manifest for the platform.
func forPlatform(children []registry.Child, platform string) (registry.Child, bool) {
	want := normal(platform)
	for _, c := range children {
		if made(c) && normal(c.Platform.String()) == want {
			return c, true
		}
	}
	return registry.Child{}, false
}

// normal is the platform with the variant that is meant where none is written,
// as engines read it
// (https://github.com/containerd/platforms/blob/main/database.go).
func normal(platform string) string {
	p := strings.ToLower(strings.TrimSuffix(platform, "/"))
	switch {
	case strings.HasSuffix(p, "/arm64"):
		return p + "/v8"
	case strings.HasSuffix(p, "/arm"):
		return p + "/v7"
	}
	if base, ok := strings.CutSuffix(p, "/amd64/v1"); ok {
		return base + "/amd64"
	}
	return p
}

// sameManifests reports whether two indexes hold the same manifests for the
// platforms that are run, or, where none is said, whether the one after holds
// all that the one before did.
func sameManifests(before, after []registry.Child, run []string) bool {
	if len(run) == 0 {
		old, now := digests(before, nil), digests(after, nil)
		return len(old) > 0 && !slices.ContainsFunc(old, func(d string) bool { return !slices.Contains(now, d) })
	}
	old := digests(before, run)
	return len(old) > 0 && slices.Equal(old, digests(after, run))
}

// digests are those of the manifests for the platforms, sorted; for all where
// none is said. Several of one platform differ in the version of the system.
func digests(children []registry.Child, platforms []string) []string {
	var out []string
	for _, c := range children {
		same := func(p string) bool { return normal(p) == normal(c.Platform.String()) }
		if made(c) && (len(platforms) == 0 || slices.ContainsFunc(platforms, same)) {
			out = append(out, c.Digest)
		}
	}
	slices.Sort(out)
	return out
}

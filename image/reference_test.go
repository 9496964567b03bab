package image_test

import (
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/digestlint/digestlint/image"
)

const hex = "2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d"

func TestParse(t *testing.T) {
	tests := []struct {
		in                                string
		registry, repository, tag, digest string
		canonical                         string
	}{
		{"nginx", "", "nginx", "", "", "docker.io/library/nginx:latest"},
		{"nginx:1.25", "", "nginx", "1.25", "", "docker.io/library/nginx:1.25"},
		{"checkmarx/kics:v2.1.20", "", "checkmarx/kics", "v2.1.20", "", "docker.io/checkmarx/kics:v2.1.20"},
		{"localhost/x", "localhost", "x", "", "", "localhost/x:latest"},
		{"localhost:5000/nginx", "localhost:5000", "nginx", "", "", "localhost:5000/nginx:latest"},
		{"reg:5000/a/b:latest", "reg:5000", "a/b", "latest", "", "reg:5000/a/b:latest"},
		{"[::1]:5000/x:1", "[::1]:5000", "x", "1", "", "[::1]:5000/x:1"},
		{"index.docker.io/library/alpine:3", "index.docker.io", "library/alpine", "3", "", "docker.io/library/alpine:3"},
		{"registry-1.docker.io/a/b", "registry-1.docker.io", "a/b", "", "", "docker.io/a/b:latest"},
		{"docker.io/nginx", "docker.io", "nginx", "", "", "docker.io/library/nginx:latest"},
		{"ghcr.io/a/b_c/d__e/f-g/h--i.j:T_1.x-y", "ghcr.io", "a/b_c/d__e/f-g/h--i.j", "T_1.x-y", "", "ghcr.io/a/b_c/d__e/f-g/h--i.j:T_1.x-y"},
		{"GHCR.IO/a/b", "GHCR.IO", "a/b", "", "", "ghcr.io/a/b:latest"},
		{"n@sha256:" + hex, "", "n", "", "sha256:" + hex, "docker.io/library/n@sha256:" + hex},
		{"n:1@sha256:" + hex, "", "n", "1", "sha256:" + hex, "docker.io/library/n:1@sha256:" + hex},
		{"h:1/n:1@sha512:" + hex + hex, "h:1", "n", "1", "sha512:" + hex + hex, "h:1/n:1@sha512:" + hex + hex},
	}
	for _, tt := range tests {
		r, err := image.Parse(tt.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.in, err)
			continue
		}
		want := image.Reference{Registry: tt.registry, Repository: tt.repository, Tag: tt.tag, Digest: tt.digest}
		if r != want {
			t.Errorf("Parse(%q) = %+v, want %+v", tt.in, r, want)
		}
		if r.String() != tt.in {
			t.Errorf("Parse(%q).String() = %q", tt.in, r)
		}
		if got := r.Canonical(); got != tt.canonical {
			t.Errorf("Parse(%q).Canonical() = %q, want %q", tt.in, got, tt.canonical)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		in, message string
		offset      int
	}{
		{"", "empty", 0},
		{"mysql@8.0.44", "not a digest", 6},
		{"n@sha256:abc123", "64 hex digits", 2},
		{"n@sha256:" + strings.ToUpper(hex), "lower-case", 2},
		{"n@md5:" + hex, "not a digest algorithm", 2},
		{"n@", "not a digest", 2},
		{"n:", "nothing after", 2},
		{"n:-x", "in the tag", 2},
		{"n:" + strings.Repeat("x", 129), "128 bytes", 2},
		{"Nginx", "upper case", 0},
		{"ghcr.io/Owner/x", "upper case", 8},
		{"docker://nginx:1", "not a registry host", 7},
		{"-x", "misplaced", 0},
		{"a..b/x", "not a registry host", 2},
		{"a//b", "empty part", 2},
		{"a/", "empty part", 2},
		{"a/b c", "in the repository name", 3},
		{"a/é", `"é" in the repository name`, 2},
		{"a:1é", `"é" in the tag`, 3},
		{"a.b:x/y", "not a registry host", 4},
		{"/a", "empty part", 0},
		{strings.Repeat("a", 256), "255 bytes", 0},
	}
	for _, tt := range tests {
		_, err := image.Parse(tt.in)
		s, ok := image.IsSyntax(err)
		if !ok {
			t.Errorf("Parse(%q): error %v, want a syntax error", tt.in, err)
			continue
		}
		if !strings.Contains(s.Message, tt.message) || s.Offset != tt.offset {
			t.Errorf("Parse(%q): %q at %d, want %q at %d", tt.in, s.Message, s.Offset, tt.message, tt.offset)
		}
	}
}

// FuzzParse holds the parser against the one that Docker uses: what that takes
// as a name is taken apart in the same way here, and the reverse.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"nginx", "a/b:c", "h:5000/x:1", "n@sha256:" + hex, "n:1@sha256:" + hex, "A/b", "a__b", "a___b", "a--b", "a._b", "[::1]:1/x", "localhost/x", "x.y/z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ours, err := image.Parse(s)
		theirs, theirErr := reference.ParseNormalizedNamed(s)
		if ours.String() != s && err == nil {
			t.Fatalf("Parse(%q).String() = %q", s, ours)
		}
		if (err == nil) != (theirErr == nil) {
			// 64 hex digits alone are an image ID to Docker, no name.
			if len(s) == 64 || strings.Contains(s, "@") && theirErr == nil {
				t.Skip()
			}
			if err == nil && len(ours.Written()) > 200 {
				t.Skip() // the limit on the length counts the normalised name there
			}
			if ours.Digest != "" || strings.HasPrefix(ours.Registry, "[") {
				t.Skip() // other algorithms; IPv6 literals are checked more loosely here
			}
			t.Fatalf("Parse(%q): %v; Docker's own: %v", s, err, theirErr)
		}
		if err != nil {
			return
		}
		want := theirs.Name()
		if host, rest, ok := strings.Cut(want, "/"); ok {
			want = image.Reference{Registry: host, Repository: rest}.Name()
		}
		if ours.Name() != want {
			t.Errorf("Parse(%q).Name() = %q, Docker's own %q", s, ours.Name(), want)
		}
		if tagged, ok := theirs.(reference.Tagged); ok != (ours.Tag != "") || ok && tagged.Tag() != ours.Tag {
			t.Errorf("Parse(%q).Tag = %q", s, ours.Tag)
		}
		// go-containerregistry asks for two characters, knows sha256 alone, and
		// takes no host by its capitals.
		if ours.Registry != "" && !strings.ContainsAny(ours.Registry, ".:") || len(ours.Repository) < 2 || len(ours.Written()) > 200 || strings.HasPrefix(ours.Registry, "[") || strings.HasPrefix(ours.Digest, "sha") && !strings.HasPrefix(ours.Digest, "sha256") {
			return
		}
		if _, err := name.ParseReference(s, name.WeakValidation); err != nil {
			t.Errorf("go-containerregistry refuses %q: %v", s, err)
		}
	})
}

func TestPlaceholder(t *testing.T) {
	for _, s := range []string{"<IMAGE>", "<your-image>:1", "{{ image }}", "nginx:{{ tag }}", "%%IMAGE%%", "@IMAGE@", "nginx:@TAG@", "REPLACE_ME", "repo/PLACEHOLDER:1", "IMAGE", "MY_IMAGE", "__IMAGE__", "((image))", "<%= image %>"} {
		if !image.Placeholder(s) {
			t.Errorf("Placeholder(%q) = false", s)
		}
	}
	for _, s := range []string{"nginx", "nginx:1.25", "mysql@8.0.44", "Nginx", "ghcr.io/a/b@sha256:" + hex, "replace/me:1", "docker.io/library/x:V1"} {
		if image.Placeholder(s) {
			t.Errorf("Placeholder(%q) = true", s)
		}
	}
}

package main

import (
	"runtime/debug"
	"testing"
)

func TestBuiltFrom(t *testing.T) {
	platform := []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"}}
	commit := append([]debug.BuildSetting{{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.time", Value: "2026-11-24T02:19:18Z"}}, platform...)
	for _, c := range []struct {
		name     string
		settings []debug.BuildSetting
		want     string
	}{
		{"a module", platform, "built with go1.26.8, linux/arm64"},
		{"a commit", append(commit, debug.BuildSetting{Key: "vcs.modified", Value: "false"}),
			"built from commit 0123abcd of 2026-11-24T02:19:18Z with go1.26.8, linux/arm64"},
		{"more than a commit", append(commit, debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
			"built from commit 0123abcd, changed, of 2026-11-24T02:19:18Z with go1.26.8, linux/arm64"},
	} {
		if got := builtFrom(&debug.BuildInfo{GoVersion: "go1.26.8", Settings: c.settings}); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

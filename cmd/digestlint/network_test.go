package main

import (
	"bytes"
	"encoding/pem"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/config"
)

// flagged is a network whose flags are args, and the configuration text.
func flagged(t *testing.T, text string, args ...string) (*network, *config.Config) {
	t.Helper()
	var n network
	cmd := &cobra.Command{RunE: func(*cobra.Command, []string) error { return nil }, SilenceUsage: true, SilenceErrors: true}
	n.flags(cmd)
	cmd.SetArgs(append([]string{}, args...))
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(filepath.Join(t.TempDir(), config.Name), []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &n, c
}

// TestNetworkPrecedence: flags stand over variables, variables over the file,
// the file over what the command has.
func TestNetworkPrecedence(t *testing.T) {
	const file = "online: {timeout: 1m, cache: 2m, allowed: [file.example]}"
	env := map[string]string{timeoutVariable: "3d", noCacheVariable: "true", allowedVariable: "Env.example, *.env.example"}
	public := []string{"public.example"}
	tests := []struct {
		file    string
		env     map[string]string
		args    []string
		timeout time.Duration
		off     bool
		allowed []string
	}{
		{"", nil, nil, 15 * time.Minute, false, public},
		{file, nil, nil, time.Minute, false, []string{"file.example"}},
		{file, env, nil, 72 * time.Hour, true, []string{"env.example", "*.env.example"}},
		{file, env, []string{"--timeout=15m", "--no-cache=false", "--allow-registry=index.docker.io", "--allow-registry=a.example:5000"},
			15 * time.Minute, false, []string{"docker.io", "a.example:5000"}},
		{"online: {cache: off, allowed: []}", nil, nil, 15 * time.Minute, true, []string{}},
		{"online: {cache: off}", map[string]string{noCacheVariable: "0"}, nil, 15 * time.Minute, false, public},
		{"", nil, []string{"--no-cache"}, 15 * time.Minute, true, public},
		{file, map[string]string{timeoutVariable: "", noCacheVariable: "", allowedVariable: " ,"}, nil, time.Minute, false, []string{"file.example"}},
	}
	for _, tt := range tests {
		for _, name := range []string{timeoutVariable, noCacheVariable, allowedVariable} {
			t.Setenv(name, tt.env[name])
		}
		n, settings := flagged(t, tt.file, tt.args...)
		if err := setFlags(n.cmd); err != nil {
			t.Fatal(err)
		}
		if got, err := n.deadline(settings); err != nil || got != tt.timeout {
			t.Errorf("%q %v %q: timeout %v, %v", tt.file, tt.env, tt.args, got, err)
		}
		if got := n.uncached(settings); got != tt.off {
			t.Errorf("%q %v %q: no cache %v", tt.file, tt.env, tt.args, got)
		}
		bound := strings.Trim(tt.env[allowedVariable], " ,") != "" || strings.Contains(strings.Join(tt.args, " "), "--allow-registry")
		if got, b, err := n.hosts(settings, public); err != nil || !reflect.DeepEqual(got, tt.allowed) || b != bound {
			t.Errorf("%q %v %q: allowed %v, bound %v, %v", tt.file, tt.env, tt.args, got, b, err)
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	t.Setenv(cacheVariable, t.TempDir())
	tests := []struct {
		name, value string
		args        []string
		want        string
	}{
		{timeoutVariable, "soon", nil, `DIGESTLINT_TIMEOUT: "soon" is no duration`},
		{timeoutVariable, "0", nil, "above zero"},
		{"", "", []string{"--timeout=0s"}, "above zero"},
		{noCacheVariable, "maybe", nil, `DIGESTLINT_NO_CACHE: "maybe" is neither true nor false`},
		{allowedVariable, "ghcr.io *", nil, `DIGESTLINT_ALLOWED_REGISTRIES: "*" has a "*"`},
		{"", "", []string{"--allow-registry=https://ghcr.io"}, `--allow-registry: "https://ghcr.io" has to stand without the scheme`},
		{"", "", []string{"--allow-registry=me:hunter2@ghcr.io"}, `--allow-registry: "…@ghcr.io" is no registry host`},
		{"", "", []string{"--allow-registry="}, `--allow-registry: "" is no registry host`},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			if tt.name != "" {
				t.Setenv(tt.name, tt.value)
			}
			n, settings := flagged(t, "", tt.args...)
			err := setFlags(n.cmd)
			if err == nil {
				_, err = n.open(settings, nil)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// TestRegistriesFolder: answers are shared by those who ask the same places in
// the same way, and by nobody else.
func TestRegistriesFolder(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"ca.pem": certificate, "same.pem": certificate, "other.pem": append([]byte("# ours\n"), certificate...), "key.pem": []byte("hunter2"), "long.pem": make([]byte, maxCertificates+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	folder := func(text string) (string, error) {
		c, err := config.Parse(filepath.Join(dir, config.Name), []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, name, err := registries(c)
		return name, err
	}
	groups := [][]string{
		{"", "registries: {docker.io: {rate: 1, concurrency: 2}, a.example: {}}"},
		{"registries: {docker.io: {mirrors: [a.example]}, ghcr.io: {rate: 1}}", "registries: {index.docker.io: {mirrors: [A.example], rate: 1}}"},
		{"registries: {docker.io: {mirrors: [b.example]}}"},
		{"registries: {docker.io: {mirrors: [a.example, b.example]}}"},
		{"registries: {ghcr.io: {mirrors: [a.example]}}"},
		{"registries: {docker.io: {mirrors: [a.example]}, ghcr.io: {mirrors: [a.example]}}", "registries: {ghcr.io: {mirrors: [a.example]}, docker.io: {mirrors: [a.example]}}"},
		{"registries: {a.example: {insecure: true}}"},
		{"registries: {a.example: {ca: ca.pem}}", "registries: {a.example: {ca: same.pem}}"},
		{"registries: {a.example: {ca: other.pem}}"},
	}
	seen := map[string]int{}
	for i, group := range groups {
		for _, text := range group {
			name, err := folder(text)
			if err != nil {
				t.Fatal(err)
			}
			if j, ok := seen[name]; ok && j != i {
				t.Errorf("%s shares %q with %s", text, name, groups[j][0])
			} else if !ok && text != group[0] {
				t.Errorf("%s has the folder %q to itself", text, name)
			}
			seen[name] = i
		}
	}
	if seen[""] != 0 {
		t.Error("what most have is not the folder itself")
	}
	for file, want := range map[string]string{"key.pem": "no certificate in it", "long.pem": "more than", "missing.pem": "no such file"} {
		_, err := folder("registries:\n  a.example:\n    ca: " + file + "\n")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), config.Name+":3:9: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

// TestSessionClose: what is wrong with the cache is said, and is no failure.
func TestSessionClose(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(cacheVariable, file) // no folder
	n, settings := flagged(t, "")
	s, err := n.open(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.store.Put("key", "value")
	var stderr bytes.Buffer
	a := &app{stdout: io.Discard, stderr: &stderr}
	s.close(a)
	if got := stderr.String(); !strings.HasPrefix(got, "digestlint: ") || !strings.Contains(got, file) || a.status != exitClean {
		t.Errorf("status %d, %q", a.status, got)
	}
	for _, name := range []string{cacheVariable, "HOME", "XDG_CACHE_HOME", "LocalAppData", "home"} {
		t.Setenv(name, "")
	}
	if s, err = n.open(settings, nil); err != nil {
		t.Fatal(err)
	}
	stderr.Reset()
	s.close(a)
	if got := stderr.String(); !strings.HasPrefix(got, "digestlint: no cache: ") || a.status != exitClean {
		t.Errorf("status %d, %q", a.status, got)
	}
}

func TestDurationFlag(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 30 * time.Second: "30s", 10 * time.Minute: "10m", 15 * time.Minute: "15m", time.Hour: "1h", 10*time.Hour + 30*time.Second: "10h0m30s", 90 * time.Minute: "1h30m",
	} {
		if got := (*duration)(&d).String(); got != want {
			t.Errorf("%v is %q", d, got)
		}
		var back duration
		if err := back.Set(want); err != nil || time.Duration(back) != d {
			t.Errorf("%q is %v, %v", want, back, err)
		}
	}
}

// TestPublicRegistries holds that the table is of hosts, each once, as
// references name them.
func TestPublicRegistries(t *testing.T) {
	seen := map[string]bool{}
	for _, host := range publicRegistries {
		if canonical, err := config.ParsePattern(host); err != nil || canonical != host || seen[host] || strings.Contains(host, ":") {
			t.Errorf("%s: %v", host, err)
		}
		seen[host] = true
	}
}

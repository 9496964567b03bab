//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/digestlint/digestlint/parsers"
)

// These tests read what somebody has made to do harm. The threat model in docs
// names them.

// canary is the image in files that nothing may read: it shows in no output.
const canary = "canary.example/outside"

// secret is a file outside of all trees under test, as if it were /etc/passwd,
// in every format at once. It fails the test if it changes.
func secret(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Dockerfile")
	text := "FROM " + canary + ":1\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if now, err := os.ReadFile(path); err != nil || string(now) != text {
			t.Errorf("the file outside holds %q, %v", now, err)
		}
	})
	return path
}

// commands are those that read a tree and need no network. Each has the digests
// file list.
func commands(list string) [][]string {
	all := [][]string{
		{"refs"},
		{"refs", "--output", "json"},
		{"pin", "--dry-run", "--digests", list},
		{"pin", "--diff", "--digests", list},
		{"exposure", "--repo", "."},
		{"exposure", "--log", "."},
	}
	for _, name := range formatNames() {
		all = append(all, []string{"check", "--output", name})
	}
	return all
}

// controls are what a terminal or the log of a CI job would obey.
func controls(s string) string {
	for line := range strings.Lines(s) {
		if visibleLine(strings.TrimSuffix(line, "\n")) != strings.TrimSuffix(line, "\n") {
			return line
		}
	}
	return ""
}

// hostileNames are file names that write to terminals, pass for other lines of
// output, or are no text at all.
var hostileNames = []string{
	"a\nDockerfile", "\x1b[2J.Dockerfile", "\x1b]0;title\a.Dockerfile", "\xff\xfe.Dockerfile", "\u202egnp.Dockerfile", "-rf.Dockerfile",
	"::error::x.Dockerfile", "##[group]x.Dockerfile", "##vso[task.setvariable variable=x]y.Dockerfile", "$(touch ran).Dockerfile", "`touch ran`.Dockerfile",
	"'; touch ran; '.Dockerfile", "\"><script>.Dockerfile", "a\r\nb.Dockerfile", " .Dockerfile", "%0a::error::x.Dockerfile", "]]>.Dockerfile",
}

// TestHostileTree reads a tree of special files, links and names by every
// command and in every format: each ends, reads nothing outside of it, and
// prints nothing that a terminal or a log would obey.
func TestHostileTree(t *testing.T) {
	outside := secret(t)
	dir, list, _, _ := pinTree(t, 1)
	for _, name := range hostileNames {
		write(t, dir, map[string]string{name: "FROM alpine:3\nFROM a\x1b[31mb:1\n# ::error::x\nFROM x@sha256:##[error]\u202e\n"})
	}
	for link, target := range map[string]string{
		"loop": "loop", "a-loop": "b-loop", "b-loop": "a-loop", "above": "..", "here": ".", "root": "/",
		"Dockerfile": outside, "folder": filepath.Dir(outside), "compose.yaml": "/dev/zero", "dangling.Dockerfile": "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.Dockerfile"), 0o666); err != nil {
		t.Fatal(err)
	}
	socket := net.ListenConfig{}
	t.Chdir(dir) // the address of a socket must be short
	if l, err := socket.Listen(t.Context(), "unix", "socket.Dockerfile"); err == nil {
		defer l.Close()
	}
	if os.Getuid() == 0 {
		const zero = 1<<8 | 5
		_ = syscall.Mknod(filepath.Join(dir, "device.Dockerfile"), syscall.S_IFCHR|0o666, zero) // containers may not
	}
	for _, repository := range []bool{false, true} {
		if repository {
			gitIn(t, dir, "init", "-q")
			gitIn(t, dir, "add", "-A", "--", ":!fifo.Dockerfile", ":!socket.Dockerfile", ":!device.Dockerfile")
		}
		for _, args := range commands(list) {
			t.Run(fmt.Sprint(repository, args[:len(args)-1], filepath.Base(args[len(args)-1])), func(t *testing.T) {
				run := inProcess(t, dir, args...)
				if strings.Contains(run.stdout+run.stderr, canary) {
					t.Errorf("reads outside of the tree:\n%s%s", run.stdout, run.stderr)
				}
				if line := controls(run.stderr); line != "" {
					t.Errorf("writes %q", line)
				}
				// A patch holds the lines of the files as they are.
				if line := controls(run.stdout); line != "" && !slices.Contains(args, "--diff") && !slices.Contains(args, "github") {
					t.Errorf("prints %q", line)
				}
				if run.peak > 200<<10 {
					t.Errorf("takes %d MB", run.peak>>10)
				}
				if args[0] == "check" && run.status != exitFindings {
					t.Errorf("status %d: %s", run.status, run.stderr)
				}
			})
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "ran")); err == nil {
		t.Error("a name was run")
	}
}

// TestHostileSizes reads files of a gigabyte that take no place on the disk.
func TestHostileSizes(t *testing.T) {
	dir, list, _, _ := pinTree(t, 1)
	for _, name := range []string{"Dockerfile", "compose.yaml"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(1 << 30); err != nil {
			t.Skip(err)
		}
		f.Close()
	}
	for _, args := range [][]string{{"check"}, {"refs"}, {"pin", "--digests", list}, {"exposure", "--repo", "."}, {"exposure", "--log", "."}, {"exposure", "--images", "Dockerfile"}, {"exposure", "--pods", "Dockerfile"}} {
		if run := inProcess(t, dir, args...); run.peak > 400<<10 {
			t.Errorf("%q takes %d MB", args, run.peak>>10)
		}
	}
}

// bombs are documents that stand for more than a machine holds, or that are
// nested deeper than a stack is.
func bombs() map[string]string {
	const leaf = "{image: 'alpine:3', run: docker pull alpine:3, script: docker pull alpine:3, steps: [{image: alpine}]}"
	grow := func(item func(before string) string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "a0: &a0 %s\n", leaf)
		for i := 1; i < 30; i++ {
			fmt.Fprintf(&b, "a%d: &a%d %s\n", i, i, item(fmt.Sprintf("*a%d", i-1)))
		}
		for _, key := range strings.Fields("apiVersion kind services jobs steps image spec containers tasks stages pipelines pipeline script on resources include variables default") {
			fmt.Fprintf(&b, "%s: *a29\n", key)
		}
		return b.String()
	}
	nine := func(what string) string { return strings.TrimSuffix(strings.Repeat(what+", ", 9), ", ") }
	var references strings.Builder
	for i := range 40 {
		fmt.Fprintf(&references, ".e%d: {extends: [.e%d, .e%d], script: [!reference [.e%d, script], !reference [.e%d, script], docker pull alpine:$V%d]}\n", i+1, i, i, i, i, i)
		fmt.Fprintf(&references, "V%d: $V%d$V%d$V%d\n", i+1, i, i, i)
	}
	var spaces strings.Builder
	for i := range 5000 { // with 10,000 it would be too large to be parsed
		spaces.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return map[string]string{
		"lists":   grow(func(a string) string { return "[" + nine(a) + "]" }),
		"maps":    grow(func(a string) string { return "{b: {<<: [" + nine(a) + "]}, c: " + a + ", d: " + a + "}" }),
		"merges":  grow(func(a string) string { return "{<<: [" + nine(a) + "], image: alpine:3}" }),
		"cycle":   "services: &s {web: {image: alpine:3, <<: *s}, x: *s, y: *s}\nsteps: &t [*t, *t, {image: alpine:3}]\njobs: &j {a: *j, b: *j}\n",
		"extends": references.String(),
		"flow":    "image: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "\n",
		"braces":  strings.Repeat("{image: ", 10_000) + "alpine" + strings.Repeat("}", 10_000) + "\n",
		"dashes":  "image:\n  " + strings.Repeat("- ", 10_000) + "alpine:3\n",
		"blocks":  spaces.String(),
	}
}

// TestHostileYAML reads alias bombs and deep documents as every format that
// there is: in one run, each within the time and the memory of an honest file.
func TestHostileYAML(t *testing.T) {
	dir, list, _, _ := pinTree(t, 1)
	settings := "formats:\n"
	for _, f := range parsers.Formats() {
		settings += fmt.Sprintf("  '%s/**': %s\n", f.Name, f.Name)
		for name, text := range bombs() {
			if name == "blocks" && f != parsers.Lookup("compose") {
				continue // it is large, and the same to all
			}
			write(t, dir, map[string]string{f.Name + "/" + name + ".yaml": text})
		}
	}
	write(t, dir, map[string]string{configuration: settings})
	for _, args := range [][]string{{"check"}, {"pin", "--dry-run", "--digests", list}, {"exposure", "--repo", "."}} {
		run := inProcess(t, dir, args...)
		if run.peak > 1<<20 {
			t.Errorf("%q takes %d MB", args, run.peak>>10)
		}
		if strings.Contains(run.stderr, "report it") {
			t.Errorf("%q: a parser broke:\n%.1000s", args, run.stderr)
		}
	}
	for name, text := range bombs() {
		path := filepath.Join(dir, "pods-"+name)
		write(t, dir, map[string]string{"pods-" + name: text})
		for _, flag := range []string{"--pods", "--images", "--log"} {
			if run := inProcess(t, dir, "exposure", flag, path); run.peak > 400<<10 {
				t.Errorf("%s %s takes %d MB", flag, name, run.peak>>10)
			}
		}
	}
}

// configuration is the name of the configuration.
const configuration = ".digestlint.yaml"

// findings is how many TestManyFindings makes: $DIGESTLINT_FINDINGS, or some.
func manyFindings() int {
	if n, err := strconv.Atoi(os.Getenv("DIGESTLINT_FINDINGS")); err == nil {
		return n
	}
	return 50_000
}

// TestManyFindings holds that a run with very many findings takes memory by
// their number alone.
func TestManyFindings(t *testing.T) {
	dir, n := t.TempDir(), manyFindings()
	for i := range n/1000 + 1 {
		write(t, dir, map[string]string{fmt.Sprintf("%d.Dockerfile", i): strings.Repeat("FROM alpine:3\n", min(1000, n-1000*i))})
	}
	run := inProcess(t, dir, "check", "--output", "json")
	var out struct{ Findings []json.RawMessage }
	if err := json.Unmarshal([]byte(run.stdout), &out); err != nil || len(out.Findings) != n {
		t.Errorf("%d findings, %v", len(out.Findings), err)
	}
	t.Logf("%d findings take %d MB", n, run.peak>>10)
	if limit := int64(128<<10 + 4*n); run.peak > limit {
		t.Errorf("%d findings take %d kB, more than %d", n, run.peak, limit)
	}
}

// gitIn runs git in dir, with nothing of the machine's configuration.
func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := gitCommand(t.Context(), dir, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func gitCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgSign=false"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	return cmd
}

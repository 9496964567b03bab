package exposure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/source"
)

// notes are those of the one source of a report.
func notes(t *testing.T, rep *Report) string {
	t.Helper()
	if len(rep.Sources) != 1 {
		t.Fatalf("%d sources", len(rep.Sources))
	}
	return strings.Join(rep.Sources[0].Notes, "\n")
}

// wantNotes checks that each text is in the notes of a report.
func wantNotes(t *testing.T, rep *Report, want ...string) {
	t.Helper()
	all := notes(t, rep)
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("%q is not in the notes:\n%s", w, all)
		}
	}
}

// one is the only trace of a report.
func one(t *testing.T, rep *Report) Trace {
	t.Helper()
	if len(rep.Traces) != 1 {
		t.Fatalf("%d traces: %+v", len(rep.Traces), rep.Traces)
	}
	return rep.Traces[0]
}

func TestEventOfHistory(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", "a", "a\n")
	brought := r.commit("09:30", workflow, job("acme/app:moved"))
	r.commit("09:40", workflow, "name: later\n"+job("acme/app:moved"))
	gone := r.commit("11:00", workflow, job("acme/app:other"))
	rep := read(t, inventedSet(t), r.dir, false)
	got := one(t, rep)
	want := Place{Path: workflow, Line: 4, Branch: "main", Commit: brought, Gone: gone}
	if got.Place != want || got.Text != "container: acme/app:moved" || !got.From.Equal(at(t, "09:30")) || !got.Until.Equal(at(t, "11:00")) {
		t.Errorf("got %+v %q, %s to %s", got.Place, got.Text, got.From, got.Until)
	}
	if got.From.Location() != time.UTC {
		t.Error("the time is not in UTC")
	}
	s := rep.Sources[0]
	if s.Kind != "repository" || s.Name != r.dir || s.Items != 4 || s.Unit != "commits" || !s.From.Equal(at(t, "09:00")) || !s.Until.Equal(at(t, "11:00")) {
		t.Errorf("got %+v", s)
	}
}

// TestReaches holds that a use has the credentials of all versions of its job.
func TestReaches(t *testing.T) {
	step := func(secret string) string {
		return strings.Replace(job("acme/app:moved"), "[]", "[{run: a, env: {A: '${{ secrets."+secret+" }}'}}]", 1)
	}
	r := newRepo(t)
	r.commit("09:00", workflow, step("FIRST"))
	r.commit("09:30", workflow, step("SECOND"))
	var got []string
	for _, c := range one(t, read(t, inventedSet(t), r.dir, false)).Reaches {
		got = append(got, c.Name+" "+c.Where)
	}
	if want := []string{"FIRST jobs.scan of " + workflow, "SECOND jobs.scan of " + workflow}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestShallow(t *testing.T) {
	r := newRepo(t)
	r.commit("08:00", workflow, job("acme/app:moved"))
	r.commit("12:20", "a", "a\n")
	r.commit("13:00", "Dockerfile", "FROM acme/app:moved\n")
	clone := gitRepo{t, t.TempDir()}
	clone.git("", "clone", "-q", "--depth=2", "file://"+r.dir, ".")
	rep := read(t, inventedSet(t), clone.dir, true)
	wantNotes(t, rep, "a shallow clone: nothing before 2099-03-01 12:20 UTC")
	// What was there when the clone begins may be older than the window.
	if got := one(t, rep); got.Place.Path != workflow || !got.From.IsZero() {
		t.Errorf("got %+v from %s", got.Place, got.From)
	}
	if from := rep.Sources[0].From; !from.Equal(at(t, "12:20")) {
		t.Errorf("covers from %s", from)
	}
}

func TestPartialClone(t *testing.T) {
	r := newRepo(t)
	r.git("", "config", "uploadpack.allowFilter", "true")
	r.commit("10:10", workflow, job("acme/app:moved"))
	r.commit("10:20", workflow, job("acme/app:other"))
	clone := gitRepo{t, t.TempDir()}
	clone.git("", "clone", "-q", "--filter=blob:none", "file://"+r.dir, ".")
	before := clone.git("", "count-objects", "-v")
	rep := read(t, inventedSet(t), clone.dir, false)
	if len(rep.Errors) != 1 || !strings.HasSuffix(rep.Errors[0].Error(), "1 version of files not here (a partial clone)") {
		t.Errorf("errors are %q", rep.Errors)
	}
	if after := clone.git("", "count-objects", "-v"); after != before {
		t.Errorf("objects were fetched:\n%s\n%s", before, after)
	}
}

// TestPartialVariables reads a use whose variables are here in one commit only.
func TestPartialVariables(t *testing.T) {
	r := newRepo(t)
	r.git("", "config", "uploadpack.allowFilter", "true")
	r.commit("10:10", "compose.yml", "services:\n  a:\n    image: acme/app:${TAG}\n", ".env", "TAG=other\n")
	r.commit("10:20", ".env", "TAG=moved\n")
	clone := gitRepo{t, t.TempDir()}
	clone.git("", "clone", "-q", "--filter=blob:none", "file://"+r.dir, ".")
	rep := read(t, inventedSet(t), clone.dir, false)
	if len(rep.Errors) != 1 || !strings.Contains(rep.Errors[0].Error(), "1 version") {
		t.Errorf("errors are %q", rep.Errors)
	}
	if got := one(t, rep); got.Place.Branch != "main" || !got.From.Equal(at(t, "10:20")) {
		t.Errorf("got %+v from %s", got.Place, got.From)
	}
}

func TestBare(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", workflow, job("acme/app:moved"), "Dockerfile", "ARG TAG\nFROM acme/app:${TAG}\n")
	bare := gitRepo{t, t.TempDir()}
	bare.git("", "clone", "-q", "--bare", "file://"+r.dir, ".")
	bare.want(false, workflow+":4 main acme/app:moved 09:00..")
	rep := read(t, inventedSet(t), bare.dir, false)
	wantNotes(t, rep, "no file decides the tag of an image that advisories speak of: Dockerfile:2")
	if strings.Contains(notes(t, rep), "committed") {
		t.Errorf("a bare repository has no work tree:\n%s", notes(t, rep))
	}
}

func TestSubmodule(t *testing.T) {
	inner := newRepo(t)
	pin := inner.commit("09:00", "Dockerfile", "FROM acme/app:moved\n")
	r := newRepo(t)
	r.git("", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "file://"+inner.dir, "libs/inner")
	r.commit("09:30")
	rep := read(t, inventedSet(t), r.dir, false)
	wantNotes(t, rep, "the submodule libs/inner, pinned to "+pin[:12]+", was not looked at")
	if len(rep.Traces) > 0 {
		t.Errorf("the submodule was entered: %+v", rep.Traces)
	}
}

func TestNotes(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", "compose.yml", "services:\n  a:\n    image: acme/app:${TAG}\n", "README.md", "one\n"+listed+"\n", workflow, job("acme/app:moved"))
	r.git("", "branch", "next")
	r.git("", "replace", r.git("", "rev-parse", "HEAD"), r.git("", "commit-tree", "-m", "another", "HEAD^{tree}"))
	r.write(workflow, job("acme/app:other"))
	wantNotes(t, read(t, inventedSet(t), r.dir, false),
		"no file decides the tag of an image that advisories speak of: compose.yml:3",
		"mention listed digests, which is no use: README.md:2",
		"only the history of main: other branches and tags (1) are read with --all",
		"objects are replaced or grafted here",
		"uncommitted: 1 use of the last commit no longer in the work tree")
	r.write("new/"+workflow, job("acme/app:moved"))
	wantNotes(t, read(t, inventedSet(t), r.dir, true), "uncommitted: 1 use in the work tree only")
}

func TestNoCommits(t *testing.T) {
	r := newRepo(t)
	r.write("Dockerfile", "FROM acme/app:moved\n")
	rep := read(t, inventedSet(t), r.dir, true)
	wantNotes(t, rep, "no commits", "1 use in the work tree only")
	if got := one(t, rep); got.Place.Branch != "main, not committed" {
		t.Errorf("got %+v", got.Place)
	}
}

func TestReplacedHistory(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", workflow, job("acme/app:moved"))
	bad := r.commit("11:00", workflow, job("acme/app:other"))
	clean := r.git("", "commit-tree", "-m", "another past", bad+"^{tree}")
	r.git("", "replace", bad, clean)
	r.want(false, workflow+":4 main acme/app:moved 09:00..11:00")
}

func TestFolderOfRepository(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", "Dockerfile", "FROM acme/app:moved\n", "sub/compose.yml", "services:\n  a:\n    image: acme/app:${TAG}\n", "sub/.env", "TAG=moved\n")
	r.write("sub/Dockerfile", "FROM acme/app:moved\n")
	sub := gitRepo{t, filepath.Join(r.dir, "sub")}
	sub.want(false, "compose.yml:3 main acme/app:moved 09:00..", "Dockerfile:1 main, not committed acme/app:moved ..")
}

func TestNoRepository(t *testing.T) {
	// No repository above the temporary folder is to be found.
	t.Setenv("GIT_CEILING_DIRECTORIES", os.TempDir())
	r := gitRepo{t, t.TempDir()}
	r.write("a/Dockerfile", "FROM acme/app:moved\n")
	r.write("a/.git/config", "[core]\n")
	rep := read(t, inventedSet(t), r.dir, false)
	wantNotes(t, rep, "no git history")
	if got := one(t, rep); got.Place != (Place{Path: "a/Dockerfile", Line: 1}) || !got.From.IsZero() {
		t.Errorf("got %+v", got.Place)
	}
	if s := rep.Sources[0]; s.Items != 1 || s.Unit != "files" || len(rep.Errors) > 0 {
		t.Errorf("got %+v, errors %q", s, rep.Errors)
	}
	err := ReadRepository(context.Background(), filepath.Join(r.dir, "none"), false, NewRecorder(inventedSet(t)))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestIgnoredFolder reads a folder that a repository around it ignores.
func TestIgnoredFolder(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", ".gitignore", "out/\n")
	r.write("out/Dockerfile", "FROM acme/app:moved\n")
	rep := read(t, inventedSet(t), filepath.Join(r.dir, "out"), false)
	wantNotes(t, rep, "no git history")
	one(t, rep)
}

func TestBrokenRepository(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", workflow, job("acme/app:moved"))
	blob := r.git("", "rev-parse", "HEAD:"+workflow)
	if err := os.Remove(filepath.Join(r.dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	rep := read(t, inventedSet(t), r.dir, false)
	if len(rep.Errors) != 1 || !strings.HasSuffix(rep.Errors[0].Error(), "1 version of files not here") {
		t.Errorf("a blob that is not there: %q", rep.Errors)
	}
	one(t, rep) // in the work tree
	tree := r.git("", "rev-parse", "HEAD^{tree}")
	if err := os.Remove(filepath.Join(r.dir, ".git", "objects", tree[:2], tree[2:])); err != nil {
		t.Fatal(err)
	}
	rep = read(t, inventedSet(t), r.dir, false)
	if len(rep.Errors) == 0 || !strings.Contains(rep.Errors[0].Error(), "git") {
		t.Errorf("a tree that is not there: %q", rep.Errors)
	}
	if got := one(t, rep); got.Place.Branch != "" {
		t.Errorf("without a history, nobody knows what is not committed: %+v", got.Place)
	}
	if err := os.WriteFile(filepath.Join(r.dir, ".git", "config"), []byte("[broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	rep = read(t, inventedSet(t), r.dir, false)
	if len(rep.Errors) != 1 || !strings.Contains(rep.Errors[0].Error(), "bad config") {
		t.Errorf("a broken configuration: %q", rep.Errors)
	}
	one(t, rep)
}

// TestLimited holds that git's complaints are cut, as os/exec copies them.
func TestLimited(t *testing.T) {
	var l limited
	n, err := io.Copy(&l, strings.NewReader(strings.Repeat("x", 3*maxStderr)))
	if n != 3*maxStderr || err != nil || l.kept.Len() != maxStderr {
		t.Errorf("kept %d of %d bytes: %v", l.kept.Len(), n, err)
	}
}

func TestCanceled(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", workflow, job("acme/app:moved"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := ReadRepository(ctx, r.dir, true, NewRecorder(inventedSet(t))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestNothingRuns reads a repository whose configuration names a program
// wherever git knows a place for one, after seeing that git would run it.
func TestNothingRuns(t *testing.T) {
	r := newRepo(t)
	r.commit("09:00", workflow, job("acme/app:moved"), ".gitattributes", "* filter=x diff=x merge=x\n")
	marker := filepath.Join(t.TempDir(), "ran")
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$0 $*\" >>'"+marker+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	hooks := t.TempDir()
	for _, hook := range []string{"post-index-change", "fsmonitor-watchman", "pre-auto-gc", "reference-transaction"} {
		if err := os.Symlink(program, filepath.Join(hooks, hook)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{
		"core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.alternateRefsCommand", "core.askPass", "diff.external",
		"diff.x.command", "diff.x.textconv", "filter.x.clean", "filter.x.smudge", "filter.x.process", "merge.x.driver", "gpg.program",
		"uploadpack.packObjectsHook", "credential.helper", "pager.log", "interactive.diffFilter",
	} {
		r.git("", "config", key, program)
	}
	r.git("", "config", "core.hooksPath", hooks)
	r.git("", "config", "remote.origin.url", "ext::"+program)
	r.git("", "config", "remote.origin.promisor", "true")
	r.git("", "config", "core.repositoryFormatVersion", "1")
	r.git("", "config", "extensions.partialClone", "origin")
	r.write(workflow, job("acme/app:other"))
	_ = r.command("", "status").Run() // the programs do not answer as they should
	if err := os.Remove(marker); err != nil {
		t.Fatalf("git itself runs nothing here: %v", err)
	}
	blob := r.git("", "rev-parse", "HEAD:.gitattributes")
	if err := os.Remove(filepath.Join(r.dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(marker)
	rep := read(t, inventedSet(t), r.dir, true)
	one(t, rep)
	if ran, err := os.ReadFile(marker); err == nil {
		t.Errorf("ran:\n%s", ran)
	}
}

// TestForeignEnvironment reads a repository from within a hook of another.
func TestForeignEnvironment(t *testing.T) {
	other := newRepo(t)
	other.commit("09:00", "a", "a\n")
	r := newRepo(t)
	r.commit("09:00", workflow, job("acme/app:moved"))
	t.Setenv("GIT_DIR", filepath.Join(other.dir, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other.dir, ".git", "index"))
	t.Setenv("GIT_NAMESPACE", "x")
	r.want(false, workflow+":4 main acme/app:moved 09:00..")
}

// TestLinks holds that links in the work tree lead nowhere.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "Dockerfile"), []byte("FROM acme/app:moved\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := newRepo(t)
	for name, to := range map[string]string{"Dockerfile": filepath.Join(outside, "Dockerfile"), "folder": outside} {
		if err := os.Symlink(to, filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.commit("09:00", "a", "a\n")
	r.want(true)
}

func TestSHA256(t *testing.T) {
	r := gitRepo{t, t.TempDir()}
	r.git("", "init", "-q", "-b", "main", "--object-format=sha256")
	r.commit("09:00", workflow, job("acme/app:moved"))
	r.commit("11:00", workflow, job("acme/app:other"))
	r.want(false, workflow+":4 main acme/app:moved 09:00..11:00")
}

func TestNamed(t *testing.T) {
	s := newSubjects(inventedSet(t))
	for _, name := range []string{"docker.io/library/debian", "registry.example/a/tool", "docker.io/bad/*", "ghrc.example/*"} {
		s.add(name)
	}
	for text, want := range map[string]bool{
		"image: acme/app:moved":               true,
		"org: acme\nimage: ${ORG}/app":        true,
		"acme and others":                     false,
		"FROM mirror.example/library/debian:": true,
		"debia":                               false,
		"tool a":                              false,
		"registry.example tool":               true, // "a" is too short to look for
		"bad/x":                               true,
		"ghrc.example/x":                      true,
		"":                                    false,
	} {
		if got := s.named([]byte(text)); got != want {
			t.Errorf("named(%q) is %v", text, got)
		}
	}
	s.add("docker.io/library/go")
	if !s.named(nil) {
		t.Error("a name without a word must be looked for everywhere")
	}
}

func TestIsProseIsComment(t *testing.T) {
	for name, want := range map[string]bool{
		"docs/a.MD": true, "CHANGELOG": true, "a.csv": true, "Dockerfile": false, "a.yaml": false, "readme/Makefile": false,
	} {
		if got := isProse(name); got != want {
			t.Errorf("isProse(%q) is %v", name, got)
		}
	}
	for _, test := range []struct {
		before, mark string
		want         bool
	}{
		{"  # ", "", true}, {"// was ", "", true}, {"x: y # ", "#", true}, {"x: y#", "#", false}, {"x = \"", "#", false}, {"\t* ", "", true},
	} {
		if got := isComment([]byte(test.before), test.mark); got != test.want {
			t.Errorf("isComment(%q, %q) is %v", test.before, test.mark, got)
		}
	}
}

// TestBinary holds that a digest in a program, or beyond a NUL, is no naming.
func TestBinary(t *testing.T) {
	s := newSubjects(inventedSet(t))
	if r := s.read(&source.File{Path: "a.bin", Data: []byte("\x7fELF\x00" + listed)}, nil); len(r.namings) > 0 {
		t.Errorf("got %+v", r.namings)
	}
	if r := s.read(&source.File{Path: "a.json", Data: fmt.Appendf(nil, "{%q: 1}", listed)}, nil); len(r.namings) != 1 {
		t.Errorf("got %+v", r.namings)
	}
}

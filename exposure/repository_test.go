package exposure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/source"
)

// gitRepo is a repository made by a test, far from the configuration of whoever
// runs it.
type gitRepo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) gitRepo {
	t.Helper()
	r := gitRepo{t, t.TempDir()}
	r.git("", "init", "-q", "-b", "main")
	return r
}

// command is git at a time of the day of the incident.
func (r gitRepo) command(clock string, args ...string) *exec.Cmd {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	date := at(r.t, "09:00")
	if clock != "" {
		date = at(r.t, clock)
	}
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@acme.example", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@acme.example",
		"GIT_AUTHOR_DATE=@1 +0000", fmt.Sprintf("GIT_COMMITTER_DATE=@%d +0000", date.Unix()))
	return cmd
}

// git runs a command, and is what it prints.
func (r gitRepo) git(clock string, args ...string) string {
	r.t.Helper()
	cmd := r.command(clock, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// write makes a file; an empty one goes.
func (r gitRepo) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	if content == "" {
		if err := os.Remove(path); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit writes files, given as names and contents, commits all, and is the ID.
func (r gitRepo) commit(clock string, files ...string) string {
	r.t.Helper()
	for i := 0; i < len(files); i += 2 {
		r.write(files[i], files[i+1])
	}
	r.git(clock, "add", "-A")
	r.git(clock, "commit", "-q", "--allow-empty", "-m", "a commit")
	return r.git("", "rev-parse", "HEAD")
}

func read(t *testing.T, set *advisories.Set, dir string, all bool) *Report {
	t.Helper()
	rec := NewRecorder(set)
	if err := ReadRepository(context.Background(), dir, all, rec); err != nil {
		t.Fatal(err)
	}
	return rec.Report(time.Time{})
}

// traces are the traces of a report, a line each, sorted: place, what, time.
func (r gitRepo) traces(all bool) []string {
	r.t.Helper()
	rep := read(r.t, inventedSet(r.t), r.dir, all)
	for _, err := range rep.Errors {
		r.t.Error(err)
	}
	var lines []string
	for _, t := range rep.Traces {
		if t.Kind != Named || t.Evidence != r.dir || t.Verdict != Possible {
			r.t.Errorf("a trace of another kind: %+v", t)
		}
		lines = append(lines, fmt.Sprintf("%s:%d %s %s %s..%s", t.Place.Path, t.Place.Line, t.Place.Branch, t.Name(), clock(t.From), clock(t.Until)))
	}
	slices.Sort(lines)
	return lines
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("15:04")
}

func (r gitRepo) want(all bool, want ...string) {
	r.t.Helper()
	slices.Sort(want)
	if got := r.traces(all); !slices.Equal(got, want) {
		r.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// job is a workflow that uses an image in its third line from the end.
func job(image string) string {
	return "on: push\njobs:\n  scan:\n    container: " + image + "\n    steps: []\n"
}

const workflow = ".github/workflows/ci.yml"

func TestHistory(t *testing.T) {
	const there, moved, safe = workflow, "acme/app:moved", "acme/app:other"
	tests := []struct {
		name string
		make func(r gitRepo)
		all  bool
		want []string
	}{
		{"no commits", func(r gitRepo) {}, false, nil},
		{"named and still there", func(r gitRepo) {
			r.commit("09:00", "README.md", "acme/app:moved was bad\n")
			r.commit("09:30", there, job(moved))
			r.commit("13:00", "b", "b\n")
		}, false, []string{there + ":4 main acme/app:moved 09:30.."}},
		{"named by the first commit", func(r gitRepo) {
			r.commit("09:30", there, job(moved))
		}, false, []string{there + ":4 main acme/app:moved 09:30.."}},
		{"gone before the window", func(r gitRepo) {
			r.commit("09:00", there, job(moved))
			r.commit("09:30", there, job(safe))
		}, false, nil},
		{"named after the window", func(r gitRepo) {
			r.commit("09:00", there, job(safe))
			r.commit("12:30", there, job(moved))
		}, false, nil},
		{"gone within the window", func(r gitRepo) {
			r.commit("09:00", there, job(moved))
			r.commit("11:00", there, job(safe))
		}, false, []string{there + ":4 main acme/app:moved 09:00..11:00"}},
		{"the file goes", func(r gitRepo) {
			r.commit("09:00", there, job(moved))
			r.commit("11:00", there, "")
			r.commit("11:30", "b", "b\n")
		}, false, []string{there + ":4 main acme/app:moved 09:00..11:00"}},
		{"comes, goes, comes back", func(r gitRepo) {
			r.commit("10:10", there, job(moved))
			r.commit("10:20", there, job(safe))
			r.commit("10:30", there, job(moved))
			r.commit("10:40", there, job(safe))
		}, false, []string{there + ":4 main acme/app:moved 10:10..10:20", there + ":4 main acme/app:moved 10:30..10:40"}},
		{"moves to another line", func(r gitRepo) {
			r.commit("10:10", there, job(moved))
			r.commit("10:20", there, "# a line more\n"+job(moved))
		}, false, []string{there + ":5 main acme/app:moved 10:10.."}},
		{"one is added to another", func(r gitRepo) {
			r.commit("10:10", there, job(moved))
			r.commit("10:20", there, job(moved)+"  b:\n    container: "+moved+"\n")
		}, false, []string{there + ":4 main acme/app:moved 10:10..", there + ":7 main acme/app:moved 10:20.."}},
		{"pinned to a good digest", func(r gitRepo) {
			r.commit("10:10", there, job(moved))
			r.commit("10:20", there, job(moved+"@"+other))
		}, false, []string{there + ":4 main acme/app:moved 10:10..10:20"}},
		{"a listed digest, at any time", func(r gitRepo) {
			r.commit("13:10", there, job("acme/app@"+listed))
		}, false, []string{there + ":4 main acme/app@" + listed + " 13:10.."}},
		{"a listed digest in a file of no known format", func(r gitRepo) {
			r.commit("13:10", "pins.bzl", "x = 1\nDIGEST = \""+listed+"\"\n")
			r.commit("13:20", "pins.bzl", "x = 1\n")
		}, false, []string{"pins.bzl:2 main " + listed + " 13:10..13:20"}},
		{"a listed digest in prose and comments", func(r gitRepo) {
			r.commit("13:10", "docs/incident.md", "It was "+listed+".\n", there, "# was "+listed+"\n"+job(safe), "x.py", "# not "+listed+"\n")
		}, false, nil},
		{"renamed", func(r gitRepo) {
			r.commit("10:10", "a.Dockerfile", "FROM "+moved+"\n")
			r.git("", "mv", "a.Dockerfile", "b.Dockerfile")
			r.commit("10:20")
		}, false, []string{"a.Dockerfile:1 main acme/app:moved 10:10..10:20", "b.Dockerfile:1 main acme/app:moved 10:20.."}},
		{"becomes a link", func(r gitRepo) {
			r.commit("10:10", "Dockerfile", "FROM "+moved+"\n")
			r.write("Dockerfile", "")
			if err := os.Symlink("/etc/passwd", filepath.Join(r.dir, "Dockerfile")); err != nil {
				t.Fatal(err)
			}
			r.commit("10:20")
		}, false, []string{"Dockerfile:1 main acme/app:moved 10:10..10:20"}},
		{"odd names", func(r gitRepo) {
			r.commit("09:00", "a", "a\n")
			r.git("", "checkout", "-q", "-b", "fix/%s-'\"$(x)-é")
			r.commit("10:10", "a b\té\n/Dockerfile", "FROM "+moved+"\n")
		}, false, []string{"a b\té\n/Dockerfile:1 fix/%s-'\"$(x)-é acme/app:moved 10:10.."}},
		{"only another branch", func(r gitRepo) {
			r.commit("09:00", "a", "a\n")
			r.git("", "checkout", "-q", "-b", "next")
			r.commit("10:10", there, job(moved))
			r.git("", "checkout", "-q", "main")
		}, false, nil},
		{"all branches", func(r gitRepo) {
			r.commit("09:00", "a", "a\n")
			r.git("", "checkout", "-q", "-b", "next")
			r.commit("10:10", there, job(moved))
			r.git("", "checkout", "-q", "main")
		}, true, []string{there + ":4 next acme/app:moved 10:10.."}},
		{"branches that stay behind", func(r gitRepo) {
			r.commit("09:00", there, job(moved))
			for _, b := range []string{"a", "b", "c", "d"} {
				r.git("", "checkout", "-q", "-b", b, "main")
				r.commit("09:10", b, b)
			}
			r.git("", "checkout", "-q", "main")
			r.commit("10:30", there, job(safe))
		}, true, []string{there + ":4 main acme/app:moved 09:00..10:30", there + ":4 a, b, c and 1 more acme/app:moved 09:00.."}},
		{"a tag keeps it", func(r gitRepo) {
			r.commit("09:00", there, job(moved))
			r.git("", "tag", "-a", "-m", "1", "v1")
			r.commit("09:30", there, job(safe))
		}, true, nil},
		{"pull requests that a host keeps", func(r gitRepo) {
			r.commit("09:00", "a", "a\n")
			r.git("", "checkout", "-q", "--detach")
			r.commit("09:20", there, job(moved))
			r.git("", "update-ref", "refs/pull/1/head", "HEAD")
			r.git("", "checkout", "-q", "main")
			r.git("09:40", "merge", "-q", "--no-ff", "-m", "merge", "refs/pull/1/head")
			r.commit("09:50", there, job(safe))
			r.git("", "checkout", "-q", "--detach")
			r.commit("09:55", "Dockerfile", "FROM "+moved+"\n")
			r.git("", "update-ref", "refs/pull/2/head", "HEAD")
			r.git("", "checkout", "-q", "main")
		}, true, []string{"Dockerfile:1 pull/2/head acme/app:moved 09:55.."}},
		{"only a tag has it", func(r gitRepo) {
			r.commit("09:00", "a", "a\n")
			r.git("", "checkout", "-q", "--detach")
			r.commit("09:20", there, job(moved))
			r.git("", "tag", "v1")
			r.git("", "checkout", "-q", "main")
		}, true, []string{there + ":4 v1 acme/app:moved 09:20.."}},
		{"merged", func(r gitRepo) {
			r.commit("09:00", "a", "a\n")
			r.git("", "checkout", "-q", "-b", "next")
			r.commit("09:30", there, job(moved))
			r.git("", "checkout", "-q", "main")
			r.commit("09:40", "b", "b\n")
			r.git("11:00", "merge", "-q", "--no-ff", "-m", "merge", "next")
			r.git("", "branch", "-q", "-D", "next")
			r.commit("11:30", there, job(safe))
		}, false, []string{there + ":4 main acme/app:moved 11:00..11:30", there + ":4 merged by MERGE acme/app:moved 09:30..11:00"}},
		{"the other parent of a merge", func(r gitRepo) { // as "git pull" makes it
			r.commit("09:00", "a", "a\n")
			r.git("", "checkout", "-q", "-b", "mine")
			r.commit("09:30", "b", "b\n")
			r.git("", "checkout", "-q", "main")
			r.commit("10:10", there, job(moved))
			r.commit("10:50", there, job(safe))
			r.git("", "checkout", "-q", "mine")
			r.git("11:00", "merge", "-q", "--no-ff", "-m", "merge", "main")
			r.git("", "checkout", "-q", "-B", "main")
			r.git("", "branch", "-q", "-D", "mine")
		}, false, []string{there + ":4 merged by MERGE acme/app:moved 10:10..10:50"}},
		{"a merge that takes it away", func(r gitRepo) {
			r.commit("09:30", there, job(moved))
			r.git("", "checkout", "-q", "-b", "next")
			r.commit("10:30", there, job(safe))
			r.git("", "checkout", "-q", "main")
			r.git("11:00", "merge", "-q", "--no-ff", "-m", "merge", "next")
		}, true, []string{there + ":4 main acme/app:moved 09:30..11:00"}},
		{"clocks differ", func(r gitRepo) {
			r.commit("13:00", there, job(moved))
			r.commit("11:00", there, job(safe))
		}, false, []string{there + ":4 main acme/app:moved 11:00..13:00"}},
		{"a clock that is ahead", func(r gitRepo) {
			r.commit("2100-01-01T11:00:00Z", there, job(moved))
			r.commit("11:00", "b", "b\n")
		}, false, []string{there + ":4 main acme/app:moved 11:00.."}},
		{"uncommitted", func(r gitRepo) {
			r.commit("09:00", there, job(safe))
			r.write(there, job(moved))
			r.write("new/Dockerfile", "FROM acme/app:moved\n")
		}, false, []string{there + ":4 main, not committed acme/app:moved ..", "new/Dockerfile:1 main, not committed acme/app:moved .."}},
		{"a change that is not committed takes it away", func(r gitRepo) {
			r.commit("09:00", there, job(moved))
			r.write(there, job(safe))
		}, false, []string{there + ":4 main acme/app:moved 09:00.."}},
		{"detached", func(r gitRepo) {
			r.commit("09:00", there, job(moved))
			r.git("", "checkout", "-q", "--detach")
		}, false, []string{there + ":4 HEAD acme/app:moved 09:00.."}},
		{"several names of a branch", func(r gitRepo) {
			r.commit("09:00", workflow, job(moved))
			r.git("", "tag", "v1")
			r.git("", "branch", "next")
			r.git("", "update-ref", "refs/remotes/origin/main", "HEAD")
			r.git("", "update-ref", "refs/remotes/origin/HEAD", "HEAD")
		}, true, []string{workflow + ":4 main, next acme/app:moved 09:00.."}},
		{"what the repository builds", func(r gitRepo) {
			r.commit("09:00", "compose.yml", "services:\n  a:\n    image: acme/app:moved\n    build: .\n")
		}, true, nil},
		{"grafts", func(r gitRepo) {
			r.commit("09:00", there, job(moved))
			id := r.commit("11:00", there, job(safe))
			r.write(".git/info/grafts", id+"\n")
		}, false, []string{there + ":4 main acme/app:moved 09:00..11:00"}},
		{"variables in a link", func(r gitRepo) {
			r.commit("09:00", "compose.yml", "services:\n  a:\n    image: acme/app:${TAG}\n")
			if err := os.Symlink("TAG=moved", filepath.Join(r.dir, ".env")); err != nil {
				t.Fatal(err)
			}
			r.commit("10:10")
		}, false, nil},
		{"variables beside it", func(r gitRepo) {
			r.commit("09:00", "compose.yml", "services:\n  a:\n    image: acme/app:${TAG}\n", ".env", "TAG=other\n")
			r.commit("10:10", ".env", "TAG=moved\n")
			r.commit("10:50", ".env", "TAG=other\n")
		}, false, []string{"compose.yml:3 main acme/app:moved 10:10..10:50"}},
		{"a name in a file that is gone", func(r gitRepo) {
			r.commit("10:10", "compose.yml", "services:\n  a:\n    image: ${IMAGE}\n", ".env", "IMAGE=acme/app:moved\n")
			r.commit("10:50", ".env", "", "compose.yml", "services: {}\n")
		}, false, []string{"compose.yml:3 main acme/app:moved 10:10..10:50"}},
		{"an included file", func(r gitRepo) {
			r.commit("10:10", ".gitlab-ci.yml", "include: {local: ci/some/where/vars.yml}\nscan:\n  image: $IMAGE\n  script: [a]\n",
				"ci/some/where/vars.yml", "variables:\n  IMAGE: acme/app:moved\n")
			r.commit("10:50", "ci/some/where/vars.yml", "variables: {}\n")
		}, false, []string{".gitlab-ci.yml:3 main acme/app:moved 10:10..10:50"}},
		{"a name that stands elsewhere", func(r gitRepo) {
			r.commit("10:10", "m/main.tf", "resource \"docker_image\" \"a\" {\n  name = var.image\n}\n",
				"m/variables.tf", "variable \"image\" {\n  default = \"acme/app:moved\"\n}\n")
			r.commit("10:50", "m/variables.tf", "variable \"image\" {}\n")
		}, false, []string{"m/main.tf:2 main acme/app:moved 10:10..10:50"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			test.make(r)
			want := slices.Clone(test.want)
			for i := range want {
				if strings.Contains(want[i], "MERGE") {
					merge := r.git("", "rev-list", "--merges", "-1", "HEAD")
					want[i] = strings.Replace(want[i], "MERGE", short(merge), 1)
				}
			}
			r.want(test.all, want...)
		})
	}
}

// A digest alone in a program is one of a list; behind a name it is an image.
func TestMentionsInCode(t *testing.T) {
	s := newSubjects(inventedSet(t))
	for _, test := range []struct {
		path, text      string
		namings, spoken int
	}{
		{"deny_test.go", "var denied = []string{\n\t\"" + listed + "\",\n}\n", 0, 1},
		{"scan.py", "IMAGE = \"mirror.example/x@" + listed + "\"\n", 1, 0},
		{"unknown.conf", "digest = \"" + listed + "\"\n", 1, 0},
		{"notes.md", listed + "\n", 0, 1},
	} {
		r := s.read(&source.File{Path: test.path, Data: []byte(test.text)}, nil)
		if len(r.namings) != test.namings || len(r.spoken) != test.spoken {
			t.Errorf("%s: %d named and %d spoken of, want %d and %d", test.path, len(r.namings), len(r.spoken), test.namings, test.spoken)
		}
	}
}

// Three digests that no one image has are a list; those of one image are a lock.
func TestMentionsInLists(t *testing.T) {
	const (
		alpine      = "2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d"
		alpineAMD64 = "d186161ae8e33cd7702dd2a6c0337deb14e2b178542d232129c0da64b1af06e4"
		alpineARM64 = "415610a42c5b51347709e315f5efb6fffa588b6ebc1b95b24abf28088347791b"
		debian      = "222e6bfed0f3bb1937bf5e719a2342871ccd683ff1c0cb967c8e31ea58beaf7b"
		latest      = "a0d9366f6f0166dcbf92fcdc98e1a03d2e6210e8d7e8573f74d50849130651a0"
	)
	s := newSubjects(advisories.Embedded())
	for _, test := range []struct {
		digests []string
		list    bool
	}{
		{[]string{alpine}, false},
		{[]string{alpine, alpineAMD64, alpineARM64}, false},
		{[]string{alpine, debian}, false},
		{[]string{alpine, debian, alpine}, false},
		{[]string{alpine, debian, latest}, true},
		{[]string{alpine, alpineAMD64, debian}, true},
	} {
		r := s.read(&source.File{Path: "images.json", Data: []byte("[\"" + strings.Join(test.digests, "\",\n\"") + "\"]\n")}, nil)
		if n := len(test.digests); test.list && len(r.spoken) != n || !test.list && len(r.namings) != n {
			t.Errorf("%v: %d named and %d spoken of", test.digests, len(r.namings), len(r.spoken))
		}
	}
}

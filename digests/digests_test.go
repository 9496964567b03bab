package digests_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/digests"
	"github.com/digestlint/digestlint/image"
)

const (
	one   = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	two   = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	three = "sha256:3333333333333333333333333333333333333333333333333333333333333333"
)

const head = "# digestlint digests: the digest that each tag led to, one line an image, written by \"digestlint resolve\"; " +
	"\"merge=union\" in .gitattributes merges it\n"

// entry is a line of our form.
func entry(ref, digest, resolved, seen string) string {
	return fmt.Sprintf("- {image: %s, digest: %s, resolved: %sT00:00:00Z, first-seen: %sT00:00:00Z}\n", ref, digest, resolved, seen)
}

func ours(entries ...string) string {
	return "version: 1\nimages:\n" + strings.Join(entries, "")
}

func parse(t *testing.T, data string) *digests.List {
	t.Helper()
	l, err := digests.Parse("digests.yaml", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func marshal(t *testing.T, l *digests.List) string {
	t.Helper()
	out, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func reference(t *testing.T, s string) image.Reference {
	t.Helper()
	ref, err := image.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// TestMarshal is about what a file looks like when it has been read and is
// written again.
func TestMarshal(t *testing.T) {
	nginx := entry("docker.io/library/nginx:1.25", one, "2026-02-01", "2026-01-01")
	redis := entry("docker.io/library/redis:7", two, "2026-02-01", "2026-01-01")
	for _, test := range []struct{ name, in, want string }{
		{"an empty file", "", head + ours()},
		{"nothing but comments", "\n# mine\n", head + "# mine\n" + ours()},
		{"no images", "version: 1\nimages:\n", head + ours()},
		{"an empty list", "version: 1\nimages: []\n", head + ours()},
		{"what is sorted stays", head + ours(nginx, redis), head + ours(nginx, redis)},
		{"what is not is sorted", ours(redis, nginx), head + ours(nginx, redis)},
		{"platforms stay as they are", ours(strings.Replace(nginx, ", resolved", ", platforms: [linux/arm64/v8, linux/amd64], resolved", 1)),
			head + ours(strings.Replace(nginx, ", resolved", ", platforms: [linux/arm64/v8, linux/amd64], resolved", 1))},
		{"line endings stay", strings.ReplaceAll(head+ours(nginx), "\n", "\r\n"), strings.ReplaceAll(head+ours(nginx), "\n", "\r\n")},
		{"a byte-order mark goes", "\ufeff" + head + ours(nginx), head + ours(nginx)},
		{"names become canonical", ours(entry("nginx:1.25", one, "2026-02-01", "2026-01-01")), head + ours(nginx)},
		{"no tag is latest", ours(entry("nginx", one, "2026-02-01", "2026-01-01")), head + ours(entry("docker.io/library/nginx:latest", one, "2026-02-01", "2026-01-01"))},
		{"a digest as the name", ours(entry("nginx@"+one, one, "2026-02-01", "2026-01-01")),
			head + ours(entry("docker.io/library/nginx@"+one, one, "2026-02-01", "2026-01-01"))},
		{"an IPv6 address needs quotes", ours(entry(`'[::1]:5000/x:1'`, one, "2026-02-01", "2026-01-01")),
			head + ours(entry(`"[::1]:5000/x:1"`, one, "2026-02-01", "2026-01-01"))},
		{"times become UTC in seconds", ours(strings.ReplaceAll(nginx, "2026-02-01T00:00:00Z", "2026-02-01T01:30:00.9+01:30")), head + ours(nginx)},
		{"JSON", `{"images": [{"image": "nginx:1.25", "digest": "` + one + `", "resolved": "2026-02-01T00:00:00Z", "first-seen": "2026-01-01T00:00:00Z"}], "version": 1}`,
			head + ours(nginx)},
		{"block style", "---\nimages:\n  - digest: " + one + "\n    first-seen: 2026-01-01T00:00:00Z\n    resolved: 2026-02-01T00:00:00Z\n    image: nginx:1.25\nversion: 1\n",
			head + ours(nginx)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := marshal(t, parse(t, test.in))
			if got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
			if again := marshal(t, parse(t, got)); again != got {
				t.Errorf("the second time\n%safter\n%s", again, got)
			}
		})
	}
}

// TestComments holds that no comment is lost, wherever it stands.
func TestComments(t *testing.T) {
	nginx := strings.TrimSuffix(entry("docker.io/library/nginx:1.25", one, "2026-02-01", "2026-01-01"), "\n")
	redis := strings.TrimSuffix(entry("docker.io/library/redis:7", two, "2026-02-01", "2026-01-01"), "\n")
	in := strings.Join([]string{
		"# above all",
		head + "version: 1 # one",
		"images: # two",
		"",
		"   # of redis, apart",
		"",
		"# of redis  ",
		redis + " # behind redis",
		"# of nginx",
		"- image: nginx:1.25 # behind image",
		"  digest: " + one,
		"  resolved: 2026-02-01T00:00:00Z",
		"  # within nginx",
		"  first-seen: 2026-01-01T00:00:00Z # last of nginx",
		"# the end",
	}, "\n")
	want := strings.Join([]string{
		head + "# above all",
		"# one",
		"# two",
		"version: 1",
		"images:",
		"# of nginx",
		"# behind image",
		"# last of nginx",
		nginx,
		"# of redis, apart",
		"# of redis",
		"# behind redis",
		redis,
		"# within nginx",
		"# the end",
		"",
	}, "\n")
	got := marshal(t, parse(t, in))
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if again := marshal(t, parse(t, got)); again != got {
		t.Errorf("the second time\n%s", again)
	}
}

// TestUnion is about what git leaves when it merges two branches line by line.
func TestUnion(t *testing.T) {
	old := entry("nginx:1.25", one, "2026-01-01", "2025-01-01")
	newer := entry("nginx:1.25", two, "2026-02-01", "2026-02-01")
	want := head + ours(entry("docker.io/library/nginx:1.25", two, "2026-02-01", "2025-01-01"))
	for _, in := range []string{ours(old, newer), ours(newer, old), ours(old, newer, old)} {
		if got := marshal(t, parse(t, in)); got != want {
			t.Errorf("%sgives\n%s", in, got)
		}
	}
	got := marshal(t, parse(t, ours("# a\n"+old, "# b\n# a\n"+newer)))
	if !strings.Contains(got, "images:\n# a\n# b\n- {") {
		t.Errorf("comments of both are to be kept once:\n%s", got)
	}
	same := entry("docker.io/library/nginx:1.25", one, "2026-01-01", "2025-01-01")
	if got := marshal(t, parse(t, ours(old, same))); got != head+ours(same) {
		t.Errorf("the same twice\n%s", got)
	}
}

func TestErrors(t *testing.T) {
	good := entry("nginx:1.25", one, "2026-02-01", "2026-01-01")
	bad := func(old, new string) string { return ours(strings.Replace(good, old, new, 1)) }
	for _, test := range []struct{ name, in, want string }{
		{"no mapping", "---\n- x\n", "2:1: the file has to be a mapping"},
		{"no version", "images: []\n", `1:1: the file lacks "version"`},
		{"no images", "version: 1\n", `1:1: the file lacks "images"`},
		{"another version", "version: 2\npictures:\n", "1:10: version has to be 1, the only one there is"},
		{"a version that is a text", "version: \"1\"\nimages:\n", "1:10: version has to be 1, the only one there is"},
		{"an unknown key", "version: 1\nimages:\nextra: 1\n", `3:1: "extra" is no key of the file; the keys are version, images`},
		{"a key twice", "version: 1\nversion: 1\nimages:\n", `2:1: "version" stands twice in the file`},
		{"images that are no list", "version: 1\nimages: {}\n", "2:9: images has to be a list"},
		{"an entry that is no mapping", "version: 1\nimages:\n- nginx\n", "3:3: an image has to be a mapping"},
		{"an unknown key of an entry", bad("resolved", "seen"), `3:104: "seen" is no key of an image; the keys are image, digest, platforms, resolved, first-seen`},
		{"no digest", "version: 1\nimages:\n- {image: nginx, resolved: 2026-01-01T00:00:00Z, first-seen: 2026-01-01T00:00:00Z}\n", `3:3: an image lacks "digest"`},
		{"a short digest", bad(one, "sha256:11"), `3:31: "sha256:11" is not a digest`},
		{"a number for a digest", bad(one, "11"), "3:31: digest has to be a text"},
		{"a bad reference", bad("nginx", "Nginx"), `3:11: "Nginx:1.25" is not a reference: upper case in the repository name "Nginx"`},
		{"no reference", bad("nginx:1.25", "null"), "3:11: image has to be a text"},
		{"a canonical name that is too long", bad("nginx", strings.Repeat("x", 250)),
			`3:11: "` + strings.Repeat("x", 250) + `:1.25" is not a reference: a name of more than 255 bytes`},
		{"tag and digest", bad("nginx:1.25", "nginx:1.25@"+one), "3:11: nginx:1.25@" + one + " has a digest, which belongs under its own key"},
		{"another digest than the name", bad("nginx:1.25", "nginx@"+two), "3:98: docker.io/library/nginx@" + two + " can't have the digest " + one},
		{"a platform", bad("resolved", "platforms: [linux], resolved"), `3:116: "linux" is not a platform (os/architecture or os/architecture/variant)`},
		{"a platform with a blank", bad("resolved", `platforms: ["linux/amd 64"], resolved`), `3:116: "linux/amd 64" is not a platform (os/architecture or os/architecture/variant)`},
		{"platforms that are no list", bad("resolved", "platforms: linux/amd64, resolved"), "3:115: platforms has to be a list"},
		{"a date alone", bad("2026-02-01T00:00:00Z", "2026-02-01"), `3:114: "2026-02-01" is not a time such as 2026-11-23T22:10:00Z`},
		{"a time before all images", bad("2026-02-01T00:00:00Z", "0001-01-01T00:00:00Z"), `3:114: "0001-01-01T00:00:00Z" is not a time such as 2026-11-23T22:10:00Z`},
		{"an anchor", bad("nginx", "&a nginx"), "3:11: anchors, aliases and tags have no place in a digests file"},
		{"a tag", bad("nginx", "!!str nginx"), "3:11: anchors, aliases and tags have no place in a digests file"},
		{"equal times", ours(good, entry("docker.io/nginx:1.25", two, "2026-02-01", "2026-01-01")),
			"4:3: docker.io/library/nginx:1.25 has the digest " + two + " here, but " + one + " in line 3; delete one of the lines"},
		{"a second document", ours(good) + "---\nversion: 1\nimages:\n", "4:1: a digests file is one document"},
		{"an end of the document", ours(good) + "...\n", "4:1: a digests file is one document"},
		{"a directive", "version: 1\n%YAML 1.1\n---\nversion: 1\n", "2:1: directives have no place in a digests file"},
		{"a merge conflict", "version: 1\nimages:\n<<<<<<< HEAD\n", `3:1: an unresolved merge conflict; "merge=union" in .gitattributes avoids them`},
		{"cut off", ours(good, good[:60]), "4:1: did not find expected ',' or '}'"},
		{"no YAML", "version: 1\nimages: ]\n", "2:1: did not find expected node content"},
		{"a key among the entries", ours(good, good, "nginx:\n", good), `5:1: "nginx" is no key of the file; the keys are version, images`},
		{"a stray line", ours(good, good, "nginx\n", good), "5:1: could not find expected ':'"},
		{"a quote without an end", ours(good, "- {image: \"nginx\n"), "4:1: found unexpected end of stream"},
		{"no UTF-8", "version: 1\n# \xff\n", "2:1: not UTF-8 text"},
		{"a control character", "version: 1\n# é\x00\n", "2:4: a control character"},
		{"a line break of YAML alone", "version: 1\n# \u2028\n", "2:3: a control character"},
		{"a carriage return alone", "version: 1\rimages:\n", "1:11: a control character"},

		{"plain: one word", "nginx:1.25\n", `1:1: a line is REFERENCE DIGEST, not "nginx:1.25"`},
		{"plain: three words", "a:1 " + one + "\n  nginx:1.25 " + one + " x\n", `2:3: a line is REFERENCE DIGEST, not "nginx:1.25 ` + one + ` x"`},
		{"plain: a bad reference", "Nginx " + one, `1:1: "Nginx" is not a reference: upper case in the repository name "Nginx"`},
		{"plain: a bad digest", "# x\n nginx  sha256:1\n", `2:9: "sha256:1" is not a digest`},
		{"plain: another digest", "nginx@" + one + " " + two, "1:79: docker.io/library/nginx@" + one + " can't have the digest " + two},
		{"plain: two digests", "nginx " + one + "\ndocker.io/nginx:latest " + two + "\n",
			"2:1: docker.io/library/nginx:latest has the digest " + two + " here, but " + one + " in line 1; delete one of the lines"},
		{"plain: a merge conflict", "nginx " + one + "\n>>>>>>> theirs\n", `2:1: an unresolved merge conflict; "merge=union" in .gitattributes avoids them`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := digests.Parse("f", []byte(test.in))
			var e *digests.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if got := err.Error(); got != "f:"+test.want {
				t.Errorf("got  %s\nwant f:%s", got, test.want)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	l := parse(t, "# comment\n\nnginx:1.25 "+one+"\r\n\tregistry.example:5000/x "+two+"\nredis:7@"+one+" "+two+"\nnginx:1.25 "+one+"\nalpine@"+three+" "+three)
	if !l.Plain {
		t.Error("not plain")
	}
	for ref, want := range map[string]string{
		"nginx:1.25":                     one,
		"docker.io/library/nginx:1.25":   one,
		"nginx:1.25@" + two:              one,
		"nginx":                          "",
		"nginx@" + one:                   "",
		"registry.example:5000/x:latest": two,
		"registry.example:5000/x":        two,
		"redis:7":                        two,
		"index.docker.io/library/alpine@" + three: three,
		"alpine": "",
	} {
		if got, ok := l.Lookup(reference(t, ref)); got != want || ok != (want != "") {
			t.Errorf("Lookup(%s) = %q, %v", ref, got, ok)
		}
	}
	if got := l.Digests(); !reflect.DeepEqual(got, map[string]bool{one: true, two: true, three: true}) {
		t.Errorf("%v", got)
	}
	if _, err := l.Marshal(); !errors.Is(err, digests.ErrPlain) {
		t.Errorf("Marshal: %v", err)
	}
}

func TestPut(t *testing.T) {
	day := time.Date(2026, 3, 1, 1, 30, 0, 999, time.FixedZone("", 5400))
	var l digests.List
	put := func(ref, digest, wantOld string, platforms ...string) {
		t.Helper()
		old, err := l.Put(reference(t, ref), digest, platforms, day)
		if err != nil || old != wantOld {
			t.Errorf("Put(%s) = %q, %v", ref, old, err)
		}
	}
	want := func(lines ...string) {
		t.Helper()
		if got := marshal(t, &l); got != head+ours(lines...) {
			t.Errorf("got\n%s", got)
		}
	}
	put("nginx:1.25@"+two, one, "", "linux/arm64/v8", "linux/amd64", "linux/amd64", "unknown", "x/y}\n- {", "")
	nginx := "- {image: docker.io/library/nginx:1.25, digest: " + one + ", platforms: [linux/amd64, linux/arm64/v8], resolved: 2026-03-01T00:00:00Z, first-seen: 2026-03-01T00:00:00Z}\n"
	want(nginx)
	put("alpine@"+two, two, "")
	alpine := entry("docker.io/library/alpine@"+two, two, "2026-03-01", "2026-03-01")
	want(alpine, nginx)
	day = day.AddDate(0, 0, 1)
	put("docker.io/library/nginx:1.25", one, one, "windows/amd64")
	want(alpine, nginx)
	put("nginx:1.25", three, one)
	want(alpine, entry("docker.io/library/nginx:1.25", three, "2026-03-02", "2026-03-01"))

	for _, test := range []struct{ ref, digest string }{
		{"nginx:1", "sha256:1"}, {"nginx:1", ""}, {"nginx@" + one, two}, {strings.Repeat("x", 250), one},
	} {
		if _, err := l.Put(reference(t, test.ref), test.digest, nil, day); err == nil {
			t.Errorf("Put(%s, %q) is no error", test.ref, test.digest)
		}
	}
	if n := len(l.Entries()); n != 2 {
		t.Errorf("%d entries", n)
	}
}

// FuzzParse holds that what is written of a file says the same as the file.
func FuzzParse(f *testing.F) {
	nginx := entry("nginx:1.25", one, "2026-02-01", "2026-01-01")
	for _, seed := range []string{
		"", "# x\n", ours(), head + ours(nginx), ours("# a\n"+nginx, nginx, "\n# b\n"), "nginx " + one,
		"version: 1 # x\nimages:\n- image: \"nginx\"\n  # x\n  digest: " + one + " # y\n  platforms:\n  - linux/amd64\n  resolved: 2026-01-01T00:00:00Z\n  first-seen: 2026-01-01T00:00:00Z\n",
		strings.ReplaceAll(ours(nginx), "\n", "\r\n"),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := digests.Parse("f", data)
		if err != nil || first.Plain {
			return
		}
		out, err := first.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		second, err := digests.Parse("f", out)
		if err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		again, err := second.Marshal()
		if err != nil || string(again) != string(out) {
			t.Fatalf("%v, then\n%safter\n%s", err, again, out)
		}
		for i, e := range first.Entries() {
			if o := second.Entries()[i]; o.String() != e.String() {
				t.Fatalf("%s became %s", e, o)
			}
		}
		if got, want := strings.Count(string(out), "#")-1, comments(data); got < want {
			t.Fatalf("%d comments of %d in\n%s", got, want, out)
		}
	})
}

// comments counts what a rewritten file has to keep at least: the different
// comments on lines of their own, without the first line that is ours.
func comments(data []byte) int {
	seen := map[string]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# digestlint digests:") {
			seen[line] = true
		}
	}
	return len(seen)
}

package advisories

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const otherSum = "sha256:0000000000000000000000000000000000000000000000000000000000000002"

// advisory is one with a repository and more stanzas.
func advisory(id string, stanzas ...string) string {
	return strings.Replace(minimal, "X-1", id, 1) + "\n" + strings.Join(stanzas, "\n")
}

func TestBundle(t *testing.T) {
	made := time.Date(2026, 11, 24, 10, 0, 0, 0, time.FixedZone("", 3600))
	text, err := WriteBundle("acme", made, []File{
		{"b.txt", []byte(advisory("B-1") + "\n\n\n")},
		{"a.txt", []byte("# ours\r\n" + strings.ReplaceAll(advisory("A-1", "digest: "+someSum+"\nkind: index\n"), "\n", "\r\n"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseBundle("x", text)
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "acme" || !b.Made.Equal(made) || len(b.Advisories) != 2 || b.Advisories[0].ID != "A-1" || len(b.Advisories[0].Digests) != 1 {
		t.Errorf("%+v of\n%s", b, text)
	}
	for file, want := range map[string]int{string(text): 2, advisory("C-1"): 1} {
		if all, err := ParseAll("x", []byte(file)); err != nil || len(all) != want {
			t.Errorf("ParseAll: %v, %v", all, err)
		}
	}
}

func TestBundleErrors(t *testing.T) {
	head := "bundle: acme\nmade: 2026-11-24T10:00:00Z\n\n"
	for _, c := range []struct {
		text, want string
		line       int
	}{
		{"", "no advisory", 1},
		{advisory("A-1"), "starts with the stanza that names it", 1},
		{"bundle: acme\n\n" + advisory("A-1"), `no "made"`, 1},
		{"bundle: acme\nmade: 2026-11-24\n\n" + advisory("A-1"), "is not a UTC time", 2},
		{"bundle: acme\nmade: unknown\n\n" + advisory("A-1"), "is not a UTC time", 2},
		{"bundle: a b\nmade: 2026-11-24T10:00:00Z\n\n" + advisory("A-1"), "in an identifier", 1},
		{head, "no advisory in the bundle", 1},
		{head + "repository: docker.io/a/b\n", "a file has one advisory, in its first stanza", 4},
		{head + "bundle: again\n\n" + advisory("A-1"), "one advisory", 4},
		{head + advisory("A-1") + "\n" + advisory("A-1"), `"A-1" twice`, 13},
		{head + advisory("A-1", "digest: "+someSum+"\n"), `no "kind"`, 12},
		{head + advisory("A-1", "digest: "+someSum+"\nkind: index\n") + "\n" + advisory("A-2", "good: x\ndigest: "+someSum+"\nkind: index\n"),
			someSum + " is listed as malicious by A-1, and good by A-2", 15},
	} {
		_, err := ParseBundle("name", []byte(c.text))
		var e *SyntaxError
		if !errors.As(err, &e) || e.Name != "name" || e.Line != c.line || !strings.Contains(e.Message, c.want) {
			t.Errorf("%q: %v, want line %d: %s", c.text, err, c.line, c.want)
		}
	}
	if _, err := WriteBundle("acme", time.Now(), []File{{"bad.txt", []byte("x")}}); err == nil || !strings.HasPrefix(err.Error(), "bad.txt:1:1: ") {
		t.Errorf("error %v", err)
	}
}

func FuzzParseBundle(f *testing.F) {
	f.Add("bundle: acme\nmade: 2026-11-24T10:00:00Z\n\n" + advisory("A-1", "digest: "+someSum+"\nkind: index\n") + "\n" + advisory("A-2"))
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ParseBundle("x", []byte(text))
		if (b == nil) == (err == nil) {
			t.Fatalf("%v, %v", b, err)
		}
		if err == nil && (len(b.Advisories) == 0 || b.Made.IsZero()) {
			t.Errorf("%+v", b)
		}
	})
}

// parsed is an advisory as text.
func parsed(t *testing.T, text string) *Advisory {
	t.Helper()
	a, err := Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestWith(t *testing.T) {
	version := func(modified, digest string) *Advisory {
		text := advisory("X-1", "digest: "+digest+"\nkind: index\n")
		if modified != "" {
			text = strings.Replace(text, "severity:", "modified: "+modified+"\nseverity:", 1)
		}
		return parsed(t, text)
	}
	for _, c := range []struct {
		name        string
		old, more   *Advisory
		some, other bool // whether someSum of old and otherSum of more are listed
	}{
		{"later", version("2026-01-01", someSum), version("2026-01-02", otherSum), false, true},
		{"later that day", version("2026-01-01", someSum), version("2026-01-01T08:00:00Z", otherSum), false, true},
		{"the same day", version("2026-01-01", someSum), version("2026-01-01", otherSum), false, true},
		{"earlier", version("2026-01-02", someSum), version("2026-01-01", otherSum), true, false},
		{"more says nothing", version("2026-01-02", someSum), version("", otherSum), true, true},
		{"old says nothing", version("", someSum), version("2026-01-02", otherSum), true, true},
		{"another one", version("2026-01-02", someSum), parsed(t, advisory("A-1", "digest: "+otherSum+"\nkind: index\n")), true, true},
	} {
		set := NewSet([]*Advisory{c.old}).With(c.more)
		if set.lists(someSum) != c.some || set.lists(otherSum) != c.other {
			t.Errorf("%s: %v, %v", c.name, set.lists(someSum), set.lists(otherSum))
		}
	}
	if all := Embedded().With(parsed(t, advisory("DL-2020-0002"))).All(); all[3].ID != "DL-2020-0002" || len(all) != len(Embedded().All())+1 {
		t.Error("the advisories are not in order")
	}
}

// TestContradictions holds that a listing counts more than the word that the
// digest is good, whichever came first, and that people can be told.
func TestContradictions(t *testing.T) {
	lists := parsed(t, advisory("X-2", "digest: "+someSum+"\nkind: index\n", "digest: "+otherSum+"\nkind: index\n"))
	good := parsed(t, advisory("X-1", "good: 1\ndigest: "+someSum+"\nkind: index\n", "tags: 2\nstate: exposed\n",
		"not-affected: a/b:2@"+otherSum+"\nwhy: rebuilt\n"))
	if got := NewSet([]*Advisory{good}).Match(ref(t, "a/b:2")); got != nil {
		t.Errorf("not affected: %v", got)
	}
	for _, set := range []*Set{NewSet([]*Advisory{good}).With(lists), NewSet([]*Advisory{lists}).With(good)} {
		got := set.Contradictions()
		if len(got) != 2 || got[0] != (Contradiction{someSum, lists, good}) || got[1] != (Contradiction{otherSum, lists, good}) {
			t.Errorf("contradictions %v", got)
		}
		if !set.lists(someSum) || len(set.KnownGood(ref(t, "a/b"))) != 0 {
			t.Error("the listed digest is still good")
		}
		if got := set.Match(ref(t, "a/b:2")); len(got) != 1 {
			t.Error("a tag that led to a listed digest still counts as not affected")
		}
	}
	if got := Embedded().Contradictions(); got != nil {
		t.Errorf("the advisories contradict each other: %v", got)
	}
}

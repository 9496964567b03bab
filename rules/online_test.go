package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// said is what a registry says, by the reference as it is written.
type said map[string]rules.Remote

// online runs all rules over what registries say of the values of one file.
// References that said does not name are not asked for.
func online(t *testing.T, answers said, file [3]string) []rules.Finding {
	t.Helper()
	return answer(answers, rules.Questions(parse(t, &rules.Tree{}, file)))
}

func answer(answers said, questions []rules.Question) []rules.Finding {
	var found []rules.Finding
	for _, q := range questions {
		if remote, ok := answers[q.Ref.String()]; ok {
			rules.Online(q, remote, rules.All(), func(f rules.Finding) { found = append(found, f) })
		}
	}
	slices.SortStableFunc(found, func(a, b rules.Finding) int { return strings.Compare(a.Rule.Name, b.Rule.Name) })
	return found
}

// index is a manifest list; each child is "digest platform".
func index(digest string, children ...string) *rules.Manifest {
	m := &rules.Manifest{Digest: digest, Index: true, Children: []rules.Child{}}
	for _, c := range children {
		d, platform, _ := strings.Cut(c, " ")
		m.Children = append(m.Children, rules.Child{Digest: d, Platform: platform})
	}
	return m
}

func single(digest string) *rules.Manifest {
	return &rules.Manifest{Digest: digest, Children: []rules.Child{{Digest: configDigest}}}
}

// unread is an index of which nobody knows what it holds.
func unread(digest string) *rules.Manifest { return &rules.Manifest{Digest: digest, Index: true} }

const (
	amd64Digest  = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	arm64Digest  = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	configDigest = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)

// saidOf is what the registry says in the examples of a rule, which its
// comments repeat.
func saidOf(t *testing.T, r *rules.Rule) said {
	t.Helper()
	old, updated := "nginx:1.27@"+someDigest, "nginx:1.27@"+otherDigest
	now := index(otherDigest, amd64Digest+" linux/amd64", arm64Digest+" linux/arm64")
	examples := map[*rules.Rule]said{
		rules.TagDrift: {
			old:     {Now: now, Pinned: index(someDigest, amd64Digest+" linux/amd64", configDigest+" linux/arm64")},
			updated: {Now: now, Pinned: now},
		},
		rules.MissingDigest: {
			old:     {Now: now, Gone: true},
			updated: {Now: now, Pinned: now},
		},
		rules.SinglePlatformDigest: {
			old:     {Now: index(otherDigest, someDigest+" linux/amd64", arm64Digest+" linux/arm64"), Pinned: single(someDigest)},
			updated: {Now: now, Pinned: now},
		},
	}
	if examples[r] == nil {
		t.Fatalf("what does the registry say in the examples of %s?", r.Name)
	}
	return examples[r]
}

func TestOnline(t *testing.T) {
	const pin = "app:1@" + someDigest
	platforms := []string{amd64Digest + " linux/amd64", arm64Digest + " linux/arm64"}
	now := index(otherDigest, platforms...)
	before := index(someDigest, amd64Digest+" linux/amd64", configDigest+" linux/arm64")
	evil := index(otherDigest, amd64Digest+" linux/amd64", badPlatform+" linux/arm64")
	const (
		drift  = "1 warning tag-drift: app:1 leads to sha256:fedcba987654… now, and is pinned to sha256:0123456789ab… here\n"
		gone   = "1 error missing-digest: app has no sha256:0123456789ab… any more\n"
		listed = "sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 (DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"
		holds  = "sha256:fedcba987654…, which holds sha256:d186161ae8e3…, the linux/amd64 manifest behind alpine, v2.1.20 and v2.1.21 (DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"
	)
	for _, test := range []struct {
		name, ref string
		remote    rules.Remote
		want      string
	}{
		{"the tag leads to the pin", pin, rules.Remote{Now: before, Pinned: before}, ""},
		{"the tag has moved", pin, rules.Remote{Now: now, Pinned: before}, drift},
		{"the tag has moved from one image to another", pin, rules.Remote{Now: single(otherDigest), Pinned: single(someDigest)}, drift},
		{"the tag has moved from one image to an index without it", pin, rules.Remote{Now: now, Pinned: single(someDigest)}, drift},
		{"the tag has moved from an index to one of its images", pin, rules.Remote{Now: single(amd64Digest), Pinned: before},
			strings.Replace(drift, "sha256:fedcba987654…", "sha256:aaaaaaaaaaaa…", 1)},
		{"the tag has moved for other platforms only", pin, rules.Remote{Now: now, Pinned: before, Same: true}, ""},
		{"the tag is gone", pin, rules.Remote{Pinned: before}, ""},
		{"nothing is known", pin, rules.Remote{}, ""},
		{"the pinned index was not read", pin, rules.Remote{Now: now, Pinned: unread(someDigest)}, drift},
		{"the present index was not read, so it may hold the pin", pin, rules.Remote{Now: unread(otherDigest), Pinned: single(someDigest)}, ""},
		{"what is pinned was not found out, so it may be the same", pin, rules.Remote{Now: now}, ""},
		{"the pinned digest is gone", pin, rules.Remote{Now: now, Gone: true}, gone},
		{"the pinned digest is gone, and the tag leads to one image", pin, rules.Remote{Now: single(otherDigest), Gone: true}, gone},
		{"tag and digest are gone", pin, rules.Remote{Gone: true}, gone},
		{"a platform is gone", pin, rules.Remote{Now: before, Pinned: before, Missing: before.Children[1:]},
			"1 error missing-digest: app has no linux/arm64 manifest sha256:cccccccccccc… of sha256:0123456789ab… any more\n"},
		{"several platforms are gone, one without a name", pin,
			rules.Remote{Now: before, Pinned: before, Missing: []rules.Child{{Digest: amd64Digest}, {Digest: arm64Digest, Platform: "linux/arm64"}}},
			"1 error missing-digest: app has no manifest sha256:aaaaaaaaaaaa… and linux/arm64 manifest sha256:bbbbbbbbbbbb… of sha256:0123456789ab… any more\n"},
		{"pinned to one platform", "app:1@" + amd64Digest, rules.Remote{Now: now, Pinned: single(amd64Digest)},
			"1 warning single-platform-digest: app:1 is an index, and is pinned to its linux/amd64 manifest sha256:aaaaaaaaaaaa… here\n"},
		{"pinned to one platform, and not known what it is", "app:1@" + amd64Digest, rules.Remote{Now: now},
			"1 warning single-platform-digest: app:1 is an index, and is pinned to its linux/amd64 manifest sha256:aaaaaaaaaaaa… here\n"},
		{"pinned to one platform, which is gone", "app:1@" + amd64Digest, rules.Remote{Now: now, Gone: true},
			"1 error missing-digest: app has no sha256:aaaaaaaaaaaa… any more\n"},
		{"pinned to one platform of a malicious index", "app:1@" + amd64Digest, rules.Remote{Now: evil, Pinned: single(amd64Digest)},
			"1 warning tag-drift: app:1 leads to a malicious image now: " + holds},
		{"an unpinned tag", "app:1", rules.Remote{Now: now}, ""},
		{"an unpinned tag of a malicious image", "app:1", rules.Remote{Now: unread(badDigest)},
			"1 error malicious-digest: malicious image: app:1 leads to " + listed},
		{"an unpinned name of a malicious image", "app", rules.Remote{Now: evil},
			"1 error malicious-digest: malicious image: app:latest leads to " + holds},
		{"a pinned index with a malicious image", "app:1@" + otherDigest, rules.Remote{Now: evil, Pinned: evil},
			"1 error malicious-digest: malicious image: app:1 is " + holds},
		{"a pinned index with a malicious image that its tag has left", "app:1@" + otherDigest, rules.Remote{Now: unread(badDigest), Pinned: evil},
			"1 error malicious-digest: malicious image: app:1 is " + holds},
		{"a pin that its tag left for a malicious image", pin, rules.Remote{Now: evil, Pinned: before},
			"1 warning tag-drift: app:1 leads to a malicious image now: " + holds},
		{"a pin that its tag left for a malicious image, all else equal", pin, rules.Remote{Now: evil, Pinned: before, Same: true},
			"1 warning tag-drift: app:1 leads to a malicious image now: " + holds},
		{"a malicious pin is reported without the registry", "app:1@" + badDigest, rules.Remote{Now: now, Pinned: unread(badDigest)}, ""},
		{"a digest alone", "app@" + someDigest, rules.Remote{Pinned: before}, ""},
		{"a digest alone that is gone", "app@" + someDigest, rules.Remote{Gone: true}, gone},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := lines(online(t, said{test.ref: test.remote}, dockerfile("FROM "+test.ref))); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestOnlineHints(t *testing.T) {
	const pin, leads = "app:1@" + someDigest, "; the tag leads to " + otherDigest
	now := single(otherDigest)
	bad := unread(badDigest)
	for _, test := range []struct {
		name, ref string
		remote    rules.Remote
		want      string
	}{
		{"drift", pin, rules.Remote{Now: now}, "run `digestlint pin --update PATH`" + leads},
		{"gone", pin, rules.Remote{Now: now, Gone: true}, "run `digestlint pin --update PATH`" + leads},
		{"gone for a malicious image", pin, rules.Remote{Now: bad, Gone: true}, "push it again from where it still is; do not update: the tag leads to a malicious image"},
		{"gone with its tag", pin, rules.Remote{Gone: true}, "push it again from where it still is, or choose another tag: the registry shows no app:1"},
		{"gone without a tag", "app@" + someDigest, rules.Remote{Gone: true}, "push it again from where it still is, or pin another digest"},
		{"a platform gone", pin, rules.Remote{Now: unread(someDigest), Pinned: unread(someDigest), Missing: []rules.Child{{Digest: amd64Digest}}},
			"push it again from where it still is; the tag leads to the same digest"},
		{"one platform", "app:1@" + amd64Digest, rules.Remote{Now: index(otherDigest, amd64Digest+" linux/amd64")}, "for all platforms pin " + otherDigest},
		{"drift to a malicious image", pin, rules.Remote{Now: bad}, "keep the pin: it leads past that image. Nobody may pull the tag, " +
			"and what has pulled it is to be treated as compromised: `digestlint explain malicious-digest`"},
		{"a malicious tag", "checkmarx/kics:v9", rules.Remote{Now: bad}, "treat every job and host that ran it as compromised and rotate all credentials that they could reach; " +
			"what to do: `digestlint explain malicious-digest`\n" +
			"known good: checkmarx/kics:v2.1.19@" + goodDigest + " (confirmed; vendor-named: Checkmarx moved its own action to it on 2026-04-23)\n" +
			"all that is known: `digestlint advisories show DL-2026-0001`"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := online(t, said{test.ref: test.remote}, dockerfile("FROM "+test.ref))
			for _, f := range found {
				if f.Rule != rules.TagDrift || len(found) == 1 {
					if f.Hint != test.want {
						t.Errorf("%s: got %q, want %q", f.Rule.Name, f.Hint, test.want)
					}
				}
			}
			if len(found) == 0 {
				t.Error("nothing found")
			}
		})
	}
}

// TestUpdateHint is about pins that the tool does not move by itself.
func TestUpdateHint(t *testing.T) {
	for _, test := range []struct {
		site image.Site
		want string
	}{
		{image.Site{Safety: image.Unsafe, Reason: "others may read .env"}, "run `digestlint pin --update --unsafe PATH`; the tag leads to " + otherDigest},
		{image.Site{Safety: image.Refused, Reason: "TAG feeds two images"}, "`digestlint pin` leaves this one to you: TAG feeds two images; the tag leads to " + otherDigest},
	} {
		u := use("app:1@"+someDigest, func(u *image.Use) { u.Values[0].Site = test.site })
		found := answer(said{"app:1@" + someDigest: {Now: single(otherDigest)}}, questions(u))
		if len(found) != 1 || found[0].Hint != test.want {
			t.Errorf("got %+v, want %q", found, test.want)
		}
	}
}

// use is one use of ref.
func use(ref string, change func(*image.Use)) image.Use {
	v := image.Value{Text: ref}
	v.Ref, v.Err = image.Parse(ref)
	u := image.Use{File: &source.File{Path: "f", Data: []byte("x")}, Span: source.Span{End: 1}, Raw: "x", Values: []image.Value{v}}
	change(&u)
	return u
}

func questions(u image.Use) []rules.Question {
	return rules.Questions(&rules.Pass{File: u.File, Uses: []image.Use{u}, Tree: &rules.Tree{}})
}

// TestQuestions is about what registries are asked for, and what not.
func TestQuestions(t *testing.T) {
	for _, test := range []struct {
		name, ref string
		change    func(*image.Use)
		want      int
	}{
		{"a tag", "app:1", func(*image.Use) {}, 1},
		{"a pin", "app:1@" + someDigest, func(*image.Use) {}, 1},
		{"the same text twice", "app:1", func(u *image.Use) { u.Values = append(u.Values, u.Values[0]) }, 1},
		{"an output", "app:1", func(u *image.Use) { u.Role = image.Output }, 0},
		{"local", "app:1", func(u *image.Use) { u.Local = true }, 0},
		{"replaced", "app:1", func(u *image.Use) { u.Replaced = true }, 0},
		{"a placeholder", "REPLACE_ME", func(u *image.Use) { u.Placeholder = true }, 0},
		{"no reference", "A:B:C", func(*image.Use) {}, 0},
		{"an image ID", "sha256:" + strings.Repeat("0", 64), func(*image.Use) {}, 0},
		{"what may be a host and a port", "app:8080", func(u *image.Use) { u.Confidence = image.Low }, 0},
		{"what only looks like an image but has a digest", "app@" + someDigest, func(u *image.Use) { u.Confidence = image.Low }, 1},
		{"unknown", "app:1", func(u *image.Use) { u.Values = nil }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := questions(use(test.ref, test.change)); len(got) != test.want {
				t.Errorf("%d questions, want %d: %+v", len(got), test.want, got)
			}
		})
	}
}

// TestOnlineSeverity is about a doubtful place: a drift of it is an info, but
// malicious content is what it is.
func TestOnlineSeverity(t *testing.T) {
	const pin = "app:1@" + someDigest
	low := questions(use(pin, func(u *image.Use) { u.Confidence = image.Low }))
	for severity, pinned := range map[rules.Severity]*rules.Manifest{
		rules.Error: index(someDigest, badPlatform+" linux/amd64"),
		rules.Info:  single(someDigest),
	} {
		found := answer(said{pin: {Now: single(otherDigest), Pinned: pinned}}, low)
		if len(found) != 1 || found[0].Severity != severity {
			t.Errorf("want %v, got\n%s", severity, lines(found))
		}
	}
}

package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

const (
	badDigest   = "sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d" // KICS, index
	badPlatform = "sha256:d186161ae8e33cd7702dd2a6c0337deb14e2b178542d232129c0da64b1af06e4" // KICS, linux/amd64
	goodDigest  = "sha256:7b0a4d750acd491942ce9de52c1183fbf4451c1c936780ec2cfacd2650e7d84c" // KICS v2.1.19
	someDigest  = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	otherDigest = "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

// judge runs all rules over files, given as path, format and content, and
// returns the findings by path, offset and rule. Every digest is approved.
func judge(t *testing.T, files ...[3]string) []rules.Finding {
	t.Helper()
	return judgeApproved(t, nil, files...)
}

// judgeApproved is judge with a list of approved digests.
func judgeApproved(t *testing.T, approved func(digest string) bool, files ...[3]string) []rules.Finding {
	t.Helper()
	return judgeWith(t, func(p *rules.Pass) { p.Approved = approved }, files...)
}

// judgeTrusted is judge with the names that are trusted.
func judgeTrusted(t *testing.T, trusted func(name string) bool, files ...[3]string) []rules.Finding {
	t.Helper()
	return judgeWith(t, func(p *rules.Pass) { p.Trusted = trusted }, files...)
}

// trustHub trusts Docker Hub's official images.
func trustHub(name string) bool { return strings.HasPrefix(name, "docker.io/library/") }

func judgeWith(t *testing.T, set func(*rules.Pass), files ...[3]string) []rules.Finding {
	t.Helper()
	var found []rules.Finding
	report := func(f rules.Finding) { found = append(found, f) }
	tree := &rules.Tree{}
	for _, file := range files {
		pass := parse(t, tree, file)
		set(pass)
		rules.Run(pass, byDefault(), report)
	}
	rules.Finish(tree, byDefault(), report)
	slices.SortStableFunc(found, func(a, b rules.Finding) int {
		if a.Path != b.Path {
			return strings.Compare(a.Path, b.Path)
		}
		if a.Span.Start != b.Span.Start {
			return a.Span.Start - b.Span.Start
		}
		return strings.Compare(a.Rule.Name, b.Rule.Name)
	})
	return found
}

// byDefault are the rules that no configuration has to switch on.
func byDefault() []*rules.Rule {
	return slices.DeleteFunc(rules.All(), func(r *rules.Rule) bool { return r.Optional })
}

// judgeOne runs one rule over a file.
func judgeOne(t *testing.T, r *rules.Rule, file [3]string) []rules.Finding {
	t.Helper()
	var found []rules.Finding
	rules.Run(parse(t, &rules.Tree{}, file), []*rules.Rule{r}, func(f rules.Finding) { found = append(found, f) })
	return found
}

func parse(t *testing.T, tree *rules.Tree, file [3]string) *rules.Pass {
	t.Helper()
	p := &rules.Pass{File: &source.File{Path: file[0], Data: []byte(file[2])}, Format: file[1], Tree: tree}
	if file[1] == "" {
		return p
	}
	format := parsers.Lookup(file[1])
	if format == nil {
		t.Fatalf("no format %q", file[1])
	}
	res := parsers.Parse(p.File, format, nil)
	p.Uses = res.Uses
	for _, problem := range res.Problems {
		p.Problems = append(p.Problems, rules.Problem(problem))
	}
	return p
}

func dockerfile(content string) [3]string { return [3]string{"Dockerfile", "dockerfile", content} }

func compose(content string) [3]string { return [3]string{"compose.yaml", "compose", content} }

// lines are findings in short: "line severity rule: message".
func lines(found []rules.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%d %s %s: %s\n", f.Start.Line, f.Severity, f.Rule.Name, f.Message)
	}
	return b.String()
}

// TestExamples holds every rule to its own page: the bad example has the
// finding, the good one has none, of no rule.
func TestExamples(t *testing.T) {
	for _, r := range rules.All() {
		t.Run(r.Name, func(t *testing.T) {
			is := func(f rules.Finding) bool { return f.Rule == r }
			// What the good example is pinned to is approved.
			approved := func(digest string) bool { return strings.Contains(r.Good, digest) }
			if r == rules.UntrustedRegistry {
				found := judgeTrusted(t, trustHub, [3]string{"bad", r.Format, r.Bad})
				if len(found) != 1 || found[0].Rule != r {
					t.Errorf("the bad example:\n%s", lines(found))
				}
				if found := judgeTrusted(t, trustHub, [3]string{"good", r.Format, r.Good}); len(found) > 0 {
					t.Errorf("the good example is reported:\n%s", lines(found))
				}
				return
			}
			found := judgeApproved(t, approved, [3]string{"bad", r.Format, r.Bad})
			if r.OnlineOnly() {
				found = online(t, saidOf(t, r), [3]string{"bad", r.Format, r.Bad})
			}
			if r.AboutIgnores {
				found = driven(t, r.Bad)
			}
			if r.Optional {
				found = append(found, judgeOne(t, r, [3]string{"bad", r.Format, r.Bad})...)
			}
			if !slices.ContainsFunc(found, is) {
				t.Errorf("the bad example is not reported:\n%s", lines(found))
			}
			found = judgeApproved(t, approved, [3]string{"good", r.Format, r.Good})
			if r.OnlineOnly() {
				found = append(found, online(t, saidOf(t, r), [3]string{"good", r.Format, r.Good})...)
			}
			if r.AboutIgnores {
				found = driven(t, r.Good)
			}
			if r.Optional {
				found = append(found, judgeOne(t, r, [3]string{"good", r.Format, r.Good})...)
			}
			if len(found) > 0 {
				t.Errorf("the good example is reported:\n%s", lines(found))
			}
		})
	}
}

// TestDigestWithoutTag: the rule speaks of digests alone where both can stand.
func TestDigestWithoutTag(t *testing.T) {
	manifest := "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    image: busybox\n    env:\n    - {name: IMAGE, value: \"nginx@" + someDigest + "\"}\n"
	for _, tt := range []struct {
		name string
		file [3]string
		want string // findings in short
	}{
		{"alone", compose("services:\n  a:\n    image: acme/app@" + someDigest + "\n"), "3 warning digest-without-tag: acme/app is pinned to sha256:0123456789ab… without a tag, so nobody sees which version it is\n"},
		{"both", dockerfile("FROM nginx:1@" + someDigest + "\n"), ""},
		{"neither", dockerfile("FROM nginx\n"), ""},
		{"a registry with a port", dockerfile("FROM mirror.example:5000/nginx@" + someDigest + "\n"), "1 warning digest-without-tag: mirror.example:5000/nginx is pinned to sha256:0123456789ab… without a tag, so nobody sees which version it is\n"},
		{"only looks like an image", [3]string{"pod.yaml", "kubernetes", manifest}, "8 info digest-without-tag: nginx is pinned to sha256:0123456789ab… without a tag, so nobody sees which version it is\n"},
		{"one of both only", [3]string{"pull.sh", "shell", "skopeo copy docker://nginx@" + someDigest + " dir:x\n"}, ""},
		{"a key of its own", [3]string{"values.yaml", "helmvalues", "image:\n  repository: nginx\n  digest: " + someDigest + "\n"}, ""},
		{"in an argument", dockerfile("ARG BASE=nginx@" + someDigest + "\nFROM ${BASE}\n"), "2 warning digest-without-tag: nginx is pinned to sha256:0123456789ab… without a tag, so nobody sees which version it is\n"},
		{"built here", dockerfile("FROM nginx:1@" + someDigest + " AS a\nFROM a\n"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := lines(judgeOne(t, rules.DigestWithoutTag, tt.file)); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// driven is what is left of the findings in a Dockerfile when the driver has
// heeded its comments.
func driven(t *testing.T, content string) []rules.Finding {
	t.Helper()
	res, err := lint.Run(t.Context(), lint.Options{
		Paths: []string{"-"}, Stdin: strings.NewReader(content), StdinName: "Dockerfile", Rules: rules.All(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return res.Findings
}

func TestPages(t *testing.T) {
	names := map[string]bool{}
	for _, r := range rules.All() {
		if names[r.Name] {
			t.Errorf("two rules are called %s", r.Name)
		}
		names[r.Name] = true
		if rules.Lookup(r.Name) != r {
			t.Errorf("Lookup(%q) is another rule", r.Name)
		}
		for part, text := range map[string]string{
			"Summary": r.Summary, "Why": r.Why, "Bad": r.Bad, "Good": r.Good, "Fix": r.Fix, "Since": r.Since, "Precision": r.Precision,
		} {
			if text == "" {
				t.Errorf("%s has no %s", r.Name, part)
			}
		}
		if strings.HasSuffix(r.Summary, ".") || strings.Contains(r.Summary, "\n") {
			t.Errorf("%s: the summary is one sentence without a full stop: %q", r.Name, r.Summary)
		}
		// The limit of code-scanning services for a description.
		if n := len(r.Why); n > 1024 {
			t.Errorf("%s: Why has %d bytes", r.Name, n)
		}
		page := rules.Page(r)
		for _, want := range []string{"# " + r.Name + "\n", "## Why\n", "## Bad\n", "## Good\n", "## How to fix\n", "## How to ignore\n", "Since version " + r.Since} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s lacks %q", r.Name, want)
			}
		}
		if ignorable := strings.Contains(page, "digestlint:ignore["+r.Name+"]"); ignorable == (r.Certain || r.AboutIgnores) {
			t.Errorf("the page of %s is wrong about ignoring it", r.Name)
		}
	}
	if len(names) < 9 {
		t.Errorf("%d rules", len(names))
	}
	if rules.Lookup("no-such-rule") != nil {
		t.Error("an unknown name has a rule")
	}
}

func TestSeverity(t *testing.T) {
	for _, s := range []rules.Severity{rules.Off, rules.Info, rules.Warning, rules.Error} {
		if got, err := rules.ParseSeverity(s.String()); err != nil || got != s {
			t.Errorf("ParseSeverity(%q) = %v, %v", s, got, err)
		}
	}
	if _, err := rules.ParseSeverity("fatal"); err == nil {
		t.Error("ParseSeverity accepts fatal")
	}
}

func TestJudging(t *testing.T) {
	for _, test := range []struct {
		name string
		file [3]string
		want string
	}{
		{"a pinned image is fine", dockerfile("FROM nginx:1.27@" + someDigest), ""},
		{"a registry's port is not a tag", dockerfile("FROM localhost:5000/nginx"),
			"1 error floating-tag: localhost:5000/nginx has no tag, so it is whatever was pushed last as latest\n"},
		{"a stage is no image", dockerfile("FROM nginx:1.27@" + someDigest + " AS base\nFROM base\nFROM scratch\n"), ""},
		{"an argument's default is judged", dockerfile("ARG TAG=1.27\nFROM nginx:${TAG}"),
			"2 error unpinned-image: nginx:1.27 is not pinned to a digest\n"},
		{"a tag behind an at sign", dockerfile("FROM mysql@8.0.44"),
			"1 error invalid-reference: \"mysql@8.0.44\" is not a reference: \"8.0.44\" after \"@\" is not a digest (a tag stands after \":\")\n"},
		{"upper case", dockerfile("FROM ghcr.io/Acme/App:1"),
			"1 error invalid-reference: \"ghcr.io/Acme/App:1\" is not a reference: upper case in the repository name \"Acme/App\"\n"},
		{"an image ID", dockerfile("FROM " + someDigest[len("sha256:"):]),
			"1 error invalid-reference: " + someDigest[len("sha256:"):] + " is the ID of a local image, not a reference\n"},
		{"an image ID with its algorithm", dockerfile("FROM " + someDigest),
			"1 error invalid-reference: " + someDigest + " is the ID of a local image, not a reference\n"},
		{"an argument without a default", dockerfile("ARG TAG\nFROM nginx:${TAG}"),
			"2 info unresolved-variable: the image depends on TAG, which no file here decides\n"},
		{"a placeholder", compose("services:\n  web:\n    image: REPLACE_ME\n"),
			"3 info unresolved-variable: REPLACE_ME is a placeholder: the image is not known here\n"},
		{"the name of a build is not judged", compose("services:\n  web:\n    image: acme/web:latest\n    build: .\n"), ""},
		{"a listed digest under another name", dockerfile("FROM registry.example/x@" + badDigest),
			"1 error malicious-digest: malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"},
		{"a listed digest of one platform", dockerfile("FROM checkmarx/kics:alpine@" + badPlatform),
			"1 error malicious-digest: malicious image: sha256:d186161ae8e3…, the linux/amd64 manifest behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"},
		{"a listed digest as the name of a build", compose("services:\n  web:\n    image: kics@" + badDigest + "\n    build: .\n"),
			"3 error malicious-digest: malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"},
		{"a listed digest behind an unknown registry", dockerfile("ARG REGISTRY\nFROM ${REGISTRY}/kics@" + badDigest),
			"2 error malicious-digest: malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n" +
				"2 info unresolved-variable: the image depends on REGISTRY, which no file here decides\n"},
		{"a listed digest in upper case", dockerfile("FROM kics@" + strings.ToUpper(badDigest[7:])),
			"1 error invalid-reference: \"kics@" + strings.ToUpper(badDigest[7:]) + "\" is not a reference: \"" + strings.ToUpper(badDigest[7:]) +
				"\" after \"@\" is not a digest (a tag stands after \":\")\n" +
				"1 error malicious-digest: malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"},
		{"a good digest clears a bad tag", dockerfile("FROM checkmarx/kics:v2.1.20@" + goodDigest), ""},
		{"a tag that the attacker created", dockerfile("FROM checkmarx/kics:v2.1.21"),
			"1 error compromised-tag: checkmarx/kics:v2.1.21 was created by the attacker (DL-2026-0001)\n" +
				"1 error unpinned-image: checkmarx/kics:v2.1.21 is not pinned to a digest\n"},
		{"a tag that was overwritten", dockerfile("FROM checkmarx/kics"),
			"1 warning compromised-tag: checkmarx/kics:latest was malicious 2026-04-22 12:35 UTC – 15:41:31 UTC (DL-2026-0001)\n" +
				"1 error floating-tag: checkmarx/kics has no tag, so it is whatever was pushed last as latest\n"},
		{"a tag of two incidents", dockerfile("FROM aquasec/trivy:latest"),
			"1 warning compromised-tag: aquasec/trivy:latest was malicious 2026-03-19 18:22 UTC – 21:42 UTC and from 2026-03-20 03:26 UTC, end unknown (DL-2026-0002) " +
				"and was malicious 2026-03-22 15:43 UTC – 2026-03-23 01:40 UTC (DL-2026-0003)\n" +
				"1 error floating-tag: aquasec/trivy:latest floats: the tag latest names whatever was pushed last\n"},
		{"a disputed tag", dockerfile("FROM ghcr.io/aquasecurity/trivy:0.69.5"),
			"1 warning compromised-tag: ghcr.io/aquasecurity/trivy:0.69.5 was created by the attacker (DL-2026-0003, disputed)\n" +
				"1 error unpinned-image: ghcr.io/aquasecurity/trivy:0.69.5 is not pinned to a digest\n"},
		{"an exposed tag", dockerfile("FROM quay.io/skopeo/stable:v1.4.0"),
			"1 info compromised-tag: quay.io/skopeo/stable:v1.4.0 may have been tampered with; nothing is proven (DL-2023-0004)\n" +
				"1 error unpinned-image: quay.io/skopeo/stable:v1.4.0 is not pinned to a digest\n"},
		{"a host of an attacker", dockerfile("FROM ghrc.io/acme/app:1.0"),
			"1 error compromised-tag: ghrc.io/acme/app:1.0 comes from a host of an attacker; ghcr.io is what people mean (DL-2025-0001)\n" +
				"1 error unpinned-image: ghrc.io/acme/app:1.0 is not pinned to a digest\n"},
		{"a mention in a comment", dockerfile("# not " + badDigest + "\nFROM scratch\n"),
			"1 warning malicious-mention: mention of a malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"},
		{"a mention in an unknown format, twice", [3]string{"NOTES", "", badDigest[7:] + "\n\n" + badDigest + "\n"},
			"1 warning malicious-mention: mention of a malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n" +
				"3 warning malicious-mention: mention of a malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"},
		{"a definition is said once", dockerfile("ARG KICS=checkmarx/kics@" + badDigest + "\nFROM ${KICS}\n"),
			"2 error malicious-digest: malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 " +
				"(DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := lines(judge(t, test.file)); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestUnapproved(t *testing.T) {
	approved := func(digest string) bool { return digest == someDigest }
	for _, test := range []struct {
		name string
		file [3]string
		want string
	}{
		{"approved under any name", dockerfile("FROM a:1@" + someDigest + "\nFROM registry.example/b@" + someDigest), ""},
		{"not approved", dockerfile("FROM a:1@" + otherDigest + "\nFROM b@" + otherDigest),
			"1 error unapproved-digest: a:1 is pinned to sha256:fedcba987654…, which is not in the approved digests file\n" +
				"2 error unapproved-digest: b is pinned to sha256:fedcba987654…, which is not in the approved digests file\n"},
		{"not pinned", dockerfile("FROM a:1"), "1 error unpinned-image: a:1 is not pinned to a digest\n"},
		{"no reference", dockerfile("FROM A:1@" + otherDigest),
			"1 error invalid-reference: \"A:1@" + otherDigest + "\" is not a reference: upper case in the repository name \"A\"\n"},
		{"the name of a build", compose("services:\n  web:\n    image: a:1@" + otherDigest + "\n    build: .\n"), ""},
		{"an argument, approved and not", dockerfile("ARG A=a:1@" + otherDigest + "\nARG B=b:1@" + someDigest + "\nFROM $A\nFROM $B\n"),
			"3 error unapproved-digest: a:1 is pinned to sha256:fedcba987654…, which is not in the approved digests file\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := lines(judgeApproved(t, approved, test.file)); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestFloating(t *testing.T) {
	for tag, want := range map[string]bool{
		"": true, "latest": true, "LATEST": true, "latest-alpine": true, "1.2-latest": true, "latest-22.04": true,
		"stable": true, "stable-slim": true, "stable-alpine3.19": true, "testing": true, "testing-backports": true, "lts-jdk17": true, "alpine-edge": true,
		"main": true, "nightly": true, "unstable": true,
		"1.27": false, "v2": false, "alpine": false, "bookworm": false, "mainline-1.27": false, "nightly-2026-01-31": false,
		"main-1a2b3c4": false, "main-abcdefa": false, "1.2-beta": false, "v1.2.3-rc": false, "20-lts": false,
		"maintenance": false, "a-main-b": false, "edgeless": false, "-": false,
	} {
		content := "FROM nginx"
		if tag != "" {
			content += ":" + tag
		}
		if tag == "-" {
			content = "FROM nginx:1-"
		}
		found := judge(t, dockerfile(content))
		is := slices.ContainsFunc(found, func(f rules.Finding) bool { return f.Rule == rules.FloatingTag })
		if is != want || len(found) != 1 {
			t.Errorf("%q: floating is %v, findings:\n%s", tag, is, lines(found))
		}
	}
}

func TestHints(t *testing.T) {
	for _, test := range []struct{ name, content, want string }{
		{"a tag behind an at sign", "FROM mysql@8.0.44", "write mysql:8.0.44, then run `digestlint pin PATH`"},
		{"upper case", "FROM ghcr.io/Acme/App:1", "write it in lower case: ghcr.io/acme/app:1"},
		{"a short digest", "FROM nginx:1@sha256:abc", `a digest is "sha256:" and 64 lower-case hex digits: copy the whole of it, or remove "@sha256:abc" and run ` + "`digestlint pin PATH`"},
		{"nothing to go by", "FROM nginx:1:2", "write [registry/]name[:tag][@sha256:…]"},
		{"unpinned", "FROM nginx:1", "run `digestlint pin PATH`, or write name:tag@sha256:…"},
		{"floating", "FROM nginx", "choose a version; run `digestlint pin PATH`, or write name:tag@sha256:…"},
		{"a withdrawn registry has no tag to pin", "FROM harbor2.vantage6.ai/infrastructure/x:5.0", "treat every job and host that ran it as compromised and rotate all credentials that they could reach; " +
			"what to do: `digestlint explain compromised-tag`\n" +
			"known good: vantage6 >= 4.15 from ghcr.io/vantage6 (confirmed; vendor notice of 2026-05-11 (excerpt only))\n" +
			"all that is known: `digestlint advisories show DL-2026-0004`"},
		{"malicious", "FROM kics@" + badDigest, "treat every job and host that ran it as compromised and rotate all credentials that they could reach; " +
			"what to do: `digestlint explain malicious-digest`\n" +
			"known good: checkmarx/kics:v2.1.19@" + goodDigest + " (confirmed; vendor-named: Checkmarx moved its own action to it on 2026-04-23)\n" +
			"all that is known: `digestlint advisories show DL-2026-0001`"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := judge(t, dockerfile(test.content))
			if len(found) == 0 || found[0].Hint != test.want {
				t.Errorf("got %+v\nwant %q", found, test.want)
			}
		})
	}
}

// TestCondemnedHint is about tags that may not be pinned as they are.
func TestCondemnedHint(t *testing.T) {
	found := judge(t, dockerfile("FROM checkmarx/kics:v2.1.21"))
	if len(found) != 2 || found[1].Rule != rules.UnpinnedImage || found[1].Hint != "choose another tag first: see compromised-tag" {
		t.Errorf("%+v", found)
	}
}

// TestNoListedAdvice holds what is recommended against what is listed.
func TestNoListedAdvice(t *testing.T) {
	for _, image := range []string{"checkmarx/kics", "aquasec/trivy:0.69.4", "debian:sid", "kong/kubernetes-ingress-controller:3.4.0", "eugenci/papermerge", "docker123321/x"} {
		for _, f := range judge(t, dockerfile("FROM "+image)) {
			if found := judge(t, [3]string{"hint", "", f.Hint}); len(found) > 0 {
				t.Errorf("%s: the hint names a listed digest: %s", image, f.Hint)
			}
		}
	}
}

func TestConflictingDigests(t *testing.T) {
	pin := func(path, ref string) [3]string { return [3]string{path, "dockerfile", "FROM " + ref + "\n"} }
	files := [][3]string{
		pin("a", "golang:1.26@"+otherDigest),
		pin("b", "docker.io/library/golang:1.26@"+someDigest),
		pin("c", "golang:1.26@"+someDigest),
		pin("d", "golang:1.26-alpine@"+otherDigest), // another tag
		pin("e", "golang@"+otherDigest),             // no tag
	}
	found := judge(t, files...)
	want := "1 warning conflicting-digests: golang:1.26 is pinned to sha256:fedcba987654… here, but to sha256:0123456789ab… in 2 other places\n"
	if got := lines(found); got != want {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	if f := found[0]; f.Path != "a" || len(f.Related) != 1 || f.Related[0].Path != "b" {
		t.Errorf("%+v", f)
	}
	slices.Reverse(files)
	if again := judge(t, files...); lines(again) != want {
		t.Errorf("the order of files changes the findings:\n%s", lines(again))
	}
	equal := judge(t, pin("b", "x:1@"+someDigest), pin("a", "x:1@"+otherDigest))
	if len(equal) != 1 || equal[0].Path != "b" {
		t.Errorf("of equals the first path is right:\n%s", lines(equal))
	}
}

// TestSeveralValues is about one use with several values, of which there are
// findings only once.
func TestSeveralValues(t *testing.T) {
	file := &source.File{Path: "ci.yaml", Data: []byte("image: ${{ matrix.image }}\na\nb\nc\nd\ne\nf\n")}
	u := image.Use{File: file, Span: source.Span{Start: 7, End: 26}, Raw: "${{ matrix.image }}", Pointer: "jobs.build.container"}
	for i, text := range []string{"node:1", "node:2", "node:3", "node:4", "node:5", "node:5", "node", "Node:X", "Node:Y", "app@" + badDigest, "checkmarx/kics:v2.1.21"} {
		v := image.Value{Text: text}
		v.Ref, v.Err = image.Parse(text)
		v.Definition = &image.Definition{File: file, Span: source.Span{Start: 27 + i, End: 28 + i}, Kind: "matrix entry", Name: "image"}
		u.Values = append(u.Values, v)
	}
	var found []rules.Finding
	rules.Run(&rules.Pass{File: file, Uses: []image.Use{u}, Tree: &rules.Tree{}}, byDefault(), func(f rules.Finding) { found = append(found, f) })
	slices.SortFunc(found, func(a, b rules.Finding) int { return strings.Compare(a.Rule.Name, b.Rule.Name) })
	want := `1 error compromised-tag: checkmarx/kics:v2.1.21 was created by the attacker (DL-2026-0001)
1 error floating-tag: node has no tag, so it is whatever was pushed last as latest
1 error invalid-reference: "Node:X" is not a reference: upper case in the repository name "Node" (and 1 more of the values here)
1 error malicious-digest: malicious image: sha256:2588a4489026…, the index behind alpine, v2.1.20 and v2.1.21 (DL-2026-0001: checkmarx/kics on Docker Hub replaced with trojanized KICS (TeamPCP))
1 error unpinned-image: node:1, node:2, node:3, node:4 and 2 more are not pinned to a digest
`
	if got := lines(found); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for _, f := range found {
		if len(f.Related) == 0 || f.Pointer != u.Pointer {
			t.Errorf("%s: %+v", f.Rule.Name, f)
		}
	}
	if f := found[4]; len(f.Names) == 0 || f.Reference != u.Raw {
		t.Errorf("a finding about several images is called %q, %q", f.Names, f.Reference)
	}
	if f := found[1]; !slices.Equal(f.Names, []string{"docker.io/library/node"}) || f.Reference != "node" {
		t.Errorf("a finding about one image is called %q, %q", f.Names, f.Reference)
	}
}

// TestStates is about uses that are listed only, and about doubtful ones.
func TestStates(t *testing.T) {
	file := &source.File{Path: "f", Data: []byte("x")}
	use := func(ref string, change func(*image.Use)) image.Use {
		v := image.Value{Text: ref}
		v.Ref, v.Err = image.Parse(ref)
		u := image.Use{File: file, Span: source.Span{End: 1}, Raw: "x", Values: []image.Value{v}}
		change(&u)
		return u
	}
	for _, test := range []struct {
		name string
		use  image.Use
		want string
	}{
		{"local", use("app", func(u *image.Use) { u.Local = true }), ""},
		{"replaced", use("app:1", func(u *image.Use) { u.Replaced = true }), ""},
		{"output", use("A@1", func(u *image.Use) { u.Role = image.Output }), ""},
		{"output of a bad tag", use("checkmarx/kics:v2.1.21", func(u *image.Use) { u.Role = image.Output }), ""},
		{"local of a bad tag", use("checkmarx/kics:v2.1.21", func(u *image.Use) { u.Local = true }),
			"1 error compromised-tag: checkmarx/kics:v2.1.21 was created by the attacker (DL-2026-0001)\n"},
		{"doubtful", use("app:1", func(u *image.Use) { u.Confidence = image.Low }), "1 info unpinned-image: app:1 is not pinned to a digest\n"},
		{"doubtful and bad", use("checkmarx/kics:v2.1.21", func(u *image.Use) { u.Confidence = image.Low }),
			"1 error compromised-tag: checkmarx/kics:v2.1.21 was created by the attacker (DL-2026-0001)\n" +
				"1 info unpinned-image: checkmarx/kics:v2.1.21 is not pinned to a digest\n"},
		{"opaque", use("", func(u *image.Use) { u.Values = nil }), "1 info unresolved-variable: x is only known when it runs\n"},
		{"opaque by a variable", use("", func(u *image.Use) { u.Values, u.Variables = nil, []string{"A"} }),
			"1 info unresolved-variable: the image depends on A, whose value is not known here\n"},
		{"opaque output", use("", func(u *image.Use) { u.Values, u.Role = nil, image.Output }), ""},
		{"partly known", use("app:1", func(u *image.Use) { u.Missing = []string{"A", "B"} }),
			"1 info unresolved-variable: the image depends on A and B, which no file here decides\n" +
				"1 error unpinned-image: app:1 is not pinned to a digest\n"},
		{"one digest only", use("app", func(u *image.Use) { u.DigestOnly = true }), "1 error floating-tag: app has no tag, so it is whatever was pushed last as latest\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var found []rules.Finding
			rules.Run(&rules.Pass{File: file, Uses: []image.Use{test.use}, Tree: &rules.Tree{}}, byDefault(), func(f rules.Finding) { found = append(found, f) })
			slices.SortFunc(found, func(a, b rules.Finding) int { return strings.Compare(a.Message, b.Message) })
			got := strings.Split(strings.TrimSuffix(lines(found), "\n"), "\n")
			want := strings.Split(strings.TrimSuffix(test.want, "\n"), "\n")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
		})
	}
}

func TestPinHint(t *testing.T) {
	file := &source.File{Path: "f", Data: []byte("x")}
	for _, test := range []struct {
		site image.Site
		only bool
		want string
	}{
		{image.Site{}, false, "run `digestlint pin PATH`, or write name:tag@sha256:…"},
		{image.Site{}, true, "run `digestlint pin PATH`, or write name@sha256:…"},
		{image.Site{Safety: image.Refused, Reason: "TAG feeds two images"}, false, "`digestlint pin` leaves this one to you: TAG feeds two images"},
		{image.Site{Safety: image.Unsafe, Reason: "others may read .env"}, false, "`digestlint pin --unsafe` can write the digest: others may read .env"},
	} {
		u := image.Use{File: file, Raw: "x", DigestOnly: test.only, Values: []image.Value{{Text: "app:1", Ref: image.Reference{Repository: "app", Tag: "1"}, Site: test.site}}}
		var hint string
		rules.Run(&rules.Pass{File: file, Uses: []image.Use{u}, Tree: &rules.Tree{}}, byDefault(), func(f rules.Finding) { hint = f.Hint })
		if hint != test.want {
			t.Errorf("got %q, want %q", hint, test.want)
		}
	}
}

// TestKeyOfDigest is about a digest with a key of its own, apart from the use.
func TestKeyOfDigest(t *testing.T) {
	data := "repository: kics\ndigest: " + badDigest + "\n"
	file := &source.File{Path: "values.yaml", Data: []byte(data)}
	at := strings.Index(data, badDigest)
	v := image.Value{Text: "kics@" + badDigest, Site: image.Site{File: file, Key: true, Tail: source.Span{Start: at, End: at + len(badDigest)}}}
	v.Ref, v.Err = image.Parse(v.Text)
	u := image.Use{File: file, Span: source.Span{Start: 12, End: 16}, Raw: "kics", Values: []image.Value{v}}
	var found []rules.Finding
	rules.Run(&rules.Pass{File: file, Uses: []image.Use{u}, Tree: &rules.Tree{}}, byDefault(), func(f rules.Finding) { found = append(found, f) })
	if len(found) != 1 || found[0].Rule != rules.MaliciousDigest {
		t.Fatalf("got\n%s", lines(found))
	}
	if r := found[0].Related; len(r) != 1 || r[0].Start != (source.Position{Line: 2, Column: 9}) {
		t.Errorf("%+v", r)
	}
}

func TestPlace(t *testing.T) {
	long := strings.Repeat("é", 500)
	for _, test := range []struct {
		name, data string
		span       source.Span
		source     string
		offset     int
		utf16      rules.Columns
	}{
		{"a plain line", "a\nimage: x\n", source.Span{Start: 9, End: 10}, "image: x", 0, rules.Columns{Start: 8, End: 9}},
		{"characters outside the first plane count two", "é😀 x", source.Span{Start: 7, End: 8}, "é😀 x", 0, rules.Columns{Start: 5, End: 6}},
		{"a span over two lines ends with the first", "ab\ncd", source.Span{Start: 1, End: 4}, "ab", 0, rules.Columns{Start: 2, End: 3}},
		{"an empty span", "ab", source.Span{Start: 2, End: 2}, "ab", 0, rules.Columns{Start: 3, End: 3}},
		{"an empty file", "", source.Span{}, "", 0, rules.Columns{Start: 1, End: 1}},
		{"outside the file", "ab", source.Span{Start: 9, End: 12}, "ab", 0, rules.Columns{Start: 3, End: 3}},
		{"bytes that are no UTF-8", "\xff\xfex", source.Span{Start: 2, End: 3}, "\xff\xfex", 0, rules.Columns{Start: 3, End: 4}},
		{"a long line is cut between characters", long + "x" + long, source.Span{Start: 1000, End: 1001},
			strings.Repeat("é", 50) + "x" + strings.Repeat("é", 149), 900, rules.Columns{Start: 501, End: 502}},
		{"a long line of ASCII", strings.Repeat("a", 999), source.Span{Start: 2, End: 3}, strings.Repeat("a", 400), 0, rules.Columns{Start: 3, End: 4}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := rules.Place(&source.File{Data: []byte(test.data)}, test.span, rules.Finding{Rule: rules.UnpinnedImage})
			if f.Source != test.source || f.Offset != test.offset || f.UTF16 != test.utf16 || f.Severity != rules.Error {
				t.Errorf("%q at %d, %v, %v", f.Source, f.Offset, f.UTF16, f.Severity)
			}
		})
	}
}

// TestPlaceIsBounded is about lines of which only the start is decoded.
func TestPlaceIsBounded(t *testing.T) {
	line := strings.Repeat("é", 40<<10)
	f := rules.Place(&source.File{Data: []byte(line)}, source.Span{Start: 80 << 10, End: 80 << 10}, rules.Finding{Rule: rules.UnpinnedImage})
	if want := 1 + 32<<10 + 16<<10; f.UTF16.Start != want {
		t.Errorf("column %d, want %d", f.UTF16.Start, want)
	}
}

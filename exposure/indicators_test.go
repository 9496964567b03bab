package exposure

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/advisories"
)

// said is what an advisory of indicators holds, a word each.
func said(all []*advisories.Advisory) string {
	var out []string
	for _, a := range all {
		for _, d := range a.Digests {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("digest %s %s %s", d.Digest[7:11], d.Repository, strings.Join(d.Tags, ",")), " "))
		}
		for _, r := range a.Repositories {
			if r.State != advisories.NoState {
				out = append(out, fmt.Sprintf("repository %s %s", r.Name, r.State))
			}
		}
		for _, t := range a.Tags {
			text := fmt.Sprintf("tags %s %s %s", strings.Join(t.In, ","), strings.Join(t.Names, ","), t.State)
			if t.Versions != (advisories.Range{}) {
				text += " " + t.Versions.From + ".." + t.Versions.To
			}
			for _, w := range t.Windows {
				text += " " + w.String()
			}
			out = append(out, text)
		}
		for _, i := range a.Indicators {
			out = append(out, "trace "+i)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func TestReadIndicators(t *testing.T) {
	upper := strings.ToUpper(listed[7:])
	for _, test := range []struct{ name, text, want string }{
		{"digests", "# a comment\n" + listed + "\n\n" + other[7:] + "  # behind\n" + listed + "\n", "digest 0123 \ndigest 2588 "},
		{"upper case, CRLF, BOM", "\ufeffSHA256:" + upper + "\r\n", "digest 2588 "},
		{"with names", "acme/app:1 " + listed + "\n" + other + " ghcr.io/acme/tool\n", "digest 0123 ghcr.io/acme/tool\ndigest 2588 docker.io/acme/app 1\ntags docker.io/acme/app 1 overwritten"},
		{"references", "acme/app:1@" + listed + "\nacme/tool:2\n", "digest 2588 docker.io/acme/app 1\ntags docker.io/acme/app 1 overwritten\ntags docker.io/acme/tool 2 overwritten"},
		{"repositories", "acme/evil\nquay.io/bad/*\n", "repository docker.io/acme/evil malicious\nrepository quay.io/bad/* malicious"},
		{"a table", "Image,Tag,SHA256,Notes\nacme/app,\"1, 2\"," + listed[7:] + ",x\n", "digest 2588 docker.io/acme/app 1,2\ntags docker.io/acme/app 1,2 overwritten"},
		{"a table with semicolons and times", "image;tag;from;until\nacme/app;1;2026-04-22 12:35;2026-04-22T15:41:31Z\n", "tags docker.io/acme/app 1 overwritten 2026-04-22 12:35 UTC – 15:41:31 UTC"},
		{"of a vendor, without a header", "docker image,acme/app,\"1, 2\"\ndomain,evil[.]example,\nnpm package,left-pad,1.0\n", "tags docker.io/acme/app 1,2 overwritten\ntrace evil[.]example"},
		{"a range", "type,name,version\nimage,acme/app,0.69.4 to 0.69.6\n", "tags docker.io/acme/app  overwritten 0.69.4..0.69.6"},
		{"advisories", invented, said([]*advisories.Advisory{inventedSet(t).All()[0]})},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, err := ReadIndicators("dir/iocs of acme.csv", strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(test.want) {
				want = append(want, strings.TrimRight(line, "\n"))
			}
			slices.Sort(want)
			if got := said(all); got != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

// What is written out by "advisories export" is read back with nothing lost.
func TestReadIndicatorsExported(t *testing.T) {
	want := advisories.Embedded().All()
	for name, write := range map[string]func(*strings.Builder) error{
		"OSV": func(b *strings.Builder) error { return advisories.WriteOSV(b, want) },
		"CSV": func(b *strings.Builder) error { return advisories.WriteCSV(b, want) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		all, err := ReadIndicators("export", strings.NewReader(b.String()))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		set := advisories.NewSet(all)
		for _, a := range want {
			for _, d := range a.Digests {
				if _, ok := set.LookupDigest(d.Digest); !ok {
					t.Errorf("%s lost the digest %s of %s", name, d.Digest, a.ID)
				}
			}
		}
		for _, text := range suspects(want) {
			now, before := set.Match(ref(t, text)), advisories.Embedded().Match(ref(t, text))
			if len(now) == 0 || len(before) > 0 && now[0].When() == "" && before[0].When() != "" {
				t.Errorf("%s: %s was %+v, and is %+v", name, text, before, now)
			}
		}
	}
}

// suspects are references of which the advisories speak: each tag, the start of
// each range, and a tag of each repository whose name is the verdict.
func suspects(all []*advisories.Advisory) []string {
	var refs []string
	for _, a := range all {
		for _, r := range a.Repositories {
			if r.State != advisories.NoState {
				refs = append(refs, strings.Replace(r.Name, "/*", "/app", 1)+":any")
			}
		}
		for _, s := range a.Tags {
			for _, name := range s.In {
				for _, tag := range s.Names {
					refs = append(refs, name+":"+tag)
				}
				if s.Versions.From != "" {
					refs = append(refs, name+":"+s.Versions.From)
				}
			}
		}
	}
	return refs
}

// TestReadIndicatorsVendor has the header and the rows of a vendor's table, in
// which few rows are about images
// (https://github.com/DataDog/indicators-of-compromise).
func TestReadIndicatorsVendor(t *testing.T) {
	all, err := ReadIndicators("iocs.csv", strings.NewReader(`artifact_type,name,affected_versions
pypi package,acme,"1.82.7, 1.82.8"
docker image,acme/scanner,"0.69.4, 0.69.5"
docker image,ghcr.io/acme/scanner,0.69.4
github action,acme/setup,0.2.0 to 0.2.6
github action,acme/action,All tags not starting with v except 0.35.0
npm package,@acme/floating,2.15.1
file hash,`+other[7:]+`,
ipv4,203.0.113[.]7,
`))
	if err != nil {
		t.Fatal(err)
	}
	want := `tags docker.io/acme/scanner 0.69.4,0.69.5 overwritten
tags ghcr.io/acme/scanner 0.69.4 overwritten
trace ` + other[7:] + `
trace 203.0.113[.]7`
	if got := said(all); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if a := all[0]; a.ID != "iocs" || a.Title != "indicators from iocs.csv" {
		t.Errorf("%s: %s", a.ID, a.Title)
	}
}

// TestReadIndicatorsOlder holds that a version of a known advisory of any age
// takes nothing away and loses nothing.
func TestReadIndicatorsOlder(t *testing.T) {
	for _, modified := range []string{"", "modified: 2000-01-01\n", "modified: 2999-01-01\n"} {
		all, err := ReadIndicators("x", strings.NewReader("advisory: DL-2026-0001\ntitle: t\ntype: compromised-publisher\nseverity: low\n"+modified+
			"certainty: reported\n\ndigest: "+other+"\nkind: index\n"))
		if err != nil {
			t.Fatal(err)
		}
		set := advisories.Embedded().With(all...)
		for _, digest := range []string{listed, other} {
			if _, ok := set.LookupDigest(digest); !ok {
				t.Errorf("%q: %s is lost", modified, digest)
			}
		}
	}
}

func TestReadIndicatorsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "x.txt: no image in it",
		"# nothing\n":                     "x.txt: no image in it",
		"acme/app:1\nsha256:12\n":         "x.txt:2: ",
		"this is some prose\n":            "x.txt:1: 4 words",
		"nginx\n":                         "x.txt:1: neither a digest nor a tag",
		"sha512:" + listed[7:] + "\n":     "x.txt:1: ",
		"name,what\n1,2\n":                "x.txt:2: ",
		"image,sha256\nacme/app,12\n":     "x.txt:2: ",
		"advisory: X\nnonsense\n":         "x.txt",
		"{\"id\": 1}":                     "x.txt",
		strings.Repeat("a b c\n", 50):     "30 more lines like these",
		strings.Repeat("a", 5000) + "\n":  "x.txt:1: a line of 5000 bytes",
		"image,tag\n\"acme/app\n,1\n,2\n": "quotation mark",
	} {
		all, err := ReadIndicators("x.txt", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, %v, want %q", text, said(all), err, want)
		}
	}
}

func FuzzReadIndicators(f *testing.F) {
	for _, seed := range []string{listed + "\n", "acme/app:1 " + listed, "image,tag\nacme/app,1\n", "docker image,a/b,\"1, 2\"\n", invented, "{}", "quay.io/x/*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, _ := ReadIndicators("f", strings.NewReader(text))
		set := advisories.Embedded().With(all...)
		// Whatever a file says, what was known stays known.
		if _, ok := set.LookupDigest(listed); !ok {
			t.Fatal("a listed digest was lost")
		}
		set.Match(ref(t, "acme/app:1"))
		set.Contradictions()
	})
}

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
		for _, text := range []string{"checkmarx/kics:latest", "checkmarx/kics:v2.1.21", "aquasec/trivy:0.69.4"} {
			if len(set.Match(ref(t, text))) == 0 {
				t.Errorf("%s lost %s", name, text)
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

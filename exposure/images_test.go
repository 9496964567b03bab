package exposure

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/advisories"
)

// The images of the fixtures, which podman, skopeo and containerd have made:
// acme/app is an index with one manifest, acme/good a manifest.
const (
	appIndex    = "sha256:30c2b975e016fc4d06c571ef9710bc60cd6630460f4e860014a08bb623d35958"
	appManifest = "sha256:e69685c3abedad2f0661b13f8e6ec9f3f5ca00efe2f874b0e83bae7afb19f6bb"
	appConfig   = "sha256:28778772d20c4b8cf592e5e0020908413260c1e465deac2357b1c9361ddae931"
	goodDigest  = "sha256:c4d6ab32596868de22039b443f3a38fca52668ccdde9ab4e91d6a523efe334b6"
)

// fixtureAdvisory has a tag of both images; only digests of the one are listed.
const fixtureAdvisory = `advisory: DL-2099-0002
title: an example
type: compromised-publisher
severity: critical
published: 2099-03-02

repository: docker.io/acme/app
certainty: confirmed
sources: s

repository: docker.io/acme/good
certainty: confirmed
sources: s

tags: multi
in: docker.io/acme/app
state: overwritten
certainty: confirmed
sources: s
window: 2026-11-24T00:00:00Z .. 2026-11-24T00:30:00Z

tags: 1 latest
in: docker.io/acme/good
state: overwritten
certainty: confirmed
sources: s
window: 2026-11-24T00:00:00Z .. 2026-11-25T00:00:00Z

DIGESTS
source: s
class: vendor advisory
url: https://acme.example/advisory
`

// fixtureSet lists digests, each with its kind before it: "index sha256:…".
func fixtureSet(t testing.TB, digests ...string) *advisories.Set {
	t.Helper()
	var stanzas strings.Builder
	for _, d := range digests {
		kind, digest, _ := strings.Cut(d, " ")
		fmt.Fprintf(&stanzas, "digest: %s\nkind: %s\nrepository: docker.io/acme/app\ntags: multi\ncertainty: confirmed\nsources: s\n\n", digest, kind)
	}
	a, err := advisories.Parse("fixture", []byte(strings.Replace(fixtureAdvisory, "DIGESTS\n", stanzas.String(), 1)))
	if err != nil {
		t.Fatal(err)
	}
	return advisories.NewSet([]*advisories.Advisory{a})
}

// describe is a report as lines.
func describe(r *Report) []byte {
	var b bytes.Buffer
	for _, t := range r.Traces {
		p := t.Place
		fmt.Fprintf(&b, "%s: %s %s\n", t.Verdict, t.Kind, t.Name())
		fmt.Fprintf(&b, "\t%s:%d", t.Evidence, p.Line)
		for _, s := range []string{p.Path, p.Store, p.Node, p.Namespace, p.Pod, p.Container} {
			if s != "" {
				fmt.Fprintf(&b, " %s", s)
			}
		}
		if t.Listed != "" {
			fmt.Fprintf(&b, " listed %s", t.Listed)
		}
		for _, at := range []time.Time{t.From, t.Until} {
			if at.IsZero() {
				b.WriteString(" -")
			} else {
				b.WriteString(" " + at.Format(time.RFC3339))
			}
		}
		fmt.Fprintf(&b, "\n\t%s\n\t%s\n", t.Why, t.Text)
		for _, c := range t.Reaches {
			fmt.Fprintf(&b, "\t%s %q of %s\n", c.Kind, c.Name, c.Where)
		}
	}
	for _, s := range r.Sources {
		fmt.Fprintf(&b, "%s %s: %d %s\n", s.Kind, s.Name, s.Items, s.Unit)
		for _, note := range s.Notes {
			fmt.Fprintf(&b, "\t%s\n", note)
		}
	}
	for _, err := range r.Errors {
		fmt.Fprintf(&b, "error: %s\n", err)
	}
	return b.Bytes()
}

type reader func(context.Context, string, io.Reader, *Recorder) error

// readFixtures reads each file of a folder of testdata, and compares the reports
// with the golden ones.
func readFixtures(t *testing.T, folder string, read reader) {
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	set := fixtureSet(t, "index "+appIndex, "manifest "+appManifest, "config "+appConfig)
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rec := NewRecorder(set)
			if err := read(context.Background(), name, f, rec); err != nil {
				t.Error(err)
			}
			golden(t, folder+"/"+name+".golden", describe(rec.Report(time.Time{})))
		})
	}
}

func TestReadImages(t *testing.T) { readFixtures(t, "images", ReadImages) }

// readString reads text by read, with the digests listed.
func readString(t testing.TB, read reader, text string, digests ...string) *Report {
	t.Helper()
	rec := NewRecorder(fixtureSet(t, digests...))
	if err := read(context.Background(), "-", strings.NewReader(text), rec); err != nil {
		t.Error(err)
	}
	return rec.Report(time.Time{})
}

// Whichever digest of an image an incident lists, it is found in whatever prints
// that one.
func TestReadImagesListed(t *testing.T) {
	for _, test := range []struct {
		file, listed string
		want         Verdict
	}{
		{"docker-images.txt", "index " + appIndex, Confirmed},
		{"docker-images.txt", "manifest " + appManifest, Confirmed},
		{"docker-images-notrunc.txt", "config " + appConfig, Confirmed},
		{"docker-images-notrunc.txt", "index " + appIndex, Possible}, // the tags alone
		{"docker-image-inspect.json", "config " + appConfig, Confirmed},
		{"docker-image-inspect.json", "manifest " + appManifest, Confirmed},
		{"docker-image-inspect.json", "config " + listed, Clear}, // the digests clear the tags
		{"docker-inspect.json", "config " + appConfig, Confirmed},
		{"podman-images.txt", "index " + appIndex, Confirmed},
		{"podman-images.txt", "config " + listed, Clear},
		{"podman-images.json", "config " + appConfig, Confirmed},
		{"podman-images.json", "config " + listed, Clear},
		{"podman-ps.json", "config " + appConfig, Confirmed},
		{"podman-inspect.json", "index " + appIndex, Confirmed},
		{"podman-inspect.json", "config " + appConfig, Confirmed},
		{"podman-inspect.json", "config " + listed, Clear},
		{"ctr-images.txt", "index " + appIndex, Confirmed},
		{"ctr-images.txt", "config " + appConfig, Confirmed},
		{"ctr-images.txt", "config " + listed, Clear},
		{"crictl-images.json", "index " + appIndex, Confirmed},
		{"crictl-images.json", "config " + appConfig, Confirmed},
		{"crictl-images.json", "config " + listed, Clear},
		{"crictl-ps.json", "config " + appConfig, Confirmed},
		{"crictl-inspect.json", "index " + appIndex, Confirmed},
		{"crictl-inspecti.json", "config " + appConfig, Confirmed},
		{"nerdctl-images.json", "index " + appIndex, Confirmed},
		{"skopeo-inspect.json", "index " + appIndex, Confirmed},
		{"skopeo-inspect.json", "config " + listed, Clear},
		{"docker-api.json", "manifest " + appManifest, Confirmed},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "images", test.file))
		if err != nil {
			t.Fatal(err)
		}
		r := readString(t, ReadImages, string(text), test.listed)
		if r.Verdict() != test.want {
			t.Errorf("%s, %s listed: %v, want %v\n%s", test.file, test.listed, r.Verdict(), test.want, describe(r))
		}
	}
}

// The image of a container may be listed behind it, or by another command.
func TestReadImagesJoined(t *testing.T) {
	container := `[{"Id":"1","Image":"` + appConfig + `","Config":{"Image":"acme/app:multi"},"State":{"StartedAt":"2026-11-24T00:10:00Z"}}]`
	imageList := func(digest string) string {
		return `[{"Id":"` + appConfig + `","RepoTags":["acme/app:multi"],"RepoDigests":["acme/app@` + digest + `"]}]`
	}
	for _, test := range []struct {
		name, text string
		want       Verdict
	}{
		{"alone", container, Likely},
		{"cleared by a later list", container + "\n" + imageList(goodDigest), Clear},
		{"cleared by an earlier list", imageList(goodDigest) + container, Clear},
		{"convicted", container + imageList(appIndex), Confirmed},
		{"a digest of another name", container + strings.ReplaceAll(imageList(goodDigest), "acme/app", "other/app"), Likely},
		{"another image", container + strings.ReplaceAll(imageList(goodDigest), appConfig, other), Likely},
	} {
		if r := readString(t, ReadImages, test.text, "index "+appIndex); r.Verdict() != test.want {
			t.Errorf("%s: %v, want %v\n%s", test.name, r.Verdict(), test.want, describe(r))
		}
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// utf16Text is text as PowerShell writes it.
func utf16Text(text string, bigEndian bool) []byte {
	var b []byte
	for _, unit := range append([]rune{0xfeff}, []rune(text)...) {
		units := []rune{unit}
		if unit > 0xffff {
			units = []rune{0xd800 + (unit-0x10000)>>10, 0xdc00 + (unit-0x10000)&0x3ff}
		}
		for _, u := range units {
			if bigEndian {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
	}
	return b
}

func TestReadImagesPacked(t *testing.T) {
	const text = "REPOSITORY   TAG    DIGEST   IMAGE ID   CREATED\r\n" +
		"acme/app   multi   " + appIndex + "   28778772d20c   \U0001f433 ago\r\n"
	zipped := filepath.Join(t.TempDir(), "lists.zip")
	f, err := os.Create(zipped)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	for _, name := range []string{"hosts/", "hosts/a.txt", "hosts/b.txt"} {
		part, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			io.WriteString(part, text)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		r    io.Reader
		want int // traces
	}{
		{"plain", strings.NewReader(text), 1},
		{"byte order mark", strings.NewReader("\ufeff" + text), 1},
		{"UTF-16", bytes.NewReader(utf16Text(text, false)), 1},
		{"UTF-16, big-endian", bytes.NewReader(utf16Text(text, true)), 1},
		{"gzip", bytes.NewReader(gzipped(t, text)), 1},
		{"gzip, two members", io.MultiReader(bytes.NewReader(gzipped(t, text)), bytes.NewReader(gzipped(t, strings.ReplaceAll(text, "multi", "m2")))), 2},
		{"zip", f, 2},
	} {
		rec := NewRecorder(fixtureSet(t, "index "+appIndex))
		if err := ReadImages(context.Background(), "lists", test.r, rec); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		r := rec.Report(time.Time{})
		if len(r.Traces) != test.want || r.Verdict() != Confirmed || len(r.Errors) > 0 {
			t.Errorf("%s:\n%s", test.name, describe(r))
		}
		for i, want := range []string{"hosts/a.txt", "hosts/b.txt"} {
			if test.name == "zip" && (r.Traces[i].Place.Path != want || !strings.Contains(r.Traces[i].Text, "\U0001f433")) {
				t.Errorf("%+v", r.Traces[i])
			}
		}
	}
}

func TestReadImagesUnreadable(t *testing.T) {
	packed := gzipped(t, strings.Repeat("acme/app:multi\n", 1000))
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		r    io.Reader
		want string
	}{
		{"half a gzip", context.Background(), bytes.NewReader(packed[:len(packed)-20]), "unexpected EOF"},
		{"no gzip", context.Background(), strings.NewReader("\x1f\x8b nothing"), "gzip"},
		{"a zip in a pipe", context.Background(), strings.NewReader("PK\x03\x04"), "unpack it first"},
		{"a broken disk", context.Background(), io.MultiReader(strings.NewReader("acme/app:multi\n"), failingReader{}), "broken disk"},
		{"cancelled", cancelled, strings.NewReader("acme/app:multi\n"), "context canceled"},
	} {
		rec := NewRecorder(fixtureSet(t))
		err := ReadImages(test.ctx, "list.gz", test.r, rec)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "list.gz") {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if r := rec.Report(time.Time{}); len(r.Sources) != 1 {
			t.Errorf("%s: %d sources", test.name, len(r.Sources))
		}
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("broken disk") }

func TestReadImagesBounded(t *testing.T) {
	t.Run("unpacked", func(t *testing.T) {
		rec := NewRecorder(fixtureSet(t))
		l := newListing(rec, "images", "bomb.gz")
		l.limit = 100
		read := func(text *jsonText) {
			for {
				if _, ok := text.peek(); !ok {
					return
				}
				text.readLine()
				l.count("lines")
			}
		}
		for _, n := range []int{100, 5000} {
			if err := l.parts(context.Background(), bytes.NewReader(gzipped(t, strings.Repeat("a\n", n)[:n])), read); err != nil {
				t.Error(err)
			}
		}
		l.finish()
		r := rec.Report(time.Time{})
		if len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), "left unread") {
			t.Errorf("%v", r.Errors)
		}
	})
	t.Run("object", func(t *testing.T) {
		long := `{"Id":"` + strings.Repeat("x", maxValue) + `"}`
		for _, text := range []string{
			long + "\nacme/app@" + appIndex,
			"[" + long + `,{"Id":"","RepoDigests":["acme/app@` + appIndex + `"]}]`,
			`{"a":"` + strings.Repeat("x", maxValue-10) + `","b":"` + strings.Repeat("x", maxValue-10) + `"}` + "\nacme/app@" + appIndex,
		} {
			r := readString(t, ReadImages, text, "index "+appIndex)
			if len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), "left unread") || r.Verdict() != Confirmed {
				t.Errorf("%s", describe(r))
			}
		}
	})
	t.Run("line", func(t *testing.T) {
		r := readString(t, ReadImages, strings.Repeat("x", 10*maxLine)+"\nacme/app@"+appIndex, "index "+appIndex)
		if r.Verdict() != Confirmed || r.Traces[0].Place.Line != 2 {
			t.Errorf("%s", describe(r))
		}
	})
	t.Run("errors", func(t *testing.T) {
		r := readString(t, ReadImages, strings.Repeat(`{"Some":"thing"}`+"\n", 1000))
		if len(r.Errors) != maxComplaints+1 || !strings.Contains(r.Errors[0].Error(), "995 errors more") {
			t.Errorf("%s", describe(r))
		}
	})
}

// Evidence is written by anybody.
func FuzzReadImages(f *testing.F) {
	files, err := filepath.Glob("testdata/images/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	set := fixtureSet(f, "index "+appIndex, "config "+appConfig)
	f.Fuzz(func(t *testing.T, text []byte) { fuzzReader(t, ReadImages, set, text) })
}

// fuzzReader holds that a reader ends, and that what it says stands in the text.
func fuzzReader(t *testing.T, read reader, set *advisories.Set, text []byte) {
	rec := NewRecorder(set)
	_ = read(context.Background(), "-", bytes.NewReader(text), rec) // any error will do
	r := rec.Report(time.Time{})
	lines := bytes.Count(text, []byte("\n")) + 1
	for _, trace := range r.Traces {
		if trace.Place.Line < 1 || trace.Place.Line > lines || len(trace.Text) > MaxText {
			t.Errorf("line %d of %d: %q", trace.Place.Line, lines, trace.Text)
		}
	}
	if len(r.Sources) != 1 {
		t.Errorf("%d sources", len(r.Sources))
	}
}

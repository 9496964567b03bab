package advisories

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// osvRules are those of the OSV schema that records of images can break, by the
// path of the value ("[]" is any element): its JSON type, and a pattern for
// texts (https://github.com/ossf/osv-schema/blob/main/validation/schema.json).
var osvRules = map[string]struct{ kind, pattern string }{
	"schema_version":               {"string", `^1\.\d+\.\d+$`},
	"id":                           {"string", `^x_[A-Z]+-\d{4}-\d{4}$`},
	"modified":                     {"string", timestamp},
	"published":                    {"string", timestamp},
	"aliases":                      {"array", ""},
	"aliases[]":                    {"string", `^(CVE|GHSA)-`},
	"related":                      {"array", ""},
	"related[]":                    {"string", `^x_`},
	"summary":                      {"string", `^.{1,200}$`},
	"details":                      {"string", `(?s).`},
	"affected":                     {"array", ""},
	"affected[]":                   {"object", ""},
	"affected[].versions":          {"array", ""},
	"affected[].versions[]":        {"string", `^sha256:[0-9a-f]{64}$`},
	"affected[].database_specific": {"object", ""},
	"references":                   {"array", ""},
	"references[]":                 {"object", ""},
	"references[].type":            {"string", `^(ADVISORY|ARTICLE|DETECTION|DISCUSSION|REPORT|FIX|INTRODUCED|GIT|PACKAGE|EVIDENCE|WEB)$`},
	"references[].url":             {"string", `^https://\S+$`},
	"database_specific":            {"object", ""},
}

const timestamp = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`

// checkOSV reports what the schema does not allow.
func checkOSV(t *testing.T, path string, v any) {
	t.Helper()
	if path != "" {
		rule, ok := osvRules[path]
		if !ok {
			t.Errorf("%s is not in the schema", path)
			return
		}
		kind := map[reflect.Kind]string{reflect.String: "string", reflect.Slice: "array", reflect.Map: "object"}[reflect.TypeOf(v).Kind()]
		if kind != rule.kind {
			t.Errorf("%s is %s, not %s", path, kind, rule.kind)
		}
		if s, ok := v.(string); ok && !regexp.MustCompile(rule.pattern).MatchString(s) {
			t.Errorf("%s is %q", path, s)
		}
	}
	if strings.HasSuffix(path, "database_specific") {
		return // whatever the database likes
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			checkOSV(t, path+"[]", e)
		}
	case map[string]any:
		for k, e := range v {
			checkOSV(t, strings.TrimPrefix(path+"."+k, "."), e)
		}
	}
}

func TestOSVSchema(t *testing.T) {
	var out bytes.Buffer
	if err := WriteOSV(&out, Embedded().All()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(out.Bytes()) {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		for _, required := range []string{"schema_version", "id", "modified", "summary", "affected"} {
			if record[required] == nil {
				t.Errorf("%v: no %s", record["id"], required)
			}
		}
		checkOSV(t, "", record)
		n++
	}
	if n != len(Embedded().All()) {
		t.Errorf("%d records", n)
	}
}

// forRoundTrip is a without what an OSV record leaves out, and with tags and
// windows taken apart by repository.
func forRoundTrip(a *Advisory) *Advisory {
	b := *a
	b.References, b.Sources, b.Notes, b.See = nil, nil, nil, nil
	b.Tags = nil
	windows := func(ws []Window, name string) []Window {
		var all []Window
		for _, w := range ws {
			if name == "" || len(w.In) == 0 || slices.Contains(w.In, name) {
				w.In, w.Sources, w.Notes = nil, nil, nil
				all = append(all, w)
			}
		}
		return all
	}
	b.Repositories = slices.Clone(a.Repositories)
	for i := range b.Repositories {
		r := &b.Repositories[i]
		r.Sources, r.Notes, r.Windows = nil, nil, windows(r.Windows, "")
	}
	for _, r := range a.osvRepositories() {
		for _, s := range a.Tags {
			if slices.Contains(s.In, r.Name) {
				s.In, s.Sources, s.Notes, s.Windows = []string{r.Name}, nil, nil, windows(s.Windows, r.Name)
				b.Tags = append(b.Tags, s)
			}
		}
	}
	b.Digests = slices.Clone(a.Digests)
	for i := range b.Digests {
		d := &b.Digests[i]
		d.Sources, d.Notes, d.Windows = nil, nil, windows(d.Windows, "")
		if len(b.Repositories) == 1 && d.Repository == "" {
			d.Repository = b.Repositories[0].Name
		}
	}
	slices.SortFunc(b.Digests, func(a, b Digest) int { return strings.Compare(a.Digest, b.Digest) })
	b.KnownGood = slices.Clone(a.KnownGood)
	for i := range b.KnownGood {
		b.KnownGood[i].Sources, b.KnownGood[i].Notes = nil, nil
	}
	return &b
}

// TestOSVRoundTrip holds that what is exported says the same when it is read.
func TestOSVRoundTrip(t *testing.T) {
	var out bytes.Buffer
	if err := WriteOSV(&out, Embedded().All()); err != nil {
		t.Fatal(err)
	}
	array := "[" + strings.Join(strings.Split(strings.TrimSpace(out.String()), "\n"), ",") + "]"
	for how, text := range map[string]string{"lines": out.String(), "array": array} {
		got, err := ParseOSV("x", []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		for i, a := range Embedded().All() {
			if a.Certainty == (Certainty{}) {
				got[i].Certainty = Certainty{} // without one a record is reported
			}
			slices.SortFunc(got[i].Digests, func(a, b Digest) int { return strings.Compare(a.Digest, b.Digest) })
			if diff := cmp.Diff(forRoundTrip(a), got[i]); diff != "" {
				t.Errorf("%s, %s: %s", how, a.ID, diff)
			}
		}
	}
}

func TestWriteOSVWithoutModified(t *testing.T) {
	err := WriteOSV(&bytes.Buffer{}, []*Advisory{{ID: "X-1"}})
	if err == nil || !strings.Contains(err.Error(), "X-1") || !strings.Contains(err.Error(), "modified") {
		t.Errorf("error %v", err)
	}
}

// TestParseOSVForeign reads records that other databases could have.
func TestParseOSVForeign(t *testing.T) {
	got, err := ParseOSV("x", []byte(`{"id": "MAL-2026-1", "modified": "2026-04-22T12:00:00Z", "summary": "bad image", "affected": [
		{"package": {"ecosystem": "x", "name": "app", "purl": "pkg:oci/app@sha256%3A0000000000000000000000000000000000000000000000000000000000000001?repository_url=Docker.io%2Facme%2Fapp&tag=v1"}, "versions": ["v2"]},
		{"versions": ["sha256:0000000000000000000000000000000000000000000000000000000000000002"]}
	], "severity": [{"type": "CVSS_V3", "score": "x"}], "unknown": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	reported := Certainty{Grade: Reported}
	want := &Advisory{
		ID: "MAL-2026-1", Title: "bad image", Certainty: reported, Modified: time.Date(2026, 4, 22, 12, 0, 0, 0, time.UTC),
		Repositories: []Repository{{Name: "docker.io/acme/app", Certainty: reported}},
		Tags:         []TagSet{{Names: []string{"v1", "v2"}, In: []string{"docker.io/acme/app"}, State: Overwritten, Certainty: reported}},
		Digests: []Digest{
			{Digest: someSum, Repository: "docker.io/acme/app", Certainty: reported},
			{Digest: someSum[:len(someSum)-1] + "2", Certainty: reported},
		},
	}
	if diff := cmp.Diff([]*Advisory{want}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseOSVErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{", "unexpected EOF"},
		{`"text"`, "cannot unmarshal"},
		{`{"id": 1}`, "cannot unmarshal"},
		{`{"id": "A-1"}`, "names no image"},
		{`{"affected": [{"versions": ["` + someSum + `"]}]}`, "no id"},
		{`{"id": "a b", "affected": [{"versions": ["` + someSum + `"]}]}`, `in an identifier`},
		{`{"id": "A-1", "modified": "yesterday", "affected": [{"versions": ["` + someSum + `"]}]}`, `"A-1": modified: "yesterday" is not a time`},
		{`{"id": "A-1", "summary": "\u001b[2J", "affected": [{"versions": ["` + someSum + `"]}]}`, "unprintable"},
		{`{"id": "A-1", "affected": [{"database_specific": {"repository": "Nginx"}}]}`, "repository: "},
		{`{"id": "A-1", "affected": [{"database_specific": {"repository": "docker.io/a/b", "state": "bad"}}]}`, "unknown state"},
		{`{"id": "A-1", "affected": [{"database_specific": {"repository": "docker.io/a/b", "tags": [{"names": ["a b"], "state": "exposed"}]}}]}`, "tags: "},
		{`{"id": "A-1", "affected": [{"database_specific": {"repository": "docker.io/a/b", "windows": [{"start": "x", "end": "unknown"}]}}]}`, "window: "},
		{`{"id": "A-1", "affected": [{"database_specific": {"digests": [{"digest": "sha256:1"}]}}]}`, "digest: "},
		{`{"id": "A-1", "affected": [{"versions": ["` + someSum + `"]}], "database_specific": {"not_affected": [{"reference": "a"}]}}`, "no reference with a digest"},
	} {
		got, err := ParseOSV("name", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), "name: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %s", c.text, got, err, c.want)
		}
	}
}

func FuzzParseOSV(f *testing.F) {
	var out bytes.Buffer
	if err := WriteOSV(&out, Embedded().All()[:6]); err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(out.Bytes()) {
		f.Add(string(line))
	}
	f.Add(fmt.Sprintf(`[{"id": "A", "affected": [{"package": {"purl": "pkg:oci/a@%s?tag=1"}}]}]`, someSum))
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseOSV("x", []byte(text))
		if err != nil {
			return
		}
		for _, a := range all {
			for _, d := range a.Digests {
				if _, ok := NewSet(all).LookupDigest(d.Digest); !ok {
					t.Errorf("%s is not found", d.Digest)
				}
			}
		}
	})
}

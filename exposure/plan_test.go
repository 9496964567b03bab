package exposure

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/digestlint/digestlint/advisories"
)

// The digests of the invented incident of these tests.
const (
	badIndex    = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	badManifest = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	badConfig   = "sha256:3333333333333333333333333333333333333333333333333333333333333333"
	goodIndex   = "sha256:4444444444444444444444444444444444444444444444444444444444444444"
)

// scannerIncident is an advisory with all that a plan can use, and one that
// completes it.
var scannerIncident = []string{`advisory: DL-2099-0007
title: acme/scan on Docker Hub replaced
type: compromised-publisher
severity: critical
published: 2099-03-02
references: vendor blog
see: DL-2099-0008
indicator: collect.acme-cdn[.]example (/v1/in)
indicator: 192.0.2[.]17
indicator: User-Agent scan-telemetry/2.0 (x)
indicator: User-Agent scan-telemetry/2.0
indicator: dropper sha256 5555555555555555555555555555555555555555555555555555555555555555
indicator: a public repository called "exfil"

repository: docker.io/acme/scan
certainty: confirmed
sources: vendor

tags: latest v2.1
state: overwritten
certainty: confirmed
sources: vendor
window: 2099-03-01T10:00:00Z .. 2099-03-01T12:30:00Z

tags: v2.2
state: created-by-attacker
certainty: confirmed
sources: vendor
window: 2099-03-01T11:00:00Z .. unknown

digest: ` + badIndex + `
kind: index
tags: latest v2.1
certainty: confirmed; the vendor's
sources: vendor

digest: ` + badManifest + `
kind: manifest
platform: linux/amd64
tags: latest v2.1
certainty: confirmed
sources: vendor

digest: ` + badConfig + `
kind: config
tags: latest v2.1
certainty: reported
sources: blog

good: v2.0
tags: v2.0
digest: ` + goodIndex + `
kind: index
certainty: confirmed; named by the vendor
sources: vendor

good: v2.3 and later
certainty: reported
sources: blog

source: vendor
class: vendor advisory
url: https://acme.example/advisory

source: blog
class: press
url: https://news.example/2099/scan?a=1&b=2

`, `advisory: DL-2099-0008
title: the same actor elsewhere
type: compromised-publisher
severity: high
references: notice
indicator: second.example[.]org

repository: docker.io/acme/other
certainty: confirmed
sources: notice

tags: latest
state: overwritten
certainty: disputed
sources: notice
window: 2099-03-02 .. 2099-03-03

source: notice
class: researcher
url: https://research.example/notice
`}

func scannerSet(t testing.TB) *advisories.Set {
	t.Helper()
	var all []*advisories.Advisory
	for _, text := range scannerIncident {
		a, err := advisories.Parse("incident", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return advisories.NewSet(all)
}

// made is when the reports of these tests are made.
var made = time.Date(2099, 3, 4, 2, 13, 0, 0, time.UTC)

// planOf is the plan that follows from what record tells a recorder.
func planOf(t testing.TB, record func(*Recorder)) *Plan {
	t.Helper()
	set := scannerSet(t)
	rec := NewRecorder(set)
	record(rec)
	return NewPlan(rec.Report(made), set)
}

// usual is what an incident looks like: each kind of event, each verdict.
func usual(t *testing.T) func(*Recorder) {
	return func(rec *Recorder) {
		moment := func(clock string) (time.Time, time.Time) { return at(t, clock), at(t, clock) }
		token := Credential{Kind: "secret", Name: "NPM_TOKEN", Where: "jobs.scan of .github/workflows/ci.yml"}
		event := func(e Event, from, until time.Time) {
			e.From, e.Until = from, until
			rec.Event(e)
		}
		from, until := moment("11:02")
		event(Event{
			Kind: Pulled, Evidence: "logs.zip", Place: Place{Path: "build/3_Run scan.txt", Line: 120, Job: "build", Step: "Run scan"},
			Ref: ref(t, "acme/scan:latest"), Digests: []string{badIndex}, Text: "Digest: " + badIndex,
			Reaches: []Credential{token, {Kind: "secret", Name: "AWS_ROLE", Where: "env of .github/workflows/ci.yml"}},
		}, from, until)
		from, until = moment("10:30")
		event(Event{
			Kind: Pulled, Evidence: "jenkins.log", Place: Place{Line: 7, Job: "nightly"},
			Ref: ref(t, "acme/scan"), Text: "+ docker pull acme/scan",
		}, from, until)
		event(Event{
			Kind: Running, Evidence: "pods.json", Place: Place{Namespace: "ci", Pod: "scan-1", Container: "scan", Node: "node-a"},
			Ref: ref(t, "acme/scan:v2.1"), Digests: []string{badManifest},
			Reaches: []Credential{{Kind: "service account", Name: "scanner", Where: "namespace ci"}, {Kind: "mounted secret", Name: "deploy-key", Where: "namespace ci"}},
		}, at(t, "11:40"), at(t, "11:40"))
		event(Event{
			Kind: Running, Evidence: "pods.json", Place: Place{Namespace: "ci", Pod: "CronJob/scan", Container: "scan"},
			Ref: ref(t, "acme/scan:v2.2"),
		}, at(t, "11:50"), at(t, "11:50"))
		event(Event{
			Kind: Running, Evidence: "pods.json", Place: Place{Namespace: "dev", Pod: "old-1", Container: "scan"}, Ref: ref(t, "acme/scan:v2.1"),
		}, time.Time{}, time.Time{})
		event(Event{
			Kind: Running, Evidence: "docker", Place: Place{Container: "scan_1", Store: "docker"}, Ref: ref(t, "acme/scan:v2.1"), ImageID: badConfig,
		}, at(t, "12:00"), at(t, "12:00"))
		event(Event{
			Kind: Present, Evidence: "images.txt", Place: Place{Line: 4, Store: "podman"}, Ref: ref(t, "acme/scan@"+badIndex),
		}, time.Time{}, time.Time{})
		event(Event{
			Kind: Cached, Evidence: "mirror.example", Place: Place{Path: "hub/acme/scan", Store: "registry"}, Ref: ref(t, "mirror.example/hub/acme/scan@"+badIndex),
		}, made, made)
		event(Event{
			Kind: Named, Evidence: "shop", Place: Place{Path: ".github/workflows/ci.yml", Line: 12, Branch: "main", Commit: "0123456789abcdef0123456789abcdef01234567"},
			Ref: ref(t, "acme/scan:latest"), Reaches: []Credential{token, {Kind: "variable", Name: "SONAR_TOKEN", Where: "jobs.scan of .github/workflows/ci.yml"}},
			Text: "image: acme/scan:latest",
		}, at(t, "2098-11-05T08:00:00Z"), time.Time{})
		event(Event{
			Kind: Named, Evidence: "shop", Place: Place{Path: "deploy/scan.yaml", Line: 3, Branch: "main", Commit: "1123456789abcdef0123456789abcdef01234567", Gone: "2123456789abcdef0123456789abcdef01234567"},
			Ref: ref(t, "acme/scan:v2.1"),
		}, at(t, "09:00"), at(t, "11:15"))
		event(Event{
			Kind: Named, Evidence: "shop", Place: Place{Path: "Dockerfile", Line: 1, Branch: "fix", Commit: "3123456789abcdef0123456789abcdef01234567"},
			Ref: ref(t, "acme/scan:v2.2"),
		}, at(t, "12:10"), time.Time{})
		event(Event{
			Kind: Pulled, Evidence: "jenkins.log", Place: Place{Line: 40, Job: "other"}, Ref: ref(t, "acme/other"),
		}, at(t, "2099-03-02T05:00:00Z"), at(t, "2099-03-02T05:00:00Z"))

		rec.Source(Source{Kind: "repository", Name: "shop", Items: 12345, Unit: "commits", From: at(t, "2090-01-01T00:00:00Z"), Until: made, Notes: []string{"submodule vendor/x at 4123456789ab was not looked at"}})
		rec.Source(Source{Kind: "log", Name: "logs.zip", Items: 5120, Unit: "lines", From: at(t, "10:00"), Until: at(t, "12:00")})
		rec.Source(Source{Kind: "log", Name: "jenkins.log", Items: 900, Unit: "lines", Notes: []string{"times without a zone were taken for UTC"}})
		rec.Source(Source{Kind: "pods", Name: "pods.json", Items: 3, Unit: "pods"})
		rec.Source(Source{Kind: "images", Name: "images.txt", Items: 40, Unit: "images"})
		rec.Source(Source{Kind: "engine", Name: "docker", Items: 7, Unit: "containers"})
		rec.Source(Source{Kind: "registry", Name: "mirror.example", Items: 12, Unit: "digests"})
		rec.Error(errors.New("read old.log.gz: line 17: unexpected EOF"))
	}
}

// evil is what a stranger may have written into evidence.
const evil = "</code><script>alert(1)</script><img src=x onerror=alert(1)> ``` `$(id)`` |x| @all [a](http://evil.example) \x1b[31m\u202e\x00\n# x"

// hostile is evidence by an attacker.
func hostile(t *testing.T) func(*Recorder) {
	return func(rec *Recorder) {
		place := Place{Path: evil, Branch: "-" + evil, Commit: evil, Job: evil, Step: evil, Node: "--" + evil, Namespace: evil, Pod: evil, Container: "--" + evil, Store: "docker"}
		for _, kind := range []Kind{Pulled, Present, Running, Cached, Named} {
			rec.Event(Event{
				Kind: kind, Evidence: "-" + evil, Place: place, From: at(t, "11:00"), Until: at(t, "11:00"), Ref: ref(t, "acme/scan:latest"), Digests: []string{badIndex},
				Text: Cut(evil), Reaches: []Credential{{Kind: evil, Name: evil, Where: evil}},
			})
		}
		place.Pod = "" // so that it is a container of an engine
		rec.Event(Event{Kind: Running, Evidence: evil, Place: place, Digests: []string{badIndex}})
		place.Gone = ""
		rec.Event(Event{Kind: Named, Evidence: evil, Place: place, Ref: ref(t, "acme/scan:v2.2"), Text: evil})
		rec.Source(Source{Kind: "log", Name: evil, Items: 1, Unit: evil, Notes: []string{evil}})
		rec.Error(errors.New(evil))
	}
}

// many is a report of n pods and n pulls.
func many(t testing.TB, n int) *Plan {
	return planOf(t, func(rec *Recorder) {
		for i := range n {
			rec.Event(Event{
				Kind: Running, Evidence: "pods.json", Place: Place{Namespace: fmt.Sprintf("ns-%d", i%40), Pod: fmt.Sprintf("scan-%d", i), Container: "scan", Node: fmt.Sprintf("node-%d", i%200)},
				Ref: ref2("acme/scan", "v2.1"), Digests: []string{badManifest}, From: made.Add(-time.Duration(i) * time.Minute), Until: made.Add(-time.Duration(i) * time.Minute),
				Reaches: []Credential{{Kind: "service account", Name: fmt.Sprintf("account-%d", i%500), Where: fmt.Sprintf("namespace ns-%d", i%40)}},
			})
		}
		rec.Source(Source{Kind: "pods", Name: "pods.json", Items: int64(n), Unit: "pods"})
	})
}

// plans are those whose outputs are held by golden files.
func plans(t *testing.T) map[string]*Plan {
	return map[string]*Plan{
		"usual":   planOf(t, usual(t)),
		"hostile": planOf(t, hostile(t)),
		"clear": planOf(t, func(rec *Recorder) {
			rec.Source(Source{Kind: "log", Name: "ci.log", Items: 1200, Unit: "lines", From: at(t, "09:00"), Until: at(t, "15:00")})
			rec.Source(Source{Kind: "repository", Name: "shop", Items: 50, Unit: "commits", Notes: []string{"a shallow clone: nothing before 2099-02-27 is there"}})
		}),
		"errors": planOf(t, func(rec *Recorder) { rec.Error(errors.New("read pods.json: unexpected end of JSON input")) }),
		"possible": planOf(t, func(rec *Recorder) {
			rec.Event(Event{
				Kind: Named, Evidence: ".", Place: Place{Path: "Dockerfile", Line: 1, Branch: "HEAD"}, Ref: ref(t, "acme/scan:v2.1"), From: at(t, "09:00"),
				Reaches: []Credential{{Kind: "build argument", Name: "TOKEN", Where: "Dockerfile"}},
			})
			rec.Source(Source{Kind: "repository", Name: ".", Items: 1, Unit: "commits"})
		}),
	}
}

func TestPlanVerdict(t *testing.T) {
	for name, want := range map[string]struct {
		verdict  Verdict
		headline string
		tally    string
		steps    string
	}{
		"usual":    {Confirmed, "a malicious image was pulled, runs or is stored; 1 piece of evidence could not be read", "5 confirmed, 2 likely, 5 possible, of 2 incidents", "contain rotate re-pull pin purge prevent"},
		"clear":    {Clear, "nothing was found in what was looked at", "", ""},
		"errors":   {Clear, "nothing was looked at; 1 piece of evidence could not be read", "", ""},
		"possible": {Possible, "a compromised image was named or used; nothing proves that a malicious one was pulled", "1 possible, of 1 incident", "contain rotate re-pull pin prevent"},
	} {
		p := plans(t)[name]
		var steps []string
		for _, s := range p.Steps {
			steps = append(steps, s.Name)
		}
		if got := strings.Join(steps, " "); p.Verdict() != want.verdict || p.Headline() != want.headline || p.Tally() != want.tally || got != want.steps {
			t.Errorf("%s: got %v, %q, %q, %s", name, p.Verdict(), p.Headline(), p.Tally(), got)
		}
	}
}

// A credential is within reach of a pull that the file beside it may have made.
func TestCredentialsBehindPulls(t *testing.T) {
	for _, test := range []struct {
		name              string
		pulled            string // the reference
		at                string
		from, until       string // when the file named it
		want              Verdict
		since             string
		pulls, credential int
	}{
		{"while it was named", "acme/scan:v2.1", "11:00", "09:00", "", Likely, "11:00", 1, 1},
		{"by another name", "docker.io/acme/scan:v2.1", "11:00", "09:00", "", Likely, "11:00", 1, 1},
		{"no tag is latest", "acme/scan", "11:00", "09:00", "", Possible, "10:00", 0, 1},
		{"before it was named", "acme/scan:v2.1", "10:30", "10:45", "", Possible, "10:45", 0, 1},
		{"after it was removed", "acme/scan:v2.1", "11:00", "09:00", "10:45", Possible, "10:00", 0, 1},
		{"at an unknown time", "acme/scan:v2.1", "", "09:00", "", Possible, "10:00", 0, 1},
		{"of another repository", "acme/other", "11:00", "09:00", "", Possible, "10:00", 0, 1},
	} {
		p := planOf(t, func(rec *Recorder) {
			rec.Event(Event{Kind: Pulled, Evidence: "ci.log", Ref: ref(t, test.pulled), From: at(t, test.at), Until: at(t, test.at)})
			rec.Event(Event{
				Kind: Named, Evidence: "shop", Place: Place{Path: "ci.yml"}, Ref: ref(t, "acme/scan:v2.1"), From: at(t, test.from), Until: at(t, test.until),
				Reaches: []Credential{{Kind: "secret", Name: "TOKEN"}},
			})
		})
		if len(p.Credentials) != test.credential {
			t.Fatalf("%s: %d credentials", test.name, len(p.Credentials))
		}
		if c := p.Credentials[0]; c.Verdict != test.want || !c.Since.Equal(at(t, test.since)) || len(c.Pulls) != test.pulls {
			t.Errorf("%s: got %v since %v by %d pulls", test.name, c.Verdict, c.Since, len(c.Pulls))
		}
	}
}

// Only files are for pin: what lists and logs name is not in a file that it can
// change.
func TestPinIsForFiles(t *testing.T) {
	p := planOf(t, func(rec *Recorder) {
		rec.Event(Event{
			Kind: Named, Evidence: "deployments.json", Place: Place{Namespace: "ci", Pod: "Deployment/scan", Container: "scan", Line: 7},
			Ref: ref(t, "acme/scan:v2.1"), From: at(t, "09:00"),
		})
		rec.Source(Source{Kind: "pods", Name: "deployments.json"})
	})
	var lines []string
	for _, s := range p.Steps {
		if s.Name == "pin" {
			for _, i := range s.Items {
				for _, c := range i.Commands {
					lines = append(lines, c.Line)
				}
			}
		}
	}
	text := strings.Join(lines, "\n")
	if strings.Contains(text, "deployments.json") {
		t.Errorf("pin would change evidence:\n%s", text)
	}
	want := "kubectl --namespace=ci set image deployment/scan -- scan=docker.io/acme/scan:v2.0@" + goodIndex
	if !strings.Contains(text, want) {
		t.Errorf("no %s in:\n%s", want, text)
	}
}

// What is not committed is on no branch: there is none to go to before it is
// pinned.
func TestPinInTheWorkTree(t *testing.T) {
	for branch, want := range map[string]bool{"main": true, "main" + notCommitted: false} {
		p := planOf(t, func(rec *Recorder) {
			rec.Event(Event{
				Kind: Named, Evidence: "shop", Place: Place{Path: "compose.yaml", Line: 3, Branch: branch},
				Ref: ref(t, "acme/scan:v2.1"), From: at(t, "09:00"),
			})
			rec.Source(Source{Kind: "repository", Name: "shop"})
		})
		var lines []string
		for _, s := range p.Steps {
			for _, i := range s.Items {
				for _, c := range i.Commands {
					lines = append(lines, c.Line)
				}
			}
		}
		text := strings.Join(lines, "\n")
		if got := strings.Contains(text, "git -C shop switch -- "); got != want || !strings.Contains(text, "digestlint pin ") {
			t.Errorf("on branch %q:\n%s", branch, text)
		}
	}
}

// What is listed is never recommended, even if another advisory calls it good.
func TestNothingListedIsGood(t *testing.T) {
	a, err := advisories.Parse("incident", []byte(scannerIncident[0]))
	if err != nil {
		t.Fatal(err)
	}
	b, err := advisories.Parse("incident", []byte(strings.NewReplacer("docker.io/acme/other", "docker.io/acme/third", "DL-2099-0008", "DL-2099-0009").Replace(scannerIncident[1])+
		"\ndigest: "+goodIndex+"\nkind: index\ncertainty: confirmed\nsources: notice\n"))
	if err != nil {
		t.Fatal(err)
	}
	set := advisories.NewSet([]*advisories.Advisory{a, b})
	rec := NewRecorder(set)
	rec.Event(Event{Kind: Pulled, Evidence: "ci.log", Ref: ref(t, "acme/scan:v2.1"), From: at(t, "11:00"), Until: at(t, "11:00")})
	p := NewPlan(rec.Report(made), set)
	for format := range formats {
		if text := string(write(t, p, format)); strings.Contains(text, goodIndex) {
			t.Errorf("%s recommends a listed digest", format)
		}
	}
	if text := string(write(t, p, "text")); !strings.Contains(text, "None is known here.") {
		t.Error("nothing says that no good digest is known")
	}
}

func TestParseIndicator(t *testing.T) {
	for text, want := range map[string]Indicator{
		"a.example[.]org":                              {Kind: NetworkIndicator, Pattern: "a[.]example[.]org"},
		"a[.]example[.]org (/v1/x)":                    {Kind: NetworkIndicator, Pattern: "a[.]example[.]org"},
		"see a-b[.]example.":                           {Kind: NetworkIndicator, Pattern: "a-b[.]example"},
		"192.0.2[.]1":                                  {Kind: NetworkIndicator, Pattern: "192[.]0[.]2[.]1"},
		"User-Agent x/2.0":                             {Kind: NetworkIndicator, Pattern: "x/2[.]0"},
		"user-agent: x+y":                              {Kind: NetworkIndicator, Pattern: "x[+]y"},
		"User-Agent it's":                              {},
		"User-Agent a b":                               {},
		"x sha256 " + strings.Repeat("aB", 32):         {},
		"x sha256 " + strings.Repeat("AB", 32):         {Kind: FileIndicator, Pattern: strings.Repeat("ab", 32)},
		"x " + strings.Repeat("0", 64) + " (a vendor)": {Kind: FileIndicator, Pattern: strings.Repeat("0", 64)},
		"a.example.org":                                {},
		"":                                             {},
	} {
		want.Text = text
		if got := parseIndicator(text); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// The patterns of all advisories are regular expressions that find what they are
// made of.
func TestIndicatorPatterns(t *testing.T) {
	found := 0
	for _, a := range advisories.Embedded().All() {
		for _, text := range a.Indicators {
			i := parseIndicator(text)
			if i.Pattern == "" {
				continue
			}
			found++
			re, err := regexp.CompilePOSIX(i.Pattern)
			if err != nil {
				t.Errorf("%s: %v", text, err)
			} else if !re.MatchString(strings.ReplaceAll(text, "[.]", ".")) {
				t.Errorf("%s does not match %s", i.Pattern, text)
			}
			if strings.ContainsAny(i.Pattern, "'\"\\$`") {
				t.Errorf("%s does not fit between quotes", i.Pattern)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d patterns", found)
	}
}

func TestTimeline(t *testing.T) {
	in := planOf(t, usual(t)).Incidents[0]
	var got []string
	for _, m := range in.Timeline {
		got = append(got, m.At.UTC().Format("15:04")+" "+m.Kind)
	}
	want := "08:00 named, 09:00 named, 10:00 window opens, 10:30 pulled, 11:00 window opens, 11:02 pulled, 11:15 removed, 11:40 running, " +
		"11:50 running, 12:00 running, 12:10 named, 12:30 window closes, 02:13 cached"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	alike := many(t, 10).Incidents[0].Timeline
	if m := alike[len(alike)-1]; len(alike) != 3 || m.Count != 10 || m.Until.Sub(m.At) != 9*time.Minute {
		t.Errorf("got %+v", alike)
	}
}

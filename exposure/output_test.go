package exposure

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/report"
)

// formats are the ways to write a plan, by the extension of their golden files.
var formats = map[string]func(*Plan, io.Writer) error{
	"text":  func(p *Plan, w io.Writer) error { return p.Text(w, false) },
	"color": func(p *Plan, w io.Writer) error { return p.Text(w, true) },
	"md":    (*Plan).Markdown,
	"json":  (*Plan).JSON,
	"html":  (*Plan).HTML,
}

func write(t testing.TB, p *Plan, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := formats[format](p, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGoldens(t *testing.T) {
	for name, p := range plans(t) {
		for format := range formats {
			if format == "color" && name != "usual" {
				continue
			}
			got := write(t, p, format)
			golden(t, "plan/"+name+"."+format, got)
			if again := write(t, plans(t)[name], format); !bytes.Equal(got, again) {
				t.Errorf("%s.%s differs from run to run", name, format)
			}
		}
	}
}

// Nothing that evidence says gets through as more than a text.
func TestHostileEvidence(t *testing.T) {
	p := planOf(t, hostile(t))
	for format := range formats {
		for n, line := range strings.Split(string(write(t, p, format)), "\n") {
			if format != "color" && report.Visible(line) != line {
				// Mentions are broken up by a character that shows nothing.
				if format != "md" || report.Visible(strings.ReplaceAll(line, "\u2060", "")) != strings.ReplaceAll(line, "\u2060", "") {
					t.Errorf("%s, line %d: a terminal would obey %q", format, n+1, line)
				}
			}
		}
	}
	html := string(write(t, p, "html"))
	for _, bad := range []string{"<script", "<img", "onerror=alert(1)>", "javascript:"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
}

// Outside of code, a Markdown ticket has nothing of the evidence that Markdown
// would read.
func TestHostileMarkdown(t *testing.T) {
	text := string(write(t, planOf(t, hostile(t)), "md"))
	fence := ""
	for n, line := range strings.Split(text, "\n") {
		if s := strings.TrimSpace(line); strings.HasPrefix(s, "```") && strings.Trim(s, "`") == "" && (fence == "" || s == fence) {
			if fence != "" {
				s = ""
			}
			fence = s
		}
		if fence != "" {
			continue
		}
		rest := withoutCode(line)
		for _, bad := range []string{"<script", "<img", "@all", "](http", "://evil"} {
			if strings.Contains(rest, bad) && !strings.Contains(rest, `\`+bad) {
				t.Errorf("line %d has %q in it: %s", n+1, bad, rest)
			}
		}
		if strings.HasPrefix(line, "| ") && cells(line) != 4 && cells(line) != 3 {
			t.Errorf("line %d has %d cells: %s", n+1, cells(line), line)
		}
	}
	if fence != "" {
		t.Errorf("a block of code is not closed: %s", fence)
	}
}

// withoutCode is a line of Markdown without its code spans: from a run of
// backquotes to the next one of the same length.
func withoutCode(line string) string {
	var out strings.Builder
	runs := regexp.MustCompile("`+")
	for {
		open := runs.FindStringIndex(line)
		if open == nil || open[0] > 0 && line[open[0]-1] == '\\' {
			return out.String() + line
		}
		out.WriteString(line[:open[0]])
		fence := line[open[0]:open[1]]
		rest := line[open[1]:]
		end := -1
		for _, r := range runs.FindAllStringIndex(rest, -1) {
			if rest[r[0]:r[1]] == fence {
				end = r[1]
				break
			}
		}
		if end < 0 {
			return out.String() + line[open[0]:]
		}
		line = rest[end:]
	}
}

// cells is how many cells a row of a table has
// (https://github.github.com/gfm/#tables-extension-).
func cells(line string) int {
	return strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") - 1
}

// Every command that a plan has for a shell can be read by one, and hands the
// words of the evidence on as they are.
func TestHostileCommands(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	dir, bin := t.TempDir(), t.TempDir()
	// Programs that do nothing, for all that a plan may call: any other is
	// not found.
	for _, name := range []string{"crictl", "ctr", "curl", "digestlint", "docker", "git", "kubectl", "podman", "regctl", "registry", "xargs", "awk", "sort", "cosign", "notation"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!"+bash+"\n"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	p := planOf(t, hostile(t))
	checked := 0
	for _, s := range p.Steps {
		for _, i := range s.Items {
			for _, c := range i.Commands {
				if c.Line == "" {
					continue
				}
				checked++
				cmd := exec.Command(bash, "-c", c.Line)
				cmd.Dir, cmd.Env = dir, []string{"PATH=" + bin}
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("%s\n%s (%v)", c.Line, out, err)
				}
			}
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if f.Name() != "evidence.txt" {
			t.Errorf("a command wrote %q", f.Name())
		}
	}
	if checked < 20 {
		t.Errorf("only %d commands", checked)
	}
}

// No command takes a word of the evidence for an option.
func TestHostileOptions(t *testing.T) {
	p := planOf(t, func(rec *Recorder) {
		for _, kind := range []Kind{Running, Pulled, Named} {
			rec.Event(Event{
				Kind: kind, Evidence: "-dir", Place: Place{Path: "-path", Branch: "-branch", Node: "-node", Namespace: "-namespace", Pod: "-pod", Container: "-container"},
				Ref: ref2("acme/scan", "v2.2"), Digests: []string{badIndex},
			})
		}
		rec.Event(Event{Kind: Running, Evidence: "-", Place: Place{Container: "-container", Store: "podman"}, Ref: ref2("acme/scan", "v2.2")})
		rec.Event(Event{Kind: Named, Evidence: "-dir", Place: Place{Path: "-path", Branch: "-branch"}, Ref: ref2("acme/scan", "v2.2")})
	})
	for _, s := range p.Steps {
		for _, i := range s.Items {
			for _, c := range i.Commands {
				before, _, _ := strings.Cut(c.Line, " -- ")
				for _, word := range strings.Fields(before) {
					for _, evil := range []string{"-dir", "-path", "-branch", "-node", "-namespace", "-pod", "-container"} {
						if strings.HasPrefix(word, evil) && !strings.Contains(c.Line, "-C "+evil) { // the value of git's -C, whatever it is
							t.Errorf("%q is an option of %s", word, c.Line)
						}
					}
				}
			}
		}
	}
}

func TestJSON(t *testing.T) {
	for name, p := range plans(t) {
		var back jsonPlan
		d := json.NewDecoder(bytes.NewReader(write(t, p, "json")))
		d.DisallowUnknownFields()
		if err := d.Decode(&back); err != nil {
			t.Fatal(err)
		}
		if back.Version != 1 || len(back.Traces) != len(p.Report.Traces) || len(back.Sources) != len(p.Report.Sources) || back.Complete != (name == "clear" || name == "possible") {
			t.Errorf("%s: something is missing", name)
		}
		for _, c := range back.Credentials {
			for _, n := range c.Traces {
				if !hasCredential(back.Traces[n].Reaches, c.jsonCredential) {
					t.Errorf("%s: trace %d does not reach %s", name, n, c.Name)
				}
			}
		}
		if strings.Contains(string(write(t, p, "json")), ": null") {
			t.Errorf("%s: null in it", name)
		}
	}
}

func hasCredential(all []jsonCredential, c jsonCredential) bool {
	for _, o := range all {
		if o == c {
			return true
		}
	}
	return false
}

// What is too long is cut, and every cut is said.
func TestManyTraces(t *testing.T) {
	const n = 5000
	p := many(t, n)
	sizes := map[string]int{"text": 40_000, "md": 65_536, "html": 600_000}
	for format, most := range sizes {
		got := string(write(t, p, format))
		if len(got) > most {
			t.Errorf("%s has %d bytes, more than %d", format, len(got), most)
		}
		if !strings.Contains(got, "5,000 confirmed") || !strings.Contains(got, " more in the JSON output") {
			t.Errorf("%s does not say how much there is", format)
		}
	}
	if text := string(write(t, p, "text")); !strings.Contains(text, "and 4,940 more in the JSON output") {
		t.Error("the number of places that are left out is not said")
	}
	var back jsonPlan
	if err := json.Unmarshal(write(t, p, "json"), &back); err != nil || len(back.Traces) != n {
		t.Errorf("the JSON has %d traces (%v)", len(back.Traces), err)
	}
}

// A ticket fits into an issue, whatever is found.
func TestTicketFits(t *testing.T) {
	kinds := []Kind{Named, Pulled, Present, Running, Cached}
	p := planOf(t, func(rec *Recorder) {
		for i := range 2000 {
			e := Event{Kind: kinds[i%len(kinds)], Evidence: fmt.Sprintf("evidence-%d", i%200), Ref: ref2("acme/scan", []string{"v2.1", "v2.2", "latest"}[i%3]), From: at(t, "11:00")}
			e.Place = Place{
				Path: fmt.Sprintf("services/team-%d/.github/workflows/scan-%d.yml", i%50, i), Line: i, Branch: fmt.Sprintf("branch-%d", i%20), Commit: strings.Repeat("a", 40),
				Job: "scan", Step: fmt.Sprintf("Run %d", i), Namespace: "ci", Pod: fmt.Sprintf("scan-%d", i), Container: "scan", Node: fmt.Sprintf("node-%d", i%77),
			}
			e.Reaches = []Credential{{Kind: "secret", Name: fmt.Sprintf("SECRET_%d", i), Where: "jobs.scan"}}
			if i%2 == 0 {
				e.Digests = []string{badIndex}
			}
			rec.Event(e)
		}
		for i := range 200 {
			rec.Source(Source{Kind: "repository", Name: fmt.Sprintf("evidence-%d", i), Items: 10, Unit: "commits", Notes: []string{"a shallow clone"}})
		}
	})
	got := write(t, p, "md")
	if len(got) > maxTicket {
		t.Errorf("%d bytes", len(got))
	}
	for _, want := range []string{"# CONFIRMED", "### 1. ", "### 6. ", "## Looked at", " more in the JSON output"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %q in it", want)
		}
	}
}

// A page says in its policy that its own style is all that it uses.
func TestPolicy(t *testing.T) {
	page := string(write(t, planOf(t, usual(t)), "html"))
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if style == nil || policy == nil {
		t.Fatal("no style or no policy")
	}
	sum := sha256.Sum256([]byte(style[1]))
	got := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(policy[1])
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, bad := range []string{"<script", " src=", "@import", "url(", "style=", "<link", "<iframe", "<object", "<base", "onload", "<form"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
}

func TestOpenable(t *testing.T) {
	for url, want := range map[string]bool{
		"https://acme.example/a?b=c&d#e": true, "http://acme.example": false, "javascript:alert(1)": false, "https://a\u202eb": false,
		"https://a b": false, "https://a>": false, `https://a"`: false, "": false, "//a": false, "HTTPS://a": false,
	} {
		if openable(url) != want {
			t.Errorf("openable(%q) is not %v", url, want)
		}
	}
}

// browser is Chromium, as far as it is installed.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed")
	return ""
}

// TestBrowser holds that a browser shows the page without a complaint, without a
// connection, and with the texts of an attacker as texts.
func TestBrowser(t *testing.T) {
	path := browser(t)
	for _, name := range []string{"usual", "hostile"} {
		dir := t.TempDir()
		page := filepath.Join(dir, "plan.html")
		if err := os.WriteFile(page, write(t, plans(t)[name], "html"), 0o600); err != nil {
			t.Fatal(err)
		}
		dom, log := dump(t, path, dir, page)
		if !strings.Contains(dom, "What the verdict rests on") {
			t.Fatalf("%s: no page: %s\n%s", name, dom, log)
		}
		// A policy that the style does not match, a script, an image: each is
		// a line of the console.
		for _, line := range strings.Split(log, "\n") {
			if strings.Contains(line, "CONSOLE") || strings.Contains(line, "net_error") || strings.Contains(line, "ERR_") {
				t.Errorf("%s: %s", name, line)
			}
		}
		if n := len(regexp.MustCompile(`(?i)<(script|img|iframe|object|embed|link)\b`).FindAllString(dom, -1)); n > 0 {
			t.Errorf("%s: %d elements that load or run something", name, n)
		}
	}
}

// dump is the page as the browser understands it, and what it said meanwhile.
func dump(t *testing.T, browser, dir, page string) (dom, log string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--dump-dom", "file://"+page)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	return out.String(), errs.String()
}

// A writer that fails is reported.
func TestWriteErrors(t *testing.T) {
	p := planOf(t, usual(t))
	for format, write := range formats {
		if err := write(p, full{}); !errors.Is(err, errFull) {
			t.Errorf("%s: got %v", format, err)
		}
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// ref2 is a reference that needs no test to be made.
func ref2(repository, tag string) image.Reference {
	return image.Reference{Repository: repository, Tag: tag}
}

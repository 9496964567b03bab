package exposure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"github.com/digestlint/digestlint/image"
)

const (
	listedIndex  = "sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	listedConfig = "sha256:a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3"
	cleanDigest  = "sha256:b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1"
)

// scanLog is the events of a log that is looked at in chunks of size bytes.
func scanLog(t testing.TB, r io.Reader, size int) (events []Event, report *Report) {
	t.Helper()
	rec := NewRecorder(logSet(t))
	lr := newLogReader("x.log", rec)
	lr.size = size
	lr.event = func(e Event) {
		events = append(events, e)
		rec.Event(e)
	}
	if err := lr.packed(t.Context(), r, logEntry{}); err != nil {
		t.Fatal(err)
	}
	lr.report()
	return events, rec.Report(time.Time{})
}

// TestLogChunks has the same said of a log wherever its chunks end.
func TestLogChunks(t *testing.T) {
	logs, err := filepath.Glob("testdata/logs/*.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// Before the log goes more than the history, so that the first chunk
		// does not hold all.
		data = append(bytes.Repeat([]byte("padding\n"), (logHistory+50_000)/8), data...)
		want, _ := scanLog(t, bytes.NewReader(data), logChunk)
		for size := 2000; size < 20_000; size += 977 {
			got, _ := scanLog(t, iotest.HalfReader(bytes.NewReader(data)), size)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s in chunks of %d:\ngot  %v\nwant %v", name, size, got, want)
			}
		}
	}
}

// TestLogNextLine has a digest's line read with the next one, which names the
// image, wherever the chunk between them ends.
func TestLogNextLine(t *testing.T) {
	data, err := os.ReadFile("testdata/logs/copy.log")
	if err != nil {
		t.Fatal(err)
	}
	want, _ := scanLog(t, bytes.NewReader(data), logChunk)
	padding := bytes.Repeat([]byte("padding\n"), (logHistory+2000)/8)
	for cut := range len(data) {
		padded := append(slices.Clone(padding[cut/8*8:]), data...)
		got, _ := scanLog(t, bytes.NewReader(padded), 2000+cut%8)
		for i := range got {
			got[i].Place.Line -= len(padding)/8 - cut/8
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%d bytes in the first chunk:\ngot  %v\nwant %v", cut, got, want)
		}
	}
}

func TestLogLines(t *testing.T) {
	log := strings.Repeat("2026-04-22T12:00:00Z noise\n", 100_000) +
		"2026-04-22T12:30:00Z + docker pull acme/scan:v1.2\n" +
		strings.Repeat("noise without time\n", 100_000) +
		"Status: Downloaded newer image for acme/scan:latest" // no end of line
	events, r := scanLog(t, strings.NewReader(log), logChunk)
	if len(events) != 2 || events[0].Place.Line != 100_001 || events[1].Place.Line != 200_002 {
		t.Fatalf("got %+v", events)
	}
	want := time.Date(2026, 4, 22, 12, 30, 0, 0, time.UTC)
	if !events[1].From.Equal(want) {
		t.Errorf("the line without time has %v", events[1].From)
	}
	s := r.Sources[0]
	if s.Items != 200_002 || !s.From.Equal(want.Add(-30*time.Minute)) || !s.Until.Equal(want) {
		t.Errorf("got %+v", s)
	}
}

// TestLogProgress has the states of a progress bar taken apart.
func TestLogProgress(t *testing.T) {
	log := "2026-04-22T12:30:00Z v1.2: Pulling from acme/scan\rabc: Downloading 1%\rabc: Pull complete\r" +
		"Digest: " + listedIndex + "\r\nStatus: Downloaded newer image for acme/scan:v1.2\r\n"
	events, _ := scanLog(t, strings.NewReader(log), logChunk)
	if len(events) != 1 || !slices.Equal(events[0].Digests, []string{listedIndex}) || events[0].Ref.Tag != "v1.2" || events[0].From.IsZero() {
		t.Errorf("got %+v", events)
	}
}

// TestLongLines has digests and names found in lines that are not read whole.
func TestLongLines(t *testing.T) {
	for _, size := range []int{maxLine / 2, maxLine * 2, logChunk * 3} {
		long := strings.Repeat("x ", size/2)
		log := "first\n" + long + listedIndex + long + listedConfig + " Pulling image \"acme/scan:v1.2\"" + long + "\n+ docker pull acme/scan:latest\n"
		events, r := scanLog(t, strings.NewReader(log), logChunk)
		if len(events) != 2 || events[0].Place.Line != 2 || events[1].Place.Line != 3 {
			t.Fatalf("%d: got %+v", size, events)
		}
		if notes := strings.Join(r.Sources[0].Notes, "; "); !strings.Contains(notes, "2 mentions of listed digests outside of pulls, the first at x.log:2") {
			t.Errorf("%d: got %s", size, notes)
		}
		if len(events[0].Text) > MaxText {
			t.Errorf("%d: the text has %d bytes", size, len(events[0].Text))
		}
	}
}

// TestCutDigests has a digest found wherever a long line is cut.
func TestCutDigests(t *testing.T) {
	for offset := range 200 {
		log := strings.Repeat("y", logHistory+2000-100+offset) + " " + listedIndex + " " + strings.Repeat("z", 5000)
		_, r := scanLog(t, strings.NewReader(log), 2000)
		if notes := strings.Join(r.Sources[0].Notes, "; "); !strings.Contains(notes, "1 mention of") {
			t.Fatalf("%d: got %s", offset, notes)
		}
	}
}

func TestLogUTF16(t *testing.T) {
	log := "\ufeff2026-04-22T12:30:00Z 🐋 + x\n2026-04-22T12:30:00Z + docker pull acme/scan:v1.2\n"
	for _, big := range []bool{false, true} {
		var b bytes.Buffer
		for _, u := range utf16.Encode([]rune(log)) {
			if big {
				u = u<<8 | u>>8
			}
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
		b.WriteByte(0) // half a character
		events, _ := scanLog(t, &b, logChunk)
		if len(events) != 1 || events[0].Place.Line != 2 || events[0].Text != "+ docker pull acme/scan:v1.2" {
			t.Errorf("got %+v", events)
		}
	}
}

// TestManyPulls has more pulls begin than are kept open.
func TestManyPulls(t *testing.T) {
	var b strings.Builder
	const n = 3 * maxOpen
	for i := range n {
		fmt.Fprintf(&b, "[job-%d] + docker pull acme/scan:v1.2\n", i)
	}
	if events, _ := scanLog(t, strings.NewReader(b.String()), logChunk); len(events) != n {
		t.Errorf("got %d events", len(events))
	}
}

func TestLogDoubt(t *testing.T) {
	for _, test := range []struct {
		name, log string
		want      []Verdict
	}{
		{"another pull's status between", `
+ docker pull acme/scan:v1.2
+ docker pull nginx
v1.2: Pulling from acme/scan
Digest: ` + cleanDigest + `
Status: Downloaded newer image for nginx:latest
Status: Downloaded newer image for acme/scan:v1.2`, []Verdict{Likely}},
		{"the digest of another tag", `
+ docker pull acme/scan:v1.2
latest: Pulling from acme/scan
Digest: ` + cleanDigest + `
Status: Downloaded newer image for acme/scan:latest`, []Verdict{Likely, Clear}},
		{"the digest of another registry's copy", `
+ docker pull acme/scan:v1.2
+ docker pull mirror.example/acme/scan:v1.2
Digest: ` + cleanDigest + `
Status: Downloaded newer image for mirror.example/acme/scan:v1.2`, []Verdict{Likely, Clear}},
		{"the image's ID", `
+ docker pull acme/scan:v1.2
Using docker image ` + cleanDigest + ` for acme/scan:v1.2 ...`, []Verdict{Likely}},
		{"an ID that is listed", `
Using docker image ` + listedConfig + ` for acme/scan:v1.2 ...`, []Verdict{Confirmed}},
		{"the same image run later", `
+ docker pull acme/scan:v1.2
Digest: ` + cleanDigest + `
Status: Downloaded newer image for acme/scan:v1.2
2026-04-22T14:30:00Z + docker run acme/scan:v1.2`, []Verdict{Clear}},
		{"run on another day", `
+ docker pull acme/scan:v1.2
Digest: ` + cleanDigest + `
Status: Downloaded newer image for acme/scan:v1.2
2026-04-23T14:30:00Z + docker run acme/scan:v6.6
2026-04-23T14:30:00Z + docker run acme/scan:v1.2`, []Verdict{Clear, Likely, Clear}},
		{"pulled again", `
+ docker pull acme/scan:v1.2
Digest: ` + cleanDigest + `
Status: Downloaded newer image for acme/scan:v1.2
+ docker pull acme/scan:v1.2`, []Verdict{Clear, Likely}},
		{"pulled again, worse", `
+ docker pull acme/scan:v1.2
Digest: ` + cleanDigest + `
Status: Downloaded newer image for acme/scan:v1.2
+ docker pull acme/scan:v1.2
Digest: ` + listedIndex + `
Status: Downloaded newer image for acme/scan:v1.2`, []Verdict{Clear, Confirmed}},
		{"a copy under any name", `
+ docker pull registry.example/tools/scanner:1
1: Pulling from tools/scanner
abc: Pull complete
Digest: ` + listedIndex + `
Status: Downloaded newer image for registry.example/tools/scanner:1`, []Verdict{Confirmed}},
		{"a digest without a status", `
1: Pulling from tools/scanner
abc: Pull complete
Digest: ` + listedIndex, []Verdict{Confirmed}},
		{"a digest alone", `
Digest: ` + listedIndex, nil},
		{"nothing was pulled", `
+ docker pull acme/scan:v1.2
Error response from daemon: manifest for acme/scan:v1.2 not found: manifest unknown`, nil},
		{"nothing more was pulled", `
+ docker pull acme/scan:v1.2
Digest: ` + listedIndex + `
Status: Downloaded newer image for acme/scan:v1.2
+ docker pull acme/scan:v1.2
Error response from daemon: manifest for acme/scan:v1.2 not found: manifest unknown`, []Verdict{Confirmed}},
		{"another registry's image of the same name", `
+ docker pull quay.io/acme/scan:v1.2
v1.2: Pulling from acme/scan
Digest: ` + cleanDigest + `
Status: Downloaded newer image for quay.io/acme/scan:v1.2`, []Verdict{Clear}},
		{"the same without the command", `
v1.2: Pulling from acme/scan
Status: Downloaded newer image for quay.io/acme/scan:v1.2`, []Verdict{Clear}},
		{"a registry that is not named yet", `
v1.2: Pulling from acme-labs/scan
Status: Downloaded newer image for ghcr.io/acme-labs/scan:v1.2`, []Verdict{Likely}},
		{"a pull that failed after one that did not", `
Successfully pulled image "acme/scan:v1.2" in 2s
Failed to pull image "acme/scan:v1.2": not found`, []Verdict{Likely}},
		{"events of two pulls, the first before the window", `
2026-04-22T11:50:00Z image pull acme/scan:v1.2 (name=acme/scan)
2026-04-22T12:10:00Z image pull acme/scan:v1.2 (name=acme/scan)`, []Verdict{Clear, Likely}},
		{"an event of a pull after one that is known", `
Digest: ` + cleanDigest + `
Status: Downloaded newer image for acme/scan:v1.2
2026-04-22T12:50:00Z image pull acme/scan:v1.2 (name=acme/scan)`, []Verdict{Clear, Likely}},
		{"a pull that takes long", `
+ docker pull acme/scan:v1.2
2026-04-22T13:20:00Z Digest: ` + cleanDigest + `
2026-04-22T13:20:00Z Status: Downloaded newer image for acme/scan:v1.2`, []Verdict{Clear}},
		{"the digest again, later", `
Using docker image ` + listedConfig + ` for acme/scan:v1.2 with digest acme/scan@` + listedIndex + ` ...
2026-04-22T13:20:00Z Using docker image ` + listedConfig + ` for acme/scan:v1.2 with digest acme/scan@` + listedIndex + ` ...`, []Verdict{Confirmed}},
		{"run every four minutes, from before the window", `
2026-04-22T11:52:00Z + docker run acme/scan:v1.2
2026-04-22T11:56:00Z + docker run acme/scan:v1.2
2026-04-22T11:59:00Z + docker run acme/scan:v1.2
2026-04-22T12:04:01Z + docker run acme/scan:v1.2`, []Verdict{Clear, Clear, Likely}},
		{"pinned beside a tag", `
+ docker pull acme/scan:v1.2@` + cleanDigest + `
+ docker pull acme/scan:v1.2`, []Verdict{Clear, Likely}},
		{"pinned to what is listed", `
+ docker run acme/scan@` + listedIndex, []Verdict{Confirmed}},
		{"two under way, one digest", `
Pulling image: docker.io/acme/scan:v1.2
Pulling image: docker.io/acme/scan:latest
Pulled image: docker.io/acme/scan@` + cleanDigest, []Verdict{Likely, Likely, Clear}},
		{"a request for the manifest", `
10.0.0.7 - - [22/Apr/2026:12:35:01 +0000] "GET /v2/acme/scan/manifests/v1.2?ns=docker.io HTTP/1.1" 200 499 "" "docker/28"`, []Verdict{Likely}},
		{"requests that brought nothing", `
10.0.0.7 - - [22/Apr/2026:12:35:01 +0000] "HEAD /v2/acme/scan/manifests/v1.2 HTTP/1.1" 200 499 "" "docker/28"
10.0.0.7 - - [22/Apr/2026:12:35:01 +0000] "GET /v2/acme/scan/manifests/v1.2 HTTP/1.1" 404 94 "" "docker/28"
10.0.0.7 - - [22/Apr/2026:12:35:01 +0000] "PUT /v2/acme/scan/manifests/v1.2 HTTP/1.1" 201 0 "" "docker/28"`, nil},
		{"a request for the configuration", `
10.0.0.7 - - [22/Apr/2026:12:35:01 +0000] "GET /v2/x/y/blobs/` + listedConfig + ` HTTP/1.1" 200 499 "" "docker/28"`, []Verdict{Confirmed}},
	} {
		events, _ := scanLog(t, strings.NewReader("2026-04-22T12:30:00Z start"+test.log+"\n"), logChunk)
		rec := NewRecorder(logSet(t))
		var got []Verdict
		for _, e := range events {
			v := Clear
			for _, trace := range rec.judge.Judge(e) {
				v = max(v, trace.Verdict)
			}
			got = append(got, v)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v: %+v", test.name, got, test.want, events)
		}
	}
}

func TestLogErrors(t *testing.T) {
	broken := errors.New("broken")
	rec := NewRecorder(logSet(t))
	err := ReadLog(t.Context(), "x.log", io.MultiReader(strings.NewReader("+ docker pull acme/scan:v6.6\n"), iotest.ErrReader(broken)), rec)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "x.log: line 2") {
		t.Errorf("got %v", err)
	}
	if r := rec.Report(time.Time{}); len(r.Traces) != 1 || len(r.Sources) != 1 {
		t.Errorf("what was read before is lost: %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ReadLogs(ctx, "testdata/logs", NewRecorder(logSet(t))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := ReadLogs(t.Context(), "testdata/nowhere", NewRecorder(logSet(t))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// FuzzReadLog reads any bytes: there is no panic, every event stands in a line of
// them, and has what the judge can take.
func FuzzReadLog(f *testing.F) {
	logs, err := filepath.Glob("testdata/logs/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint16(700))
	}
	set := logSet(f)
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		rec := NewRecorder(set)
		lr := newLogReader("x.log", rec)
		lr.size = 512 + int(size)
		lr.event = func(e Event) {
			if e.Place.Line < 1 || e.Place.Line > bytes.Count(data, []byte{'\n'})+1 && packing(data) == "" && !bytes.HasPrefix(data, []byte("\xff\xfe")) && !bytes.HasPrefix(data, []byte("\xfe\xff")) {
				t.Errorf("line %d of %d", e.Place.Line, bytes.Count(data, []byte{'\n'})+1)
			}
			if len(e.Text) > MaxText || strings.ContainsFunc(e.Text, isControl) {
				t.Errorf("text %q", e.Text)
			}
			for _, d := range append(slices.Clip(e.Digests), e.ImageID, e.Ref.Digest) {
				if d != "" && !image.ValidDigest(d) {
					t.Errorf("digest %q", d)
				}
			}
			rec.Event(e)
		}
		_ = lr.packed(t.Context(), bytes.NewReader(data), logEntry{size: int64(len(data))})
		lr.report()
	})
}

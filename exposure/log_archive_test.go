package exposure

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pullLine is a log of one line that is worth an event.
const pullLine = "2026-04-22T12:35:01.1234567Z + docker pull acme/scan:v1.2\n"

type logFile struct{ name, data string }

func zipOf(t testing.TB, files ...logFile) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipOf(t testing.TB, data string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarOf(t testing.TB, files ...logFile) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "link", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// places are the traces of a report: verdict, path, line, job and step.
func places(r *Report) (all []string) {
	for _, t := range r.Traces {
		p := t.Place
		all = append(all, strings.TrimRight(fmt.Sprintf("%s %s:%d %s/%s", t.Verdict, p.Path, p.Line, p.Job, p.Step), "/ "))
	}
	slices.Sort(all)
	return all
}

func TestLogArchives(t *testing.T) {
	actions := []logFile{
		{"0_build.txt", "2026-04-22T12:00:00Z x\n" + pullLine},
		{"build/2_Run scan.txt", pullLine},
		{"build/1_Set up job.txt", "2026-04-22T12:00:00Z x\n"},
	}
	for _, test := range []struct {
		name, data string
		want       []string
		errs       []string
	}{
		{"plain", pullLine, []string{"likely :1"}, nil},
		{"empty", "", nil, nil},
		{"gzip", gzipOf(t, pullLine), []string{"likely :1"}, nil},
		{"gzip members", gzipOf(t, "x\n") + gzipOf(t, pullLine), []string{"likely :2"}, nil},
		{"zip", zipOf(t, actions...), []string{"likely build/2_Run scan.txt:1 build/Run scan"}, nil},
		{"empty zip", zipOf(t), nil, nil},
		{"zip of zips", zipOf(t, logFile{"a.zip", zipOf(t, actions...)}, logFile{"b.log.gz", gzipOf(t, pullLine)}), []string{
			"likely a.zip/build/2_Run scan.txt:1 build/Run scan", "likely b.log.gz:1",
		}, nil},
		{"tar.gz", gzipOf(t, tarOf(t, logFile{"x/../../../jobs/scan/builds/12/log", pullLine}, logFile{"b.zip", zipOf(t, actions...)})), []string{
			"likely b.zip/build/2_Run scan.txt:1 build/Run scan", "likely jobs/scan/builds/12/log:1 scan #12",
		}, nil},
		{"too deep", gzipOf(t, gzipOf(t, gzipOf(t, gzipOf(t, pullLine)))), nil, []string{"an archive within too many others was not read"}},
		{"zstd", "\x28\xb5\x2f\xfd\x00", nil, []string{"zstd is not unpacked here"}},
		{"cut gzip", gzipOf(t, pullLine+strings.Repeat("0123456789", 1000))[:60], nil, []string{"line 1: unexpected EOF"}},
		{"cut zip", zipOf(t, actions...)[:200], nil, []string{"zip: not a valid zip file"}},
		{"cut tar", tarOf(t, logFile{"a", pullLine}, logFile{"b", strings.Repeat(pullLine, 100)})[:2000], []string{"likely a:1", "likely b:1"}, []string{"x: b: line 9: unexpected EOF", "x: unexpected EOF"}},
	} {
		for _, file := range []bool{true, false} {
			rec := NewRecorder(logSet(t))
			var err error
			if file {
				name := filepath.Join(t.TempDir(), "x")
				if err := os.WriteFile(name, []byte(test.data), 0o600); err != nil {
					t.Fatal(err)
				}
				err = ReadLogs(t.Context(), name, rec)
			} else {
				err = ReadLog(t.Context(), "x", strings.NewReader(test.data), rec)
			}
			if err != nil {
				rec.Error(err)
			}
			r := rec.Report(time.Time{})
			if got := places(r); !slices.Equal(got, test.want) {
				t.Errorf("%s (file %v): got %q, want %q", test.name, file, got, test.want)
			}
			if len(r.Errors) != len(test.errs) {
				t.Errorf("%s (file %v): got %v", test.name, file, r.Errors)
				continue
			}
			for i, want := range test.errs {
				if !strings.Contains(r.Errors[i].Error(), want) {
					t.Errorf("%s (file %v): got %v, want %s", test.name, file, r.Errors[i], want)
				}
			}
			if len(r.Sources) != 1 || r.Sources[0].Kind != "log" {
				t.Errorf("%s: got %+v", test.name, r.Sources)
			}
		}
	}
}

// TestLogPipe has an archive read that comes through a pipe.
func TestLogPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.WriteString(w, zipOf(t, logFile{"build/1_Scan.txt", pullLine})); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rec := NewRecorder(logSet(t))
	if err := ReadLog(t.Context(), "-", r, rec); err != nil {
		t.Fatal(err)
	}
	if got := places(rec.Report(time.Time{})); !slices.Equal(got, []string{"likely build/1_Scan.txt:1 build/Scan"}) {
		t.Errorf("got %q", got)
	}
}

// TestDamagedEntry has the rest of an archive read whose first entry is damaged.
func TestDamagedEntry(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"a", "b"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, pullLine); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	rec := NewRecorder(logSet(t))
	if err := ReadLog(t.Context(), "-", strings.NewReader(strings.Replace(b.String(), "docker", "DOCKER", 1)), rec); err != nil {
		t.Fatal(err)
	}
	r := rec.Report(time.Time{})
	if got := places(r); !slices.Equal(got, []string{"likely b:1"}) || len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), "-: a: line 2: zip: checksum error") {
		t.Errorf("got %q, %v", got, r.Errors)
	}
}

// TestLogFolder reads a folder: all files, no links, and what fails is said.
func TestLogFolder(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"a/one.log": pullLine, "a/b/two.log.gz": gzipOf(t, pullLine), "a/b/logs.zip": zipOf(t, logFile{"build/1_Scan.txt", pullLine}),
		"a/three": "nothing\n", "a/bad.gz": "\x1f\x8b\x00",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "a", "one.log"), filepath.Join(dir, "link.log")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "a", "loop")); err != nil {
		t.Fatal(err)
	}
	rec := NewRecorder(logSet(t))
	if err := ReadLogs(t.Context(), dir, rec); err != nil {
		t.Fatal(err)
	}
	r := rec.Report(time.Time{})
	want := []string{"likely a/b/logs.zip/build/1_Scan.txt:1 build/Scan", "likely a/b/two.log.gz:1", "likely a/one.log:1"}
	if got := places(r); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), "bad.gz") {
		t.Errorf("got %v", r.Errors)
	}
	if s := r.Sources; len(s) != 1 || s[0].Items != 4 || s[0].Name != dir || !strings.Contains(s[0].Notes[0], "in 4 logs") {
		t.Errorf("got %+v", s)
	}
}

// TestLogBombs has archives whose entries each hold no more than they may, and
// all together far too much: the same bytes over and over, packed once or twice.
func TestLogBombs(t *testing.T) {
	const entries, lines = 40, 64 << 20
	blank := bytes.Repeat([]byte{'\n'}, 1<<20)
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	sum := crc32.NewIEEE()
	for range lines >> 20 {
		_, _ = sum.Write(blank)
		if _, err := w.Write(blank); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	zipped := func(name string, entries int, h zip.FileHeader, data []byte) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := range entries {
			h := h
			h.Name = fmt.Sprintf("%d%s", i, name)
			h.CompressedSize64 = uint64(len(data))
			f, err := z.CreateRaw(&h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(data); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	deflated := zip.FileHeader{Method: zip.Deflate, UncompressedSize64: lines, CRC32: sum.Sum32()}
	stored := func(data []byte) zip.FileHeader {
		return zip.FileHeader{Method: zip.Store, UncompressedSize64: uint64(len(data)), CRC32: crc32.ChecksumIEEE(data)}
	}
	gz := slices.Concat([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), packed.Bytes(), binary.LittleEndian.AppendUint32(nil, sum.Sum32()), binary.LittleEndian.AppendUint32(nil, lines))
	inner := zipped(".txt", entries, deflated, packed.Bytes())
	for name, data := range map[string][]byte{
		"zip":         inner,
		"gzip in zip": zipped(".gz", entries, stored(gz), gz),
		"zip in zip":  zipped(".zip", 2, stored(inner), inner),
	} {
		t.Run(name, func(t *testing.T) {
			lr := newLogReader("bomb", NewRecorder(logSet(t)))
			err := lr.packed(t.Context(), bytes.NewReader(data), logEntry{size: int64(len(data) / entries)})
			if !errors.Is(err, errUnread) {
				t.Errorf("got %v", err)
			}
			if lr.total.bytes > logFree+lines || len(lr.total.notes) > 3 {
				t.Errorf("%d MB read, noted %q", lr.total.bytes>>20, lr.total.notes)
			}
		})
	}
}

// TestLogBomb has an archive that unpacks to far too much given up, and said so.
func TestLogBomb(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	block := bytes.Repeat([]byte{'\n'}, 1<<20)
	if _, err := io.WriteString(z, pullLine); err != nil {
		t.Fatal(err)
	}
	for range logFree>>20 + 1 {
		if _, err := z.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "bomb.gz")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	rec := NewRecorder(logSet(t))
	err := ReadLogs(t.Context(), name, rec)
	if err == nil || !strings.Contains(err.Error(), "far more than a log would") {
		t.Errorf("got %v", err)
	}
	r := rec.Report(time.Time{})
	if got := places(r); !slices.Equal(got, []string{"likely :1"}) {
		t.Errorf("got %q", got)
	}
	if notes := strings.Join(r.Sources[0].Notes, "; "); !strings.Contains(notes, "the rest was not read") {
		t.Errorf("got %s", notes)
	}
}

package organisation

import (
	"archive/zip"
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// format is how a system writes down the lines of its tools.
type format struct {
	name string
	// stamp is the line with its time, without an end of line.
	stamp func(t time.Time, line string) string
	end   string // of a line; empty for a line feed
	// open and shut stand around what one tool prints.
	open, shut func(t time.Time) string
	shared     int    // entries in one file; zero for one
	packed     string // "zip", "gz", or empty
}

var formats = struct {
	github, gitlab, gitlabSections, jenkins, jenkinsClock, azure, journal, journalWest, jsonFile, cri, plain, windows format
}{
	github: format{name: "github", packed: "zip", stamp: func(t time.Time, line string) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z ") + line }},
	gitlab: format{name: "gitlab", stamp: func(t time.Time, line string) string {
		return t.UTC().Format("2006-01-02T15:04:05.000000Z 00O ") + line
	}},
	gitlabSections: format{
		name:  "gitlab-sections",
		stamp: untimed,
		open: func(t time.Time) string {
			return fmt.Sprintf("section_start:%d:prepare_executor\r\x1b[0K\x1b[0K\x1b[36;1mPreparing the \"docker\" executor\x1b[0;m", t.Unix())
		},
		shut: func(t time.Time) string { return fmt.Sprintf("section_end:%d:prepare_executor\r\x1b[0K", t.Unix()) },
	},
	jenkins:      format{name: "jenkins", packed: "gz", stamp: func(t time.Time, line string) string { return t.UTC().Format("[2006-01-02T15:04:05.000Z] ") + line }},
	jenkinsClock: format{name: "jenkins-clock", stamp: func(t time.Time, line string) string { return t.UTC().Format("15:04:05  ") + line }},
	azure:        format{name: "azure", end: "\r\n", stamp: func(t time.Time, line string) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z ") + line }},
	journal: format{name: "journal", shared: 4, stamp: func(t time.Time, line string) string {
		return t.In(time.FixedZone("", 2*3600)).Format("2006-01-02T15:04:05-0700") + " node-3 containerd[811]: " + line
	}},
	journalWest: format{name: "journal-west", shared: 4, packed: "gz", stamp: func(t time.Time, line string) string {
		return t.In(time.FixedZone("", -5*3600)).Format("2006-01-02T15:04:05-0700") + " node-9 kubelet[1187]: " + line
	}},
	jsonFile: format{name: "json-file", shared: 3, stamp: func(t time.Time, line string) string {
		text, _ := json.Marshal(line + "\n") // a string always can be
		return fmt.Sprintf(`{"log":%s,"stream":"stdout","time":"%s"}`, text, t.UTC().Format(time.RFC3339Nano))
	}},
	cri: format{name: "cri", shared: 3, stamp: func(t time.Time, line string) string {
		return t.In(time.FixedZone("", 3600)).Format(time.RFC3339Nano) + " stdout F " + line
	}},
	plain:   format{name: "plain", shared: 2, stamp: untimed},
	windows: format{name: "plain-crlf", shared: 2, packed: "gz", end: "\r\n", stamp: untimed},
}

func untimed(_ time.Time, line string) string { return line }

// entry is a spot of a log.
type entry struct {
	spot   *Spot
	format *format
	at     time.Time
	lines  []string
}

// logFile is a log with its entries in the order of time.
type logFile struct {
	path    string // below the folder of logs
	format  *format
	entries []*entry
}

// writeLogs writes the entries with noise around them.
func writeLogs(o *Organisation, dir string, size Size, rng *rand.Rand) error {
	folder := filepath.Join(dir, "all")
	files := spread(entries(rng))
	// Half of the text is around the entries, a fifth in one file, and the rest
	// in files of other work.
	each := size.Logs / 2 / int64(len(files))
	others := []*format{&formats.github, &formats.gitlab, &formats.jenkins, &formats.azure, &formats.plain, &formats.journal, &formats.jsonFile, &formats.cri}
	for i := range len(files) / 2 {
		f := others[i%len(others)]
		files = append(files, &logFile{path: fmt.Sprintf("%s/other-%03d.log", f.name, i), format: f})
	}
	files = append(files, &logFile{path: "large.log", format: &formats.gitlab})
	for _, f := range files {
		noise := each
		switch {
		case f.path == "large.log":
			noise = size.Logs / 5
		case len(f.entries) == 0:
			noise = size.Logs * 3 / 10 / int64(len(files)/3)
		}
		n, err := f.write(filepath.Join(folder, f.file()), Place{Evidence: folder, Path: f.file()}, noise, rng)
		if err != nil {
			return err
		}
		o.LogBytes += n
		for _, e := range f.entries {
			o.Spots = append(o.Spots, e.spot)
		}
	}
	o.Logs = append(o.Logs, folder)
	// What is clear is named alone, so that it is a piece of evidence.
	clean := &logFile{path: "clean.log", format: &formats.github}
	path := filepath.Join(dir, clean.file())
	n, err := clean.write(path, Place{Evidence: path}, each, rng)
	if err != nil {
		return err
	}
	o.LogBytes += n
	o.Logs = append(o.Logs, path)
	o.Spots = append(o.Spots, &Spot{What: "log without a bad image", Verdict: Clear, Places: []Place{{Evidence: path}}})
	return nil
}

// spread puts entries into files.
func spread(entries []*entry) []*logFile {
	byFormat := map[*format][]*entry{}
	var order []*format
	for _, e := range entries {
		if byFormat[e.format] == nil {
			order = append(order, e.format)
		}
		byFormat[e.format] = append(byFormat[e.format], e)
	}
	var files []*logFile
	for _, f := range order {
		i := 0
		for some := range slices.Chunk(byFormat[f], max(1, f.shared)) {
			slices.SortStableFunc(some, func(a, b *entry) int { return a.at.Compare(b.at) })
			files = append(files, &logFile{path: fmt.Sprintf("%s/%03d.log", f.name, i), format: f, entries: some})
			i++
		}
	}
	return files
}

// file is the path with the extension of what the file is packed as.
func (l *logFile) file() string {
	switch l.format.packed {
	case "zip":
		return strings.TrimSuffix(l.path, ".log") + ".zip"
	case "gz":
		return l.path + ".gz"
	}
	return l.path
}

// write writes the log to path, with so many bytes of noise, and adds the places
// of its entries, which are below root. It returns the bytes before packing.
func (l *logFile) write(path string, root Place, noise int64, rng *rand.Rand) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, err
	}
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var n int64
	switch l.format.packed {
	case "zip":
		n, err = l.archive(f, root, noise, rng)
	case "gz":
		// Two members, as of a log that was rotated and joined.
		z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
		t := &text{w: bufio.NewWriterSize(&members{gzip: z, to: f}, 1<<14), format: l.format, place: root}
		n, err = l.text(t, noise, rng)
		if err == nil {
			err = z.Close()
		}
	default:
		t := &text{w: bufio.NewWriterSize(f, 1<<16), format: l.format, place: root}
		n, err = l.text(t, noise, rng)
	}
	if err != nil {
		return n, err
	}
	if err := f.Close(); err != nil {
		return n, err
	}
	// Times without a year are taken from the file's.
	last := l.last()
	return n, os.Chtimes(path, last, last)
}

// last is about when the log was closed.
func (l *logFile) last() time.Time {
	if len(l.entries) == 0 {
		return calm.Add(span)
	}
	return l.entries[len(l.entries)-1].at.Add(span)
}

// members writes a text as two gzip members, of which the first has one write.
type members struct {
	gzip *gzip.Writer
	to   io.Writer
	n    int
}

func (m *members) Write(p []byte) (int, error) {
	m.n++
	if m.n == 2 {
		if err := m.gzip.Close(); err != nil {
			return 0, err
		}
		m.gzip.Reset(m.to)
	}
	return m.gzip.Write(p)
}

// archive is a download of the logs of a GitHub run: the log of a job, and those
// of its steps again
// (https://docs.github.com/en/rest/actions/workflow-runs#download-workflow-run-logs).
func (l *logFile) archive(w io.Writer, root Place, noise int64, rng *rand.Rand) (int64, error) {
	z := zip.NewWriter(w)
	var total int64
	for _, member := range []string{"0_scan.txt", "scan/1_Set up job.txt", "scan/2_Run the scan.txt"} {
		f, err := z.CreateHeader(&zip.FileHeader{Name: member, Method: zip.Deflate, Modified: l.last()})
		if err != nil {
			return total, err
		}
		place := root
		place.Path = strings.TrimPrefix(root.Path+"/"+member, "/")
		some := *l
		if member == "scan/1_Set up job.txt" {
			some.entries = nil
		}
		t := &text{w: bufio.NewWriterSize(f, 1<<16), format: l.format, place: place}
		_, _ = t.w.WriteString("\ufeff") // as each file of an archive begins
		n, err := some.text(t, noise/3, rng)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, z.Close()
}

// text is lines of a log as they are written.
type text struct {
	w      *bufio.Writer
	format *format
	place  Place
	line   int // that is written next, from zero
	n      int64
}

// put writes a line.
func (t *text) put(at time.Time, line string) {
	if t.format.stamp != nil {
		line = t.format.stamp(at, line)
	}
	t.raw(line)
}

func (t *text) raw(line string) {
	end := cmp.Or(t.format.end, "\n")
	_, _ = t.w.WriteString(line) // the writer keeps its error for Flush
	_, _ = t.w.WriteString(end)
	t.n += int64(len(line) + len(end))
	t.line++
}

// span is the time around an entry that its log covers.
const span = 8 * time.Minute

// calm is a day on which nothing happened.
var calm = utc("2026-02-11 10:00:00")

// text writes the entries, with noise before, between and behind them.
func (l *logFile) text(t *text, noise int64, rng *rand.Rand) (int64, error) {
	if len(l.entries) == 0 {
		t.noise(calm, calm.Add(span), noise, rng)
		return t.n, t.w.Flush()
	}
	part := noise / int64(len(l.entries)+1)
	before := l.entries[0].at.Add(-span)
	for _, e := range l.entries {
		// Nothing of the noise is at the very time, so that a line without one
		// is never taken for it.
		t.noise(before, e.at.Add(-2*time.Second), part, rng)
		t.entry(e)
		before = e.at.Add(10 * time.Second)
	}
	t.noise(before, before.Add(span), part, rng)
	return t.n, t.w.Flush()
}

func (t *text) entry(e *entry) {
	if open := t.format.open; open != nil {
		t.raw(open(e.at))
	}
	p := t.place
	p.First = t.line + 1
	for i, line := range e.lines {
		t.put(e.at.Add(time.Duration(i)*20*time.Microsecond), line)
	}
	p.Last = t.line
	e.spot.Places = append(e.spot.Places, p)
	if shut := t.format.shut; shut != nil {
		t.raw(shut(e.at.Add(9 * time.Second)))
	}
}

// noise writes about n bytes of other work between two moments.
func (t *text) noise(from, until time.Time, n int64, rng *rand.Rand) {
	for end := t.n + n; t.n < end; {
		done := 1 - float64(end-t.n)/float64(n)
		at := from.Add(time.Duration(done * float64(until.Sub(from))))
		for _, line := range noises[rng.IntN(len(noises))] {
			t.put(at, line)
		}
	}
}

// noises are what tools print that no entry is about: each is written as a
// whole.
var noises = func() [][]string {
	rng := rand.New(rand.NewPCG(7, 7))
	var all [][]string
	one := func(lines ...string) { all = append(all, lines) }
	for i := range 60 {
		one(fmt.Sprintf("ok  \tgithub.com/acme/%s/internal/%s\t%d.%03ds\tcoverage: %d.%d%% of statements", pick(rng, words), pick(rng, words), rng.IntN(9), rng.IntN(1000), rng.IntN(99), rng.IntN(9)))
		one(fmt.Sprintf("npm warn deprecated %s@%d.%d.%d: this version is no longer supported, please upgrade to a newer one", pick(rng, words), rng.IntN(9), rng.IntN(20), rng.IntN(9)))
		one(fmt.Sprintf("[INFO] Downloading from central: https://repo.maven.apache.org/maven2/com/acme/%s/%d.%d/%s.pom", pick(rng, words), rng.IntN(9), rng.IntN(9), pick(rng, words)))
		one(fmt.Sprintf("level=debug msg=\"pull full request queue\" worker=%d queue=%s elapsed=%dms", i, pick(rng, words), rng.IntN(500)))
		one(fmt.Sprintf("#%d %s 10.49MB / 28.23MB 0.%ds", i, digest(rng), rng.IntN(9)), fmt.Sprintf("#%d extracting %s 0.4s done", i, digest(rng)))
		one(fmt.Sprintf("\x1b[32m  ✓ renders the %s of %s (%d ms)\x1b[0m", pick(rng, words), pick(rng, words), rng.IntN(300)))
		one(fmt.Sprintf("    at com.acme.%s.%sService.load(%sService.java:%d)", pick(rng, words), pick(rng, words), pick(rng, words), rng.IntN(900)))
	}
	for range 12 {
		u := use{image: pick(rng, harmless[:6]), digest: digest(rng), at: calm}
		all = append(all, dockerPull(u, rng), buildKit(u, rng), podmanPull(u, rng))
		all = append(all, []string{"Downloading [" + strings.Repeat("=", 20) + ">      ]  12.3MB/28.2MB\rDownloading [" + strings.Repeat("=", 30) + ">]  28.2MB/28.2MB\rDone"})
	}
	return all
}()

package exposure

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// ReadLogs reads the logs of CI systems, container engines, nodes and
// registries that the file or the folder name holds, packed or plain, and
// reports what they say of pulls. In a folder, all regular files below it are
// logs; links are not followed. What cannot be read is an error of rec; ReadLogs
// itself fails where there is nothing of that name, and where ctx ends.
func ReadLogs(ctx context.Context, name string, rec *Recorder) error {
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("read logs: %w", err)
	}
	lr := newLogReader(name, rec)
	if info.IsDir() {
		err = lr.folder(ctx, name)
	} else {
		err = lr.file(ctx, name, "")
	}
	lr.report()
	return err
}

// ReadLog is [ReadLogs] of what r gives. Of an archive whose directory stands at
// its end, r is first copied to a temporary file.
func ReadLog(ctx context.Context, name string, r io.Reader, rec *Recorder) error {
	lr := newLogReader(name, rec)
	err := lr.packed(ctx, r, logEntry{})
	lr.report()
	return err
}

// logReader reads the logs that a user named with one word.
type logReader struct {
	name  string
	rec   *Recorder
	event func(Event) // of rec, unless a test looks at them
	names *logNames
	size  int // bytes of a log to look at in one go

	mu    sync.Mutex
	total logTotal
	seen  map[string]bool // events of archives that hold their logs twice
}

// logTotal is what a logReader has read.
type logTotal struct {
	files, lines, bytes int64
	first, last         time.Time
	zoneless, timeless  bool
	mentions            int
	mentioned           string
	notes               []string
}

func newLogReader(name string, rec *Recorder) *logReader {
	return &logReader{name: name, rec: rec, event: rec.Event, names: newLogNames(rec.Set()), size: logChunk, seen: map[string]bool{}}
}

// logEntry is a log, or an archive, within what the user named.
type logEntry struct {
	path  string // as in [Place]; empty where the log is all
	size  int64  // packed; zero where not known
	mtime time.Time
	depth int // archives around it
	// left is how many bytes all that is packed in the named file may still
	// unpack to; nil before that is known.
	left *int64
}

// within is an entry of the archive e.
func (e logEntry) within(name string, mtime time.Time) logEntry {
	return logEntry{path: path.Join(e.path, clean(name)), mtime: cmp.Or(mtime, e.mtime), depth: e.depth + 1, left: e.left}
}

// clean is the name of an entry of an archive as a path below it.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
}

// folder reads all files below dir, several at a time.
func (lr *logReader) folder(ctx context.Context, dir string) error {
	files := make(chan string)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), maxLogWorkers) {
		workers.Go(func() {
			for name := range files {
				rel, err := filepath.Rel(dir, name)
				if err != nil {
					rel = name
				}
				if err := lr.file(ctx, name, filepath.ToSlash(rel)); err != nil && ctx.Err() == nil {
					lr.rec.Error(err)
				}
			}
		})
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			lr.rec.Error(fmt.Errorf("read logs: %w", err))
		case d.Type().IsRegular():
			files <- name
		}
		return nil
	})
	close(files)
	workers.Wait()
	return errors.Join(err, ctx.Err())
}

// maxLogWorkers bounds the logs of a folder that are read at a time, and with
// them the memory.
const maxLogWorkers = 4

// file reads one file, whose path within the folder is rel.
func (lr *logReader) file(ctx context.Context, name, rel string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer f.Close()
	e := logEntry{path: rel}
	if info, err := f.Stat(); err == nil {
		e.mtime, e.size = info.ModTime(), info.Size()
	}
	return lr.packed(ctx, f, e)
}

// plain reads a log that nothing packs.
func (lr *logReader) plain(ctx context.Context, r io.Reader, e logEntry) error {
	s := &logScan{logReader: lr, path: e.path, at: logPath(cmp.Or(e.path, filepath.ToSlash(lr.name))), mtime: e.mtime}
	err := s.run(ctx, decodeUTF16(bufio.NewReaderSize(r, 4<<10)))
	lr.add(s)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("read log %s: %w", lr.where(e), err)
	}
	return err
}

// where is the entry e for people.
func (lr *logReader) where(e logEntry) string {
	if e.path == "" {
		return lr.name
	}
	return lr.name + ": " + e.path
}

// emit reports an event, once if an archive holds its line twice.
func (s *logScan) emit(e Event) {
	if !e.From.IsZero() && e.Place.Job != "" {
		s.mu.Lock()
		key := strings.Join([]string{e.Place.Job, e.From.String(), e.Ref.String(), e.Text}, "\x00")
		again := s.seen[key]
		s.seen[key] = true
		s.mu.Unlock()
		if again {
			return
		}
	}
	s.event(e)
}

// add counts what s has read.
func (lr *logReader) add(s *logScan) {
	lr.mu.Lock()
	defer lr.mu.Unlock()
	t := &lr.total
	t.files++
	t.lines += int64(s.line - 1)
	if s.within {
		t.lines++
	}
	t.bytes += s.bytes
	t.zoneless = t.zoneless || s.zoneless
	t.timeless = t.timeless || s.first.IsZero() && s.bytes > 0
	if !s.first.IsZero() && (t.first.IsZero() || s.first.Before(t.first)) {
		t.first = s.first
	}
	if s.last.After(t.last) {
		t.last = s.last
	}
	if s.mentions > 0 {
		if t.mentions == 0 {
			t.mentioned = fmt.Sprintf("%s:%d", cmp.Or(s.path, lr.name), s.mentioned)
		}
		t.mentions += s.mentions
	}
}

// note adds a limit of what was read.
func (lr *logReader) note(format string, args ...any) {
	lr.mu.Lock()
	defer lr.mu.Unlock()
	lr.total.notes = append(lr.total.notes, fmt.Sprintf(format, args...))
}

// report tells rec what was read.
func (lr *logReader) report() {
	t := &lr.total
	notes := []string{fmt.Sprintf("%s in %s", plural(int(t.bytes), "byte"), plural(int(t.files), "log"))}
	if t.timeless {
		notes = append(notes, "some logs have no times: when something was pulled there is not known")
	}
	if t.zoneless {
		notes = append(notes, "some times have no zone and are taken for UTC")
	}
	if t.mentions > 0 {
		notes = append(notes, fmt.Sprintf("%s of listed digests outside of pulls, the first at %s", plural(t.mentions, "mention"), t.mentioned))
	}
	lr.rec.Source(Source{
		Kind: "log", Name: lr.name, Items: t.lines, Unit: "lines",
		From: t.first, Until: t.last, Notes: append(notes, t.notes...),
	})
}

// logPath is what the path of a log says of it: the job and step of a log
// archive of GitHub Actions or Azure Pipelines ("build/3_Run scan.txt",
// "1_build.txt"), the job and build of Jenkins ("jobs/scan/builds/12/log"), the
// pod and container of Kubernetes ("pods/ci_scan_UID/scan/0.log").
func logPath(name string) (l logLine) {
	parts := strings.Split(name, "/")
	file := parts[len(parts)-1]
	if title, ok := numbered(file); ok {
		if len(parts) > 1 && !strings.HasSuffix(parts[len(parts)-2], ".zip") {
			l.job, l.step = parts[len(parts)-2], title
		} else {
			l.job = title
		}
		return l
	}
	for i, part := range parts[:len(parts)-1] {
		switch {
		case part == "jobs" && i+4 < len(parts) && parts[i+2] == "builds":
			l.job = parts[i+1] + " #" + parts[i+3]
		case part == "pods" && i+3 < len(parts) && strings.Count(parts[i+1], "_") == 2:
			pod := strings.Split(parts[i+1], "_")
			l.namespace, l.pod, l.container = pod[0], pod[1], parts[i+2]
		case part == "containers" && i+2 == len(parts) && strings.Count(file, "_") == 2:
			pod := strings.Split(file, "_")
			l.pod, l.namespace = pod[0], pod[1]
			l.container = pod[2][:max(0, strings.LastIndexByte(pod[2], '-'))]
		}
	}
	return l
}

// numbered is the title in "3_Run scan.txt".
func numbered(file string) (title string, ok bool) {
	number, rest, ok := strings.Cut(strings.TrimSuffix(file, ".txt"), "_")
	return rest, ok && strings.HasSuffix(file, ".txt") && number != "" && rest != "" && strings.Trim(number, "0123456789") == ""
}

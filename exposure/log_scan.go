package exposure

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
)

const (
	// logChunk is how many bytes of a log are looked at in one go.
	logChunk = 1 << 20
	// logHistory is how many bytes before a chunk stay in memory, for what
	// the lines before say of a line.
	logHistory = 64 << 10
	// maxLine is where longer lines are cut, in bytes; around what is found
	// in one that is longer, excerpt bytes are looked at.
	maxLine = 64 << 10
	excerpt = 4 << 10
)

// logScan is the way through one log. Almost all of it is only searched for the
// names and the digests of the advisories; the lines with such a one are read.
type logScan struct {
	*logReader
	path  string    // as in Place
	at    logLine   // what the path says: job, step, pod
	mtime time.Time // of the file, zero where not known

	buf    []byte // done bytes of history, then what is new
	done   int
	line   int  // number of the line that holds buf[done], from one
	within bool // buf[done] continues a line

	pulls logPulls
	step  string // that the last mark of a step names
	// clock is the time of the last line before buf[looked] that has one.
	clock  time.Time
	looked int
	// neighbour is the last time that had a year.
	neighbour time.Time
	// first and last are the time that the log covers.
	first, last time.Time
	zoneless    bool
	hits        []int
	mentions    int
	mentioned   int // line of the first
	bytes       int64
}

// run reads the log to its end.
func (s *logScan) run(ctx context.Context, r io.Reader) (err error) {
	s.buf = make([]byte, 0, logHistory+s.size)
	s.line = 1
	s.pulls = logPulls{set: s.rec.Set(), emit: s.emit}
	defer s.pulls.flush()
	for end := false; !end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err = s.fill(r); err != nil {
			end = true
		}
		upto := len(s.buf)
		if !end {
			upto = s.whole()
		}
		s.chunk(upto)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("line %d: %w", s.line, err)
}

// whole is the end of the lines in memory that are whole, and whose next line is
// so, too. A line that fills the memory is cut.
func (s *logScan) whole() int {
	if last := bytes.LastIndexByte(s.buf[s.done:], '\n'); last > 0 {
		if n := bytes.LastIndexByte(s.buf[s.done:s.done+last], '\n'); n >= 0 {
			return s.done + n + 1
		}
	}
	return len(s.buf)
}

// maxIdle is how often a reader may give nothing before it is taken for broken.
const maxIdle = 100

// fill reads until buf is full or r ends.
func (s *logScan) fill(r io.Reader) error {
	for idle := 0; len(s.buf) < cap(s.buf); {
		n, err := r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		s.bytes += int64(n)
		if err != nil {
			return err
		}
		if idle++; n > 0 {
			idle = 0
		} else if idle > maxIdle {
			return io.ErrNoProgress
		}
	}
	return nil
}

// chunk looks at buf[done:upto] and makes it history.
func (s *logScan) chunk(upto int) {
	// A name or a digest may begin in the history, where a line is cut.
	from := s.done
	if s.within {
		from = max(0, s.done-maxHit)
	}
	s.hits = s.hits[:0]
	for _, m := range s.rec.Set().Scan(s.buf[from:upto]) {
		if from+m.Span.End > s.done {
			s.hits = append(s.hits, from+m.Span.End-1)
		}
	}
	listed := len(s.hits)
	for start, end := s.names.next(s.buf[:upto], from); end > 0; start, end = s.names.next(s.buf[:upto], start+1) {
		if end > s.done {
			s.hits = append(s.hits, start)
		}
	}
	if listed > 0 {
		slices.Sort(s.hits)
	}
	line, counted, read := s.line, s.done, 0
	for _, hit := range s.hits {
		if hit < read {
			continue // of a line that was read for another hit
		}
		if step, ok := stepAt(s.buf[hit:upto]); ok {
			s.step = step
		}
		start, end := s.segment(hit, upto)
		if start > counted {
			line += bytes.Count(s.buf[counted:start], []byte{'\n'})
			counted = start
		}
		s.look(start, end, line)
		read = end
	}
	s.tell(upto)
	s.line = line + bytes.Count(s.buf[counted:upto], []byte{'\n'})
	s.within = upto > 0 && s.buf[upto-1] != '\n'
	keep := max(0, upto-logHistory)
	s.buf = s.buf[:copy(s.buf, s.buf[keep:])]
	s.done, s.looked = upto-keep, s.looked-keep
}

// maxHit is more than the bytes of any digest or name.
const maxHit = 512

// segment is the part of a line around buf[hit]: the whole line, one of the
// states of a progress bar that overwrites itself, or an excerpt of a line that
// is too long.
func (s *logScan) segment(hit, upto int) (start, end int) {
	start = bytes.LastIndexByte(s.buf[:hit], '\n') + 1
	end = upto
	if n := bytes.IndexByte(s.buf[hit:upto], '\n'); n >= 0 {
		end = hit + n
	}
	if end-start > maxLine {
		start, end = max(start, hit-excerpt), min(end, hit+excerpt)
	}
	if r := bytes.LastIndexByte(s.buf[start:hit], '\r'); r >= 0 {
		start += r + 1
	}
	if r := bytes.IndexByte(s.buf[hit:end], '\r'); r >= 0 {
		end = hit + r
	}
	return start, end
}

// look reads the segment buf[start:end] of the given line.
func (s *logScan) look(start, end, line int) {
	data := s.buf[start:end]
	l := s.parse(start, end)
	uses := logUses(l)
	if len(uses) == 0 {
		uses = s.digestLine(l.text, start, end)
	}
	e := Event{Evidence: s.name, Place: s.place(&l, line), Text: Cut(strings.TrimSpace(l.text))}
	e.From, e.Until = l.time, l.time
	meant := false
	for _, u := range uses {
		use := e
		use.Kind, use.Ref, use.Digests, use.ImageID = u.kind, u.ref, u.digests, u.imageID
		if strings.HasPrefix(l.text, "Status: ") {
			use.Digests = s.digestBefore(start, l.writer)
		}
		if u.kind == Present && u.phase == running {
			use.From = time.Time{} // it was pulled some time before
		}
		writer := l.writer
		if u.client != "" {
			use.Place.Node, writer = u.client, u.client
		}
		meant = meant || listsDigest(s.rec.Set(), use)
		s.pulls.add(u, use, writer)
	}
	if !meant {
		s.mention(data, line)
	}
}

// mention counts listed digests in data that nothing was done with.
func (s *logScan) mention(data []byte, line int) {
	n := len(s.rec.Set().Scan(data))
	if n > 0 && s.mentions == 0 {
		s.mentioned = line
	}
	s.mentions += n
}

// parse reads the segment buf[start:end] as a line, with what stands before it
// where it says less.
func (s *logScan) parse(start, end int) logLine {
	l := parseLogLine(s.buf[start:end])
	if first := bytes.LastIndexByte(s.buf[:start], '\n') + 1; first < start && start-first < maxLine {
		// Not the begin of the line, which has the time.
		head := parseLogLine(s.buf[first:min(start, first+256)])
		l.yearless = head.yearless
		l.node, l.writer = head.node, head.writer
		if l.time.IsZero() {
			l.time, l.zoned = head.time, head.zoned
		}
	}
	s.date(&l)
	if l.time.IsZero() {
		l.time = s.clockAt(start)
	}
	if age, ok := eventAge(l.text); ok && !l.time.IsZero() {
		l.time = l.time.Add(-age)
		l.eventRow()
	}
	return l
}

// date gives l a year if it needs one, and remembers the year that it has.
func (s *logScan) date(l *logLine) {
	switch {
	case !l.time.IsZero():
		s.neighbour = l.time
		s.zoneless = s.zoneless || !l.zoned
	case l.complete(s.neighbour, s.mtime):
		s.zoneless = true
	}
}

// clockAt is the time of the last line before buf[at] that has one.
func (s *logScan) clockAt(at int) time.Time {
	for end := min(at, len(s.buf)); end > s.looked; {
		from := max(0, s.looked)
		colon := bytes.LastIndexByte(s.buf[from:end], ':')
		if colon < 0 {
			break
		}
		end = from + colon
		if !timeColon(s.buf, end) {
			continue
		}
		start := bytes.LastIndexByte(s.buf[:end], '\n') + 1
		if t := s.timeOf(start, at); !t.IsZero() {
			s.clock = t
			break
		}
		end = start
	}
	s.looked = max(s.looked, at)
	return s.clock
}

// timeColon reports whether the colon data[at] may be one of a time: of
// "12:35:01", or of the marks of GitLab's sections.
func timeColon(data []byte, at int) bool {
	if isClock(data, at-2) || isClock(data, at-5) {
		return true
	}
	return bytes.HasSuffix(data[:at], []byte("section_start")) || bytes.HasSuffix(data[:at], []byte("section_end"))
}

// isClock reports whether hours, minutes and seconds stand at data[at:].
func isClock(data []byte, at int) bool {
	if at < 0 || at+8 > len(data) {
		return false
	}
	for i, c := range data[at : at+8] {
		if i == 2 || i == 5 {
			if c != ':' {
				return false
			}
		} else if !isDigitByte(c) {
			return false
		}
	}
	return true
}

// timeOf is the time that the line which starts at buf[start] itself has. Behind
// buf[upto] it is not read.
func (s *logScan) timeOf(start, upto int) time.Time {
	line := s.buf[start:min(upto, start+maxHead, len(s.buf))]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	l := parseLogLine(line)
	if l.time.IsZero() {
		if t := sectionTime(l.text); !t.IsZero() {
			return t
		}
	}
	s.date(&l)
	return l.time
}

// maxHead is how many bytes of a line its time is looked for in.
const maxHead = 512

// sectionTime is the time at which a section of a job of GitLab starts or ends:
// "section_start:1560896352:prepare_executor"
// (https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections).
func sectionTime(text string) time.Time {
	for _, mark := range []string{"section_start:", "section_end:"} {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			l := logLine{text: strings.Replace(rest, ":", " ", 1)}
			if l.epoch(l.text) {
				return l.time
			}
		}
	}
	return time.Time{}
}

// tell notes the time that buf[done:upto] covers.
func (s *logScan) tell(upto int) {
	for at := s.done; s.line == 1 && s.first.IsZero(); at++ {
		colon := bytes.IndexByte(s.buf[at:upto], ':')
		if colon < 0 {
			break
		}
		if at += colon; timeColon(s.buf[:upto], at) {
			s.first = s.timeOf(bytes.LastIndexByte(s.buf[:at], '\n')+1, upto)
		}
	}
	t := s.clockAt(upto)
	if t.After(s.last) {
		s.last = t
	}
	if s.first.IsZero() {
		s.first = t
	}
}

// place is where a line stands.
func (s *logScan) place(l *logLine, line int) Place {
	p := Place{
		Log:  true,
		Path: s.path, Line: line, Job: s.at.job, Step: cmp.Or(s.at.step, s.step),
		Node: l.node, Namespace: s.at.namespace, Pod: s.at.pod, Container: s.at.container,
	}
	if l.job != "" {
		p.Job = l.job
	}
	if l.step != "" {
		p.Step = l.step
	}
	if l.pod != "" {
		p.Namespace, p.Pod, p.Container = l.namespace, l.pod, l.container
	}
	return p
}

// digestLine is what a line says that holds an image's digest and not its name:
// the one that Docker prints at the end of a pull, the ID that Podman prints.
func (s *logScan) digestLine(text string, start, end int) []logUse {
	if digest, ok := strings.CutPrefix(text, "Digest: "); ok && image.ValidDigest(digest) {
		u := logUse{kind: Pulled, phase: ended, digests: []string{digest}}
		if status, ok := s.after(end); ok {
			if after := logUses(status); len(after) == 1 && after[0].phase == ended {
				u.kind, u.ref = after[0].kind, after[0].ref
				return []logUse{u}
			}
		}
		if s.beforeHas(start, 40, ": Pulling from ", ": Pull complete", ": Already exists", ": Download complete") {
			return []logUse{u}
		}
		return nil
	}
	if digest, ok := strings.CutPrefix(text, "Copying config "); ok {
		digest, _, _ = strings.Cut(digest, " ")
		if !strings.HasPrefix(digest, "sha256:") {
			digest = "sha256:" + digest
		}
		if image.ValidDigest(digest) {
			return []logUse{{kind: Pulled, phase: ended, imageID: digest}}
		}
	}
	if id := "sha256:" + strings.TrimPrefix(text, "sha256:"); image.ValidDigest(id) &&
		s.beforeHas(start, 1, "Writing manifest to image destination", "Storing signatures") {
		return []logUse{{kind: Pulled, phase: ended, imageID: id}}
	}
	return nil
}

// digestBefore is the digest that Docker prints on the line before the status of
// a pull, if it stands there. Where writers are told apart, it is the line before of
// the same one.
func (s *logScan) digestBefore(start int, writer string) []string {
	for l := range s.before(start, 20) {
		if l.writer != writer && writer != "" {
			continue
		}
		if digest, ok := strings.CutPrefix(l.text, "Digest: "); ok && image.ValidDigest(digest) && l.writer == writer {
			return []string{digest}
		}
		return nil
	}
	return nil
}

// stepMarks are what CI systems print where a step begins, and what ends the
// name of the step behind it.
var stepMarks = []struct{ mark, end string }{
	{"##[group]Run ", "\r\n"},         // GitHub Actions
	{"##[section]Starting: ", "\r\n"}, // Azure Pipelines
	{"section_start:", "\r\n["},       // GitLab, with a time and options
	{"[Pipeline] { (", ")\r\n"},       // Jenkins
}

// maxStep bounds the name of a step, in bytes.
const maxStep = 120

// stepAt is the step that begins at data, if one does.
func stepAt(data []byte) (step string, ok bool) {
	for _, m := range stepMarks {
		if !bytes.HasPrefix(data, []byte(m.mark)) {
			continue
		}
		name := data[len(m.mark):min(len(data), len(m.mark)+maxStep)]
		if end := bytes.IndexAny(name, m.end); end >= 0 {
			name = name[:end]
		}
		if m.mark == "section_start:" {
			_, name, _ = bytes.Cut(name, []byte(":"))
		}
		step = strings.TrimSpace(plainText(name))
		if m.mark == "##[group]Run " {
			step = "Run " + step // as GitHub calls a step without a name
		}
		return step, true
	}
	return "", false
}

// beforeHas reports whether one of the n lines before buf[start] contains one of
// the texts.
func (s *logScan) beforeHas(start, n int, texts ...string) bool {
	for l := range s.before(start, n) {
		if slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(l.text, t) }) {
			return true
		}
	}
	return false
}

// before yields the n lines before buf[start], the nearest first. Blank lines
// do not count.
func (s *logScan) before(start, n int) func(func(logLine) bool) {
	return func(yield func(logLine) bool) {
		end := bytes.LastIndexByte(s.buf[:start], '\n')
		for found := 0; found < n && end > 0; {
			begin := bytes.LastIndexByte(s.buf[:end], '\n') + 1
			if l := parseLogLine(s.buf[max(begin, end-maxHead):end]); l.text != "" {
				if found++; !yield(l) {
					return
				}
			}
			end = begin - 1
		}
	}
}

// after is the line behind buf[end], if it is in memory.
func (s *logScan) after(end int) (logLine, bool) {
	n := bytes.IndexByte(s.buf[end:], '\n')
	if n < 0 {
		return logLine{}, false
	}
	line := s.buf[end+n+1:]
	if n = bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	return parseLogLine(line[:min(len(line), maxHead)]), true
}

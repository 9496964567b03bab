package exposure

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

const (
	// maxListing bounds one part of a listing, in bytes once unpacked: a
	// hundred times what the largest clusters print.
	maxListing = 16 << 30
	// maxComplaints is how many errors of one listing are reported singly.
	maxComplaints = 5
	// maxArchive bounds the number of files read from one archive.
	maxArchive = 10_000
)

// listing is what one run of ReadImages, ReadPods or ReadEngine gathers: where
// it reads, what it counts and what limits its word.
type listing struct {
	rec    *Recorder
	source Source
	// place is what all events have in common: the file in an archive, the
	// host of an engine.
	place Place
	limit int64 // of one part, in bytes
	bad   int   // complaints so far
	// vague lines were not understood, bare ones have no digest.
	vague, bare lineCount
	items       map[string]int64

	listed  []string // hex digits of all listed digests, sorted
	images  map[string][]string
	waiting []Event
	table   *imageTable
}

func newListing(rec *Recorder, kind, name string) *listing {
	return &listing{
		rec:    rec,
		source: Source{Kind: kind, Name: name},
		limit:  maxListing,
		items:  map[string]int64{},
		images: map[string][]string{},
	}
}

// event hands e on, with the name of the evidence.
func (l *listing) event(e Event) {
	e.Evidence = l.source.Name
	l.rec.Event(e)
}

// count notes one more thing that was read: "images".
func (l *listing) count(unit string) { l.items[unit]++ }

// note adds a note once.
func (l *listing) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(l.source.Notes, s) {
		l.source.Notes = append(l.source.Notes, s)
	}
}

// at is the place of a line, for people.
func (l *listing) at(line int) string {
	at := l.source.Name
	if l.place.Path != "" {
		at += ": " + l.place.Path
	}
	if line > 0 {
		at += ": line " + itoa(line)
	}
	return at
}

// complain notes something that could not be read. A file that is something
// else altogether would be an error on every line, so that only the first ones
// are told singly.
func (l *listing) complain(line int, err error) {
	if l.bad++; l.bad <= maxComplaints {
		l.rec.Error(fmt.Errorf("read %s: %w", l.at(line), err))
	}
}

// lineCount counts lines, and keeps the first of them.
type lineCount struct{ n, first int }

func (c *lineCount) add(line int) {
	if c.n++; c.n == 1 {
		c.first = line
	}
}

// finish reports the source.
func (l *listing) finish() {
	for _, e := range l.waiting {
		l.resolve(e)
	}
	if more := l.bad - maxComplaints; more > 0 {
		l.rec.Error(fmt.Errorf("read %s: %d errors more", l.source.Name, more))
	}
	if l.vague.n > 0 {
		l.note("%s not understood, the first is line %d", plural(l.vague.n, "line"), l.vague.first)
	}
	if l.bare.n > 0 {
		l.note("%s listed without a digest, which alone settles what a tag was, the first in line %d; list them with --digests", plural(l.bare.n, "image"), l.bare.first)
	}
	units := make([]string, 0, len(l.items))
	for unit, n := range l.items {
		units = append(units, plural(int(n), strings.TrimSuffix(unit, "s")))
		l.source.Items += n
		l.source.Unit = unit
	}
	if len(units) > 1 {
		slices.Sort(units)
		l.source.Unit = "objects"
		l.note("%s", strings.Join(units, ", "))
	}
	l.rec.Source(l.source)
}

// documents reads a text: JSON documents, whose objects each is given, and
// lines.
func (l *listing) documents(t *jsonText, each func(listedItem), line func(int, string)) {
	for {
		c, ok := t.peek()
		if !ok {
			return
		}
		start := t.line
		if !t.startsJSON(c) {
			line(start, t.readLine())
			continue
		}
		err := t.document(each)
		switch {
		case err == nil:
		case t.err != nil:
			l.complain(start, errEnd)
		default:
			l.complain(t.line, err)
			t.readLine()
		}
	}
}

// parts gives each text in r to read: r itself, what gzip packed, or the files
// of a zip archive. UTF-16, which PowerShell writes, becomes UTF-8.
func (l *listing) parts(ctx context.Context, r io.Reader, read func(*jsonText)) error {
	buffered := bufio.NewReader(r)
	head, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", l.at(0), err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("read %s: %w", l.at(0), err)
		}
		return l.part(ctx, unpacked, read)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return l.archive(ctx, r, read)
	}
	return l.part(ctx, buffered, read)
}

// archive reads the files of a zip archive, whose directory is at its end.
func (l *listing) archive(ctx context.Context, r io.Reader, read func(*jsonText)) error {
	file, ok := r.(interface {
		io.ReaderAt
		Stat() (fs.FileInfo, error)
	})
	if !ok {
		return fmt.Errorf("read %s: a zip archive can't be read from a pipe; unpack it first", l.at(0))
	}
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", l.at(0), err)
	}
	archive, err := zip.NewReader(file, info.Size())
	if err != nil {
		return fmt.Errorf("read %s: %w", l.at(0), err)
	}
	files := archive.File
	if len(files) > maxArchive {
		l.complain(0, fmt.Errorf("only the first %d of its %d files were read", maxArchive, len(files)))
		files = files[:maxArchive]
	}
	for _, f := range files {
		if f.FileInfo().IsDir() {
			continue
		}
		l.place.Path = f.Name
		if err := l.archived(ctx, f, read); err != nil {
			if ctx.Err() != nil {
				return err
			}
			l.rec.Error(err)
		}
	}
	l.place.Path = ""
	return nil
}

func (l *listing) archived(ctx context.Context, f *zip.File, read func(*jsonText)) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("read %s: %w", l.at(0), err)
	}
	defer r.Close()
	return l.part(ctx, r, read)
}

// part reads one text.
func (l *listing) part(ctx context.Context, r io.Reader, read func(*jsonText)) error {
	limited := &partReader{ctx: ctx, r: r, left: l.limit}
	text := newJSONText(decodeUTF16(bufio.NewReader(limited)))
	l.table = nil
	read(text)
	if limited.cut {
		l.complain(0, fmt.Errorf("what follows its first %d bytes was left unread", l.limit))
	}
	if text.err != nil && !errors.Is(text.err, io.EOF) {
		return fmt.Errorf("read %s: %w", l.at(text.line), text.err)
	}
	return nil
}

// partReader reads until its limit or until the context ends.
type partReader struct {
	ctx  context.Context
	r    io.Reader
	left int64
	cut  bool
}

func (r *partReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.left == 0 {
		// One byte more tells a text of exactly this size from a longer one.
		n, err := r.r.Read(make([]byte, 1))
		r.cut = r.cut || n > 0
		if n > 0 {
			err = io.EOF
		}
		return 0, err
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

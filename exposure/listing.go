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
	"unicode/utf16"
	"unicode/utf8"
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
	vague int   // lines that were not understood
	first int   // the first of them
	items map[string]int64

	listed  []string // hex digits of all listed digests, sorted
	images  map[string][]string
	waiting []Event
	table   *table
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

// unclear counts a line that is nothing known.
func (l *listing) unclear(line int) {
	if l.vague++; l.vague == 1 {
		l.first = line
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
	if l.vague > 0 {
		l.note("%d lines were not understood, first line %d", l.vague, l.first)
	}
	units := make([]string, 0, len(l.items))
	for unit, n := range l.items {
		units = append(units, fmt.Sprintf("%d %s", n, unit))
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
	limited := &limitedReader{ctx: ctx, r: r, left: l.limit}
	text := newJSONText(decodeText(limited))
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

// limitedReader reads until its limit or until the context ends.
type limitedReader struct {
	ctx  context.Context
	r    io.Reader
	left int64
	cut  bool
}

func (r *limitedReader) Read(p []byte) (int, error) {
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

// decodeText is r as UTF-8 without a byte order mark.
func decodeText(r io.Reader) io.Reader {
	buffered := bufio.NewReader(r)
	head, _ := buffered.Peek(3) // an error comes again with the next read
	switch {
	case bytes.Equal(head, []byte("\xef\xbb\xbf")):
		buffered.Discard(len(head)) //nolint:errcheck // they are buffered
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return &utf16Reader{r: buffered, low: 0}
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return &utf16Reader{r: buffered, low: 1}
	}
	return buffered
}

// utf16Reader reads UTF-16 as UTF-8.
type utf16Reader struct {
	r    *bufio.Reader
	low  int // which byte of a unit is the lower one
	rest []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		unit, err := u.unit()
		if err != nil {
			return 0, err
		}
		switch {
		case unit == '\ufeff': // the byte order mark
			continue
		case utf16.IsSurrogate(unit):
			second, err := u.unit()
			if err != nil {
				return 0, err
			}
			unit = utf16.DecodeRune(unit, second)
		}
		u.rest = utf8.AppendRune(u.rest, unit)
	}
	n := copy(p, u.rest)
	u.rest = u.rest[:copy(u.rest, u.rest[n:])]
	return n, nil
}

func (u *utf16Reader) unit() (rune, error) {
	var b [2]byte
	if _, err := io.ReadFull(u.r, b[:]); err != nil {
		return 0, err
	}
	return rune(b[u.low]) | rune(b[1-u.low])<<8, nil
}

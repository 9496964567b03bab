package exposure

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxLogDepth bounds archives in archives: a zip of zips of gzips.
	maxLogDepth = 3
	// maxLogEntries bounds the entries of one archive.
	maxLogEntries = 100_000
	// Logs compress well, and bombs better: what a packed log may hold, and what
	// all in a file may, is bounded by logRatio times its size, once it is more
	// than logFree bytes. Entries of a zip can overlap, so that each alone tells
	// nothing of their sum.
	logRatio = 300
	logFree  = 256 << 20
	// maxSpool bounds an archive that has to be copied to be read, in bytes.
	maxSpool = 4 << 30
)

// errUnread is the end of what is read of a packed log that holds too much.
var errUnread = errors.New("unpacks to far more than a log would; the rest was not read")

// packed reads a log or an archive, whichever its first bytes say.
func (lr *logReader) packed(ctx context.Context, r io.Reader, e logEntry) error {
	if e.left == nil {
		left := unpacked(e.size)
		e.left = &left
	}
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(512)
	if err != nil && len(head) == 0 && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read log %s: %w", lr.where(e), err)
	}
	format := packing(head)
	if format != "" && e.depth >= maxLogDepth {
		return lr.unread(e, "an archive within too many others was not read")
	}
	switch format {
	case "gzip":
		z, err := gzip.NewReader(b)
		if err != nil {
			return fmt.Errorf("read log %s: %w", lr.where(e), err)
		}
		return lr.inflated(ctx, z, e)
	case "bzip2":
		return lr.inflated(ctx, bzip2.NewReader(b), e)
	case "zip":
		return lr.zipped(ctx, r, b, e)
	case "tar":
		return lr.tarred(ctx, b, e)
	case "zstd", "xz":
		return lr.unread(e, format+" is not unpacked here: unpack it and name the result, or give it to --log - through a pipe")
	}
	return lr.plain(ctx, b, e)
}

// unread says, as an error and as a limit of the evidence, what was left out.
func (lr *logReader) unread(e logEntry, why string) error {
	lr.note("%s: %s", cmp.Or(e.path, lr.name), why)
	return fmt.Errorf("read log %s: %s", lr.where(e), why)
}

// packing is the archive or the compression that head starts, empty for none.
func packing(head []byte) string {
	for _, m := range []struct{ name, magic string }{
		{"gzip", "\x1f\x8b"}, {"zip", "PK\x03\x04"}, {"zip", "PK\x05\x06"}, {"bzip2", "BZh"},
		{"zstd", "\x28\xb5\x2f\xfd"}, {"xz", "\xfd7zXZ\x00"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.name
		}
	}
	if len(head) >= 262 && string(head[257:262]) == "ustar" {
		return "tar"
	}
	return ""
}

// inflated reads what a compressed file holds.
func (lr *logReader) inflated(ctx context.Context, r io.Reader, e logEntry) error {
	inner := e
	inner.depth++
	return lr.bounded(ctx, r, inner, e.size)
}

// bounded reads an entry that may hold only so much as its packed size allows;
// a size of zero is unknown.
func (lr *logReader) bounded(ctx context.Context, r io.Reader, e logEntry, size int64) error {
	err := lr.packed(ctx, &limitedReader{r: r, left: unpacked(size), total: e.left}, e)
	if errors.Is(err, errUnread) {
		lr.note("%s: %v", cmp.Or(e.path, lr.name), errUnread)
	}
	return err
}

// unpacked is how many bytes something of this packed size may hold.
func unpacked(size int64) int64 {
	if size <= 0 {
		return logUnknown
	}
	return max(logFree, size*logRatio)
}

// logUnknown bounds what is read of a compressed stream whose size is not known,
// in bytes.
const logUnknown = 64 << 30

// limitedReader ends with errUnread behind left bytes, or behind as many as are
// left of the total, where that is not nil.
type limitedReader struct {
	r     io.Reader
	left  int64
	total *int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 || l.total != nil && *l.total <= 0 {
		return 0, errUnread
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	if l.total != nil {
		*l.total -= int64(n)
	}
	return n, err
}

// zipped reads a zip archive. Its directory stands at the end, so that anything
// but a file is copied to one first.
func (lr *logReader) zipped(ctx context.Context, r, b io.Reader, e logEntry) error {
	f, ok := r.(*os.File)
	ok = ok && e.size > 0
	size := e.size
	if !ok {
		spool, n, err := spoolLog(b)
		if err != nil {
			return fmt.Errorf("read log %s: %w", lr.where(e), err)
		}
		defer spool.Close()
		f, size = spool, n
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return fmt.Errorf("read log %s: %w", lr.where(e), err)
	}
	if len(z.File) > maxLogEntries {
		lr.rec.Error(lr.unread(e, fmt.Sprintf("%d of its %d files were not read", len(z.File)-maxLogEntries, len(z.File))))
		z.File = z.File[:maxLogEntries]
	}
	// GitHub's archives hold each step in the folder of its job, and once more
	// all steps of a job in one file: what names the step comes first.
	slices.SortStableFunc(z.File, func(a, b *zip.File) int {
		return cmp.Compare(min(1, strings.Count(b.Name, "/")), min(1, strings.Count(a.Name, "/")))
	})
	for _, entry := range z.File {
		if !entry.Mode().IsRegular() {
			continue
		}
		if err := lr.zipEntry(ctx, entry, e.within(entry.Name, entry.Modified)); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if *e.left <= 0 {
				return err // and so all others
			}
			lr.rec.Error(err)
		}
	}
	return nil
}

func (lr *logReader) zipEntry(ctx context.Context, entry *zip.File, e logEntry) error {
	r, err := entry.Open()
	if err != nil {
		return fmt.Errorf("read log %s: %w", lr.where(e), err)
	}
	defer r.Close()
	size := int64(min(entry.CompressedSize64, 1<<50))
	e.size = size
	return lr.bounded(ctx, r, e, size)
}

// spoolLog copies r to a file without a name, which goes when it is closed.
func spoolLog(r io.Reader) (f *os.File, size int64, err error) {
	if f, err = os.CreateTemp("", "digestlint-*.zip"); err != nil {
		return nil, 0, err
	}
	if err = os.Remove(f.Name()); err == nil {
		size, err = io.Copy(f, &limitedReader{r: r, left: maxSpool})
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// tarred reads a tar archive.
func (lr *logReader) tarred(ctx context.Context, r io.Reader, e logEntry) error {
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read log %s: %w", lr.where(e), err)
		case n == maxLogEntries:
			return lr.unread(e, fmt.Sprintf("only the first %d of its files were read", maxLogEntries))
		case h.Typeflag != tar.TypeReg:
			continue
		}
		inner := e.within(h.Name, h.ModTime)
		inner.size = h.Size
		if err := lr.packed(ctx, t, inner); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, errUnread) {
				return err // of the compression around the archive
			}
			lr.rec.Error(err)
		}
	}
}

// decodeUTF16 is b as UTF-8 where a byte order mark says that it is UTF-16, as
// PowerShell writes logs.
func decodeUTF16(b *bufio.Reader) io.Reader {
	mark, _ := b.Peek(2)
	var order binary.ByteOrder
	switch string(mark) {
	case "\xff\xfe":
		order = binary.LittleEndian
	case "\xfe\xff":
		order = binary.BigEndian
	default:
		return b
	}
	return &utf16Reader{b: b, order: order}
}

type utf16Reader struct {
	b     *bufio.Reader
	order binary.ByteOrder
	out   []byte // decoded, not yet given
	high  rune   // the first half of a surrogate pair
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		var unit [2]byte
		if _, err := io.ReadFull(u.b, unit[:]); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF // half a character
			}
			return 0, err
		}
		r := rune(u.order.Uint16(unit[:]))
		switch {
		case u.high != 0:
			r = utf16.DecodeRune(u.high, r)
			u.high = 0
		case utf16.IsSurrogate(r):
			u.high = r
			continue
		}
		u.out = utf8.AppendRune(u.out[:0], r)
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

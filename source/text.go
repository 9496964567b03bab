package source

import (
	"bytes"
	"sort"
)

// Text is a string decoded out of a file, with the place of each byte.
//
// A byte is verbatim when the same byte stands in the file at its place, and
// put when something else stands there (an escape, a folded line break). Data
// must not be changed.
type Text struct {
	File *File
	Data []byte

	runs []run // in the order of inner; they cover Data without gap
}

// run maps Data[inner:inner+n] to the file. A verbatim run stands at
// outer.Start byte for byte; a put run stands for outer as a whole.
type run struct {
	inner, n int
	outer    Span
	put      bool
}

// Whole is all of f as a text.
func Whole(f *File) *Text {
	return Part(f, Span{0, len(f.Data)})
}

// Part is the bytes of f in s as a text.
func Part(f *File, s Span) *Text {
	return &Text{File: f, Data: f.Slice(s), runs: []run{{n: s.Len(), outer: s}}}
}

// Slice is t.Data[start:end] as a text of its own.
func (t *Text) Slice(start, end int) *Text {
	b := NewBuilder(t)
	b.Copy(start, end)
	return b.Text()
}

// Join is texts of one file one behind the other, with sep between. The places
// of sep are the ends of what stands before it.
func Join(sep string, texts ...*Text) *Text {
	out := &Text{File: texts[0].File}
	for i, t := range texts {
		if i > 0 && sep != "" {
			at := texts[i-1].at(len(texts[i-1].Data))
			out.runs = append(out.runs, run{inner: len(out.Data), n: len(sep), outer: Span{at, at}, put: true})
			out.Data = append(out.Data, sep...)
		}
		for _, r := range t.runs {
			r.inner += len(out.Data)
			out.runs = append(out.runs, r)
		}
		out.Data = append(out.Data, t.Data...)
	}
	return out
}

// Trim is t without white space at its ends.
func (t *Text) Trim() *Text {
	start := len(t.Data) - len(bytes.TrimLeft(t.Data, " \t\r\n"))
	end := len(bytes.TrimRight(t.Data, " \t\r\n"))
	if start >= end {
		return t.Slice(len(t.Data), len(t.Data))
	}
	if start == 0 && end == len(t.Data) {
		return t
	}
	return t.Slice(start, end)
}

// Masked is t with other bytes of the same number: a copy in which what an
// inner parser can't read is blanked out, each byte keeping its place.
func (t *Text) Masked(data []byte) *Text {
	if len(data) != len(t.Data) {
		panic("source: a mask changes no length")
	}
	return &Text{File: t.File, Data: data, runs: t.runs}
}

// find is the index of the run that holds the inner byte at.
func (t *Text) find(at int) int {
	return max(sort.Search(len(t.runs), func(i int) bool { return t.runs[i].inner > at })-1, 0)
}

// Span is the place in the file of t.Data[start:end], and whether exactly those
// bytes stand there in one piece. Where they don't, the span covers all that
// they were made of.
func (t *Text) Span(start, end int) (Span, bool) {
	if len(t.runs) == 0 {
		return Span{}, false
	}
	if start >= end {
		at := t.at(start)
		return Span{at, at}, true
	}
	first, last := t.find(start), t.find(end-1)
	s := Span{t.startOf(first, start), t.endOf(last, end)}
	return s, s.Len() == end-start && bytes.Equal(t.File.Slice(s), t.Data[start:end])
}

// At is the file offset of the inner byte at, or of the end of the text.
func (t *Text) At(at int) int { return t.at(at) }

func (t *Text) at(at int) int {
	if len(t.runs) == 0 {
		return 0
	}
	if at >= len(t.Data) && len(t.Data) > 0 {
		return t.endOf(len(t.runs)-1, len(t.Data))
	}
	return t.startOf(t.find(at), at)
}

func (t *Text) startOf(i, at int) int {
	r := t.runs[i]
	if r.put {
		return r.outer.Start
	}
	return r.outer.Start + min(max(at-r.inner, 0), r.n)
}

func (t *Text) endOf(i, end int) int {
	r := t.runs[i]
	if r.put {
		return r.outer.End
	}
	return r.outer.Start + min(max(end-r.inner, 0), r.n)
}

// String is the decoded string.
func (t *Text) String() string { return string(t.Data) }

// Builder makes a text out of parts of another one, which are added in their
// order.
type Builder struct {
	from *Text
	data []byte
	runs []run
	// whole is set while the text so far is one piece of from.Data, which it
	// then shares.
	start, end int
	whole      bool
}

// NewBuilder is a builder of texts whose bytes come from t.
func NewBuilder(t *Text) *Builder { return &Builder{from: t} }

// Len is the number of bytes so far.
func (b *Builder) Len() int {
	if b.whole {
		return b.end - b.start
	}
	return len(b.data)
}

// Copy adds the inner bytes [start, end) with their places.
func (b *Builder) Copy(start, end int) {
	if start >= end {
		if b.Len() == 0 && len(b.runs) == 0 {
			at := b.from.at(start)
			b.runs = append(b.runs, run{outer: Span{at, at}})
		}
		return
	}
	if b.Len() == 0 {
		b.runs = b.runs[:0]
	}
	n := b.Len()
	switch {
	case n == 0:
		b.start, b.end, b.whole = start, end, true
	case b.whole && b.end == start:
		b.end = end
	default:
		b.spill()
		b.data = append(b.data, b.from.Data[start:end]...)
	}
	for i := b.from.find(start); i < len(b.from.runs) && b.from.runs[i].inner < end; i++ {
		r := b.from.runs[i]
		lo, hi := max(r.inner, start), min(r.inner+r.n, end)
		outer := r.outer
		if !r.put {
			outer = Span{r.outer.Start + lo - r.inner, r.outer.Start + hi - r.inner}
		}
		b.add(run{inner: n + lo - start, n: hi - lo, outer: outer, put: r.put})
	}
}

// Put adds s, which stands for the inner bytes [start, end).
func (b *Builder) Put(s string, start, end int) {
	if s == "" {
		return
	}
	n := b.Len()
	if n == 0 {
		b.runs = b.runs[:0]
	}
	b.spill()
	b.data = append(b.data, s...)
	outer, _ := b.from.Span(start, end)
	b.add(run{inner: n, n: len(s), outer: outer, put: true})
}

func (b *Builder) spill() {
	if b.whole {
		b.data = append(make([]byte, 0, b.end-b.start+64), b.from.Data[b.start:b.end]...)
		b.whole = false
	}
}

func (b *Builder) add(r run) {
	if r.n == 0 && len(b.runs) > 0 {
		return
	}
	if k := len(b.runs) - 1; k >= 0 && !r.put && !b.runs[k].put && b.runs[k].outer.End == r.outer.Start {
		b.runs[k].n += r.n
		b.runs[k].outer.End = r.outer.End
		return
	}
	b.runs = append(b.runs, r)
}

// Text is what was built. The builder must not be used afterwards.
func (b *Builder) Text() *Text {
	t := &Text{File: b.from.File, Data: b.data, runs: b.runs}
	if b.whole {
		t.Data = b.from.Data[b.start:b.end]
	}
	return t
}

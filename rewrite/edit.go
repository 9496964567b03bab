package rewrite

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/digestlint/digestlint/source"
)

// Edit puts New in place of the bytes of Span. Offsets are bytes in the old
// content. An empty span inserts, an empty New deletes.
//
// Edits are given in any order, and the same one may be given more than once.
// They must lie within the content, must not overlap, and no two of them may
// insert different texts at one offset, as nothing says which comes first. An
// insertion at an end of a replaced range stays outside of it.
type Edit struct {
	source.Span
	New string
}

// Apply is data with edits made, in memory of its own. It fails only for
// edits that are invalid; none of them is made then.
func Apply(data []byte, edits []Edit) ([]byte, error) {
	edits, err := normalize(len(data), edits)
	if err != nil {
		return nil, err
	}
	size := len(data)
	for _, e := range edits {
		size += len(e.New) - e.Len()
	}
	out := make([]byte, 0, size)
	at := 0
	for _, e := range edits {
		out = append(out, data[at:e.Start]...)
		out = append(out, e.New...)
		at = e.End
	}
	return append(out, data[at:]...), nil
}

// Inverse is the edits that turn what Apply makes of data back into data, in
// the order of their offsets.
func Inverse(data []byte, edits []Edit) ([]Edit, error) {
	edits, err := normalize(len(data), edits)
	if err != nil {
		return nil, err
	}
	inverse := make([]Edit, len(edits))
	shift := 0 // from an offset in data to the one in the new content
	for i, e := range edits {
		start := e.Start + shift
		inverse[i] = Edit{source.Span{Start: start, End: start + len(e.New)}, string(data[e.Start:e.End])}
		shift += len(e.New) - e.Len()
	}
	return inverse, nil
}

// Verify reports whether new is old with edits made: outside of them not one
// byte may differ. It compares and builds nothing, so that it is a check of its
// own on a content before that is written. The error names the first byte of
// new that is wrong.
func Verify(old, new []byte, edits []Edit) error {
	edits, err := normalize(len(old), edits)
	if err != nil {
		return err
	}
	rest := new
	expect := func(want []byte) bool {
		n := commonPrefix(rest, want)
		rest = rest[n:]
		return n == len(want)
	}
	at := 0
	for _, e := range edits {
		if !expect(old[at:e.Start]) {
			return fmt.Errorf("byte %d of the new content differs outside the edits", len(new)-len(rest))
		}
		if !expect([]byte(e.New)) {
			return fmt.Errorf("byte %d of the new content is not what the edit at %d puts there", len(new)-len(rest), e.Start)
		}
		at = e.End
	}
	if !expect(old[at:]) || len(rest) > 0 {
		return fmt.Errorf("byte %d of the new content differs outside the edits", len(new)-len(rest))
	}
	return nil
}

// commonPrefix is the number of bytes that a and b start with in common.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	if bytes.Equal(a[:n], b[:n]) {
		return n
	}
	i := 0
	for a[i] == b[i] {
		i++
	}
	return i
}

// normalize is edits of a content of size bytes in order, each once, with those
// that touch made one, or an error for invalid ones. The argument stays as it
// is.
//
// Touching edits become one because their inverses could not be told apart:
// two ranges deleted side by side are two insertions at one offset.
func normalize(size int, edits []Edit) ([]Edit, error) {
	sorted := slices.Clone(edits)
	slices.SortFunc(sorted, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.New, b.New))
	})
	sorted = slices.Compact(sorted)
	if err := check(size, sorted); err != nil {
		return nil, err
	}
	merged := sorted[:0]
	for _, e := range sorted {
		if last := len(merged) - 1; last >= 0 && merged[last].End == e.Start {
			merged[last].End = e.End
			merged[last].New += e.New
			continue
		}
		merged = append(merged, e)
	}
	return merged, nil
}

// check finds what is wrong with edits that are sorted and distinct.
func check(size int, edits []Edit) error {
	for i, e := range edits {
		if e.Start < 0 || e.Start > e.End || e.End > size {
			return fmt.Errorf("edit of bytes %d to %d of %d", e.Start, e.End, size)
		}
		if i == 0 {
			continue
		}
		switch before := edits[i-1]; {
		case before.Span == e.Span:
			return fmt.Errorf("edits of bytes %d to %d to both %q and %q", e.Start, e.End, before.New, e.New)
		case e.Start < before.End:
			return fmt.Errorf("edits of bytes %d to %d and %d to %d overlap", before.Start, before.End, e.Start, e.End)
		}
	}
	return nil
}

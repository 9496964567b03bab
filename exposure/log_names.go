package exposure

import (
	"bytes"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/advisories"
)

// logNames finds the names of repositories in bytes: the filter that lets a log
// of gigabytes pass and holds back the few lines that a reader has to look at.
//
// It is the algorithm of Wu and Manber ("A fast algorithm for multi-pattern
// searching", 1994) with blocks of two bytes: a table says for each pair of
// bytes how far the window over the text may move.
type logNames struct {
	size  int // of the window: the length of the shortest name
	shift [1 << 16]uint8
	ends  map[uint16][]logName // by the last pair of the window
}

// logName is a name to look for.
type logName struct {
	text  []byte
	below bool // a prefix, which ends in "/"
	mark  bool // of a step, instead of a name
	short bool // of one component only, which prose has, too
}

// newLogNames looks for all repositories that the advisories of set speak of,
// as any log may write them: without the host, and without Docker Hub's
// "library/"; and for what marks the steps of a job.
func newLogNames(set *advisories.Set) *logNames {
	var names []logName
	add := func(canonical string) {
		for _, n := range logNamesOf(canonical) {
			if !slices.ContainsFunc(names, func(o logName) bool { return bytes.Equal(o.text, n.text) }) {
				names = append(names, n)
			}
		}
	}
	for _, m := range stepMarks {
		names = append(names, logName{text: []byte(m.mark), below: true, mark: true})
	}
	for _, a := range set.All() {
		for i := range a.Repositories {
			add(a.Repositories[i].Name)
		}
		for i := range a.Tags {
			for _, name := range a.Tags[i].In {
				add(name)
			}
		}
	}
	f := &logNames{size: 255, ends: map[uint16][]logName{}}
	for _, n := range names {
		f.size = min(f.size, len(n.text))
	}
	for i := range f.shift {
		f.shift[i] = uint8(f.size - 1)
	}
	for _, n := range names {
		for end := 1; end < f.size; end++ {
			p := pair(n.text, end)
			f.shift[p] = min(f.shift[p], uint8(f.size-1-end))
		}
		p := pair(n.text, f.size-1)
		f.ends[p] = append(f.ends[p], n)
	}
	return f
}

// logNamesOf are the parts of a canonical repository or pattern that every way
// to write it has.
func logNamesOf(canonical string) []logName {
	canonical, below := strings.CutSuffix(canonical, "*")
	host, path, _ := strings.Cut(canonical, "/")
	path = strings.TrimPrefix(path, "library/")
	if path == "" || host != "docker.io" && !strings.Contains(path, "/") {
		path = canonical
	}
	if len(path) == 1 { // less than the two bytes that the search needs
		return []logName{{text: []byte(path + ":"), below: true}, {text: []byte(path + "@"), below: true}}
	}
	return []logName{{text: []byte(path), below: below, short: !strings.Contains(path, "/")}}
}

// pair is the two bytes of text that end at the offset end, which is in them.
func pair(text []byte, end int) uint16 { return uint16(text[end-1])<<8 | uint16(text[end]) }

// next is the first name that starts at or behind from; its end is zero where
// there is none.
func (f *logNames) next(data []byte, from int) (start, end int) {
	for last := from + f.size - 1; last < len(data); { // byte of the window
		if s := f.shift[pair(data, last)]; s > 0 {
			last += int(s)
			continue
		}
		start := last - f.size + 1
		for _, n := range f.ends[pair(data, last)] {
			if n.at(data, start) {
				return start, start + len(n.text)
			}
		}
		last++
	}
	return 0, 0
}

// at reports whether n stands at data[start:] as a name of its own.
func (n logName) at(data []byte, start int) bool {
	if !bytes.HasPrefix(data[start:], n.text) || start > 0 && isNameByte(data[start-1]) && !n.mark {
		return false
	}
	if n.below {
		return true
	}
	rest := data[start+len(n.text):]
	if len(rest) == 0 {
		return true
	}
	switch c := rest[0]; {
	case c == ':' || c == '@':
		return true
	case c == '/': // the API of a registry has a path behind the name
		return bytes.HasPrefix(rest, []byte("/manifests/")) || bytes.HasPrefix(rest, []byte("/blobs/"))
	case c == '.':
		return len(rest) == 1 || !isNameByte(rest[1]) || rest[1] == '.'
	case isNameByte(c):
		return false
	}
	return !n.short || start == 0 || data[start-1] != '/' || bytes.HasSuffix(data[:start], []byte("library/"))
}

// isNameByte reports whether c can stand within a component of a repository.
func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.'
}

package advisories

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
)

// text sets "to" to the whole value.
func text(f field, to *string) *SyntaxError {
	*to = f.value
	return nil
}

// list sets each word of the value.
func list(f field, to *[]string, set func(field, *string) *SyntaxError) *SyntaxError {
	words, err := f.words()
	if err != nil {
		return err
	}
	*to = make([]string, len(words))
	for i, w := range words {
		if err := set(w, &(*to)[i]); err != nil {
			return err
		}
	}
	return nil
}

// identifier is a word of letters, digits, "-", "_" and ".".
func identifier(f field, to *string) *SyntaxError {
	for i := 0; i < len(f.value); i++ {
		c := f.value[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-_.", c) >= 0 {
			continue
		}
		f.column += i
		return f.errorf("%q in an identifier", f.value[i:i+1])
	}
	return text(f, to)
}

// enum sets "to" to the index of the value among names. A first name that is empty
// stands for a zero value that cannot be written.
func enum[T ~uint8](f field, names []string, to *T) *SyntaxError {
	for i, name := range names {
		if name == f.value {
			*to = T(i)
			return nil
		}
	}
	return f.errorf("unknown %s %q (%s)", f.key, f.value, strings.TrimPrefix(strings.Join(names, ", "), ", "))
}

// enumWords is enum, with words after a semicolon.
func enumWords[T ~uint8](f field, names []string, to *T, words *string) *SyntaxError {
	whole := f.value
	var ok bool
	if f.value, *words, ok = strings.Cut(whole, "; "); ok && strings.TrimSpace(*words) == "" {
		return f.errorf(`nothing after ";"`)
	}
	return enum(f, names, to)
}

func certainty(f field, to *Certainty) *SyntaxError {
	return enumWords(f, gradeNames, &to.Grade, &to.Words)
}

// tagState is a state that tags can have.
func tagState(f field, to *State) *SyntaxError {
	if err := enum(f, stateNames, to); err != nil {
		return err
	}
	if *to == Malicious {
		return f.errorf("%q is not a state of tags", f.value)
	}
	return nil
}

func digest(f field, to *string) *SyntaxError {
	if !strings.HasPrefix(f.value, sha256Prefix) {
		return f.errorf("a digest starts with %q", sha256Prefix)
	}
	if !image.ValidDigest(f.value) {
		_, err := image.Parse("image@" + f.value) // which says why
		return f.errorf("%v", err)
	}
	return text(f, to)
}

func tag(f field, to *string) *SyntaxError {
	if strings.ContainsAny(f.value, "/@") {
		return f.errorf("%q is not a tag", f.value)
	}
	if _, err := image.Parse("image:" + f.value); err != nil {
		return f.errorf("%v", err)
	}
	return text(f, to)
}

// repository is a canonical name.
func repository(f field, to *string) *SyntaxError {
	r, err := image.Parse(f.value)
	if err != nil {
		return f.errorf("%v", err)
	}
	if r.Name() != f.value {
		return f.errorf("not a canonical name; write %q", r.Name())
	}
	return text(f, to)
}

// pattern is a canonical name, or the start of one before "/*".
func pattern(f field, to *string) *SyntaxError {
	start, below := strings.CutSuffix(f.value, "/*")
	if !below {
		return repository(f, to)
	}
	// What holds for the pattern holds for a name below it.
	name := start + "/x"
	if r, err := image.Parse(name); err != nil || r.Name() != name {
		return f.errorf("not a canonical host or account before %q", "/*")
	}
	return text(f, to)
}

// platform is os/architecture[/variant].
func platform(f field, to *string) *SyntaxError {
	if n := strings.Count(f.value, "/"); n < 1 || n > 2 || strings.Contains(f.value, " ") {
		return f.errorf("%q is not os/architecture", f.value)
	}
	return text(f, to)
}

// Range is a range of versions, both ends included: "v1.3.0" to "v1.13.1".
type Range struct{ From, To string }

// Contains reports whether tag is a version within r. A "v" before either makes
// no difference; anything but dotted numbers is no version.
func (r Range) Contains(tag string) bool {
	v, ok := version(tag)
	from, okFrom := version(r.From)
	to, okTo := version(r.To)
	return ok && okFrom && okTo && compareVersions(from, v) <= 0 && compareVersions(v, to) <= 0
}

// String is r as advisory files write it, empty for the zero range.
func (r Range) String() string {
	if r == (Range{}) {
		return ""
	}
	return r.From + ".." + r.To
}

func versions(f field, to *Range) *SyntaxError {
	var ok bool
	if to.From, to.To, ok = strings.Cut(f.value, ".."); !ok {
		return f.errorf(`not "FROM..TO"`)
	}
	from, okFrom := version(to.From)
	upTo, okTo := version(to.To)
	if !okFrom || !okTo || compareVersions(from, upTo) > 0 {
		return f.errorf("%q is not a range of versions", f.value)
	}
	return nil
}

// release is the numbers of a version; the missing ones are zero.
type release [4]uint64

// version is the numbers of a dotted version with at least two of them.
func version(s string) (v release, ok bool) {
	parts := strings.Split(strings.TrimPrefix(s, "v"), ".")
	if len(parts) < 2 || len(parts) > len(v) {
		return v, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return v, false
		}
		v[i] = n
	}
	return v, true
}

func compareVersions(a, b release) int {
	for i := range a {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// layouts are the ways to write a moment, by what they are exact to.
var layouts = [...]string{Second: "2006-01-02T15:04:05Z", Day: time.DateOnly, Month: "2006-01"}

// moment is the time s, or the start of the day or month s; zero for "unknown".
func moment(f field, s string) (time.Time, Unit, *SyntaxError) {
	if s == "unknown" {
		return time.Time{}, Second, nil
	}
	for u, layout := range layouts {
		if len(s) != len(layout) {
			continue
		}
		if t, err := time.Parse(layout, s); err == nil && !t.IsZero() {
			return t, Unit(u), nil
		}
	}
	return time.Time{}, Second, f.errorf(`%q is not a UTC time, a day, a month or "unknown"`, s)
}

// endOf is the last second of the day or month that starts at t.
func endOf(t time.Time, u Unit) time.Time {
	switch u {
	case Day:
		return t.AddDate(0, 0, 1).Add(-time.Second)
	case Month:
		return t.AddDate(0, 1, 0).Add(-time.Second)
	}
	return t
}

func day(f field, to *time.Time) *SyntaxError {
	t, u, err := moment(f, f.value)
	if err == nil && (u != Day || t.IsZero()) {
		err = f.errorf("%q is not a day", f.value)
	}
	*to = t
	return err
}

// dated is a UTC time or a day, which stands for its start.
func dated(f field, to *time.Time) *SyntaxError {
	t, u, err := moment(f, f.value)
	if err == nil && (u == Month || t.IsZero()) {
		err = f.errorf("%q is neither a UTC time nor a day", f.value)
	}
	*to = t
	return err
}

// ParseKind is the kind of this name.
func ParseKind(name string) (Kind, error) {
	var k Kind
	return k, plain(enum(field{key: "kind", value: name}, kindNames, &k))
}

// ParseState is the state of this name.
func ParseState(name string) (State, error) {
	var s State
	return s, plain(enum(field{key: "state", value: name}, stateNames, &s))
}

// ParseWindow is the window between two moments, each a UTC time
// ("2026-04-22T12:35:00Z"), a day, a month or "unknown".
func ParseWindow(start, end string) (Window, error) {
	w, err := interval(field{value: start + betweenMoments + end})
	return w, plain(err)
}

// plain is err without a place in a file.
func plain(err *SyntaxError) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Message)
}

// betweenMoments stands between the two moments of a window.
const betweenMoments = " .. "

// interval is START .. END.
func interval(f field) (w Window, err *SyntaxError) {
	start, end, ok := strings.Cut(f.value, betweenMoments)
	if !ok {
		return w, f.errorf(`not "START .. END"`)
	}
	if w.Start, w.StartUnit, err = moment(f, start); err != nil {
		return w, err
	}
	f.column += len(start) + len(betweenMoments)
	if w.End, w.EndUnit, err = moment(f, end); err != nil {
		return w, err
	}
	w.End = endOf(w.End, w.EndUnit)
	if !w.Start.IsZero() && !w.End.IsZero() && w.End.Before(w.Start) {
		return w, f.errorf("the end lies before the start")
	}
	return w, nil
}

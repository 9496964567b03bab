package exposure

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/source"
)

// naming is a place of a file that names what an advisory speaks of: a use, or
// a listed digest that stands in no use.
type naming struct {
	ref     image.Reference // zero for a digest
	digest  string
	line    int
	text    string
	reaches []Credential
	// key tells the namings of a file apart, and stays the same where lines
	// and structure around them change: what is named, and how manieth it is.
	key string
}

// reading is what one version of a file says.
type reading struct {
	namings []naming
	// undecided are the lines of uses whose repository an advisory speaks of,
	// and whose tag no file decides.
	undecided []int
	// spoken are the lines of comments, prose and lists that mention a listed
	// digest.
	spoken []int
	// known is set where a use names a repository of the advisories, whatever
	// its tag.
	known bool
}

// maxFile is the size in bytes from which a file is not read.
const maxFile = 32 << 20

// read finds what f names. A file that only might be of interest costs a parse,
// any other a search.
func (s *subjects) read(f *source.File, tree parsers.Tree) reading {
	var r reading
	if isBinary(f.Data) && !parsers.Claims(f.Path, f.Data) {
		return r
	}
	named := map[string]bool{} // listed digests that uses have
	comment := ""
	if format := parsers.Detect(f.Path, f.Data); format != nil {
		comment = format.Comment
		res := parsers.Parse(f, format, tree)
		for i := range res.Uses {
			s.use(&r, &res.Uses[i], named)
		}
	}
	s.mentions(&r, f, comment, named)
	count := map[string]int{}
	for i := range r.namings {
		n := &r.namings[i]
		what := n.ref.String() + n.digest
		n.key = what + "\x00" + strconv.Itoa(count[what])
		count[what]++
	}
	return r
}

// use adds what u names.
func (s *subjects) use(r *reading, u *image.Use, named map[string]bool) {
	if u.Role != image.Pull {
		return
	}
	line := u.Position().Line
	if !u.Resolved() {
		if !u.Placeholder && s.named([]byte(u.Raw)) {
			r.undecided, r.known = append(r.undecided, line), true
		}
		return
	}
	for _, v := range u.Values {
		if v.Err != nil {
			continue
		}
		r.known = r.known || s.named([]byte(v.Ref.Name()))
		if v.Ref.Digest != "" {
			if _, listed := s.set.LookupDigest(v.Ref.Digest); !listed {
				continue // a digest that is not listed clears the tag
			}
			named[strings.ToLower(v.Ref.Digest)] = true
		} else if len(s.set.Match(v.Ref)) == 0 {
			continue
		}
		// The bytes of the file are used again, those of the event stay.
		ref, err := image.Parse(strings.Clone(v.Text))
		if err != nil {
			continue
		}
		r.namings = append(r.namings, naming{ref: ref, line: line, text: lineText(u.File, line), reaches: credentialsOf(u)})
	}
}

// mentions adds the listed digests that stand in no use, unless they are only
// spoken of.
func (s *subjects) mentions(r *reading, f *source.File, comment string, named map[string]bool) {
	found := s.set.Scan(f.Data)
	list := isList(found)
	for _, m := range found {
		digest := m.Hit.Digest.Digest
		line := f.Position(m.Span.Start).Line
		switch {
		case named[digest]:
		case list, isProse(f.Path), isComment(f.Data[f.Offset(line):m.Span.Start], comment),
			isCode(f.Path) && !bytes.HasSuffix(f.Data[:m.Span.Start], []byte("@")):
			r.spoken = append(r.spoken, line)
		default:
			r.namings = append(r.namings, naming{digest: digest, line: line, text: lineText(f, line)})
		}
	}
}

// leastList is how many digests make a list.
const leastList = 3

// isList reports whether mentions are a list of the digests of an incident, of
// what is looked for or denied. A lock file has several digests too, but those
// of one image, which the same tags led to.
func isList(found []advisories.Mention) bool {
	var all []advisories.Hit
	apart := false
	for _, m := range found {
		if !slices.Contains(all, m.Hit) {
			apart = apart || slices.ContainsFunc(all, func(h advisories.Hit) bool { return unrelated(m.Hit, h) })
			all = append(all, m.Hit)
		}
	}
	return apart && len(all) >= leastList
}

// unrelated reports whether a and b are of one incident, and no tag of the
// repository led to both.
func unrelated(a, b advisories.Hit) bool {
	return a.Advisory == b.Advisory && a.Digest.Repository == b.Digest.Repository &&
		len(a.Digest.Tags) > 0 && len(b.Digest.Tags) > 0 &&
		!slices.ContainsFunc(a.Digest.Tags, func(tag string) bool { return slices.Contains(b.Digest.Tags, tag) })
}

// lineText is a line for [Event.Text].
func lineText(f *source.File, line int) string {
	data := bytes.TrimSpace(f.Line(line))
	return Cut(string(data[:min(len(data), 2*MaxText)]))
}

// isBinary reports whether content is no text: as for git, one with a NUL byte
// near its start.
func isBinary(data []byte) bool {
	return bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0
}

// isProse reports whether a file is text for people: what it mentions, it does
// not use.
func isProse(name string) bool {
	base := strings.ToLower(path.Base(name))
	switch path.Ext(base) {
	case ".md", ".markdown", ".mdx", ".rst", ".adoc", ".asciidoc", ".org", ".txt", ".text", ".html", ".htm", ".tex", ".csv", ".tsv", ".eml", ".log":
		return true
	case "":
		return slices.Contains([]string{"readme", "changelog", "changes", "news", "notes", "license", "notice", "security"}, base)
	}
	return false
}

// isCode reports whether a file is a program's source. A digest alone is one of
// a list there, of what is looked for or denied; one behind a name is an image.
func isCode(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".go", ".py", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".rs", ".java", ".kt", ".scala", ".rb", ".php", ".cs", ".c", ".cc", ".cpp", ".h", ".swift", ".ex", ".erl", ".rego", ".sql", ".ipynb":
		return true
	}
	return false
}

// isComment reports whether before, the start of a line, opens a comment: by
// the file's own mark anywhere, or by one of the usual ones at its start.
func isComment(before []byte, mark string) bool {
	trimmed := bytes.TrimLeft(before, " \t")
	for _, m := range []string{"#", "//", "/*", "*", "--", ";", "<!--"} {
		if bytes.HasPrefix(trimmed, []byte(m)) {
			return true
		}
	}
	return mark != "" && bytes.Contains(before, []byte(" "+mark))
}

// subjects are what a set of advisories speaks of, with a quick way to tell
// whether a text can name any of it: that is asked of every file that a history
// ever had.
type subjects struct {
	set *advisories.Set
	// anchors are the longest words of repository names, by the hash of their
	// first bytes, and begins says where there are any.
	anchors map[uint16][]*anchor
	begins  [1 << 16]bool
	// everything is set where a name has no word to look for.
	everything bool
}

// anchor is a word that stands in every text that names certain repositories.
type anchor struct {
	word string
	// others are the further words of each of those repositories.
	others [][]string
}

// minWord is the length in bytes of the shortest words that are looked for.
const minWord = 3

func newSubjects(set *advisories.Set) *subjects {
	s := &subjects{set: set, anchors: map[uint16][]*anchor{}}
	for _, a := range set.All() {
		for _, r := range a.Repositories {
			s.add(r.Name)
		}
		for _, t := range a.Tags {
			for _, name := range t.In {
				s.add(name)
			}
		}
	}
	return s
}

// add adds a repository, or a pattern.
func (s *subjects) add(name string) {
	words := nameWords(name)
	if len(words) == 0 {
		s.everything = true
		return
	}
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	h := hash(words[0][0], words[0][1], words[0][2])
	i := slices.IndexFunc(s.anchors[h], func(a *anchor) bool { return a.word == words[0] })
	if i < 0 {
		i = len(s.anchors[h])
		s.anchors[h] = append(s.anchors[h], &anchor{word: words[0]})
		s.begins[h] = true
	}
	a := s.anchors[h][i]
	if !slices.ContainsFunc(a.others, func(o []string) bool { return slices.Equal(o, words[1:]) }) {
		a.others = append(a.others, words[1:])
	}
}

// hash mixes the first bytes of a word.
func hash(a, b, c byte) uint16 { return uint16(a)<<8 ^ uint16(b)<<4 ^ uint16(c) }

// nameWords are what any way to write a repository's name has: the parts of its
// path, and the host unless that is Docker Hub, which people leave out, or a
// mirror of it. Official images are written without "library/".
func nameWords(name string) []string {
	host, rest, _ := strings.Cut(strings.TrimSuffix(name, "/*"), "/")
	var words []string
	if host != "docker.io" && host != "mirror.gcr.io" {
		words = append(words, host)
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part != "library" {
			words = append(words, part)
		}
	}
	return slices.DeleteFunc(words, func(w string) bool { return len(w) < minWord })
}

// worth reports whether it is worth it to parse a file.
func (s *subjects) worth(data []byte) bool {
	return !isBinary(data) && (s.named(data) || len(s.set.Scan(data)) > 0)
}

// named reports whether text has all the words of a repository's name.
func (s *subjects) named(text []byte) bool {
	if s.everything {
		return true
	}
	var seen []*anchor
	for i := 0; i+minWord <= len(text); i++ {
		h := hash(text[i], text[i+1], text[i+2])
		if !s.begins[h] {
			continue
		}
		for _, a := range s.anchors[h] {
			if len(text)-i < len(a.word) || string(text[i:i+len(a.word)]) != a.word || slices.Contains(seen, a) {
				continue
			}
			if a.completeIn(text) {
				return true
			}
			seen = append(seen, a)
		}
	}
	return false
}

// completeIn reports whether text has the other words of one repository, too.
func (a *anchor) completeIn(text []byte) bool {
	return slices.ContainsFunc(a.others, func(words []string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !bytes.Contains(text, []byte(w)) })
	})
}

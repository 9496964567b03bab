package exposure

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// maxIndicators is the size in bytes of the largest file of indicators that is
// read; it holds some hundred thousand digests.
const maxIndicators = 32 << 20

// maxBadLines is how many lines of one file are complained of.
const maxBadLines = 20

// ReadIndicators reads what somebody has published in the hour of an incident,
// as advisories that say no more than that:
//
//   - advisory files, bundles of them, and records of OSV;
//   - lists, a line each: a digest or its 64 hex digits, with the name of the
//     image before or behind it or not; NAME@DIGEST; NAME:TAG; or a repository,
//     by which everything in it is meant. "#" starts a comment;
//   - CSV, with commas, semicolons or tabs, whose header says which columns are
//     digests, images, tags, types, platforms, states and times. Rows about
//     other things than images are left out, hosts and files among them but for
//     the advisory's Indicators.
//
// A tag without times led to a malicious image at a time that nobody knows. An
// advisory that comes from a list or a table has the name of the file as its
// ID, in what comes from other files nothing says when it was modified: so it
// stands beside what is known already ([advisories.Set.With]), and nothing in
// the file is lost.
//
// An error names the file and the line, or all of them, and the advisories hold
// what the other lines say. What is listed here although an advisory calls it
// good is told by [advisories.Set.Contradictions].
func ReadIndicators(name string, r io.Reader) ([]*advisories.Advisory, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxIndicators+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxIndicators {
		return nil, fmt.Errorf("read %s: more than %d bytes", name, maxIndicators)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	first := firstLine(data)
	switch {
	case strings.HasPrefix(first, "{") || strings.HasPrefix(first, "["):
		all, err := advisories.ParseOSV(name, data)
		return undated(all), err
	case strings.HasPrefix(first, "advisory:") || strings.HasPrefix(first, "bundle:"):
		all, err := advisories.ParseAll(name, data)
		return undated(all), err
	}
	in := newIndicators(name)
	if comma, ok := delimiter(first); ok {
		in.readTable(data, comma)
	} else {
		in.readLines(data)
	}
	a, err := in.advisory()
	if a == nil {
		return nil, err
	}
	return []*advisories.Advisory{a}, err
}

// undated takes the time from advisories that a person has named: they count
// whatever else is known under the same ID.
func undated(all []*advisories.Advisory) []*advisories.Advisory {
	for _, a := range all {
		a.Modified = time.Time{}
	}
	return all
}

// firstLine is the first line that says something, without space around it.
func firstLine(data []byte) string {
	for line := range bytes.Lines(data) {
		if text := strings.TrimSpace(string(line)); text != "" && text[0] != '#' {
			return text
		}
	}
	return ""
}

// indicators are those of one file until they are an advisory.
type indicators struct {
	name string
	a    *advisories.Advisory
	seen map[string]bool

	errs    []error
	skipped int // errors beyond maxBadLines
}

func newIndicators(name string) *indicators {
	file := filepath.Base(name)
	if name == "-" || name == "" {
		file = "standard-input"
	}
	id := strings.Trim(notInID().ReplaceAllString(strings.TrimSuffix(file, filepath.Ext(file)), "-"), "-")
	if id == "" {
		id = "indicators"
	}
	certainty := advisories.Certainty{Grade: advisories.Reported, Words: "listed in " + file}
	return &indicators{
		name: name,
		a: &advisories.Advisory{
			ID:        id,
			Title:     "indicators from " + file,
			Type:      "indicators",
			Certainty: certainty,
		},
		seen: map[string]bool{},
	}
}

// notInID is what no ID of an advisory has.
var notInID = pattern(`[^0-9A-Za-z._-]+`)

// advisory is what was read, nil for nothing.
func (in *indicators) advisory() (*advisories.Advisory, error) {
	if in.skipped > 0 {
		in.errs = append(in.errs, fmt.Errorf("%s: %d more lines like these", in.name, in.skipped))
	}
	if len(in.a.Digests) == 0 && len(in.a.Repositories) == 0 {
		if in.errs == nil {
			in.errs = append(in.errs, fmt.Errorf("%s: no image in it, neither by digest nor by name", in.name))
		}
		return nil, errors.Join(in.errs...)
	}
	return in.a, errors.Join(in.errs...)
}

// complain notes that a line can't be read.
func (in *indicators) complain(line int, format string, args ...any) {
	if len(in.errs) == maxBadLines {
		in.skipped++
		return
	}
	in.errs = append(in.errs, fmt.Errorf("%s:%d: %s", in.name, line, fmt.Sprintf(format, args...)))
}

// maxListLine is the length in bytes of the longest line of a list that is read.
const maxListLine = 4096

func (in *indicators) readLines(data []byte) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxIndicators+1)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if len(text) > maxListLine {
			in.complain(n, "a line of %d bytes", len(text))
			continue
		}
		i, err := parseWords(strings.Fields(text))
		if err != nil {
			in.complain(n, "%v", err)
			continue
		}
		in.add(i)
	}
}

// indicator is what one line says.
type indicator struct {
	name     string // canonical, or a pattern that ends in "/*"; empty for none
	lone     bool   // the name was written as one word, which prose is, too
	tags     []string
	versions advisories.Range
	digest   string
	kind     advisories.Kind
	platform string
	state    advisories.State // NoState where nothing is said
	window   *advisories.Window
}

// parseWords reads a line of a list: a digest and a name, either of them alone,
// or both in one.
func parseWords(words []string) (indicator, error) {
	var i indicator
	if len(words) > 2 {
		return i, fmt.Errorf("%d words, where a digest and a name are two", len(words))
	}
	for _, word := range words {
		d, ok, err := parseDigest(word)
		switch {
		case err != nil:
			return i, err
		case ok && i.digest != "":
			return i, errors.New("two digests")
		case ok:
			i.digest = d
		case i.name != "":
			return i, fmt.Errorf("neither %q nor %q is a digest", words[0], words[1])
		default:
			if err := i.setName(word); err != nil {
				return i, err
			}
		}
	}
	return i, i.check()
}

// check refuses what can be about an image only by chance.
func (i *indicator) check() error {
	switch {
	case i.digest == "" && i.name == "":
		return errors.New("neither a digest nor an image")
	case i.whole() && i.lone:
		return errors.New("neither a digest nor a tag; an official image is written as library/NAME")
	}
	return nil
}

// whole reports whether the name alone is the indicator.
func (i *indicator) whole() bool {
	return len(i.tags) == 0 && i.versions == (advisories.Range{}) && i.digest == ""
}

// setName takes an image's name apart, or takes all below a host or an account.
func (i *indicator) setName(text string) error {
	start, below := strings.CutSuffix(text, "/*")
	if below {
		text = start + "/x"
	}
	ref, err := image.Parse(strings.TrimPrefix(text, "docker://"))
	if err != nil {
		return fmt.Errorf("neither a digest nor an image: %w", err)
	}
	i.name, i.lone = ref.Name(), !strings.Contains(text, "/")
	if below {
		i.name = strings.TrimSuffix(i.name, "x") + "*"
	}
	if ref.Tag != "" {
		i.tags = append(i.tags, ref.Tag)
	}
	if ref.Digest == "" {
		return nil
	}
	d, _, err := parseDigest(ref.Digest)
	if err == nil && i.digest != "" && i.digest != d {
		err = errors.New("two digests")
	}
	i.digest = d
	return err
}

var (
	bareDigest = pattern(`^[0-9A-Fa-f]{64}$`)
	// algorithm is how a text starts that was meant for a digest.
	algorithm = pattern(`^(?i)sha(256|384|512)[:-]`)
)

// parseDigest is the digest that text is, if it is one. A text that only starts
// like one is an error.
func parseDigest(text string) (digest string, ok bool, err error) {
	text = strings.TrimPrefix(text, "@")
	if bareDigest().MatchString(text) {
		return "sha256:" + strings.ToLower(text), true, nil
	}
	if !algorithm().MatchString(text) {
		return "", false, nil
	}
	digits := text[len("sha256:"):]
	if !strings.EqualFold(text[:len("sha256")], "sha256") || !bareDigest().MatchString(digits) {
		return "", false, fmt.Errorf("%q is no digest: sha256: and 64 hex digits", Cut(text))
	}
	return "sha256:" + strings.ToLower(digits), true, nil
}

// add takes an indicator up.
func (in *indicators) add(i indicator) {
	if i.digest != "" && in.first("digest", i.digest) {
		in.a.Digests = append(in.a.Digests, advisories.Digest{
			Digest: i.digest, Kind: i.kind, Platform: i.platform, Repository: i.name, Tags: i.tags, Certainty: in.a.Certainty,
		})
	}
	if i.name == "" {
		return
	}
	in.addRepository(i)
	in.addTags(i)
}

// addRepository takes up the repository of i. Where nothing narrows it down, it
// is the indicator itself.
func (in *indicators) addRepository(i indicator) {
	if in.first("repository", i.name) {
		in.a.Repositories = append(in.a.Repositories, advisories.Repository{Name: i.name, Certainty: in.a.Certainty})
	}
	if !i.whole() {
		return
	}
	at := slices.IndexFunc(in.a.Repositories, func(r advisories.Repository) bool { return r.Name == i.name })
	r := &in.a.Repositories[at]
	if r.State = i.state; r.State == advisories.NoState {
		r.State = advisories.Malicious
	}
	if i.window != nil {
		r.Windows = append(r.Windows, *i.window)
	}
}

// addTags takes up the tags of i. Without a state they led to something else
// before, and may again.
func (in *indicators) addTags(i indicator) {
	set := advisories.TagSet{In: []string{i.name}, Versions: i.versions, State: i.state, Certainty: in.a.Certainty}
	if set.State == advisories.NoState {
		set.State = advisories.Overwritten
	}
	window := ""
	if i.window != nil {
		set.Windows, window = []advisories.Window{*i.window}, i.window.String()
	}
	for _, tag := range i.tags {
		if in.first("tag", i.name, tag, window) {
			set.Names = append(set.Names, tag)
		}
	}
	if len(set.Names) > 0 || set.Versions != (advisories.Range{}) {
		in.a.Tags = append(in.a.Tags, set)
	}
}

// first reports whether this was not said before.
func (in *indicators) first(key ...string) bool {
	k := strings.Join(key, "\x00")
	again := in.seen[k]
	in.seen[k] = true
	return !again
}

// column is what a column of a table holds.
type column uint8

const (
	ignored column = iota
	typeColumn
	nameColumn  // of an image
	valueColumn // a digest, an image or something else, which the type says
	tagColumn
	digestColumn
	kindColumn
	platformColumn
	stateColumn
	fromColumn
	untilColumn
)

// columns are the headers that are known, without spaces and the like.
var columns = map[string]column{
	"type": typeColumn, "artifacttype": typeColumn, "indicatortype": typeColumn, "ioctype": typeColumn, "category": typeColumn,
	"name": nameColumn, "image": nameColumn, "imagename": nameColumn, "repository": nameColumn, "repo": nameColumn,
	"reference": nameColumn, "package": nameColumn, "artifact": nameColumn, "container": nameColumn,
	"containerimage": nameColumn, "dockerimage": nameColumn,
	"indicator": valueColumn, "ioc": valueColumn, "value": valueColumn, "observable": valueColumn, "indicatorvalue": valueColumn,
	"tag": tagColumn, "tags": tagColumn, "version": tagColumn, "versions": tagColumn,
	"affectedversion": tagColumn, "affectedversions": tagColumn, "imagetag": tagColumn,
	"digest": digestColumn, "sha256": digestColumn, "sha": digestColumn, "hash": digestColumn, "imagedigest": digestColumn,
	"manifestdigest": digestColumn, "indexdigest": digestColumn, "checksum": digestColumn, "imageid": digestColumn,
	"kind": kindColumn, "platform": platformColumn, "state": stateColumn,
	"from": fromColumn, "start": fromColumn, "windowstart": fromColumn,
	"until": untilColumn, "to": untilColumn, "end": untilColumn, "windowend": untilColumn,
}

// notInHeader is what headers are written with or without.
var notInHeader = pattern(`[^a-z0-9]+`)

func columnOf(header string) column {
	return columns[notInHeader().ReplaceAllString(strings.ToLower(header), "")]
}

// unheaded are the columns of a table that starts with a row of its own: type,
// name and versions, as some vendors publish them.
var unheaded = []column{typeColumn, nameColumn, tagColumn}

// delimiter is what separates the columns of a table with this first line; no
// table has none.
func delimiter(first string) (rune, bool) {
	for _, comma := range []rune{',', ';', '\t'} {
		if strings.ContainsRune(first, comma) && headers(first, comma) != nil {
			return comma, true
		}
	}
	if strings.Contains(first, ",") {
		return ',', true
	}
	return ',', headers(first, ',') != nil
}

// headers are the columns of a line, nil where it is no header: one that names
// an image or a digest.
func headers(line string, comma rune) []column {
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes = comma, true
	cells, err := r.Read()
	if err != nil {
		return nil
	}
	all := make([]column, len(cells))
	useful := false
	for i, cell := range cells {
		all[i] = columnOf(cell)
		useful = useful || all[i] == nameColumn || all[i] == valueColumn || all[i] == digestColumn
	}
	// "docker image,name:tag" is a row whose first cell could be a header.
	for _, cell := range cells {
		if _, isDigest, _ := parseDigest(strings.TrimSpace(cell)); isDigest || strings.ContainsAny(cell, "/:@") {
			return nil
		}
	}
	if !useful {
		return nil
	}
	return all
}

func (in *indicators) readTable(data []byte, comma rune) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.Comment, r.LazyQuotes, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = comma, '#', true, -1, true, true
	var cols []column
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			in.errs = append(in.errs, fmt.Errorf("%s: %w", in.name, err))
			return
		}
		line, _ := r.FieldPos(0)
		if slices.ContainsFunc(cells, func(c string) bool { return strings.Contains(c, "\n") }) {
			in.complain(line, "a cell that goes over several lines; is a quotation mark missing?")
			continue
		}
		if cols == nil {
			if cols = headers(strings.Join(cells, string(comma)), comma); cols != nil {
				continue
			}
			if len(cells) != len(unheaded) || kindOfRow(cells[0]) != aboutImage {
				in.complain(line, "no header that says which column holds digests or images")
				return
			}
			cols = unheaded
		}
		in.readRow(line, cols, cells)
	}
}

// rowKind is what a row of a table is about.
type rowKind uint8

const (
	aboutUnknown rowKind = iota
	aboutImage
	aboutTrace // a host, an address, a file
	aboutOther // a package of another kind
)

// Words of a row's type that say what it is about.
var (
	imageWords = []string{"image", "images", "container", "docker", "oci"}
	// ownTypes are those of [advisories.WriteCSV], and hashes.
	ownTypes   = []string{"digest", "tag", "tags", "versions", "repository", "sha256", "hash"}
	traceWords = []string{
		"domain", "hostname", "host", "ip", "ipv4", "ipv6", "url", "uri", "address", "c2", "agent", "email",
		"file", "filename", "filepath", "md5", "sha1", "sha256", "hash", "process",
	}
)

// kindOfRow goes by the row's type.
func kindOfRow(text string) rowKind {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	among := func(list []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	switch {
	case len(words) == 0:
		return aboutUnknown
	case among(imageWords), len(words) == 1 && slices.Contains(ownTypes, words[0]):
		return aboutImage
	case among(traceWords):
		return aboutTrace
	}
	return aboutOther
}

func (in *indicators) readRow(line int, cols []column, cells []string) {
	get := func(c column) string {
		for i, cell := range cells {
			if i < len(cols) && cols[i] == c && strings.TrimSpace(cell) != "" {
				return strings.TrimSpace(cell)
			}
		}
		return ""
	}
	kind := kindOfRow(get(typeColumn))
	switch value := get(valueColumn); {
	case strings.TrimSpace(strings.Join(cells, "")) == "":
		return
	case kind == aboutOther:
		return
	case kind == aboutTrace:
		if text := firstOf(value, get(digestColumn), get(nameColumn)); text != "" && in.first("trace", text) {
			in.a.Indicators = append(in.a.Indicators, Cut(text))
		}
		return
	}
	i, err := parseRow(get)
	if err != nil {
		in.complain(line, "%v", err)
		return
	}
	in.add(i)
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// parseRow reads a row about an image, whose cells get gives.
func parseRow(get func(column) string) (i indicator, err error) {
	for _, c := range []column{digestColumn, valueColumn, nameColumn} {
		if err := i.setCell(get(c), c == digestColumn); err != nil {
			return i, err
		}
	}
	if err := i.setTags(get(tagColumn)); err != nil {
		return i, err
	}
	// A kind of another table's own is no reason to leave the digest out.
	i.kind, _ = advisories.ParseKind(get(kindColumn))
	i.platform = get(platformColumn)
	if text := get(stateColumn); text != "" {
		if i.state, err = advisories.ParseState(text); err != nil {
			return i, err
		}
	}
	if from, until := get(fromColumn), get(untilColumn); from != "" || until != "" {
		w, err := advisories.ParseWindow(utc(from), utc(until))
		if err != nil {
			return i, err
		}
		i.window = &w
	}
	return i, i.check()
}

// setCell reads a cell with a digest or, unless that is what it has to be, an
// image.
func (i *indicator) setCell(text string, digest bool) error {
	if text == "" {
		return nil
	}
	d, ok, err := parseDigest(text)
	switch {
	case err != nil:
		return err
	case ok && i.digest != "" && i.digest != d:
		return errors.New("two digests")
	case ok:
		i.digest = d
	case digest:
		return fmt.Errorf("%q is no digest: sha256: and 64 hex digits", Cut(text))
	case i.name == "":
		return i.setName(text)
	}
	return nil
}

// clocks are ways to write a time in tables; without a zone it is taken for UTC.
var clocks = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05Z07:00"}

// utc is a time as advisories write it, "unknown" for none. What is no time of
// tables stays as it is.
func utc(text string) string {
	if text == "" {
		return "unknown"
	}
	for _, clock := range clocks {
		if t, err := time.Parse(clock, text); err == nil {
			return t.UTC().Format("2006-01-02T15:04:05Z")
		}
	}
	return text
}

// fromTo is a range of versions in words.
var fromTo = pattern(`^(\S+?)(?: to | through | - |\.\.)(\S+)$`)

// setTags reads the tags of a cell: a list, or a range of versions.
func (i *indicator) setTags(text string) error {
	if m := fromTo().FindStringSubmatch(text); m != nil {
		r := advisories.Range{From: m[1], To: m[2]}
		if !r.Contains(r.From) || !r.Contains(r.To) {
			return fmt.Errorf("%q is no range of versions", Cut(text))
		}
		i.versions = r
		return nil
	}
	for _, t := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == '|' }) {
		t = strings.TrimSpace(t)
		if ref, err := image.Parse("x:" + t); t == "" || err != nil || ref.Tag != t {
			return fmt.Errorf("%q is no tag", Cut(t))
		}
		if !slices.Contains(i.tags, t) {
			i.tags = append(i.tags, t)
		}
	}
	return nil
}

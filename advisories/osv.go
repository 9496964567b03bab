package advisories

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
)

// osvVersion is the version of the OSV schema that is written.
const osvVersion = "1.7.5"

// osvPrefix marks IDs of databases that osv.dev does not hold.
const osvPrefix = "x_"

// osvRecord is a record of OSV (https://ossf.github.io/osv-schema/). Its
// ecosystems have none for images, and a package without one is not allowed:
// what names the image stands in database_specific, a package URL included.
type osvRecord struct {
	SchemaVersion    string         `json:"schema_version"`
	ID               string         `json:"id"`
	Modified         string         `json:"modified"`
	Published        string         `json:"published,omitempty"`
	Aliases          []string       `json:"aliases,omitempty"`
	Related          []string       `json:"related,omitempty"`
	Summary          string         `json:"summary"`
	Details          string         `json:"details,omitempty"`
	Affected         []osvAffected  `json:"affected"`
	References       []osvReference `json:"references,omitempty"`
	DatabaseSpecific osvIncident    `json:"database_specific"`
}

// osvAffected is one repository, or content whose repository is not known.
type osvAffected struct {
	Package *osvPackage `json:"package,omitempty"` // of foreign records
	// Versions are the digests that were published there, since a digest is
	// what a package URL of an image has for its version.
	Versions         []string      `json:"versions"`
	DatabaseSpecific osvRepository `json:"database_specific"`
}

type osvPackage struct {
	Name string `json:"name"`
	PURL string `json:"purl"`
}

type osvReference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// osvIncident is what an advisory says that is of no single repository. The
// values are written as in advisory files.
type osvIncident struct {
	Type         string           `json:"type,omitempty"`
	Severity     string           `json:"severity,omitempty"`
	SeverityNote string           `json:"severity_note,omitempty"`
	Certainty    string           `json:"certainty,omitempty"`
	KnownGood    []osvGood        `json:"known_good,omitempty"`
	NotAffected  []osvNotAffected `json:"not_affected,omitempty"`
	Indicators   []string         `json:"indicators,omitempty"`
}

type osvRepository struct {
	Repository string      `json:"repository,omitempty"` // canonical; "/*" at its end is all below
	PURL       string      `json:"purl,omitempty"`
	State      string      `json:"state,omitempty"`
	Intended   string      `json:"intended,omitempty"`
	Certainty  string      `json:"certainty,omitempty"`
	Seen       []string    `json:"seen,omitempty"`
	Windows    []osvWindow `json:"windows,omitempty"`
	Tags       []osvTags   `json:"tags,omitempty"`
	Digests    []osvDigest `json:"digests,omitempty"`
}

type osvTags struct {
	Names     []string    `json:"names,omitempty"`
	Versions  string      `json:"versions,omitempty"` // FROM..TO
	State     string      `json:"state"`
	Certainty string      `json:"certainty"`
	Windows   []osvWindow `json:"windows,omitempty"`
}

type osvDigest struct {
	Digest    string      `json:"digest"`
	Kind      string      `json:"kind"`
	Platform  string      `json:"platform,omitempty"`
	Tags      []string    `json:"tags,omitempty"`
	Certainty string      `json:"certainty"`
	Windows   []osvWindow `json:"windows,omitempty"`
}

type osvWindow struct {
	Start     string `json:"start"` // a time, a day, a month or "unknown"
	End       string `json:"end"`
	Certainty string `json:"certainty,omitempty"`
}

type osvGood struct {
	What         string   `json:"what"`
	Repositories []string `json:"repositories,omitempty"`
	Tags         []string `json:"tags,omitempty"`
	Digest       string   `json:"digest,omitempty"`
	Kind         string   `json:"kind,omitempty"`
	Platform     string   `json:"platform,omitempty"`
	Certainty    string   `json:"certainty"`
}

type osvNotAffected struct {
	Reference string `json:"reference"`
	Why       string `json:"why"`
}

// WriteOSV writes a record of OSV a line (https://ossf.github.io/osv-schema/).
// It is an error if an advisory does not say when it was modified, which OSV
// requires.
func WriteOSV(w io.Writer, all []*Advisory) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, a := range all {
		if a.Modified.IsZero() {
			return fmt.Errorf("export %s: it has no %q, which OSV requires", a.ID, "modified")
		}
		if err := enc.Encode(newOSV(a)); err != nil {
			return err
		}
	}
	return nil
}

func newOSV(a *Advisory) osvRecord {
	r := osvRecord{
		SchemaVersion: osvVersion,
		ID:            osvPrefix + a.ID,
		Modified:      a.Modified.UTC().Format(time.RFC3339),
		Aliases:       a.Aliases,
		Summary:       a.Title,
		Details:       strings.Join(a.Notes, "\n\n"),
		Affected:      []osvAffected{},
		DatabaseSpecific: osvIncident{
			Type: a.Type, Severity: a.Severity.String(), SeverityNote: a.SeverityNote,
			Certainty: certaintyText(a.Certainty), Indicators: a.Indicators,
		},
	}
	if !a.Published.IsZero() {
		r.Published = a.Published.UTC().Format(time.RFC3339)
	}
	for _, id := range a.See {
		r.Related = append(r.Related, osvPrefix+id)
	}
	for _, repo := range a.osvRepositories() {
		r.Affected = append(r.Affected, a.osvAffected(repo))
	}
	for _, g := range a.KnownGood {
		good := osvGood{What: g.What, Repositories: g.In, Tags: g.Tags, Digest: g.Digest, Platform: g.Platform, Certainty: g.Certainty.String()}
		if g.Digest != "" {
			good.Kind = g.Kind.String()
		}
		r.DatabaseSpecific.KnownGood = append(r.DatabaseSpecific.KnownGood, good)
	}
	for _, n := range a.NotAffected {
		r.DatabaseSpecific.NotAffected = append(r.DatabaseSpecific.NotAffected, osvNotAffected(n))
	}
	for _, id := range a.References {
		if s, ok := a.Source(id); ok && s.URL != "" {
			r.References = append(r.References, osvReference{"WEB", s.URL})
		}
	}
	return r
}

// osvRepositories are the repositories of a, those that stand only beside a tag
// or a digest, and one without a name where a digest is of no repository at all.
func (a *Advisory) osvRepositories() []Repository {
	all := slices.Clone(a.Repositories)
	add := func(name string) {
		if !slices.ContainsFunc(all, func(r Repository) bool { return r.Name == name }) {
			all = append(all, Repository{Name: name})
		}
	}
	for _, t := range a.Tags {
		for _, name := range t.In {
			add(name)
		}
	}
	for _, d := range a.Digests {
		if d.Repository != "" {
			add(d.Repository)
		}
	}
	if len(all) == 0 {
		add("")
	}
	return all
}

// osvAffected is what a says of one of its repositories, or of none.
func (a *Advisory) osvAffected(r Repository) osvAffected {
	of := osvAffected{Versions: []string{}, DatabaseSpecific: osvRepository{
		Repository: r.Name, PURL: purl(r.Name), State: r.State.String(), Intended: r.Intended,
		Certainty: certaintyText(r.Certainty), Seen: r.Seen, Windows: osvWindows(r.Windows, ""),
	}}
	to := &of.DatabaseSpecific
	for _, t := range a.Tags {
		if !slices.Contains(t.In, r.Name) {
			continue
		}
		to.Tags = append(to.Tags, osvTags{
			Names: t.Names, Versions: t.Versions.String(), State: t.State.String(),
			Certainty: t.Certainty.String(), Windows: osvWindows(t.Windows, r.Name),
		})
	}
	for _, d := range a.Digests {
		if d.Repository != "" && d.Repository != r.Name {
			continue
		}
		of.Versions = append(of.Versions, d.Digest)
		to.Digests = append(to.Digests, osvDigest{
			Digest: d.Digest, Kind: d.Kind.String(), Platform: d.Platform, Tags: d.Tags,
			Certainty: d.Certainty.String(), Windows: osvWindows(d.Windows, r.Name),
		})
	}
	return of
}

// purl is the package URL of a canonical name, empty for a pattern or none
// (https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md).
func purl(name string) string {
	if name == "" || strings.HasSuffix(name, "/*") {
		return ""
	}
	last := name[strings.LastIndexByte(name, '/')+1:]
	return "pkg:oci/" + last + "?repository_url=" + url.QueryEscape(name)
}

// osvWindows are the windows that are about the repository called name, or all
// where it is empty.
func osvWindows(ws []Window, name string) []osvWindow {
	var all []osvWindow
	for _, w := range ws {
		if name == "" || len(w.In) == 0 || slices.Contains(w.In, name) {
			all = append(all, osvWindow{momentText(w.Start, w.StartUnit), momentText(w.End, w.EndUnit), certaintyText(w.Certainty)})
		}
	}
	return all
}

// momentText is t as advisory files write it.
func momentText(t time.Time, u Unit) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format(layouts[u])
}

// certaintyText is c as advisory files write it, empty for none.
func certaintyText(c Certainty) string {
	if c == (Certainty{}) {
		return ""
	}
	return c.String()
}

// ParseOSV reads records of OSV, one after another or in arrays: those of
// [WriteOSV] with what they say of tags and windows, others as far as they name
// images by package URL or by digest. References are left out. Errors name the
// record.
func ParseOSV(name string, data []byte) ([]*Advisory, error) {
	var all []*Advisory
	dec := json.NewDecoder(strings.NewReader(string(data)))
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var records []osvRecord
		var err error
		if raw[0] == '[' {
			err = json.Unmarshal(raw, &records)
		} else {
			records = make([]osvRecord, 1)
			err = json.Unmarshal(raw, &records[0])
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range records {
			a, err := records[i].advisory()
			if err != nil {
				return nil, fmt.Errorf("%s: %q: %w", name, records[i].ID, err)
			}
			all = append(all, a)
		}
	}
}

// osvReader turns the texts of one record into values. The first error stays.
type osvReader struct {
	a   *Advisory
	err error
}

// check notes an error about what, if it is one. Line and column mean nothing
// here.
func (r *osvReader) check(what string, err *SyntaxError) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %s", what, err.Message)
	}
}

// set gives "to" the text, if there is one, as the function reads it.
func set[T any](r *osvReader, what, text string, to *T, read func(field, *T) *SyntaxError) {
	if text == "" {
		return
	}
	if at := unprintable(text); at >= 0 {
		r.check(what, field{}.errorf("an unprintable character (%q)", firstRune(text[at:])))
		return
	}
	r.check(what, read(field{key: what, value: text}, to))
}

// setAll appends each of the texts, as the function reads it.
func setAll(r *osvReader, what string, texts []string, to *[]string, read func(field, *string) *SyntaxError) {
	for _, text := range texts {
		var one string
		set(r, what, text, &one, read)
		*to = append(*to, one)
	}
}

// rfc3339 is a time as OSV writes it.
func rfc3339(f field, to *time.Time) *SyntaxError {
	t, err := time.Parse(time.RFC3339, f.value)
	if err != nil {
		return f.errorf("%q is not a time", f.value)
	}
	*to = t.UTC()
	return nil
}

// among gives the function that reads one of the names.
func among[T ~uint8](names []string) func(field, *T) *SyntaxError {
	return func(f field, to *T) *SyntaxError { return enum(f, names, to) }
}

func (rec *osvRecord) advisory() (*Advisory, error) {
	r := &osvReader{a: &Advisory{Certainty: Certainty{Grade: Reported}}}
	a, of := r.a, rec.DatabaseSpecific
	set(r, "id", strings.TrimPrefix(rec.ID, osvPrefix), &a.ID, identifier)
	set(r, "summary", rec.Summary, &a.Title, text)
	set(r, "type", of.Type, &a.Type, text)
	set(r, "severity", of.Severity, &a.Severity, among[Severity](severityNames))
	set(r, "severity_note", of.SeverityNote, &a.SeverityNote, text)
	set(r, "certainty", of.Certainty, &a.Certainty, certainty)
	setAll(r, "aliases", rec.Aliases, &a.Aliases, identifier)
	setAll(r, "indicators", of.Indicators, &a.Indicators, text)
	set(r, "modified", rec.Modified, &a.Modified, rfc3339)
	set(r, "published", rec.Published, &a.Published, rfc3339)
	for _, affected := range rec.Affected {
		r.affected(affected)
	}
	for _, g := range of.KnownGood {
		r.good(g)
	}
	for _, n := range of.NotAffected {
		ref, err := image.Parse(n.Reference)
		if err != nil || !ref.Pinned() {
			r.check("not_affected", field{}.errorf("%q is no reference with a digest", n.Reference))
			continue
		}
		a.NotAffected = append(a.NotAffected, NotAffected(n))
	}
	if r.err == nil && a.ID == "" {
		r.err = errors.New("no id")
	}
	if r.err == nil && len(a.Repositories) == 0 && len(a.Digests) == 0 {
		r.err = errors.New("it names no image, neither by digest nor by package URL")
	}
	return a, r.err
}

func (r *osvReader) affected(of osvAffected) {
	from := of.DatabaseSpecific
	name := Repository{Certainty: r.a.Certainty}
	foreign := from.Repository == ""
	var tags []string
	if foreign && of.Package != nil {
		var version string
		from.Repository, version, tags = parsePURL(of.Package.PURL)
		if version != "" {
			of.Versions = append(slices.Clip(of.Versions), version)
		}
	}
	set(r, "repository", from.Repository, &name.Name, pattern)
	set(r, "state", from.State, &name.State, among[State](stateNames))
	set(r, "intended", from.Intended, &name.Intended, text)
	set(r, "certainty", from.Certainty, &name.Certainty, certainty)
	setAll(r, "seen", from.Seen, &name.Seen, tag)
	name.Windows = r.windows(from.Windows, name.Certainty)
	known := slices.ContainsFunc(r.a.Repositories, func(o Repository) bool { return o.Name == name.Name })
	// One without a certainty stands beside a tag or digest only.
	if name.Name != "" && !known && (foreign || from.Certainty != "") {
		r.a.Repositories = append(r.a.Repositories, name)
	}
	for _, t := range from.Tags {
		r.tags(t, name)
	}
	for _, d := range from.Digests {
		r.digest(d, name)
	}
	for _, v := range of.Versions {
		switch {
		case image.ValidDigest(v):
			r.digest(osvDigest{Digest: v, Kind: UnknownKind.String()}, name)
		case foreign && name.Name != "":
			tags = append(tags, v)
		}
	}
	if foreign && name.Name != "" && len(tags) > 0 {
		r.tags(osvTags{Names: tags, State: Overwritten.String()}, name)
	}
}

func (r *osvReader) tags(from osvTags, of Repository) {
	t := TagSet{Certainty: of.Certainty}
	if of.Name != "" {
		t.In = []string{of.Name}
	}
	setAll(r, "tags", from.Names, &t.Names, tag)
	set(r, "versions", from.Versions, &t.Versions, versions)
	set(r, "state", from.State, &t.State, tagState)
	set(r, "certainty", from.Certainty, &t.Certainty, certainty)
	t.Windows = r.windows(from.Windows, t.Certainty)
	r.a.Tags = append(r.a.Tags, t)
}

// digest adds a digest of a repository. One that stands below several is of no
// single one.
func (r *osvReader) digest(from osvDigest, of Repository) {
	d := Digest{Certainty: of.Certainty, Repository: of.Name}
	set(r, "digest", from.Digest, &d.Digest, digest)
	set(r, "kind", from.Kind, &d.Kind, among[Kind](kindNames))
	set(r, "platform", from.Platform, &d.Platform, platform)
	set(r, "certainty", from.Certainty, &d.Certainty, certainty)
	setAll(r, "tags", from.Tags, &d.Tags, tag)
	d.Windows = r.windows(from.Windows, d.Certainty)
	if r.err != nil {
		return
	}
	i := slices.IndexFunc(r.a.Digests, func(o Digest) bool { return o.Digest == d.Digest })
	switch {
	case i < 0:
		r.a.Digests = append(r.a.Digests, d)
	case r.a.Digests[i].Repository != d.Repository:
		r.a.Digests[i].Repository = ""
	}
}

func (r *osvReader) good(from osvGood) {
	g := Good{What: from.What, Certainty: r.a.Certainty}
	setAll(r, "repositories", from.Repositories, &g.In, pattern)
	setAll(r, "tags", from.Tags, &g.Tags, tag)
	set(r, "digest", from.Digest, &g.Digest, digest)
	set(r, "kind", from.Kind, &g.Kind, among[Kind](kindNames))
	set(r, "platform", from.Platform, &g.Platform, platform)
	set(r, "certainty", from.Certainty, &g.Certainty, certainty)
	r.a.KnownGood = append(r.a.KnownGood, g)
}

func (r *osvReader) windows(from []osvWindow, inherited Certainty) []Window {
	var all []Window
	for _, o := range from {
		w, err := interval(field{value: o.Start + betweenMoments + o.End})
		r.check("window", err)
		w.Certainty = inherited
		set(r, "certainty", o.Certainty, &w.Certainty, certainty)
		all = append(all, w)
	}
	return all
}

// parsePURL takes the package URL of an image apart: its canonical repository,
// empty where none is said, its digest and its tag.
func parsePURL(s string) (name, digest string, tags []string) {
	rest, ok := strings.CutPrefix(s, "pkg:oci/")
	if !ok {
		return "", "", nil
	}
	rest, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", "", nil
	}
	if _, version, ok := strings.Cut(rest, "@"); ok {
		digest, _ = url.PathUnescape(version)
	}
	if ref, err := image.Parse(values.Get("repository_url")); err == nil && ref.Tag == "" && ref.Digest == "" {
		name = ref.Name()
	}
	if tag := values.Get("tag"); tag != "" && name != "" {
		tags = []string{tag}
	}
	return name, digest, tags
}

package advisories

import (
	"encoding/csv"
	"io"
	"slices"
	"strings"
)

// csvColumns are the columns of [WriteCSV].
var csvColumns = []string{
	"advisory", "type", "repository", "tag", "digest", "kind", "platform", "state", "from", "until", "certainty", "sources",
}

// WriteCSV writes a table with a header (https://www.rfc-editor.org/rfc/rfc4180):
// a row for each digest; one for each tag, or range of versions "FROM..TO", in
// each repository and each window of it; and one for each repository whose name
// alone is the verdict. What the type is, "digest", "tag", "versions" or
// "repository", stands in the second column. Times are those of advisory files,
// and the windows of several sources are taken together.
func WriteCSV(w io.Writer, all []*Advisory) error {
	out := csv.NewWriter(w)
	rows := [][]string{csvColumns}
	for _, a := range all {
		rows = append(rows, a.csvRows()...)
	}
	if err := out.WriteAll(rows); err != nil {
		return err
	}
	return out.Error()
}

func (a *Advisory) csvRows() [][]string {
	var rows [][]string
	for _, r := range a.Repositories {
		if r.State != NoState {
			row := []string{a.ID, "repository", r.Name, "", "", "", "", r.State.String()}
			rows = append(rows, a.csvWindows(row, r.Windows, r.Certainty, r.Sources)...)
		}
	}
	for _, t := range a.Tags {
		for _, name := range t.In {
			ws := slices.DeleteFunc(slices.Clone(t.Windows), func(w Window) bool { return len(w.In) > 0 && !slices.Contains(w.In, name) })
			for _, tag := range t.Names {
				row := []string{a.ID, "tag", name, tag, "", "", "", t.State.String()}
				rows = append(rows, a.csvWindows(row, ws, t.Certainty, t.Sources)...)
			}
			if v := t.Versions.String(); v != "" {
				row := []string{a.ID, "versions", name, v, "", "", "", t.State.String()}
				rows = append(rows, a.csvWindows(row, ws, t.Certainty, t.Sources)...)
			}
		}
	}
	for _, d := range a.Digests {
		row := []string{a.ID, "digest", d.Repository, strings.Join(d.Tags, ","), d.Digest, d.Kind.String(), d.Platform, ""}
		rows = append(rows, a.csvWindows(row, nil, d.Certainty, d.Sources)...)
	}
	return rows
}

// csvWindows is row once for each window, or once without one.
func (a *Advisory) csvWindows(row []string, ws []Window, c Certainty, sources []string) [][]string {
	union := Union(ws)
	if len(union) == 0 {
		return [][]string{append(row, "", "", c.String(), a.csvSources(sources))}
	}
	rows := make([][]string, len(union))
	for i, w := range union {
		rows[i] = append(slices.Clip(row), momentText(w.Start, w.StartUnit), momentText(w.End, w.EndUnit), w.Certainty.String(), a.csvSources(sources))
	}
	return rows
}

// csvSources are the addresses of sources, or their names where they have none.
func (a *Advisory) csvSources(ids []string) string {
	if len(ids) == 0 {
		ids = a.References
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		if texts[i] = id; len(id) > 0 {
			if s, ok := a.Source(id); ok && s.URL != "" {
				texts[i] = s.URL
			}
		}
	}
	return strings.Join(texts, " ")
}

package exposure

import (
	"cmp"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// imageTable is the header of a table of images or containers. Cells are found by
// counting words, not by the positions of the titles: no cell before the ones
// that are of interest is ever empty or holds a blank, and tables are pasted
// with their blanks collapsed.
type imageTable struct {
	columns map[string]int
	store   string
	tree    bool // `docker image ls` since version 29
	names   bool // the last column is that of the names of containers
}

// twoWords are the titles of two words; all others have one.
var twoWords = [][2]string{{"IMAGE", "ID"}, {"CONTAINER", "ID"}, {"POD", "ID"}, {"DISK", "USAGE"}, {"CONTENT", "SIZE"}, {"BLOB", "SIZE"}}

// parseImageTable is the table that line is the header of, nil if it is none. The
// titles are those of `docker images` and `docker ps`, with which podman's and
// nerdctl's agree, of `crictl images` and `crictl ps`, and of `ctr images ls`:
// https://github.com/docker/cli/tree/master/cli/command/formatter,
// https://github.com/kubernetes-sigs/cri-tools/tree/master/cmd/crictl,
// https://github.com/containerd/containerd/tree/main/cmd/ctr/commands/images.
func parseImageTable(line string) *imageTable {
	fields := strings.Fields(line)
	columns := map[string]int{}
	for n := 0; len(fields) > 0; n++ {
		title, width := fields[0], 1
		// "IMAGE ID" and "IMAGE" followed by "ID" differ by their distance.
		if len(fields) > 1 && slices.Contains(twoWords, [2]string{title, fields[1]}) && strings.Contains(line, title+" "+fields[1]) {
			title, width = title+" "+fields[1], 2
		}
		if _, ok := columns[title]; !ok {
			columns[title] = n
		}
		fields = fields[width:]
	}
	has := func(titles ...string) bool {
		for _, title := range titles {
			if _, ok := columns[title]; !ok {
				return false
			}
		}
		return true
	}
	t := &imageTable{columns: columns, names: strings.HasSuffix(strings.TrimSpace(line), "NAMES")}
	switch {
	case has("REPOSITORY", "TAG", "IMAGE ID"):
		if has("PLATFORM") {
			t.store = "containerd" // nerdctl
		}
	case has("IMAGE", "TAG", "IMAGE ID"), has("CONTAINER", "IMAGE", "STATE"), has("REF", "TYPE", "DIGEST"):
		t.store = "containerd" // crictl and ctr
	case has("IMAGE", "ID", "DISK USAGE"):
		t.tree, t.store = true, "docker"
	case has("CONTAINER ID", "IMAGE"):
	default:
		return nil
	}
	return t
}

// line reads a line that is no JSON.
func (l *listing) line(n int, line string) {
	line = strings.TrimSpace(line)
	if t := parseImageTable(line); t != nil {
		l.table = t
		return
	}
	if strings.HasPrefix(line, "#") || strings.Contains(line, "Info →") {
		return // a comment, or the legend of Docker's table
	}
	if l.table == nil || !l.row(n, line) {
		l.plain(n, line)
	}
}

// row reads a row of the table. It is false where it can't be one.
func (l *listing) row(n int, line string) bool {
	t, fields := l.table, strings.Fields(line)
	line = strings.Join(fields, " ")
	cell := func(title string) string {
		if i, ok := t.columns[title]; ok && i < len(fields) {
			return fields[i]
		}
		return ""
	}
	place := Place{Line: n}
	switch {
	case t.tree:
		if strings.HasPrefix(line, "├") || strings.HasPrefix(line, "└") {
			l.shortened(n, fields[min(2, len(fields)-1)]) // a platform of the image above
			return true
		}
		if id := cell("ID"); id != "" && !likeID(id) {
			return false
		}
		l.image(named(&imageRecord{store: t.store, id: cell("ID"), place: place, text: line}, cell("IMAGE")))
	case cell("REF") != "":
		if !image.ValidDigest(cell("DIGEST")) {
			return false
		}
		// The CRI plugin names each image by its ID as well, in REF.
		l.image(named(&imageRecord{store: t.store, id: imageID(cell("REF")), digests: []string{cell("DIGEST")}, place: place, text: line}, cell("REF")))
	case cell("CONTAINER ID") != "" || cell("CONTAINER") != "":
		if cell("IMAGE") == "" || !likeID(fields[0]) {
			return false
		}
		place.Container = cell("CONTAINER ID") + cell("CONTAINER")
		if t.names {
			place.Container = fields[len(fields)-1]
		}
		store := t.store
		if store == "" && !strings.Contains(line, `"`) {
			store = "podman" // Docker quotes the command
		} else if store == "" {
			store = "docker"
		}
		l.container(&containerRecord{store: store, image: cell("IMAGE"), place: place, text: line})
	default:
		if !likeID(cell("IMAGE ID")) {
			return false
		}
		l.row4(cell("REPOSITORY")+cell("IMAGE"), cell("TAG"), cell("DIGEST"), cell("IMAGE ID"), &imageRecord{store: cmp.Or(t.store, sizeStore(fields)), place: place, text: line})
	}
	return true
}

// sizeStore tells podman's rows from Docker's: they have a blank in the size.
func sizeStore(fields []string) string {
	if slices.Contains([]string{"B", "kB", "MB", "GB", "TB"}, fields[len(fields)-1]) {
		return "podman"
	}
	return "docker"
}

// row4 reports the image of a row that has its name and its tag apart.
func (l *listing) row4(name, tag, digest, id string, r *imageRecord) {
	r.id = id
	if name == "sha256" { // nerdctl so takes the names apart that the CRI plugin gives
		r.id, name = "sha256:"+tag, none
	}
	if name != none && tag != none {
		r.tags = []string{name + ":" + tag}
	}
	switch {
	case image.ValidDigest(digest) && name != none:
		r.repoDigests = []string{name + "@" + digest}
	case image.ValidDigest(digest):
		r.digests = []string{digest}
	default:
		l.shortened(r.place.Line, digest)
	}
	l.image(r)
}

// named gives r its name, which may be NAME:TAG or NAME@DIGEST.
func named(r *imageRecord, name string) *imageRecord {
	if strings.Contains(name, "@sha256:") {
		r.repoDigests = []string{name}
	} else {
		r.tags = []string{name}
	}
	return r
}

// plain reads a line of a list of references, as
// `kubectl get pods -o jsonpath=…` prints them
// (https://kubernetes.io/docs/tasks/access-application-cluster/list-all-running-container-images/),
// counted by `uniq -c` perhaps, or a row of a table without a header.
func (l *listing) plain(n int, line string) {
	words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,;|\"'", r) })
	if len(words) > 1 && strings.Trim(words[0], "0123456789") == "" {
		words = words[1:] // the count
	}
	place := Place{Line: n}
	if len(words) >= 3 {
		// REPOSITORY TAG [DIGEST] ID, as --noheading leaves them.
		digest, id := "", words[2]
		if len(words) > 3 && (image.ValidDigest(id) || id == none) && likeID(words[3]) {
			digest, id = id, words[3]
		}
		if _, err := image.Parse(words[0] + ":" + words[1]); likeID(id) && (err == nil || words[0] == none) {
			l.row4(words[0], words[1], digest, id, &imageRecord{store: sizeStore(words), place: place, text: strings.Join(words, " ")})
			return
		}
	}
	found := false
	for _, word := range words {
		if r := l.word(word, len(words) == 1); r != nil {
			r.place, r.text = place, line
			l.image(r)
			found = true
		}
	}
	if !found {
		l.vague.add(n)
	}
}

// word is the image that a word of a plain list names, nil if it names none. A
// word among others is a reference only with a tag or a digest. A bare digest
// is taken for an image ID, which clears nothing, for it may be one.
func (l *listing) word(word string, alone bool) *imageRecord {
	word = strings.TrimSuffix(strings.TrimSuffix(word, "@"+none), ":"+none)
	if id := imageID(word); id != "" {
		return &imageRecord{id: id}
	}
	if alone && likeID(word) {
		return &imageRecord{id: word}
	}
	ref, err := image.Parse(word)
	if err != nil || ref.Tag == "" && ref.Digest == "" && !alone {
		return nil
	}
	return named(&imageRecord{}, word)
}

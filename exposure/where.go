package exposure

import (
	"strings"
	"time"
)

// Where is the place of t for people: the evidence with the path in it and the
// line, and then what else is known.
func (t *Trace) Where() string {
	parts := append([]string{t.file()}, t.details()...)
	return strings.Join(parts, ", ")
}

// file is the evidence, the path within it, and the line.
func (t *Trace) file() string {
	name := t.Evidence
	if name == "-" {
		name = "standard input"
	}
	switch path := t.Place.Path; {
	case t.Place.Store == "registry" && path != "":
		// The path is a whole repository, of which the evidence may have a part.
		host, _, _ := strings.Cut(strings.TrimPrefix(name, "https://"), "/")
		name = host + "/" + path
	case name == "." && path != "":
		name = path
	case path != "" && path != name:
		name = strings.TrimSuffix(name, "/") + "/" + path
	}
	if t.Place.Line > 0 {
		name += ":" + itoa(t.Place.Line)
	}
	return name
}

// details are what is known of the place beside its file.
func (t *Trace) details() []string {
	p := t.Place
	var all []string
	add := func(what, name string) {
		if name != "" {
			all = append(all, what+name)
		}
	}
	if p.Branch != "HEAD" { // which is no branch
		add("branch ", p.Branch)
	}
	add("commit ", shortCommit(p.Commit))
	add("until commit ", shortCommit(p.Gone))
	add("job ", p.Job)
	add("step ", p.Step)
	add("", p.workload())
	add("container ", p.Container)
	add("node ", p.Node)
	if p.Store != "registry" { // the host says that
		add("store ", p.Store)
	}
	return all
}

// workload is "pod ci/scan-1" or "Job ci/scan".
func (p Place) workload() string {
	if p.Pod == "" {
		return ""
	}
	kind, name := p.object()
	if p.Namespace != "" {
		name = p.Namespace + "/" + name
	}
	return kind + " " + name
}

// object is the kind and the name of the workload.
func (p Place) object() (kind, name string) {
	if kind, name, ok := strings.Cut(p.Pod, "/"); ok {
		return kind, name
	}
	return "pod", p.Pod
}

// shortCommit is as much of a commit's hash as git prints in large repositories.
func shortCommit(hash string) string { return hash[:min(len(hash), 12)] }

// When is the time of t for people.
func (t *Trace) When() string {
	switch {
	case t.From.IsZero() && t.Until.IsZero():
		if t.Kind == Named && t.Place.Gone == "" && !t.Place.Log {
			return "there now"
		}
		return "time not known"
	case t.From.Equal(t.Until):
		return shownTime(t.From)
	case t.Until.IsZero() && t.Kind == Named:
		return "since " + shownTime(t.From) + ", still there"
	case t.Until.IsZero():
		return "since " + shownTime(t.From)
	case t.From.IsZero():
		return "until " + shownTime(t.Until)
	}
	return shownTime(t.From) + " – " + shownTime(t.Until)
}

// shownTime is a moment for people.
func shownTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

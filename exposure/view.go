package exposure

import (
	"strings"

	"github.com/digestlint/digestlint/report"
)

// view is a plan as people see it: cut to a length that they can read, each cut
// said, and every text shown rather than obeyed by a terminal.
type view struct {
	Verdict, Headline, Tally, Made string
	Incidents                      []incidentView
	Groups                         []groupView
	MoreGroups                     string
	Credentials                    list
	Steps                          []stepView
	Searches                       []itemView
	Looked                         []sourceView
	MoreLooked                     string
	Unseen                         []commandView
	Errors                         list
}

// list is the first of some texts, and how many more there are: "and 7 more in
// the JSON output".
type list struct {
	All  []string
	More string
}

type incidentView struct {
	ID, Title, Verdict, Kind, Tally string
	Images                          []string
	Periods                         []string
	Moments                         []momentView
	MoreMoments                     string
	Good                            []string
	Links                           []linkView
	MoreLinks                       string
	Chart                           *chart
}

type momentView struct{ When, Verdict, What, Where string }

type linkView struct{ Class, URL string }

// groupView is traces that differ in their places only.
type groupView struct {
	Verdict, Image, ID, Why, Count string
	Places                         []placeView
	Texts                          bool // some place has one
	More                           string
}

type placeView struct{ File, Details, When, Text string }

type stepView struct {
	Number            int
	Name, Title, More string
	Items             []itemView
}

type itemView struct {
	Do, Note []phrase
	On       list
	Commands []commandView
	More     string
}

type commandView struct{ What, Line, Note string }

type sourceView struct {
	Kind, Name, Amount string
	Notes              list
}

// phrase is a piece of a sentence.
type phrase struct {
	Text string
	Code bool
}

// limits are how much of a plan a format shows.
type limits struct {
	groups, places int // of all groups together; each shows some
	links, moments int // of an incident
	items          int // of a step
	on, commands   int // of an item
	sources, notes int
	errors         int
}

// half is half as much of everything, and something of everything.
func (l limits) half() limits {
	for _, n := range []*int{&l.groups, &l.places, &l.links, &l.moments, &l.items, &l.on, &l.commands, &l.sources, &l.notes, &l.errors} {
		*n = max(*n/2, 1)
	}
	return l
}

// newView is p within limits.
func newView(p *Plan, l limits) *view {
	v := &view{
		Verdict: p.word(), Headline: report.Visible(p.Headline()), Tally: p.Tally(), Made: shownTime(p.Report.Made),
		Errors: cut(errorTexts(p.Report.Errors), l.errors),
	}
	for _, in := range p.Incidents {
		v.Incidents = append(v.Incidents, viewIncident(in, l))
	}
	v.groups(p, l)
	for _, s := range p.Steps {
		v.Steps = append(v.Steps, stepView{s.Number, s.Name, s.Title, more(len(s.Items), l.items), viewItems(s.Items, l)})
	}
	v.Searches = viewItems(p.Searches, l)
	sources := p.Report.Sources
	v.MoreLooked = more(len(sources), l.sources)
	for _, s := range sources[:min(len(sources), l.sources)] {
		v.Looked = append(v.Looked, viewSource(s, l))
	}
	for _, u := range p.Unseen {
		v.Unseen = append(v.Unseen, commandView{What: u.What + ": " + u.Lacks, Line: u.Command})
	}
	return v
}

func viewIncident(in *Incident, l limits) incidentView {
	a := in.Advisory
	v := incidentView{
		ID: report.Visible(a.ID), Title: report.Visible(a.Title), Verdict: in.Verdict.String(),
		Kind:   report.Visible(a.Type) + ", severity " + a.Severity.String(),
		Tally:  plural(len(in.Traces), "trace"),
		Images: visible(in.Images),
		Chart:  newChart(in),
	}
	for _, p := range in.Periods {
		v.Periods = append(v.Periods, report.Visible(p.What+": "+p.Window.String()))
	}
	v.MoreMoments = more(len(in.Timeline), l.moments)
	for _, m := range in.Timeline[:min(len(in.Timeline), l.moments)] {
		v.Moments = append(v.Moments, viewMoment(m))
	}
	for _, g := range in.Good {
		if g.Image != "" {
			v.Good = append(v.Good, report.Visible(g.Image+", "+g.describe()))
		}
	}
	v.MoreLinks = more(len(in.Links), l.links)
	for _, s := range in.Links[:min(len(in.Links), l.links)] {
		v.Links = append(v.Links, linkView{report.Visible(s.Class), report.Visible(s.URL)})
	}
	return v
}

func viewMoment(m Moment) momentView {
	when, what := shownTime(m.At), m.Kind
	if m.Count > 1 {
		when += " – " + shownTime(m.Until)
		what = thousands(m.Count) + " × " + what
	}
	v := momentView{When: when, What: report.Visible(what + ": " + m.What), Where: report.Visible(m.Where)}
	if m.Verdict > Clear {
		v.Verdict = m.Verdict.String()
	}
	return v
}

// groups fills in the traces, those that differ in their places only together.
func (v *view) groups(p *Plan, l limits) {
	type key struct {
		verdict        Verdict
		kind           Kind
		image, id, why string
	}
	var order distinct[key]
	members := map[key][]*Trace{}
	for t := range p.traces(func(*Trace) bool { return true }) {
		k := key{t.Verdict, t.Kind, t.Name(), t.Advisory.ID, t.Why}
		order.add(k)
		members[k] = append(members[k], t)
	}
	shown := min(len(order.all), l.groups)
	hidden := 0
	for _, k := range order.all[shown:] {
		hidden += len(members[k])
	}
	if hidden > 0 {
		v.MoreGroups = "and " + plural(hidden, "trace") + " of other images in the JSON output"
	}
	for _, k := range order.all[:shown] {
		traces := members[k]
		each := max(l.places/shown, 1)
		g := groupView{
			Verdict: k.verdict.String(), Image: report.Visible(k.image), ID: report.Visible(k.id), Why: report.Visible(k.why),
			Count: plural(len(traces), "place"), More: more(len(traces), each),
		}
		for _, t := range traces[:min(len(traces), each)] {
			g.Places = append(g.Places, placeView{
				report.Visible(t.file()), report.Visible(strings.Join(t.details(), ", ")), t.When(), report.Visible(t.Text),
			})
			g.Texts = g.Texts || t.Text != ""
		}
		v.Groups = append(v.Groups, g)
	}
}

func viewItems(items []Item, l limits) []itemView {
	var all []itemView
	for _, i := range items[:min(len(items), l.items)] {
		v := itemView{Do: phrases(i.Do), Note: phrases(i.Note), On: cut(i.On, l.on), More: more(len(i.Commands), l.commands)}
		for _, c := range i.Commands[:min(len(i.Commands), l.commands)] {
			v.Commands = append(v.Commands, commandView{report.Visible(c.What), report.Visible(c.Line), report.Visible(c.Note)})
		}
		all = append(all, v)
	}
	return all
}

func viewSource(s Source, l limits) sourceView {
	v := sourceView{Kind: s.Kind, Name: report.Visible(s.Name), Notes: cut(s.Notes, l.notes)}
	var parts []string
	if s.Unit != "" {
		parts = append(parts, plural(int(s.Items), strings.TrimSuffix(s.Unit, "s")))
	}
	switch {
	case !s.From.IsZero() && !s.Until.IsZero():
		parts = append(parts, shownTime(s.From)+" – "+shownTime(s.Until))
	case !s.From.IsZero():
		parts = append(parts, "from "+shownTime(s.From))
	case !s.Until.IsZero():
		parts = append(parts, "until "+shownTime(s.Until))
	}
	v.Amount = report.Visible(strings.Join(parts, ", "))
	return v
}

// cut is the first n of all.
func cut(all []string, n int) list {
	return list{visible(all[:min(len(all), n)]), more(len(all), n)}
}

// more says that of a total only so many are shown; nothing where all are.
func more(total, shown int) string {
	if total <= shown {
		return ""
	}
	return "and " + thousands(total-shown) + " more in the JSON output"
}

func visible(all []string) []string {
	shown := make([]string, len(all))
	for i, s := range all {
		shown[i] = report.Visible(s)
	}
	return shown
}

func errorTexts(errs []error) []string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return texts
}

// phrases takes a sentence apart whose code stands between backquotes.
func phrases(s string) []phrase {
	var all []phrase
	for s = report.Visible(s); s != ""; {
		text, rest, _ := strings.Cut(s, "`")
		code, after, closed := strings.Cut(rest, "`")
		if !closed {
			return append(all, phrase{Text: s})
		}
		if text != "" {
			all = append(all, phrase{Text: text})
		}
		all = append(all, phrase{code, true})
		s = after
	}
	return all
}

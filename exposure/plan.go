package exposure

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// Plan is a report and what follows from it: what happened, what to do now, and
// how far the verdict goes. It is complete; what is too long for people is cut
// where it is printed, and said there.
//
// [Plan.Text], [Plan.Markdown], [Plan.HTML] and [Plan.JSON] write it. What they
// write depends on the plan alone.
type Plan struct {
	Report *Report
	// Incidents are the advisories that traces speak of, worst first.
	Incidents []*Incident
	// Credentials are what the traces reach, worst first.
	Credentials []Exposed
	// Steps are what to do, most urgent first, and Searches what to look for
	// beside. Steps that have nothing to do are left out.
	Steps    []Step
	Searches []Item
	// Unseen is the evidence that nobody has looked at.
	Unseen []Unseen
}

// Incident is an advisory with the traces that speak of it.
type Incident struct {
	Advisory *advisories.Advisory
	Verdict  Verdict
	Traces   []*Trace // worst first
	// Images are the canonical names under which it was found, sorted.
	Images   []string
	Periods  []Period
	Timeline []Moment
	// Good is what to use instead.
	Good []Replacement
	// Indicators are those of the advisory and of the ones that complete it.
	Indicators []Indicator
	// Links are the sources to read that can be opened, best first.
	Links []advisories.Source
}

// Replacement is content to use instead of that of an incident.
type Replacement struct {
	// Image is the canonical name with tag and digest, to pull as it stands;
	// empty where no digest is known.
	Image     string
	What      string // "v2.1.20 and latest", "0.70.0 and later"
	Kind      advisories.Kind
	Platform  string // empty for all
	Certainty advisories.Certainty
}

// Step is one of the six steps of the response.
type Step struct {
	Number int // from one: the same step has the same number in every plan
	Name   string
	Title  string
	Items  []Item
}

// Item is one thing to do.
type Item struct {
	Do string // in the imperative, without a full stop
	// On is what to do it to, as the evidence names it.
	On       []string
	Note     string // why, or what to mind
	Commands []Command
}

// Unseen is a kind of evidence that was not looked at.
type Unseen struct {
	What    string // "CI logs"
	Lacks   string // what stays unknown without it
	Command string // that looks at it
}

// NewPlan makes the plan that follows from r, which it keeps. The traces were
// judged by the advisories of set; what is known to be good comes from there,
// too.
func NewPlan(r *Report, set *advisories.Set) *Plan {
	p := &Plan{Report: r, Unseen: unseen(r)}
	byID := map[string]*Incident{}
	for i := range r.Traces {
		t := &r.Traces[i]
		in := byID[t.Advisory.ID]
		if in == nil {
			in = &Incident{Advisory: t.Advisory, Verdict: t.Verdict}
			byID[t.Advisory.ID] = in
			p.Incidents = append(p.Incidents, in)
		}
		in.Traces = append(in.Traces, t)
	}
	for _, in := range p.Incidents {
		in.complete(set)
	}
	p.Credentials = exposed(p)
	for number, step := range steps {
		s := Step{Number: number + 1, Name: step.name, Title: step.title, Items: step.items(p)}
		if len(s.Items) > 0 {
			p.Steps = append(p.Steps, s)
		}
	}
	p.Searches = searches(p.Incidents)
	return p
}

// Verdict is the worst of the traces.
func (p *Plan) Verdict() Verdict { return p.Report.Verdict() }

// Complete reports whether all evidence could be read, and there was some.
func (p *Plan) Complete() bool { return len(p.Report.Errors) == 0 && len(p.Report.Sources) > 0 }

// word is the verdict for people, who would take "clear" for an answer where
// evidence is missing.
func (p *Plan) word() string {
	if p.Verdict() == Clear && !p.Complete() {
		return "incomplete"
	}
	return p.Verdict().String()
}

// Headline is the verdict in a sentence without a full stop.
func (p *Plan) Headline() string {
	errs := ""
	if n := len(p.Report.Errors); n > 0 {
		errs = "; " + plural(n, "piece") + " of evidence could not be read"
	}
	switch p.Verdict() {
	case Confirmed:
		return "a malicious image was pulled, runs or is stored" + errs
	case Likely:
		return "a compromised tag was used while it led to a malicious image" + errs
	case Possible:
		return "a compromised image was named or used; nothing proves that a malicious one was pulled" + errs
	}
	if len(p.Report.Sources) == 0 {
		return "nothing was looked at" + errs
	}
	return "nothing was found in what was looked at" + errs
}

// traces are those of the report that are as is says, in order.
func (p *Plan) traces(is func(*Trace) bool) iter.Seq[*Trace] {
	return func(yield func(*Trace) bool) {
		for i := range p.Report.Traces {
			if t := &p.Report.Traces[i]; is(t) && !yield(t) {
				return
			}
		}
	}
}

// Tally counts the traces: "2 confirmed, 1 possible, of 2 incidents". It is empty
// where there are none.
func (p *Plan) Tally() string {
	count := p.counts()
	var parts []string
	for v := Confirmed; v > Clear; v-- {
		if count[v] > 0 {
			parts = append(parts, thousands(count[v])+" "+v.String())
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + ", of " + plural(len(p.Incidents), "incident")
}

// counts is the number of traces of each verdict.
func (p *Plan) counts() (count [Confirmed + 1]int) {
	for i := range p.Report.Traces {
		count[p.Report.Traces[i].Verdict]++
	}
	return count
}

// complete fills in what follows from the traces.
func (in *Incident) complete(set *advisories.Set) {
	in.Images = imageNames(in)
	in.Periods = periods(in)
	in.Timeline = timeline(in)
	in.Good = replacements(in, set)
	for _, a := range completedBy(in.Advisory, set) {
		for _, s := range a.Indicators {
			in.Indicators = append(in.Indicators, parseIndicator(s))
		}
	}
	for _, id := range in.Advisory.References {
		if s, ok := in.Advisory.Source(id); ok && s.URL != "" {
			in.Links = append(in.Links, s)
		}
	}
}

// completedBy is a and the advisories that complete it.
func completedBy(a *advisories.Advisory, set *advisories.Set) []*advisories.Advisory {
	all := []*advisories.Advisory{a}
	for _, other := range set.All() {
		if other.ID != a.ID && slices.Contains(a.See, other.ID) {
			all = append(all, other)
		}
	}
	return all
}

// imageNames are the names under which an incident was found; those of its advisory
// where the evidence has digests only.
func imageNames(in *Incident) []string {
	var names []string
	for _, t := range in.Traces {
		switch {
		case t.Ref.Repository != "":
			names = append(names, t.Ref.Name())
		case t.Digest != nil && t.Digest.Repository != "":
			names = append(names, t.Digest.Repository)
		}
	}
	if len(names) == 0 {
		for _, r := range in.Advisory.Repositories {
			if !strings.HasSuffix(r.Name, "/*") {
				names = append(names, r.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// replacements is what set knows to be good of the images of in.
func replacements(in *Incident, set *advisories.Set) []Replacement {
	var all []Replacement
	for _, name := range in.Images {
		ref, err := image.Parse(name)
		if err != nil {
			continue
		}
		for _, g := range set.KnownGood(ref) {
			r := Replacement{What: g.What, Kind: g.Kind, Platform: g.Platform, Certainty: g.Certainty}
			if g.Digest != "" {
				// A mirror that served the malicious image is not the place
				// to ask for a genuine one.
				r.Image = origin(g, name) + tagOf(g) + "@" + g.Digest
			}
			if !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Replacement) int {
		return cmp.Or(
			cmp.Compare(strings.Count(b.Image, "@"), strings.Count(a.Image, "@")), // those with a digest first
			cmp.Compare(b.Certainty.Grade, a.Certainty.Grade),
		)
	})
	return all
}

// origin is the repository to pull g from: the first that it is known for, or
// else name.
func origin(g advisories.Good, name string) string {
	for _, in := range g.In {
		if !strings.HasSuffix(in, "/*") {
			return in
		}
	}
	return name
}

// tagOf is the most telling tag of g with its colon, or nothing.
func tagOf(g advisories.Good) string {
	tag := ""
	for _, t := range g.Tags {
		if tag == "" || tag == ":latest" {
			tag = ":" + t
		}
	}
	return tag
}

// evidenceKinds are all kinds of evidence, in the order in which it is worth looking at,
// with the kinds of sources that are of it.
var evidenceKinds = []struct {
	kinds []string
	Unseen
}{
	{[]string{"log"}, Unseen{"CI logs", "which jobs pulled the image, and when", "digestlint exposure --log DIR"}},
	{[]string{"pods"}, Unseen{"clusters", "which workloads run it", "kubectl get pods --all-namespaces -o json | digestlint exposure --pods -"}},
	{[]string{"images", "engine"}, Unseen{"image stores of hosts and runners", "where it lies and would be started from", "digestlint exposure --docker"}},
	{[]string{"registry"}, Unseen{"own registries, mirrors and caches", "who still serves it", "digestlint exposure --registry HOST"}},
	{[]string{"repository"}, Unseen{"repositories and their history", "which files named it, since when", "digestlint exposure --repo DIR --all"}},
}

// unseen are the kinds of evidence that r has no source of.
func unseen(r *Report) []Unseen {
	var all []Unseen
	for _, e := range evidenceKinds {
		if !slices.ContainsFunc(r.Sources, func(s Source) bool { return slices.Contains(e.kinds, s.Kind) }) {
			all = append(all, e.Unseen)
		}
	}
	return all
}

// thousands is n with a comma after each group of three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is a number of things, "1 incident" or "2 incidents".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%s %ss", thousands(n), thing)
}

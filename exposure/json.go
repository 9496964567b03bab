package exposure

import (
	"io"
	"time"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/report"
)

// JSON writes p for programs, whole: nothing is left out, whatever its length.
// Fields are added to it, never changed; what breaks readers gets another
// version. Times are RFC 3339 in UTC, and texts, lists and times that are not
// known are empty. Names of people's files and logs stand in it as they are; a
// terminal shows them without obeying them. The errors are those of w.
func (p *Plan) JSON(w io.Writer) error {
	count := p.counts()
	out := jsonPlan{
		Version:   1,
		Made:      jsonTime(p.Report.Made),
		Verdict:   p.Verdict().String(),
		Headline:  p.Headline(),
		Complete:  p.Complete(),
		Counts:    jsonCounts{count[Confirmed], count[Likely], count[Possible]},
		Incidents: jsonAll(p.Incidents, jsonIncidentOf),
		Traces:    make([]jsonTrace, len(p.Report.Traces)),
		Steps:     jsonAll(p.Steps, jsonStepOf),
		Searches:  jsonAll(p.Searches, jsonItemOf),
		Sources:   jsonAll(p.Report.Sources, jsonSourceOf),
		Unseen:    jsonAll(p.Unseen, func(u Unseen) jsonUnseen { return jsonUnseen(u) }),
		Errors:    errorTexts(p.Report.Errors),
	}
	number := map[*Trace]int{}
	for i := range p.Report.Traces {
		t := &p.Report.Traces[i]
		number[t] = i
		out.Traces[i] = jsonTraceOf(t)
	}
	out.Credentials = jsonAll(p.Credentials, func(e Exposed) jsonExposed {
		return jsonExposed{
			jsonCredential(e.Credential), e.Verdict.String(), jsonTime(e.Since),
			jsonAll(e.Traces, func(t *Trace) int { return number[t] }),
			jsonAll(e.Pulls, func(t *Trace) int { return number[t] }),
		}
	})
	return report.EncodeJSON(w, out)
}

type jsonPlan struct {
	Version  int    `json:"version"`
	Made     string `json:"made"`
	Verdict  string `json:"verdict"` // "clear", "possible", "likely", "confirmed"
	Headline string `json:"headline"`
	// Complete is false where evidence could not be read (Errors says which)
	// and where there was none: "clear" means nothing then.
	Complete    bool           `json:"complete"`
	Counts      jsonCounts     `json:"counts"`
	Incidents   []jsonIncident `json:"incidents"`
	Traces      []jsonTrace    `json:"traces"` // worst first
	Credentials []jsonExposed  `json:"credentials"`
	Steps       []jsonStep     `json:"steps"`
	Searches    []jsonItem     `json:"searches"`
	Sources     []jsonSource   `json:"sources"` // what was looked at
	Unseen      []jsonUnseen   `json:"unseen"`  // what was not
	Errors      []string       `json:"errors"`
}

type jsonCounts struct {
	Confirmed int `json:"confirmed"`
	Likely    int `json:"likely"`
	Possible  int `json:"possible"`
}

type jsonIncident struct {
	ID         string            `json:"id"`
	Title      string            `json:"title"`
	Type       string            `json:"type"`
	Severity   string            `json:"severity"`
	Verdict    string            `json:"verdict"`
	Traces     int               `json:"traces"` // how many
	Images     []string          `json:"images"`
	Windows    []jsonWindow      `json:"windows"`
	Timeline   []jsonMoment      `json:"timeline"`
	Good       []jsonReplacement `json:"good"`
	Indicators []jsonIndicator   `json:"indicators"`
	Links      []jsonLink        `json:"links"`
}

// jsonWindow has in Text what the times are exact to and how sure they are.
type jsonWindow struct {
	What  string `json:"what"`
	From  string `json:"from"`
	Until string `json:"until"`
	Text  string `json:"text"`
}

// jsonMoment is Count events alike from At to Until.
type jsonMoment struct {
	At      string `json:"at"`
	Until   string `json:"until"`
	Count   int    `json:"count"`
	Kind    string `json:"kind"`
	Verdict string `json:"verdict"` // "clear" for windows
	What    string `json:"what"`
	Where   string `json:"where"`
}

type jsonReplacement struct {
	Image     string `json:"image"` // with its digest; empty where none is known
	What      string `json:"what"`
	Kind      string `json:"kind"`
	Platform  string `json:"platform"`
	Certainty string `json:"certainty"`
}

type jsonIndicator struct {
	Text    string `json:"text"` // defanged
	Kind    string `json:"kind"`
	Pattern string `json:"pattern"`
}

type jsonLink struct {
	Class string `json:"class"`
	URL   string `json:"url"`
}

type jsonTrace struct {
	Verdict  string `json:"verdict"`
	Why      string `json:"why"`
	Incident string `json:"incident"`
	Kind     string `json:"kind"` // "named", "pulled", "present", "running", "cached"
	Evidence string `json:"evidence"`
	From     string `json:"from"`
	Until    string `json:"until"`

	Path      string `json:"path"`
	Line      int    `json:"line"` // from one; zero where not known
	Branch    string `json:"branch"`
	Commit    string `json:"commit"`
	Gone      string `json:"gone"`
	Job       string `json:"job"`
	Step      string `json:"step"`
	Node      string `json:"node"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Store     string `json:"store"`

	Reference  string           `json:"reference"` // as the evidence has it
	Name       string           `json:"name"`      // canonical
	Tag        string           `json:"tag"`
	Digests    []string         `json:"digests"`
	ImageID    string           `json:"image_id"`
	Listed     string           `json:"listed"`      // the malicious digest
	ListedKind string           `json:"listed_kind"` // what it is the digest of
	TagState   string           `json:"tag_state"`   // what became of the tag
	Certainty  string           `json:"certainty"`   // of what is known of the digest or tag
	Text       string           `json:"text"`
	Reaches    []jsonCredential `json:"reaches"`
}

type jsonCredential struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Where string `json:"where"`
}

// jsonExposed has in Traces the indexes of those that reach it, and in Pulls of
// the pulls that their files may have made.
type jsonExposed struct {
	jsonCredential
	Verdict string `json:"verdict"`
	Since   string `json:"since"`
	Traces  []int  `json:"traces"`
	Pulls   []int  `json:"pulls"`
}

type jsonStep struct {
	Number int        `json:"number"`
	Name   string     `json:"name"` // "contain", "rotate", "re-pull", "pin", "purge", "prevent"
	Title  string     `json:"title"`
	Items  []jsonItem `json:"items"`
}

type jsonItem struct {
	Do       string        `json:"do"`
	On       []string      `json:"on"`
	Note     string        `json:"note"`
	Commands []jsonCommand `json:"commands"`
}

type jsonCommand struct {
	What string `json:"what"`
	Line string `json:"command"` // for a shell; empty where it is done by hand
	Note string `json:"note"`
}

type jsonSource struct {
	Kind  string   `json:"kind"`
	Name  string   `json:"name"`
	Items int64    `json:"items"`
	Unit  string   `json:"unit"`
	From  string   `json:"from"`
	Until string   `json:"until"`
	Notes []string `json:"notes"`
}

type jsonUnseen struct {
	What    string `json:"what"`
	Lacks   string `json:"lacks"`
	Command string `json:"command"`
}

func jsonIncidentOf(in *Incident) jsonIncident {
	a := in.Advisory
	out := jsonIncident{
		ID: a.ID, Title: a.Title, Type: a.Type, Severity: a.Severity.String(), Verdict: in.Verdict.String(),
		Traces: len(in.Traces), Images: jsonStrings(in.Images),
	}
	out.Windows = jsonAll(in.Periods, func(p Period) jsonWindow {
		return jsonWindow{p.What, jsonTime(p.Window.Start), jsonTime(p.Window.End), p.Window.String()}
	})
	out.Timeline = jsonAll(in.Timeline, func(m Moment) jsonMoment {
		return jsonMoment{jsonTime(m.At), jsonTime(m.Until), m.Count, m.Kind, m.Verdict.String(), m.What, m.Where}
	})
	out.Good = jsonAll(in.Good, func(g Replacement) jsonReplacement {
		return jsonReplacement{g.Image, g.What, g.Kind.String(), g.Platform, g.Certainty.String()}
	})
	out.Indicators = jsonAll(in.Indicators, func(i Indicator) jsonIndicator {
		return jsonIndicator{i.Text, i.Kind.String(), i.Pattern}
	})
	out.Links = jsonAll(in.Links, func(l advisories.Source) jsonLink { return jsonLink{l.Class, l.URL} })
	return out
}

func jsonTraceOf(t *Trace) jsonTrace {
	p := t.Place
	out := jsonTrace{
		Verdict: t.Verdict.String(), Why: t.Why, Incident: t.Advisory.ID, Kind: t.Kind.String(), Evidence: t.Evidence,
		From: jsonTime(t.From), Until: jsonTime(t.Until),
		Path: p.Path, Line: p.Line, Branch: p.Branch, Commit: p.Commit, Gone: p.Gone, Job: p.Job, Step: p.Step,
		Node: p.Node, Namespace: p.Namespace, Pod: p.Pod, Container: p.Container, Store: p.Store,
		Digests: jsonStrings(t.Digests), ImageID: t.ImageID, Listed: t.Listed, Text: t.Text,
		Reaches: jsonAll(t.Reaches, func(c Credential) jsonCredential { return jsonCredential(c) }),
	}
	if t.Ref.Repository != "" {
		out.Reference, out.Name, out.Tag = t.Ref.String(), t.Ref.Name(), t.Ref.Tag
	}
	switch {
	case t.Digest != nil:
		out.ListedKind, out.Certainty = t.Digest.Kind.String(), t.Digest.Certainty.String()
	case t.Tag != nil:
		out.TagState, out.Certainty = t.Tag.State.String(), t.Tag.Certainty.String()
	}
	return out
}

func jsonStepOf(s Step) jsonStep {
	return jsonStep{s.Number, s.Name, s.Title, jsonAll(s.Items, jsonItemOf)}
}

func jsonItemOf(i Item) jsonItem {
	return jsonItem{i.Do, jsonStrings(i.On), i.Note, jsonAll(i.Commands, func(c Command) jsonCommand { return jsonCommand(c) })}
}

func jsonSourceOf(s Source) jsonSource {
	return jsonSource{s.Kind, s.Name, s.Items, s.Unit, jsonTime(s.From), jsonTime(s.Until), jsonStrings(s.Notes)}
}

// jsonAll is a list that is never null.
func jsonAll[T, J any](all []T, convert func(T) J) []J {
	out := make([]J, len(all))
	for i := range all {
		out[i] = convert(all[i])
	}
	return out
}

// jsonStrings is all, never null.
func jsonStrings(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

func jsonTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

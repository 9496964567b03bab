package exposure

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/advisories"
)

// Exposed is a credential that an image of an incident could read.
type Exposed struct {
	Credential
	// Verdict is the worst of the traces that reach it. It is Likely where a
	// file names the credential beside the image, and the evidence has a pull
	// of that image from the time, without saying which file made it.
	Verdict Verdict
	// Since is the first time at which one of these traces could have read it,
	// zero where none has a time.
	Since  time.Time
	Traces []*Trace // those that reach it
	// Pulls are the pulls that files of Traces may have made.
	Pulls []*Trace
}

// exposed are the credentials that the traces of p reach, worst first.
func exposed(p *Plan) []Exposed {
	var all []Exposed
	at := map[Credential]int{}
	pulls := pullsOf(p)
	for t := range p.traces(func(t *Trace) bool { return len(t.Reaches) > 0 }) {
		verdict, since := t.Verdict, began(t)
		made := pulls.behind(t)
		if len(made) > 0 {
			verdict, since = Likely, began(made[0])
		}
		for _, c := range t.Reaches {
			n, ok := at[c]
			if !ok {
				n = len(all)
				at[c] = n
				all = append(all, Exposed{Credential: c})
			}
			all[n].reach(t, verdict, since)
			all[n].Pulls = append(all[n].Pulls, made...)
		}
	}
	slices.SortStableFunc(all, func(a, b Exposed) int {
		return cmp.Or(cmp.Compare(b.Verdict, a.Verdict), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Where, b.Where))
	})
	return all
}

// reach adds t, which reaches e with a verdict since a time.
func (e *Exposed) reach(t *Trace, verdict Verdict, since time.Time) {
	switch {
	case verdict > e.Verdict:
		e.Verdict, e.Since = verdict, since
	case verdict == e.Verdict && !since.IsZero() && (e.Since.IsZero() || since.Before(e.Since)):
		e.Since = since
	}
	if len(e.Traces) == 0 || e.Traces[len(e.Traces)-1] != t {
		e.Traces = append(e.Traces, t)
	}
}

// pulls are what was pulled, or runs, by the canonical name and tag of the image.
type pulls map[string][]*Trace

func pullsOf(p *Plan) pulls {
	all := pulls{}
	for t := range p.traces(func(t *Trace) bool { return t.Verdict >= Likely && reads(t) && t.Ref.Repository != "" }) {
		all[pulledName(t)] = append(all[pulledName(t)], t)
	}
	return all
}

func pulledName(t *Trace) string { return t.Ref.Name() + ":" + cmp.Or(t.Ref.Tag, "latest") }

// behind are the pulls that the file of t may have made, in the order of time: of
// the same image, while the file named it.
func (p pulls) behind(t *Trace) []*Trace {
	if t.Kind != Named || t.Ref.Repository == "" {
		return nil
	}
	var made []*Trace
	for _, pull := range p[pulledName(t)] {
		if pull.Advisory == t.Advisory && overlaps(pull.From, pull.Until, advisories.Window{Start: t.From, End: t.Until}) {
			made = append(made, pull)
		}
	}
	slices.SortStableFunc(made, func(a, b *Trace) int { return began(a).Compare(began(b)) })
	return made
}

// began is the first time at which the image of t can have done harm: not
// before the tag led to it. It is zero where nothing is known.
func began(t *Trace) time.Time {
	if t.Tag == nil {
		return t.From
	}
	for _, w := range advisories.Union(t.Tag.Windows) {
		if overlaps(t.From, t.Until, w) && w.Start.After(t.From) {
			return w.Start
		}
	}
	return t.From
}

// rotate is the second step: what was within reach of the malicious code.
func rotate(p *Plan) []Item {
	hit := func(v Verdict) bool { return v >= Likely }
	items := rotations(p, hit, "Rotate at once: ")
	if len(items) > 0 {
		items[0].Note = strings.TrimSpace(items[0].Note + " Do it from a machine that was not hit; revoke the old one, do not only make a new one; " +
			"then look in its issuer's audit log for uses" + sinceWhen(p, hit) + " that are not yours.")
		if slices.ContainsFunc(p.Credentials, func(c Exposed) bool { return len(c.Pulls) > 0 }) {
			items[0].Note += " What a file names beside the image counts as read where the image was pulled meanwhile."
		}
	}
	var unnamed distinct[string]
	for t := range p.traces(func(t *Trace) bool { return hit(t.Verdict) && reads(t) && len(t.Reaches) == 0 }) {
		unnamed.add(t.Where())
	}
	if len(unnamed.all) > 0 {
		items = append(items, Item{
			Do: "Find out what was within reach here, where the evidence does not say, and rotate it",
			On: unnamed.all,
			Note: "In jobs: all secrets and variables of the job and of its environment, the token of the CI system, deploy keys, cloud roles that the job may assume, " +
				"~/.docker/config.json, ~/.npmrc, ~/.ssh, ~/.aws, ~/.kube. In pods: the service account's token, mounted secrets, environment variables, " +
				"the cloud identity of the pod and of its node (169.254.169.254). On hosts: all of that of the users who ran it. " +
				"`digestlint exposure --repo` and `--pods` name what workflows and pods could read.",
		})
	}
	maybe := rotations(p, func(v Verdict) bool { return v == Possible }, "Rotate if a pull turns up, or if in doubt: ")
	return append(items, maybe...)
}

// reads reports whether t is of code that ran, or is about to, rather than of a
// name or of stored bytes.
func reads(t *Trace) bool { return t.Kind == Pulled || t.Kind == Running }

// rotations are items for the credentials of such verdicts, one a kind.
func rotations(p *Plan, of func(Verdict) bool, do string) []Item {
	var items []Item
	at := map[string]int{}
	for _, c := range p.Credentials {
		if !of(c.Verdict) {
			continue
		}
		n, ok := at[c.Kind]
		if !ok {
			n = len(items)
			at[c.Kind] = n
			items = append(items, Item{Do: do + kindOfCredential(c.Kind), Note: rotation[c.Kind]})
		}
		items[n].On = append(items[n].On, c.String())
	}
	return items
}

// String is the credential for people: its name, and where it was within reach.
func (c Credential) String() string {
	if c.Where == "" {
		return c.Name
	}
	return c.Name + " (" + c.Where + ")"
}

// kindOfCredential is the plural of a credential's kind.
func kindOfCredential(kind string) string {
	switch {
	case kind == "":
		return "credentials"
	case kind == "host":
		return "what is to be had from the host by these"
	case strings.HasSuffix(kind, "y"):
		return strings.TrimSuffix(kind, "y") + "ies"
	case strings.HasSuffix(kind, "s"):
		return kind
	}
	return kind + "s"
}

// rotation is what is particular to a kind of credential
// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/).
var rotation = map[string]string{
	"service account": "A token that was mounted into a pod ends with the pod; one in a Secret ends when the Secret is deleted. See what the account may do: `kubectl auth can-i --list --as=system:serviceaccount:NAMESPACE:NAME`.",
	"pull secret":     "Whoever has it can read the private registry; if it may push, look for pushes that are not yours.",
	"secret":          "GITHUB_TOKEN and OIDC tokens end with their job; what was done with them until then stays.",
	"host":            "From there the code could leave its container: examine or rebuild the host, and rotate what other containers and the host itself can read.",
	"build argument":  "It is in the history of the image that was built, too: delete that image.",
	"mounted secret":  "Change it where it was issued, then in the cluster, and start its pods again.",
}

// sinceWhen is from when on to look, for such verdicts.
func sinceWhen(p *Plan, of func(Verdict) bool) string {
	first := ""
	for t := range p.traces(func(t *Trace) bool { return of(t.Verdict) && !began(t).IsZero() }) {
		if when := shownTime(began(t)); first == "" || when < first {
			first = when
		}
	}
	if first == "" {
		return ""
	}
	return " since " + first
}

package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/rules"
)

// Exclusion is findings that are left out: those for which all holds that is
// set.
type Exclusion struct {
	Path     Glob          // of the file, relative to the folder of the configuration
	Image    Names         // the image's canonical name
	Registry string        // as in [Online]: "ghcr.io", "*.pkg.dev"
	Owner    string        // the first part of the repository: "acme" of ghcr.io/acme/app
	Rules    []*rules.Rule // nil: all but those that nothing hides
	Reason   string        // for people; may be empty
	At       Place
}

// Exception is one digest that the advisories list and that may stand where it
// stands.
type Exception struct {
	Digest string
	Reason string
	Until  time.Time // the last day, in UTC
	At     Place
}

var ruleDocs = []Setting{
	{Key: "rules.RULE", Type: severity.name, Doc: "How bad the findings of the rule are; those of which it is less sure stay below. Malicious digests are never less than they are by default."},
	{Key: "rules.RULE.severity", Type: severity.name, Doc: "The same, written as a mapping."},
}

// readRules reads the severities of rules.
func readRules(p *parser, value *yaml.Node, c *Config) error {
	c.Rules = map[*rules.Rule]rules.Severity{}
	return p.mapping(value, "rules", func(key, value *yaml.Node) error {
		r, err := parseRule(key.Value)
		if err != nil {
			return p.errorf(key, "%v", err)
		}
		at := value
		var s rules.Severity
		if value.Kind == yaml.MappingNode {
			var o options
			if err = read(p, value, key.Value, optionSettings, &o); err == nil && !has(value, "severity") {
				err = p.errorf(value, "%s has no severity", key.Value)
			}
			s = o.severity
		} else {
			s, err = severity.read(p, value)
		}
		if err != nil {
			return err
		}
		if r.Certain && s < r.Severity {
			return p.errorf(at, "%s can't be %s: it is never less than %s%s", r.Name, s, r.Severity, insteadOfOff(r))
		}
		c.Rules[r] = s
		return nil
	})
}

// insteadOfOff says what hides findings of a rule that can't be off.
func insteadOfOff(r *rules.Rule) string {
	if r == rules.MaliciousDigest {
		return "; `exceptions` can except one digest"
	}
	return "; `exclude` can leave out a path, with this rule among its rules"
}

// options are those of a rule.
type options struct{ severity rules.Severity }

var optionSettings = []setting[options]{
	field("severity", severity, "", func(o *options) *rules.Severity { return &o.severity }),
}

func rulesSchema([]string) object {
	properties := object{}
	for _, r := range rules.All() {
		is := severity.schema
		if r.Certain {
			is = object{"enum": severities(r.Severity)}
		}
		properties[r.Name] = object{
			"description": r.Summary + ".",
			"anyOf": []object{is, {
				"type": "object", "properties": object{"severity": is}, "required": []string{"severity"}, "additionalProperties": false,
			}},
		}
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

// severities are the names of those from least on.
func severities(least rules.Severity) (all []string) {
	for s := least; s <= rules.Error; s++ {
		all = append(all, s.String())
	}
	return all
}

func parseRule(name string) (*rules.Rule, error) {
	if r := rules.Lookup(name); r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("%q is no rule; `digestlint rules` lists them", name)
}

var (
	severity = scalar("off, info, warning or error", rules.ParseSeverity, "!!str").with("enum", severities(rules.Off))
	rule     = scalar("a rule", parseRule, "!!str").with("enum", ruleNames())
	text     = scalar("a text", func(s string) (string, error) {
		if strings.TrimSpace(s) == "" {
			return "", fmt.Errorf("this has to say something")
		}
		return s, nil
	}, "!!str").with("pattern", `\S`)
	day = scalar("a day like 2027-01-31", func(s string) (time.Time, error) {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return d, wrong(s, "is no day like 2027-01-31")
		}
		return d, nil
	}, "!!timestamp", "!!str").with("pattern", `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	digest = scalar("algorithm:hex", func(s string) (string, error) {
		if !image.ValidDigest(s) {
			return "", wrong(s, "is no digest like sha256: and 64 hex digits")
		}
		return s, nil
	}, "!!str").with("pattern", `^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$`)
	owner = scalar("one part of a repository", func(s string) (string, error) {
		if ref, err := image.Parse("docker.io/" + s + "/x"); err != nil || ref.Repository != s+"/x" || strings.Contains(s, "/") {
			return "", wrong(s, "is no owner like acme in ghcr.io/acme/app")
		}
		return s, nil
	}, "!!str").with("pattern", `^[a-z0-9._-]+$`)
)

func ruleNames() (names []string) {
	for _, r := range rules.All() {
		names = append(names, r.Name)
	}
	return names
}

var exclusionSettings = []setting[Exclusion]{
	field("path", glob, "Leaves out findings in the files that the glob matches, and in all below a folder that it matches; without a `/` at any depth.",
		func(e *Exclusion) *Glob { return &e.Path }),
	field("image", names, "Leaves out findings about images whose canonical name it matches, as `ghcr.io/acme/**`.",
		func(e *Exclusion) *Names { return &e.Image }),
	field("registry", pattern, "Leaves out findings about images of this registry.",
		func(e *Exclusion) *string { return &e.Registry }),
	field("owner", owner, "Leaves out findings about images of this owner, as `acme` of ghcr.io/acme/app, in any registry.",
		func(e *Exclusion) *string { return &e.Owner }),
	field("rules", list("a list of rules", rule), "Leaves out findings of these rules only. `malicious-mention` is left out only if it stands here, beside a path alone; `malicious-digest` never.",
		func(e *Exclusion) *[]*rules.Rule { return &e.Rules }),
	field("reason", text, "Why, for people: `pin` shows it.",
		func(e *Exclusion) *string { return &e.Reason }),
}

// byName reports whether the exclusion is about some images only.
func (e *Exclusion) byName() bool { return e.Image.glob != "" || e.Registry != "" || e.Owner != "" }

func checkExclusion(p *parser, n *yaml.Node, e *Exclusion, _ []Exclusion) error {
	e.At = place(n)
	if e.Path.text == "" && !e.byName() {
		return p.errorf(n, "this entry of exclude has no path, image, registry or owner; `rules` switches rules off everywhere")
	}
	if e.Rules != nil && len(e.Rules) == 0 {
		return p.errorf(n, "this entry of exclude has no rule in its rules")
	}
	for _, r := range e.Rules {
		switch {
		case r == rules.MaliciousDigest:
			return p.errorf(n, "%s can't be excluded%s", r.Name, insteadOfOff(r))
		case r.Certain && e.byName():
			return p.errorf(n, "%s can be excluded by path alone", r.Name)
		}
	}
	return nil
}

var exceptionSettings = []setting[Exception]{
	field("digest", digest, "A digest that the advisories list: findings about it alone are infos, and each run says so.",
		func(e *Exception) *string { return &e.Digest }),
	field("reason", text, "Why it may stand there.", func(e *Exception) *string { return &e.Reason }),
	field("until", day, "The last day on which it may, in UTC.", func(e *Exception) *time.Time { return &e.Until }),
}

func checkException(p *parser, n *yaml.Node, e *Exception, before []Exception) error {
	e.At = place(n)
	if slices.ContainsFunc(before, func(b Exception) bool { return b.Digest == e.Digest }) {
		return p.errorf(n, "%s stands twice in exceptions", e.Digest)
	}
	return nil
}

// Excluded is the first exclusion of the findings of a rule in the file path,
// relative to the working directory or absolute, about images of the canonical
// names; nil if there is none. Where a finding is about several images, all of
// them have to be excluded.
func (c *Config) Excluded(path string, names []string, r *rules.Rule) *Exclusion {
	if len(c.Exclude) == 0 || r == rules.MaliciousDigest {
		return nil
	}
	rel, inside := c.relative(path)
	for i := range c.Exclude {
		e := &c.Exclude[i]
		if e.rule(r) && (e.Path.text == "" || inside && e.Path.Match(rel)) && (!e.byName() || len(names) > 0) &&
			!slices.ContainsFunc(names, func(name string) bool { return !e.name(name) }) {
			return e
		}
	}
	return nil
}

func (e *Exclusion) rule(r *rules.Rule) bool {
	if e.Rules == nil {
		return !r.Certain
	}
	return slices.Contains(e.Rules, r)
}

// name reports whether the exclusion holds for a canonical name.
func (e *Exclusion) name(name string) bool {
	host, repository, _ := strings.Cut(name, "/")
	first, _, _ := strings.Cut(repository, "/")
	return (e.Image.glob == "" || e.Image.Match(name)) && (e.Registry == "" || matchHost(e.Registry, host)) && (e.Owner == "" || e.Owner == first)
}

// matchHost reports whether a pattern of [ParsePattern] is about the host.
func matchHost(pattern, host string) bool {
	domain, wild := strings.CutPrefix(pattern, "*")
	return host == pattern || wild && strings.HasSuffix(host, domain)
}

// Trusts reports whether images of the canonical name may be used.
func (c *Config) Trusts(name string) bool {
	return slices.ContainsFunc(c.Trusted, func(n Names) bool { return n.Match(name) })
}

package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
)

// Setting is one key of the file, for its documentation.
type Setting struct {
	Key     string // with the keys above it, as "online.timeout"; upper case for what the user chooses, "[]" for entries of a list
	Type    string // what the value is, with an article
	Doc     string // what it is for, a sentence
	Default string // what holds where it is not set; empty for nothing
}

// Settings are all keys of the file, in the order of their documentation.
func Settings() []Setting { return below("", settings) }

// below are settings, and those in them, with the key that they stand under.
func below[T any](key string, settings []setting[T]) []Setting {
	if key != "" {
		key += "."
	}
	var all []Setting
	for _, s := range settings {
		if s.below == nil {
			all = append(all, s.under(key))
		}
		for _, b := range s.below {
			all = append(all, b.under(key))
		}
	}
	return all
}

// under is the setting with what stands above its key.
func (s Setting) under(key string) Setting {
	s.Key = key + s.Key
	return s
}

var settings = []setting[Config]{
	{
		Setting: Setting{Key: "rules"},
		below:   ruleDocs,
		read:    readRules,
		schema:  rulesSchema,
	},
	entries("exclude", exclusionSettings, nil, func(c *Config) *[]Exclusion { return &c.Exclude }, checkExclusion),
	field("trusted", list("a list of globs over names", names), "The registries and repositories that images may come from; switches the rule untrusted-registry on.",
		func(c *Config) *[]Names { return &c.Trusted }),
	entries("exceptions", exceptionSettings, []string{"digest", "reason", "until"}, func(c *Config) *[]Exception { return &c.Exceptions }, checkException),
	{
		Setting: Setting{Key: "formats"},
		below: []Setting{{Key: "formats.GLOB", Type: "a format, or none",
			Doc: "The format of the files that the glob matches, and of all below a folder that it matches; without a `/` at any depth. The last match wins. What is none is still searched for malicious digests."}},
		read: func(p *parser, value *yaml.Node, c *Config) error {
			return p.mapping(value, "formats", func(key, value *yaml.Node) error {
				f, err := p.format(key, value)
				c.Formats = append(c.Formats, f)
				return err
			})
		},
		schema: func(formats []string) object {
			return object{"type": "object", "propertyNames": object{"minLength": 1, "not": object{"pattern": outsidePattern}},
				"additionalProperties": object{"enum": append(slices.Clone(formats), None)}}
		},
	},
	{
		Setting: Setting{Key: "registries"},
		below:   below("registries.HOST", registrySettings),
		read:    readRegistries,
		schema: func(formats []string) object {
			return object{"type": "object", "propertyNames": object{"pattern": hostPattern}, "additionalProperties": mappingSchema(registrySettings, formats)}
		},
	},
	section("online", onlineSettings, func(c *Config) *Online { return &c.Online }),
	section("pin", pinSettings, func(c *Config) *Pin { return &c.Pin }),
	field("approved", file, "The digests file whose digests may be used; switches the rule unapproved-digest on.",
		func(c *Config) *File { return &c.Approved }),
	field("baseline", file, "The findings that are not reported, made by `digestlint baseline create`; without it the nearest .digestlint-baseline.jsonl.",
		func(c *Config) *File { return &c.Baseline }),
}

var registrySettings = []setting[Registry]{
	field("mirrors", list("a list of host[:port][/path]", mirror), "Asked in this order before the registry itself.",
		func(r *Registry) *[]string { return &r.Mirrors }),
	field("insecure", boolean, "Whether plain HTTP may be spoken where HTTPS fails; loopback addresses always may.",
		func(r *Registry) *bool { return &r.Insecure }),
	field("ca", file, "PEM certificates to trust for this host, in place of the system's.",
		func(r *Registry) *File { return &r.CA }),
	field("concurrency", count, "The most requests under way at a time.",
		func(r *Registry) *int { return &r.Concurrency }),
	field("rate", rate, "The most requests a second.",
		func(r *Registry) *float64 { return &r.Rate }),
}

var onlineSettings = []setting[Online]{
	field("allowed", list("a list of hosts and *.domains", pattern), "The hosts that may be asked. Without it: all for `pin` and `resolve`, well-known public ones for `check --online`.",
		func(o *Online) *[]string { return &o.Allowed }),
	field("timeout", positive, "The time for all lookups of a run together; by default 15m.",
		func(o *Online) *time.Duration { return &o.Timeout }).or("15m"),
	{
		Setting: Setting{"cache", "a duration, or off", "How long the digest of a tag is taken from the cache; by default 15m.", "15m"},
		read:    readCache,
		schema:  func([]string) object { return object{"type": "string", "pattern": "^off$|" + durationPattern} },
	},
}

var pinSettings = []setting[Pin]{
	field("min-age", duration, "How long ago a tag has to have been pushed for `pin` to take its digest.",
		func(p *Pin) *time.Duration { return &p.MinAge }),
	field("platforms", list("a list of os/arch[/variant]", platform), "Those that are run: `pin --update` leaves a pin alone while their manifests stay the same.",
		func(p *Pin) *[]string { return &p.Platforms }),
}

func readRegistries(p *parser, value *yaml.Node, c *Config) error {
	c.Registries = map[string]Registry{}
	return p.mapping(value, "registries", func(key, value *yaml.Node) error {
		host, err := parseHost(key.Value)
		if err != nil {
			return p.errorf(key, "%v", err)
		}
		if _, ok := c.Registries[host]; ok {
			return p.errorf(key, "%q stands twice in registries, once under another name", host)
		}
		var r Registry
		err = read(p, value, key.Value, registrySettings, &r)
		c.Registries[host] = r
		return err
	})
}

func readCache(p *parser, value *yaml.Node, o *Online) (err error) {
	if value.Kind == yaml.ScalarNode && value.Value == "off" {
		o.NoCache = true
		return nil
	}
	o.Cache, err = positive.read(p, value)
	return err
}

// The kinds of values. YAML's own types keep 1 from being a text and "1" from
// being a number.
var (
	boolean = scalar("true or false", func(s string) (bool, error) {
		return strings.EqualFold(s, "true"), nil
	}, "!!bool")
	count = scalar("a whole number above zero", func(s string) (int, error) {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || n <= 0 {
			return 0, wrong(s, "is no whole number above zero")
		}
		return int(n), nil
	}, "!!int").with("minimum", 1)
	rate = scalar("a number above zero", func(s string) (float64, error) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f > 0) || math.IsInf(f, 0) {
			return 0, wrong(s, "is no number above zero")
		}
		return f, nil
	}, "!!int", "!!float").with("exclusiveMinimum", 0)
	duration = scalar("a duration like 15m", ParseDuration, "!!str").with("pattern", durationPattern)
	positive = scalar("a duration like 15m", func(s string) (time.Duration, error) {
		d, err := ParseDuration(s)
		if err == nil && d == 0 {
			err = wrong(s, "has to be above zero")
		}
		return d, err
	}, "!!str").with("pattern", durationPattern)
	platform = scalar("os/arch[/variant]", ParsePlatform, "!!str").with("pattern", `^[a-z0-9._-]+(/[a-z0-9._-]+){1,2}$`)
	mirror   = scalar("host[:port][/path]", parseMirror, "!!str").with("pattern", `^[^@?]+$`).with("not", object{"pattern": "://"})
	pattern  = scalar("a host or *.domain", ParsePattern, "!!str").with("pattern", `^(\*\.)?[^*/@]+$`)
)

// What a schema can say of durations and hosts; the whole of it is said by
// whoever reads them.
const (
	durationPattern = `^([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*$`
	hostPattern     = `^[^*/@]+$`
)

// wrong is an error that says what is wrong with the text s. Somebody may have
// written an address with a password; what stands before an "@" is left out.
func wrong(s, what string) error {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		s = "…" + s[at:]
	}
	return fmt.Errorf("%q %s", s, what)
}

// ParseDuration reads a duration of zero or more as Go writes it, with days in
// front: "90s", "1h30m", "3d", "1d12h".
func ParseDuration(s string) (time.Duration, error) {
	wrong := wrong(s, "is no duration like 90s, 15m or 3d")
	const day = 24 * time.Hour
	var total time.Duration
	rest := s
	if days, behind, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, wrong
		}
		total, rest = time.Duration(n)*day, behind
	}
	if rest != "" || s == "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || d > math.MaxInt64-total || strings.HasPrefix(rest, "+") {
			return 0, wrong
		}
		total += d
	}
	return total, nil
}

// machines are names of architectures that other programs print, by the one
// that images have
// (https://github.com/opencontainers/image-spec/blob/main/config.md#properties).
var machines = map[string]string{"x86_64": "amd64", "x86": "386", "i386": "386", "i686": "386", "aarch64": "arm64", "armhf": "arm"}

// ParsePlatform gives s if it is the name of a platform: os/arch, or
// os/arch/variant.
func ParsePlatform(s string) (string, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 {
		return "", wrong(s, "is no platform like linux/amd64 or linux/arm/v7")
	}
	for _, part := range parts {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			return "", wrong(s, "is no platform like linux/amd64 or linux/arm/v7")
		}
	}
	if arch, ok := machines[parts[1]]; ok {
		return "", wrong(s, "names a machine; the architecture of its images is "+arch)
	}
	return s, nil
}

// parseHost gives the canonical name of a registry host, with its port if it
// has one.
func parseHost(s string) (string, error) {
	if strings.Contains(s, "://") {
		return "", wrong(s, "has to stand without the scheme")
	}
	ref, err := image.Parse(s + "/x")
	if err != nil || ref.Registry != s || !validPort(s) {
		return "", wrong(s, "is no registry host like docker.io or registry.example:5000")
	}
	return ref.Host(), nil
}

// validPort reports whether the port behind host, if there is one, is one.
func validPort(host string) bool {
	_, port, ok := strings.Cut(host[strings.IndexByte(host, ']')+1:], ":")
	if !ok {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// ParsePattern gives the canonical form of a host, or of "*." and the domain of
// hosts.
func ParsePattern(s string) (string, error) {
	domain, wild := strings.CutPrefix(s, "*.")
	if !wild {
		if strings.Contains(s, "*") {
			return "", wrong(s, `has a "*" elsewhere than as "*." in front of a domain`)
		}
		return parseHost(s)
	}
	// The label in front makes a host of a domain without a dot.
	host, err := parseHost("x." + domain)
	if err != nil {
		return "", wrong(s, "is no domain like *.pkg.dev")
	}
	return "*." + strings.TrimPrefix(host, "x."), nil
}

// parseMirror gives the canonical form of a mirror: a host, and perhaps the path
// that stands before its repositories.
func parseMirror(s string) (string, error) {
	if strings.Contains(s, "://") {
		return "", wrong(s, "has to stand without the scheme")
	}
	host, path, ok := strings.Cut(s, "/")
	host, err := parseHost(host)
	if err != nil || !ok {
		return host, err
	}
	if ref, err := image.Parse("docker.io/" + path); err != nil || ref.Repository != path || ref.Tag != "" || ref.Digest != "" {
		return "", wrong(s, "has a path that no repository has")
	}
	return host + "/" + path, nil
}

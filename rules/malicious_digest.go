package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// MaliciousDigest is about uses of content that is known to be malicious.
var MaliciousDigest = register(Rule{
	Name:     "malicious-digest",
	Severity: Error,
	Summary:  "An image has a digest that is known to be malicious",
	Why: "The digest is that of an image from an incident: of its index, of the manifest of one platform, or of its configuration. " +
		"A digest is content, so the name before it does not matter: mirrors, caches and private registries hold the same bytes. " +
		"Pinning keeps such an image in use after its tag has been repaired.\n\n" +
		"Every use is judged, also names that the repository builds under, and digests within texts whose variables are not known. " +
		"With --online so are tags that lead to such content now, and indexes that hold it, under whatever digest of their own: " +
		"what a tag leads to is what everybody runs who has not pinned it.",
	Format: "dockerfile",
	Bad:    "FROM registry.example/mirror/kics@sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d\n",
	Good:   "FROM checkmarx/kics:v2.1.19@sha256:7b0a4d750acd491942ce9de52c1183fbf4451c1c936780ec2cfacd2650e7d84c\n",
	Fix: "Take it for an intrusion until you know better.\n\n" +
		"1. Find what ran it: jobs, hosts, clusters. `digestlint exposure` reads the repository's history, CI logs, image lists and registries.\n" +
		"2. Treat each of them as compromised: rebuild it, and rotate every credential that it could reach.\n" +
		"3. Pin a clean image by digest. `digestlint advisories show ID` lists those on record, and how sure that is.\n" +
		"4. Remove the digest from caches, mirrors and registries: a clean pull does not replace what is cached there.",
	Since:     "0.1",
	Security:  "10.0",
	Precision: "very-high",
	Certain:   true,
	Everyone:  true,
	Check: func(p *Pass) {
		for i := range p.Uses {
			if found := listedIn(&p.Uses[i]); len(found) > 0 {
				reportListed(p, &p.Uses[i], found)
			}
		}
	},
	Online: func(a *Answer) {
		// A listed pin is reported without the registry, and a tag that its pin
		// leads past by tag-drift.
		m, verb := a.Now, "leads to"
		if a.Ref.Pinned() {
			m, verb = a.Pinned, "is"
		}
		if m == nil || m.Digest == a.Ref.Digest && isListed(m.Digest) {
			return
		}
		if hit, what, bad := m.listedIn(); bad {
			// An exception is for content that stands in a file, not for
			// whatever a tag may lead to.
			var digests []string
			if a.Ref.Pinned() {
				digests = []string{hit.Digest.Digest}
			}
			a.say(fmt.Sprintf("malicious image: %s %s %s", a.tagged(), verb, what), incidentHint([]image.Reference{a.Ref}, hit), digests...)
		}
	},
})

// reportListed reports one finding about all listed digests of a use.
func reportListed(p *Pass, u *image.Use, found []listed) {
	var what []string
	var vs []*image.Value
	var refs []image.Reference
	var f Finding
	for _, l := range found {
		if !l.again {
			what = append(what, describeHit(l.hit))
			f.Digests = append(f.Digests, l.hit.Digest.Digest)
		}
		v := l.value
		if v == nil {
			continue
		}
		vs = append(vs, v)
		if v.Err == nil {
			refs = append(refs, v.Ref)
		}
		if v.Site.Key && v.Site.File != nil && !v.Site.Tail.Empty() {
			f.addRelated(v.Site.File, v.Site.Tail, "the digest stands here")
		}
	}
	f.Message = "malicious image: " + strings.Join(what, "; ")
	f.Hint = incidentHint(refs, found[0].hit)
	p.reportValues(u, vs, f)
}

// incidentHint says what to do where one of refs has a listed digest, and what
// to pin instead of the first that has a clean image on record, or of the
// image of the incident.
func incidentHint(refs []image.Reference, hit advisories.Hit) string {
	instead := incidentImage(hit)
	if i := slices.IndexFunc(refs, func(r image.Reference) bool { return len(advisories.KnownGood(r)) > 0 }); i >= 0 {
		instead = refs[i]
	}
	return "treat every job and host that ran it as compromised and rotate all credentials that they could reach; what to do: `digestlint explain malicious-digest`\n" +
		knownGood(instead, hit.Advisory)
}

// incidentImage is the name under which a listed digest was published, as far as
// the advisory tells.
func incidentImage(hit advisories.Hit) image.Reference {
	name := hit.Digest.Repository
	if name == "" && len(hit.Advisory.Repositories) > 0 {
		name = hit.Advisory.Repositories[0].Name
	}
	ref, err := image.Parse(name)
	if err != nil { // a pattern
		return image.Reference{}
	}
	if ref.Registry == "docker.io" {
		ref.Registry = ""
		ref.Repository = strings.TrimPrefix(ref.Repository, "library/")
	}
	return ref
}

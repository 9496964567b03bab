package organisation

import "strings"

// Registry is what a registry holds. The bytes of bad images are not to be had,
// so it has nothing but the digests of its manifests.
type Registry struct {
	Lists     bool                         // its repositories to anybody
	Manifests map[string]map[string]bool   // digests of a repository
	Tags      map[string]map[string]string // digest of a tag of a repository
}

// put stores manifests, each under a tag where it has one: "tag sha256:…".
func (r *Registry) put(repository string, all ...string) {
	if r.Manifests[repository] == nil {
		r.Manifests[repository], r.Tags[repository] = map[string]bool{}, map[string]string{}
	}
	for _, one := range all {
		tag, digest, ok := strings.Cut(one, " ")
		if !ok {
			digest = tag
		} else {
			r.Tags[repository][tag] = digest
		}
		r.Manifests[repository][digest] = true
	}
}

// fillRegistries makes a mirror that lists its repositories, and a cache that
// does not, in which there is nothing.
func (o *Organisation) fillRegistries() {
	for i := range o.Registries {
		o.Registries[i] = &Registry{Lists: i == 0, Manifests: map[string]map[string]bool{}, Tags: map[string]map[string]string{}}
	}
	mirror, cache := o.Registries[0], o.Registries[1]
	// A tag that has moved on leaves the bad index behind.
	mirror.put("checkmarx/kics", kicsIndex, "v2.1.20 "+kicsGood, "latest "+almost(kicsLatestIndex))
	mirror.put("hub/aquasec/trivy", "0.69.6 "+trivy6Index, "0.69.3 "+trivyGood)
	mirror.put("acme/kics", "latest "+almost(kicsIndex), "v2.1.21 "+kicsGood)
	mirror.put("platform/base", "2026.3 "+trivyGood)
	cache.put("checkmarx/kics", "latest "+kicsGood, "v2.1.20 "+almost(kicsAMD64))
	cache.put("docker-hub/aquasec/trivy", "latest "+trivyGood, "0.70.0 "+almost(trivy6Index))

	const first, second = "registry-0", "registry-1"
	add := func(what string, v Verdict, advisory, evidence string, objects ...string) {
		s := &Spot{What: "registry: " + what, Verdict: v, Advisory: advisory}
		for _, object := range objects {
			s.Places = append(s.Places, Place{Evidence: evidence, Object: object})
		}
		o.Spots = append(o.Spots, s)
	}
	add("index that no tag leads to any more", Confirmed, kicsIncident, first, "checkmarx/kics@"+kicsIndex)
	add("tag that still leads to a bad index", Confirmed, trivySecond, first, "hub/aquasec/trivy@"+trivy6Index, "hub/aquasec/trivy:0.69.6")
	add("tag that was put right", Nothing, "", first, "checkmarx/kics:v2.1.20")
	add("tag of a digest off by one digit", Nothing, "", first, "checkmarx/kics:latest")
	add("good tag of an image with a bad one", Nothing, "", first, "hub/aquasec/trivy:0.69.3")
	add("bad tag of another owner", Nothing, "", first, "acme/kics:v2.1.21")
	add("other repository of the registry", Nothing, "", first, "platform/base:2026.3")
	add("tag of a cache that was put right", Nothing, "", second, "checkmarx/kics:latest")
	add("tag of a cache of another digest", Nothing, "", second, "checkmarx/kics:v2.1.20")
	add("tag of a prefix of a cache", Nothing, "", second, "docker-hub/aquasec/trivy:latest")
	add("cache that holds nothing bad", Clear, "", second, "")
}

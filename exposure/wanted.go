package exposure

import (
	"slices"
	"strings"

	"github.com/digestlint/digestlint/advisories"
)

// wanted is what is looked for in a repository.
type wanted struct {
	digests []string // of indexes and manifests
	configs []string
	tags    []string // that the advisories speak of
}

func (w *wanted) add(o wanted) {
	w.digests = union(w.digests, o.digests)
	w.configs = union(w.configs, o.configs)
	w.tags = union(w.tags, o.tags)
}

// union is a and what b has besides, in a slice of its own.
func union(a, b []string) []string {
	list := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// wantedName is a repository of an advisory.
type wantedName struct {
	host, path string // canonical
	below      bool   // all repositories below path, a name that can't be asked for
	wanted
}

// wantedSet is what the advisories list, by where it was published.
type wantedSet struct {
	names []wantedName // each once, without those below
	below []wantedName
	last  map[string]wanted // by the last component of the path
	// homeless is what no repository is known for, as in a bare list of
	// digests.
	homeless wanted
	all      wanted
}

// wantedOf sorts the digests of the advisories by repository.
func wantedOf(set *advisories.Set) *wantedSet {
	w := &wantedSet{last: map[string]wanted{}}
	at := map[string]int{}
	for _, a := range set.All() {
		for i := range a.Digests {
			d := &a.Digests[i]
			names := homes(a, d)
			for _, name := range names {
				w.put(at, parseHome(name, d))
			}
			if len(names) == 0 {
				found := wantedDigest(d)
				w.homeless.add(found)
				w.all.add(found)
			}
		}
	}
	for _, n := range w.names {
		for _, a := range set.All() {
			for _, t := range a.Tags {
				if slices.Contains(t.In, n.host+"/"+n.path) {
					w.put(at, wantedName{host: n.host, path: n.path, wanted: wanted{tags: t.Names}})
				}
			}
		}
	}
	return w
}

// homes are the canonical names of the repositories that d was published in.
func homes(a *advisories.Advisory, d *advisories.Digest) []string {
	if d.Repository != "" {
		return []string{d.Repository}
	}
	names := make([]string, len(a.Repositories))
	for i, r := range a.Repositories {
		names[i] = r.Name
	}
	return names
}

// parseHome is the name of a repository, or of all below an account, with the
// digest.
func parseHome(name string, d *advisories.Digest) wantedName {
	host, path, _ := strings.Cut(name, "/")
	n := wantedName{host: host, wanted: wantedDigest(d)}
	n.path, n.below = strings.CutSuffix("/"+path, "/*")
	n.path = strings.TrimPrefix(n.path, "/")
	return n
}

func wantedDigest(d *advisories.Digest) wanted {
	if d.Kind == advisories.Config {
		return wanted{configs: []string{d.Digest}, tags: d.Tags}
	}
	return wanted{digests: []string{d.Digest}, tags: d.Tags}
}

// put adds n. The same repository in two registries is two names, since what
// they are called in a cache differs.
func (w *wantedSet) put(at map[string]int, n wantedName) {
	w.all.add(n.wanted)
	if n.below {
		w.below = append(w.below, n)
		return
	}
	last := n.path[strings.LastIndexByte(n.path, '/')+1:]
	found := w.last[last]
	found.add(n.wanted)
	w.last[last] = found
	key := n.host + "/" + n.path
	i, again := at[key]
	if !again {
		at[key] = len(w.names)
		w.names = append(w.names, n)
		return
	}
	w.names[i].add(n.wanted)
}

// like is what to look for in a repository with the path: what was published
// in one of the same name, whatever stands before it, or nobody knows where.
func (w *wantedSet) like(path string) wanted {
	var found wanted
	found.add(w.homeless)
	found.add(w.last[path[strings.LastIndexByte(path, '/')+1:]])
	for _, n := range w.below {
		if n.path == "" || strings.Contains("/"+path, "/"+n.path+"/") {
			found.add(n.wanted)
		}
	}
	return found
}

// googleMirror is Google's public cache of Docker Hub.
const googleMirror = "mirror.gcr.io"

// shared are public registries: nobody has a cache of his own in them but below
// a name of his own, and their lists are those of the world.
var shared = map[string]bool{
	dockerHub: true, googleMirror: true,
	"docker.elastic.co": true, "gcr.io": true, "ghcr.io": true, "mcr.microsoft.com": true, "nvcr.io": true, "public.ecr.aws": true, "quay.io": true,
	"registry.access.redhat.com": true, "registry.gitlab.com": true, "registry.k8s.io": true, "registry.redhat.io": true,
}

// namings are the prefixes under which caches commonly serve the repositories
// of a registry: the namespaces that ECR proposes for its pull-through rules
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-working-pulling.html),
// the names of Harbor's projects, of Artifactory's and Nexus's repositories in
// their documentation, and the host itself, as mirrors of several registries
// have it.
func namings(host string) []string {
	switch host {
	case dockerHub:
		return []string{
			host, "docker-hub", "dockerhub", "hub", "proxy", "mirror", "cache",
			"dockerhub-proxy", "docker-hub-proxy", "docker-proxy", "dockerhub-remote", "docker-remote", "docker-virtual", "docker-group", "docker",
		}
	case "quay.io":
		return []string{host, "quay", "quay-proxy", "quay-remote"}
	case "ghcr.io":
		return []string{host, "ghcr", "github", "ghcr-proxy", "ghcr-remote"}
	case "public.ecr.aws":
		return []string{host, "ecr-public", "ecr-public-proxy"}
	}
	return []string{host}
}

package advisories

import (
	"slices"
	"strings"
)

// dockerHub is the canonical host of Docker Hub.
const dockerHub = "docker.io"

// publishers are registries in which people publish under names of their own: a
// path of two components there is no copy of the Docker Hub repository that is
// called the same.
var publishers = []string{
	"docker.elastic.co", "gcr.io", "ghcr.io", "mcr.microsoft.com", "nvcr.io", "public.ecr.aws",
	"quay.io", "registry.access.redhat.com", "registry.gitlab.com", "registry.k8s.io", "registry.redhat.io",
}

// gitlabProxy stands in the path of GitLab's dependency proxy, which serves
// Docker Hub only
// (https://docs.gitlab.com/user/packages/dependency_proxy/).
const gitlabProxy = "dependency_proxy/containers/"

// hubPath is the Docker Hub repository that host/path may be a copy of, empty
// where it can be none, and whether that place is known to mirror Docker Hub.
func hubPath(host, path string) (hub string, known bool) {
	if host == dockerHub {
		return "", false
	}
	if host == "mirror.gcr.io" {
		return path, true
	}
	if rest, ok := strings.CutPrefix(path, "docker/"); ok && host == "public.ecr.aws" {
		return rest, true
	}
	if before, rest, ok := strings.Cut(path, gitlabProxy); ok && (before == "" || strings.HasSuffix(before, "/")) {
		if !strings.Contains(rest, "/") {
			rest = "library/" + rest
		}
		return rest, true
	}
	last := strings.LastIndexByte(path, '/')
	if last < 0 {
		return "", false
	}
	before := strings.LastIndexByte(path[:last], '/')
	if before < 0 && slices.Contains(publishers, host) {
		return "", false
	}
	hub = path[before+1:]
	known = before >= 0 && privateECR(host)
	if strings.HasPrefix(hub, "library/") && !known {
		return "", false
	}
	return hub, known
}

// privateECR reports whether host is an account's own registry at AWS. Paths of
// more than two components there come from pull-through rules, which put a
// prefix before the upstream's name
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html).
func privateECR(host string) bool {
	return strings.Contains(host, ".dkr.ecr.") &&
		(strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn"))
}

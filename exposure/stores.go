package exposure

import (
	"regexp"
	"strings"
)

// Products of registries, as [Place.Product] has them.
const (
	productHarbor      = "Harbor"
	productArtifactory = "Artifactory"
	productNexus       = "Nexus"
	productGitLab      = "GitLab"
	productQuay        = "Quay"
)

// registry removes the image from the registry that serves it, in the way of
// its product.
func (p *purged) registry() []Command {
	if p.ref.Repository == "" {
		return nil
	}
	if p.digest == "" {
		return []Command{{
			What: "delete the manifests of " + p.ref.Host() + "/" + p.ref.Path() + " whose configuration is " + p.id,
			Note: "a configuration is deleted with the last manifest that names it",
		}}
	}
	for _, s := range stores {
		if m := s.host().FindStringSubmatch(p.ref.Host()); m != nil {
			return s.commands(p, m)
		}
	}
	if strings.Contains(p.ref.Path(), gitlabProxy) {
		return p.dependencyProxy()
	}
	switch p.place.Product {
	case productHarbor:
		return p.harbor()
	case productArtifactory:
		return p.artifactory()
	case productNexus:
		return p.nexus()
	}
	return p.protocol()
}

// gitlabProxy stands between the group and the image in GitLab's dependency
// proxy (https://docs.gitlab.com/user/packages/dependency_proxy/).
const gitlabProxy = "/dependency_proxy/containers/"

// store is a registry that is known by its host.
type store struct {
	host     func() *regexp.Regexp
	commands func(p *purged, host []string) []Command
}

var stores = []store{
	{pattern(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$`), (*purged).ecr},
	{pattern(`^public\.ecr\.aws$`), (*purged).publicECR},
	{pattern(`^mirror\.gcr\.io$`), (*purged).googleMirror},
	{pattern(`^(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)$`), (*purged).google},
	{pattern(`^([a-z0-9-]+)\.azurecr\.(?:io|cn|us)$`), (*purged).azure},
	{pattern(`^ghcr\.io$`), (*purged).github},
}

// again is the note on caches that fill themselves.
const again = "a pull-through cache takes it again from an upstream that still has it"

// ecr goes by the digest, with which all tags go
// (https://docs.aws.amazon.com/cli/latest/reference/ecr/batch-delete-image.html).
func (p *purged) ecr(host []string) []Command {
	return []Command{{
		What: "delete the image and all its tags",
		Line: "aws ecr batch-delete-image --registry-id " + host[1] + " --region " + host[2] +
			" --repository-name " + shellQuote(p.ref.Path()) + " --image-ids imageDigest=" + p.digest,
		Note: again,
	}}
}

// publicECR is for the owner of the repository; the alias before it is not part
// of its name there
// (https://docs.aws.amazon.com/cli/latest/reference/ecr-public/batch-delete-image.html).
func (p *purged) publicECR([]string) []Command {
	_, repository, _ := strings.Cut(p.ref.Path(), "/")
	return []Command{{
		What: "delete the image and all its tags, if the repository is yours",
		Line: "aws ecr-public batch-delete-image --region us-east-1 --repository-name " + shellQuote(repository) + " --image-ids imageDigest=" + p.digest,
	}}
}

// google goes by the digest, with its tags
// (https://cloud.google.com/sdk/gcloud/reference/artifacts/docker/images/delete).
func (p *purged) google([]string) []Command {
	return []Command{{
		What: "delete the image and all its tags",
		Line: "gcloud artifacts docker images delete " + shellQuote(p.pinned()) + " --delete-tags",
		Note: again,
	}}
}

func (p *purged) googleMirror([]string) []Command {
	return []Command{{
		What: "take mirror.gcr.io out of the mirrors of your engines, or deny this digest to them",
		Note: "it is Google's cache of Docker Hub, in which nobody else can delete",
	}}
}

// azure goes by the digest, with all tags
// (https://learn.microsoft.com/azure/container-registry/container-registry-delete).
func (p *purged) azure(host []string) []Command {
	return []Command{{
		What: "delete the image and all its tags",
		Line: "az acr repository delete --name " + host[1] + " --image " + shellQuote(p.ref.Path()+"@"+p.digest) + " --yes",
		Note: again,
	}}
}

// github looks up the version whose name is the digest, and deletes it
// (https://docs.github.com/rest/packages/packages).
func (p *purged) github([]string) []Command {
	owner, name, ok := strings.Cut(p.ref.Path(), "/")
	if !ok {
		return p.protocol()
	}
	versions := "/orgs/" + owner + "/packages/container/" + strings.ReplaceAll(name, "/", "%2F") + "/versions"
	return []Command{{
		What: "delete the version of the package, with its tags",
		Line: "gh api --paginate " + shellQuote(versions) + ` --jq '.[] | select(.name == "` + p.digest + `") | .id'` +
			" | xargs -r -I{} gh api --method DELETE " + shellQuote(versions+"/{}"),
		Note: "for the package of a user, /users/" + owner + " in place of /orgs/" + owner + "; the token needs the scope delete:packages",
	}}
}

// dependencyProxy empties the cache of a group; single images can't be deleted
// there (https://docs.gitlab.com/api/dependency_proxy/).
func (p *purged) dependencyProxy() []Command {
	group, _, _ := strings.Cut(p.ref.Path(), gitlabProxy)
	return []Command{{
		What: "empty the dependency proxy of the group",
		Line: `curl --fail --request DELETE --header "PRIVATE-TOKEN: $GITLAB_TOKEN" ` +
			shellQuote(p.address()+"/api/v4/groups/"+strings.ReplaceAll(group, "/", "%2F")+"/dependency_proxy/cache"),
		Note: "the whole cache of the group goes; " + again,
	}}
}

// harbor goes by its own API, which removes the tags as well. Slashes in the
// name of a repository are encoded twice there
// (https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml).
func (p *purged) harbor() []Command {
	project, repository, ok := strings.Cut(p.ref.Path(), "/")
	if !ok {
		return p.protocol()
	}
	return []Command{{
		What: "delete the artifact and all its tags",
		Line: "curl --fail --netrc --request DELETE " + shellQuote(p.address()+"/api/v2.0/projects/"+project+
			"/repositories/"+strings.ReplaceAll(repository, "/", "%252F")+"/artifacts/"+p.digest),
		Note: "layers are freed by Harbor's garbage collection; " + again,
	}}
}

// artifactory stores a manifest as a file, whose SHA-256 is the digest, once
// for each tag and once for the digest
// (https://jfrog.com/help/r/jfrog-rest-apis/checksum-search and
// https://jfrog.com/help/r/jfrog-rest-apis/delete-item).
func (p *purged) artifactory() []Command {
	key, path, ok := strings.Cut(p.ref.Path(), "/")
	if !ok {
		key, path = "REPOSITORY", key
	}
	return []Command{{
		What: "find each place of the manifest, tags included",
		Line: "jf rt curl --request GET " + shellQuote("/api/search/checksum?sha256="+hexOf(p.digest)),
	}, {
		What: "delete the folder that was cached for the digest",
		Line: "jf rt delete --quiet " + shellQuote(key+"-cache/"+path+"/sha256__"+hexOf(p.digest)+"/"),
		Note: "likewise each folder that the search shows; a remote repository keeps its files under its key and \"-cache\"; " + again,
	}}
}

// nexus stores a manifest as an asset with the digest as its SHA-256, in a
// component for each tag and one for the digest
// (https://help.sonatype.com/en/search-api.html and
// https://help.sonatype.com/en/components-api.html).
func (p *purged) nexus() []Command {
	api := p.address() + "/service/rest/v1/"
	return []Command{{
		What: "delete the components that have the manifest, tags included",
		Line: "curl --fail --netrc " + shellQuote(api+"search?format=docker&sha256="+hexOf(p.digest)) +
			" | jq --raw-output '.items[].id' | xargs -r -I{} curl --fail --netrc --request DELETE " + shellQuote(api+"components/{}"),
		Note: "the API may be at another port than the registry; " + again,
	}}
}

// protocol deletes as the distribution specification has it, which not every
// registry allows
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-manifests).
func (p *purged) protocol() []Command {
	commands := []Command{{
		What: "delete the manifest and all its tags",
		Line: "regctl manifest delete " + shellQuote(p.pinned()),
	}, {
		What: "or without regctl, where the registry uses no tokens",
		Line: "curl --fail --netrc --request DELETE " + shellQuote(p.address()+"/v2/"+p.ref.Path()+"/manifests/"+p.digest),
	}}
	if p.place.Product != "" || p.ref.Host() == dockerHub {
		return commands
	}
	commands[0].Note = "Docker's registry allows it with REGISTRY_STORAGE_DELETE_ENABLED=true, but never as a pull-through cache: there, delete the storage of the repository"
	return append(commands, Command{
		What: "free the layers, where the registry runs, while nothing is pushed",
		Line: "registry garbage-collect /etc/docker/registry/config.yml",
		Note: "for Docker's registry; the configuration of version 3 is /etc/distribution/config.yml",
	})
}

// dockerHub is the canonical host of Docker Hub.
const dockerHub = "docker.io"

// pinned is the image by its digest alone.
func (p *purged) pinned() string { return p.ref.Written() + "@" + p.digest }

// address is that of the registry's host, without a slash behind it.
func (p *purged) address() string {
	host := p.ref.Host()
	if host == dockerHub {
		host = "registry-1.docker.io"
	}
	scheme := "https://"
	if name, _, _ := strings.Cut(host, ":"); name == "localhost" || strings.HasPrefix(name, "127.") {
		scheme = "http://"
	}
	return scheme + host
}

// hexOf is a digest without its algorithm.
func hexOf(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return hex
}

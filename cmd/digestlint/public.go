package main

// publicRegistries are the hosts that check --online asks where nobody says
// which it may: a file can name any host, and whoever proposes a change to one
// must not choose which machines the linter talks to. They belong to services
// that publish images for everybody, by the names that stand in references;
// hosts that belong to one customer of a service, such as *.azurecr.io, are not
// among them.
var publicRegistries = []string{
	"docker.io",                     // Docker Hub
	"dhi.io",                        // Docker Hardened Images
	"ghcr.io",                       // GitHub
	"registry.gitlab.com",           // GitLab
	"codeberg.org",                  // Codeberg
	"code.forgejo.org",              // Forgejo
	"quay.io",                       // Red Hat Quay
	"registry.access.redhat.com",    // Red Hat
	"registry.redhat.io",            // Red Hat, with an account
	"registry.connect.redhat.com",   // Red Hat's partners
	"registry.fedoraproject.org",    // Fedora
	"registry.suse.com",             // SUSE
	"registry.opensuse.org",         // openSUSE
	"container-registry.oracle.com", // Oracle
	"gcr.io",                        // Google Container Registry
	"*.gcr.io",                      // its regions, and k8s.gcr.io
	"*.pkg.dev",                     // Google Artifact Registry
	"registry.k8s.io",               // Kubernetes
	"mcr.microsoft.com",             // Microsoft
	"public.ecr.aws",                // Amazon ECR Public
	"icr.io",                        // IBM Cloud
	"*.icr.io",                      // its regions
	"nvcr.io",                       // NVIDIA
	"cgr.dev",                       // Chainguard
	"docker.elastic.co",             // Elastic
	"lscr.io",                       // LinuxServer.io
	"xpkg.crossplane.io",            // Crossplane
	"xpkg.upbound.io",               // Upbound
	"registry.semaphoreci.com",      // Semaphore
}

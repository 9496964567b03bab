package exposure

import (
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// Command is something that a person may paste into a POSIX shell.
type Command struct {
	// What it does, for people: "remove the image under all its names".
	What string
	// Line is one line, quoted for the shell. It is empty where no command
	// does it, and What is what to do by hand.
	Line string
	// Note is what to know before; empty where there is nothing.
	Note string
}

// PurgeCommands are the commands that remove the image of t from the place
// where it was found, in the order in which they are to be run. There are none
// for what only names an image, and for a pull at a place that keeps nothing.
//
// They remove what is listed. Where only a tag is known they go by that, which
// may lead to a good image by now.
func PurgeCommands(t *Trace) []Command {
	p := newPurged(t)
	if !p.any() {
		return nil
	}
	if t.Kind == Cached {
		return p.registry()
	}
	if t.Kind == Named {
		return nil
	}
	commands := p.workload()
	switch t.Place.Store {
	case "podman":
		return append(commands, p.podman()...)
	case "containerd":
		return append(commands, p.containerd()...)
	case "docker":
		return append(commands, p.docker()...)
	}
	if t.Kind == Running || t.Place.Node != "" {
		return append(commands, p.containerd()...)
	}
	return append(commands, p.docker()...)
}

// purged is an image that is to go away.
type purged struct {
	place  Place
	ref    image.Reference // its name; zero where it has none that can be trusted
	digest string          // of an index or a manifest; may be empty
	id     string          // of the image; may be empty
}

// newPurged takes from t what has the form that it must have: all of it ends up
// in a shell, and evidence is written by anybody.
func newPurged(t *Trace) purged {
	p := purged{place: t.Place}
	if parsed, err := image.Parse(t.Ref.String()); err == nil && parsed == t.Ref {
		p.ref = t.Ref
	}
	if image.ValidDigest(t.ImageID) {
		p.id = t.ImageID
	}
	if image.ValidDigest(t.Listed) {
		if t.Digest != nil && t.Digest.Kind == advisories.Config {
			p.id = t.Listed
		} else {
			p.digest = t.Listed
		}
	}
	return p
}

func (p *purged) any() bool { return p.ref.Repository != "" || p.digest != "" || p.id != "" }

// name is what an engine knows the image as, the ID where that is known, since
// all names go with it. It is empty where only a digest is known.
func (p *purged) name() string {
	switch {
	case p.id != "":
		return p.id
	case p.ref.Repository == "":
		return ""
	case p.digest != "":
		return p.ref.Name() + "@" + p.digest
	}
	return p.ref.Canonical()
}

// workload stops what runs in a cluster.
func (p *purged) workload() []Command {
	kind, name, ok := strings.Cut(p.place.Pod, "/")
	if !ok {
		kind, name = "pod", p.place.Pod
	}
	kind = strings.ToLower(kind)
	if !dnsName(p.place.Namespace) || !dnsName(kind) || !dnsName(name) {
		return nil
	}
	return []Command{{
		What: "delete the workload from the cluster",
		Line: "kubectl --namespace=" + p.place.Namespace + " delete " + kind + "/" + name,
		Note: "what owns it starts it again: change the image in its template first, and keep a copy of what is to be examined",
	}}
}

// docker removes the image by its ID: under a digest alone it would keep its
// tags (https://docs.docker.com/reference/cli/docker/image/rm/).
func (p *purged) docker() []Command {
	using := "docker ps --all --quiet --filter ancestor=" + p.id
	remove := "docker image rm --force " + p.id
	if p.id == "" {
		ids := p.ids("docker")
		using = ids + " | xargs -r -I{} docker ps --all --quiet --filter ancestor={}"
		remove = ids + " | xargs -r docker image rm --force"
	}
	return []Command{{
		What: "remove the containers that use the image",
		Line: using + " | xargs -r docker rm --force",
		Note: "`docker export` keeps the files of a container that is to be examined",
	}, {
		What: "remove the image under all its names",
		Line: remove,
	}, {
		What: "empty the build cache, which keeps the layers of images under no name",
		Line: "docker builder prune --all --force",
	}}
}

// podman removes the containers of the image, too
// (https://docs.podman.io/en/latest/markdown/podman-rmi.1.html).
func (p *purged) podman() []Command {
	remove := "podman image rm --force " + p.id
	if p.id == "" {
		remove = p.ids("podman") + " | xargs -r podman image rm --force"
	}
	return []Command{{
		What: "remove the image under all its names, and the containers that use it",
		Line: remove,
		Note: "each user has a store of their own",
	}}
}

// ids prints the IDs of an image that is known by its name or digest.
func (p *purged) ids(engine string) string {
	if name := p.name(); name != "" {
		return engine + " image inspect --format '{{.Id}}' " + shellQuote(name)
	}
	return engine + " image ls --all --digests --no-trunc --format '{{.Digest}} {{.ID}}'" +
		` | awk '$1 == "` + p.digest + `" {print $2}' | sort -u`
}

// containerd removes the image from the namespace of Kubernetes. crictl knows
// it by its name, with the containers that use it; ctr finds all names of a
// digest
// (https://kubernetes.io/docs/tasks/debug/debug-cluster/crictl/ and
// https://github.com/containerd/containerd/blob/main/docs/getting-started.md).
func (p *purged) containerd() []Command {
	where := ""
	if p.place.Node != "" && dnsName(p.place.Node) {
		where = "on " + p.place.Node + ": "
	}
	var commands []Command
	if name := p.name(); name != "" {
		commands = append(commands, Command{
			What: where + "remove the containers that use the image",
			Line: "crictl ps --all --quiet --image " + shellQuote(name) + " | xargs -r crictl rm --force",
		}, Command{
			What: where + "remove the image",
			Line: "crictl rmi " + shellQuote(name),
		})
	}
	if p.digest != "" {
		commands = append(commands, Command{
			What: where + "remove every name of the digest, where containerd is the runtime",
			Line: "ctr --namespace k8s.io images list --quiet target.digest==" + p.digest + " | xargs -r ctr --namespace k8s.io images remove --sync",
			Note: "`ctr namespaces list` shows whether other namespaces are in use; nerdctl's is \"default\"",
		})
	}
	return commands
}

// dnsName reports whether s is one of a Kubernetes object
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
func dnsName(s string) bool { return dnsNames().MatchString(s) }

var dnsNames = pattern(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

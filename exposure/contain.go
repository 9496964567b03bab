package exposure

import (
	"slices"
	"strings"

	"github.com/digestlint/digestlint/advisories"
)

// contain is the first step: what keeps doing harm while the rest is being
// read.
func contain(p *Plan) []Item {
	var items []Item
	add := func(i Item, when func(*Trace) bool) {
		var on distinct[string]
		var commands distinct[Command]
		for t := range p.traces(when) {
			on.add(t.Where())
			commands.add(stop(t)...)
		}
		if i.On, i.Commands = on.all, commands.all; len(i.On) > 0 {
			items = append(items, i)
		}
	}
	add(Item{
		Do:   "Stop these workloads; keep what they wrote first",
		Note: "A controller starts a pod again from the same template: stop the controller.",
	}, func(t *Trace) bool { return t.Kind == Running && t.Verdict >= Likely })
	if nodes := nodesOf(p); len(nodes) > 0 {
		i := Item{Do: "Let nothing new run on these nodes until they have been examined or rebuilt", On: nodes}
		for _, n := range nodes {
			i.Commands = append(i.Commands, Command{What: "take " + n + " out of scheduling", Line: "kubectl cordon -- " + shellQuote(n)})
		}
		items = append(items, i)
	}
	add(Item{
		Do: "Stop further runs of these jobs, and hold back what they built or published since",
		Note: "Take runners that are not thrown away after each job out of service: what the job left behind is still on them. " +
			"Caches and artifacts that the job wrote are not to be trusted.",
	}, func(t *Trace) bool { return t.Kind == Pulled && t.Verdict >= Likely })
	add(Item{
		Do:   "Block these at the registry or its proxy until step 5 has emptied it",
		Note: "Whoever asks it for the image now still gets the malicious one.",
	}, func(t *Trace) bool { return t.Kind == Cached && t.Verdict >= Likely })
	add(Item{
		Do: "Start nothing from the images stored here",
	}, func(t *Trace) bool { return t.Kind == Present && t.Verdict >= Likely })
	add(Item{
		Do:   "Stop what builds or deploys from these until step 4 has changed them",
		Note: "They name an image that is malicious at any time.",
	}, neverGood)
	add(Item{
		Do:   "Find out which digest runs here",
		Note: "`digestlint advisories show ID` lists the malicious ones.",
	}, func(t *Trace) bool { return t.Kind == Running && t.Verdict == Possible })
	if p.Verdict() == Possible {
		items = append(items, settle(p))
	}
	return items
}

// settle is what to do where nothing is proven.
func settle(p *Plan) Item {
	i := Item{
		Do:   "Nothing proves that a malicious image was pulled: settle that first, with the evidence that is missing",
		Note: "Logs, caches and stopped pods are deleted by themselves: save them now.",
	}
	for _, u := range p.Unseen {
		i.Commands = append(i.Commands, Command{What: u.Lacks, Line: u.Command})
	}
	return i
}

// neverGood reports whether t is a file that names, now, something that no
// registry has ever served a good image for.
func neverGood(t *Trace) bool {
	return t.Kind == Named && current(t) && (t.Digest != nil || t.Tag != nil && t.Tag.Verdict == advisories.Never)
}

// current reports whether what t names is still there.
func current(t *Trace) bool { return t.Place.Gone == "" && t.Until.IsZero() }

// nodesOf are the nodes on which a malicious image is known to have run.
func nodesOf(p *Plan) []string {
	var nodes distinct[string]
	for t := range p.traces(func(t *Trace) bool { return t.Kind == Running && t.Verdict == Confirmed && t.Place.Node != "" }) {
		nodes.add(t.Place.Node)
	}
	slices.Sort(nodes.all)
	return nodes.all
}

// stop is how to stop what t says is running, or to learn what it is.
func stop(t *Trace) []Command {
	switch p := t.Place; {
	case t.Kind != Running:
		return nil
	case p.Pod != "" && t.Verdict < Likely:
		return []Command{{
			What: "ask for the digests of " + p.workload(),
			Line: kubectl(p, "get", p.target(), "-o", "jsonpath={..imageID}"),
		}}
	case p.Pod != "":
		return stopWorkload(p)
	case p.Container != "" && t.Verdict >= Likely:
		return stopContainer(p)
	}
	return nil
}

// keep is the file that evidence is saved to. Its name has nothing of the
// evidence in it, which could be a path.
const keep = " >> evidence.txt"

// stopWorkload saves what a workload left and stops it, in the way of its kind
// (https://kubernetes.io/docs/concepts/workloads/controllers/job/#suspending-a-job,
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_scale/).
func stopWorkload(p Place) []Command {
	name := p.workload()
	commands := []Command{{What: "keep the state of " + name, Line: kubectl(p, "get", p.target(), "-o", "yaml") + keep}}
	end := func(words ...string) []Command {
		return append(commands, Command{What: "stop " + name, Line: kubectl(p, words...)})
	}
	switch kind, _ := p.object(); strings.ToLower(kind) {
	case "pod":
		commands = append(commands,
			Command{What: "keep its logs", Line: kubectl(p, "logs", p.target(), "--all-containers", "--timestamps") + keep},
			Command{What: "see what owns it", Line: kubectl(p, "get", p.target(), "-o", "jsonpath={.metadata.ownerReferences}")})
		return end("delete", p.target())
	case "deployment", "statefulset", "replicaset", "replicationcontroller":
		return end("scale", p.target(), "--replicas=0")
	case "job", "cronjob":
		return end("patch", p.target(), `--patch={"spec":{"suspend":true}}`)
	case "daemonset":
		// A DaemonSet has no number of replicas: no node has this label.
		return end("patch", p.target(), `--patch={"spec":{"template":{"spec":{"nodeSelector":{"stopped-for":"incident"}}}}}`)
	}
	return commands
}

// target is the workload as kubectl's "kind/name", which is no option whatever
// the name.
func (p Place) target() string {
	kind, name := p.object()
	return strings.ToLower(kind) + "/" + name
}

// kubectl is a command in the namespace of p.
func kubectl(p Place, words ...string) string {
	if p.Namespace != "" {
		words = append([]string{"--namespace=" + p.Namespace}, words...)
	}
	return shellCommand(append([]string{"kubectl"}, words...)...)
}

// stopContainer saves the logs of an engine's container and stops it.
func stopContainer(p Place) []Command {
	tool := map[string]string{"podman": "podman", "containerd": "crictl"}[p.Store]
	if tool == "" {
		tool = "docker"
	}
	return []Command{
		{What: "keep the logs of container " + p.Container, Line: shellCommand(tool, "logs", "--timestamps", "--", p.Container) + keep + " 2>&1"},
		{What: "stop it", Line: shellCommand(tool, "stop", "--", p.Container)},
	}
}

// distinct collects values without repetitions, in the order in which they
// come first.
type distinct[T comparable] struct {
	all  []T
	seen map[T]bool
}

func (d *distinct[T]) add(values ...T) {
	for _, v := range values {
		if d.seen[v] {
			continue
		}
		if d.seen == nil {
			d.seen = map[T]bool{}
		}
		d.seen[v] = true
		d.all = append(d.all, v)
	}
}

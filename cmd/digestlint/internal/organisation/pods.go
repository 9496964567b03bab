package organisation

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pod is one of a cluster. Each has one container, called "main", or a
// container of another kind beside it.
type pod struct {
	what     string
	verdict  Verdict
	advisory string

	image   string
	imageID string // as the status has it
	kind    string // of container: "" for main, "init" or "ephemeral" for one called so
	started time.Time
	ended   time.Time // zero where it runs
	before  time.Time // zero, or when the run before this one started
	pending bool      // no status of containers yet
	always  bool      // pulled at each start, not only where it is missing
	created time.Time // zero for a minute before started
	// Further fields of the pod, which name no image that it runs.
	annotations, labels map[string]string
	env, args           []string
}

type object = map[string]any

// writePods writes two clusters. In the second there is nothing.
func writePods(o *Organisation, dir string, size Size, rng *rand.Rand) error {
	busy, calm := filepath.Join(dir, "production.json"), filepath.Join(dir, "staging.json")
	special := append(plantedPods(rng), nearPods(rng)...)
	var pods []object
	every := max(1, size.Pods*9/10/len(special))
	for i, p := range special {
		namespace, name := pick(rng, words), fmt.Sprintf("scan-%d-7d9f8c6b5-x%03d", i, i)
		container := "main"
		if p.kind != "" {
			container = p.kind
		}
		from := p.since()
		o.Spots = append(o.Spots, &Spot{
			What: "pod: " + p.what, Verdict: p.verdict, Advisory: p.advisory, From: from,
			Places: []Place{{Evidence: busy, Object: namespace + "/" + name + "/" + container}},
		})
		pods = append(pods, p.object(namespace, name, rng))
		for j := 1; j < every; j++ {
			pods = append(pods, otherPod(rng, i*every+j))
		}
	}
	if err := writeList(busy, pods); err != nil {
		return err
	}
	pods = nil
	for i := range max(1, size.Pods/10) {
		pods = append(pods, otherPod(rng, i))
	}
	o.Pods = []string{busy, calm}
	o.Spots = append(o.Spots, &Spot{What: "cluster without a bad image", Verdict: Clear, Places: []Place{{Evidence: calm}}})
	return writeList(calm, pods)
}

// since is when the run that counts pulled its image. One that found it on its
// node says nothing of that.
func (p pod) since() time.Time {
	switch {
	case p.pending:
		return p.created
	case !p.always:
		return time.Time{}
	case !p.before.IsZero():
		return p.before
	}
	return p.started
}

// writeList writes what "kubectl get pods -A -o json" prints.
func writeList(path string, pods []object) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	e := json.NewEncoder(w)
	e.SetIndent("", "    ")
	if err := e.Encode(object{"apiVersion": "v1", "items": pods, "kind": "List", "metadata": object{"resourceVersion": ""}}); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func otherPod(rng *rand.Rand, i int) object {
	image := pick(rng, harmless[:6])
	started := utc("2026-03-01 08:00:00").Add(time.Duration(rng.IntN(200*24)) * time.Hour)
	id := "docker.io/library/" + strings.Split(image, ":")[0] + "@" + digest(rng)
	return pod{image: image, imageID: id, started: started}.object(pick(rng, words), fmt.Sprintf("%s-%06d", pick(rng, words), i), rng)
}

// object is the pod as the API has it
// (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/).
func (p pod) object(namespace, name string, rng *rand.Rand) object {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	created := p.created
	if created.IsZero() {
		created = p.started.Add(-time.Minute)
	}
	// The pod's other container is harmless and always there.
	main := p.container("main", p.image)
	spec := object{
		"containers": []object{main}, "nodeName": fmt.Sprintf("node-%d", rng.IntN(40)), "serviceAccountName": "builder", "restartPolicy": "Always",
		"volumes": []object{{"name": "kube-api-access", "projected": object{"sources": []object{{"serviceAccountToken": object{"path": "token"}}}}}},
	}
	status := object{"phase": "Running", "podIP": fmt.Sprintf("10.0.%d.%d", rng.IntN(250), rng.IntN(250)), "qosClass": "BestEffort"}
	if p.pending {
		status["phase"] = "Pending"
		delete(spec, "nodeName")
	} else {
		status["startTime"] = stamp(created)
	}
	harmlessStatus := pod{image: "alpine:3.20", imageID: "docker.io/library/alpine@" + digest(rng), started: p.started}.status("main", rng)
	switch p.kind {
	case "":
		if !p.pending {
			status["containerStatuses"] = []object{p.status("main", rng)}
		}
	case "init", "ephemeral":
		main["image"] = "alpine:3.20"
		spec[p.kind+"Containers"] = []object{p.container(p.kind, p.image)}
		status["containerStatuses"] = []object{harmlessStatus}
		status[p.kind+"ContainerStatuses"] = []object{p.status(p.kind, rng)}
	}
	return object{
		"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": status,
		"metadata": object{
			"name": name, "namespace": namespace, "creationTimestamp": stamp(created), "uid": fmt.Sprintf("%08x-0000-4000-8000-%012x", rng.Uint32(), rng.Uint64()>>16),
			"annotations": p.annotations, "labels": p.labels,
			"ownerReferences": []object{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": strings.TrimSuffix(name, name[max(0, len(name)-5):]), "controller": true}},
		},
	}
}

func (p pod) container(name, image string) object {
	policy := "IfNotPresent"
	if p.always {
		policy = "Always"
	}
	c := object{"name": name, "image": image, "imagePullPolicy": policy, "resources": object{}, "args": p.args,
		"volumeMounts": []object{{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}}}
	var env []object
	for i, value := range p.env {
		env = append(env, object{"name": fmt.Sprintf("SETTING_%d", i), "value": value})
	}
	c["env"] = env
	return c
}

func (p pod) status(name string, rng *rand.Rand) object {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	done := func(from, until time.Time) object {
		return object{"terminated": object{"startedAt": stamp(from), "finishedAt": stamp(until), "exitCode": 0, "reason": "Completed"}}
	}
	state, last := object{"running": object{"startedAt": stamp(p.started)}}, object{}
	if !p.ended.IsZero() {
		state = done(p.started, p.ended)
	}
	if !p.before.IsZero() {
		last = done(p.before, p.started.Add(-time.Second))
	}
	return object{
		"name": name, "image": p.image, "imageID": p.imageID, "containerID": "containerd://" + strings.TrimPrefix(digest(rng), "sha256:"),
		"ready": true, "restartCount": 0, "started": true, "state": state, "lastState": last,
	}
}

// plantedPods are those that ran bad images.
func plantedPods(rng *rand.Rand) []pod {
	after := utc("2026-05-19 06:00:00")
	return []pod{
		{
			what: "bad index behind a tag, weeks later", verdict: Confirmed, advisory: kicsIncident,
			image: "checkmarx/kics:latest", imageID: "docker.io/checkmarx/kics@" + kicsLatestIndex, started: after,
		}, {
			what: "bad manifest, as Docker's shim names it, from a mirror", verdict: Confirmed, advisory: trivySecond,
			image: "registry.acme.example/hub/aquasec/trivy:stable", imageID: "docker-pullable://registry.acme.example/hub/aquasec/trivy@" + trivy6AMD64, started: utc("2026-03-25 10:00:00"),
		}, {
			what: "bad index in an init container that has ended", verdict: Confirmed, advisory: kicsIncident, kind: "init",
			image: "checkmarx/kics:alpine", imageID: "docker.io/checkmarx/kics@" + kicsIndex, started: utc("2026-04-22 15:30:00"), ended: utc("2026-04-22 15:31:00"),
		}, {
			what: "tag in the window, image ID alone", verdict: Likely, advisory: kicsIncident, always: true,
			image: "checkmarx/kics:latest", imageID: digest(rng), started: utc("2026-04-22 12:36:10"),
		}, {
			what: "first run in the window, restarted since", verdict: Likely, advisory: kicsIncident, always: true,
			image: "checkmarx/kics:debian", imageID: digest(rng), started: after, before: utc("2026-04-22 14:00:00"),
		}, {
			what: "ephemeral container of a tag that never was good", verdict: Likely, advisory: trivyIncident, kind: "ephemeral",
			image: "ghcr.io/aquasecurity/trivy:0.69.4", imageID: digest(rng), started: after,
		}, {
			what: "started later, with what its node had", verdict: Possible, advisory: kicsIncident,
			image: "checkmarx/kics:alpine", imageID: digest(rng), started: after,
		}, {
			what: "waits since the window", verdict: Possible, advisory: kicsIncident,
			image: "checkmarx/kics:v2.1.20", pending: true, created: utc("2026-04-22 13:10:00"),
		},
	}
}

// nearPods are those that only look so.
func nearPods(rng *rand.Rand) []pod {
	in := utc("2026-04-22 13:30:00")
	var all []pod
	near := func(p pod) {
		p.verdict = Nothing
		all = append(all, p)
	}
	for i, tag := range []string{"latest", "alpine", "debian", "v2.1.20", "v2.1.20-debian"} {
		image := "checkmarx/kics:" + tag
		near(pod{what: image + " started before the window", image: image, imageID: digest(rng), started: kicsStart.Add(-time.Duration(i*i*100+1) * time.Second), ended: kicsStart.Add(-time.Second)})
		near(pod{what: image + " started after the window", image: image, imageID: digest(rng), started: kicsEnd.Add(time.Duration(i*i*100+1) * time.Second), always: true})
		near(pod{what: image + " of another digest in the window", image: image, imageID: "docker.io/checkmarx/kics@" + digest(rng), started: in})
	}
	near(pod{what: "good digest in the window", image: "checkmarx/kics:latest", imageID: "docker.io/checkmarx/kics@" + kicsGood, started: in})
	near(pod{what: "good digest in the window, as Docker's shim names it", image: "checkmarx/kics:v2.1.20", imageID: "docker-pullable://checkmarx/kics@" + kicsGood, started: in})
	near(pod{what: "bad tag of a good digest", image: "checkmarx/kics:v2.1.21@" + kicsGood, imageID: "docker.io/checkmarx/kics@" + kicsGood, started: in})
	near(pod{what: "digest off by one digit", image: "checkmarx/kics:v2.1.21", imageID: "docker.io/checkmarx/kics@" + almost(kicsIndex), started: in})
	for _, image := range []string{"acme/kics:latest", "ghcr.io/checkmarx/kics:latest", "checkmarx/kics-scanner:latest", "checkmarx/kics:v2.1.19", "aquasec/trivy:0.69.3"} {
		near(pod{what: "image " + image, image: image, imageID: digest(rng), started: in})
	}
	plain := pod{image: "alpine:3.20", imageID: "docker.io/library/alpine@" + digest(rng), started: in}
	with := func(what string, change func(*pod)) {
		p := plain
		p.what = what
		change(&p)
		near(p)
	}
	with("bad digest in an annotation", func(p *pod) {
		p.annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": `{"kind":"Pod","spec":{"containers":[{"name":"main","image":"checkmarx/kics:v2.1.21@` + kicsIndex + `"}]}}`}
	})
	with("bad image in a label", func(p *pod) { p.labels = map[string]string{"was": "checkmarx_kics_v2.1.21"} })
	with("bad image in the environment", func(p *pod) { p.env = []string{"checkmarx/kics:v2.1.21", kicsIndex} })
	with("bad image in the arguments", func(p *pod) { p.args = []string{"--deny", "checkmarx/kics:v2.1.21@" + kicsIndex} })
	with("digests of a deny list in the arguments", func(p *pod) { p.args = listed })
	with("report of a scan in an annotation", func(p *pod) { p.annotations = map[string]string{"acme.example/denied": strings.Join(listed, ",")} })
	return all
}

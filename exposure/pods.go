package exposure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ReadPods reads what `kubectl get -o json` prints, one object, a list of them,
// or several such texts, packed by gzip or zip perhaps; a list is read object by
// object.
//
//   - A container of a pod is given by its spec, its status says with imageID
//     what it runs. That of its last run before is not kept: it is the same
//     unless the image is pulled at each start.
//   - An event says that the kubelet pulled an image, or had it already.
//   - A node lists images that it stores.
//   - What has a template of pods (Deployment, Job, CronJob …) names its images
//     since it was created, for all that can be known.
//
// The API: https://kubernetes.io/docs/reference/kubernetes-api/.
func ReadPods(ctx context.Context, name string, r io.Reader, rec *Recorder) error {
	l := newListing(rec, "pods", name)
	defer l.finish()
	return l.parts(ctx, r, func(t *jsonText) {
		l.documents(t, l.kubernetesItem, func(n int, line string) {
			l.complain(n, fmt.Errorf("%q is no JSON; make it with `kubectl get pods --all-namespaces -o json`", Cut(line)))
		})
	})
}

// The members of Kubernetes' objects that matter here.
type (
	kubeObject struct {
		Kind     string          `json:"kind"`
		Metadata kubeMetadata    `json:"metadata"`
		Spec     json.RawMessage `json:"spec"`
		Status   json.RawMessage `json:"status"`
	}
	kubeMetadata struct {
		Name              string  `json:"name"`
		Namespace         string  `json:"namespace"`
		CreationTimestamp instant `json:"creationTimestamp"`
	}
	podSpec struct {
		NodeName                     string        `json:"nodeName"`
		ServiceAccountName           string        `json:"serviceAccountName"`
		AutomountServiceAccountToken *bool         `json:"automountServiceAccountToken"`
		ImagePullSecrets             []kubeName    `json:"imagePullSecrets"`
		HostNetwork                  bool          `json:"hostNetwork"`
		HostPID                      bool          `json:"hostPID"`
		Volumes                      []podVolume   `json:"volumes"`
		InitContainers               []podTemplate `json:"initContainers"`
		Containers                   []podTemplate `json:"containers"`
		EphemeralContainers          []podTemplate `json:"ephemeralContainers"`
	}
	kubeName struct {
		Name string `json:"name"`
	}
	// podTemplate is a container as the spec wants it.
	podTemplate struct {
		Name            string `json:"name"`
		Image           string `json:"image"`
		ImagePullPolicy string `json:"imagePullPolicy"`
		Env             []struct {
			Name      string `json:"name"`
			ValueFrom struct {
				SecretKeyRef *kubeName `json:"secretKeyRef"`
			} `json:"valueFrom"`
			Value string `json:"value"`
		} `json:"env"`
		EnvFrom []struct {
			SecretRef *kubeName `json:"secretRef"`
		} `json:"envFrom"`
		VolumeMounts    []kubeName `json:"volumeMounts"`
		SecurityContext struct {
			Privileged bool `json:"privileged"`
		} `json:"securityContext"`
	}
	podVolume struct {
		Name   string `json:"name"`
		Secret *struct {
			SecretName string `json:"secretName"`
		} `json:"secret"`
		Projected *struct {
			Sources []struct {
				Secret              *kubeName `json:"secret"`
				ServiceAccountToken *struct{} `json:"serviceAccountToken"`
			} `json:"sources"`
		} `json:"projected"`
		CSI *struct {
			Driver               string            `json:"driver"`
			NodePublishSecretRef *kubeName         `json:"nodePublishSecretRef"`
			VolumeAttributes     map[string]string `json:"volumeAttributes"`
		} `json:"csi"`
		HostPath *struct {
			Path string `json:"path"`
		} `json:"hostPath"`
		Image *struct {
			Reference  string `json:"reference"`
			PullPolicy string `json:"pullPolicy"`
		} `json:"image"`
	}
	podStatus struct {
		StartTime                  instant           `json:"startTime"`
		InitContainerStatuses      []containerStatus `json:"initContainerStatuses"`
		ContainerStatuses          []containerStatus `json:"containerStatuses"`
		EphemeralContainerStatuses []containerStatus `json:"ephemeralContainerStatuses"`
	}
	containerStatus struct {
		Name         string         `json:"name"`
		ImageID      string         `json:"imageID"`
		ContainerID  string         `json:"containerID"`
		RestartCount int            `json:"restartCount"`
		State        containerState `json:"state"`
		LastState    containerState `json:"lastState"`
	}
	containerState struct {
		Running    containerRun `json:"running"`
		Terminated containerRun `json:"terminated"`
	}
	containerRun struct {
		StartedAt instant `json:"startedAt"`
	}
	nodeStatus struct {
		Images []struct {
			Names []string `json:"names"`
		} `json:"images"`
	}
	// kubeEvent is one of v1, or of events.k8s.io/v1, whose members have other
	// names.
	kubeEvent struct {
		Reason         string     `json:"reason"`
		Message        string     `json:"message"`
		Note           string     `json:"note"`
		InvolvedObject kubeTarget `json:"involvedObject"`
		Regarding      kubeTarget `json:"regarding"`
		Source         struct {
			Host string `json:"host"`
		} `json:"source"`
		ReportingInstance string  `json:"reportingInstance"`
		FirstTimestamp    instant `json:"firstTimestamp"`
		LastTimestamp     instant `json:"lastTimestamp"`
		EventTime         instant `json:"eventTime"`
		DeprecatedFirst   instant `json:"deprecatedFirstTimestamp"`
		DeprecatedLast    instant `json:"deprecatedLastTimestamp"`
		Series            struct {
			LastObservedTime instant `json:"lastObservedTime"`
		} `json:"series"`
	}
	kubeTarget struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
		FieldPath string `json:"fieldPath"`
	}
)

var errNoObject = errors.New("this is no object of Kubernetes")

// kubernetesItem reads an object of `kubectl get -o json`.
func (l *listing) kubernetesItem(item listedItem) {
	if item.err != nil {
		l.complain(item.line, item.err)
		return
	}
	var o kubeObject
	if err := unmarshal(item.raw, &o); err != nil {
		l.complain(item.line, err)
		return
	}
	if o.Kind == "" { // the API leaves it to the list
		o.Kind = strings.TrimSuffix(item.kind, "List")
	}
	var err error
	switch o.Kind {
	case "":
		err = errNoObject
	case "List":
	case "Pod":
		err = l.pod(item.line, &o)
	case "Event":
		err = l.kubeEvent(item)
	case "Node":
		err = l.node(item.line, &o)
	default:
		err = l.workload(item.line, &o)
	}
	switch {
	case err == nil:
	case o.Kind == "":
		l.complain(item.line, err)
	default:
		name := strings.Trim(o.Metadata.Namespace+"/"+o.Metadata.Name, "/")
		l.complain(item.line, fmt.Errorf("%s %q: %w", o.Kind, Cut(name), err))
	}
}

// pod reports the containers of a pod, and the images that it mounts.
func (l *listing) pod(line int, o *kubeObject) error {
	var spec podSpec
	var status podStatus
	if err := errors.Join(unmarshalMember(o.Spec, &spec), unmarshalMember(o.Status, &status)); err != nil {
		return err
	}
	l.count("pods")
	statuses := map[string]*containerStatus{}
	for _, list := range [][]containerStatus{status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses} {
		for i := range list {
			statuses[list[i].Name] = &list[i]
		}
	}
	base := Event{Place: l.within(Place{Line: line, Namespace: o.Metadata.Namespace, Pod: o.Metadata.Name, Node: spec.NodeName})}
	made := status.StartTime.Time
	if made.IsZero() {
		made = o.Metadata.CreationTimestamp.Time
	}
	for c := range spec.containers {
		s := statuses[c.Name]
		if s == nil {
			s = &containerStatus{}
		}
		e := base
		e.Place.Container = c.Name
		e.Reaches = spec.reaches(c, o.Metadata.Namespace)
		l.podContainer(e, c, s, made)
	}
	for _, v := range spec.Volumes {
		if v.Image == nil {
			continue
		}
		if ref, ok := l.reference(line, v.Image.Reference); ok {
			e := base
			e.Kind, e.Ref, e.Text = Running, ref, Cut("volume "+v.Name+" "+v.Image.Reference)
			startedAt(&e, made, v.Image.PullPolicy == "Always")
			l.event(e)
		}
	}
	return nil
}

// unmarshalMember is unmarshal of a member that may be missing.
func unmarshalMember(raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	return unmarshal(raw, v)
}

// podContainer reports the run of a container, and the one before. One that
// never ran, because its image can't be pulled perhaps, only names its image.
func (l *listing) podContainer(e Event, c *podTemplate, s *containerStatus, made time.Time) {
	e.Kind = Running
	if ref, ok := l.reference(e.Place.Line, c.Image); ok {
		e.Ref = ref
	}
	e.Text = Cut(inShort("", c.Image, s.ImageID))
	e.Place.Store = runtimeStore(s.ContainerID)
	digest, id := runtimeImage(s.ImageID)
	if e.ImageID = id; id == "" {
		e.ImageID = imageID(c.Image)
	}
	if digest != "" {
		e.Digests = []string{digest}
	}
	always := c.ImagePullPolicy == "Always"

	started, before := s.State.started(), s.LastState.started()
	last := e
	switch {
	case !started.IsZero():
		startedAt(&e, started, always)
	case !before.IsZero(): // it waits to be started again
		startedAt(&e, before, always)
		before = time.Time{}
	case s.ImageID != "":
		startedAt(&e, made, always)
	default:
		e.Kind, e.From = Named, made
	}
	l.event(e)
	if before.IsZero() {
		return
	}
	if always && !last.Ref.Pinned() { // it may have been another image
		last.Digests, last.ImageID, last.Text = nil, "", Cut(c.Image)
		if s.RestartCount > 1 {
			l.note("containers that pull at each start were restarted more than once; Kubernetes tells of the last two runs alone")
		}
	}
	startedAt(&last, before, always)
	l.event(last)
}

func (s containerState) started() time.Time {
	if t := s.Running.StartedAt.Time; !t.IsZero() {
		return t
	}
	return s.Terminated.StartedAt.Time
}

// runtimeStore is the store of a node, by its runtime: "docker", and
// "containerd" for all that speak the CRI.
func runtimeStore(containerID string) string {
	runtime, _, ok := strings.Cut(containerID, "://")
	switch {
	case !ok:
		return ""
	case runtime == "docker":
		return "docker"
	}
	return "containerd"
}

// containers gives all containers of a pod.
func (s *podSpec) containers(yield func(*podTemplate) bool) {
	for _, list := range [][]podTemplate{s.InitContainers, s.Containers, s.EphemeralContainers} {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

// Names of [Credential]s of the kind "host".
const (
	hostNetwork = "network of the host, with its metadata service"
	hostPID     = "processes of the host"
)

// reaches is what the container c could read, by name.
func (s *podSpec) reaches(c *podTemplate, namespace string) []Credential {
	where := "namespace " + cmp.Or(namespace, "of the workload")
	var r []Credential
	add := func(kind, name string) {
		if name != "" {
			r = append(r, Credential{kind, name, where})
		}
	}
	for _, e := range c.Env {
		if ref := e.ValueFrom.SecretKeyRef; ref != nil {
			add("secret", ref.Name)
		} else if e.Value != "" && secretName(e.Name) {
			add("variable", e.Name)
		}
	}
	for _, e := range c.EnvFrom {
		if e.SecretRef != nil {
			add("secret", e.SecretRef.Name)
		}
	}
	token := s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken
	for _, v := range s.Volumes {
		if slices.Contains(c.VolumeMounts, kubeName{v.Name}) {
			token = v.reaches(add) || token
		}
	}
	if token {
		account := s.ServiceAccountName
		if account == "" {
			account = "default"
		}
		add("service account", account)
	}
	for _, secret := range s.ImagePullSecrets {
		add("pull secret", secret.Name)
	}
	if s.HostNetwork {
		add("host", hostNetwork)
	}
	if s.HostPID {
		add("host", hostPID)
	}
	if c.SecurityContext.Privileged {
		add("host", "privileged")
	}
	return sortCredentials(r)
}

// reaches adds what a mounted volume holds, and reports whether that is a token
// of the pod's service account.
func (v *podVolume) reaches(add func(kind, name string)) (token bool) {
	if v.Secret != nil {
		add("mounted secret", v.Secret.SecretName)
	}
	if v.Projected != nil {
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				add("mounted secret", source.Secret.Name)
			}
			token = token || source.ServiceAccountToken != nil
		}
	}
	if v.CSI != nil {
		// The secrets store driver, https://secrets-store-csi-driver.sigs.k8s.io/.
		add("mounted secret", v.CSI.VolumeAttributes["secretProviderClass"])
		if v.CSI.NodePublishSecretRef != nil {
			add("mounted secret", v.CSI.NodePublishSecretRef.Name)
		}
	}
	if v.HostPath != nil {
		add("host", v.HostPath.Path)
	}
	return token
}

// sortCredentials sorts r, drops what is in it twice, and bounds it.
func sortCredentials(r []Credential) []Credential {
	r = slices.DeleteFunc(r, func(c Credential) bool { return len(c.Name) > maxCredentialName })
	slices.SortFunc(r, func(a, b Credential) int {
		return strings.Compare(a.Kind+"\x00"+a.Name+"\x00"+a.Where, b.Kind+"\x00"+b.Name+"\x00"+b.Where)
	})
	r = slices.Compact(r)
	return r[:min(len(r), maxCredentials)]
}

// secretWords are in the names of variables that hold credentials, or
// addresses with credentials within.
var secretWords = []string{
	"TOKEN", "SECRET", "PASS", "PWD", "KEY", "CRED", "AUTH", "CERT", "DSN", "WEBHOOK", "CONNECTION", "_URL", "_URI",
}

// secretName reports whether a variable of this name may well hold a credential.
func secretName(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// fewest is how many images a node lists at the least before it leaves some
// out, unless the kubelet is told otherwise (nodeStatusMaxImages).
const fewest = 50

func (l *listing) node(line int, o *kubeObject) error {
	var status nodeStatus
	if err := unmarshalMember(o.Status, &status); err != nil {
		return err
	}
	l.count("nodes")
	if len(status.Images) >= fewest {
		l.note("a node lists its %d largest images only, unless its kubelet is told otherwise", fewest)
	}
	for _, i := range status.Images {
		r := imageRecord{store: "containerd", place: Place{Line: line, Node: o.Metadata.Name}, text: strings.Join(i.Names, " ")}
		for _, name := range i.Names {
			named := &r.tags
			if strings.Contains(name, "@") {
				named = &r.repoDigests
			}
			*named = append(*named, name)
		}
		l.image(&r)
	}
	return nil
}

// pulledImage finds the image in a message of the kubelet
// (https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/image_manager.go).
// A pull that was begun is no proof: it may have failed.
func pulledImage(message string) (name string, pulled bool) {
	rest, pulled := strings.CutPrefix(message, "Successfully pulled image ")
	if !pulled {
		var ok bool
		if rest, ok = strings.CutPrefix(message, "Container image "); !ok || !strings.Contains(message, "already present on machine") {
			return "", false
		}
	}
	rest, ok := strings.CutPrefix(rest, `"`)
	if !ok {
		return "", false
	}
	name, _, ok = strings.Cut(rest, `"`)
	if !ok {
		return "", false
	}
	return name, pulled
}

func (l *listing) kubeEvent(item listedItem) error {
	var k kubeEvent
	if err := unmarshal(item.raw, &k); err != nil {
		return err
	}
	l.count("events")
	l.note("a cluster keeps its events for an hour, unless its API server is told otherwise")
	message := k.Message + k.Note
	name, pulled := pulledImage(message)
	ref, ok := l.reference(item.line, name)
	if !ok {
		return nil
	}
	target := k.InvolvedObject
	if target.Name == "" {
		target = k.Regarding
	}
	node := k.Source.Host
	if node == "" {
		node = k.ReportingInstance
	}
	e := Event{Kind: Present, Ref: ref, Text: Cut(message)}
	if pulled {
		e.Kind = Pulled
	}
	_, container, _ := strings.Cut(target.FieldPath, "{")
	e.Place = l.within(Place{
		Line: item.line, Namespace: target.Namespace, Pod: target.Name, Node: node, Container: strings.TrimSuffix(container, "}"),
	})
	e.Place.Store = "containerd"
	for _, when := range k.times() {
		startedAt(&e, when, pulled)
		l.event(e)
	}
	return nil
}

// times are the first and the last time of an event that is repeated, without
// those between, which nobody keeps. A time that is not known is zero.
func (k *kubeEvent) times() []time.Time {
	var times []time.Time
	for _, m := range []instant{k.FirstTimestamp, k.DeprecatedFirst, k.EventTime, k.LastTimestamp, k.DeprecatedLast, k.Series.LastObservedTime} {
		if !m.IsZero() {
			times = append(times, m.Time)
		}
	}
	if len(times) == 0 {
		return []time.Time{{}}
	}
	slices.SortFunc(times, time.Time.Compare)
	if first, last := times[0], times[len(times)-1]; !first.Equal(last) {
		return []time.Time{first, last}
	}
	return times[:1]
}

// workload reports what the template of a workload names. Objects without one
// are counted only.
func (l *listing) workload(line int, o *kubeObject) error {
	type template struct {
		Spec *podSpec `json:"spec"`
	}
	var spec struct {
		Template    template `json:"template"`
		JobTemplate struct {
			Spec struct {
				Template template `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	}
	if err := unmarshalMember(o.Spec, &spec); err != nil && slices.Contains(workloads, o.Kind) {
		return err
	}
	pods := spec.Template.Spec
	if pods == nil {
		pods = spec.JobTemplate.Spec.Template.Spec
	}
	if pods == nil {
		l.count("other objects")
		return nil
	}
	l.count("workloads")
	for c := range pods.containers {
		ref, ok := l.reference(line, c.Image)
		if !ok {
			continue
		}
		l.event(Event{
			Kind: Named, Ref: ref, From: o.Metadata.CreationTimestamp.Time, Text: Cut(c.Image),
			Place:   l.within(Place{Line: line, Namespace: o.Metadata.Namespace, Pod: o.Kind + "/" + o.Metadata.Name, Container: c.Name}),
			Reaches: pods.reaches(c, o.Metadata.Namespace),
		})
	}
	return nil
}

// workloads are the kinds whose spec must be understood; those of others may
// hold anything (https://kubernetes.io/docs/concepts/workloads/).
var workloads = []string{"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController"}

package exposure

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
)

// The members of the objects, by the program that prints them. The names differ
// in their capitals alone now and then ("Id" and "ID", "repoTags" and
// "RepoTags"), which encoding/json does not tell apart: an object is recognised
// by its exact members first.
type (
	// engineImage is `docker image inspect`, /images/json and /images/ID/json of
	// the API (https://docs.docker.com/reference/api/engine/), and podman's and
	// nerdctl's counterparts.
	engineImage struct {
		ID          string `json:"Id"`
		Names       []string
		RepoTags    []string
		RepoDigests []string
		Digest      string // podman's
		Manifests   []struct {
			ID        string
			Kind      string
			Available bool
		}
		Metadata struct{ LastTagTime instant }
	}
	// rowImage is `docker images --format json` and nerdctl's counterpart.
	rowImage struct {
		ID, Repository, Tag, Digest string
		BlobSize                    string // nerdctl's
	}
	// criImage is that of `crictl images` and `crictl inspecti`
	// (https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto).
	criImage struct {
		ID          string   `json:"id"`
		RepoTags    []string `json:"repoTags"`
		RepoDigests []string `json:"repoDigests"`
	}
	// skopeoImage is `skopeo inspect`, whose RepoTags are all tags that the
	// repository has.
	skopeoImage struct {
		Name, Digest string
	}
	// engineContainer is `docker inspect` of a container.
	engineContainer struct {
		Name        string
		Image       string // the ID
		ImageName   string // podman's
		ImageDigest string // podman's
		Created     instant
		State       struct{ StartedAt instant }
		Config      struct {
			Image string
			Env   []string
		}
		HostConfig struct {
			NetworkMode string
			PidMode     string
			Privileged  bool
		}
		Mounts []struct{ Type, Source string }
	}
	// listContainer is /containers/json and `podman ps --format json`.
	listContainer struct {
		Names          []string
		Image, ImageID string
		Created        json.RawMessage
		StartedAt      json.RawMessage
	}
	// rowContainer is `docker ps --format json` and nerdctl's counterpart.
	rowContainer struct {
		ID, Names, Image, CreatedAt string
	}
	// criContainer is that of `crictl ps` and `crictl inspect`.
	criContainer struct {
		ID       string `json:"id"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Image struct {
			Image              string `json:"image"`
			UserSpecifiedImage string `json:"userSpecifiedImage"`
		} `json:"image"`
		ImageRef  string            `json:"imageRef"`
		ImageID   string            `json:"imageId"`
		CreatedAt instant           `json:"createdAt"`
		StartedAt instant           `json:"startedAt"`
		Labels    map[string]string `json:"labels"`
	}
)

// jsonObject is a JSON object with members that were not looked at yet.
type jsonObject map[string]json.RawMessage

func (o jsonObject) has(members ...string) bool {
	for _, m := range members {
		if _, ok := o[m]; !ok {
			return false
		}
	}
	return true
}

var errNoImage = errors.New("this is no image, container or Kubernetes object")

// imageItem reads an object of a list of images or containers.
func (l *listing) imageItem(item listedItem) {
	if item.err != nil {
		l.complain(item.line, item.err)
		return
	}
	var o jsonObject
	if err := unmarshal(item.raw, &o); err != nil {
		l.complain(item.line, err)
		return
	}
	kubernetes := o.has("kind") || item.list == "items"
	if o.has("status") && !kubernetes { // crictl's inspect and inspecti
		item.raw, o = o["status"], nil
		if err := unmarshal(item.raw, &o); err != nil {
			l.complain(item.line, err)
			return
		}
	}
	var err error
	switch {
	case kubernetes:
		l.kubernetesItem(item)
	case o.has("imageRef"):
		err = decodeItem(item, l.criContainer)
	case o.has("repoTags"), o.has("repoDigests"):
		err = decodeItem(item, l.criImage)
	case o.has("Config", "State", "Image"):
		err = decodeItem(item, l.engineContainer)
	case o.has("Image", "ImageID"):
		err = decodeItem(item, l.listContainer)
	case o.has("Image", "Names"):
		err = decodeItem(item, l.rowContainer)
	case o.has("Repository", "Tag"):
		err = decodeItem(item, l.rowImage)
	case o.has("Id") && (o.has("RepoTags") || o.has("RepoDigests")):
		err = decodeItem(item, l.engineImage)
	case o.has("Name", "Digest", "Layers"):
		err = decodeItem(item, l.skopeoImage)
	default:
		err = errNoImage
	}
	if err != nil {
		l.complain(item.line, err)
	}
}

// decodeItem hands the object to read, with its text.
func decodeItem[T any](item listedItem, read func(line int, text string, v *T)) error {
	v := new(T)
	if err := unmarshal(item.raw, v); err != nil {
		return err
	}
	text := ""
	if len(item.raw) <= MaxText && bytes.IndexByte(item.raw, '\n') < 0 {
		text = string(item.raw)
	}
	read(item.line, text, v)
	return nil
}

// unmarshal is json.Unmarshal with errors for people who don't know Go.
func unmarshal(raw []byte, v any) error {
	err := json.Unmarshal(raw, v)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%s is not expected to be a JSON %s", cmp.Or(wrong.Field, "it"), wrong.Value)
	}
	return err
}

// inShort is text, or what matters of an object that is too long for one or is
// printed over several lines.
func inShort(text string, parts ...string) string {
	if text != "" {
		return text
	}
	var words []string
	for _, p := range parts {
		if p != "" {
			words = append(words, p)
		}
	}
	return strings.Join(words, " ")
}

func (l *listing) engineImage(line int, text string, i *engineImage) {
	r := imageRecord{
		store: "docker", id: i.ID, tags: i.RepoTags, repoDigests: i.RepoDigests,
		until: i.Metadata.LastTagTime.Time, place: Place{Line: line},
	}
	if len(r.tags) == 0 {
		r.tags = i.Names
	}
	if !strings.HasPrefix(i.ID, "sha256:") {
		r.store = "podman"
	}
	if l.place.Store != "" {
		r.store = l.place.Store
	}
	if image.ValidDigest(i.Digest) {
		r.digests = []string{i.Digest}
	}
	for _, m := range i.Manifests {
		if m.Kind == "image" && m.Available && image.ValidDigest(m.ID) {
			r.digests = append(r.digests, m.ID)
		}
	}
	r.text = inShort(text, "Id", i.ID, strings.Join(r.tags, " "), strings.Join(i.RepoDigests, " "))
	l.image(&r)
}

func (l *listing) rowImage(line int, text string, i *rowImage) {
	store := "docker"
	if i.BlobSize != "" {
		store = "containerd" // nerdctl
	}
	l.row4(i.Repository, i.Tag, i.Digest, i.ID, &imageRecord{
		store: store, place: Place{Line: line}, text: inShort(text, i.Repository, i.Tag, i.Digest, i.ID),
	})
}

func (l *listing) criImage(line int, text string, i *criImage) {
	l.image(&imageRecord{
		store: "containerd", id: i.ID, tags: i.RepoTags, repoDigests: i.RepoDigests, place: Place{Line: line},
		text: inShort(text, "id", i.ID, strings.Join(i.RepoTags, " "), strings.Join(i.RepoDigests, " ")),
	})
}

func (l *listing) skopeoImage(line int, text string, i *skopeoImage) {
	l.count("images")
	ref, ok := l.reference(line, i.Name+"@"+i.Digest)
	if !ok {
		return
	}
	place := l.within(Place{Line: line})
	place.Store = "registry"
	l.event(Event{Kind: Cached, Place: place, Ref: ref, Text: Cut(inShort(text, i.Name, i.Digest))})
}

func (l *listing) engineContainer(line int, text string, c *engineContainer) {
	r := containerRecord{
		store: "docker", image: c.ImageName, id: c.Image, started: c.State.StartedAt.Time,
		place: Place{Line: line, Container: strings.TrimPrefix(c.Name, "/")},
	}
	if r.image == "" {
		r.image = c.Config.Image
	}
	if !strings.HasPrefix(c.Image, "sha256:") {
		r.store = "podman"
	}
	if l.place.Store != "" {
		r.store = l.place.Store
	}
	if r.started.IsZero() {
		r.started = c.Created.Time
	}
	if image.ValidDigest(c.ImageDigest) {
		r.digests = []string{c.ImageDigest}
	}
	r.text = inShort(text, r.place.Container, r.image, c.ImageDigest, c.Image)
	r.reaches = containerReaches(c)
	l.container(&r)
}

// containerReaches is what the process of a container could read.
func containerReaches(c *engineContainer) []Credential {
	where := "container " + strings.TrimPrefix(c.Name, "/")
	var reaches []Credential
	for _, e := range c.Config.Env {
		if name, _, _ := strings.Cut(e, "="); secretName(name) {
			reaches = append(reaches, Credential{"variable", name, where})
		}
	}
	for _, m := range c.Mounts {
		if m.Type == "bind" {
			reaches = append(reaches, Credential{"host", m.Source, where})
		}
	}
	for name, on := range map[string]bool{
		"privileged": c.HostConfig.Privileged,
		hostNetwork:  c.HostConfig.NetworkMode == "host",
		hostPID:      c.HostConfig.PidMode == "host",
	} {
		if on {
			reaches = append(reaches, Credential{"host", name, where})
		}
	}
	return sortCredentials(reaches)
}

func (l *listing) listContainer(line int, text string, c *listContainer) {
	r := containerRecord{store: "docker", image: c.Image, id: c.ImageID, place: Place{Line: line}}
	if !strings.HasPrefix(c.ImageID, "sha256:") {
		r.store = "podman"
	}
	if len(c.Names) > 0 {
		r.place.Container = strings.TrimPrefix(c.Names[0], "/")
	}
	if r.started = unixTime(c.StartedAt); r.started.IsZero() {
		r.started = unixTime(c.Created)
	}
	r.text = inShort(text, r.place.Container, c.Image, c.ImageID)
	l.container(&r)
}

// unixTime is a number of seconds, zero for anything else and for what podman
// prints for no time, the seconds to the year one.
func unixTime(raw json.RawMessage) time.Time {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// dockerTime is how the command line prints a time.
const dockerTime = "2006-01-02 15:04:05 -0700 MST"

func (l *listing) rowContainer(line int, text string, c *rowContainer) {
	r := containerRecord{store: "docker", image: c.Image, place: Place{Line: line, Container: c.Names}}
	if t, err := time.Parse(dockerTime, c.CreatedAt); err == nil {
		r.started = t.UTC()
	}
	r.text = inShort(text, c.Names, c.Image, c.CreatedAt)
	l.container(&r)
}

func (l *listing) criContainer(line int, text string, c *criContainer) {
	r := containerRecord{
		store: "containerd", image: c.Image.UserSpecifiedImage, id: c.ImageID, started: c.StartedAt.Time,
		place: Place{
			Line:      line,
			Namespace: c.Labels["io.kubernetes.pod.namespace"],
			Pod:       c.Labels["io.kubernetes.pod.name"],
			Container: c.Metadata.Name,
		},
	}
	if r.image == "" {
		r.image = c.Image.Image
	}
	if r.started.IsZero() {
		r.started = c.CreatedAt.Time
	}
	digest, id := runtimeImage(c.ImageRef)
	if r.id == "" {
		r.id = id
	}
	if digest != "" {
		r.digests = []string{digest}
	}
	r.text = inShort(text, r.place.Container, r.image, c.ImageRef)
	l.container(&r)
}

// runtimeImage takes an imageRef of the CRI, or an imageID of a pod's status,
// apart: the digest of an index or manifest, or the ID of an image. What it is
// differs by the runtime (https://github.com/kubernetes/kubernetes/issues/115199).
func runtimeImage(ref string) (digest, id string) {
	if _, rest, ok := strings.Cut(ref, "://"); ok { // "docker-pullable://", "docker://"
		ref = rest
	}
	if _, after, ok := strings.Cut(ref, "@"); ok && image.ValidDigest(after) {
		return after, ""
	}
	return "", imageID(ref)
}

// instant is a time in JSON, in RFC 3339 or in nanoseconds, as the CRI has it.
// What is neither is no time, since times are not what a list is read for.
type instant struct{ time.Time }

func (m *instant) UnmarshalJSON(raw []byte) error {
	s := unquoteJSON(raw)
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		m.Time = t.UTC()
	} else if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		m.Time = time.Unix(0, n).UTC()
	}
	return nil
}

package exposure

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/source"
)

// logUse is what one line of a log says of an image.
type logUse struct {
	kind  Kind
	phase logPhase
	ref   image.Reference
	// digests and imageID as in an [Event].
	digests []string
	imageID string
	// hostless is set where the line leaves out the registry, whichever it is.
	hostless bool
	// client is who asked a registry.
	client string
}

// logPhase is which part of a pull a line is.
type logPhase uint8

const (
	// starting is the begin of a pull; what was known before is no longer so.
	starting logPhase = iota
	// running is the use of an image that is pulled only if it is not there
	// yet, or that is there.
	running
	// ended is the end of a pull.
	ended
	// failed is the end of a pull that brought nothing.
	failed
)

// logShape is a way to say that an image is used.
type logShape struct {
	before string // the text before the image, its quote included
	// within is set where other text may stand before that.
	within bool
	after  string // the text right behind the image, where it matters
	kind   Kind
	phase  logPhase
}

// logShapes are the messages of the tools, first match first. Where they come
// from stands in testdata/logs/README.md.
var logShapes = []logShape{
	// Docker
	{before: "Status: Downloaded newer image for ", kind: Pulled, phase: ended},
	{before: "Status: Image is up to date for ", kind: Present, phase: ended},
	{before: "Unable to find image '", after: "' locally", kind: Pulled, phase: starting},
	{before: "image pull ", kind: Pulled, phase: ended}, // events of Docker and Podman
	{before: "Error response from daemon: manifest for ", within: true, after: " not found", phase: failed},
	{before: "Error response from daemon: pull access denied for ", within: true, phase: failed},
	// Podman, Buildah
	{before: "Trying to pull ", kind: Pulled, phase: starting},
	{before: "Error: initializing source docker://", within: true, phase: failed},
	// GitHub's runner
	{before: "Pull down action image '", kind: Pulled, phase: starting},
	{before: "##[group]Pull down action image '", kind: Pulled, phase: starting},
	// GitLab's runner
	{before: "Using Docker executor with image ", kind: Pulled, phase: starting},
	{before: "Using Kubernetes executor with image ", kind: Pulled, phase: starting},
	{before: "Starting service ", kind: Pulled, phase: starting},
	{before: "Pulling docker image ", kind: Pulled, phase: starting},
	// CircleCI
	{before: "Starting container ", kind: Pulled, phase: starting},
	{before: "image is cached as ", after: ", but refreshing", kind: Pulled, phase: starting},
	{before: "image cache not found on this host, downloading ", kind: Pulled, phase: starting},
	{before: "using image ", kind: Pulled, phase: ended},
	// kaniko
	{before: "Retrieving image manifest ", kind: Pulled, phase: starting},
	{before: "Retrieving image ", after: " from registry", kind: Pulled, phase: starting},
	{before: "Downloading base image ", kind: Pulled, phase: starting},
	{before: "Image already in cache: ", kind: Present, phase: running},
	// Google Cloud Build, CRI-O
	{before: "Pulling image: ", kind: Pulled, phase: starting},
	{before: "Pulled image: ", kind: Pulled, phase: ended},
	{before: "Already have image (with digest): ", kind: Present, phase: running},
	{before: "Already have image: ", kind: Present, phase: running},
	// kubelet
	{before: `Pulling image "`, within: true, kind: Pulled, phase: starting},
	{before: `Successfully pulled image "`, within: true, kind: Pulled, phase: ended},
	{before: `Container image "`, within: true, after: `" already present on machine`, kind: Present, phase: running},
	{before: `Failed to pull image "`, within: true, phase: failed},
	// Jenkins' docker plugin
	{before: "Pulling image '", kind: Pulled, phase: starting},
	{before: "Finished pulling image '", kind: Pulled, phase: ended},
	// crane
	{before: "Copying from ", kind: Pulled, phase: starting},
	// the classic builder, Podman's and Buildah's
	{before: "Resolved base name ", after: " to ", kind: Pulled, phase: starting},
}

// logUses is what the message says of images. It is empty for prose, for lists
// of indicators and for what linters print.
func logUses(l logLine) []logUse {
	if u, ok := commandUses(l); ok {
		return u
	}
	text := l.text
	for _, special := range []func(string) (logUse, bool){
		pullingFrom, gitlabImage, containerdPull, registryRequest, buildStep, ctrProgress, composeProgress, imageRow, imageIDLine,
	} {
		if u, ok := special(text); ok {
			return []logUse{u}
		}
	}
	for _, s := range logShapes {
		if u, ok := s.match(text); ok {
			return []logUse{u}
		}
	}
	return nil
}

func (s logShape) match(text string) (logUse, bool) {
	at := 0
	if s.within {
		if at = strings.Index(text, s.before); at < 0 {
			return logUse{}, false
		}
	} else if !strings.HasPrefix(text, s.before) {
		return logUse{}, false
	}
	ref, rest, ok := imageAt(text[at+len(s.before):])
	if !ok || !strings.HasPrefix(rest, s.after) {
		return logUse{}, false
	}
	return logUse{kind: s.kind, phase: s.phase, ref: ref}, true
}

// imageAt is the image that text starts with, and what follows it. A digest that
// the log shortens is left out.
func imageAt(text string) (ref image.Reference, rest string, ok bool) {
	text = strings.TrimLeft(text, " ")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "docker-image://"), "docker://")
	end := strings.IndexFunc(text, func(r rune) bool {
		return !(r < 0x80 && (isNameByte(byte(r)) || r == '/' || r == ':' || r == '@'))
	})
	if end < 0 {
		end = len(text)
	}
	name := strings.TrimRight(text[:end], ".:")
	ref, err := image.Parse(name)
	if bare, _, pinned := strings.Cut(name, "@"); err != nil && pinned {
		ref, err = image.Parse(bare)
	}
	return ref, text[len(name):], err == nil && ref.Repository != ""
}

// pullingFrom reads `v2.1.20: Pulling from checkmarx/kics`. Docker leaves out
// the registry; where a digest is pulled, it stands in place of the tag.
func pullingFrom(text string) (u logUse, ok bool) {
	tag, name, ok := strings.Cut(text, ": Pulling from ")
	if !ok || strings.ContainsAny(tag, " /") {
		return u, false
	}
	ref, _, ok := imageAt(name)
	if !ok || ref.Tag != "" || ref.Digest != "" {
		return u, false
	}
	if image.ValidDigest(tag) {
		ref.Digest = tag
	} else {
		ref.Tag = tag
	}
	if _, err := image.Parse(ref.String()); err != nil {
		return u, false
	}
	return logUse{kind: Pulled, phase: starting, ref: ref, hostless: ref.Registry == ""}, true
}

// gitlabImage reads `Using docker image sha256:ID for NAME with digest
// NAME@sha256:DIGEST ...`.
func gitlabImage(text string) (u logUse, ok bool) {
	rest, ok := strings.CutPrefix(text, "Using docker image sha256:")
	if !ok {
		return u, false
	}
	id, rest, ok := strings.Cut(rest, " for ")
	if !ok {
		return u, false
	}
	u.kind, u.phase = Pulled, ended
	if id = "sha256:" + id; image.ValidDigest(id) {
		u.imageID = id
	}
	if u.ref, rest, ok = imageAt(rest); !ok {
		return u, false
	}
	if pinned, _, ok := imageAt(strings.TrimPrefix(rest, " with digest ")); ok && pinned.Digest != "" {
		u.digests = []string{pinned.Digest}
	}
	return u, true
}

// containerdPull reads what containerd's CRI service says of a pull. The image
// reference that it returns is the image's ID.
func containerdPull(text string) (u logUse, ok bool) {
	switch {
	case strings.HasPrefix(text, `PullImage "`):
		if u.ref, text, ok = imageAt(text[len(`PullImage "`):]); !ok {
			return u, false
		}
		u.kind, u.phase = Pulled, starting
		if id := between(text, ` returns image reference "`, `"`); id != "" {
			u.phase = ended
			if image.ValidDigest(id) {
				u.imageID = id
			}
		} else if strings.HasPrefix(text, `" failed`) {
			u.phase = failed
		}
		return u, true
	case strings.HasPrefix(text, `Pulled image "`):
		if u.ref, text, ok = imageAt(text[len(`Pulled image "`):]); !ok {
			return u, false
		}
		u.kind, u.phase = Pulled, ended
		if id := between(text, ` with image id "`, `"`); image.ValidDigest(id) {
			u.imageID = id
		}
		if pinned, _, ok := imageAt(between(text, ` repo digest "`, `"`)); ok && pinned.Digest != "" {
			u.digests = []string{pinned.Digest}
		}
		return u, true
	}
	return u, false
}

// registryRequest reads the access log of a registry, or of a proxy before one:
// a manifest, or a blob, that somebody got. A HEAD brings nothing.
func registryRequest(text string) (u logUse, ok bool) {
	path, client := "", ""
	switch {
	case strings.HasPrefix(text, `"GET `):
		request, status, ok := strings.Cut(text[len(`"GET `):], `" `)
		if !ok || !strings.HasPrefix(status, "200") && !strings.HasPrefix(status, "206") {
			return u, false
		}
		path, _, _ = strings.Cut(request, " ")
	case strings.HasPrefix(text, "response completed "):
		for rest := text[len("response completed "):]; rest != ""; {
			key, value, after, ok := nextField(rest)
			if !ok {
				break
			}
			rest = after
			switch {
			case key == "http.request.method" && value != "GET", key == "http.response.status" && value != "200":
				return u, false
			case key == "http.request.uri":
				path = value
			case key == "http.request.remoteaddr":
				client = value[:max(0, strings.LastIndexByte(value, ':'))]
			}
		}
	default:
		return u, false
	}
	path, _, _ = strings.Cut(path, "?")
	_, path, ok = strings.Cut(path, "/v2/")
	if !ok {
		return u, false
	}
	what := "/manifests/"
	slash := strings.LastIndex(path, what)
	if slash < 0 {
		what = "/blobs/"
		if slash = strings.LastIndex(path, what); slash < 0 {
			return u, false
		}
	}
	name, reference := path[:slash], path[slash+len(what):]
	separator := ":"
	if image.ValidDigest(reference) {
		separator = "@"
	}
	ref, err := image.Parse(name + separator + reference)
	if err != nil {
		return u, false
	}
	u = logUse{kind: Pulled, phase: ended, ref: ref, client: client}
	if what == "/blobs/" { // the configuration, or a layer
		u.ref.Digest, u.imageID = "", ref.Digest
	}
	return u, true
}

// buildStep reads the steps of builders: BuildKit's plain and terminal progress
// ("#5 [2/4] FROM …", " => [2/4] FROM …"), the classic builder's "Step 1/5 : FROM
// …" and Buildah's "STEP 1/5: FROM …".
func buildStep(text string) (u logUse, ok bool) {
	rest, vertex := buildkitVertex(text)
	if !vertex {
		step := strings.TrimPrefix(strings.TrimPrefix(text, "Step "), "STEP ")
		head, rest, ok := strings.Cut(step, ": FROM ")
		if !ok || len(step) == len(text) || strings.Trim(head, "0123456789/ ") != "" {
			return u, false
		}
		if option, after, ok := strings.Cut(rest, " "); ok && strings.HasPrefix(option, "--platform=") {
			rest = after
		}
		u.kind, u.phase = Pulled, starting
		u.ref, _, ok = imageAt(rest)
		return u, ok
	}
	u.kind = Pulled
	if failure, ok := strings.CutPrefix(rest, "ERROR "); ok {
		rest, u.phase = failure, failed
	}
	rest = strings.TrimPrefix(rest, "CACHED ")
	if digest, size, ok := strings.Cut(rest, " "); ok && image.ValidDigest(digest) && strings.Contains(size, "B / ") {
		// A manifest, a configuration or a layer: only a listed one says
		// something.
		u.imageID, u.phase = digest, ended
		return u, true
	}
	if stage, after, ok := strings.Cut(rest, "] "); ok && strings.HasPrefix(stage, "[") {
		rest = after
	}
	for _, s := range []logShape{
		{before: "FROM ", phase: ended}, {before: "load metadata for ", phase: starting}, {before: "resolve image config for ", phase: starting},
		{before: "resolve ", phase: ended}, {before: "docker-image://", phase: ended},
	} {
		if found, ok := s.match(rest); ok {
			if u.ref = found.ref; u.phase != failed {
				u.phase = s.phase
			}
			return u, true
		}
	}
	return u, false
}

// buildkitVertex cuts "#5 ", "#5 0.123 " or " => => " off text.
func buildkitVertex(text string) (rest string, ok bool) {
	if strings.HasPrefix(text, "=> ") {
		for strings.HasPrefix(text, "=> ") {
			text = strings.TrimLeft(text[len("=> "):], " ")
		}
		return text, true
	}
	if !strings.HasPrefix(text, "#") {
		return text, false
	}
	number, rest, ok := strings.Cut(text[1:], " ")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return text, false
	}
	return strings.TrimLeft(rest, " "), true
}

// ctrProgress reads `docker.io/library/debian:12:   resolved   |++++|` and the
// `manifest-sha256:…: done` of ctr.
func ctrProgress(text string) (u logUse, ok bool) {
	what, state, ok := strings.Cut(text, ": ")
	state, _, _ = strings.Cut(strings.TrimLeft(state, " \t"), " ")
	state = strings.TrimRight(state, "\t")
	if !ok || !slices.Contains([]string{"resolved", "saved", "done", "exists", "complete", "downloading", "fetching"}, state) {
		return u, false
	}
	for _, prefix := range []string{"manifest-", "index-", "config-"} {
		if digest, ok := strings.CutPrefix(what, prefix); ok && image.ValidDigest(digest) {
			u.kind, u.phase, u.digests = Pulled, ended, []string{digest}
			if prefix == "config-" {
				u.imageID, u.digests = digest, nil
			}
			return u, true
		}
	}
	if state != "resolved" && state != "saved" {
		return u, false
	}
	u.kind, u.phase = Pulled, starting
	u.ref, text, ok = imageAt(what)
	return u, ok && text == "" && u.ref.Registry != ""
}

// composeProgress reads ` Image checkmarx/kics:v2.1.20 Pulled ` of Compose 5
// and later. Before, Compose named the service only.
func composeProgress(text string) (u logUse, ok bool) {
	text = strings.TrimLeftFunc(text, func(r rune) bool { return r == ' ' || r >= 0x2500 }) // a tick or a spinner
	rest, ok := strings.CutPrefix(text, "Image ")
	if !ok {
		return u, false
	}
	if u.ref, rest, ok = imageAt(rest); !ok {
		return u, false
	}
	if bar := strings.IndexByte(rest, ']'); strings.HasPrefix(rest, " [") && bar > 0 {
		rest = rest[bar+1:]
	}
	state, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	switch state {
	case "Pulling":
		u.phase = starting
	case "Pulled":
		u.phase = ended
	default:
		return u, false
	}
	u.kind = Pulled
	return u, true
}

// imageRow reads a row of a list of images: `docker images`, with or without
// --digests, `ctr images ls`. It says that the image is there, not since when.
func imageRow(text string) (u logUse, ok bool) {
	columns := strings.Fields(text)
	if len(columns) < 4 {
		return u, false
	}
	u.kind, u.phase = Present, running
	if strings.HasPrefix(columns[1], "application/vnd.") && image.ValidDigest(columns[2]) {
		u.ref, text, ok = imageAt(columns[0])
		u.digests = []string{columns[2]}
		return u, ok && text == ""
	}
	if !strings.Contains(text, " ago ") && !strings.HasSuffix(text, " ago") {
		return u, false
	}
	ref, err := image.Parse(columns[0])
	if err != nil || ref.Tag != "" {
		return u, false
	}
	if columns[1] != "<none>" {
		ref.Tag = columns[1]
	}
	u.ref = ref
	if digest := columns[2]; isImageID(columns[3]) { // --digests
		columns = columns[1:]
		if image.ValidDigest(digest) {
			u.digests = []string{digest}
		}
	}
	if !isImageID(columns[2]) {
		return u, false
	}
	if image.ValidDigest(columns[2]) {
		u.imageID = columns[2]
	}
	_, err = image.Parse(ref.String())
	return u, err == nil
}

// isImageID reports whether s is an image ID, whole or shortened to 12 digits.
func isImageID(s string) bool {
	if image.ValidDigest(s) {
		return true
	}
	return (len(s) == 12 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// imageIDLine reads what Kubernetes says of a container: `imageID:
// docker.io/checkmarx/kics@sha256:…` of `kubectl get -o yaml` (and JSON), `Image
// ID:  …` of `kubectl describe`.
func imageIDLine(text string) (u logUse, ok bool) {
	text = strings.TrimPrefix(text, "- ")
	for _, key := range []string{`imageID: `, `"imageID": "`, `Image ID:`} {
		rest, ok := strings.CutPrefix(text, key)
		if !ok {
			continue
		}
		u.kind, u.phase = Running, ended
		rest = strings.TrimLeft(rest, " ")
		rest = strings.TrimPrefix(rest, "docker-pullable://")
		u.ref, _, ok = imageAt(rest)
		return u, ok && u.ref.Digest != ""
	}
	return u, false
}

// shellMarks are what shells, CI systems and runners print before a command that
// they run.
var shellMarks = []string{"+ ", "$ ", "##[command]", "[command]", "##[group]Run ", "COMMAND="}

// engines are the programs whose command lines stand in logs without a mark:
// printed by make, or shown in a document.
var engines = []string{"docker", "podman", "nerdctl", "sudo", "crane", "skopeo", "crictl", "ctr"}

// commandUses is the images of a command line that the text shows, and whether
// it shows one.
func commandUses(l logLine) (uses []logUse, ok bool) {
	command, marked := commandIn(l)
	if command == "" {
		return nil, false
	}
	f := &source.File{Path: "log.sh", Data: []byte(command)}
	for _, u := range parsers.Parse(f, parsers.Lookup("shell"), nil).Uses {
		if u.Role != image.Pull || u.Confidence == image.Low {
			continue
		}
		verb := u.Pointer[strings.LastIndexByte(u.Pointer, ' ')+1:]
		if slices.Contains([]string{"digest", "inspect", "manifest", "config", "ls", "list-tags", "verify", "verify-attestation", "tree", "validate"}, verb) {
			continue // asks a registry, and runs nothing
		}
		for _, v := range u.Values {
			if v.Err != nil {
				continue
			}
			use := logUse{kind: Pulled, phase: starting, ref: v.Ref}
			if verb == "run" || verb == "create" {
				use.phase = running
			}
			if !marked {
				use.kind = Named
			}
			uses = append(uses, use)
		}
	}
	if !marked && isSentence(uses) {
		return nil, true
	}
	return uses, true
}

// isSentence reports whether the images of what reads like a command are words:
// "docker pull is forbidden for …".
func isSentence(uses []logUse) bool {
	words := 0
	for _, u := range uses {
		if u.ref.Registry == "" && u.ref.Tag == "" && u.ref.Digest == "" && !strings.Contains(u.ref.Repository, "/") {
			words++
		}
	}
	return words > 1
}

// commandIn is the command line that the text is, and whether the log marks it
// as one that is run.
func commandIn(l logLine) (command string, marked bool) {
	text := l.text
	for strings.HasPrefix(text, "++") { // set -x in a subshell
		text = text[1:]
	}
	for _, mark := range shellMarks {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			return rest, true
		}
	}
	if _, rest, ok := strings.Cut(text, " COMMAND="); ok { // sudo
		return rest, true
	}
	program, _, _ := strings.Cut(text, " ")
	if l.script {
		return text, true
	}
	if slices.Contains(engines, program[strings.LastIndexByte(program, '/')+1:]) {
		return text, false
	}
	return "", false
}

// eventAge is the age of an event in a row that kubectl prints, of `get events`
// or of `describe`.
func eventAge(text string) (age time.Duration, ok bool) {
	columns := strings.Fields(text)
	for i, c := range columns[:min(len(columns), 3)] {
		if !strings.Contains(" Normal Warning ", " "+c+" ") {
			continue
		}
		if i == 0 && len(columns) > 2 { // describe: type, reason, age
			return shortDuration(columns[2])
		}
		if i > 0 { // get: age, type, reason
			return shortDuration(columns[i-1])
		}
	}
	return 0, false
}

// shortDuration reads an age as kubectl prints it: "5m12s", "3d4h"
// (https://pkg.go.dev/k8s.io/apimachinery/pkg/util/duration#HumanDuration).
func shortDuration(s string) (d time.Duration, ok bool) {
	if days, rest, found := strings.Cut(s, "d"); found {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 100*365 {
			return 0, false
		}
		d, s = time.Duration(n)*24*time.Hour, rest
		if s == "" {
			return d, true
		}
	}
	rest, err := time.ParseDuration(s)
	return d + rest, err == nil && rest >= 0 && s != "0"
}

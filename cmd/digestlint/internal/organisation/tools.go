package organisation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// use is one use of an image by a tool.
type use struct {
	image  string // as the user wrote it
	digest string // that the tool prints; empty where it prints none
	at     time.Time
}

// tool is what a tool prints when it pulls an image, without time stamps.
// Where the use has no digest, the lines that would name it are lost.
type tool func(u use, rng *rand.Rand) []string

// path is the repository as Docker prints it behind "Pulling from": without
// the registry.
func (u use) path() string {
	name, _ := u.name()
	if host, path, ok := strings.Cut(name, "/"); ok && strings.ContainsAny(host, ".:") {
		return path
	}
	if !strings.Contains(name, "/") {
		return "library/" + name
	}
	return name
}

// name is the repository as written, and the tag.
func (u use) name() (name, tag string) {
	name, _, _ = strings.Cut(u.image, "@")
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		return name[:at], name[at+1:]
	}
	return name, "latest"
}

// full is the reference with the registry and the tag.
func (u use) full() string {
	name, tag := u.name()
	if strings.Contains(strings.Split(name, "/")[0], ".") {
		return name + ":" + tag
	}
	return "docker.io/" + u.path() + ":" + tag
}

// layers is the progress of a pull.
func layers(rng *rand.Rand) []string {
	var lines []string
	for _, verb := range []string{"Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"} {
		for range 2 + rng.IntN(3) {
			lines = append(lines, fmt.Sprintf("%012x: %s", rng.Uint64()>>16, verb))
		}
	}
	return lines
}

// dockerPull is "docker pull" of the classic client
// (https://docs.docker.com/reference/cli/docker/image/pull/).
func dockerPull(u use, rng *rand.Rand) []string {
	name, tag := u.name()
	lines := append([]string{"+ docker pull " + u.image, tag + ": Pulling from " + u.path()}, layers(rng)...)
	if u.digest != "" {
		lines = append(lines, "Digest: "+u.digest)
	}
	return append(lines, "Status: Downloaded newer image for "+name+":"+tag, u.full())
}

func dockerPullQuietly(u use, _ *rand.Rand) []string {
	return []string{"+ docker pull -q " + u.image, u.full()}
}

func dockerUpToDate(u use, _ *rand.Rand) []string {
	name, tag := u.name()
	return []string{"+ docker pull " + u.image, tag + ": Pulling from " + u.path(), "Digest: " + u.digest, "Status: Image is up to date for " + name + ":" + tag, u.full()}
}

func dockerRun(u use, rng *rand.Rand) []string {
	name, tag := u.name()
	lines := append([]string{"Unable to find image '" + name + ":" + tag + "' locally", tag + ": Pulling from " + u.path()}, layers(rng)...)
	if u.digest != "" {
		lines = append(lines, "Digest: "+u.digest)
	}
	return append(lines, "Status: Downloaded newer image for "+name+":"+tag, "Scanning with Keeping Infrastructure as Code Secure")
}

// buildKit is "docker build" with --progress=plain.
func buildKit(u use, rng *rand.Rand) []string {
	lines := []string{
		"#0 building with \"default\" instance using docker driver",
		"#1 [internal] load build definition from Dockerfile",
		"#1 transferring dockerfile: 312B done",
		"#1 DONE 0.0s",
		"#2 [internal] load metadata for " + u.full(),
		"#2 DONE 1.4s",
	}
	from := u.full()
	if u.digest != "" {
		from += "@" + u.digest
	}
	lines = append(lines, "#4 [1/3] FROM "+from, "#4 resolve "+from+" 0.0s done")
	for range 3 {
		layer := digest(rng)
		lines = append(lines, fmt.Sprintf("#4 %s 3.15MB / 28.23MB 0.2s", layer), fmt.Sprintf("#4 extracting %s 0.8s done", layer))
	}
	return append(lines, "#4 DONE 3.1s", "#5 [2/3] COPY . /src", "#5 DONE 0.1s")
}

// buildKitTTY is the same in its other form, for terminals.
func buildKitTTY(u use, rng *rand.Rand) []string {
	lines := []string{
		"[+] Building 4.2s (8/8) FINISHED                                  docker:default",
		" => [internal] load build definition from Dockerfile                        0.0s",
		" => [internal] load metadata for " + u.full() + "        1.2s",
	}
	if u.digest != "" {
		lines = append(lines, " => [1/3] FROM "+u.full()+"@"+u.digest+"      2.1s", " => => resolve "+u.full()+"@"+u.digest+"  0.0s")
	} else {
		lines = append(lines, " => [1/3] FROM "+u.full()+"                                            2.1s")
	}
	return append(lines, " => => extracting "+digest(rng)+"    0.4s", " => exporting to image     0.1s")
}

func legacyBuilder(u use, rng *rand.Rand) []string {
	return append(append([]string{"Sending build context to Docker daemon  4.096kB", "Step 1/4 : FROM " + u.image}, dockerPull(u, rng)[1:]...),
		fmt.Sprintf(" ---> %012x", rng.Uint64()>>16), "Step 2/4 : COPY . /src", fmt.Sprintf(" ---> %012x", rng.Uint64()>>16))
}

// gitlabRunner is the runner's Docker executor.
func gitlabRunner(u use, rng *rand.Rand) []string {
	name, _ := u.name()
	lines := []string{
		"\x1b[0KUsing Docker executor with image " + u.image + " ...\x1b[0;m",
		"\x1b[0KPulling docker image " + u.image + " ...\x1b[0;m",
	}
	if u.digest != "" {
		lines = append(lines, "\x1b[0KUsing docker image "+digest(rng)+" for "+u.image+" with digest "+name+"@"+u.digest+" ...\x1b[0;m")
	}
	return lines
}

func kaniko(u use, _ *rand.Rand) []string {
	name, tag := u.name()
	return []string{
		"\x1b[36mINFO\x1b[0m[0000] Retrieving image manifest " + name + ":" + tag,
		"\x1b[36mINFO\x1b[0m[0000] Retrieving image " + name + ":" + tag + " from registry index.docker.io",
		"\x1b[36mINFO\x1b[0m[0002] Built cross stage deps: map[]",
		"\x1b[36mINFO\x1b[0m[0002] Unpacking rootfs as cmd COPY . /src requires it.",
	}
}

func podmanPull(u use, rng *rand.Rand) []string {
	lines := []string{"Trying to pull " + u.full() + "...", "Getting image source signatures"}
	for range 3 {
		lines = append(lines, "Copying blob "+digest(rng))
	}
	id := digest(rng)
	return append(lines, "Copying config "+id, "Writing manifest to image destination", "Storing signatures", strings.TrimPrefix(id, "sha256:"))
}

// kubelet is the kubelet's events in its own log. The time in its head has no
// zone and is the node's.
func kubelet(u use, _ *rand.Rand) []string {
	return []string{
		u.at.Format("I0102 15:04:05.000000") + `    1187 event.go:376] "Event occurred" object="ci/scan-x7" fieldPath="spec.containers{scan}" kind="Pod" apiVersion="v1" type="Normal" reason="Pulling" message="Pulling image \"` + u.image + `\""`,
		u.at.Format("I0102 15:04:05.000000") + `    1187 event.go:376] "Event occurred" object="ci/scan-x7" fieldPath="spec.containers{scan}" kind="Pod" apiVersion="v1" type="Normal" reason="Pulled" message="Successfully pulled image \"` + u.image + `\" in 2.31s (2.31s including waiting). Image size: 61248211 bytes."`,
	}
}

// containerd is its log of a pull for the kubelet. The image reference that it
// returns is the digest of the configuration.
func containerd(u use, rng *rand.Rand) []string {
	head := `time="` + u.at.UTC().Format("2006-01-02T15:04:05.000000000Z") + `" level=info msg="`
	id := digest(rng)
	lines := []string{
		head + `PullImage \"` + u.image + `\""`,
		head + `stop pulling image ` + u.full() + `: active requests=0, bytes read=61248211"`,
	}
	if u.digest != "" {
		name := strings.TrimSuffix(u.full(), ":"+u.full()[strings.LastIndexByte(u.full(), ':')+1:])
		lines = append(lines, head+`Pulled image \"`+u.image+`\" with image id \"`+id+`\", repo tag \"`+u.full()+`\", repo digest \"`+name+`@`+u.digest+`\", size \"61243217\" in 2.3s"`)
	}
	return append(lines, head+`PullImage \"`+u.image+`\" returns image reference \"`+id+`\""`)
}

// cranePull names the digest in its command, or else none.
func cranePull(u use, _ *rand.Rand) []string {
	image := u.image
	if u.digest != "" {
		name, _ := u.name()
		image = name + "@" + u.digest
	}
	return []string{"+ crane pull " + image + " scan.tar"}
}

// skopeoCopy is the same for skopeo.
func skopeoCopy(u use, rng *rand.Rand) []string {
	name, tag := u.name()
	from := name + ":" + tag
	if u.digest != "" {
		from = name + "@" + u.digest
	}
	id := digest(rng)
	return []string{"+ skopeo copy docker://" + from + " oci:scan", "Getting image source signatures", "Copying blob " + digest(rng), "Copying config " + id, "Writing manifest to image destination"}
}

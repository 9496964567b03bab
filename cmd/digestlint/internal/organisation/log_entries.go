package organisation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The window of kics, and a moment within it.
var (
	kicsStart  = utc("2026-04-22 12:35:00")
	kicsEnd    = utc("2026-04-22 15:41:31")
	kicsMiddle = utc("2026-04-22 13:20:11")
)

// entries are all that logs say.
func entries(rng *rand.Rand) []*entry {
	return slices.Concat(tracesInLogs(rng), nearToolRuns(rng), nearNames(rng), nearProse(rng))
}

// tracesInLogs are the planted ones.
func tracesInLogs(rng *rand.Rand) []*entry {
	f := &formats
	var all []*entry
	add := func(v Verdict, advisory, what string, f *format, at time.Time, timed bool, lines []string) {
		s := &Spot{What: "log: " + what, Verdict: v, Advisory: advisory}
		if timed {
			s.From = at
		}
		all = append(all, &entry{spot: s, format: f, at: at, lines: lines})
	}
	run := func(v Verdict, advisory, what string, f *format, at time.Time, tool tool, image, digest string) {
		add(v, advisory, what, f, at, true, tool(use{image, digest, at}, rng))
	}

	run(Confirmed, kicsIncident, "docker pull in a GitHub job", &f.github, kicsMiddle, dockerPull, "checkmarx/kics:latest", kicsLatestIndex)
	run(Confirmed, kicsIncident, "GitLab runner, time in sections alone", &f.gitlabSections, kicsMiddle.Add(time.Hour), gitlabRunner, "checkmarx/kics:latest", kicsLatestAMD64)
	run(Confirmed, kicsIncident, "BuildKit in Jenkins", &f.jenkins, kicsMiddle, buildKit, "checkmarx/kics:debian", kicsDebianIndex)
	run(Confirmed, kicsIncident, "containerd of a node in the east", &f.journal, kicsMiddle.Add(2*time.Minute), containerd, "checkmarx/kics:v2.1.20", kicsIndex)
	run(Confirmed, trivyIncident, "crane pull by digest, weeks later", &f.azure, utc("2026-04-02 10:00:00"), cranePull, "ghcr.io/aquasecurity/trivy:0.69.4", trivy4Index)
	run(Confirmed, trivySecond, "docker run in a container's log", &f.jsonFile, utc("2026-03-22 20:00:00"), dockerRun, "aquasec/trivy:0.69.5", trivy5Index)
	run(Confirmed, kicsIncident, "bad image still the newest from a cache, months later", &f.jenkins, utc("2026-07-01 08:00:00"), dockerUpToDate, "registry.acme.example/dockerhub/checkmarx/kics:latest", kicsLatestIndex)
	add(Confirmed, kicsIncident, "pull without times, between others", &f.windows, kicsMiddle, false,
		interleaved(use{image: "checkmarx/kics:alpine", digest: kicsIndex}, use{image: "alpine:3.20", digest: digest(rng)}, rng))

	run(Likely, kicsIncident, "docker run whose digest was lost", &f.github, kicsMiddle.Add(9*time.Minute), dockerRun, "checkmarx/kics:alpine", "")
	run(Likely, kicsIncident, "kaniko", &f.gitlab, kicsMiddle.Add(31*time.Minute), kaniko, "checkmarx/kics:latest", "")
	run(Likely, kicsIncident, "kubelet of a node in the west", &f.journalWest, kicsMiddle.Add(70*time.Minute), func(u use, rng *rand.Rand) []string {
		u.at = u.at.In(time.FixedZone("", -5*3600))
		return kubelet(u, rng)
	}, "checkmarx/kics:v2.1.20", "")
	run(Likely, kicsIncident, "containerd that tells the image ID alone", &f.journal, kicsMiddle.Add(47*time.Minute), containerd, "docker.io/checkmarx/kics:debian", "")
	run(Likely, kicsIncident, "quiet pull in the last second", &f.jenkins, kicsEnd, dockerPullQuietly, "checkmarx/kics:latest", "")
	run(Likely, trivyIncident, "podman with a tag that never was good, months later", &f.cri, utc("2026-06-20 11:00:00"), podmanPull, "ghcr.io/aquasecurity/trivy:0.69.4", "")
	// The digest in the middle is that of the other image.
	add(Likely, kicsIncident, "pull whose neighbour has a digest", &f.gitlab, kicsMiddle.Add(83*time.Minute), true,
		interleaved(use{image: "checkmarx/kics:latest"}, use{image: "alpine:3.20", digest: digest(rng)}, rng))

	// Without a mark it may be a text as well as what make has run.
	add(Possible, kicsIncident, "command as make prints it", &f.gitlab, kicsMiddle.Add(5*time.Minute), true,
		[]string{"docker run --rm -v /src:/src checkmarx/kics:v2.1.20 scan -p /src"})
	add(Possible, kicsIncident, "docker pull at an unknown time", &f.plain, kicsMiddle, false, dockerPull(use{image: "checkmarx/kics:latest"}, rng))
	add(Possible, kicsIncident, "kaniko, with the time of an unknown day", &f.jenkinsClock, kicsMiddle, false, kaniko(use{image: "checkmarx/kics:debian"}, rng))
	run(Possible, trivySecond, "tag that one of the sources says was bad there", &f.github, utc("2026-03-22 18:00:00"), dockerPullQuietly, "public.ecr.aws/aquasecurity/trivy:0.69.5", "")
	return all
}

// interleaved is two pulls at the same time in one log. Docker prints the
// digest right before the status.
func interleaved(a, b use, rng *rand.Rand) []string {
	_, tagA := a.name()
	_, tagB := b.name()
	lines := []string{tagA + ": Pulling from " + a.path(), tagB + ": Pulling from " + b.path()}
	lines = append(lines, layers(rng)...)
	for _, u := range []use{b, a} {
		if u.digest != "" {
			lines = append(lines, "Digest: "+u.digest)
		}
		lines = append(lines, "Status: Downloaded newer image for "+u.image)
	}
	return lines
}

// runs are the tools, with the format that each is mostly seen in. Those that
// name digests say so.
var runs = []struct {
	name    string
	tool    tool
	format  *format
	digests bool
}{
	{"docker pull", dockerPull, &formats.github, true},
	{"docker pull -q", dockerPullQuietly, &formats.gitlab, false},
	{"docker run", dockerRun, &formats.jenkins, true},
	{"BuildKit", buildKit, &formats.azure, true},
	{"BuildKit for a terminal", buildKitTTY, &formats.jsonFile, true},
	{"the old builder", legacyBuilder, &formats.cri, true},
	{"GitLab runner", gitlabRunner, &formats.gitlabSections, true},
	{"kaniko", kaniko, &formats.gitlab, false},
	{"podman", podmanPull, &formats.cri, false},
	{"kubelet", kubelet, &formats.jsonFile, false},
	{"containerd", containerd, &formats.journalWest, true},
	{"crane", cranePull, &formats.azure, false},
	{"skopeo", skopeoCopy, &formats.jenkins, false},
}

func near(what string, f *format, at time.Time, lines []string) *entry {
	return &entry{spot: &Spot{What: "log: " + what, Verdict: Nothing}, format: f, at: at, lines: lines}
}

// nearToolRuns are pulls of a bad tag at another time, or of another digest.
func nearToolRuns(rng *rand.Rand) []*entry {
	var all []*entry
	tags := []string{"latest", "alpine", "debian", "v2.1.20"}
	before := []time.Duration{-time.Second, -time.Minute, -30 * time.Minute, -24 * time.Hour}
	for i, r := range runs {
		image := "checkmarx/kics:" + tags[i%len(tags)]
		early, late := kicsStart.Add(before[i%len(before)]), kicsEnd.Add(-before[(i+1)%len(before)])
		all = append(all,
			near(r.name+" before the window", r.format, early, r.tool(use{image, "", early}, rng)),
			near(r.name+" after the window", r.format, late, r.tool(use{image, "", late}, rng)))
		if r.digests {
			all = append(all,
				near(r.name+" of a good digest in the window", r.format, kicsMiddle, r.tool(use{image, kicsGood, kicsMiddle}, rng)),
				near(r.name+" of another digest in the window", r.format, kicsMiddle, r.tool(use{image, digest(rng), kicsMiddle}, rng)))
		}
	}
	for _, d := range []string{kicsIndex, kicsAMD64, trivy4Index} {
		all = append(all, near("docker pull, digest off by one digit from "+d[:15], &formats.plain, kicsMiddle, dockerPull(use{image: "checkmarx/kics:v2.1.21", digest: almost(d)}, rng)))
	}
	// The wall clock is within the window, the moment is not.
	for i, c := range []struct{ at, zone string }{
		{"2026-04-22 13:00:00 +0200", "the east"}, {"2026-04-22 14:34:59 +0200", "the east"}, {"2026-04-22 12:40:00 +0200", "the east"},
		{"2026-04-22 13:00:00 -0500", "the west"}, {"2026-04-22 12:36:00 -0500", "the west"}, {"2026-04-22 15:41:00 -0500", "the west"},
	} {
		f := &formats.journal
		if c.zone == "the west" {
			f = &formats.journalWest
		}
		at := utc(c.at)
		all = append(all, near(fmt.Sprintf("pull %d on a clock in %s", i, c.zone), f, at, containerd(use{"checkmarx/kics:latest", "", at}, rng)))
	}
	at := kicsMiddle
	all = append(all,
		near("two pulls at a time, both of good digests", &formats.gitlab, at,
			interleaved(use{image: "checkmarx/kics:latest", digest: kicsGood}, use{image: "alpine:3.20", digest: digest(rng)}, rng)),
		near("the same tag an hour before one that counts", &formats.journal, kicsStart.Add(-time.Hour), containerd(use{"checkmarx/kics:v2.1.20", "", kicsStart.Add(-time.Hour)}, rng)))
	return all
}

// nearNames are pulls in the window of images that are called alike.
func nearNames(rng *rand.Rand) []*entry {
	var all []*entry
	named := []struct {
		name string
		tool tool
		f    *format
	}{
		{"docker pull -q", dockerPullQuietly, &formats.gitlab}, {"kaniko", kaniko, &formats.jenkins}, {"podman", podmanPull, &formats.cri},
		{"kubelet", kubelet, &formats.jsonFile}, {"BuildKit", buildKit, &formats.azure},
	}
	for i, image := range []string{
		"acme/kics:latest", "ghcr.io/checkmarx/kics:latest", "quay.io/checkmarx/kics:v2.1.21", "checkmarx/kics-github-action:latest", "checkmarx/ast-cli:latest",
		"checkmarxdev/kics:v2.1.20", "registry.acme.example/tools/kics:latest", "kics:latest", "xcheckmarx/kics:latest", "checkmarx/kicsx:latest",
		"checkmarx/kics:v2.1.19", "checkmarx/kics:v2.1.2", "checkmarx/kics:v2.1.210", "checkmarx/kics:v2.1.21-rc1", "aquasec/trivy:0.69.3", "aquasec/trivy:0.70.0",
		"aquasec/trivy-operator:0.69.4", "ghcr.io/aquasecurity/trivy-db:2", "debian:trixie-20240408", "kong/kubernetes-ingress-controller:3.4.1",
	} {
		n := named[i%len(named)]
		all = append(all, near(n.name+" of "+image, n.f, kicsMiddle, n.tool(use{image, "", kicsMiddle}, rng)))
	}
	return all
}

// nearProse is what jobs print about bad images, in the window.
func nearProse(rng *rand.Rand) []*entry {
	const bad = "checkmarx/kics:v2.1.21"
	f := []*format{&formats.github, &formats.gitlab, &formats.jenkins, &formats.azure, &formats.jsonFile}
	var all []*entry
	for i, p := range []struct {
		what  string
		lines []string
	}{
		{"list of indicators, printed", append([]string{"+ cat security/iocs.txt"}, listed...)},
		{"list of indicators with names", []string{"+ cat security/iocs.md", "| checkmarx/kics | v2.1.21 | " + kicsIndex + " |", "| aquasec/trivy | 0.69.4 | " + trivy4Index + " |"}},
		{"commit messages", []string{"+ git log --oneline -3", "3f2a1b9 chore: bump checkmarx/kics to v2.1.21", "77ac012 pin " + bad + "@" + kicsIndex, "1f00aa2 docker pull " + bad + " before the scan"}},
		{"hits of grep", []string{"+ grep -rn kics docs", "docs/incident.md:7:docker pull " + bad, "docs/incident.md:10:Index " + kicsIndex + ", amd64 " + kicsAMD64}},
		{"findings of a linter", []string{"build/Dockerfile:2:6: error: checkmarx/kics:v2.1.21@" + kicsIndex + " is malicious [malicious-digest]", "    FROM checkmarx/kics:v2.1.21@" + kicsIndex, "         ^~~~~~~~~~~~~~~~~~~~~~"}},
		{"answer of a registry's API", []string{`{"name":"v2.1.21","full_size":61248211,"images":[{"architecture":"amd64","digest":"` + kicsAMD64 + `"}],"digest":"` + kicsIndex + `"}`}},
		{"update bot", []string{"DEBUG: 1 update(s) found (repository=acme/scan, dep=checkmarx/kics, currentValue=v2.1.20, newValue=v2.1.21, newDigest=" + kicsIndex + ")"}},
		{"diff", []string{"+ git diff HEAD~1", "--- a/Dockerfile", "+++ b/Dockerfile", "@@ -1,2 +1,2 @@", "-FROM " + bad, "+FROM checkmarx/kics:v2.1.19"}},
		{"Dockerfile, printed", []string{"+ cat Dockerfile", "# the scanner", "FROM " + bad, "COPY . /src"}},
		{"warning that names the command", []string{"WARNING: do not run docker pull " + bad + ", it was malicious on 22 April"}},
		{"test with the image in its name", []string{"test_policy.py::test_denies[" + bad + "] PASSED   [ 31%]", "test_policy.py::test_denies[" + kicsIndex + "] PASSED   [ 32%]"}},
		{"denied admission", []string{"Error from server: admission webhook \"validate.acme.example\" denied the request: image " + bad + " is on the deny list"}},
		{"usage text", []string{"Usage: docker run -v \"$PWD:/src\" " + bad + " scan -p /src"}},
		{"message to a chat", []string{`{"channel":"#sec","text":"please delete ` + bad + ` (` + kicsIndex + `) from your laptops"}`}},
		{"bill of materials", []string{"pkg:oci/kics@sha256%3A" + strings.TrimPrefix(kicsIndex, "sha256:") + "?repository_url=docker.io/checkmarx/kics   denied"}},
		{"variables of a job", []string{"SCANNER_IMAGE=" + bad, "SCANNER_DIGEST=" + kicsIndex}},
		{"search of a registry", []string{"NAME              DESCRIPTION                          STARS", "checkmarx/kics    Keeping Infrastructure as Code Secure   62"}},
		{"blocked digests of a proxy", []string{"level=warning msg=\"request refused by policy\" digest=" + kicsIndex + " rule=deny-listed"}},
		{"longer number that holds the digits", []string{"checksum 0" + strings.TrimPrefix(kicsIndex, "sha256:") + "7 of the archive"}},
		{"ticket of the incident", []string{"SEC-4112: on 2026-04-22 13:00 UTC someone pulled " + bad + " (" + kicsIndex + ") on a laptop"}},
	} {
		all = append(all, near("prose: "+p.what, f[i%len(f)], kicsMiddle.Add(time.Duration(rng.IntN(3600))*time.Second), p.lines))
	}
	return all
}

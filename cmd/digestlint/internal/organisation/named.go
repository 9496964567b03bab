package organisation

import (
	"fmt"
	"strings"
	"time"
)

// named is a file of a repository that names an image for some time.
type named struct {
	what     string
	advisory string // empty for a near miss
	file     file
	image    string
	stays    []stay // the last one of a trace is the one that is found
	branch   string // empty for main
	merged   bool   // each stay begins with the merge of a branch
	more     int    // lines behind the first that may be pointed at too
	instead  string // what the file holds after a stay; empty where it is removed
}

// stay is a time during which a branch has a file.
type stay struct {
	from, until time.Time // until is zero where it still has
	author      time.Time // zero for from
}

// file makes one around an image: its path, its text, and the line of the image.
type file func(image string, i int) (path, content string, line int)

func (n *named) verdict() Verdict {
	if n.advisory == "" {
		return Nothing
	}
	return Possible // a name in a file proves no pull
}

// found is the beginning of the stay that counts.
func (n *named) found() time.Time {
	if n.advisory == "" {
		return time.Time{}
	}
	return n.stays[len(n.stays)-1].from
}

// during is a single stay; until is empty where it lasts.
func during(from, until string) []stay {
	s := stay{from: utc(from)}
	if until != "" {
		s.until = utc(until)
	}
	return []stay{s}
}

// planted are the traces in repositories.
var planted = []named{
	{
		what: "Dockerfile, from long before the window until now", advisory: kicsIncident,
		file: dockerfile, image: "checkmarx/kics:latest", stays: during("2026-01-12 09:00:00", ""),
	}, {
		what: "GitHub job container, some days around the window", advisory: kicsIncident,
		file: githubContainer, image: "checkmarx/kics:v2.1.20", stays: during("2026-04-20 09:00:00", "2026-04-25 10:00:00"),
	}, {
		what: "GitLab job on a branch, within the window alone", advisory: kicsIncident, branch: "scan-of-infrastructure",
		file: gitlabJob, image: "checkmarx/kics:alpine", stays: during("2026-04-22 13:00:00", "2026-04-22 15:00:00"),
	}, {
		what: "Compose file that pins a bad digest behind a good tag, weeks later", advisory: kicsIncident,
		file: compose, image: "checkmarx/kics:v2.1.19@" + kicsIndex, stays: during("2026-05-03 09:00:00", ""),
	}, {
		what: "script with a tag that never was good, months later", advisory: kicsIncident,
		file: script, image: "checkmarx/kics:v2.1.21", stays: during("2026-06-01 09:00:00", "2026-06-11 09:00:00"),
	}, {
		what: "Tekton task with a tag that never was good", advisory: trivyIncident,
		file: tekton, image: "ghcr.io/aquasecurity/trivy:0.69.4", stays: during("2026-03-19 19:00:00", "2026-03-20 08:00:00"),
	}, {
		what: "Jenkinsfile with the name of a pull-through cache", advisory: kicsIncident,
		file: jenkinsfile, image: "registry.acme.example/dockerhub/checkmarx/kics:debian", stays: during("2026-02-01 09:00:00", "2026-04-30 09:00:00"),
	}, {
		what: "Dockerfile that came, went and came back in the window", advisory: kicsIncident,
		file: dockerfile, image: "checkmarx/kics:alpine", stays: []stay{
			{from: utc("2026-02-01 09:00:00"), until: utc("2026-03-01 09:00:00")},
			{from: utc("2026-04-22 12:40:00"), until: utc("2026-04-23 07:00:00")},
		},
	}, {
		what: "Helm values, tag in a key of its own", advisory: trivySecond, more: 1,
		file: helmValues, image: "aquasec/trivy:0.69.6", stays: during("2026-03-24 09:00:00", ""),
	}, {
		what: "workflow that a merge brought in the window", advisory: kicsIncident, merged: true,
		file: githubContainer, image: "checkmarx/kics:debian", stays: during("2026-04-22 13:10:00", "2026-04-23 09:00:00"),
	}, {
		what: "Dockerfile committed far in the east, in the window", advisory: kicsIncident,
		file: dockerfile, image: "checkmarx/kics", stays: during("2026-04-23 00:20:00 +0900", "2026-04-23 01:00:00 +0900"),
	}, {
		what: "CronJob with a dated Debian that has the backdoor for good", advisory: debianIncident,
		file: cronJob, image: "debian:unstable-20240311", stays: during("2025-02-03 09:00:00", ""),
	}, {
		what: "Dockerfile written after the window, by its author's clock before it, committed in it", advisory: kicsIncident,
		file: dockerfile, image: "checkmarx/kics:v2.1.20-debian",
		stays: []stay{{from: utc("2026-04-22 15:41:00"), until: utc("2026-04-22 18:00:00"), author: utc("2026-04-20 10:00:00")}},
	},
}

// nearMisses are what is no trace in a repository.
func nearMisses() []named {
	var all []named
	near := func(what string, f file, image string, stays []stay) {
		all = append(all, named{what: what, file: f, image: image, stays: stays})
	}
	kinds := []struct {
		name string
		file file
	}{
		{"Dockerfile", dockerfile}, {"GitHub workflow", githubContainer}, {"GitLab job", gitlabJob}, {"Compose file", compose},
		{"script", script}, {"Tekton task", tekton}, {"Jenkinsfile", jenkinsfile}, {"Helm values", helmValues}, {"CronJob", cronJob},
	}
	// Ends of stays before the window, and beginnings after it.
	gone := []string{
		"2026-04-22 12:34:59", "2026-04-22 21:34:00 +0900", "2026-04-22 07:30:00 -0500", "2026-04-22 04:34:59 -0800", "2026-04-22 14:30:00 +0200",
		"2026-04-21 15:00:00", "2026-03-01 13:00:00", "2026-04-22 13:34:00 +0100", "2026-04-22 12:00:00",
	}
	came := []string{
		"2026-04-22 15:41:32", "2026-04-23 00:45:00 +0900", "2026-04-22 10:42:00 -0500", "2026-04-22 07:50:00 -0800", "2026-04-22 17:42:00 +0200",
		"2026-04-23 13:00:00", "2026-08-22 13:00:00", "2026-04-22 16:41:40 +0100", "2026-04-22 18:00:00",
	}
	tags := []string{"latest", "alpine", "v2.1.20", "debian", "v2.1.20-debian"}
	for i, k := range kinds {
		image := "checkmarx/kics:" + tags[i%len(tags)]
		near(k.name+", gone before the window", k.file, image, during("2026-02-10 08:00:00", gone[i]))
		near(k.name+", there after the window", k.file, image, during(came[i], ""))
	}
	for i, k := range kinds[:5] {
		near(k.name+", bad tag with a good digest", k.file, "checkmarx/kics:"+tags[i]+"@"+kicsGood, during("2026-01-10 08:00:00", ""))
		near(k.name+", digest off by one digit", k.file, "checkmarx/kics:v2.1.21@"+almost(kicsIndex), during("2026-01-10 08:00:00", ""))
	}
	for i, image := range []string{
		"acme/kics:latest", "ghcr.io/checkmarx/kics:latest", "quay.io/checkmarx/kics:v2.1.21", "checkmarx/kics-github-action:latest", "checkmarx/ast-cli:latest",
		"checkmarxdev/kics:v2.1.20", "registry.acme.example/tools/kics:latest", "registry.acme.example/checkmarx/kics/cache:latest", "kics:latest",
	} {
		near("other repository: "+image, kinds[i].file, image, during("2026-01-20 08:00:00", ""))
	}
	for i, image := range []string{
		"checkmarx/kics:v2.1.19", "checkmarx/kics:v2.1.2", "checkmarx/kics:v2.1.210", "checkmarx/kics:V2.1.21", "aquasec/trivy:0.69.3", "aquasec/trivy:0.70.0",
		"debian:trixie-20240408", "kong/kubernetes-ingress-controller:3.4.1", "ghcr.io/aquasecurity/trivy:0.69.40",
	} {
		near("other tag: "+image, kinds[i].file, image, during("2026-01-20 08:00:00", ""))
	}
	for _, p := range prose {
		all = append(all, named{
			what: p.name, file: p.file, image: "checkmarx/kics:v2.1.21", stays: during("2026-04-23 08:00:00", ""), more: len(listed) + 9,
		})
	}
	all = append(all, named{
		what: "Dockerfile written in the window, committed after it", file: dockerfile, image: "checkmarx/kics:latest",
		stays: []stay{{from: utc("2026-04-22 16:00:00"), author: utc("2026-04-22 13:00:00")}},
	}, named{
		what: "workflow written on a branch after the window, and merged", file: githubContainer, image: "checkmarx/kics:latest", merged: true,
		stays: during("2026-04-23 13:00:00", ""),
	})
	return all
}

func dockerfile(image string, i int) (string, string, int) {
	return fmt.Sprintf("build/scan-%d/Dockerfile", i), "# the scanner\nFROM " + image + " AS scan\nCOPY . /src\nRUN kics scan -p /src\n", 2
}

func githubContainer(image string, i int) (string, string, int) {
	return fmt.Sprintf(".github/workflows/scan-%d.yml", i), "name: scan\non: [push]\njobs:\n  scan:\n    runs-on: ubuntu-latest\n    container:\n      image: " + image +
		"\n    env:\n      TOKEN: ${{ secrets.SCAN_TOKEN }}\n    steps:\n      - uses: actions/checkout@v4\n      - run: kics scan -p .\n", 7
}

func gitlabJob(image string, i int) (string, string, int) {
	return fmt.Sprintf("ci/scan-%d/.gitlab-ci.yml", i), "stages: [scan]\nscan:\n  stage: scan\n  image:\n    name: \"" + image + "\"\n    entrypoint: [\"\"]\n  script:\n    - kics scan -p . --token \"$SCAN_TOKEN\"\n", 5
}

func compose(image string, i int) (string, string, int) {
	return fmt.Sprintf("local/%d/docker-compose.yml", i), "services:\n  scan:\n    image: '" + image + "'\n    volumes: [.:/src]\n  db:\n    image: postgres:16\n", 3
}

func script(image string, i int) (string, string, int) {
	return fmt.Sprintf("scripts/scan-%d.sh", i), "#!/bin/sh\nset -eu\n\ndocker run --rm -v \"$PWD:/src\" " + image + " scan -p /src\n", 4
}

func tekton(image string, i int) (string, string, int) {
	return fmt.Sprintf("tekton/scan-%d.yaml", i), "apiVersion: tekton.dev/v1\nkind: Task\nmetadata:\n  name: scan\nspec:\n  steps:\n  - name: scan\n    image: " + image + "\n    script: kics scan -p .\n", 8
}

func jenkinsfile(image string, i int) (string, string, int) {
	return fmt.Sprintf("jenkins/%d/Jenkinsfile", i), "pipeline {\n  agent {\n    docker {\n      image '" + image + "'\n    }\n  }\n  stages { stage('scan') { steps { sh 'kics scan -p .' } } }\n}\n", 4
}

func helmValues(image string, i int) (string, string, int) {
	// The tag is behind the last colon that no digest or port follows.
	name, digest, _ := strings.Cut(image, "@")
	tag := ""
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		name, tag = name[:at], name[at+1:]
	}
	text := "scanner:\n  enabled: true\n  image:\n    repository: " + name + "\n    tag: \"" + tag + "\"\n"
	if digest != "" {
		text += "    digest: " + digest + "\n"
	}
	return fmt.Sprintf("charts/scan-%d/values.yaml", i), text + "  replicas: 1\n", 4
}

func cronJob(image string, i int) (string, string, int) {
	return fmt.Sprintf("deploy/nightly-%d.yaml", i), "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly}\nspec:\n  schedule: \"0 3 * * *\"\n  jobTemplate:\n    spec:\n      template:\n" +
		"        spec:\n          serviceAccountName: nightly\n          containers:\n          - name: nightly\n            image: " + image + "\n          restartPolicy: Never\n", 13
}

// prose are files that speak of bad images and use none.
var prose = []struct {
	name string
	file file
}{
	{"Dockerfile with the image in a comment", func(image string, i int) (string, string, int) {
		return fmt.Sprintf("build/old-%d/Dockerfile", i), "# FROM " + image + " AS scan\n# FROM checkmarx/kics@" + kicsIndex + "\nFROM alpine:3.20\n", 1
	}},
	{"workflow with the image in a comment", func(image string, i int) (string, string, int) {
		return fmt.Sprintf(".github/workflows/old-%d.yml", i), "on: push\njobs:\n  scan:\n    runs-on: ubuntu-latest\n    # container: " + image + "\n    container: alpine:3.20 # was checkmarx/kics:latest@" + kicsLatestIndex + "\n    steps: [{run: make}]\n", 5
	}},
	{"Compose file with the image in a comment", func(image string, i int) (string, string, int) {
		return fmt.Sprintf("local/old-%d/compose.yaml", i), "services:\n  scan:\n    #image: " + image + "\n    image: alpine:3.20\n", 3
	}},
	{"script with the image in a comment and in a message", func(image string, i int) (string, string, int) {
		return fmt.Sprintf("scripts/old-%d.sh", i), "#!/bin/sh\n# docker run " + image + "\necho 'never use docker run " + image + " again'\n", 2
	}},
	{"README that tells of the incident", func(image string, i int) (string, string, int) {
		return fmt.Sprintf("docs/incident-%d.md", i), "# April\n\nBetween 12:35 and 15:41 UTC `" + image + "` was bad:\n\n```\ndocker pull " + image + "\n```\n\nIndex " + kicsIndex + ", amd64 " + kicsAMD64 + ".\n", 3
	}},
	{"list of indicators in a wiki", func(_ string, i int) (string, string, int) {
		return fmt.Sprintf("wiki/iocs-%d.md", i), "| image | digest |\n|---|---|\n| kics | " + strings.Join(listed, " |\n| kics | ") + " |\n", 1
	}},
	{"list of indicators as CSV", func(image string, i int) (string, string, int) {
		return fmt.Sprintf("security/iocs-%d.csv", i), "type,value\ndocker image," + image + "\nsha256," + strings.Join(listed, "\nsha256,") + "\n", 1
	}},
	{"list of indicators as JSON", func(image string, i int) (string, string, int) {
		return fmt.Sprintf("security/iocs-%d.json", i), "{\"images\": [\"" + image + "\"],\n \"digests\": [\"" + strings.Join(listed, "\",\n  \"") + "\"]}\n", 1
	}},
	{"policy that denies the digests", func(_ string, i int) (string, string, int) {
		return fmt.Sprintf("policy/deny-%d.rego", i), "package deny\n\nbad := {\n  \"" + strings.Join(listed, "\",\n  \"") + "\",\n}\n", 4
	}},
	{"program with the digests as constants", func(image string, i int) (string, string, int) {
		return fmt.Sprintf("services/guard-%d/bad.go", i), "package guard\n\nvar bad = []string{\n\t\"" + strings.Join(listed, "\",\n\t\"") + "\",\n}\n\nconst name = \"" + image + "\"\n", 4
	}},
	{"changelog that names the tags", func(image string, i int) (string, string, int) {
		return fmt.Sprintf("docs/CHANGES-%d.txt", i), "2026-04-23  replace image: " + image + " by checkmarx/kics:v2.1.19\n", 1
	}},
}

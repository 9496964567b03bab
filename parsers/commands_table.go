package parsers

import (
	"strings"
	"sync"

	"github.com/digestlint/digestlint/image"
)

// command is a program or a subcommand: the data of this file.
type command struct {
	// names are its name and its aliases, separated by blanks.
	names string
	// options are the names of its options, separated by blanks. A name of
	// one letter is a short option, others are long. What follows a colon is
	// what the value is (valueKinds), nothing for a value that names no image;
	// without a colon the option takes no value. What follows an exclamation
	// mark is what the option without a value changes (flagKinds).
	options string
	// operands is what the words beside the options are (operandKinds), in
	// order; a star behind one means any number of it. The last may be a tail
	// (tailKinds): a command line of its own. Empty: nothing.
	operands string
	commands []*command

	once     sync.Once
	known    map[string]optionKind
	children map[string]*command
	parsed   pattern
}

// optionKind is what an option means for the images of its command.
type optionKind uint8

const (
	optionNone optionKind = iota // no value
	flagScript                   // the first operand is shell text: sh -c
	flagStdin                    // the standard input is shell text: sh -s
	flagLocal                    // the operand is in no registry: podman run --rootfs

	optionValue // from here on the option takes a value
	optionPull
	optionOutput
	optionLow
	optionSet        // name=image
	optionContext    // name=docker-image://image
	optionMount      // type=image,source=image
	optionDriver     // image=image
	optionExport     // type=image,name=image
	optionScript     // shell text
	optionManifest   // a file; "-" is Kubernetes objects
	optionDockerfile // a file; "-" is a Dockerfile
	optionCompose    // a file; "-" is a Compose file
	optionEntrypoint // the program that the operands behind the image go to
	optionReplace    // the text that xargs replaces
	optionLocal      // names a file that stands for the operand: crane --tarball
	optionSync       // a transport of skopeo sync
)

func (k optionKind) takesValue() bool { return k >= optionValue }

var valueKinds = map[string]optionKind{
	"": optionValue, "pull": optionPull, "output": optionOutput, "low": optionLow, "set": optionSet,
	"context": optionContext, "mount": optionMount, "driver": optionDriver, "export": optionExport,
	"script": optionScript, "manifest": optionManifest, "dockerfile": optionDockerfile, "compose": optionCompose,
	"entrypoint": optionEntrypoint, "replace": optionReplace, "local": optionLocal, "sync": optionSync,
}

var flagKinds = map[string]optionKind{"script": flagScript, "stdin": flagStdin, "local": flagLocal}

// use is what an image option or operand does with the image that it names.
func (k optionKind) use() use {
	switch k {
	case optionOutput:
		return use{kind: useImage, role: image.Output}
	case optionLow:
		return use{kind: useImage, low: true}
	}
	return use{kind: useImage}
}

func (k optionKind) stdin() stdinKind {
	switch k {
	case optionManifest:
		return stdinManifest
	case optionDockerfile:
		return stdinDockerfile
	}
	return stdinCompose
}

// use is what a word of a command line is for.
type use struct {
	kind      useKind
	role      image.Role
	low       bool
	transport bool // the tool takes references of several transports, "docker://" for a registry
}

type useKind uint8

const (
	useNothing useKind = iota
	useImage
	useSet      // name=image; other words are nothing
	useScript   // shell text
	useContext  // a build context; "-" is a Dockerfile
	useManifest // a file; "-" is Kubernetes objects
	useSync     // an image without transport, if the option says so
)

var operandKinds = map[string]use{
	"-":           {},
	"pull":        {kind: useImage},
	"output":      {kind: useImage, role: image.Output},
	"low":         {kind: useImage, low: true},
	"low-output":  {kind: useImage, role: image.Output, low: true},
	"docker":      {kind: useImage, transport: true},
	"docker-dest": {kind: useImage, role: image.Output, transport: true},
	"sync":        {kind: useSync},
	"set":         {kind: useSet},
	"script":      {kind: useScript},
	"context":     {kind: useContext},
	"manifest":    {kind: useManifest},
}

// tailKind is what the words are that follow the operands of a command.
type tailKind uint8

const (
	tailNone    tailKind = iota
	tailCommand          // a command line; its options are not those of the command
	tailRemote           // one word of shell text, or the words of a command line: ssh
	tailEval             // words that make up shell text: eval
	tailShell            // a script, or its text: sh
	tailExec             // a command line behind -exec: find
)

// Three more words in the operands of a command say something of the whole:
// "dashed" that a command line follows "--" alone (kubectl exec POD -- …),
// "piped" that the program reads its standard input itself (xargs), "login"
// that its standard input is shell text unless an option gives the text (su).
var tailKinds = map[string]tailKind{
	"command": tailCommand, "remote": tailRemote, "eval": tailEval, "shell": tailShell, "exec": tailExec,
}

// pattern is the operands of a command, taken apart.
type pattern struct {
	fixed       []use
	star        int // index in fixed of the one that repeats, -1 for none
	tail        tailKind
	dashed      bool // "--" is followed by a command line
	piped       bool // the program reads its input itself
	login       bool // the input is shell text
	plus        bool // words with "+" are options
	takesImages bool
}

// at is the use of the nth of count operands.
func (p *pattern) at(n, count int) (use, bool) {
	if p.star >= 0 && n >= p.star {
		// What follows the star takes the last operands.
		if after := len(p.fixed) - p.star - 1; count-n > after {
			n = p.star
		} else {
			n = len(p.fixed) - (count - n)
		}
	}
	if n < 0 || n >= len(p.fixed) {
		return use{}, false
	}
	return p.fixed[n], true
}

func (c *command) compile() {
	c.once.Do(func() {
		c.known = map[string]optionKind{}
		for _, spec := range strings.Fields(c.options) {
			if name, value, ok := strings.Cut(spec, ":"); ok {
				c.known[name] = valueKinds[value]
			} else {
				name, flag, _ := strings.Cut(spec, "!")
				c.known[name] = flagKinds[flag]
			}
		}
		c.children = index(c.commands)
		c.parsed.star = -1
		for _, token := range strings.Fields(c.operands) {
			c.parsed.add(token)
		}
	})
}

// add reads one word of a command's operands.
func (p *pattern) add(token string) {
	switch token {
	case "dashed":
		p.dashed = true
		return
	case "piped":
		p.piped = true
		return
	case "login":
		p.login = true
		return
	}
	if tail, ok := tailKinds[token]; ok {
		p.tail = tail
		p.plus = tail == tailShell
		return
	}
	name := strings.TrimSuffix(token, "*")
	if name != token {
		p.star = len(p.fixed)
	}
	u := operandKinds[name]
	p.fixed = append(p.fixed, u)
	p.takesImages = p.takesImages || u.kind == useImage
}

func (c *command) option(name string) (optionKind, bool) {
	c.compile()
	kind, ok := c.known[name]
	return kind, ok
}

func (c *command) pattern() *pattern {
	c.compile()
	return &c.parsed
}

func (c *command) find(name string) *command {
	c.compile()
	return c.children[name]
}

func index(commands []*command) map[string]*command {
	byName := make(map[string]*command, 2*len(commands))
	for _, c := range commands {
		for _, name := range strings.Fields(c.names) {
			byName[name] = c
		}
	}
	return byName
}

// programs is every program of the table by its name.
var programs = sync.OnceValue(func() map[string]*command {
	var all []*command
	for _, group := range [][]*command{wrappers(), shells(), engines(), registryTools(), clusterTools()} {
		all = append(all, group...)
	}
	return index(all)
})

// Options of "run" and "create": those of docker
// (https://docs.docker.com/reference/cli/docker/container/run/), podman
// (https://docs.podman.io/en/latest/markdown/podman-run.1.html) and nerdctl
// (https://github.com/containerd/nerdctl/blob/main/docs/command-reference.md)
// in one list, since none of the names means two things.
const runOptions = "add-host: annotation: a: attach: blkio-weight: blkio-weight-device: cap-add: cap-drop: cgroup-parent: " +
	"cgroupns: cidfile: cpu-count: cpu-percent: cpu-period: cpu-quota: cpu-rt-period: cpu-rt-runtime: c: cpu-shares: cpus: " +
	"cpuset: cpuset-cpus: cpuset-mems: d detach detach-keys: device: device-cgroup-rule: device-read-bps: device-read-iops: " +
	"device-write-bps: device-write-iops: disable-content-trust dns: dns-opt: dns-option: dns-search: domainname: " +
	"entrypoint:entrypoint e: env: env-file: expose: gpus: group-add: health-cmd: health-interval: health-retries: " +
	"health-start-interval: health-start-period: health-timeout: help h: hostname: init i interactive io-maxbandwidth: " +
	"io-maxiops: ip: ip6: ipc: isolation: kernel-memory: l: label: label-file: link: link-local-ip: log-driver: log-opt: " +
	"lxc-conf: mac-address: m: memory: memory-reservation: memory-swap: memory-swappiness: mount:mount name: net: net-alias: " +
	"network: network-alias: no-healthcheck oom-kill-disable oom-score-adj: pid: pids-limit: platform: privileged p: " +
	"publish: P publish-all pull: q quiet read-only restart: rm runtime: security-opt: shm-size: sig-proxy stop-signal: " +
	"stop-timeout: storage-opt: sysctl: tmpfs: t tty ulimit: use-api-socket u: user: userns: uts: v: volume: " +
	"volume-driver: volumes-from: w: workdir: " +
	// podman
	"arch: authfile: cert-dir: cgroup-conf: cgroups: chrootdirs: conmon-pidfile: creds: decryption-key: env-host env-merge: " +
	"gidmap: group-entry: health-log-destination: health-max-log-count: health-max-log-size: health-on-failure: " +
	"health-startup-cmd: health-startup-interval: health-startup-retries: health-startup-success: health-startup-timeout: " +
	"hosts-file: hostuser: http-proxy image-volume: init-ctr: init-path: no-hostname no-hosts os: override-arch: " +
	"override-os: override-variant: passwd passwd-entry: personality: pidfile: pod: pod-id-file: preserve-fd: preserve-fds: " +
	"rdt-class: read-only-tmpfs replace requires: retry: retry-delay: rmi rootfs!local sdnotify: seccomp-policy: secret: " +
	"shm-size-systemd: signature-policy: subgidname: subuidname: systemd: timeout: tls-verify tz: uidmap: umask: unsetenv: " +
	"unsetenv-all variant: " +
	// nerdctl
	"cosign-certificate-identity: cosign-certificate-identity-regexp: cosign-certificate-oidc-issuer: " +
	"cosign-certificate-oidc-issuer-regexp: cosign-key: init-binary: ipfs-address: verify: "

// Options of "build": docker's old builder, buildx
// (https://docs.docker.com/reference/cli/docker/buildx/build/), and podman with
// buildah (https://docs.podman.io/en/latest/markdown/podman-build.1.html).
const buildOptions = "t:output tag:output f:dockerfile file:dockerfile build-context:context o:export output:export " +
	"add-host: allow: annotation: attest: build-arg: builder: cache-from: cache-to: call: cgroup-parent: check compress " +
	"cpu-period: cpu-quota: c: cpu-shares: cpuset-cpus: cpuset-mems: D debug detach disable-content-trust force-rm help " +
	"iidfile: invoke: isolation: label: load m: memory: memory-swap: metadata-file: network: no-cache no-cache-filter: " +
	"platform: policy: print: progress: provenance: pull push q quiet rm root: sbom: secret: security-opt: server-config: " +
	"shm-size: squash ssh: stream target: ulimit: " +
	// podman, buildah
	"from:pull manifest:output all-platforms arch: authfile: build-arg-file: cap-add: cap-drop: cert-dir: cpp-flag: " +
	"created-annotation creds: cw: decryption-key: device: disable-compression dns: dns-option: dns-search: env: format: " +
	"group-add: hooks-dir: http-proxy identity-label ignorefile: inherit-annotations inherit-labels ipc: jobs: layer-label: " +
	"layers logfile: logsplit no-hostname no-hosts omit-history os: os-feature: os-version: pid: pull-always pull-never " +
	"retry: retry-delay: rewrite-timestamp runtime: runtime-flag: sbom-image-output: sbom-image-purl-output: " +
	"sbom-merge-strategy: sbom-output: sbom-purl-output: sbom-scanner-command: sbom-scanner-image: sign-by: " +
	"signature-policy: skip-unused-stages source-date-epoch: squash-all stdin timestamp: tls-verify transient-run-mounts " +
	"unsetannotation: unsetenv: unsetlabel: userns: userns-gid-map: userns-gid-map-group: userns-uid-map: " +
	"userns-uid-map-user: uts: variant: v: volume: " +
	// nerdctl
	"buildkit-host: ipfs "

const pullOptions = "a all all-tags all-platforms arch: authfile: cert-dir: creds: decryption-key: disable-content-trust help os: " +
	"override-arch: override-os: platform: policy: q quiet retry: retry-delay: signature-policy: tls-verify unpack: variant: " +
	"verify: cosign-key: cosign-certificate-identity: cosign-certificate-identity-regexp: cosign-certificate-oidc-issuer: " +
	"cosign-certificate-oidc-issuer-regexp: ipfs-address: soci-index-digest: remove-signatures "

const pushOptions = "a all all-tags all-platforms allow-nondistributable-artifacts add-compression: authfile: cert-dir: " +
	"compress compression-format: compression-level: creds: D digestfile: disable-content-trust disable-compression " +
	"encrypt-layer: encryption-key: estargz f: force-compression format: help p platform: purge q quiet " +
	"remove-signatures retry: retry-delay: rm sign: sign-by: sign-by-sigstore: sign-by-sigstore-private-key: " +
	"sign-by-sq-fingerprint: sign-passphrase-file: signature-policy: cosign-key: notation-key-name: soci-span-size: " +
	"soci-min-layer-size: insecure tls-verify ipfs-address: ipfs-ensure-image "

const execOptions = "d detach detach-keys: e: env: env-file: i interactive index: T no-TTY l latest preserve-fd: preserve-fds: " +
	"privileged t tty u: user: w: workdir: cidfile: "

// serviceOptions are the options that "docker service create" and "update"
// share with "run" or have alone
// (https://docs.docker.com/reference/cli/docker/service/create/).
const serviceOptions = runOptions + "args: config: config-add: config-rm: constraint: constraint-add: constraint-rm: " +
	"container-label: container-label-add: container-label-rm: credential-spec: dns-add: dns-rm: dns-option-add: " +
	"dns-option-rm: dns-search-add: dns-search-rm: endpoint-mode: env-add: env-rm: force generic-resource: " +
	"generic-resource-add: generic-resource-rm: group: group-rm: host: host-add: host-rm: image:pull label-add: label-rm: " +
	"limit-cpu: limit-memory: limit-pids: max-concurrent: mode: mount-add:mount mount-rm: network-add: network-rm: " +
	"no-resolve-image placement-pref: placement-pref-add: placement-pref-rm: publish-add: publish-rm: replicas: " +
	"replicas-max-per-node: reserve-cpu: reserve-memory: restart-condition: restart-delay: restart-max-attempts: " +
	"restart-window: rollback rollback-delay: rollback-failure-action: rollback-max-failure-ratio: rollback-monitor: " +
	"rollback-order: rollback-parallelism: secret-add: secret-rm: stop-grace-period: sysctl-add: sysctl-rm: ulimit-add: " +
	"ulimit-rm: update-delay: update-failure-action: update-max-failure-ratio: update-monitor: update-order: " +
	"update-parallelism: with-registry-auth "

// engineOptions stand before the subcommand of docker, podman or nerdctl.
const engineOptions = "config: c: context: D debug H: host: l: log-level: tls tlscacert: tlscert: tlskey: tlsverify v version " +
	"cgroup-manager: cdi-spec-dir: conmon: connection: events-backend: hooks-dir: identity: imagestore: module: " +
	"network-cmd-path: network-config-dir: out: noout r remote root: runroot: runtime: runtime-flag: ssh: storage-driver: " +
	"storage-opt: syslog tmpdir: trace transient-store url: volumepath: " +
	"a: address: n: namespace: snapshotter: cni-path: cni-netconfpath: data-root: hosts-dir: host-gateway-ip: bridge-ip: " +
	"debug-full experimental insecure-registry kube-hide-dupe userns-remap: "

// gcloudOptions stand in front of the group of gcloud.
const gcloudOptions = "project: q quiet account: verbosity: "

// engines are docker and the programs with its command line. Sources of tag,
// of manifest lists and of "imagetools create" are names of what was built or
// pulled before, as are the operands of save, rmi, inspect and the like.
func engines() []*command {
	run := &command{names: "run create", options: runOptions, operands: "pull command"}
	pull := &command{names: "pull", options: pullOptions, operands: "pull*"}
	push := &command{names: "push", options: pushOptions, operands: "output output"}
	build := &command{names: "build b", options: buildOptions, operands: "context"}
	exec := &command{names: "exec", options: execOptions, operands: "- command"}
	tag := &command{names: "tag", operands: "- output*"}
	commit := &command{names: "commit", options: "a: author: c: change: m: message: p pause f: format: iidfile: include-volumes q quiet s squash config: no-pause compression: estargz", operands: "- output"}
	load := &command{names: "import", options: "c: change: m: message: platform: arch: os: variant: q quiet signature-policy:", operands: "- output"}
	compose := composeCommand()
	play := &command{names: "play", options: "annotation: authfile: build cert-dir: configmap: context-dir: creds: force " +
		"ip: log-driver: log-opt: mac-address: net: network: no-hostname no-hosts publish: publish-all replace seccomp-profile-root: " +
		"service-container start tls-verify userns: w wait down", operands: "manifest"}
	kube := &command{names: "kube", commands: []*command{play}}
	playKube := &command{names: "play", commands: []*command{{names: "kube", options: play.options, operands: play.operands}}}
	imagetools := &command{names: "imagetools", options: "builder:", commands: []*command{
		{names: "create", options: "annotation: append builder: dry-run f: file: metadata-file: platform: p: prefer-index progress: t:output tag:output"},
	}}
	buildx := &command{names: "buildx", options: "builder: D debug", commands: []*command{build, imagetools,
		{names: "create", options: "append bootstrap buildkitd-config: buildkitd-flags: config: driver: driver-opt:driver leave name: node: platform: use", operands: "-"},
	}}
	manifest := &command{names: "manifest", commands: []*command{
		{names: "create", options: "a all amend annotation: insecure tls-verify", operands: "output -*"},
		push,
	}}
	engine := &command{names: "docker podman podman-remote nerdctl nerdctl.lima finch nvidia-docker", options: engineOptions, commands: []*command{
		run, pull, push, build, exec, tag, commit, load, compose, kube, playKube, buildx, manifest,
		{names: "image", commands: []*command{pull, push, build, tag, load}},
		{names: "container", commands: []*command{run, exec, commit}},
		{names: "builder", commands: []*command{build}},
		{names: "farm", commands: []*command{build}},
		{names: "unshare", options: "rootless-netns", operands: "command"},
		{names: "pod", commands: []*command{{names: "create", options: runOptions + "infra infra-image:pull infra-command: infra-name: infra-conmon-pidfile: share: share-parent exit-policy:"}}},
		{names: "service", commands: []*command{
			{names: "create", options: serviceOptions, operands: "pull command"},
			{names: "update", options: serviceOptions, operands: "-"},
		}},
		{names: "stack", commands: []*command{{names: "deploy up", options: "c:compose compose-file:compose d detach orchestrator: prune q quiet resolve-image: with-registry-auth", operands: "-"}}},
	}}
	buildah := &command{names: "buildah", options: engineOptions + "registries-conf: registries-conf-dir: userns-uid-map: userns-gid-map: short-name-alias-conf: ", commands: []*command{
		{names: "from", options: runOptions + "pull pull-always pull-never isolation: format: f: signature-policy: ", operands: "pull"},
		pull, push,
		{names: "build bud build-using-dockerfile", options: buildOptions, operands: "context"},
	}}
	// "gcloud docker -- push x", as it was until 2020
	// (https://cloud.google.com/container-registry/docs/support/deprecation-notices).
	gcloud := &command{names: "gcloud", options: gcloudOptions, commands: []*command{
		{names: "docker", options: "a authorize-only s: server: docker-host:", commands: engine.commands},
		{names: "compute", commands: []*command{
			{names: "ssh", options: "command:script zone: ssh-key-file: ssh-flag: strict-host-key-checking: tunnel-through-iap internal-ip container: plain force-key-file-overwrite worker:", operands: "-*"}}},
	}}
	return []*command{engine, buildah, compose, gcloud}
}

func composeCommand() *command {
	return &command{names: "compose docker-compose podman-compose",
		options: "f:compose file:compose p: project-name: profile: env-file: project-directory: ansi: parallel: progress: compatibility dry-run verbose all-resources H: host: c: context:",
		commands: []*command{
			{names: "exec", options: execOptions, operands: "- command"},
			{names: "run", options: execOptions + "build cap-add: cap-drop: entrypoint:entrypoint l: label: name: no-deps p: publish: " +
				"P service-ports pull: q quiet quiet-build quiet-pull remove-orphans rm use-aliases v: volume:", operands: "- command"},
		}}
}

// registryTools are the tools that read and write registries.
func registryTools() []*command {
	return []*command{craneCommand(), skopeoCommand(), cosignCommand(), regctlCommand(), orasCommand()}
}

// craneCommand follows
// https://github.com/google/go-containerregistry/tree/main/cmd/crane/doc.
func craneCommand() *command {
	const edit = "a: annotation: append: cmd: entrypoint: e: env: exposed-ports: l: label: o: output: r:output repo:output set-platform: t:output tag:output u: user: w: workdir: "
	return &command{names: "crane gcrane krane", options: "allow-nondistributable-artifacts insecure platform: v verbose h help", commands: []*command{
		{names: "append", options: "annotate b:pull base:pull f: new_layer: o: output: t:output new_tag:output", operands: "-*"},
		{names: "config", operands: "pull"},
		{names: "copy cp", options: "a all-tags n no-clobber j: jobs: r recursive", operands: "pull output"},
		{names: "digest", options: "full-ref tarball:local", operands: "pull"},
		{names: "export", operands: "pull -"},
		{names: "flatten", options: edit, operands: "pull"},
		{names: "index", commands: []*command{
			{names: "append", options: "docker-empty-base flatten m:pull manifest:pull t:output tag:output", operands: "pull"},
			{names: "filter", options: "t:output tag:output", operands: "pull"},
			{names: "list", operands: "pull"},
		}},
		{names: "manifest", options: "list", operands: "pull"},
		{names: "mutate", options: edit, operands: "pull"},
		{names: "pull", options: "annotate-ref c: cache_path: format:", operands: "pull* -"},
		{names: "push", options: "annotate-ref image-refs: index", operands: "- output"},
		{names: "rebase", options: "new_base:pull old_base:pull rebased:output t:output tag:output", operands: "pull"},
		{names: "tag", operands: "pull -"},
		{names: "validate", options: "fast remote:pull tarball:"},
	}}
}

// skopeoCommand follows https://github.com/containers/skopeo/tree/main/docs.
func skopeoCommand() *command {
	const access = "authfile: cert-dir: creds: daemon-host: no-creds no-tags n password: registry-token: retry-delay: retry-times: shared-blob-dir: " +
		"tls-verify username: config raw f: format: h help "
	const both = access + "additional-tag: a all dry-run dest-authfile: dest-cert-dir: dest-compress dest-compress-format: dest-compress-level: " +
		"dest-creds: dest-daemon-host: dest-decompress dest-force-compress-format dest-no-creds dest-oci-accept-uncompressed-layers " +
		"dest-password: dest-precompute-digests dest-registry-token: dest-shared-blob-dir: dest-tls-verify dest-username: " +
		"decryption-key: digestfile: encrypt-layer: encryption-key: image-parallel-copies: multi-arch: preserve-digests q quiet " +
		"remove-signatures sign-by: sign-by-sigstore: sign-by-sigstore-private-key: sign-by-sq-fingerprint: sign-identity: " +
		"sign-passphrase-file: src-authfile: src-cert-dir: src-creds: src-daemon-host: src-no-creds src-password: " +
		"src-registry-token: src-shared-blob-dir: src-tls-verify src-username: "
	return &command{names: "skopeo", options: "command-timeout: debug insecure-policy override-arch: override-os: override-variant: policy: " +
		"registries.d: registries-conf: require-signed tmpdir: user-agent-prefix: h help v version", commands: []*command{
		{names: "copy", options: both, operands: "docker docker-dest"},
		{names: "inspect", options: access, operands: "docker"},
		{names: "sync", options: both + "s:sync src:sync d: dest: scoped append-suffix: keep-going ", operands: "sync -"},
	}}
}

// cosignCommand follows https://github.com/sigstore/cosign/tree/main/doc. One
// list of options serves all subcommands.
func cosignCommand() *command {
	const options = "allow-http-registry allow-insecure-registry a: annotations: attachment: attachment-tag-prefix: base-image-only bundle: " +
		"ca-intermediates: ca-roots: cert: cert-chain: certificate: certificate-chain: certificate-github-workflow-name: " +
		"certificate-github-workflow-ref: certificate-github-workflow-repository: certificate-github-workflow-sha: " +
		"certificate-github-workflow-trigger: certificate-identity: certificate-identity-regexp: certificate-oidc-issuer: " +
		"certificate-oidc-issuer-regexp: check-claims experimental-oci11 f force fulcio-auth-flow: fulcio-url: h help identity-token: " +
		"insecure-ignore-sct insecure-ignore-tlog insecure-skip-verify issue-certificate k8s-keychain key: local-image!local " +
		"max-workers: new-bundle-format no-upload offline oidc-client-id: oidc-client-secret-file: oidc-disable-ambient-providers " +
		"oidc-issuer: oidc-provider: oidc-redirect-url: only: o: output: output-attestation: output-certificate: output-file: " +
		"output-payload: output-signature: payload: platform: policy: predicate: private-infrastructure record-creation-timestamp " +
		"r recursive registry-cacert: registry-client-cert: registry-client-key: registry-password: " +
		"registry-referrers-mode: registry-server-name: registry-token: registry-username: rekor-entry-type: rekor-url: " +
		"replace rfc3161-timestamp: rfc3161-timestamp-bundle: sct: sig-only sign-container-identity: signature: " +
		"signature-digest-algorithm: signing-algorithm: signing-config: sk slot: sbom: input-format: statement: timeout: t: " +
		"timestamp-certificate-chain: timestamp-client-cacert: timestamp-client-cert: timestamp-client-key: " +
		"timestamp-server-name: timestamp-server-url: tlog-upload trusted-root: type: upload use-signed-timestamps " +
		"use-signing-config d verbose y yes dir: "
	one := func(names string) *command { return &command{names: names, operands: "pull*"} }
	return &command{names: "cosign", options: options, commands: []*command{
		one("sign verify attest verify-attestation triangulate tree generate clean save"),
		{names: "copy", operands: "pull output"},
		{names: "download", commands: []*command{one("attestation sbom signature")}},
		{names: "attach", commands: []*command{one("attestation sbom signature")}},
	}}
}

// regctlCommand follows https://regclient.org/cli/regctl/.
func regctlCommand() *command {
	pull := func(names, options string) *command {
		return &command{names: names, options: "p: platform: format: list require-list d digest require-digest head " + options, operands: "pull -*"}
	}
	return &command{names: "regctl", options: "host: logopt: user-agent: v: verbosity: h help", commands: []*command{
		{names: "image", commands: []*command{
			pull("digest inspect config manifest export get-file ratelimit", "f: file: ref: name:"),
			pull("check-base", "base:pull base-digest: no-config quiet"),
			{names: "copy cp", options: "digest-tags fast force-recursive include-external p: platform: platforms: referrers referrers-src: referrers-tgt: format:", operands: "pull output"},
			{names: "import create", options: "annotation: base: created: label: media-type: name: subject: platform: format:", operands: "output -*"},
			{names: "mod", options: "create: replace annotation: annotation-base: annotation-promote label: rebase rebase-ref: file-tar-time: time: time-max: platform: config-entrypoint: config-cmd: env: layer-strip-file: to-oci to-docker", operands: "pull"},
		}},
		{names: "manifest", commands: []*command{
			pull("get head", ""),
			{names: "diff", operands: "pull pull"},
			{names: "put", options: "by-digest content-type: t: format:", operands: "output"},
		}},
		{names: "index", commands: []*command{
			{names: "create", options: "annotation: artifact-type: by-digest desc-annotation: desc-platform: digest: digest-tags media-type: m: platform: ref:pull referrers subject: format:", operands: "output"},
			{names: "add", options: "desc-annotation: desc-platform: digest: digest-tags platform: ref:pull referrers", operands: "output"},
		}},
	}}
}

// orasCommand follows https://oras.land/docs/commands/use_oras_cli. What oras
// moves are mostly artifacts other than images.
func orasCommand() *command {
	const options = "annotation: annotation-file: a: artifact-type: ca-file: cert-file: config: concurrency: d debug descriptor " +
		"distribution-spec: export-manifest: format: h help identity-token: identity-token-stdin include-subject insecure k keep-old-files allow-path-traversal " +
		"no-tty oci-layout!local o: output: p: password: password-stdin plain-http platform: registry-config: resolve: " +
		"image-spec: u: username: v verbose r recursive from-oci-layout to-oci-layout from-username: from-password: from-plain-http " +
		"from-insecure to-username: to-password: to-plain-http to-insecure from-registry-config: to-registry-config: " +
		"media-type: pretty l full-reference disable-path-validation "
	return &command{names: "oras", options: options, commands: []*command{
		{names: "pull discover resolve", operands: "low"},
		{names: "push", operands: "low-output -*"},
		{names: "attach", operands: "low -*"},
		{names: "copy cp", operands: "low low-output"},
		{names: "manifest", commands: []*command{{names: "fetch fetch-config", operands: "low"}, {names: "push", operands: "low-output -"}}},
	}}
}

// clusterTools are the clients of clusters and of nodes' runtimes.
func clusterTools() []*command {
	kubectl, crictl, ctr := kubectlCommand(), crictlCommand(), ctrCommand()
	nodes := []*command{kubectl, crictl, ctr}
	return []*command{kubectl, crictl, ctr, kindCommand(), k3dCommand(), minikubeCommand(kubectl),
		{names: "k3s rke2", commands: nodes},
		{names: "microk8s", commands: nodes},
	}
}

// kubectlCommand follows
// https://kubernetes.io/docs/reference/kubectl/generated/ and
// https://docs.redhat.com/en/documentation/openshift_container_platform (oc).
func kubectlCommand() *command {
	const file = "f:manifest filename:manifest R recursive k: kustomize: "
	const common = file + "all allow-missing-template-keys cascade dry-run field-manager: force force-conflicts grace-period: local " +
		"o: output: overwrite prune prune-allowlist: q quiet save-config l: selector: server-side show-managed-fields template: " +
		"timeout: validate record wait openapi-patch subresource: "
	const global = "as: as-group: as-uid: cache-dir: certificate-authority: client-certificate: client-key: cluster: config: context: " +
		"disable-compression insecure-skip-tls-verify kubeconfig: log-flush-frequency: loglevel: match-server-version n: " +
		"namespace: password: profile: profile-output: request-timeout: s: server: tls-server-name: token: user: username: " +
		"v: vmodule: warnings-as-errors h help "
	const created = common + "image:pull port: r: replicas: from: restart: schedule: "
	debug := &command{names: "debug", options: "arguments-only attach c: container: copy-to: custom: env: f: filename: image:pull image-pull-policy: " +
		"keep-annotations keep-init-containers keep-labels keep-liveness keep-readiness keep-startup profile: q quiet replace " +
		"same-node set-image:set share-processes i stdin target: t tty as-root as-user: node-name: no-stdin no-tty one-container to-namespace:", operands: "-* dashed"}
	info := func(names string) *command {
		return &command{names: names, options: "a: registry-config: filter-by-os: insecure o: output: icsp-file: idms-file: " +
			"file: path: confirm only-files to: command: tools commits pullspecs size digests image-for: verify", operands: "pull*"}
	}
	return &command{names: "kubectl oc", options: global, commands: []*command{
		{names: "apply replace", options: common},
		{names: "create", options: common, commands: []*command{
			{names: "deployment deploy deploymentconfig dc", options: created, operands: "-* dashed"},
			{names: "job cronjob cj", options: created, operands: "-* dashed"},
		}},
		{names: "run", options: created + "annotations: attach command env: expose image-pull-policy: labels: leave-stdin-open override-type: overrides: " +
			"pod-running-timeout: privileged rm i stdin t tty serviceaccount: requests: limits: generator: hostport:", operands: "-* dashed"},
		debug,
		{names: "exec", options: "c: container: f: filename: pod-running-timeout: q quiet i stdin t tty", operands: "-* dashed"},
		{names: "rsh", options: "c: container: shell: T no-tty t tty timeout:", operands: "- command"},
		{names: "set", commands: []*command{{names: "image", options: common + "source: containers:", operands: "set*"}}},
		{names: "rolling-update", options: common + "image:pull container: poll-interval: rollback update-period: image-pull-policy:", operands: "-*"},
		// oc
		{names: "import-image", options: common + "from:pull all confirm insecure reference-policy: scheduled request-timeout:", operands: "-"},
		{names: "new-app new-build", options: "docker-image:pull image:low"},
		{names: "image", commands: []*command{info("info extract"),
			{names: "mirror", options: "a: registry-config: dir: dry-run f: filename: filter-by-os: force from-dir: insecure keep-manifest-list max-per-registry: max-registry: s3-source-bucket: skip-missing skip-mount skip-multiple-scopes", operands: "pull output*"},
			{names: "append", options: "a: registry-config: from:pull to:output image: meta: created-at: drop-history dry-run filter-by-os: force insecure max-per-registry:", operands: "-*"},
		}},
		{names: "adm", commands: []*command{{names: "release", commands: []*command{info("info extract"),
			{names: "mirror", options: "a: registry-config: from:pull to: to-image-stream: to-release-image:output to-dir: dry-run apply-release-image-signature insecure"}}}}},
	}}
}

// crictlCommand follows
// https://github.com/kubernetes-sigs/cri-tools/blob/master/docs/crictl.md.
func crictlCommand() *command {
	return &command{names: "crictl", options: "c: config: D debug i: image-endpoint: r: runtime-endpoint: t: timeout:", commands: []*command{
		{names: "pull", options: "a: annotation: auth: creds: pod-config: pull-timeout: pt: u: username:", operands: "pull"},
		{names: "exec", options: "e: i interactive s sync t tty timeout: tls-sni:", operands: "- command"},
	}}
}

// ctrCommand follows https://github.com/containerd/containerd/tree/main/cmd/ctr.
func ctrCommand() *command {
	const fetch = "all-metadata all-platforms allow-non-distributable-blobs label: local manifest: manifest-type: max-concurrent-downloads: " +
		"max-concurrent-uploaded-layers: platform: print-chainid skip-metadata skip-verify sync-fs snapshotter: k plain-http u: user: " +
		"hosts-dir: tlscacert: tlscert: tlskey: http-dump http-trace refresh: rootfs!local "
	const run = fetch + "allow-new-privs annotation: apparmor-default-profile: apparmor-profile: cap-add: cap-drop: cgroup: cni config:local " +
		"container-type: cpu-period: cpu-quota: cpu-shares: cpus: cpuset-cpus: cpuset-mems: cwd: d detach device: env: env-file: fifo-dir: gidmap: gpus: " +
		"hostname: io: label: log-uri: memory-limit: mount: net-host no-pivot null-io pid-file: privileged privileged-without-host-devices " +
		"rdt-class: read-only remap-labels rm rootfs-propagation: runc-binary: runc-root: runc-systemd-cgroup runtime: " +
		"runtime-config-path: seccomp seccomp-profile: t tty uidmap: with-ns: "
	return &command{names: "ctr", options: "a: address: debug n: namespace: timeout: connect-timeout:", commands: []*command{
		{names: "images image i", commands: []*command{
			{names: "pull", options: fetch, operands: "pull"},
			{names: "push", options: fetch, operands: "output -"},
			{names: "tag", options: "force local skip-reference-check", operands: "- output*"},
		}},
		{names: "content", commands: []*command{{names: "fetch", options: fetch, operands: "pull"}}},
		{names: "run r", options: run, operands: "pull - command"},
		{names: "containers container c", commands: []*command{{names: "create", options: run, operands: "pull - command"}}},
	}}
}

// kindCommand follows https://kind.sigs.k8s.io/docs/user/quick-start/.
func kindCommand() *command {
	return &command{names: "kind", options: "q quiet v: verbosity:", commands: []*command{
		{names: "create", commands: []*command{{names: "cluster", options: "config: image:pull kubeconfig: n: name: retain wait:"}}},
		{names: "load", commands: []*command{{names: "docker-image", options: "n: name: nodes:", operands: "pull*"}}},
		{names: "build", commands: []*command{{names: "node-image", options: "arch: base-image:pull image:output kube-root: type:", operands: "-"}}},
	}}
}

// k3dCommand follows https://k3d.io/stable/usage/commands/.
func k3dCommand() *command {
	const options = "a: agents: agents-memory: api-port: c: config: e: env: gpus: host-alias: host-pid-mode i:pull image:pull k3s-arg: " +
		"k3s-node-label: kubeconfig-switch-context kubeconfig-update-default lb-config-override: network: no-image-volume " +
		"no-lb no-rollback p: port: registry-config: registry-create: registry-use: runtime-label: runtime-ulimit: s: servers: " +
		"servers-memory: subnet: timeout: token: v: volume: wait cluster: t: role: replicas: memory: default-network: proxy-password: " +
		"proxy-remote-url: proxy-username: delete-enabled no-help "
	create := []*command{{names: "create", options: options, operands: "-"}}
	return &command{names: "k3d", options: "timestamps trace verbose", commands: []*command{
		{names: "cluster", commands: create}, {names: "node", commands: create}, {names: "registry", commands: create},
		{names: "image images", commands: []*command{{names: "import load", options: "c: cluster: k keep-tarball t keep-tools m: mode:", operands: "pull*"}}},
	}}
}

// minikubeCommand follows https://minikube.sigs.k8s.io/docs/commands/.
func minikubeCommand(kubectl *command) *command {
	return &command{names: "minikube", options: "p: profile: b: bootstrapper: alsologtostderr v: logtostderr log_dir: log_file: stderrthreshold: user: rootless skip-audit one_output", commands: []*command{
		{names: "start", options: "base-image:pull driver: d: vm-driver: cpus: memory: addons: kubernetes-version: container-runtime: c: cni: nodes: n: " +
			"extra-config: feature-gates: insecure-registry: registry-mirror: wait: disk-size: network: mount-string: ports: apiserver-ips: apiserver-names:"},
		{names: "image", commands: []*command{
			{names: "load", options: "daemon overwrite pull remote", operands: "pull*"},
			{names: "pull", operands: "pull*"},
			{names: "push", operands: "output*"},
			{names: "tag", operands: "- output"},
			{names: "build", options: "t:output tag:output f:dockerfile file:dockerfile build-env: build-opt: push all n: node:", operands: "-"},
		}},
		{names: "cache", commands: []*command{{names: "add", options: "all", operands: "pull*"}}},
		{names: "ssh", options: "n: node: native-ssh", operands: "remote dashed"},
		{names: "kubectl", options: "ssh", commands: kubectl.commands},
	}}
}

// shells are the programs that read shell text.
func shells() []*command {
	return []*command{
		{names: "sh bash dash ash zsh ksh mksh", options: "c!script s!stdin o: O: rcfile: init-file: login norc noprofile posix restricted verbose " +
			"a b e f h i k l m n p r t u v x B C E H P T D", operands: "shell"},
		{names: "su runuser", options: "c:script command:script session-command:script l login m p preserve-environment f fast s: shell: g: group: G: supp-group: P pty u: user: w: whitelist-environment:", operands: "-* dashed login"},
		{names: "eval", operands: "eval"},
		{names: "trap", operands: "script -*"},
		{names: "script", options: "c:script command:script a e f q t: I: O: B: E: o: return flush append quiet", operands: "-*"},
		{names: "watch", options: "b beep c color d differences e errexit g chgexit n: interval: p precise q: equexit: t no-title w no-wrap x exec", operands: "eval"},
		{names: "ssh", options: "4 6 A a C f G g K k M N n q s T t V v X x Y y B: b: c: D: E: e: F: I: i: J: L: l: m: O: o: P: p: Q: R: S: W: w:", operands: "- remote"},
		{names: "nix-shell", options: "run:script command:script p: packages: pure A: I: attr:", operands: "-*"},
		{names: "vagrant", commands: []*command{{names: "ssh", options: "c:script command:script p plain no-tty", operands: "-*"}}},
	}
}

// wrappers are the programs that run the command behind their own options.
func wrappers() []*command {
	return []*command{
		{names: "sudo doas", options: "A askpass B bell b background C: close-from: D: chdir: E preserve-env g: group: H set-home h: host: i login K k " +
			"n non-interactive P preserve-groups p: prompt: R: chroot: r: role: S stdin s shell T: command-timeout: t: type: U: other-user: u: user: V v a:", operands: "command"},
		{names: "env", options: "i ignore-environment 0 null u: unset: C: chdir: S: split-string: v debug P:", operands: "command"},
		{names: "time", options: "a append f: format: o: output: p portability q quiet v verbose", operands: "command"},
		{names: "exec", options: "a: c l", operands: "command"},
		{names: "command", options: "p v V", operands: "command"},
		{names: "builtin nohup unbuffer chronic winpty eatmydata dbus-run-session fakeroot lima wsl setsid", options: "c ctty e f fork p v w wait", operands: "command"},
		// Functions with this name that scripts and test frameworks define.
		{names: "run retry travis_retry", options: "n: t: s: d: separate-stderr keep-empty-lines", operands: "command"},
		{names: "caffeinate", options: "d i m s u t: w:", operands: "command"},
		{names: "tini dumb-init", options: "c e: g p: r: s v w single-child rewrite: verbose", operands: "command"},
		{names: "nice", options: "n: adjustment:", operands: "command"},
		{names: "ionice", options: "c: class: n: classdata: p: pid: t ignore", operands: "command"},
		{names: "timeout gtimeout", options: "k: kill-after: s: signal: foreground preserve-status v verbose f p", operands: "- command"},
		{names: "stdbuf", options: "i: input: o: output: e: error:", operands: "command"},
		{names: "xargs gxargs", options: "0 null a: arg-file: d: delimiter: E: e I:replace i J:replace replace L: l max-lines: n: max-args: o open-tty " +
			"P: max-procs: p interactive R: r no-run-if-empty S: s: max-chars: t verbose x exit", operands: "command piped"},
		{names: "find", operands: "exec"},
		{names: "chroot", options: "groups: userspec: skip-chdir", operands: "- command"},
		{names: "nsenter", options: "a all t: target: m mount u uts i ipc n net p pid C cgroup U user T time S: setuid: G: setgid: preserve-credentials r root w wd W: wdns: F no-fork Z e env", operands: "command"},
		{names: "unshare", options: "m mount u uts i ipc n net p pid U user C cgroup T time f fork r map-root-user c map-current-user R: root: w: wd: S: setuid: G: setgid: mount-proc kill-child keep-caps propagation: setgroups:", operands: "command"},
		{names: "setpriv", options: "reuid: regid: ruid: rgid: groups: init-groups clear-groups keep-groups inh-caps: ambient-caps: bounding-set: no-new-privs reset-env", operands: "command"},
		{names: "taskset", options: "a all-tasks c: cpu-list:", operands: "command"},
		{names: "gosu su-exec", operands: "- command"},
		{names: "flock", options: "c:script command:script s shared x e exclusive u unlock n nb nonblock w: wait: timeout: E: conflict-exit-code: o close F no-fork verbose", operands: "- command"},
		{names: "strace ltrace", options: "f q C c d i k r t T v V x y a: b: E: e: I: O: o: P: p: S: s: u: trace: output:", operands: "command"},
		{names: "systemd-run", options: "user system scope u: unit: p: property: description: slice: uid: gid: nice: working-directory: d same-dir E: setenv: t pty P pipe q quiet G collect wait no-block r remain-after-exit on-active: on-calendar: M: machine: H: host: S shell", operands: "command"},
		{names: "systemd-inhibit", options: "what: who: why: mode: list", operands: "command"},
		{names: "xvfb-run", options: "a auto-servernum e: error-file: f: auth-file: l listen-tcp n: server-num: p: xauth-protocol: s: server-args: w: wait:", operands: "command"},
		{names: "multipass lxc incus colima limactl", commands: []*command{{names: "exec ssh shell", options: "n name: user: group: cwd: env: t T mode: p: profile: workdir: d:", operands: "-* dashed"}}},
	}
}

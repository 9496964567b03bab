//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// repository is a public repository at one commit, so that everybody measures
// the same files.
type repository struct{ name, commit string }

// repositories have about 35,000 files together: code for the most part, and
// beside it Dockerfiles, Compose files, manifests, charts and pipelines.
var repositories = []repository{
	{"docker/awesome-compose", "18f59bdb09ecf520dd5758fbf90dec314baec545"},
	{"getsentry/self-hosted", "89a143f8e4d396a858cf6f462a832ae7da9fd2db"},
	{"istio/istio", "86c9f01fd735fb01d8192f5bcaf0d424afb7f14c"},
	{"moby/buildkit", "73ed6825c4b7569379ef89df0aedcdbe64473d31"},
	{"onedr0p/home-ops", "d9078e4dd52174ad68a4408ca3398f731b2f889e"},
	{"open-telemetry/opentelemetry-demo", "054282e318317f2be09f67dd9b0d7d1278566cfa"},
	{"projectcalico/calico", "87c15906f20c4ca1fda55af92295e7678b0cc0b2"},
	{"rook/rook", "d0c3b9ce6d64ff0c47074437aab7314b7adf7f2c"},
	{"strimzi/strimzi-kafka-operator", "8541da1e336bdcda9647aeacfbc2048e57580a52"},
	{"tektoncd/pipeline", "3ee1745ae5b2d9175b11917d7c1935eaad44910c"},
}

// realTree is one repository that holds the files of all repositories, each in
// a folder of its own. It is assembled once.
func (b *bench) realTree(ctx context.Context) (string, error) {
	return b.once("repositories", func(dir string) error {
		for _, r := range repositories {
			fmt.Fprintf(b.stderr, "bench: fetch %s\n", r.name)
			if err := b.git(ctx, dir, "fetch", "-q", "--depth", "1", b.url(r), r.commit); err != nil {
				return err
			}
			if err := b.git(ctx, dir, "read-tree", "--prefix="+r.name+"/", r.commit); err != nil {
				return err
			}
		}
		return b.git(ctx, dir, "checkout-index", "--all", "--index")
	})
}

func (b *bench) url(r repository) string {
	if b.mirrors != "" {
		return filepath.Join(b.mirrors, filepath.FromSlash(r.name))
	}
	return "https://github.com/" + r.name
}

// once makes the tree of that name, unless it is there from a run before. One
// that was left half-made is made anew.
func (b *bench) once(name string, fill func(dir string) error) (string, error) {
	dir := filepath.Join(b.dir, name)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	half := dir + ".new"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	if err := os.MkdirAll(half, 0o755); err != nil {
		return "", err
	}
	if err := b.git(context.Background(), half, "init", "-q"); err != nil {
		return "", err
	}
	if err := fill(half); err != nil {
		return "", err
	}
	return dir, os.Rename(half, dir)
}

// git runs git without the settings of who runs it: a global ignore file, say,
// would be read for each listing.
func (b *bench) git(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), noGitSettings...)
	return b.do(cmd)
}

var noGitSettings = []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1"}

// files counts the files of a tree as git lists them.
func files(ctx context.Context, dir string) (int, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z")
	cmd.Dir = dir
	out, err := cmd.Output()
	return bytes.Count(out, []byte{0}), err
}

// generatedTree has n files as monorepos have them: code for the most part, and
// of twenty files one each is a manifest, a values file, a Dockerfile, and a
// Compose file.
func (b *bench) generatedTree(ctx context.Context, n int) (string, error) {
	return b.once(fmt.Sprintf("generated-%d", n), func(dir string) error {
		for i := range n {
			if err := generate(dir, i); err != nil {
				return err
			}
		}
		// The index lists the files; half a million objects are not needed.
		return b.git(ctx, dir, "add", "--intent-to-add", ".")
	})
}

// generate writes the file number i.
func generate(dir string, i int) error {
	folder := filepath.Join(dir, fmt.Sprintf("team%03d", i/2000), fmt.Sprintf("app%02d", i/40%50))
	if i%40 == 0 {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	name, text := generated(i)
	return os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644)
}

func generated(i int) (name, text string) {
	switch i % 20 {
	case 0:
		return fmt.Sprintf("deploy%d.yaml", i), fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: app%d
spec:
  template:
    spec:
      containers:
        - name: web
          image: registry.example.com/team/app:1.%d
          ports: [{containerPort: 8080}]
`, i, i%90)
	case 1:
		return fmt.Sprintf("values%d.yaml", i), fmt.Sprintf(`replicaCount: 1
image:
  repository: registry.example.com/team/app%d
  tag: "1.%d"
`, i%1000, i%90)
	case 2:
		return fmt.Sprintf("Dockerfile.%d", i), fmt.Sprintf(`FROM golang:1.%d AS build
WORKDIR /src
COPY . .
RUN go build -o /app .
FROM gcr.io/distroless/static
COPY --from=build /app /app
`, i%30)
	case 3:
		return fmt.Sprintf("compose%d.yaml", i), fmt.Sprintf(`services:
  db:
    image: postgres:%d
  web:
    build: .
    image: app%d
`, i%20, i)
	}
	const line = "func handler(w http.ResponseWriter, r *http.Request) { log.Println(r.URL.Path) }\n"
	return fmt.Sprintf("file%d.go", i), strings.Repeat(line, 5+i%40)
}

package lint

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/digestlint/digestlint/rules"
)

// writeTree makes a tree of n files as monorepos have them: source code for the
// most part, a tenth each of manifests, values, pipelines and Dockerfiles.
func writeTree(tb testing.TB, n int) string {
	tb.Helper()
	root := tb.TempDir()
	code := make([]byte, 0, 6<<10)
	for len(code) < 6<<10 {
		code = append(code, "func handler(w http.ResponseWriter, r *http.Request) { log.Println(r.URL.Path) }\n"...)
	}
	for i := range n {
		dir := filepath.Join(root, fmt.Sprintf("team%02d", i%40), fmt.Sprintf("app%03d", i%400))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
		name, data := fmt.Sprintf("file%d.go", i), code[:500+i%5500]
		switch i % 20 {
		case 0:
			name, data = fmt.Sprintf("deploy%d.yaml", i), fmt.Appendf(nil, manifest, i, i, i%90)
		case 1:
			name, data = fmt.Sprintf("values%d.yaml", i), fmt.Appendf(nil, values, i, i)
		case 2:
			name, data = fmt.Sprintf("Dockerfile.%d", i), fmt.Appendf(nil, dockerfile, i%30, i)
		case 3:
			name, data = fmt.Sprintf("compose%d.yaml", i), fmt.Appendf(nil, compose, i%20, i)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			tb.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return root
}

const (
	manifest = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: app%d
  labels: {app: app%d}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: web
          image: registry.example.com/team/app:1.%d
          ports: [{containerPort: 8080}]
          resources: {limits: {cpu: 100m, memory: 128Mi}}
`
	values = `replicaCount: 1
image:
  repository: registry.example.com/app%d
  tag: "%d"
service: {type: ClusterIP, port: 80}
`
	dockerfile = `FROM golang:1.%d AS build
WORKDIR /src
COPY . .
RUN go build -o /app ./cmd/app%d
FROM gcr.io/distroless/static
COPY --from=build /app /app
`
	compose = `services:
  db:
    image: postgres:%d
  web:
    build: .
    image: app%d
`
)

const treeFiles = 20_000

// BenchmarkCheck is a whole check of a tree; BenchmarkRipgrep is ripgrep reading
// the same files, the floor that it is measured against.
func BenchmarkCheck(b *testing.B) {
	root := writeTree(b, treeFiles)
	b.ReportAllocs()
	for b.Loop() {
		res, err := Run(b.Context(), Options{Paths: []string{root}, Rules: rules.All()})
		if err != nil {
			b.Fatal(err)
		}
		if res.Summary.References == 0 {
			b.Fatal("nothing was found")
		}
	}
	b.ReportMetric(treeFiles*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

func BenchmarkRipgrep(b *testing.B) {
	rg, err := exec.LookPath("rg")
	if err != nil {
		b.Skip("ripgrep is not installed")
	}
	root := writeTree(b, treeFiles)
	for b.Loop() {
		cmd := exec.Command(rg, "-c", "--hidden", "--glob", "!.git", "image:", root)
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(treeFiles*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

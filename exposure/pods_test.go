package exposure

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadPods(t *testing.T) { readFixtures(t, "pods", ReadPods) }

// What ReadPods reads may be given to ReadImages as well.
func TestReadImagesOfPods(t *testing.T) {
	for _, file := range []string{"pods.json", "pods-raw.json", "events.json", "nodes.json", "workloads.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "pods", file))
		if err != nil {
			t.Fatal(err)
		}
		pods, images := readString(t, ReadPods, string(text), "index "+appIndex), readString(t, ReadImages, string(text), "index "+appIndex)
		images.Sources[0].Kind = "pods"
		if got, want := describe(images), describe(pods); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestReadPodsYAML(t *testing.T) {
	r := readString(t, ReadPods, "apiVersion: v1\nitems:\n- kind: Pod\n")
	if len(r.Errors) == 0 || !strings.Contains(r.Errors[0].Error(), "`kubectl get pods --all-namespaces -o json`") {
		t.Errorf("%s", describe(r))
	}
}

func TestRuntimeImage(t *testing.T) {
	for ref, want := range map[string][2]string{
		"":                                       {},
		"docker.io/acme/app@" + appIndex:         {appIndex, ""},
		"docker-pullable://acme/app@" + appIndex: {appIndex, ""},
		"docker://" + appConfig:                  {"", appConfig},
		appConfig:                                {"", appConfig},
		strings.TrimPrefix(appConfig, "sha256:"): {"", appConfig},
		"docker.io/acme/app:multi":               {},
		"docker.io/acme/app@sha256:28778772":     {},
	} {
		if digest, id := runtimeImage(ref); digest != want[0] || id != want[1] {
			t.Errorf("%q: got %q, %q, want %q", ref, digest, id, want)
		}
	}
}

func TestPulledImage(t *testing.T) {
	for message, want := range map[string]string{
		`Successfully pulled image "a:1" in 1.2s (1.2s including waiting). Image size: 7 bytes.`: "a:1 pulled",
		`Successfully pulled image "a:1"`:                                                 "a:1 pulled",
		`Container image "a:1" already present on machine`:                                "a:1 there",
		`Container image "a:1" already present on machine and can be accessed by the pod`: "a:1 there",
		`Container image "a:1" is not present with pull policy of Never`:                  " there",
		`Pulling image "a:1"`:                   " there",
		`Failed to pull image "a:1": not found`: " there",
		`Successfully pulled image "a:1`:        " there",
		`Successfully pulled image a:1`:         " there",
	} {
		name, pulled := pulledImage(message)
		got := name + " there"
		if pulled {
			got = name + " pulled"
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", message, got, want)
		}
	}
}

func TestSecretName(t *testing.T) {
	for name, want := range map[string]bool{
		"GITHUB_TOKEN": true, "aws_secret_access_key": true, "DB_PASSWORD": true, "DATABASE_URL": true, "PATH": false, "LOG_LEVEL": false, "": false,
	} {
		if secretName(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}

// podList writes what kubectl prints of n pods, the one at listed with a listed
// digest.
func podList(w io.Writer, n, listed int) {
	io.WriteString(w, "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n")
	// What else an object holds: annotations, conditions, volumes.
	filler := strings.Repeat(`"example.com/`+strings.Repeat("k", 40)+`": "`+strings.Repeat("v", 400)+`",`+"\n                    ", 80)
	for i := range n {
		digest := goodDigest
		if i == listed {
			digest = appIndex
		}
		if i > 0 {
			io.WriteString(w, ",\n")
		}
		fmt.Fprintf(w, `        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "annotations": {
                    %s"a": "b"
                },
                "name": "scan-%d",
                "namespace": "ci"
            },
            "spec": {"containers": [{"name": "scan", "image": "acme/app:multi", "imagePullPolicy": "Always"}], "nodeName": "node-1"},
            "status": {
                "containerStatuses": [{"name": "scan", "image": "docker.io/acme/app:multi", "imageID": "docker.io/acme/app@%s", "state": {"running": {"startedAt": "2026-11-24T00:10:00Z"}}}]
            }
        }`, filler, i, digest)
	}
	io.WriteString(w, "\n    ],\n    \"kind\": \"List\"\n}\n")
}

// pipe is what write writes, without its being in memory.
func pipe(write func(io.Writer)) io.Reader {
	r, w := io.Pipe()
	go func() {
		write(w)
		w.Close()
	}()
	return r
}

// A list is read object by object, whatever its size.
func TestReadPodsStreams(t *testing.T) {
	const pods = 1000 // 40 MB
	var peak uint64
	count := 0
	watched := readerFunc(func(r io.Reader) func([]byte) (int, error) {
		return func(p []byte) (int, error) {
			if count++; count%200 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			return r.Read(p)
		}
	}(pipe(func(w io.Writer) { podList(w, pods, 777) })))
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rec := NewRecorder(fixtureSet(t, "index "+appIndex))
	if err := ReadPods(context.Background(), "pods.json", watched, rec); err != nil {
		t.Fatal(err)
	}
	r := rec.Report(time.Time{})
	if len(r.Traces) != 1 || r.Traces[0].Place.Pod != "scan-777" || r.Sources[0].Items != pods || r.Sources[0].Unit != "pods" || len(r.Errors) > 0 {
		t.Errorf("%s", describe(r))
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 20<<20 {
		t.Errorf("%d MB of memory for a list of %d MB", grown>>20, 40)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func BenchmarkReadPods(b *testing.B) {
	var list bytes.Buffer
	podList(&list, 500, 7)
	set := fixtureSet(b, "index "+appIndex)
	b.SetBytes(int64(list.Len()))
	for b.Loop() {
		rec := NewRecorder(set)
		if err := ReadPods(context.Background(), "pods.json", bytes.NewReader(list.Bytes()), rec); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReadPods(f *testing.F) {
	files, err := filepath.Glob("testdata/pods/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	set := fixtureSet(f, "index "+appIndex, "config "+appConfig)
	f.Fuzz(func(t *testing.T, text []byte) { fuzzReader(t, ReadPods, set, text) })
}

// Neither a document nor a list is lost to what stands before it.
func TestDocuments(t *testing.T) {
	const pod = `{"kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"acme/app@` + appIndex + `"}]}}`
	for _, test := range []struct {
		text  string
		lines []int
		bad   int
	}{
		{pod, []int{1}, 0},
		{pod + pod + "\n" + pod, []int{1, 2}, 0}, // the second is the same trace as the first
		{"\n\n  [" + pod + "\n,\n" + pod + "]", []int{3, 5}, 0},
		{`{"kind":"PodList","items":[` + strings.Replace(pod, `"kind":"Pod",`, "", 1) + `]}`, []int{1}, 0},
		{`{"items":[` + pod + `],"kind":"List","metadata":{"items":"}"}}` + "\n" + pod, []int{1, 2}, 0},
		{`{"items":[],"kind":"List"}`, nil, 0},
		{`{"items":null,"kind":"List"}`, nil, 0},
		{`[]`, nil, 0},
		{`{}`, nil, 1},
		{`[` + pod + `,{"kind":"P\"]}\\"},` + "\n" + pod + `]`, []int{1, 2}, 0},
		{`[` + pod + ` x ` + pod + "]\n" + pod, []int{1, 2}, 1},
		{`{"a" 1}` + "\n" + pod, []int{2}, 1},
		{`{"a":}` + "\n" + pod, []int{2}, 1},
		{`{"a":"` + "\n" + pod, []int{2}, 1},
		{`{"items":[{"a":"` + "\n" + pod, []int{2}, 1},
		{`{"kind":"Pod","spec":`, nil, 1},
		{`[`, nil, 1},
		{`{"kind":"Pod","spec":{"containers":[{"image":"\ud800"}]}}`, nil, 1},
	} {
		r := readString(t, ReadPods, test.text, "index "+appIndex)
		var lines []int
		for _, trace := range r.Traces {
			lines = append(lines, trace.Place.Line)
		}
		if !slices.Equal(lines, test.lines) || len(r.Errors) != test.bad {
			t.Errorf("%s\nlines %v, want %v; errors %v, want %d", test.text, lines, test.lines, r.Errors, test.bad)
		}
	}
}

package organisation

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// stored is an image of a machine.
type stored struct {
	what     string
	verdict  Verdict
	advisory string
	name     string // with its tag
	digest   string // empty where the store knows none
}

// writeImages writes the lists of three machines. In the third there is
// nothing.
func writeImages(o *Organisation, dir string, _ Size, rng *rand.Rand) error {
	lists := []struct {
		file   string
		print  func([]stored, *rand.Rand) ([]byte, error)
		images []stored
	}{
		{"runner-1-docker-images.txt", dockerImages, []stored{
			{"bad digest in Docker's table", Confirmed, kicsIncident, "registry.acme.example/hub/checkmarx/kics:latest", kicsLatestIndex},
			{"bad tag without a digest in Docker's table", Possible, kicsIncident, "checkmarx/kics:v2.1.20", ""},
			{"good digest of the same image in Docker's table", Nothing, "", "checkmarx/kics:debian", kicsGood},
			{"another digest in Docker's table", Nothing, "", "checkmarx/kics:alpine", digest(rng)},
			{"another owner in Docker's table", Nothing, "", "acme/kics:latest", ""},
			{"another tag in Docker's table", Nothing, "", "checkmarx/kics:v2.1.19", ""},
		}},
		{"runner-2-podman-images.json", podmanImages, []stored{
			{"bad manifest in podman's list", Confirmed, trivySecond, "docker.io/aquasec/trivy:0.69.6", trivy6AMD64},
			{"good digest in podman's list", Nothing, "", "docker.io/aquasec/trivy:0.69.3", trivyGood},
			{"another digest in podman's list", Nothing, "", "docker.io/checkmarx/kics:latest", digest(rng)},
			{"digest off by one digit in podman's list", Nothing, "", "docker.io/checkmarx/kics:v2.1.21", almost(kicsIndex)},
			{"another registry in podman's list", Nothing, "", "quay.io/checkmarx/kics:latest", digest(rng)},
		}},
		{"node-7-crictl-images.json", crictlImages, []stored{
			{"", Clear, "", "", ""},
			{"good digest in crictl's list", Nothing, "", "docker.io/checkmarx/kics:latest", kicsGood},
			{"another digest in crictl's list", Nothing, "", "docker.io/checkmarx/kics:v2.1.20", digest(rng)},
			{"another tag in crictl's list", Nothing, "", "docker.io/aquasec/trivy:0.70.0", digest(rng)},
			{"another name in crictl's list", Nothing, "", "docker.io/checkmarx/kics-github-action:latest", digest(rng)},
		}},
	}
	for _, l := range lists {
		path := filepath.Join(dir, l.file)
		o.Images = append(o.Images, path)
		var all []stored
		for _, s := range l.images {
			if s.verdict == Clear {
				o.Spots = append(o.Spots, &Spot{What: "list without a bad image: " + l.file, Verdict: Clear, Places: []Place{{Evidence: path}}})
				continue
			}
			o.Spots = append(o.Spots, &Spot{
				What: "image: " + s.what, Verdict: s.verdict, Advisory: s.advisory, Places: []Place{{Evidence: path, Object: s.name}},
			})
			all = append(all, s)
			for range 8 {
				all = append(all, stored{name: fmt.Sprintf("registry.acme.example/%s/%s:%d.%d", pick(rng, words), pick(rng, words), rng.IntN(9), rng.IntN(90)), digest: digest(rng)})
			}
		}
		data, err := l.print(all, rng)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (s stored) split() (repository, tag string) {
	at := strings.LastIndexByte(s.name, ':')
	return s.name[:at], s.name[at+1:]
}

// dockerImages is "docker images --digests".
func dockerImages(all []stored, rng *rand.Rand) ([]byte, error) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "REPOSITORY\tTAG\tDIGEST\tIMAGE ID\tCREATED\tSIZE")
	for _, s := range all {
		repository, tag := s.split()
		digest := s.digest
		if digest == "" {
			digest = "<none>"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%012x\t%d months ago\t%dMB\n", repository, tag, digest, rng.Uint64()>>16, 2+rng.IntN(9), 10+rng.IntN(900))
	}
	err := w.Flush()
	return []byte(b.String()), err
}

// podmanImages is "podman images --format json". The names that an image had
// before are in its history.
func podmanImages(all []stored, rng *rand.Rand) ([]byte, error) {
	var list []object
	for _, s := range all {
		repository, _ := s.split()
		list = append(list, object{
			"Id": strings.TrimPrefix(digest(rng), "sha256:"), "ParentId": "", "RepoTags": nil, "RepoDigests": []string{repository + "@" + s.digest, repository + "@" + digest(rng)},
			"Size": 61248211, "Names": []string{s.name}, "Digest": s.digest, "History": []string{s.name, "docker.io/checkmarx/kics:v2.1.21"},
			"Containers": 0, "Created": 1776861300, "CreatedAt": "2026-04-22T12:35:00Z",
		})
	}
	return json.MarshalIndent(list, "", "    ")
}

// crictlImages is "crictl images -o json".
func crictlImages(all []stored, rng *rand.Rand) ([]byte, error) {
	var list []object
	for _, s := range all {
		repository, _ := s.split()
		list = append(list, object{
			"id": digest(rng), "repoTags": []string{s.name}, "repoDigests": []string{repository + "@" + s.digest}, "size": "61248211",
			"uid": nil, "username": "", "spec": nil, "pinned": false,
		})
	}
	return json.MarshalIndent(object{"images": list}, "", "  ")
}

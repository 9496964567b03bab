package advisories

import (
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/image"
)

func ref(t *testing.T, s string) image.Reference {
	t.Helper()
	r, err := image.Parse(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return r
}

// TestCounts holds the number of facts of each kind in each file, counted in
// the material that the files were made from.
func TestCounts(t *testing.T) {
	type counts struct{ repositories, names, windows, digests, digestTags, good, indicators, references int }
	want := map[string]counts{
		"DL-2018-0001": {repositories: 1, references: 2},
		"DL-2019-0001": {repositories: 3, references: 1},
		"DL-2020-0001": {repositories: 1, names: 1, windows: 1, good: 1, references: 1},
		"DL-2021-0001": {repositories: 3, references: 2},
		"DL-2023-0001": {repositories: 7, references: 2},
		"DL-2023-0002": {repositories: 1, references: 2},
		"DL-2023-0003": {repositories: 7, references: 1},
		"DL-2023-0004": {repositories: 3, names: 2, windows: 1, references: 1},
		"DL-2024-0001": {1, 3, 3, 1, 1, 3, 3, 5},
		"DL-2024-0002": {4, 22, 12, 36, 26, 1, 0, 4},
		"DL-2025-0001": {repositories: 1, indicators: 1, references: 2},
		"DL-2025-0002": {repositories: 1, references: 2},
		"DL-2026-0001": {2, 7, 21, 9, 21, 2, 5, 5},
		"DL-2026-0002": {4, 2, 4, 6, 6, 2, 4, 5},
		"DL-2026-0003": {4, 4, 7, 10, 15, 0, 0, 5},
		// 148 tags of 80 digests (two of them without a tag), 11 rows without
		// a digest; one window each.
		"DL-2026-0004": {1, 159, 159, 80, 148, 1, 1, 2},
	}
	found, digests := 0, 0
	for _, a := range All() {
		want, ok := want[a.ID]
		if !ok {
			continue
		}
		found++
		var got counts
		got.repositories = len(a.Repositories)
		for _, s := range a.Tags {
			got.names += len(s.Names)
			got.windows += len(s.Names) * len(s.Windows)
		}
		got.digests = len(a.Digests)
		for _, d := range a.Digests {
			got.digestTags += len(d.Tags)
		}
		got.good, got.indicators, got.references = len(a.KnownGood), len(a.Indicators), len(a.References)
		if got != want {
			t.Errorf("%s: %+v, want %+v", a.ID, got, want)
		}
		for _, d := range a.Digests {
			if h, ok := LookupDigest(d.Digest); ok && h.Advisory == a {
				digests++
			}
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d advisories", found, len(want))
	}
	if digests != 9+6+10+80+1+36 {
		t.Errorf("%d digests are found", digests)
	}
}

func TestAllIsSortedAndNamedAfterItsFiles(t *testing.T) {
	dir, err := files.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range All() {
		if want := a.ID + ".txt"; dir[i].Name() != want {
			t.Errorf("%s holds %s", dir[i].Name(), a.ID)
		}
		if i > 0 && All()[i-1].ID >= a.ID {
			t.Errorf("%s stands before %s", All()[i-1].ID, a.ID)
		}
	}
}

func TestSeeNamesAdvisories(t *testing.T) {
	for _, a := range All() {
		for _, id := range a.See {
			if !slices.ContainsFunc(All(), func(o *Advisory) bool { return o.ID == id }) {
				t.Errorf("%s: no advisory %s", a.ID, id)
			}
		}
	}
}

func TestLookupDigest(t *testing.T) {
	for _, c := range []struct {
		digest, id, platform, tags string
		kind                       Kind
		grade                      Grade
	}{
		{"2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d", "DL-2026-0001", "", "alpine v2.1.20 v2.1.21", Index, Confirmed},
		{"7391b531a07fccbbeaf59a488e1376cfe5b27aef757430a36d6d3a087c610322", "DL-2026-0001", "linux/arm64", "latest", Manifest, Confirmed},
		{"cc464a3961e1dbe145c75343b55c2f446e08b821782ec993728c4222b0d85589", "DL-2026-0002", "", "0.69.4", Signature, Reported},
		{"f69a8a4180c43fc427532ddde34a256acbd041a0a07844cf7e4d3e0434e5bcd1", "DL-2026-0003", "linux/amd64", "0.69.5", Manifest, Reported},
		{"a015130db8f4bec722d0a87cd7be4b7f4c6fbb7b940ed982c23c42752f149612", "DL-2026-0004", "", "", UnknownKind, Confirmed},
		{"a00659df0771d076fc9d0baf1f2f45e81ec9f13179f499d4cd940f57afc75d43", "DL-2024-0001", "", "3.4.0", UnknownKind, Reported},
		{"16cc2b09c44d991d36f63153f13a7c98fb7da6bd2ba9d7cc0f48baacb7484970", "DL-2024-0002", "", "experimental-20240311", Index, Reported},
		{"86090b316ad096e53c81f91e94ac2ae95c2f28feee10ce8ec32aa573d8263021", "DL-2024-0002", "linux/amd64", "latest", Manifest, Reported},
	} {
		for _, digest := range []string{"sha256:" + c.digest, "sha256:" + strings.ToUpper(c.digest)} {
			h, ok := LookupDigest(digest)
			if !ok {
				t.Errorf("%s is not listed", digest)
				continue
			}
			d := h.Digest
			if h.Advisory.ID != c.id || d.Kind != c.kind || d.Platform != c.platform || strings.Join(d.Tags, " ") != c.tags || d.Certainty.Grade != c.grade {
				t.Errorf("%s: %s %+v", digest, h.Advisory.ID, d)
			}
		}
	}
}

// TestNotListed has digests that stand near the listed ones in their sources,
// and strings that are no digest.
func TestNotListed(t *testing.T) {
	for _, digest := range []string{
		"sha256:776c6ef3e9e74719948bdc15067f3ea77a0a1eb52319ca1678d871d280ab395c", // a hash of config.json
		"sha256:243521c5a6cd930662c078eec5f83156663f3197cf12158ce60e0a0f9d0a3eb6", // a layer
		"sha256:2a6a35f06118ff7d61bfd36a5788557b695095e7c9a609b4a01956883f146f50", // an executable
		"sha256:8c02dbe4faa999b588e873cc1759dd9b340f39daf4d7aabdb2c1a87cdc586459", // riscv64/debian:sid-20240311
		"sha256:ccb33c3ac5b02588fc1d9e4fc09b952e433d0c54d8618d0ee1afadf1f3cf2455", // debian:bookworm-20240311-slim
		"", "sha256:", "2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d",
		"sha512:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d",
		"sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230",
		"sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230g",
	} {
		if h, ok := LookupDigest(digest); ok {
			t.Errorf("%s is listed in %s", digest, h.Advisory.ID)
		}
	}
}

// TestNoDigestIsGoodAndBad covers what Parse cannot see: two files that
// contradict each other.
func TestNoDigestIsGoodAndBad(t *testing.T) {
	seen := map[string]string{}
	for _, a := range All() {
		for _, d := range a.Digests {
			if other := seen[d.Digest]; other != "" {
				t.Errorf("%s is in %s and %s", d.Digest, other, a.ID)
			}
			seen[d.Digest] = a.ID
		}
	}
	for _, a := range All() {
		for _, g := range a.KnownGood {
			if h, ok := LookupDigest(g.Digest); ok {
				t.Errorf("%s calls %s good, %s lists it", a.ID, g.Digest, h.Advisory.ID)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct{ ref, want string }{
		// Created by the attacker, withdrawn, permanent, malicious.
		{"checkmarx/kics:v2.1.21", "DL-2026-0001 never created-by-attacker confirmed"},
		{"index.docker.io/checkmarx/kics:v2.1.21-debian", "DL-2026-0001 never created-by-attacker confirmed"},
		{"aquasec/trivy:0.69.4", "DL-2026-0002 never created-by-attacker confirmed"},
		{"ghcr.io/aquasecurity/trivy:0.69.4", "DL-2026-0002 never created-by-attacker confirmed"},
		{"public.ecr.aws/aquasecurity/trivy:0.69.4", "DL-2026-0002 never created-by-attacker confirmed"},
		{"aquasec/trivy:0.69.6", "DL-2026-0003 never created-by-attacker confirmed"},
		{"kong/kubernetes-ingress-controller:3.4.0", "DL-2024-0001 never withdrawn confirmed"},
		{"harbor2.vantage6.ai/infrastructure/node:5.0", "DL-2026-0004 never withdrawn confirmed"},
		{"harbor2.vantage6.ai/test-private/average", "DL-2026-0004 never withdrawn confirmed"},
		{"harbor2.vantage6.ai/a/b/c:1", "DL-2026-0004 never withdrawn confirmed"},
		{"debian:sid-20240311", "DL-2024-0002 never permanent confirmed"},
		{"docker.io/library/debian:rc-buggy-20240311", "DL-2024-0002 never permanent confirmed"},
		{"amd64/debian:testing-20240311-slim", "DL-2024-0002 never permanent inferred"},
		{"ghrc.io/owner/app:1", "DL-2025-0001 never malicious confirmed"},
		{"ghrc.io/app", "DL-2025-0001 never malicious confirmed"},
		{"yenik65958/secret:other", "DL-2025-0002 never malicious confirmed"},
		{"docker123321/tomcat", "DL-2018-0001 never malicious confirmed"},
		{"gakeaws/mysql:5.6", "DL-2019-0001 never malicious reported"},
		{"pausehubs/pause", "DL-2023-0001 never malicious reported"},
		{"robbertignacio328832/oracleiv_latest", "DL-2023-0002 never malicious confirmed"},
		{"alpineos/dockerapi", "DL-2023-0003 never malicious reported"},
		{"fuhou/borg", "DL-2021-0001 never malicious reported"},
		// Overwritten and restored.
		{"checkmarx/kics", "DL-2026-0001 window overwritten confirmed"},
		{"checkmarx/kics:v2.1.20-debian", "DL-2026-0001 window overwritten confirmed"},
		{"aquasec/trivy", "DL-2026-0002 window overwritten confirmed, DL-2026-0003 window overwritten confirmed"},
		{"kong/kubernetes-ingress-controller:3.4", "DL-2024-0001 window overwritten inferred"},
		{"debian:trixie-backports", "DL-2024-0002 window overwritten confirmed"},
		{"eugenci/papermerge", "DL-2020-0001 window overwritten confirmed"},
		// Disputed.
		{"ghcr.io/aquasecurity/trivy:0.69.5", "DL-2026-0003 never created-by-attacker disputed"},
		{"public.ecr.aws/aquasecurity/trivy", "DL-2026-0002 window overwritten confirmed, DL-2026-0003 window overwritten disputed"},
		// Exposure only.
		{"quay.io/skopeo/stable", "DL-2023-0004 exposure exposed inferred"},
		{"quay.io/skopeo/stable:v1.13.1", "DL-2023-0004 exposure exposed confirmed"},
		{"quay.io/buildah/stable:v1.23.3", "DL-2023-0004 exposure exposed confirmed"},
		{"quay.io/podman/hello", "DL-2023-0004 exposure exposed confirmed"},
		{"vuls/fvuls", "DL-2026-0003 exposure exposed reported"},
		// Mirrors.
		{"mirror.gcr.io/checkmarx/kics:v2.1.21", "DL-2026-0001 never created-by-attacker inferred mirror"},
		{"mirror.gcr.io/aquasec/trivy:0.69.6", "DL-2026-0003 never created-by-attacker reported mirror"},
		{"mirror.gcr.io/kong/kubernetes-ingress-controller:3.4.0", "DL-2024-0001 never withdrawn inferred mirror"},
		{"mirror.gcr.io/docker123321/tomcat", "DL-2018-0001 never malicious inferred mirror"},
		{"public.ecr.aws/docker/library/debian:sid-20240311", "DL-2024-0002 never permanent inferred mirror"},
		{"registry.corp/dockerhub/checkmarx/kics:v2.1.21", "DL-2026-0001 never created-by-attacker inferred mirror"},
		{"registry.corp:5000/checkmarx/kics", "DL-2026-0001 window overwritten inferred mirror"},
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/aquasec/trivy:0.69.4", "DL-2026-0002 never created-by-attacker inferred mirror"},
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/debian:sid-20240311", "DL-2024-0002 never permanent inferred mirror"},
		{"gitlab.example/group/dependency_proxy/containers/debian:sid-20240311", "DL-2024-0002 never permanent inferred mirror"},
		{"ghcr.io/org/mirror/aquasec/trivy:0.69.4", "DL-2026-0002 never created-by-attacker inferred mirror"},
		// No match.
		{"riscv64/debian:sid-20240311", ""},
		{"debian:bookworm-20240311-slim", ""},
		{"debian:sid-20240330", ""},
		{"debian", ""},
		{"registry.corp/library/debian:sid-20240311", ""},
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/library/debian:sid-20240311", ""},
		{"registry.corp/dockerhub/notcheckmarx/kics:v2.1.21", ""},
		{"registry.corp/checkmarx/kics/extra:v2.1.21", ""},
		{"registry.corp/docker123321/tomcat", ""},
		{"ghcr.io/checkmarx/kics:latest", ""},
		{"checkmarx/kics:v2.1.19", ""},
		{"checkmarx/kics:V2.1.21", ""},
		{"aquasec/trivy:0.69.3", ""},
		{"aquasec/trivy-operator:0.69.4", ""},
		{"ghcr.io/owner/app", ""},
		{"quay.io/skopeo/stable:v1.13.2", ""},
		{"quay.io/skopeo/stable:v1.2.9", ""},
		{"quay.io/buildah/stable:v1.32.0-rc1", ""},
		{"controlplane/sectools", ""},
		{"nginx", ""},
		// A digest decides, whichever it is.
		{"checkmarx/kics:v2.1.21@sha256:3e5a268eb8adda2e5a483c9359ddfc4cd520ab856a7076dc0b1d8784a37e2602", ""},
		{"checkmarx/kics:latest@sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d", ""},
	} {
		var got []string
		for _, h := range Match(ref(t, c.ref)) {
			s := strings.Join([]string{h.Advisory.ID, h.Verdict.String(), h.State.String(), h.Certainty.Grade.String()}, " ")
			if h.Mirror {
				s += " mirror"
			}
			if h.Disputed() != (h.Certainty.Grade == Disputed) {
				t.Errorf("%s: disputed is %v", c.ref, h.Disputed())
			}
			got = append(got, s)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %q, want %q", c.ref, s, c.want)
		}
	}
}

func TestMatchDetails(t *testing.T) {
	h := Match(ref(t, "ghrc.io/owner/app"))[0]
	if h.Intended != "ghcr.io" || h.Repository != "ghrc.io/*" || h.Tag != "latest" {
		t.Errorf("%+v", h)
	}
	if h := Match(ref(t, "registry.corp/hub/checkmarx/kics"))[0]; h.Repository != "docker.io/checkmarx/kics" {
		t.Errorf("matched as %s", h.Repository)
	}
}

func TestWhen(t *testing.T) {
	for _, c := range []struct{ ref, want string }{
		{"checkmarx/kics", "2026-04-22 12:35 UTC – 15:41:31 UTC (start: approx start; end: second hand)"},
		{"aquasec/trivy:0.69.4", "2026-03-19 18:22 UTC – 21:42 UTC (vendor, end approximate)"},
		{"aquasec/trivy:0.69.5", "2026-03-22 15:43 UTC – 2026-03-23 01:40 UTC (vendor, end approximate)"},
		{"aquasec/trivy", "2026-03-19 18:22 UTC – 21:42 UTC (vendor ('latest during the exposure window')); " +
			"from 2026-03-20 03:26 UTC, end unknown (second hand: re-pointed after Aqua's first clean-up; Docker Hub only; not in GHSA)"},
		{"ghcr.io/aquasecurity/trivy", "2026-03-19 18:22 UTC – 21:42 UTC (vendor ('latest during the exposure window'))"},
		{"kong/kubernetes-ingress-controller:3.4.0", "2024-12-23 – 2025-01-02 (day precision; press advises the range 2024-12-22..2025-01-03)"},
		{"harbor2.vantage6.ai/infrastructure/node:5.0", "2026-03-09 – 2026-04-01 (single-source, first party)"},
		{"harbor2.vantage6.ai/algorithms/sessions-k8s-diagnostics:dev", "2025-09-04 – 2026-04-01 (single-source, first party)"},
		{"debian:sid", "2024-03-11 23:58:05 UTC – 2024-03-30 20:50:20 UTC (merge times in docker-library/official-images; the images appeared some hours later)"},
		{"debian:sid-20240311", ""},
		{"docker123321/tomcat", "2017-07 – 2018-05-10 (about)"},
		{"eugenci/papermerge", "from 2020-10-09, end unknown (day precision)"},
		{"quay.io/podman/hello", "until 2023-08-02 (single-source, first party; no tampering found at the time: info only, not an alert)"},
	} {
		hits := Match(ref(t, c.ref))
		if len(hits) == 0 {
			t.Errorf("%s: no hit", c.ref)
		} else if got := hits[0].When(); got != c.want {
			t.Errorf("%s: %q, want %q", c.ref, got, c.want)
		}
	}
	// What the sources say apart stays with the hit.
	if h := Match(ref(t, "checkmarx/kics"))[0]; len(h.Windows) != 3 {
		t.Errorf("%d windows", len(h.Windows))
	}
}

func TestKnownGood(t *testing.T) {
	const (
		kics   = "v2.1.20 and latest sha256:3e5a268eb8adda2e5a483c9359ddfc4cd520ab856a7076dc0b1d8784a37e2602 reported, v2.1.19 sha256:7b0a4d750acd491942ce9de52c1183fbf4451c1c936780ec2cfacd2650e7d84c confirmed"
		trivy  = "0.69.3 sha256:bcc376de8d77cfe086a917230e818dc9f8528e3c852f7b1aff648949b6258d1c confirmed, "
		trivy2 = "0.70.0 and later  reported"
	)
	for _, c := range []struct{ ref, want string }{
		{"checkmarx/kics:v2.1.21", kics},
		{"registry.corp/dockerhub/checkmarx/kics", kics},
		{"mirror.gcr.io/checkmarx/kics", kics},
		{"checkmarx/kics@sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d", kics},
		{"aquasec/trivy", trivy + trivy2},
		{"ghcr.io/aquasecurity/trivy", trivy + trivy2},
		{"public.ecr.aws/aquasecurity/trivy", trivy2},
		{"harbor2.vantage6.ai/infrastructure/node", "vantage6 >= 4.15 from ghcr.io/vantage6  confirmed"},
		{"kong/kubernetes-ingress-controller", "3.4.1  confirmed, " +
			"3.4.0 (clean rebuild) sha256:b358296fa6a1458c977c0513ff918e80b708fa9d7721f9d438f3dfce24f60f4f reported, " +
			"3.4.0 (clean rebuild) sha256:e0125aa85a4c9eef7822ba5234e90958c71e1d29474d6247adc3e7e21327e8ee reported"},
		{"debian:sid", "*-20240330 and later  confirmed"},
		{"docker123321/tomcat", ""},
		{"nginx", ""},
	} {
		var got []string
		for _, g := range KnownGood(ref(t, c.ref)) {
			got = append(got, g.What+" "+g.Digest+" "+g.Certainty.Grade.String())
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %q, want %q", c.ref, s, c.want)
		}
	}
}

// TestKnownGoodNeverListed has two advisories that contradict each other.
func TestKnownGoodNeverListed(t *testing.T) {
	const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
	const head = "\ntitle: t\ntype: exposure-only\nseverity: low\ncertainty: confirmed\n\nrepository: docker.io/a/b\n\n"
	var all []*Advisory
	for id, rest := range map[string]string{
		"A": "good: x\ndigest: " + digest + "\n",
		"B": "digest: " + digest + "\nkind: index\n",
	} {
		a, err := Parse(id, []byte("advisory: "+id+head+rest))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if got := NewSet(all).KnownGood(ref(t, "a/b")); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := NewSet([]*Advisory{all[0]}).KnownGood(ref(t, "a/b")); len(all[0].KnownGood) != len(got) {
		t.Errorf("%+v", got)
	}
}

func BenchmarkLoad(b *testing.B) {
	dir, _ := files.ReadDir("data")
	for b.Loop() {
		var all []*Advisory
		for _, f := range dir {
			data, _ := files.ReadFile("data/" + f.Name())
			a, err := Parse(f.Name(), data)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, a)
		}
		NewSet(all)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, s := range []string{"nginx:1.25", "ghcr.io/owner/app:1", "registry.corp/dockerhub/checkmarx/kics"} {
		r, _ := image.Parse(s)
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Match(r)
			}
		})
	}
}

func TestParseName(t *testing.T) {
	for s, want := range map[string]name{
		"docker.io/library/debian": {"docker.io", "library/debian", false},
		"docker.io/account/*":      {"docker.io", "account", true},
		"ghrc.io/*":                {"ghrc.io", "", true},
		"localhost:5000/a":         {"localhost:5000", "a", false},
	} {
		if got := parseName(s); got != want || got.String() != s {
			t.Errorf("%s: %+v, %s", s, got, got)
		}
	}
}

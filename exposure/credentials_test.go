package exposure

import (
	"slices"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/source"
)

func TestCredentials(t *testing.T) {
	s := newSubjects(inventedSet(t))
	tests := []struct {
		name, path, data string
		want             []string
	}{
		{"GitHub", ".github/workflows/ci.yml", `
on: push
env:
  ALL: ${{ secrets.WORKFLOW_WIDE }}
permissions:
  id-token: write
jobs:
  other:
    env: {X: "${{ secrets.OTHER_JOB }}"}
    steps: []
  scan:
    container: acme/app:moved
    steps:
      - uses: actions/checkout@v4
      - run: cat secrets.yaml # and secrets.NOT_ONE
        env:
          A: ${{ secrets.DEPLOY_KEY }}
          B: ${{ secrets['NPM_TOKEN'] || github.token }}
`, []string{
			"secret DEPLOY_KEY", "secret GITHUB_TOKEN", "secret NPM_TOKEN", "secret OIDC token (id-token: write)", "secret WORKFLOW_WIDE",
		}},
		{"GitHub, all at once", ".github/workflows/ci.yml", `
on: push
permissions: {id-token: write}
jobs:
  scan:
    permissions: {contents: read}
    steps:
      - uses: actions/checkout@v4
        with: {persist-credentials: false}
      - uses: docker://acme/app:moved
        with: {all: "${{ toJSON(secrets) }}"}
`, []string{"secret all secrets of the repository"}},
		{"GitLab", ".gitlab-ci.yml", `
other:
  script: [echo $OTHER_TOKEN]
scan:
  image: acme/app:moved
  id_tokens:
    VAULT_JWT: {aud: https://vault.example}
  secrets:
    DATABASE: {vault: production/db}
  variables: {COPY: $SIGNING_KEY}
  script:
    - curl -H "x: ${API_TOKEN}" $CI_PROJECT_URL
`, []string{
			"secret DATABASE", "secret VAULT_JWT", "variable API_TOKEN", "variable SIGNING_KEY",
			"variable all CI/CD variables of the project and its groups",
		}},
		{"GitLab, an image for all jobs", ".gitlab-ci.yml", `
image: acme/app:moved
scan:
  script: [echo $SCAN_TOKEN]
`, []string{"variable SCAN_TOKEN", "variable all CI/CD variables of the project and its groups"}},
		{"CircleCI", ".circleci/config.yml", `
version: 2.1
jobs:
  scan:
    docker: [{image: "acme/app:moved"}]
    steps: [{run: "push $HUB_PASSWORD $CIRCLE_BRANCH"}]
  other:
    docker: [{image: "acme/other:1"}]
    steps: [{run: "push $OTHER_PASSWORD"}]
workflows:
  main:
    jobs:
      - scan: {context: [publish, aws]}
      - other: {context: secret-things}
`, []string{
			"secret context aws", "secret context publish", "variable HUB_PASSWORD", "variable all environment variables of the project",
		}},
		{"Azure", "azure-pipelines.yml", `
variables:
- group: production
- name: a
  value: b
steps:
- script: docker run acme/app:moved
`, []string{"variable variable group production"}},
		{"Woodpecker", ".woodpecker.yml", `
steps:
  - name: scan
    image: acme/app:moved
    environment:
      TOKEN: {from_secret: deploy_token}
    secrets: [one, {source: two, target: three}]
`, []string{"secret deploy_token", "secret one", "secret two"}},
		{"Jenkins", "Jenkinsfile", `
pipeline {
  agent { docker { image 'acme/app:moved'; registryCredentialsId 'hub' } }
  environment { A = credentials('aws-key') }
  stages { stage('a') { steps { withCredentials([string(credentialsId: "sonar", variable: 'S')]) { sh 'x' } } } }
}
`, []string{"secret aws-key", "secret hub", "secret sonar"}},
		{"Compose", "compose.yaml", `
services:
  web:
    image: acme/app:moved
    secrets: [db, {source: tls}]
    env_file: [web.env, {path: more.env}]
    environment:
      - DB_PASSWORD
      - LOG_LEVEL=debug
  other:
    image: acme/app:other
    secrets: [not-this]
    environment: {OTHER_TOKEN: x}
`, []string{
			"mounted secret db", "mounted secret tls", "variable DB_PASSWORD", "variable all of more.env", "variable all of web.env",
		}},
		{"Kubernetes", "k8s.yaml", `
apiVersion: v1
kind: Pod
metadata: {name: other}
spec:
  serviceAccountName: other
  containers: [{name: a, image: "acme/app:other"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: scan, namespace: ci}
spec:
  template:
    spec:
      serviceAccountName: scanner
      imagePullSecrets: [{name: hub}]
      containers:
      - name: a
        image: acme/app:moved
        envFrom: [{secretRef: {name: all-env}}]
        env:
        - name: X
          valueFrom: {secretKeyRef: {name: one-env, key: x}}
      volumes:
      - name: s
        secret: {secretName: tls}
      - name: p
        projected: {sources: [{secret: {name: more}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: last}
spec:
  serviceAccountName: last
  containers: [{name: a, image: "acme/app:other"}]
`, []string{
			"mounted secret more", "mounted secret tls", "pull secret hub", "secret all-env", "secret one-env", "service account scanner",
		}},
		{"Kubernetes, the default account", "k8s.yaml",
			"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: \"acme/app:moved\"}]}\n",
			[]string{"service account default"}},
		{"Dockerfile", "Dockerfile", `
FROM acme/app:moved
ARG NPM_TOKEN
ARG VERSION=1
RUN --mount=type=secret,id=pip --mount=type=cache,target=/c --mount=type=ssh pip install
`, []string{"build argument NPM_TOKEN", "mounted secret SSH agent default", "mounted secret pip"}},
		{"Kubernetes, a cycle of aliases", "k8s.yaml",
			"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: &s {containers: [{name: a, image: \"acme/app:moved\", x: *s}]}\n",
			[]string{"service account default"}},
		{"Compose, a cycle of aliases", "compose.yaml", "services:\n  a: &a\n    image: acme/app:moved\n    environment: &e {x: *e, y: *a}\n", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := s.read(&source.File{Path: test.path, Data: []byte(test.data)}, nil)
			if len(r.namings) != 1 {
				t.Fatalf("%d namings", len(r.namings))
			}
			var got []string
			for _, c := range r.namings[0].reaches {
				got = append(got, c.Kind+" "+c.Name)
				if !strings.HasSuffix(c.Where, test.path) {
					t.Errorf("%s is of %q", c.Name, c.Where)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestIsSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"API_TOKEN": true, "db_password": true, "AWS_SECRET_ACCESS_KEY": true, "DBPASSWORD": true, "NPM_AUTH": true,
		"AUTHOR": false, "PWD": false, "KEYBOARD": false, "TOKENIZER": false, "VERSION": false, "": false, "PATH": false,
	} {
		if got := isSecret(name); got != want {
			t.Errorf("isSecret(%q) is %v", name, got)
		}
	}
}

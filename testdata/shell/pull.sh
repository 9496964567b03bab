#!/usr/bin/env bash
# docker pull comment:1 is no command
set -euo pipefail

docker pull nginx:1.25
sudo -E docker run --rm -v "$PWD":/src \
    -w /src 'golang:1.22' go test ./...   # alpine:3 in a comment
if ! docker image inspect x >/dev/null; then docker pull --quiet quay.io/org/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef; fi
out=$(docker run --rm "busybox" date) || exit 1
echo "docker run nothing:1"
cat <<USAGE
usage: docker run prose:1
USAGE
podman create --name db docker://docker.io/library/postgres:16
crane digest gcr.io/distroless/static:nonroot
skopeo copy docker://alpine:3.20 docker://registry.example.com/alpine:3.20
skopeo inspect oci-archive:some.tar
docker build -t example.com/app:dev .
docker tag example.com/app:dev example.com/app:latest && docker push example.com/app:latest
buildah from registry.fedoraproject.org/fedora:40
kubectl run debug --image=busybox:1.36 -- sh -c 'echo nothing:1'
kubectl set image deployment/web web=nginx:1.27 sidecar=envoyproxy/envoy:v1.30.1
docker compose up -d

#!/bin/bash
# Command lines in variables.
IMAGE=golang:1.22
DOCKER_RUN="docker run --rm -v $PWD:/src"
LINT="$DOCKER_RUN hadolint/hadolint:v2.12.0"
BUILD='docker build -t made:1'
MESSAGE="docker run failed for nobody:1"
array=(podman run --rm "$IMAGE")
cmd="docker pull \"redis:7\""
if command -v sudo; then D="sudo docker pull"; else D="docker pull"; fi

$DOCKER_RUN alpine:3.20 ls
$LINT hadolint Dockerfile
$LINT hadolint other.Dockerfile
$BUILD .
"${array[@]}" go test
eval "$cmd"
$D nginx:1.25
echo "$MESSAGE"
k3d cluster create --image +v1.31
podman pull oci:"$PWD"/layout
WHERE=./image.tar
docker load -i $WHERE && docker run $WHERE
GROWN="docker run --rm"
GROWN="$GROWN $IMAGE"
$GROWN ports
ADDED="docker run --rm"
ADDED+=" tool:1"
$ADDED ports

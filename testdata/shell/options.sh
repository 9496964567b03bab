#!/bin/bash
# What stands before the image may come from variables.
TTY=-it
MOUNTS="-v /a:/b -v /c:/d"
IMAGE_LABEL=tool:1
VERSIONS="1.24 1.25"
docker run --rm $TTY alpine:3.20
docker run --rm $MOUNTS debian:12 ls
docker run ${SSH_DIR:+-v "$SSH_DIR":/ssh} ubuntu:24.04
docker run ${SSH_DIR:+-v "$SSH_DIR":/ssh} ${ARGS} -i --rm -- ${CONTAINER} "${cmd[@]}"
docker run "$IMAGE_LABEL" cp -r /a /b
for version in $VERSIONS; do
  docker pull "nginx:$version"
done
kind load docker-image busybox:1.36 $name_arg
$DOCKER_COMPOSE run --rm "$SERVICE" migrate
$DOCKER run --rm redis:7
gcloud docker -- push gcr.io/project/app:1
podman unshare skopeo copy oci:layout docker://registry.example.com/vm:1

#!/bin/sh
TAG=1.25
IMAGE=nginx
export DB_IMAGE="postgres:16"
: "${CACHE:=redis:7}"
docker run "$IMAGE:$TAG"
docker run $DB_IMAGE
docker run -d "${CACHE}"
docker run ${WEB:-httpd:2.4} httpd -v
docker pull "registry.example.com/$APP"
docker pull "$1"
for i in alpine:3.20 debian:12; do
  docker pull $i
done
images=(ubuntu:24.04 fedora:40)
for j in "${images[@]}"; do docker pull "$j"; done
OFTEN=a:1
OFTEN=b:1
docker pull $OFTEN
docker run $(cat image-id) ls

#!/bin/sh
TAG=1.27.4
docker pull "nginx:$TAG"
docker build -t ghcr.io/acme/app .
skopeo inspect docker://alpine:3.21

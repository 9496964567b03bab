#!/bin/bash
# Grüße
docker run \
  --rm \
  alteres/bild:1
docker pull alpine:3.20
if true; then
  podman run --rm debian:12 ls
fi

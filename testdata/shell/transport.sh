#!/bin/sh
SRC="docker://registry.example.com/app:$TAG"
DST=docker://ghcr.io/acme/app:latest
CREDS="--src-creds=$USER:$PASSWORD"
skopeo inspect "$DST"
skopeo copy --all $CREDS "$SRC" $DST
skopeo copy --all $CREDS $SRC "docker://ghcr.io/acme/app:$TAG"
FILE=oci:layout
skopeo copy "$DST" "$FILE"

#!/usr/bin/env bash
# Asks the registries for the images of a list, once each, and writes their
# digests into a file.
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: resolve.sh IMAGES DIGESTS" >&2
  exit 2
fi

images=()
while IFS= read -r image || [ -n "$image" ]; do
  if [ -n "$image" ]; then images+=("$image"); fi
done <"$1"
if [ "${#images[@]}" -eq 0 ]; then
  echo "resolve.sh: $1 names no image" >&2
  exit 2
fi
# What stands behind "--" is no flag, whatever a repository calls its images.
exec "${DIGESTLINT:-digestlint}" resolve -o "$2" -- "${images[@]}"

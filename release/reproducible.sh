#!/usr/bin/env bash
# Builds twice as releases are built, in different folders, the second time
# without anything that was built before, and compares the bytes. It takes some
# minutes of processor time.
set -euo pipefail
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The flags are those of .goreleaser.yaml; the copy has no commit to name.
build() {
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=0.0.0' -o "$1" ./cmd/digestlint
}

build "$tmp/first"
mkdir "$tmp/another folder"
git ls-files -co --exclude-standard -z -- ':!testdata' | while IFS= read -r -d '' name; do
  [ ! -f "$name" ] || printf '%s\0' "$name"
done | tar --null -T - -cf - | tar -xf - -C "$tmp/another folder"
(
  cd "$tmp/another folder"
  export GOCACHE="$tmp/cache"
  build "$tmp/second"
)
cmp "$tmp/first" "$tmp/second"
sha256sum "$tmp/first"

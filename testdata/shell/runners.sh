#!/usr/bin/env bash
attempt() {
  local n=$1
  shift
  until "$@"; do
    n=$((n - 1))
    [ "$n" -gt 0 ] || return 1
  done
}
function dry_run {
  if [ -n "$DRY" ]; then echo "$*"; else eval $*; fi
}
as_root() { sudo "$@"; }
say() { echo "$@"; }
first() { "$1"; }

attempt 3 docker pull nginx:1.27
attempt "$TRIES" as_root docker run --rm alpine:3.20
dry_run docker push registry.acme.example/shop:1
as_root "$CONTAINER_ENGINE" pull redis:7
say docker pull none:1
first docker pull none:2
attempt 3 ./docker-check pull none:3

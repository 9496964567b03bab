#!/usr/bin/env bats

@test "runs" {
  run docker run --rm alpine:3.20 true
  [ "$status" -eq 0 ]
  run podman run "$IMAGE" true
}

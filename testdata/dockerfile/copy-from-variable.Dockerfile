# BuildKit refuses variables here, other builders don't.
ARG UV=0.5
FROM debian:12 AS base-amd64
FROM debian:11 AS base-arm64
FROM alpine:3.20
ARG TOOL=nginx:1.27
COPY --from=base-${TARGETARCH}${TARGETVARIANT} /a /a
COPY --from=ghcr.io/astral-sh/uv:${UV} /uv /uv
COPY --from=${TOOL} /a /a
COPY --from=$NOWHERE /a /a

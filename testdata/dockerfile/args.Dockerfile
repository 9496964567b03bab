# syntax=docker/dockerfile:1.7
ARG TAG=3.19
ARG BASE=debian:12
FROM --platform=$BUILDPLATFORM alpine:${TAG} AS Build
RUN docker pull nginx:1.25 && echo done
FROM ${BASE}
COPY --from=build /a /a
COPY --from=busybox:1.36 /b /b
RUN --mount=type=cache,target=/c --mount=type=bind,from=golang:1.22,target=/go go version

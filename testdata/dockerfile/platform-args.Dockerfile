FROM debian:12 AS base-amd64
FROM debian:11 AS base-arm64
FROM base-${TARGETARCH} AS chosen
FROM app-$TARGETOS-$TARGETARCH
FROM --platform=$TARGETPLATFORM golang:1.23
ARG TARGETARCH
FROM example/${TARGETARCH}/tool:1

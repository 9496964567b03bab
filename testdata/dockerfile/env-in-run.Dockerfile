FROM docker:27 AS base
ARG TOOL=aquasec/trivy:0.58
ENV IMAGE=busybox:1.36 OTHER="redis:7"
ENV OLD nginx:1.27
ENV IMAGE=$IMAGE
RUN docker pull $IMAGE && docker pull "${OLD}" && docker run --rm $TOOL image "$OTHER"
FROM base
RUN docker pull $OLD
FROM alpine:3.20
RUN docker pull $OLD

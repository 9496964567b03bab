ARG TAG=arm64
FROM --platform=linux/${TAG} alpine:${TAG}

ARG BASE=alpine:3.20
FROM ${BASE} AS a
FROM --platform=linux/amd64 $BASE AS b
COPY --from=a /a /a

ARG VARIANT=prod
FROM alpine:3.20 AS dev
FROM debian:12 AS prod
FROM ${VARIANT}

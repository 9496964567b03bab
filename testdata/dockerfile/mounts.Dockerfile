FROM alpine:3.20 AS base
FROM debian:12
RUN --mount=type=bind,from=golang:1.23,target=/go true
RUN --mount=from=node:22,target=/n --mount=type=cache,target=/c,from=base --mount=target=/x,from=ruby:3.3 true
RUN --network=none --mount=type=bind,target=/p,source=/usr,FROM=python:3.12 true
RUN --mount="type=bind,from=perl:5,target=/perl" true
RUN --mount='type=bind,"from=php:8","target=/a,from=not:1"' true
RUN --mount=type=bind,from=base,target=/b echo --mount=from=no:1
RUN --mount=type=secret,id=from,target=/s true
RUN --mount=type=bind,from=localhost:5000/erlang:27,target=/e --security=insecure docker pull alpine:3.19

# A stage is known behind its own line only.
FROM node AS node
FROM golang:1.23 AS golang
FROM node
FROM later
FROM alpine:3.20 AS later
COPY --from=later /a /a
COPY --from=golang /usr/local/go /go

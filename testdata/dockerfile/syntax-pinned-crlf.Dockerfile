# syntax=docker/dockerfile:1.9@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
FROM alpine:3.20

# check=skip=all;error=true
# escape=\
#   SYNTAX=docker.io/docker/dockerfile:1.9-labs
FROM alpine:3.20

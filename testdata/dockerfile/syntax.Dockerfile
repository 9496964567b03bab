# syntax = docker/dockerfile:1.9 arguments
FROM scratch
# syntax=docker/dockerfile:1.0

# The directive below is none any more.
# syntax=docker/dockerfile:1.9
FROM alpine:3.20

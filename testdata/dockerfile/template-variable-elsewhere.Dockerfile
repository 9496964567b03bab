ARG TAG=3.20
FROM alpine:${TAG}
{{ if .X }}FROM node:${TAG}{{ end }}

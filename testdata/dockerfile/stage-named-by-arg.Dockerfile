# BuildKit wants plain names, buildah expands them.
ARG FIRST=first
FROM alpine:3.20 AS ${FIRST}
FROM ${FIRST} AS second
COPY --from=first /a /a

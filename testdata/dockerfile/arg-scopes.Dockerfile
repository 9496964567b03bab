FROM alpine:3.20 AS one
ARG INNER=debian:12
ARG ALSO=busybox:1.36
FROM ${INNER}
RUN docker pull $ALSO
FROM one
RUN docker pull $ALSO && docker pull ${INNER}

FROM mysql@8.0.44
FROM Alpine:3.20
FROM alpine:3.20@sha256:abc123
FROM https://example.com/x
FROM alpine:

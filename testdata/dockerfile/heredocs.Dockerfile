FROM alpine:3.20
COPY <<EOF /Dockerfile
FROM not-an-image:1
COPY --from=nor-this:1 /a /b
RUN docker pull nor-that:1
EOF
COPY <<-"ONE" <<TWO /dir/
	FROM no:1
	ONE
FROM no:2
TWO
RUN <<EOF
set -e
docker pull redis:7
docker pull nginx:1.27
EOF
RUN <<'EOF' bash
docker pull ${X:-postgres:16}
EOF
RUN python3 <<EOF
docker pull python:no
FROM no:3
EOF
RUN <<EOF
#!/usr/bin/env python3
docker pull no:4
EOF
RUN <<EOF
#!/bin/bash -e
docker pull mysql:8
EOF
RUN cat <<EOF > /etc/x && docker pull httpd:2.4
FROM no:5
docker pull no:6
EOF
RUN <<A cat && <<B sh
docker pull no:7
A
docker pull memcached:1.6
B
RUN docker build -t local - <<EOF
FROM busybox:1.36
EOF
RUN B=ruby:3.3 && docker build - <<EOF
FROM $B
EOF
RUN ["echo", "<<EOF"]
RUN echo '<<EOF'
FROM debian:12

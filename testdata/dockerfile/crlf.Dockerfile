ARG T=3.20
FROM alpine:${T}
FROM \
  debian:12 \
  AS x
RUN docker pull \
  nginx:1.27
RUN <<EOF
docker pull redis:7
EOF
COPY --from=httpd:2.4 /a /b

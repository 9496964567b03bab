FROM alpine:3.20 AS base
ONBUILD COPY --from=nginx:1.27 /a /a
onbuild RUN --mount=from=busybox:1.36,target=/b docker pull redis:7
ONBUILD COPY --from=assets /a /a
ONBUILD COPY --from=base /a /a
ONBUILD ARG X=mysql:8
ONBUILD RUN <<EOF
docker pull postgres:16
EOF
ONBUILD ADD a b

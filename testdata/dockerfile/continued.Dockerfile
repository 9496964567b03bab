FROM \
    alpine:3.20 \
    AS one

FROM \
# a comment inside

    # another, indented

    debian:12

FROM --platform=linux/arm64 \
  golang:1.23 AS \
  two
RUN --mount=type=cache,target=/c \
    # comment between
    --mount=from=busybox:1.36,target=/b \
    true
COPY --from=\
nginx:1.27 /x /y

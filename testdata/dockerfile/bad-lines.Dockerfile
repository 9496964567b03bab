ENV ALONE
FROM alpine:3.20 # no comment here
HELLO world \
FROM hidden:1
# a comment does not go on \
FROM debian:12 AS
FROM one two three four
COPY --from=nginx:1.27 /a /a

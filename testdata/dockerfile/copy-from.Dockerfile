FROM alpine:3.20 AS Base
FROM debian:12
COPY --from=base /a /a
COPY --from=BASE /a /a
COPY --from=0 /a /a
COPY --link --chown=1:1 --from=nginx:1.27 --chmod=755 /etc/nginx /etc/nginx
copy --from="ghcr.io/astral-sh/uv:0.5" /uv /bin/
COPY --from='httpd:2.4' /a /b
COPY --from=tools/x:1@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12 ["/a b", "/c"]
COPY --chown=a:b /--from=no /x
COPY a b --from=none:1
ADD https://example.com/x /x

{{
  set base to "x"
}}FROM {{ base }} AS installer{{ if internal: x }}
{{ if .X }}FROM node:22{{ else }}FROM node:20{{ end }}
{% if y %}FROM debian:12 AS deb
{{ include "tools" }}
COPY --from=installer /a /a
COPY --from=tools /a /a
COPY --from=nginx:1.27 /a /a

# Größe: œuvre — 画像
FROM alpine:3.20 AS base
LABEL ünïcode="日本語" x="é"
RUN echo "héé" && docker pull nginx:1.27 # ñ
RUN --mount=type=bind,source=/ü,from=redis:7,target=/日 true

# BuildKit has neither substrings nor changes of case.
ARG A=1.27
FROM nginx:${A:1:2}
FROM nginx:${A^^}
FROM nginx:${A
FROM nginx:${}
FROM alpine:3.20

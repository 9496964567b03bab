.ONESHELL:
.RECIPEPREFIX = >
all:
> @set -e
> IMAGE=alpine:3.20
> docker pull $$IMAGE
> docker build -t made - <<EOF
> FROM debian:12
> EOF

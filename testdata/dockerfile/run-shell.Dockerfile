FROM docker:27
RUN docker pull alpine:3.20 && \
    # a comment
    docker run --rm -v /a:/a busybox:1.36 true

RUN skopeo copy docker://quay.io/app/tool:1.2 dir:/x ; crane export golang:1.23 - | tar x
RUN ["docker", "pull", "redis:7"]
RUN ["sh", "-c", "docker pull nginx:1.27"]
RUN [ -f /x ] && docker pull httpd:2.4
RUN [ 'docker', 'pull', 'no:1' ]
RUN --network=host podman pull "quay.io/podman/stable:v5"
CMD ["docker", "run", "cmd:1"]
LABEL docker.cmd="docker run -it label:1"
HEALTHCHECK CMD docker run health:1
RUN echo "docker pull in a text" > /README

# What a stage calls VERSION without an ARG of its own is not the one above.
ARG VERSION=3.20
FROM alpine:${VERSION}
ENV VERSION=1.0
RUN echo "$VERSION" && docker pull app:$VERSION

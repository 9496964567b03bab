FROM alpine:3.20
RUN echo $((1 << 3))
RUN cat <<EOF > /x
FROM debian:12
COPY --from=nginx:1.27 /a /a

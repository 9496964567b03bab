#FROM no:1
  # FROM no:2
FROM alpine:3.20
RUN echo a \
# FROM no:3 \
  && echo FROM no:4
LABEL x="\
FROM no:5"
RUN echo 'FROM no:6' > Dockerfile && \
    echo "COPY --from=no:7 a b" >> Dockerfile

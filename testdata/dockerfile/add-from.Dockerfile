# BuildKit has no ADD --from; others do.
FROM alpine:3.20
ADD --from=golang:1.23 /go /go

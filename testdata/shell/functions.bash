pull_image() {
  docker pull "$1:$2"
}
pull_image nginx 1.25
pull_image redis 7
dockerfile() {
  cat > Dockerfile <<DF
FROM alpine:3.20
COPY --from=golang:1.22 /usr/local/go /go
DF
}
docker build -t inline - <<DF
FROM alpine:3.19
RUN docker pull inner:1
DF
ssh host 'docker run -d remote/app:2'
sh -c "docker run \"quoted/app:3\" && podman pull second:4"
cat > docker-compose.yml <<EOC
services:
  web:
    image: written/elsewhere:1
EOC
kubectl apply -f - <<'POD'
apiVersion: v1
kind: Pod
metadata: {name: x}
spec:
  containers:
  - name: x
    image: busybox:1.36
POD

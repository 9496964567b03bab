resource "docker_image" "ok" {
  name = "nginx:1.27"
}

resource "docker_image" "broken" {
  name = "redis:7
}

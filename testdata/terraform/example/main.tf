variable "nginx" { default = "1.27.4" }

resource "docker_image" "web" {
  name = "nginx:${var.nginx}"
}

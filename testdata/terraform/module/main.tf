locals {
  registry = "registry.example.org"
  images = {
    web    = "nginx:1.27"
    worker = "${local.registry}/shop/worker:${var.release}"
  }
}

variable "release" {
  default = "2024.6"
}

variable "undecided" {
  type = string
}

resource "docker_container" "web" {
  name  = "web"
  image = local.images.web
}

resource "docker_container" "worker" {
  name  = "worker"
  image = local.images["worker"]
}

resource "docker_container" "proxy" {
  name  = "proxy"
  image = var.proxy_image
}

resource "docker_container" "other" {
  name  = "other"
  image = "${var.undecided}:1.0"
}

resource "docker_container" "joined" {
  name  = "joined"
  image = format("%s/%s:%s", local.registry, "shop/joined", "v1")
}

resource "docker_container" "either" {
  name  = "either"
  image = var.undecided != "" ? var.undecided : "busybox:1.36"
}

resource "docker_container" "each" {
  for_each = {
    a = { image = "alpine:3.20" }
    b = { image = "debian:12" }
  }
  name  = each.key
  image = each.value.image
}

module "service" {
  source          = "./service"
  container_image = "ghcr.io/example/service:v3"
  image           = "ubuntu-22-04-x64"
  containers = {
    sidecar = { image = "envoyproxy/envoy:v1.30.1", port = 8080 }
  }
}

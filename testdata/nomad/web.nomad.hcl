variable "image" {
  type    = string
  default = "nginx:1.27"
}

locals {
  registry = "registry.example.org"
}

job "web" {
  group "web" {
    task "server" {
      driver = "docker"
      config {
        image = var.image
        ports = ["http"]
      }
    }
    task "app" {
      driver = "podman"
      config {
        image = "docker://${local.registry}/shop/app:v2"
      }
    }
    task "sidecar" {
      driver = "docker"
      lifecycle { hook = "prestart" }
      config { image = "busybox:1.36" }
    }
    task "meta" {
      driver = "docker"
      config {
        image = "example/app:${NOMAD_META_version}"
      }
    }
  }
}

# Ein Webserver für die Bücherei.
terraform {
  required_providers {
    docker = {
      source  = "kreuzwerker/docker"
      version = "~> 3.0"
    }
  }
}

resource "docker_image" "web" {
  name         = "nginx:1.27-alpine" # pinned by the team later
  keep_locally = true
}

resource "docker_container" "web" {
  name  = "web"
  image = docker_image.web.image_id
}

resource "docker_container" "cache" {
    name    = "cache"
    image   =    "redis:7@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    command = ["redis-server", "--save", ""]
}

resource "docker_image" "own" {
  name = "registry.example.org/shop/own"
  build {
    context = "."
    tag     = ["registry.example.org/shop/own:dev"]
  }
}

resource "docker_registry_image" "own" {
  name = docker_image.own.name
}

resource "docker_service" "api" {
  name = "api"
  task_spec {
    container_spec {
      image = "ghcr.io/example/api:v2"
    }
  }
}

data "docker_registry_image" "db" {
  name = "postgres:16"
}

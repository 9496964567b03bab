variable "GO_IMAGE" {
  default = "golang:1.23"
}

variable "TAG" {
  default = "dev"
}

group "default" {
  targets = ["app"]
}

target "app" {
  contexts = {
    base  = "docker-image://${GO_IMAGE}"
    tools = "docker-image://alpine:3.20"
    src   = "target:src"
    here  = "./src"
  }
  args = {
    IMAGE = "not:used"
  }
  tags       = ["registry.example.org/shop/app:${TAG}", equal("", TAG) ? "" : "shop/app:latest"]
  cache-from = ["type=registry,ref=registry.example.org/shop/cache"]
}

target "matrix" {
  name = "m-${v}"
  matrix = {
    v = ["1", "2"]
  }
  tags = ["shop/m:${v}"]
}

target "inline" {
  dockerfile-inline = <<EOT
FROM debian:12
RUN echo für
EOT
}

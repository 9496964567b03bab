variable "GO" { default = "1.25.5" }

target "app" {
  contexts = { build = "docker-image://golang:${GO}" }
  tags     = ["ghcr.io/acme/app:latest"]
}

# Types are no values, and a module that runs containers takes any name.
variable "container" {
  type = object({
    image     = optional(string)
    essential = optional(bool)
  })
}

module "api_container" {
  source = "./modules/task"
  image  = var.container.image
}

module "service" {
  source = "terraform-aws-modules/example/service"
  containers = [{
    container_image = "ghcr.io/example/api:v4"
    ports           = { port = 80 }
  }]
}

resource "docker_buildx_builder" "b" {
  docker_container {
    image = "moby/buildkit:v0.22.0"
  }
}

resource "aws_ecs_task_definition" "encoded" {
  family = "encoded"
  container_definitions = jsonencode([
    {
      name      = "app"
      image     = "${aws_ecr_repository.app.repository_url}:latest"
      essential = true
    },
    {
      name  = "proxy"
      image = "nginx:1.27"
    },
  ])
}

resource "aws_ecs_task_definition" "text" {
  family                = "text"
  container_definitions = <<DEFINITION
[
  {
    "name": "app",
    "image": "public.ecr.aws/docker/library/httpd:2.4",
    "cpu": ${var.cpu},
	"memory": 128
  },
  { "name": "log", "image": "${var.log_image}" }
]
DEFINITION
}

variable "log_image" {
  default = "fluent/fluentd:v1.17"
}

resource "aws_lambda_function" "image" {
  package_type = "Image"
  image_uri    = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/fn:v7"
}

resource "aws_codebuild_project" "build" {
  environment {
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/standard:7.0"
  }
}

resource "aws_codebuild_project" "own" {
  environment {
    image = "golang:1.23"
  }
}

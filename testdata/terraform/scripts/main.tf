locals {
  tag = "v1.4"
}

resource "null_resource" "push" {
  provisioner "local-exec" {
    command = <<-EOT
      docker build -t registry.example.org/shop/web:${local.tag} .
      docker push registry.example.org/shop/web:${local.tag}
      docker run --rm alpine:3.20 true
    EOT
  }
  provisioner "remote-exec" {
    inline = [
      "sudo docker pull postgres:16",
      "sudo docker run -d ${var.image}",
    ]
  }
}

resource "aws_instance" "host" {
  ami       = "ami-0123456789abcdef0"
  user_data = <<-EOF
    #!/bin/bash
    NAME=grafana/grafana:11.0.0
    docker run -d -p 3000:3000 $${NAME}
  EOF
}

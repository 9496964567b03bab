# Machines, pictures and prose: nothing here is an image of a container.
variable "image" {
  description = "docker image, for example nginx:1.27"
  default     = "ubuntu-22.04"
}

resource "hcloud_server" "node" {
  image = "debian-12"
}

resource "digitalocean_droplet" "node" {
  image = var.image
}

resource "aws_instance" "node" {
  ami = data.aws_ami.ubuntu.id
}

data "aws_ami" "ubuntu" {
  filter {
    name   = "name"
    values = ["ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*"]
  }
}

resource "google_compute_instance" "vm" {
  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-12"
    }
  }
}

resource "lxd_container" "one" {
  image = "images:alpine/3.20"
}

module "vm" {
  source = "./vm"
  image  = "ubuntu-2204-lts"
}

resource "aws_imagebuilder_container_recipe" "base" {
  parent_image = "arn:aws:imagebuilder:eu-west-1:aws:image/amazon-linux-x86-latest/x.x.x"
}

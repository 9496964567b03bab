resource "docker_image" "web" {
  name = "nginx:1.27" // für alle
}

resource "docker_container" "x" {
	image=("httpd:2.4")
}

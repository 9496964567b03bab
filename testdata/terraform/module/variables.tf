variable "proxy_image" {
  description = "image of the proxy, for example traefik:v3"
  default     = "traefik:v3.0"
}

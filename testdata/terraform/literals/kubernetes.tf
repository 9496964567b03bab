resource "kubernetes_deployment_v1" "web" {
  metadata {
    name = "web"
    annotations = {
      image = "not-an-image:1"
    }
  }
  spec {
    template {
      spec {
        init_container {
          name  = "migrate"
          image = "ghcr.io/example/migrate:3"
        }
        container {
          name  = "web"
          image = "nginx:${"1.27"}"
        }
        dynamic "container" {
          for_each = { log = "fluent/fluent-bit:3.0", stats = "prom/statsd-exporter:v0.26.0" }
          content {
            name  = container.key
            image = container.value
          }
        }
        volume {
          name = "site"
          image {
            reference = "ghcr.io/example/site:2024"
          }
        }
      }
    }
  }
}

resource "kubernetes_manifest" "job" {
  manifest = {
    apiVersion = "batch/v1"
    kind       = "Job"
    spec = {
      template = {
        spec = {
          containers = [{ name = "run", "image" = "busybox:1.36" }]
        }
      }
    }
  }
}

resource "kubectl_manifest" "pod" {
  yaml_body = <<-YAML
    apiVersion: v1
    kind: Pod
    metadata:
      name: one
    spec:
      containers:
        - name: one
          image: alpine:3.20
        - name: two
          image: ${var.second}
  YAML
}

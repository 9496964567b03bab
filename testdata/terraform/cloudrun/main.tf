resource "google_cloud_run_v2_service" "hello" {
  name = "hello"
  template {
    containers {
      image = "us-docker.pkg.dev/cloudrun/container/hello:latest"
    }
  }
}

resource "google_cloud_run_service" "old" {
  template {
    spec {
      containers { image = "gcr.io/example/old" }
    }
  }
}

resource "azurerm_container_group" "g" {
  container {
    name  = "hello"
    image = "mcr.microsoft.com/azuredocs/aci-helloworld:latest"
  }
}

resource "azurerm_linux_web_app" "app" {
  site_config {
    application_stack {
      docker_image_name   = "appsvc/staticsite:1.0"
      docker_registry_url = "https://mcr.microsoft.com"
    }
  }
}

resource "azurerm_app_service" "legacy" {
  site_config {
    linux_fx_version = "DOCKER|httpd:2.4"
  }
}

resource "digitalocean_app" "site" {
  spec {
    service {
      image {
        registry_type = "DOCKER_HUB"
        registry      = "library"
        repository    = "caddy"
        tag           = "2.8"
      }
    }
  }
}

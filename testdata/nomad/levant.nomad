job "[[ .job ]]" {
  [[ if .datacenter ]]
  datacenters = ["[[ .datacenter ]]"]
  [[ end ]]
  group "g" {
    count = [[ .count ]]
    task "redis" {
      driver = "docker"
      config {
        image = "redis:7"
      }
    }
    task "app" {
      driver = "docker"
      config {
        image = "example/app:[[ .version ]]"
      }
    }
  }
}

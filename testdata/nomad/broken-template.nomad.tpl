job [[ template "name" . ]] {
  group "g" {
    task "a" {
      driver = "docker"
      config {
        image   = "hashicorp/boundary"
        cap_add = [ [[ range . ]]"[[ . ]]",[[ end ]] ]
      }
    }
    task "b" {
      driver = "docker"
      config {
        image = "[[ var "name" . ]]:[[ var "tag" . ]]"
      }
    }
  }
}

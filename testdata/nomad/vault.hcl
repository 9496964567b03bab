# configuration of another program
storage "file" { path = "/data" }
image = "nginx:1"

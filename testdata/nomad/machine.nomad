job "vm" {
  group "vm" {
    task "qemu" {
      driver = "qemu"
      config {
        image_path = "local/linux.img"
        image      = "linux:5"
      }
    }
    task "script" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "docker pull alpine:3.20"]
      }
    }
  }
}

# an agent, not a build
endpoint "x" {
  tags = ["nginx:1"]
}

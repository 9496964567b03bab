{
  "syntax": "example/frontend:2",
  "steps": ["FROM alpine:3.20"]
}

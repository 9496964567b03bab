package docker

const x = `
FROM alpine:3.20
`

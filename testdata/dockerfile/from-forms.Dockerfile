from alpine:3.20
FROM --platform=linux/amd64 golang:1.23 AS Build
FROM	--platform=$BUILDPLATFORM	node:22	as	web
From "python:3.12" aS quoted
FROM 'ruby':"3.3"
FROM registry.example.com:5000/team/app
FROM localhost:5000/app:2.0@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
FROM debian
  FROM busybox:1.36   
FROM BUILD
FROM web as last
FROM scratch

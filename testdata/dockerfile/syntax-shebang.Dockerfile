#!/usr/bin/env docker-build
# syntax=docker/dockerfile:1.9
FROM alpine:3.20

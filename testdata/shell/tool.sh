#!/usr/bin/env python3
docker = "docker pull alpine:3.20"

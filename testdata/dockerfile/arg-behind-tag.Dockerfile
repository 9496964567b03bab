ARG REG=registry.example.com
ARG FLAVOUR=alpine
FROM ${REG}/app:1.0
FROM node:22-${FLAVOUR}
FROM node:${V:-20}-slim
FROM ${REG}/$FLAVOUR:1.0

ARG IMAGE="nginx\:1.27"
ARG OTHER=ngi"n"x:1.26
ARG SPACED=" redis:7 "
FROM $IMAGE
FROM $OTHER
FROM ${UNSET:-'po'stgres:16}

# Variables that hold the beginning of a command line.
ifeq ($(USE_PODMAN),1)
OCI := podman
BUILD = podman build
else
OCI := docker
BUILD = DOCKER_BUILDKIT=1 docker buildx build $(PLATFORM)
endif
IN_DOCKER = "$(OCI)" run --rm \
	--interactive \
	--volume "$(CURDIR)":/src
TOOL = $(IN_DOCKER) tools/in-variable:1
IMAGES = one two
TOOLS_IMAGE = docker:27-cli

all:
	$(OCI) run alpine:3.20
	$(OCI) tag a b:1
	$(BUILD) -t built:1 .
	@$(IN_DOCKER) golang:1.22 go build
	$(TOOL) lint
	$(foreach i,$(IMAGES),docker push registry.example.com/$(i):1;)
	$(if $(CI),docker pull ci/image:1,@echo skipped)
	$(OCI) run $(TOOLS_IMAGE)
	X=$(strip $(shell docker run --rm version/of:1)) ./run
	gcloud docker -- push gcr.io/project/app:1

# A variable that names itself, and one that holds all but the program's words.
MOUNTS := -v a:/a
MOUNTS := $(MOUNTS) -v b:/b
RUN_FLAGS := $(DOCKER) run --rm $(CONTAINER_NAME_OPTION) $(MOUNTS) $(PORT_FORWARD)
ifeq ($(TTY),1)
	RUN_FLAGS += -t
endif
IN_DEV = $(RUN_FLAGS) "$(DEV_IMAGE)"

validate:
	$(IN_DEV) hack/validate/all

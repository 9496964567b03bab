SHARED_IMAGE := nginx:1.25

run-%: | deps
	$(Q)docker run $(SHARED_IMAGE)
	$(AT)podman run --name $* $(subst :,-,a:b)

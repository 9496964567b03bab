IMG := nginx:1.25
# Größe
run:
	docker run \
		-d \
		$(IMG)
	docker pull alpine:3.20

# What is run often. .ci/run is everything that has to pass.
.PHONY: test lint bench

test:
	go test ./...

lint:
	go vet ./...
	golangci-lint run ./...

# Prints the tables of docs/performance.md, in half an hour or so on an idle
# machine. The repositories are fetched once, from GitHub or, with
# MIRRORS=FOLDER, from the clones FOLDER/OWNER/NAME.
bench:
	go run ./cmd/digestlint/internal/bench -mirrors "$(MIRRORS)" $(BENCHFLAGS)
	go test -run '^$$' -bench BulkPin -benchtime 3x ./cmd/digestlint

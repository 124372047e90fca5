# Works with GNU make 3.81 (macOS) and later.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GOLANGCI_LINT_VERSION := v2.12.2
FUZZTIME ?= 10s

# The modules that go.work joins, "." first.
MODULES := $(shell sed -n 's|^[[:space:]]*\(\.[^[:space:]]*\)$$|\1|p' go.work)
LINT := $(CURDIR)/.cache/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)

# $(call each,command) runs the command in every module's directory and stops at the first failure.
each = @for dir in $(MODULES); do echo "==> $$dir: $(firstword $(1)) $(wordlist 2,3,$(1))"; (cd "$$dir" && $(1)) || exit 1; done

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: all
all: tidy-check generate-check vet lint build test ## Everything that CI checks without services

.PHONY: build
build: ## Compile every module, the examples too
	$(call each,go build ./...)

.PHONY: test
test: ## Run the tests that need no service, with the race detector
	$(call each,go test -race ./...)
	cd test && go test -race -count=1 . ./dashboard ./mutation ./reliability # go test does not see that files outside of the module have changed.
	cd bench && go test -run Allocations . # Not under -race, which makes pools forget.

# One package at a time (-p 1): each starts brokers of its own.
.PHONY: integration
integration: services ## Run the tests against a real Kafka, collector and Prometheus (KAFKA_BOOTSTRAP_SERVERS: that Kafka)
	cd test && go test -race -tags integration -count=1 -timeout 15m -p 1 ./...

.PHONY: services
services: ## Install Kafka, the collector and Prometheus, which the integration tests start
	@go run ./test/cmd/services

.PHONY: kafka
kafka: ## Run a Kafka broker on localhost:9092, without Docker, until Ctrl-C
	@go run ./test/cmd/kafka

.PHONY: vet
vet: ## Run go vet
	$(call each,go vet ./...)
	cd test && go vet -tags integration ./...

.PHONY: lint
lint: export GOLANGCI_LINT_CACHE = $(CURDIR)/.cache/golangci-lint
lint: $(LINT) ## Run golangci-lint, which also checks the formatting
	$(call each,$(LINT) run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...)

.PHONY: fmt
fmt: $(LINT) ## Format the code
	$(call each,$(LINT) fmt --config $(CURDIR)/.golangci.yml)

.PHONY: tidy
tidy: ## Tidy every go.mod
	$(call each,go mod tidy)

.PHONY: tidy-check
tidy-check: ## Check that every go.mod and go.sum is tidy
	$(call each,go mod tidy -diff)

# Compares checksums, not `git diff`, so that it also works with uncommitted changes.
checksums = git ls-files -z --cached --others --exclude-standard | { xargs -0 cksum 2>/dev/null || true; }
.PHONY: generate-check
generate-check: ## Check that go generate reproduces the generated files
	@mkdir -p .cache
	@$(checksums) > .cache/generated.before
	@test -s .cache/generated.before || { echo "git lists no files"; exit 1; }
	$(call each,go generate ./...)
	@$(checksums) | diff .cache/generated.before - || { echo "go generate changes these files: run it and commit them"; exit 1; }

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s)
	@for dir in $(MODULES); do \
		pkgs=$$(cd "$$dir" && go list ./...) || exit 1; \
		for pkg in $$pkgs; do \
			tests=$$(cd "$$dir" && go test -list '^Fuzz' "$$pkg") || exit 1; \
			for target in $$(grep '^Fuzz' <<< "$$tests"); do \
				echo "==> $$pkg $$target"; \
				(cd "$$dir" && go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "$$pkg") || exit 1; \
			done; \
		done; \
	done

# For a figure to mean something the machine should have nothing else to do.
.PHONY: bench
bench: ## Measure the cost of tracing; writes bench/RESULTS.md and the README's table
	go run ./bench -write

.PHONY: bench-others
bench-others: ## Measure other people's wrappers, with Go 1.26; writes bench/others/RESULTS.md
	cd bench/others && GOWORK=off go run . -write

.PHONY: soak
soak: ## Send 10 million messages, twice, and look for what is lost, left or growing
	go run ./test/cmd/soak

.PHONY: reliability
reliability: ## Run every suite at length, which takes hours; writes docs/reliability.md
	go run ./test/cmd/reliability

.PHONY: clean
clean: ## Remove what was downloaded and built
	rm -rf .cache bin coverage.out

# Built, not `go run`, so that its version does not have to fit any go.mod and a second run is quick.
$(LINT):
	@mkdir -p $(@D)
	GOWORK=off GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv $(@D)/golangci-lint $@

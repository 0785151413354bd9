# The two commands of the README: `make run` and `make test`. Everything else is listed by `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Built things are kept where a clean checkout finds them again.
CACHE ?= $(HOME)/.cache/millrace
export CARGO_TARGET_DIR ?= $(CACHE)/target
export CARGO_TERM_COLOR ?= auto
HTTP ?= 127.0.0.1:8080

.PHONY: help
help: ## List what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: run
run: tools-run ## Run the quickstart on 127.0.0.1:8080 (HTTP=ADDRESS overrides)
	cargo build --release --bin media-pod
	scripts/clip
	exec "$(CARGO_TARGET_DIR)/release/media-pod" run -f examples/quickstart.yaml --media /tmp/millrace --http $(HTTP)

.PHONY: test
test: tools-test ## Lint, build, and run all tests
	scripts/test

.PHONY: check
check: ## The quick part of test: formatting, lints, unit tests of what needs no other program
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test -p millrace-bus -p millrace-media --lib

.PHONY: bench
bench: tools-bench ## Measure, side by side in one run, and print the table (20 minutes; BENCH=--quick: 2)
	cargo build --release --bin media-pod
	cargo run --release -p millrace-bench --bin bench -- all $(BENCH)

.PHONY: bench-kubernetes
bench-kubernetes: tools-e2e ## Measure on the cluster of e2e-up, and the operator with 10,000 Streams (an hour)
	cargo build --release -p millrace-bench -p millrace-operator
	. e2e/cluster/env && "$(CARGO_TARGET_DIR)/release/bench" kubernetes first-byte failover $(BENCH)
	bench/control-plane "$(CARGO_TARGET_DIR)/release/bench" kubernetes scale $(BENCH)

.PHONY: crds
crds: ## Write the CRDs from the Rust types: manifests/crds and the chart's copy
	cargo run -q -p millrace-crds --bin crdgen -- manifests/crds
	cargo run -q -p millrace-crds --bin crdgen -- charts/millrace-crds/files

.PHONY: manifests
manifests: ## Render the charts to manifests/
	scripts/manifests

.PHONY: e2e e2e-up e2e-images e2e-down e2e-kubeconfig
# Images of cargo's dev profile are built in a third of the time; MILLRACE_PROFILE=release for the real ones.
e2e e2e-up e2e-images: export MILLRACE_PROFILE ?= dev
e2e: tools-e2e ## Run the tests on Kubernetes; starts the cluster if there is none
	scripts/cluster-answers || e2e/cluster/up
	scripts/test-kubernetes
e2e-up: tools-e2e ## Start a three-node kind cluster, by Docker or podman (e2e/cluster/README.md), with our images in it
	e2e/cluster/up
	e2e/cluster/images
e2e-images: ## Build the images and load them into it
	e2e/cluster/images
e2e-down: ## End the cluster
	e2e/cluster/down
e2e-kubeconfig: ## Print the path of the cluster's kubeconfig
	@e2e/cluster/kubeconfig

.PHONY: tools-run tools-test tools-e2e tools-bench
tools-run:
	scripts/tools run
tools-test:
	scripts/tools test
tools-e2e:
	scripts/tools e2e
tools-bench:
	scripts/tools bench

# Everything there is to do with Sluice. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CONFIG ?= config/sluice.toml
# For people, quick to build and nearly as fast as what is shipped; `release` takes minutes for its link-time optimisation.
PROFILE ?= fast
# Of what goes into the Debian package.
DEB_PROFILE ?= release
# `nextest` where it is installed, unless told otherwise: `make test RUNNER=cargo`.
RUNNER ?= $(if $(shell command -v cargo-nextest),nextest,cargo)
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help
help: ## This list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: needs
needs: # What a build needs from the system; installed only if it is not there
	@.ci/needs

.PHONY: run
run: needs ## Build and run the gateway with config/sluice.toml and its demo origin
	cargo run --profile $(PROFILE) -p sluice -- run $(CONFIG)

.PHONY: build
build: needs ## Build what is shipped
	cargo build --locked --release -p sluice

.PHONY: check
check: needs ## Check config/sluice.toml and report every finding
	cargo run --profile $(PROFILE) -p sluice -- check $(CONFIG)

.PHONY: test
test: lint units doctests cache-tests ## Formatting, lints, all tests

.PHONY: lint
lint: needs ## Formatting and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: units
units: needs ## Unit and integration tests
ifeq ($(RUNNER),nextest)
	cargo nextest run --locked --workspace --no-fail-fast
else
	cargo test --locked --workspace --lib --bins --tests --no-fail-fast
endif

.PHONY: gates
gates: needs ## The disk tier's gates at full length: kills, power cuts, full and failing disks, flipped bits (minutes)
	SLUICE_GATES=1 cargo test --locked -p sluice-cache --lib tier::disk
	SLUICE_GATES=1 cargo test --locked -p sluice-cache --test disk_gates -- --nocapture

.PHONY: cache-tests
cache-tests: needs ## The HTTP caching tests of cache-tests.fyi, from npm, against a gateway under cache_mode = "rfc9111"
	cargo build --locked -p sluice
	.ci/cache-tests $(TARGET)/debug/sluice

.PHONY: doctests
doctests: needs ## The examples in the documentation
	cargo test --locked --workspace --doc

.PHONY: docs
docs: needs ## Write docs/configuration.md and config/schema.json anew from the catalogue of keys
	SLUICE_BLESS=1 cargo test --locked -p sluice --test configuration generated

.PHONY: audit
audit: ## Licences, sources and duplicates of all dependencies; advisories where their database can be fetched
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --locked check licenses bans sources
	@if cargo deny --locked fetch db; then cargo deny --locked --offline check advisories; \
	else echo "audit: advisories are not checked, for their database cannot be fetched" >&2; fi

.PHONY: fuzz
fuzz: needs ## Fuzz everything that reads strangers' bytes, each for FUZZ_SECONDS (30)
	proxy/fuzz/run

.PHONY: bench
bench: needs ## Benchmarks of the parts
	cargo bench --locked -p sluice-benches

.PHONY: hit-ratio
hit-ratio: needs ## The memory tier's hit ratio beside libCacheSim's LRU and S3-FIFO
	loadtest/hit-ratio

.PHONY: compare
compare: build ## Sluice beside nginx, HAProxy and Varnish, at full length (needs root the first time)
	loadtest/compare

.PHONY: compare-quick
compare-quick: build ## The same in less than five minutes
	loadtest/compare --quick

.PHONY: deb
deb: needs ## A Debian package, under target/debian
	@command -v cargo-deb >/dev/null || cargo install --locked cargo-deb
	cargo deb --locked --profile $(DEB_PROFILE) -p sluice

.PHONY: deb-test
deb-test: deb ## Install that package here, start it once as its user, ask it, remove it (needs root)
	.ci/deb-test "$$(ls -t $(TARGET)/debian/sluice_*.deb | head -1)"

.PHONY: systemd-test
systemd-test: deb ## Boot a systemd in a container and have that package installed, run, reloaded, upgraded, stopped and removed (needs root)
	.ci/systemd-test "$$(ls -t $(TARGET)/debian/sluice_*.deb | head -1)"

.PHONY: image
image: ## A container image, with podman, buildah or docker
	@for tool in podman buildah docker; do \
		if command -v $$tool >/dev/null; then exec $$tool build -t sluice -f Containerfile .; fi; \
	done; echo "image: needs podman, buildah or docker, and none is installed" >&2; exit 1

.PHONY: image-test
image-test: build ## Build the last stage of that image without a registry, start it once, ask it, stop it (needs root and podman)
	.ci/image-test $(TARGET)/release/sluice

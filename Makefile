# The only entry: everything that is done with this tree is a target here; CI calls the same ones.
# Only what is missing is installed or started (see scripts/system, scripts/dockerd), and `make down` ends only
# what was started from here.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Extra arguments for a target, as in `make test-unit ARGS='-k arns -x'`.
ARGS ?=
# A process for each core, a whole file to each: fixtures of a file are made once, engines once for each process.
PARALLEL := -n auto --dist loadfile

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[36m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Make .venv with the longshore command in it
	@scripts/setup

.PHONY: lock
lock: ## Resolve the dependencies anew into requirements.lock
	@scripts/setup lock

.PHONY: protos
protos: setup ## Regenerate the committed stubs, and the reference of the API, from the protos
	@scripts/protos
	@scripts/api
	@scripts/clients sources

.PHONY: accept
accept: setup ## Promise the contract as it is now: later changes must not break it (at a release)
	@scripts/protos accept

.PHONY: api
api: setup ## Write docs/api, the reference of the API, anew from the protos' comments
	@scripts/api

.PHONY: blocking
blocking: setup ## Write the client without await, longshore.client.blocking, anew from the client
	@scripts/blocking

.PHONY: guides
guides: setup ## Put the programs that guides show into them anew, from the files that tests run
	@scripts/guides

.PHONY: conformance
conformance: setup ## Write docs/conformance.md and docs/task-definition.md anew from the contract and the tests' findings
	@scripts/conformance

.PHONY: settings
settings: setup ## Write the agent's settings into its guide and example file anew from the code
	@scripts/settings

.PHONY: fmt
fmt: setup ## Format the code and apply the safe fixes
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

.PHONY: check
check: setup ## Everything that is checked without running: format, lint, types, imports, contract
	@scripts/check

.PHONY: test
test: setup engines images ## All tests, with real Docker, PostgreSQL, Redis and compose
	@$(BIN)/pytest $(PARALLEL) $(ARGS)

.PHONY: test-unit
test-unit: setup ## The tests that need nothing but Python
	@$(BIN)/pytest tests/unit tests/property tests/rpc tests/conformance $(PARALLEL) $(ARGS)

.PHONY: test-int
test-int: setup engines images ## The tests with real Docker, PostgreSQL, Redis and compose
	@$(BIN)/pytest tests/integration tests/e2e tests/clients tests/chaos $(PARALLEL) $(ARGS)

.PHONY: engines
engines: ## Install and start what the tests need, if missing
	@scripts/system docker postgresql redis busybox debootstrap compose registry systemd openssl drill assemblers
	@scripts/dockerd start
	@scripts/images busybox
	@scripts/clients

.PHONY: demo
demo: setup ## Run a first container on this machine, from nothing to its exit code
	@scripts/system docker busybox
	@scripts/dockerd start
	@scripts/images busybox
	@scripts/demo

.PHONY: images
images: setup ## Make stand-ins for the upstream images, where they are not there
	@scripts/system docker busybox debootstrap
	@scripts/dockerd start
	@scripts/images all

.PHONY: up
up: setup images ## Start the docker-compose stack
	@scripts/system compose
	@scripts/stack up

.PHONY: down
down: ## Stop the stack and the Docker Engine, if they were started from here
	@scripts/stack down
	@scripts/dockerd stop

.PHONY: bench
bench: setup engines ## Measure the figures (ARGS='--json' for programs)
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: dist
dist: setup ## Build the wheel and a bundle that installs offline
	@scripts/dist

.PHONY: agent-image
agent-image: setup images ## Build dist/longshore-agent-<version>.tar.gz, the agent for docker load
	@scripts/agent-image

.PHONY: clean
clean: ## Remove build products (what was installed on the system stays)
	rm -rf clients/typescript/{dist,node_modules,src/generated} clients/java/target
	rm -rf .venv .build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The commands of this project; `make` alone prints them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
IMAGE ?= kubemacpool:latest
# Test files run side by side in so many processes, each with a control plane of its own (1 GB).
PROCESSES ?= 2
BASE ?=
HEAD ?= HEAD

export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: venv ## Watch it work: a real control plane, the release manifest, pods and a VM with addresses
	@python -m e2e.demo

.PHONY: check
check: venv format-check lint types layers manifest-check test ## All that CI runs

.PHONY: venv
venv: $(VENV)/.filled ## Create .venv with the locked requirements

$(VENV)/.filled: requirements-dev.txt
	@echo "Filling $(VENV) from requirements-dev.txt (about half a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.PHONY: format
format: venv ## Format the code
	@ruff format . && ruff check --fix --quiet .

.PHONY: format-check
format-check: venv
	@ruff format --check .

.PHONY: lint
lint: venv ## Ruff, all rules but the excused ones
	@ruff check .

.PHONY: types
types: venv ## mypy, strict
	@mypy

.PHONY: layers
layers: venv ## Import Linter: who may import whom
	@lint-imports

.PHONY: test
test: venv ## Unit, contract and e2e tests, on a real control plane
	@pytest -n $(PROCESSES) --dist loadfile --cov --cov-report=
	@coverage report --skip-covered --skip-empty | tail -25

.PHONY: unit
unit: venv ## Only the tests that need no control plane (a minute)
	@pytest -q -m "not cluster" crds webhook controller tests

.PHONY: e2e
e2e: venv ## Only the tests that speak to a cluster through kubectl
	@pytest -n $(PROCESSES) --dist loadfile e2e/tests

.PHONY: bench
bench: venv ## Measure what the webhook adds to requests for pods and VMs, side by side in one run
	@python -m bench

.PHONY: bench-publish
bench-publish: venv ## Put the report and the plot of a run into docs/performance.md (RESULTS=.bench/TIME)
	@python -m bench publish $(RESULTS)

.PHONY: bench-compare
bench-compare: venv ## Measure two revisions in turn, and say how they differ (BASE, HEAD)
	@python -m bench compare $(BASE) $(HEAD)

.PHONY: cluster-up
cluster-up: venv ## Bring up a cluster: KUBEVIRT_PROVIDER=kind, control-plane or external; with KUBEVIRT=true VMs boot
	@python -m e2e.cluster up

.PHONY: cluster-sync
cluster-sync: venv ## Build the image, bring it to that cluster, install the release
	@python -m e2e.cluster sync

.PHONY: functest
functest: venv ## Run the functional tests on that cluster
	@python -m e2e.cluster functest

.PHONY: cluster-down
cluster-down: venv ## End what cluster-up and demo started
	@python -m e2e.cluster down

.PHONY: docker-engine
docker-engine: ## Install and start a Docker Engine where none runs (root; machines to throw away)
	@cluster/docker-engine.sh up

.PHONY: docker-engine-down
docker-engine-down: ## End the engine that docker-engine started
	@cluster/docker-engine.sh down

.PHONY: kubevirt-crds
kubevirt-crds: venv ## Build KubeVirt's CRDs, with which the demo shows a VM (Go, 3 minutes, once)
	@python -m e2e.cluster kubevirt-crds

.PHONY: kubevirt-images
kubevirt-images: venv ## Pull or build the images with which VMs boot on kind (half an hour, once)
	@python -m e2e.cluster kubevirt-images

.PHONY: manifest
manifest: venv ## Generate deploy/kubemacpool.yaml and its reference, docs/configuration.md
	@python -m deploy build
	@python -m docs.generate build

.PHONY: manifest-check
manifest-check: venv
	@python -m deploy check
	@python -m docs.generate check

.PHONY: image
image: venv ## Build the image of both programs (IMAGE, BASE) and say what it holds
	@python -m e2e.cluster.image $(IMAGE) $(if $(BASE),--base $(BASE))

# With extras: pip looks for the newest coverage[toml] where no more than coverage is pinned.
.PHONY: lock
lock: venv ## Renew requirements.txt and requirements-dev.txt, with hashes
	@pip install --quiet uv
	@uv pip compile -q --upgrade --generate-hashes --no-strip-extras --universal --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements.txt
	@uv pip compile -q --upgrade --generate-hashes --no-strip-extras --universal --no-emit-index-url --no-annotate --no-header --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

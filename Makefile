# The commands of this project; `make` alone prints them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
IMAGE ?= kubemacpool:latest
# The number of test processes, more than cores: tests wait for events. Each has a control plane (1 GB).
PROCESSES ?= 3
# More arguments for pytest, for `make unit` and `make e2e`.
ARGS ?=
BASE ?=
HEAD ?= HEAD

export PATH := $(CURDIR)/$(BIN):$(PATH)
# Keep compiled modules: otherwise each test process compiles all tests again (half of collecting).
unexport PYTHONDONTWRITEBYTECODE

# $(call timed,NAME,TARGETS): make these targets one after the other, and say how long it took.
define timed
SECONDS=0; for target in $(2); do \
	echo "==> $(1): $$target"; \
	$(MAKE) --no-print-directory $$target || exit; \
done; \
printf '==> %s passed in %d min %d s\n' $(1) $$((SECONDS / 60)) $$((SECONDS % 60))
endef

# Files of one xdist_group share a process and its control plane; the ten slowest tests come last.
PYTEST = pytest -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder --durations=10

.PHONY: help
help: ## Print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: venv ## Watch it work: a real control plane, the release manifest, pods and a VM with addresses
	@python -m e2e.demo

.PHONY: check
check: venv ## Before you send a change: the static checks and most tests (10 minutes on two cores)
	@$(call timed,check,static test) && echo "make check-all runs the rest of the tests."

.PHONY: check-all
check-all: venv ## What CI runs: the static checks and all tests, with branch coverage
	@$(call timed,check-all,static test-all)

.PHONY: static
static: venv ## The checks that run no test, two at a time
	@$(MAKE) --no-print-directory --jobs=2 types lint format-check layers manifest-check

.PHONY: venv
venv: $(VENV)/.filled ## Create .venv with the locked requirements

$(VENV)/.filled: requirements-dev.txt requirements.txt
	@echo "Filling $(VENV) from requirements-dev.txt (one to two minutes) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.PHONY: format
format: venv ## Format the code
	@ruff format . && ruff check --fix --quiet .

.PHONY: format-check
format-check: venv ## Fail if the code is not formatted
	@echo "==> format-check: ruff format" && ruff format --check .

.PHONY: lint
lint: venv ## Ruff, all rules except those excused in pyproject.toml, and the banned words
	@echo "==> lint: ruff check" && ruff check .
	@echo "==> lint: banned words" && python -m lint.words

.PHONY: types
types: venv ## mypy, strict
	@echo "==> types: mypy (a minute with an empty cache)" && mypy

.PHONY: layers
layers: venv ## Import Linter: which module may import which
	@echo "==> layers: lint-imports" && lint-imports

.PHONY: test
test: venv ## Unit, contract and e2e tests; not those marked kubevirt, bench, testbed or long
	@$(PYTEST)

.PHONY: test-all
test-all: venv ## All tests, with all Hypothesis examples and random walks, and branch coverage
	@$(PYTEST) --all --cov --cov-report=
	@coverage report --skip-covered --skip-empty | tail -25

.PHONY: unit
unit: venv ## Only the tests that need no control plane (a minute)
	@$(PYTEST) $(ARGS) -m "not cluster" kube crds webhook controller bench simulation deploy

.PHONY: e2e
e2e: venv ## Only the tests that use a cluster through kubectl; ARGS=--all runs all of them
	@$(PYTEST) $(ARGS) e2e/tests

.PHONY: bench
bench: venv ## Measure the latency that the webhook adds to requests for pods and VMs (20 minutes)
	@python -m bench latency

.PHONY: bench-publish
bench-publish: venv ## Put the report of a run into docs/performance.md or docs/scale.md (RESULTS=.bench/TIME)
	@python -m bench publish $(RESULTS)

.PHONY: bench-compare
bench-compare: venv ## Measure two revisions in turn, and show how they differ (BASE, HEAD)
	@python -m bench compare $(BASE) $(HEAD) $(ARGS)

.PHONY: cluster-up
cluster-up: venv ## Bring up a cluster: KUBEVIRT_PROVIDER=kind, control-plane or external; with KUBEVIRT=true VMs boot
	@python -m testbed up

.PHONY: cluster-sync
cluster-sync: venv ## Build the image, bring it to that cluster, install the release
	@python -m testbed sync

.PHONY: functest
functest: venv ## Run the functional tests on that cluster
	@python -m testbed functest

.PHONY: cluster-down
cluster-down: venv ## End what cluster-up and demo started
	@python -m testbed down

.PHONY: docker-engine
docker-engine: ## Install and start a Docker Engine where none runs (root; only on a disposable machine)
	@cluster/docker-engine.sh up

.PHONY: docker-engine-down
docker-engine-down: ## End the engine that docker-engine started
	@cluster/docker-engine.sh down

.PHONY: kubevirt-crds
kubevirt-crds: venv ## Build KubeVirt's CRDs, with which the demo shows a VM (Go, 3 minutes, once)
	@python -m testbed kubevirt-crds

.PHONY: kubevirt-images
kubevirt-images: venv ## Pull or build the images with which VMs boot on kind (half an hour, once)
	@python -m testbed kubevirt-images

.PHONY: manifest
manifest: venv ## Generate deploy/kubemacpool.yaml and its reference, docs/configuration.md
	@python -m deploy build
	@python -m deploy.reference.generate build

.PHONY: manifest-check
manifest-check: venv
	@echo "==> manifest-check: deploy/kubemacpool.yaml, docs/configuration.md"
	@python -m deploy check
	@python -m deploy.reference.generate check

.PHONY: image
image: venv ## Build the image of both programs (IMAGE, BASE) and say what it holds
	@python -m testbed.image $(IMAGE) $(if $(BASE),--base $(BASE))

# --no-strip-extras: pip looks for the newest coverage[toml] if only coverage is pinned.
UV_COMPILE := uv pip compile -q --upgrade --generate-hashes --no-strip-extras --universal \
	--no-emit-index-url --no-annotate --no-header
.PHONY: lock
lock: venv ## Renew requirements.txt and, with what it does not have, requirements-dev.txt, with hashes
	@pip install --quiet uv
	@$(UV_COMPILE) pyproject.toml -o requirements.txt
	@$(UV_COMPILE) --extra dev -c requirements.txt pyproject.toml \
		$$(sed -n 's/^\([a-z0-9][a-zA-Z0-9._-]*\).*/--no-emit-package \1/p' requirements.txt) >.requirements-dev
	@{ echo "-r requirements.txt"; cat .requirements-dev; } >requirements-dev.txt && rm .requirements-dev

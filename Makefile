# Every target sets itself up; nothing is installed outside this folder.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp
DOCS := .venv-docs
SOURCES := allocator bgp ipam nodeagent plugin purelb playground upkeep benchmarks tests tools
BENCH ?= all
IMAGES ?= allocator lbnodeagent k8gobgp ipam
SOAK_SECONDS ?= 3600
SOAK_SCHEDULES ?= 2000
CHAOS_SECONDS ?= 3600
PYTEST := $(BIN)/python -m pytest
# Tests that wait more than they work: more of them at once than a small machine has cores.
JOBS ?= 3
REST := tests --ignore=tests/unit --ignore=tests/properties --ignore=tests/e2e

.PHONY: help setup lock lock-images demo up down fmt lint types imports check unit test soak soak-allocator
.PHONY: soak-heartbeats chaos soak-bgp bench control-plane e2e plugin screenshots images images-again sbom docs release-check proto clean

help: ## Show this help
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make the virtual environment in .venv
$(STAMP): requirements/dev.txt pyproject.toml tools/needs.sh
	@tools/needs.sh $(PYTHON)
	@echo "setting up .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

lock: $(STAMP) ## Pin the dependencies anew, with hashes, from pyproject.toml
	@tools/lock.sh $(BIN)/uv

lock-images: ## Pin the images' Debian packages anew, with hashes (on Debian 12)
	@tools/lock-debian.sh

demo: $(STAMP) ## Watch a cluster of three network namespaces do it all
	@$(BIN)/python -m playground demo

up: $(STAMP) ## Start a playground (then: .venv/bin/python -m playground status)
	@$(BIN)/python -m playground up

down: $(STAMP) ## Stop the playground
	@$(BIN)/python -m playground down

fmt: $(STAMP) ## Format the code
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

lint: $(STAMP) ## Check format and style
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)

types: $(STAMP) ## Check types
	@$(BIN)/mypy

imports: $(STAMP) ## Check the layers: core, shell, app
	@$(BIN)/lint-imports

check: lint types imports ## All static gates

unit: $(STAMP) ## Pure tests with branch coverage of the cores
	@$(PYTEST) tests/unit tests/properties --numprocesses 2 --cov --cov-report=term --cov-fail-under=95

test: check unit ## Everything that must hold, cheap gates first
	@$(PYTEST) $(REST) -m "not alone" --numprocesses $(JOBS) --dist worksteal
	@$(PYTEST) $(REST) -m alone

soak: $(STAMP) ## The long form of what `make test` does shortly, with bars for delays (an hour)
	@PURELB_SOAK=1 $(PYTEST) -s tests/netns/test_networkd.py tests/netns/test_adversary.py

soak-allocator: $(STAMP) ## Random plays of the allocator's core against a naive model (an hour)
	@$(BIN)/python -m tests.properties.soak machine --seconds $(SOAK_SECONDS)

soak-heartbeats: $(STAMP) ## Random schedules of agents with heartbeats, in virtual time (2,000 of them)
	@$(BIN)/python -m tests.properties.soak heartbeats --times $(SOAK_SCHEDULES)

chaos: $(STAMP) ## Random incidents in a playground, judged on the wire (an hour; PURELB_SEED)
	@$(BIN)/python -m playground.chaos --seconds $(CHAOS_SECONDS) $(if $(PURELB_SEED),--seed $(PURELB_SEED))

soak-bgp: $(STAMP) ## Kill gobgpd and sidecars at random under traffic (ten minutes)
	@PURELB_SOAK=1 $(PYTEST) -s tests/netns/test_bgp_kill.py

bench: $(STAMP) ## Measure (one: make bench BENCH=create); writes benchmarks/results/latest.json
	@$(BIN)/python -m benchmarks $(BENCH)

control-plane: $(STAMP) ## Find or build a real Kubernetes control plane (minutes, once)
	@$(BIN)/python -m playground.controlplane build

e2e: control-plane ## Test with the real control plane: kubectl, the API's conformance, end to end
	@PURELB_E2E=1 $(PYTEST) tests/component/test_apiserver_kubectl.py tests/component/test_chart_lookups.py tests/conformance \
		tests/manifests/test_chart*.py tests/manifests/test_observability.py tests/manifests/test_alerts.py \
		tests/e2e

plugin: $(STAMP) ## Build kubectl purelb as one file, with its Krew manifest, in build/
	@$(BIN)/python -m tools.plugin build $(RELEASE_URL)

screenshots: $(STAMP) ## Make the pictures in docs/images anew (the page needs chromium)
	@$(BIN)/python -m tests.plugin.screenshots docs/images

images: $(STAMP) ## Build the images (needs buildah), and look at them
	@tools/images.sh "$$($(BIN)/python -c 'import purelb; print(purelb.VERSION)')" $(IMAGES)
	@$(PYTEST) -s tests/images

images-again: $(STAMP) ## Build the images anew, without caches, and compare (after: make images)
	@SAME_AS="$$($(BIN)/python -c 'import purelb; print(purelb.VERSION)')" tools/images.sh again $(IMAGES)

sbom: ## Write the images' bills of materials (after: make images)
	@tools/sbom.sh build/sbom $(IMAGES)

release-check: $(STAMP) ## Tell what is in the way of a release
	@$(BIN)/python -m tools.release

docs: $(DOCS)/.stamp ## Build the documentation, strictly, into build/site
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict && echo build/site/index.html

$(DOCS)/.stamp: requirements/docs.txt
	@$(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

proto: ## Generate the messages of proto/*.proto anew
	@tools/proto.sh $(PYTHON)

clean: ## Remove what the targets made
	rm -rf .venv $(DOCS) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

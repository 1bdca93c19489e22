# The project's commands; `make help` lists them. Everything else is plain Python: python3 -m tests.tools.local_cluster --help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
UP := python3 -m tests.tools.local_cluster
PYTHON := .venv/bin/python
# Every stage ends with a table of its slowest tests.
PYTEST := $(PYTHON) -m pytest --durations=20 --durations-min=1

# Set in some containers; then every subprocess of every test would compile all it imports again.
unexport PYTHONDONTWRITEBYTECODE

# A cluster of the user's is neither killed nor asked for what only ours promises.
ifeq ($(CLUSTER),existing)
NOT_LOCAL := tests/cluster/test_local_cluster.py
else
LOCAL_ONLY := tests/bringup
endif

.PHONY: help demo test fast bring-up check crds images cluster-up install env cluster-down environment

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | sed '/^  help\t/d' | expand -t 18

demo: environment cluster-up install ## A year of flights on a real cluster: train, serve, drift, retrain, canary, put back; MONTHS=3 for a short one
	eval "$$($(UP) env)"; $(PYTHON) -m tests.demo

test: ## Every test: formats and types beside the bring-up, then what needs no cluster, then on the cluster
	$(MAKE) --jobs 2 --keep-going --output-sync=line check bring-up
	$(MAKE) fast
	rm -rf build/states
	eval "$$($(UP) env)"; $(PYTEST) tests/cluster -m "not disruptive" --numprocesses 4 --dist loadgroup $(addprefix --ignore=,$(NOT_LOCAL))
	eval "$$($(UP) env)"; $(PYTEST) tests/cluster tests/aftermath -m "disruptive or not cluster" $(addprefix --ignore=,$(NOT_LOCAL))

# Every test that needs no cluster: unit, contract, simulation. Not beside the bring-up: on a fresh machine that builds
# for minutes, and some of these are about time. The longest tests come first: a worker that is done takes from the end of
# another one's list, so that none runs a long test while the others have nothing left.
fast: environment
	$(PYTEST) tests/sim tests/contract tests/unit --numprocesses auto --dist worksteal

# One recipe: its steps come one after the other.
bring-up: environment
	$(if $(LOCAL_ONLY),$(PYTEST) $(LOCAL_ONLY))
	$(UP) up
	$(UP) install

check: environment ## Formats, lint, types, import contracts, generated files, lock file
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy operator/steadfit images/artifact images/trainer images/server images/sdk images/monitoring tests
	.venv/bin/lint-imports
	$(PYTHON) -m steadfit.api.crd --check
	$(PYTHON) -m tests.tools.reasons --check
	$(UP) lock

crds: environment ## Write crds/ and docs/reference/ from the typed models and the catalogue of reasons
	$(PYTHON) -m steadfit.api.crd
	$(PYTHON) -m tests.tools.reasons

images: ## Build the images whose inputs changed, and push them
	$(UP) images

cluster-up: ## Bring up the local kind cluster with registry and store, or use a healthy one again
	$(UP) up

install: ## Install the operator into the cluster: images, CRDs, manifests
	$(UP) install

env: ## Print exports for a shell: eval "$(make -s env)"
	@$(UP) env

cluster-down: ## Remove the cluster and all it set up; caches stay
	$(UP) down

environment:
	@$(UP) venv

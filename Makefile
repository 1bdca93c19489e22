# The project's commands; `make help` lists them. python3 -m tests.tools.local_cluster --help lists those of the local cluster.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
UP := python3 -m tests.tools.local_cluster
PYTHON := .venv/bin/python
# Each stage prints a table of its slowest tests at its end.
PYTEST := $(PYTHON) -m pytest --durations=20 --durations-min=1

# Two for each CPU: a third of the time of unit and contract tests is spent waiting.
WORKERS := $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))

# Some containers set this; every subprocess of every test would then compile all its imports again.
unexport PYTHONDONTWRITEBYTECODE

# On a cluster of the user, skip the tests that stop the cluster and those of what only the local cluster has.
ifeq ($(CLUSTER),existing)
NOT_LOCAL := tests/cluster/test_local_cluster.py tests/cluster/test_real_gateway.py
else
LOCAL_ONLY := tests/bringup
endif

.PHONY: help demo test fast disruptive pure bench bring-up check crds images cluster-up install env cluster-down environment

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | sed '/^  help\t/d' | expand -t 18

demo: environment cluster-up install ## A year of flights on a real cluster: train, serve, drift, retrain, canary, roll back; MONTHS=3 for a short one
	eval "$$($(UP) env)"; $(PYTHON) -m tests.demo

test: ## All tests: check and bring up, then what needs no cluster and measures time, then the cluster, then the rest
	$(MAKE) --jobs 2 --keep-going --output-sync=line check bring-up
	$(PYTEST) tests/contract tests/unit --ignore=tests/unit/core --numprocesses $(WORKERS) --dist worksteal
	rm -rf build/states
	eval "$$($(UP) env)"; $(PYTEST) tests/cluster -m "not disruptive" --numprocesses 4 --dist loadgroup $(addprefix --ignore=,$(NOT_LOCAL))
	$(MAKE) --jobs 2 --keep-going --output-sync=line disruptive pure

# The longest tests come first: an idle worker takes tests from the end of another one's list, so no worker runs a long
# test alone at the end.
fast: environment ## The tests that need no cluster, with a part of their random cases: unit, contract, simulation
	EFFORT=sample $(PYTEST) tests/sim tests/contract tests/unit --numprocesses $(WORKERS) --dist worksteal

disruptive: environment
	eval "$$($(UP) env)"; $(PYTEST) tests/cluster tests/aftermath -m "disruptive or not cluster" $(addprefix --ignore=,$(NOT_LOCAL))

# Without a clock, so it may run beside the disruptive tests, which wait for most of their time: for a node, for the store,
# for Prometheus. It is over before the last of them counts every request.
pure: environment
	nice -n 10 $(PYTEST) tests/sim tests/unit/core --numprocesses auto --dist worksteal

# On a quiet machine: 10 minutes of trials on the cluster, after simulations of about half an hour, whose results are kept
# until the test changes. Smaller sizes for a first look: make bench TRIALS=1000 DAYS=400 CANARIES=3
TRIALS := 10000
DAYS := 8000
CANARIES := 15
bench: environment ## Simulate the test of canaries and measure them on the cluster; writes docs/benchmarks.md, build/bench/report.json
	$(UP) env > /dev/null
	$(PYTHON) -m benchmarks.detector --trials $(TRIALS) --days $(DAYS) --report build/bench/detector.json
	eval "$$($(UP) env)"; $(PYTHON) -m benchmarks.canaries --trials $(CANARIES) --report build/bench/canaries.json
	$(PYTHON) -m benchmarks.canary_report --detector build/bench/detector.json --canaries build/bench/canaries.json --document docs/benchmarks.md --picture docs/canary.svg

# One recipe, so that its steps run one after the other.
bring-up: environment ## Test the bring-up itself, then bring up the cluster and install the operator
	$(if $(LOCAL_ONLY),$(PYTEST) $(LOCAL_ONLY))
	$(UP) up
	$(UP) install

check: environment ## Check formats, lint, types, import contracts, generated files and the lock file
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

cluster-up: ## Create the local kind cluster with registry and store; reuse a healthy one
	$(UP) up

install: ## Install the operator in the cluster: images, CRDs, manifests
	$(UP) install

env: ## Print exports for a shell: eval "$(make -s env)"
	@$(UP) env

cluster-down: ## Remove the cluster and everything that cluster-up created; caches stay
	$(UP) down

environment: ## Install .venv from the lock file, and promtool
	@$(UP) venv

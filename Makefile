# `make help` lists what there is to do. A fresh machine needs Python 3.11 or newer and make.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Exactly what requirements.lock says: no other version, no other file, nothing built from source.
PIP_LOCKED := $(PIP) install --no-deps --require-hashes --only-binary :all:

# requirements.lock has two parts: what runs and builds the project, then what tests it.
TEST_MARK := ^\# --- test ---$$

# Stamps: each says that its step was done with what stands behind its colon.
RUN_LOCKED  := $(VENV)/.run-locked
TEST_LOCKED := $(VENV)/.test-locked
INSTALLED   := gen/.installed

# Directories too, so that a deleted proto counts as a change.
PROTOS := $(shell find protos)

UV_VERSION := 0.13.9

# One process of pytest for each core, as tests/support/spread.py says; one that ends in a hang ends the run.
SPREAD := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
.PHONY: help setup run run-router run-edge test conformance fidelity conformance-full simulation soak bench bench-peers profile instructions lint breaking codegen lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## only the set-up: .venv with the locked dependencies, generated stubs
	@:

# `exec` leaves no shell between make and the gateway: a signal to make reaches it directly.
run: $(INSTALLED) ## start the gateway: HTTP on port 8080, gRPC on port 50051
	@exec $(BIN)/trunkline serve $(ARGS)

run-router: $(INSTALLED) ## start the router tier alone
	@exec $(BIN)/trunkline router $(ARGS)

run-edge: $(INSTALLED) ## start the edge tier alone
	@exec $(BIN)/trunkline edge $(ARGS)

test: $(TEST_LOCKED) $(INSTALLED) ## run the test suite (ARGS="-k name" and the like; "-n 0": in one process)
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

conformance: $(TEST_LOCKED) $(INSTALLED) ## replay the recorded exchanges and report by provider and feature
	$(BIN)/python -m pytest -q -p tests.conformance.kit.report tests/conformance $(ARGS)

fidelity: $(TEST_LOCKED) $(INSTALLED) ## write docs/fidelity.md from the tables and the recorded exchanges
	$(BIN)/python -m tests.conformance.kit.fidelity

conformance-full: $(TEST_LOCKED) $(INSTALLED) ## run the long conformance tests that `test` leaves out
	$(BIN)/python -m pytest -m full -o faulthandler_timeout=0 $(ARGS)

bench: $(INSTALLED) ## measure the gateway and write docs/benchmarks.md (ARGS=--quick: ratios in a minute)
	@$(BIN)/python -m bench $(ARGS)

bench-peers: $(INSTALLED) ## the same against other gateways, which it installs under .cache
	@$(BIN)/python -m bench --peers $(ARGS)

profile: $(INSTALLED) ## draw where the gateway's processor time goes: docs/benchmarks/flame-*.svg
	@$(BIN)/python -m bench.flame

instructions: $(INSTALLED) ## count the hot path's instructions against the committed ones (ARGS=--accept: commit anew)
	@$(BIN)/python -m bench.instructions $(ARGS)

simulation: $(TEST_LOCKED) $(INSTALLED) ## compare the balancing strategies and write docs/load-balancing.md
	$(BIN)/python -m tests.simulation

soak: $(TEST_LOCKED) $(INSTALLED) ## run a gateway under mixed traffic and faults (ARGS="--minutes 10")
	$(BIN)/python -m tests.soak $(ARGS)

lint: $(TEST_LOCKED) $(INSTALLED) ## ruff, size budgets, mypy, import-linter, buf
	@$(PIP) check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python scripts/budgets.py
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/contract.py lint

breaking: $(TEST_LOCKED) $(INSTALLED) ## compare the protos with the last release, or the last commit
	$(BIN)/python scripts/contract.py breaking

codegen: $(RUN_LOCKED) ## generate the stubs in gen/ from protos/
	$(BIN)/python hatch_build.py

lock: $(VENV)/.created ## resolve pyproject.toml into requirements.lock (ARGS=--upgrade: newest versions)
	$(BIN)/python -m venv .cache/lock
	.cache/lock/bin/python -m pip --quiet --disable-pip-version-check install uv==$(UV_VERSION)
	.cache/lock/bin/python scripts/lock.py $(ARGS)

clean: ## remove everything that make and the tools made
	rm -rf $(VENV) gen .cache build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'Trunkline needs Python 3.11 or newer, and `$(PYTHON)` is not.' >&2; \
	    echo 'Name another one: make PYTHON=python3.13 ...' >&2; \
	    exit 1; }
	@echo 'Setting up $(VENV): about a minute, once.'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUN_LOCKED): requirements.lock $(VENV)/.created
	@sed '/$(TEST_MARK)/,$$d' requirements.lock > $(VENV)/run.lock
	$(PIP_LOCKED) -r $(VENV)/run.lock
	@touch $@

$(TEST_LOCKED): requirements.lock $(RUN_LOCKED)
	@sed -n '/$(TEST_MARK)/,$$p' requirements.lock > $(VENV)/test.lock
	$(PIP_LOCKED) -r $(VENV)/test.lock
	@touch $@

# The build hook in hatch_build.py generates the stubs on the way.
$(INSTALLED): $(RUN_LOCKED) pyproject.toml hatch_build.py $(PROTOS)
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

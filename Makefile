# make run: set up, then the main job on the embedded defaults.   make test: set up, then every check but the long tests.
SHELL := /bin/bash
# Without bytecode each process compiles what it imports anew: seconds for MLflow, and twice that for TensorFlow.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV = $(shell command -v uv || echo $(BIN)/uv)
WANTED := --constraint constraints.txt --editable '.[all,dev]'
# One worker more than cores: tests wait for processes and servers.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, (os.cpu_count() or 2) + 1))')
# By files that share what takes long to start: tests/conftest.py says which.
DIST = loadfile
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist $(DIST) --no-loadscope-reorder

.PHONY: run test quick test-all setup lint unit coverage long bench example lock clean help

run: setup  ## set everything up, run the main job on the embedded defaults
	$(BIN)/flowerexp $(ARGS)

test: setup lint unit  ## set everything up, then lint, types, layers and all but the long tests

test-all: test  ## make test, then the tests that are marked long
	$(MAKE) long

quick: WORKERS = logical
quick: DIST = loadscope
quick: setup  ## in a minute or so: the tests without Spark, servers, MLflow and TensorFlow, to run all the time
	$(PYTEST) -m 'not long and not slow' $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup
	$(PYTEST) -m 'not long' $(ARGS)

coverage: setup  ## make unit with coverage of what runs in the tests' own processes: build/coverage/index.html
	@mkdir -p build/coverage
	$(PYTEST) -m 'not long' --cov --cov-report=term:skip-covered --cov-report=html:build/coverage $(ARGS)

long: setup  ## the long tests alone
	$(PYTEST) -m long $(ARGS)

setup: $(VENV)/.ready  ## make the virtual environment with the pinned versions

$(VENV)/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "flowerexp needs Python 3.11, 3.12 or 3.13: install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo 'setting up $(VENV) with the pinned versions: a minute or so'
	$(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || $(PIP) --constraint constraints.txt uv
	@# pip knows mirrors of its own settings that uv does not.
	$(UV) pip install --quiet --python $(BIN)/python $(WANTED) || $(PIP) $(WANTED)
	$(BIN)/python -m flowerexp.cluster.local.make_archive
	touch $@

bench: setup  ## make bench IMAGES=DIR: measure beside other ways to do the same work, write docs/benchmarks.md
	@test -d "$(IMAGES)" || { echo "name a folder of CLASS/*.jpg: make bench IMAGES=DIR"; exit 1; }
	$(BIN)/python benchmarks/report.py "$(IMAGES)" $(ARGS)

example: setup  ## compare formats and readers on generated photographs, and put the report into docs/example
	$(BIN)/python docs/example/make.py $(ARGS)

lock:  ## resolve the newest versions again and pin them
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check '.[all,dev]' uv
	build/lock/bin/python -m pip freeze --exclude flowerexp | grep -v ' @ ' > constraints.txt

clean:  ## remove the environment and caches; data and runs stay
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

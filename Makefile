# The two commands of the README are `make quickstart` and `make test`; both build what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest
# What a run of the whole suite adds: `make test EXTRAS=ml,nvml,quant,cluster,search,deephyper,track,dev`.
EXTRAS ?= ml,nvml,cluster,search,track,dev

.PHONY: quickstart test test-fast check setup clean

quickstart: setup
	$(BIN)/etude run studies/intent/quickstart.yaml

test: setup
	$(PYTEST) -n auto --dist worksteal -m "not slow"
	$(PYTEST) -n auto --dist worksteal -m slow

test-fast: setup
	$(PYTEST) -n auto --dist worksteal -m "not slow"

check: setup
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(PYTEST) tests/test_layers.py

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt torch
	$(PIP) install -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf $(VENV) .etude results .mypy_cache .ruff_cache .pytest_cache .hypothesis

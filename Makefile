# Two commands do everything: `make gameday` and `make test`. Both set up .venv first when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: gameday test lint bench setup setup-dev clean down
.DEFAULT_GOAL := gameday

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 13) else f"Python {v[0]}.{v[1]} is not supported: use 3.11 or 3.12, for example make PYTHON=python3.11")'
	@echo "setting up $(VENV) (about a minute, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "installing test tools"
	@$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@

gameday: $(VENV)/.ready
	@$(BIN)/sre gameday run experiments/replica-crash.yaml

test: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest

bench: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest tests/benchmarks -m benchmark -s

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

down:
	@$(BIN)/sre down

clean: 
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

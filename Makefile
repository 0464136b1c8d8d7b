# One line per task; `make` alone lists them. Everything is installed into .venv, once.

PYTHON ?= python3
VENV ?= .venv
SERVE ?= 1
PORT ?= 8000
HOUSEHOLDS ?=

BIN := $(VENV)/bin
DEMO_READY := $(VENV)/.demo-installed
DEV_READY := $(VENV)/.dev-installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench bench-all notebooks docs clean

help: ## list the tasks
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([^:]+):.*## /  make \1\t/' | expand -t 22

demo: $(DEMO_READY) ## data, training, evaluation and the page (SERVE=0, PORT=8000, HOUSEHOLDS=150)
	$(BIN)/vitrine demo --port $(PORT) $(if $(filter 0,$(SERVE)),--no-serve) \
		$(if $(HOUSEHOLDS),--households $(HOUSEHOLDS) --folder runs/demo-$(HOUSEHOLDS))

test: $(DEV_READY) ## everything that the tests need, then all tests
	scripts/system-packages
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

lint: $(DEV_READY) ## ruff, the format, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(DEV_READY) ## mypy, strict
	$(BIN)/mypy

bench: bench-demo bench-online-retail bench-encoders bench-graph bench-retrieval bench-rerank bench-serving bench-explain bench-compare ## every benchmark

bench-all: $(DEV_READY) ## redo every benchmark, and print what moved against the committed figures
	$(BIN)/python -m benchmarks.bench_all

bench-%: $(DEV_READY) ## one benchmark, into benchmarks/results
	$(BIN)/python -m benchmarks.$(subst -,_,$*)

notebooks: $(DEV_READY) ## execute examples/*.ipynb and keep what they show
	$(BIN)/python -m scripts.run_notebooks

docs: $(DEV_READY) ## the documentation's site, into build/site
	$(BIN)/python -m scripts.docs_site

clean: ## remove the demo's data and runs; the installation stays
	rm -rf data/complete-journey* runs

# Not bin/python: an environment that was interrupted has it, and no pip.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); Vitrine needs Python 3.11 or newer:" \
			"make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO_READY): pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --editable ".[demo]"
	touch $@

# setuptools is what the test of the wheel builds with, without a network.
$(DEV_READY): pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --editable ".[demo,dev,docs,graph,llm,scale,tune]" "setuptools>=77"
	touch $@ $(DEMO_READY)
